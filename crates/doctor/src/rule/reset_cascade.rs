//! `reset-cascade`: one late ATS made the host reset the device, and the reset killed everything else.

use super::case::{Case, FIRST, command, total, was_reset};
use super::local::is_of_one_host;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Command, Fact, Kind, PathEvent, TaskKind, TaskOutcome};
use crate::scene::{before, near, same_host};

/// The storm comes about a second after its trigger; heartbeats wait up to eight.
const STORM_WITHIN_US: i64 = 15_000_000;
/// A test that was false is over: a host that resets the device for it does so at once.
const AT_ONCE_US: i64 = 3_000_000;
/// From the first command that a reset ends to the last.
const RESET_TAKES_US: i64 = 1_000_000;
/// One command more may be chance.
const VICTIMS_MIN: u64 = 2;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let victims = case.commands(|command| was_reset(command) && !command.is_ats());
    let triggers = case.commands(|command| {
        command.is_ats() && (command.unanswered() || command.miscompared()) && !was_reset(command)
    });
    if victims.is_empty() {
        return Judgement::Silent;
    }
    let fits = |trigger: &&Fact| {
        victims.iter().take(FIRST).any(|victim| {
            same_host(trigger, victim) && before(trigger, victim) && near(trigger, victim, STORM_WITHIN_US)
        })
    };
    let Some(trigger) = triggers.iter().copied().take(FIRST).find(fits) else {
        return Judgement::Aside(
            "Commands were lost to a reset (H:0x8), but no atomic test and set that was late or false stands before them."
                .to_owned(),
        );
    };
    if let Some(why) = another_reason(case, trigger, &victims) {
        return Judgement::Aside(why);
    }
    // What one host resets are its own commands.
    let own: Vec<&Fact> = victims.iter().copied().filter(|victim| same_host(trigger, victim)).collect();
    let count = total(&own);
    if count < VICTIMS_MIN {
        return Judgement::Aside("Only one command was lost to a reset: no storm.".to_owned());
    }
    let was_false = command(trigger).is_some_and(Command::miscompared);
    let what = if was_false { "was answered false" } else { "had no answer and was given up" };
    let because = format!(
        "One atomic test and set {what}; within seconds the host reset the device, and {count} other \
         commands ended with H:0x8. Those are victims, not causes."
    );
    let mut lines = vec![trigger];
    lines.extend(own.iter().copied().take(3));
    let proof = Proof::new(Confidence::Likely, because, lines)
        .and_collect("Why the first one was late: the array's latency in that minute, esxtop of the host, the path's error counters.");
    let at_once = victims.iter().take(FIRST).any(|victim| {
        same_host(trigger, victim) && before(trigger, victim) && near(trigger, victim, AT_ONCE_US)
    });
    if let Some(reset) = reset_by_another_clock(case, trigger, &victims) {
        let by = case.text(reset.host).unwrap_or("another host");
        return Judgement::Met(proof.but(&format!(
            "But {by} reset this device too, whole quarter hours away by its own clock: if that clock is of another zone, its reset is behind this one."
        )));
    }
    if let Some(shared) = late_elsewhere(case, trigger, &own) {
        let what = if shared.device == trigger.device {
            "the same device by another host"
        } else {
            "another device"
        };
        return Judgement::Met(proof.but(&format!(
            "But a command to {what} had been given up before that reset, too: something that both have in common was late, and this atomic test and set was only among the first."
        )));
    }
    if fails_behind(case, &own) {
        return Judgement::Met(proof.but(
            "But the array itself said in the same seconds that it fails or is not ready: what breaks down in it shows late, and may be why the first one had no answer.",
        ));
    }
    Judgement::Met(if was_false && !at_once {
        proof.but("But a test that was false is over, and seconds went by before the reset: it may be for another reason.")
    } else {
        proof
    })
}

