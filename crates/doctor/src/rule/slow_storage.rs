//! `slow-storage`: the device, or what is behind it, was far slower than usual.

use super::case::{Case, FIRST, JUST_BEFORE_US, Record, command, total};
use super::local::{lie_in_the_host, may_be_local};
use super::order::is_harm;
use super::path_fault::is_of_a_network;
use super::{Confidence, Judgement, Proof, answered, words};
use crate::fact::{
    ClusterStep, Command, Fact, HeartbeatStep, Kind, Notice, PathEvent, TargetStep, TaskKind, TaskOutcome,
};
use crate::incident::SLOW_US;
use crate::scene::{before, near, same_host};

/// What strikes all devices strikes them within this.
const AT_ONCE_US: i64 = 2_000_000;
/// So many times the usual is far slower.
const TIMES: u64 = 4;
/// DAVG over this is slow [common practice: 20 to 25 ms].
const DEVICE_MS: f64 = 25.0;
/// So many corrected errors of memory are a row.
const MEMORY_ERRORS_MIN: u64 = 2;
/// One connection may be lost for a reason of its own.
const SESSIONS_MIN: u64 = 2;
/// One sample is a moment.
const SAMPLES_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let told = in_latencies(case)
        .or_else(|| in_samples(case))
        .or_else(|| at_the_target(case))
        .or_else(|| as_guests_see_it(case));
    told.unwrap_or_else(|| renewals(case))
}

/// The time of single commands, as the host noticed it.
fn in_latencies<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let spikes = case.all(is_spike);
    let worst = spikes.iter().map(|fact| latency(fact)).max()? / 1_000;
    let stakes = case.stakes();
    let is_harmed = stakes.iter().any(|stake| is_harm(stake));
    let fast = case.all(is_fast);
    let is_explained =
        |stake: &&Fact| !was_over_before(&spikes, &fast, stake) && !came_long_after(case, &spikes, stake);
    let explained: Vec<&Fact> = stakes.iter().copied().take(FIRST).filter(is_explained).collect();
    let hit = !case.followed_by(&spikes, &explained, JUST_BEFORE_US).is_empty();
    let told = if !hit && is_harmed {
        "What went wrong with the heartbeat or the atomic test and set was written before that, or long after it, or after the host had said that the device was fast again, or by another host: this is not shown to be why."
            .to_owned()
    } else if hit {
        let why = match case.record() {
            Record::Slot => {
                " It is about the host's own heartbeat slot: the slowness alone does it, no other host is needed."
            }
            Record::Lock => {
                " It is about a lock record: the longer the way to the disk, the sooner another host is first."
            }
            Record::Both | Record::Unknown => "",
        };
        format!("A heartbeat or an atomic test and set went wrong within a minute.{why}")
    } else {
        "No false answer is among these lines: one may follow.".to_owned()
    };
    let because = format!("The device took up to {worst} ms for a command, many times its usual. {told}");
    let doubts = doubts(case, &spikes, hit);
    let alone = lie_in_the_host(case);
    // Nobody waits for a stick, a disc or a disk of one host but that host.
    let is_shown = !(case.is_a_plain_race() || is_harmed && !hit || alone && !is_harmed);
    let confidence = if is_shown { Confidence::Likely } else { Confidence::Possible };
    let lines = spikes.into_iter().take(4).chain(stakes.into_iter().take(4)).collect();
    let proof = doubts.into_iter().fold(Proof::new(confidence, because, lines), Proof::but);
    Some(Judgement::Met(if alone {
        proof.in_words(&words::SLOW_LOCAL).and_collect(LOCAL_NEXT)
    } else {
        proof.and_collect(NEXT)
    }))
}

