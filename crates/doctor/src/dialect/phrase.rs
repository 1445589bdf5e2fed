//! Phrase books: dialects whose lines each say one thing by a fixed phrase. The phrase is data; what the line is about is
//! found wherever it stands.

use super::{Dialect, Reading};
use crate::fact::{
    ClusterStep, FabricEvent, GatewayStep, Heartbeat, HeartbeatStep, Kind, Lock, LockStep, PathEvent,
    SpaceEvent, Support, TargetStep, TaskKind, TaskOutcome,
};
use crate::ledger::{Draft, Ledger};
use crate::record::Record;
use crate::subject;
use crate::text::{after, decimal};

/// What a phrase means.
#[derive(Clone, Copy, Debug)]
pub enum Means {
    /// An abort or a reset.
    Task(TaskKind, TaskOutcome),
    /// A path, a port or a session.
    Path(PathEvent),
    /// The fabric.
    Fabric(FabricEvent),
    /// A heartbeat, whose slot is not printed.
    Heartbeat(HeartbeatStep),
    /// A lock, whose record is not printed.
    Lock(LockStep),
    /// A target.
    Target(TargetStep),
    /// A gateway.
    Gateway(GatewayStep),
    /// Space.
    Space(SpaceEvent),
    /// Support of ATS.
    Support(Support),
    /// Another lock manager.
    Cluster(ClusterStep),
    /// Conflicts of reservations.
    Reservation,
    /// A copy.
    Snapshot,
    /// Medium or hardware.
    Medium,
    /// Adapter or driver.
    Adapter,
    /// The host started, stopped or crashed.
    Restart,
    /// Nothing: known, and of no consequence.
    Nothing,
}

impl Means {
    fn kind(self) -> Option<Kind> {
        Some(match self {
            Means::Task(task, outcome) => Kind::Task { task, outcome },
            Means::Path(event) => Kind::Path(event),
            Means::Fabric(event) => Kind::Fabric(event),
            Means::Heartbeat(step) => Kind::Heartbeat(Box::new(Heartbeat { step, slot: None, wanted: None })),
            Means::Lock(step) => Kind::Lock(Box::new(Lock { step, record: None })),
            Means::Target(step) => Kind::Target(step),
            Means::Gateway(step) => Kind::Gateway(step),
            Means::Space(event) => Kind::Space(event),
            Means::Support(support) => Kind::Support(support),
            Means::Cluster(step) => Kind::Cluster(step),
            Means::Reservation => Kind::ReservationConflicts,
            Means::Snapshot => Kind::Snapshot,
            Means::Medium => Kind::Medium,
            Means::Adapter => Kind::AdapterFault,
            Means::Restart => Kind::Restart,
            Means::Nothing => return None,
        })
    }
}

/// A phrase: what the line holds, what else it must hold, and what that means.
#[derive(Clone, Copy, Debug)]
pub struct Phrase {
    /// The words, as they are spelt.
    pub says: &'static str,
    /// Further words, in any place.
    pub and: &'static [&'static str],
    /// What it means.
    pub means: Means,
}

/// A phrase that needs nothing else.
pub const fn phrase(says: &'static str, means: Means) -> Phrase {
    Phrase { says, and: &[], means }
}

/// A phrase that means this only beside other words.
pub const fn beside(says: &'static str, and: &'static [&'static str], means: Means) -> Phrase {
    Phrase { says, and, means }
}

/// A dialect of phrases; the first that fits counts.
#[derive(Clone, Copy, Debug)]
pub struct PhraseBook {
    /// Its name.
    pub name: &'static str,
    /// Its phrases.
    pub phrases: &'static [Phrase],
}

impl Dialect for PhraseBook {
    fn name(&self) -> &'static str {
        self.name
    }

    fn words(&self) -> Vec<&'static str> {
        self.phrases.iter().map(|phrase| phrase.says).collect()
    }

    fn read(&mut self, record: &Record<'_>, ledger: &mut Ledger) -> Reading {
        let line = record.line;
        let fits = |phrase: &&Phrase| {
            line.contains(phrase.says) && phrase.and.iter().all(|word| line.contains(word))
        };
        let Some(phrase) = self.phrases.iter().find(fits) else { return Reading::Stranger };
        if let Some(kind) = phrase.means.kind() {
            let about = subject::find(record.body());
            let count = occurrences(line);
            let draft = Draft {
                device: about.device,
                path: about.path,
                volume: about.volume,
                count,
                ..Draft::of(kind)
            };
            ledger.note(record, draft);
        }
        Reading::UNDERSTOOD
    }
}

/// `231 events have occurred since last report`, `repeated 5 times`.
fn occurrences(line: &str) -> u64 {
    let events =
        line.find(" events have occurred").and_then(|end| line[..end].rsplit(' ').next()).and_then(decimal);
    let repeated = || after(line, "repeated ").and_then(decimal).filter(|_| line.contains(" times"));
    events.or_else(repeated).unwrap_or(1).max(1)
}