/// A command of another host, or to another device that hosts share, that nobody answered either, given up before the first victim.
fn late_elsewhere<'a>(case: &Case<'a>, trigger: &Fact, victims: &[&Fact]) -> Option<&'a Fact> {
    let victim = victims.iter().copied().find(|victim| before(trigger, victim))?;
    case.scene.facts.iter().find(|fact| {
        let is_elsewhere =
            fact.device.is_some() && fact.device != trigger.device || !same_host(fact, trigger);
        is_elsewhere
            && command(fact).is_some_and(|command| command.unanswered() && !was_reset(command))
            && before(fact, victim)
            && near(fact, victim, STORM_WITHIN_US)
            && fact.device.is_none_or(|device| !is_of_one_host(case, device))
    })
}

/// Whether the array says of itself, within seconds behind the storm, that it fails inside or is not ready.
fn fails_behind(case: &Case<'_>, victims: &[&Fact]) -> bool {
    let fails = case.commands(|command| {
        command.sense.is_some_and(|sense| sense.is_of_the_target() || sense.waits_for_a_person())
    });
    fails.iter().take(FIRST).any(|fact| {
        victims.iter().take(FIRST).any(|victim| before(victim, fact) && near(victim, fact, AT_ONCE_US))
    })
}

/// How long a command to the device took that had begun seconds before an atomic test and set was given up, and was told behind it.
fn stood_still(case: &Case<'_>, trigger: &Fact) -> Option<u64> {
    const LONG_US: u64 = 2_000_000;
    let begun_before = |fact: &Fact, us: u64| {
        let behind = fact.when.zip(trigger.when).and_then(|(told, given_up)| told.since(&given_up));
        let took = i64::try_from(us).unwrap_or(i64::MAX);
        behind.is_some_and(|behind| behind >= 0 && behind < took)
    };
    case.facts().find_map(|fact| match fact.kind {
        Kind::Latency { now_us, .. }
            if now_us >= LONG_US
                && fact.device == trigger.device
                && same_host(fact, trigger)
                && begun_before(fact, now_us) =>
        {
            Some(now_us)
        }
        _ => None,
    })
}

/// Why the commands were lost to a reset, if not for the trigger.
fn another_reason(case: &Case<'_>, trigger: &Fact, victims: &[&Fact]) -> Option<String> {
    if let Some(late) = given_up_too(case, trigger, victims) {
        return Some(format!(
            "{} other command(s) to the device had been given up before the reset, too: it was late for all, and the reset may be for any of them.",
            total(&late)
        ));
    }
    if let Some(us) = stood_still(case, trigger) {
        return Some(format!(
            "The device says behind it that a command took {} s which was under way before that test and set: it stood still, and its commands were given up for that.",
            us / 1_000_000
        ));
    }
    if command(trigger).is_some_and(Command::miscompared) && case.is_a_plain_race() {
        return Some(
            "The atomic test and set before the reset was false because another host, which lives, holds the lock: nobody resets a device for that.".to_owned(),
        );
    }
    if let Some(broken) = broke_down(case, trigger, victims) {
        let what = match broken.kind {
            Kind::AdapterFault => "its adapter failed",
            Kind::Task { .. } => "its adapter or target was reset",
            _ => "a link or a session was lost",
        };
        return Some(format!(
            "Between the atomic test and set and the commands that were lost, the host says, {what}: that ends commands, too."
        ));
    }
    let by_a_guest = case.all(|fact| is_a_guests_reset(fact) && !before(fact, trigger));
    if let Some(victim) = victims.first()
        && by_a_guest.iter().any(|reset| !before(victim, reset))
    {
        return Some(
            "A guest reset its own disk in between: what ended with H:0x8 after that may be its commands."
                .to_owned(),
        );
    }
    let ordered = case.all(|fact| is_anothers_reset(trigger, fact));
    if let Some(reset) =
        ordered.iter().find(|reset| victims.first().is_none_or(|victim| !before(victim, reset)))
    {
        let by = case.text(reset.host).map_or_else(String::new, |host| format!(" on {host}"));
        return Some(format!(
            "A reset of the device was ordered{by} between the atomic test and set and the commands that were lost: it stands nearer to them."
        ));
    }
    None
}