/// What else may have taken the time that a host measured.
fn doubts(case: &Case<'_>, spikes: &[&Fact], hit: bool) -> Vec<&'static str> {
    // A host that does not run for a while measures its own pause.
    let pauses = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::Paused));
    // One error of memory that was corrected stops nobody; a row of them does.
    let stuck = !case.all(|fact| fact.kind == Kind::Notice(Notice::ProcessorStuck)).is_empty();
    let paused = stuck
        || pauses.iter().any(|fact| !fact.text.contains("MCA: "))
        || total(&pauses) >= MEMORY_ERRORS_MIN;
    let of_the_host = spikes.iter().take(FIRST).all(|spike| strikes_a_local_disk(case, spike));
    let over = !hit && is_over_at_once(case, spikes);
    let of_the_way = sessions_lost_behind(case, spikes) >= SESSIONS_MIN;
    let told = [
        (
            paused,
            "But the host itself did not run all the time, by its own account (memory errors, a processor that answered nothing, or a process that was not scheduled): then it measures its own pauses as the \
             device's.",
        ),
        (
            of_the_host,
            "But a disk in the host's own case was as slow in the same moment: what strikes that and the array alike is of the host, which stood still or was overloaded.",
        ),
        (
            over,
            "But it was one command, and the next ones were fast again within seconds: a disk that had been idle does that, too.",
        ),
        (
            of_the_way,
            "But connections to the storage were lost within a minute behind it. A host measures through the wire: whether the disk was slow or the network between them, these \
             lines do not tell.",
        ),
    ];
    told.into_iter().filter(|(holds, _)| *holds).map(|(_, why)| why).collect()
}

/// How many connections over a network the host lost within a minute behind slow commands.
fn sessions_lost_behind(case: &Case<'_>, spikes: &[&Fact]) -> u64 {
    let is_behind = |fact: &Fact| {
        fact.kind == Kind::Path(PathEvent::SessionLost)
            && is_of_a_network(fact)
            && spikes.iter().take(FIRST).any(|spike| {
                same_host(spike, fact) && before(spike, fact) && near(spike, fact, JUST_BEFORE_US)
            })
    };
    total(&case.all(is_behind))
}

/// The time in the device, as the host's samples have it.
fn in_samples<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let slow = case.all(
        |fact| matches!(&fact.kind, Kind::Queue(queue) if queue.device_ms.is_some_and(|ms| ms > DEVICE_MS)),
    );
    if total(&slow) < SAMPLES_MIN {
        return None;
    }
    // One command in some seconds is no load, and its time no average.
    let idle =
        slow.iter().all(|fact| matches!(&fact.kind, Kind::Queue(queue) if queue.is_of_an_idle_device()));
    let (confidence, because) = if idle {
        (
            Confidence::Possible,
            "The host's samples show a time in the device (DAVG) far over normal; but less than one command a second was sent, and so few are no average.",
        )
    } else if case.has_local_disks_alone() {
        (
            Confidence::Possible,
            "The host's samples show a time in the device (DAVG) far over normal for shared storage; but it is a device in this host's own case, and there are tapes, sticks and \
                 single disks that are no faster.",
        )
    } else {
        (
            Confidence::Likely,
            "The host's samples show a time in the device (DAVG) far over normal, again and again.",
        )
    };
    Some(Judgement::Met(Proof::new(confidence, because, slow).and_collect(NEXT)))
}

/// A table that has only the sum of the device's time and the host's.
fn as_guests_see_it<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let is_slow = |fact: &Fact| matches!(&fact.kind, Kind::Queue(queue) if queue.device_ms.is_none() && queue.guest_ms.is_some_and(|ms| ms > DEVICE_MS));
    let slow = case.all(is_slow);
    let because = "The time until guests have their answers (GAVG) is far over normal, again and again. It is the sum of the time in the device and of that in the \
                   host's kernel and queue; these columns do not tell which of the two is long.";
    (total(&slow) >= SAMPLES_MIN).then(|| {
        let proof = Proof::new(Confidence::Possible, because, slow);
        Judgement::Met(
            proof.and_collect("The same minutes with DAVG, KAVG and QUED: `esxtop -b -a`.").and_collect(NEXT),
        )
    })
}

const NEXT: &str = "The array's latency for this LUN in that minute, its jobs (backup, replication, scrub, rebuild), and the maximum, not the average, of \
                    the host's figures.";

