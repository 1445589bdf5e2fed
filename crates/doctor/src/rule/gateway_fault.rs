//! `gateway-fault`: gateways fight over the lock of one image, or one shuts down with commands in flight.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, JUST_BEFORE_US, total};
use super::{Confidence, Judgement, Proof};
use crate::fact::{Fact, GatewayStep, InputId, Kind};
use crate::names::Name;
use crate::scene::near;
use crate::subject;

/// A failover takes the lock once; a fight takes it again and again.
const TURNS_MIN: usize = 3;
/// A gateway that has the lock back so soon after it lost it has another beside it that wants it, too: a failover leaves the lock where it went.
const BACK_WITHIN_US: i64 = 10_000_000;
/// A storage that is gone is gone for every command.
const FAILURES_MIN: u64 = 3;

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let of = |wanted: &[GatewayStep]| {
        case.all(|fact| matches!(&fact.kind, Kind::Gateway(step) if wanted.contains(step)))
    };
    let lock = of(&[GatewayStep::LockAcquired, GatewayStep::LockLost]);
    let turns = turns(&lock);
    if turns >= TURNS_MIN {
        let because = format!(
            "The image's exclusive lock changed hands {turns} times, each soon after the last: the gateways take it from one \
             another. The commands of the hosts wait for it in between."
        );
        // One gateway's own log shows a lock that comes and goes, not who takes it.
        let gateways: BTreeSet<_> = lock.iter().map(|fact| (fact.host, fact.place.input)).collect();
        // tcmu-runner gives a lock up only to another who takes it; whoever maps an image to work on it leaves it when that is done.
        let is_taken = lock.iter().any(|fact| fact.text.contains("tcmu"));
        // Which LUN the image is exported as, no line says, and a gateway nearly always serves several.
        let of_a_device = !case.incident.devices.is_empty();
        let confidence = match (gateways.len() > 1, is_taken) {
            (true, _) if !of_a_device => Confidence::Certain,
            (true, _) | (false, true) => Confidence::Likely,
            (false, false) => Confidence::Possible,
        };
        let lines = lock.into_iter().take(6).collect();
        return Judgement::Met(Proof::new(confidence, because, lines).and_collect(POLICY));
    }
    if let Some(lines) = won_back(case.facts()) {
        let because = "The gateway had the image's exclusive lock, lost it and took it back within seconds: another gateway wanted it meanwhile, most likely for a command that came over \
                       it. Once is little; where it goes on, both serve hosts by turns.";
        return Judgement::Met(Proof::new(Confidence::Possible, because, lines.to_vec()).and_collect(POLICY));
    }
    let down = of(&[GatewayStep::Shutdown, GatewayStep::Blocklisted]);
    let cut_off = case.commands(|command| {
        command.sense.is_some_and(|sense| (sense.key, sense.code, sense.qualifier) == (2, 8, 0))
    });
    if down.is_empty() && total(&cut_off) >= FAILURES_MIN {
        let because = format!(
            "The device itself answered {} times that it cannot reach what is behind it (sense 0x2 0x8 0x0): a gateway or a controller without \
             its storage.",
            total(&cut_off)
        );
        let proof = Proof::new(Confidence::Possible, because, cut_off);
        return Judgement::Met(proof.and_collect(
            "The log of the gateway or controller in that minute: what does it say of its own storage?",
        ));
    }
    if down.is_empty() {
        return if lock.is_empty() {
            Judgement::Silent
        } else {
            Judgement::Aside(
                "The gateway's lock changed hands once or twice: a failover, not a fight.".to_owned(),
            )
        };
    }
    let suffering = !case.followed_by(&down, &case.stakes(), JUST_BEFORE_US).is_empty();
    let confidence = if suffering { Confidence::Likely } else { Confidence::Possible };
    let because = "The gateway was shutting down, or was shut out by its storage, with commands in flight.";
    Judgement::Met(Proof::new(confidence, because, down))
}

const POLICY: &str =
    "The hosts' multipath policy for this LUN: active/passive (failover), or round robin over both gateways?";

/// The lines by which one gateway had the lock of an image, lost it and took it back at once, as tcmu-runner tells it: who maps an image only to work on
/// it takes and leaves its lock as often as there is work.
pub fn won_back<'a>(facts: impl Iterator<Item = &'a Fact>) -> Option<[&'a Fact; 3]> {
    /// An image, and the host and the log of the gateway that serves it.
    type Gateway<'a> = (&'a str, Option<Name>, InputId);
    let mut last: BTreeMap<Gateway<'_>, [Option<&Fact>; 2]> = BTreeMap::new();
    for fact in facts {
        let Kind::Gateway(step) = &fact.kind else { continue };
        if !fact.text.contains("tcmu") {
            continue;
        }
        let gateway = (subject::image(&fact.text), fact.host, fact.place.input);
        let [had, lost] = last.entry(gateway).or_default();
        match (step, *had, *lost) {
            (GatewayStep::LockAcquired, Some(had), Some(lost)) if near(lost, fact, BACK_WITHIN_US) => {
                return Some([had, lost, fact]);
            }
            (GatewayStep::LockAcquired, ..) => (*had, *lost) = (Some(fact), None),
            (GatewayStep::LockLost, Some(held), _) if near(held, fact, JUST_BEFORE_US) => *lost = Some(fact),
            _ => (*had, *lost) = (None, None),
        }
    }
    None
}

/// How many times one image's lock went from held to lost or back, quickly: of the image with the most. A failover moves the locks of many
/// images once each.
fn turns(lock: &[&Fact]) -> usize {
    let mut images: BTreeMap<&str, (&Fact, usize)> = BTreeMap::new();
    for &fact in lock {
        let (last, turns) = images.entry(subject::image(&fact.text)).or_insert((fact, 0));
        if last.kind != fact.kind && near(last, fact, JUST_BEFORE_US) {
            *turns += 1;
        }
        *last = fact;
    }
    images.values().map(|(_, turns)| *turns).max().unwrap_or(0)
}