/// What broke down on the same host between a trigger and the first command that was lost behind it: a link, a session, an adapter.
fn broke_down<'a>(case: &Case<'a>, trigger: &Fact, victims: &[&Fact]) -> Option<&'a Fact> {
    let victim = victims.iter().copied().find(|victim| before(trigger, victim))?;
    let is_broken = |fact: &Fact| match fact.kind {
        Kind::AdapterFault | Kind::Path(PathEvent::LinkDown | PathEvent::SessionLost) => true,
        // A reset of a device that does not help is followed by wider ones; one that nothing was late for is the adapter's own.
        Kind::Task { task: TaskKind::WiderReset, .. } => command(trigger).is_some_and(Command::miscompared),
        _ => false,
    };
    case.facts().find(|fact| {
        is_broken(fact) && same_host(fact, trigger) && before(trigger, fact) && !before(victim, fact)
    })
}

/// Other commands of that host that ran out of their time before the first victim. What ends in the very second of the reset goes with it.
fn given_up_too<'a>(case: &Case<'a>, trigger: &Fact, victims: &[&Fact]) -> Option<Vec<&'a Fact>> {
    let victim = victims.iter().copied().find(|victim| before(trigger, victim))?;
    let late = case.all(|fact| {
        command(fact).is_some_and(|command| !command.is_ats() && command.unanswered() && !was_reset(command))
            && same_host(fact, trigger)
            && fact.device == trigger.device
            && before(fact, victim)
            && near(fact, victim, STORM_WITHIN_US)
            && (before(fact, trigger) || !near(fact, victim, RESET_TAKES_US))
    });
    (!late.is_empty()).then_some(late)
}

/// A reset that this host's own error handling did not make: somebody ordered it, or another host sent it, after the trigger.
fn is_anothers_reset(trigger: &Fact, fact: &Fact) -> bool {
    let Kind::Task { task: TaskKind::DeviceReset | TaskKind::WiderReset, outcome } = fact.kind else {
        return false;
    };
    let elsewhere = fact.host.is_some() && trigger.host.is_some() && fact.host != trigger.host;
    (elsewhere || outcome == TaskOutcome::Ordered)
        && !before(fact, trigger)
        && near(trigger, fact, STORM_WITHIN_US)
}

/// A reset of the same device on another host, as many whole quarter hours away as clocks of two zones are, whose storm this may be.
fn reset_by_another_clock<'a>(case: &Case<'a>, trigger: &Fact, victims: &[&Fact]) -> Option<&'a Fact> {
    const QUARTER_HOUR_US: i64 = 900_000_000;
    const ZONES_US: i64 = 26 * 4 * QUARTER_HOUR_US;
    let began = victims.iter().find(|victim| before(trigger, victim))?.when?;
    case.scene.facts.iter().find(|fact| {
        let is_reset = matches!(fact.kind, Kind::Task { task: TaskKind::DeviceReset, .. })
            && fact.device == trigger.device;
        let elsewhere = fact.host.is_some() && trigger.host.is_some() && fact.host != trigger.host;
        let apart = fact.when.and_then(|when| began.since(&when)).filter(|_| is_reset && elsewhere);
        apart.is_some_and(|apart| {
            let off = (apart + AT_ONCE_US).rem_euclid(QUARTER_HOUR_US);
            apart.abs() <= ZONES_US && apart.abs() > STORM_WITHIN_US && off <= 2 * AT_ONCE_US
        })
    })
}

/// A guest asked for a reset of its disk, which the host carries out as aborts of that guest's commands.
fn is_a_guests_reset(fact: &Fact) -> bool {
    const ADAPTERS: [&str; 3] = ["VSCSI", " LSI: ", "BusLogic: "];
    matches!(fact.kind, Kind::Task { task: TaskKind::VirtualReset, .. })
        && ADAPTERS.iter().any(|adapter| fact.text.contains(adapter))
}