const LOCAL_NEXT: &str = "Which disk, stick or drive it is (`esxcli storage core device list -d DEVICE`), what is kept on it, and its health (`esxcli storage core device smart get -d DEVICE`).";

/// The target still had the commands in hand that its initiators gave up: they were not lost on the way.
fn at_the_target<'a>(case: &Case<'a>) -> Option<Judgement<'a>> {
    let own = case.all(|fact| fact.kind == Kind::Target(TargetStep::SlowBackend));
    let complete = case
        .all(|fact| fact.kind == Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::AlreadyComplete });
    let found = case.all(|fact| {
        matches!(fact.kind, Kind::Task { task: TaskKind::Abort, outcome: TaskOutcome::Done })
            && is_target(fact)
    });
    if own.is_empty() && complete.is_empty() {
        return None;
    }
    // A task that is not there was executed, or never arrived: only a target that says which proves that nothing was lost on the way.
    let told = complete.iter().any(|fact| fact.text.contains("already complete"));
    if own.is_empty() && !told {
        let because = "Initiators gave commands up that the target did not have any more when the abort came. Either it had just answered them, too \
                       late, or they or their answers were lost on the way; these lines do not tell which.";
        let lines = complete.into_iter().chain(found).take(8).collect();
        return Some(Judgement::Met(Proof::new(Confidence::Possible, because, lines).and_collect(NEXT)));
    }
    let because = if complete.is_empty() {
        "The target itself says that its backend is slow or timed out.".to_owned()
    } else {
        format!(
            "Initiators gave up {} command(s) that the target still had, or had just completed: they were not lost on the way, the target \
             was too slow. What was complete when it was aborted has had its effect; an atomic test and set among them will meet its own \
             image when it is tried again.",
            total(&complete) + total(&found)
        )
    };
    let lost = case.all(|fact| {
        let of_the_way = matches!(
            fact.kind,
            Kind::Path(PathEvent::NetworkLink | PathEvent::LinkDown | PathEvent::SessionLost)
                | Kind::Target(TargetStep::SessionLost)
        );
        of_the_way && complete.iter().any(|done| same_host(done, fact) && near(done, fact, JUST_BEFORE_US))
    });
    let told_by_itself = !own.is_empty();
    let answered = !told_by_itself && answered::was_lost_on_the_way(case, &complete);
    let lines = own.into_iter().chain(complete).chain(found).take(8);
    let proof = Proof::new(Confidence::Likely, because, lines.chain(lost.iter().copied().take(2)).collect())
        .and_collect(NEXT);
    Some(Judgement::Met(if answered {
        proof.but("But the target had answered a test in time, before that abort, and no host has that answer: it was lost on the way, not late.")
    } else if told_by_itself || lost.is_empty() {
        proof
    } else {
        proof.but("But the target lost a link or a session in the same minute: answers that it had given may have been lost on the way.")
    }))
}

/// Lock managers on plain reads and writes renew their leases on time, unless the device is slow.
fn renewals<'a>(case: &Case<'a>) -> Judgement<'a> {
    let late = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::RenewalLate));
    let of_path = case
        .all(|fact| matches!(fact.kind, Kind::Path(event) if event.is_loss() || event.is_of_the_device()));
    let planned = case.all(|fact| fact.kind == Kind::Cluster(ClusterStep::FencePlanned));
    match (late.is_empty(), of_path.is_empty()) {
        (true, _) => Judgement::Silent,
        (false, _) if !planned.is_empty() => Judgement::Aside(
            "Leases were renewed late; but a cluster decided to fence a host, which comes first.".to_owned(),
        ),
        (false, false) => Judgement::Aside(
            "Leases were renewed late, but a path or the device itself was lost at that time.".to_owned(),
        ),
        (false, true) => {
            let because = "A lock manager could not renew its lease in its time, and no path was lost: its reads or writes took too long.";
            Judgement::Met(Proof::new(Confidence::Possible, because, late).and_collect(NEXT))
        }
    }
}

