//! A case: one incident, with the questions that rules ask of it.

use crate::fact::{
    ClusterStep, Command, Fact, Heartbeat, HeartbeatStep, HostStatus, Kind, Lock, LockStep, PathEvent, Uuid,
};
use crate::incident::Incident;
use crate::names::Name;
use crate::scene::{Scene, before, near, same_host};
use crate::stamp::Stamp;
use crate::text::has;

/// What lies just before: a heartbeat is given up after 8 seconds, and reclaimed or lost within 16 (KB320840); a path
/// takes up to a minute to be called dead.
pub const JUST_BEFORE_US: i64 = 60_000_000;

/// Access is lost after 16 seconds without a heartbeat (KB320840): lines of one record's trouble lie within.
const HEARTBEAT_US: i64 = 16_000_000;

/// So many facts of one kind are compared with so many of another: the first of a storm tell what there is to tell.
pub const FIRST: usize = 1_000;

/// A lock that was not got is told within this of the answer that said so.
const RACE_US: i64 = 1_000_000;

/// So many answers are compared with all locks that were told.
const FEW: usize = 16;

/// What kind of record an ATS was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A heartbeat slot: its host's own.
    Slot,
    /// A lock record: everybody's.
    Lock,
    /// Both are talked about.
    Both,
    /// The lines do not say.
    Unknown,
}

/// One incident before the rules.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The incident.
    pub incident: &'a Incident<'a>,
    /// All that was read, for what lies outside of it.
    pub scene: Scene<'a>,
}

impl<'a> Case<'a> {
    /// When the incident began, where its first line tells.
    #[must_use]
    pub fn when(&self) -> Option<Stamp> {
        self.incident.facts.first().and_then(|fact| fact.when)
    }