/// Access is lost after 16 seconds without a heartbeat (KB320840): so long a late answer may be met.
const LATE_US: i64 = 16_000_000;

/// Whether an atomic test and set or a heartbeat came back as false: somebody compared it, and it waited for nothing then.
fn is_false(stake: &Fact) -> bool {
    match &stake.kind {
        Kind::Command(command) => command.miscompared(),
        Kind::Heartbeat(heartbeat) => heartbeat.step == HeartbeatStep::Miscompare,
        _ => false,
    }
}

/// Whether a false answer came later than any answer that a slow command before it can have left behind: neither the slowness was told within that time, nor a
/// command given up that the slowness held back.
fn came_long_after(case: &Case<'_>, spikes: &[&Fact], stake: &Fact) -> bool {
    let is_near = |fact: &Fact, within: i64| {
        spikes.iter().take(FIRST).any(|spike| same_host(spike, fact) && near(spike, fact, within))
    };
    let held_back = |fact: &Fact| {
        command(fact).is_some_and(Command::unanswered)
            && same_host(fact, stake)
            && near(fact, stake, LATE_US)
            && is_near(fact, JUST_BEFORE_US)
    };
    is_false(stake) && !is_near(stake, LATE_US) && !case.facts().any(held_back)
}

/// Whether a false answer came when the host had said for a while that the device was fast again. A command that had no answer may have been lost before that,
/// and is told when its time runs out.
fn was_over_before(spikes: &[&Fact], fast: &[&Fact], stake: &Fact) -> bool {
    let of_it =
        |fact: &&&Fact| same_host(fact, stake) && !before(stake, fact) && near(fact, stake, JUST_BEFORE_US);
    let Some(last) = spikes.iter().take(FIRST).rfind(of_it).filter(|_| is_false(stake)) else { return false };
    fast.iter().take(FIRST).any(|fact| {
        fact.device == last.device
            && same_host(fact, last)
            && before(last, fact)
            && before(fact, stake)
            && !near(fact, stake, LATE_US)
    })
}

/// Whether one spike is all there is, and the host itself says within seconds that the device is not slow any more.
fn is_over_at_once(case: &Case<'_>, spikes: &[&Fact]) -> bool {
    const SECONDS_US: i64 = 5_000_000;
    let [spike] = spikes else { return false };
    let is_fast = |fact: &Fact| matches!(fact.kind, Kind::Latency { now_us, .. } if now_us < SLOW_US);
    spike.count == 1
        && case.facts().any(|fact| {
            is_fast(fact)
                && fact.device == spike.device
                && same_host(fact, spike)
                && before(spike, fact)
                && near(spike, fact, SECONDS_US)
        })
}

/// Whether a local disk and one that is none, of the same host, took about as long in the same moment.
fn strikes_a_local_disk(case: &Case<'_>, spike: &Fact) -> bool {
    let long = latency(spike);
    let is_local = |fact: &Fact| fact.device.is_some_and(|device| may_be_local(case, device));
    case.scene.facts.iter().any(|fact| {
        is_spike(fact)
            && fact.device != spike.device
            && same_host(fact, spike)
            && near(fact, spike, AT_ONCE_US)
            && latency(fact) >= long / 2
            && long >= latency(fact) / 2
            && is_local(fact) != is_local(spike)
    })
}

fn is_target(fact: &Fact) -> bool {
    fact.text.contains("ABORT_TASK")
}

fn latency(fact: &Fact) -> u64 {
    match fact.kind {
        Kind::Latency { now_us, .. } => now_us,
        _ => 0,
    }
}

/// A device of which the host says that it answers as quickly again as one under load does.
fn is_fast(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Latency { now_us, .. } if now_us < SLOW_US / 4)
}

fn is_spike(fact: &Fact) -> bool {
    let Kind::Latency { usual_us, now_us } = fact.kind else { return false };
    now_us >= SLOW_US && usual_us.is_none_or(|usual| now_us >= usual.saturating_mul(TIMES))
}