    /// The facts of the incident, in the order of time.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &'a Fact> + use<'a> {
        self.incident.facts.iter().copied()
    }

    /// The facts that `chosen` likes.
    pub fn all(&self, chosen: impl Fn(&Fact) -> bool) -> Vec<&'a Fact> {
        self.facts().filter(|fact| chosen(fact)).collect()
    }

    /// The commands of the incident that `chosen` likes.
    pub fn commands(&self, chosen: impl Fn(&Command) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| command(fact).is_some_and(&chosen))
    }

    /// The heartbeats that `chosen` likes.
    pub fn heartbeats(&self, chosen: impl Fn(&Heartbeat) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| matches!(&fact.kind, Kind::Heartbeat(heartbeat) if chosen(heartbeat)))
    }

    /// The locks that `chosen` likes.
    pub fn locks(&self, chosen: impl Fn(&Lock) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| matches!(&fact.kind, Kind::Lock(lock) if chosen(lock)))
    }

    /// ATS that the device answered with false, as hosts saw them.
    #[must_use]
    pub fn miscompares(&self) -> Vec<&'a Fact> {
        self.commands(Command::miscompared)
    }

    /// ATS that nobody answered.
    #[must_use]
    pub fn unanswered_ats(&self) -> Vec<&'a Fact> {
        self.commands(|command| command.is_ats() && command.unanswered())
    }

    /// ATS that failed in any way, and heartbeats and locks in trouble: what a cause must explain to matter.
    #[must_use]
    pub fn stakes(&self) -> Vec<&'a Fact> {
        self.all(|fact| match &fact.kind {
            Kind::Command(command) => command.is_ats(),
            Kind::Heartbeat(heartbeat) => !matches!(
                heartbeat.step,
                HeartbeatStep::Reclaimed | HeartbeatStep::Restored | HeartbeatStep::CleanedUp
            ),
            Kind::Lock(_) => true,
            Kind::Cluster(step) => !matches!(
                step,
                ClusterStep::Healthy
                    | ClusterStep::Busy
                    | ClusterStep::OtherRecord
                    | ClusterStep::Paused
                    | ClusterStep::HeldElsewhere
            ),
            _ => false,
        })
    }

    /// Heartbeats that ran out of time, and volumes that were lost with them: nobody loses these to a race for a file.
    #[must_use]
    pub fn lost_heartbeats(&self) -> Vec<&'a Fact> {
        self.heartbeats(|heartbeat| heartbeat.step.is_a_loss())
    }

    /// Whether the incident is a race for a lock and no more: a living owner is named, no atomic test and set stayed without an
    /// answer, and no volume was lost. What else happened at that time is beside the point.
    #[must_use]
    pub fn is_a_plain_race(&self) -> bool {
        let answers = self.false_answers();
        let raced = || !self.locks(names_an_owner).is_empty() && self.record() == Record::Lock;
        // The line about the lock may stand in another incident, where none ties its volume to this device.
        let beside = || {
            self.scene.facts.iter().any(|fact| {
                matches!(&fact.kind, Kind::Lock(lock) if names_an_owner(lock))
                    && answers
                        .iter()
                        .take(FEW)
                        .any(|answer| same_host(answer, fact) && near(answer, fact, RACE_US))
            })
        };
        // Paths that were gone for a moment are found again, and a test that found no way was sent anew over another.
        let is_outage =
            |fact: &Fact| fact.kind == Kind::Path(PathEvent::AllDown) && has(&fact.text, "imeout");
        let is_quiet = self.unanswered_ats().is_empty()
            && self.all(is_outage).is_empty()
            && self.lost_heartbeats().is_empty();
        is_quiet && (raced() || !answers.is_empty() && beside())
    }

    /// What the incident's ATS were about, as far as the lines around them tell: the first split of every diagnosis.
    #[must_use]
    pub fn record(&self) -> Record {
        let slot = self.heartbeats(|_| true);
        let lock = self.locks(|_| true);
        match (slot.is_empty(), lock.is_empty()) {
            (false, true) => Record::Slot,
            (true, false) => Record::Lock,
            (false, false) => Record::Both,
            (true, true) => Record::Unknown,
        }
    }

    /// What one false or late ATS was about: what its host said of heartbeats and of locks within the time that one heartbeat
    /// has until access is lost.
    #[must_use]
    pub fn record_of(&self, fact: &Fact) -> Record {
        match &fact.kind {
            Kind::Heartbeat(_) => return Record::Slot,
            Kind::Lock(_) => return Record::Lock,
            _ => {}
        }
        let around = |other: &&&Fact| same_host(other, fact) && near(other, fact, HEARTBEAT_US);
        let slot = self.heartbeats(|_| true).iter().take(FIRST).any(|other| around(&other));
        let lock = self.locks(|_| true).iter().take(FIRST).any(|other| around(&other));
        match (slot, lock) {
            (true, false) => Record::Slot,
            (false, true) => Record::Lock,
            (true, true) => Record::Both,
            (false, false) => Record::Unknown,
        }
    }

    /// Whether every false answer of the incident was about a heartbeat slot, as far as the lines tell.
    #[must_use]
    pub fn is_about_slots_alone(&self) -> bool {
        let mut answers = self.false_answers();
        answers.truncate(FIRST);
        !answers.is_empty() && answers.iter().all(|answer| self.record_of(answer) == Record::Slot)
    }

    /// ATS that were false, and heartbeats and locks that say so of themselves.
    #[must_use]
    pub fn false_answers(&self) -> Vec<&'a Fact> {
        self.all(|fact| match &fact.kind {
            Kind::Command(command) => command.miscompared(),
            Kind::Heartbeat(heartbeat) => heartbeat.step == HeartbeatStep::Miscompare,
            Kind::Lock(lock) => lock.step == LockStep::Miscompare,
            _ => false,
        })
    }

    /// Whether two hosts call heartbeats of the same id their own. One host may be named in full and in short.
    #[must_use]
    pub fn shares_its_id(&self) -> bool {
        let short = |name: &'a str| name.split('.').next().unwrap_or(name);
        let mut known: Vec<(Uuid, &str)> = Vec::new();
        for fact in
            self.heartbeats(|heartbeat| heartbeat.step == HeartbeatStep::TimedOut).into_iter().take(FIRST)
        {
            let Kind::Heartbeat(heartbeat) = &fact.kind else { continue };
            let id = heartbeat.slot.and_then(|slot| slot.owner).filter(|id| *id != Uuid::NOBODY);
            let (Some(id), Some(host)) = (id, self.text(fact.host).map(short)) else { continue };
            match known.iter().find(|(other, _)| *other == id) {
                Some((_, name)) if !name.eq_ignore_ascii_case(host) => return true,
                Some(_) => {}
                None => known.push((id, host)),
            }
        }
        false
    }

    /// The facts among `causes` before or at which a stake begins within `window_us`: without one, a cause has no victim.
    #[must_use]
    pub fn followed_by(&self, causes: &[&'a Fact], stakes: &[&Fact], window_us: i64) -> Vec<&'a Fact> {
        let follows = |cause: &&Fact| {
            stakes.iter().take(FIRST).any(|stake| {
                same_host_or_shared(cause, stake) && !before(stake, cause) && near(cause, stake, window_us)
            })
        };
        causes.iter().copied().take(FIRST).filter(|cause| follows(cause)).collect()
    }

    /// The first fact of `others` that stands before `fact`, on the same host, within `window_us`.
    #[must_use]
    pub fn just_before(&self, fact: &Fact, others: &[&'a Fact], window_us: i64) -> Option<&'a Fact> {
        others
            .iter()
            .copied()
            .take(FIRST)
            .find(|other| same_host(other, fact) && before(other, fact) && near(other, fact, window_us))
    }

    /// Whether every device of the incident is a disk that is not on a network.
    #[must_use]
    pub fn has_local_disks_alone(&self) -> bool {
        let devices = &self.incident.devices;
        !devices.is_empty() && devices.iter().all(|&device| super::local::is_a_local_disk(self, device))
    }

    /// Whether the incident names no device, and no volume but those that ESXi's setup makes on a host's own disk.
    #[must_use]
    pub fn is_of_local_volumes_alone(&self) -> bool {
        let volumes = &self.incident.volumes;
        let local = |&volume: &Name| self.scene.names.text(volume).starts_with("datastore1");
        self.incident.devices.is_empty() && !volumes.is_empty() && volumes.iter().all(local)
    }

    /// The text of a name.
    #[must_use]
    pub fn text(&self, name: Option<Name>) -> Option<&'a str> {
        name.map(|name| self.scene.names.text(name))
    }
}

/// Whether a lock is held by somebody who is named and lives.
fn names_an_owner(lock: &Lock) -> bool {
    lock.step == LockStep::NotFree && lock.record.is_some_and(|lock| lock.owner.is_some())
}

/// The command of a fact.
#[must_use]
pub fn command(fact: &Fact) -> Option<&Command> {
    match &fact.kind {
        Kind::Command(command) => Some(command),
        _ => None,
    }
}

/// Whether a command was lost to a reset.
#[must_use]
pub fn was_reset(command: &Command) -> bool {
    command.host == Some(HostStatus::RESET)
}

/// Whether a fact says that the device itself is gone, and not the way to it: the array answers that there is no such logical
/// unit (5/25/0), or the host took a disk out of use.
#[must_use]
pub fn says_device_gone(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Path(event) => event.is_of_the_device(),
        Kind::Command(command) => command.says_no_such_unit(),
        _ => false,
    }
}

/// How many occurrences these facts stand for.
#[must_use]
pub fn total(facts: &[&Fact]) -> u64 {
    facts.iter().map(|fact| fact.count).fold(0, u64::saturating_add)
}

/// Whether a cause can have that victim: of one host, or of what hosts share.
fn same_host_or_shared(cause: &Fact, stake: &Fact) -> bool {
    same_host(cause, stake) || is_shared(cause)
}

/// Whether a fact is of what hosts share.
#[must_use]
pub fn is_shared(fact: &Fact) -> bool {
    matches!(fact.kind, Kind::Target(_) | Kind::Gateway(_) | Kind::Fabric(_) | Kind::Task { .. })
}
