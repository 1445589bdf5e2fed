//! What one line tells for all the others, whenever it was written: which device carries which volume, by which id a host calls itself,
//! and whether any device says that it has atomic test and set.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use crate::drivers::Drivers;
use crate::fact::{Fact, HeartbeatStep, InputId, Kind, LockRecord, SlotImage, Support, Uuid, VolumeEvent};
use crate::names::Name;
use crate::ports::Ports;
use crate::stamp::Stamp;
use crate::text::{after, decimal};

/// Who speaks: a host; where none is named, whoever wrote that place.
type Voice = (Option<Name>, u64);

/// What lines of any time tell. Made once: every incident asks.
#[derive(Debug, Default)]
pub struct Knowledge {
    carriers: HashMap<Name, BTreeSet<Name>>,
    carried: HashMap<Name, BTreeSet<Name>>,
    /// The first and the last time that a line tied a volume to a device.
    tied: HashMap<(Name, Name), (Stamp, Stamp)>,
    /// Where volumes were made, and when: their labels meant another before.
    made: HashMap<Name, Vec<(Stamp, Name)>>,
    own_ids: HashSet<(Option<Name>, Uuid)>,
    /// The slots in which hosts wait for their own heartbeats: the volume and the offset in it.
    own_slots: HashSet<(Voice, Name, u64)>,
    one_supports: bool,
    /// The paths by which each device was named.
    paths: HashMap<Name, BTreeSet<Name>>,
    /// Paths and adapters of which a driver of a fabric or a network speaks.
    fabric: BTreeSet<Name>,
    /// Where in the facts heartbeats came back.
    recoveries: Vec<usize>,
    /// Slots that whoever cleaned up behind a dead host marked or cleared: the volume, the slot, and when.
    dead: Vec<(Name, SlotImage, Stamp)>,
    /// Which driver is behind which of Linux's SCSI hosts.
    pub(crate) drivers: Drivers,
    /// The ports of arrays behind the adapters of hosts.
    pub(crate) ports: Ports,
    /// Inputs whose lines stand newest first.
    pub(crate) newest_first: BTreeSet<InputId>,
}

/// Slots of dead hosts that are remembered.
const DEAD_MAX: usize = 1_000;
/// Drivers of adapters that lead out of the host.
const FABRIC_DRIVERS: [&str; 7] = ["lpfc", "qlnativefc", "qla2xxx", "fnic", "qedf", "bnx2fc", "iscsi"];

impl Knowledge {
    /// What these facts tell.
    #[must_use]
    pub fn of(facts: &[Fact]) -> Knowledge {
        let mut knowledge = Knowledge::default();
        for (at, fact) in facts.iter().enumerate() {
            knowledge.learn_ways(fact);
            if let (Some(device), Some(volume)) = (fact.device, fact.volume) {
                knowledge.carriers.entry(volume).or_default().insert(device);
                knowledge.carried.entry(device).or_default().insert(volume);
                if let Some(when) = fact.when {
                    let tied = knowledge.tied.entry((volume, device)).or_insert((when, when));
                    tied.1 = when;
                    if fact.kind == Kind::Volume(VolumeEvent::Made) {
                        knowledge.made.entry(volume).or_default().push((when, device));
                    }
                }
            }
            // A host waits for, and reclaims, its own slot; whoever cleans up prints a dead one's.
            if let Kind::Heartbeat(heartbeat) = &fact.kind
                && !matches!(heartbeat.step, HeartbeatStep::Corrupt | HeartbeatStep::CleanedUp)
            {
                if matches!(heartbeat.step, HeartbeatStep::Reclaimed | HeartbeatStep::Restored) {
                    knowledge.recoveries.push(at);
                }
                if let Some(id) = heartbeat.slot.and_then(|slot| slot.owner) {
                    knowledge.own_ids.insert((fact.host, id));
                }
                let offset = heartbeat.slot.map(|slot| slot.offset).or_else(|| offset_of(&fact.text));
                if let (Some(volume), Some(offset)) = (fact.volume, offset) {
                    knowledge.own_slots.insert((voice(fact), volume, offset));
                }
            }
            if let Kind::Heartbeat(heartbeat) = &fact.kind
                && heartbeat.step == HeartbeatStep::CleanedUp
                && let (Some(volume), Some(slot), Some(when)) = (fact.volume, heartbeat.slot, fact.when)
                && knowledge.dead.len() < DEAD_MAX
            {
                knowledge.dead.push((volume, slot, when));
            }
            // A host that was asked tells it itself.
            if let Kind::HostId(id) = fact.kind {
                knowledge.own_ids.insert((fact.host, id));
            }
            knowledge.one_supports |= fact.kind == Kind::Support(Support::Yes);
        }
        knowledge
    }

    fn learn_ways(&mut self, fact: &Fact) {
        match (fact.device, fact.path) {
            (Some(device), Some(path)) => {
                self.paths.entry(device).or_default().insert(path);
            }
            (None, Some(path))
                if !self.fabric.contains(&path)
                    && FABRIC_DRIVERS.iter().any(|driver| fact.text.contains(driver)) =>
            {
                self.fabric.insert(path);
            }
            _ => {}
        }
    }

    /// The paths by which any line names a device.
    pub fn paths(&self, device: Name) -> impl Iterator<Item = Name> + '_ {
        self.paths.get(&device).into_iter().flatten().copied()
    }

    /// Paths and adapters of which a driver of a fabric or a network speaks.
    pub fn fabric(&self) -> impl Iterator<Item = Name> + '_ {
        self.fabric.iter().copied()
    }

    /// Where in the facts heartbeats came back, in the order of time.
    #[must_use]
    pub fn recoveries(&self) -> &[usize] {
        &self.recoveries
    }

    /// The devices that a volume lies on at a time; `None` where no line says.
    #[must_use]
    pub fn carriers(&self, volume: Name, when: Option<Stamp>) -> Option<Cow<'_, BTreeSet<Name>>> {
        let known = self.carriers.get(&volume)?;
        let holds = |device: &Name| self.holds(volume, *device, when);
        if known.iter().all(holds) {
            return Some(Cow::Borrowed(known));
        }
        let holding: BTreeSet<Name> = known.iter().copied().filter(holds).collect();
        (!holding.is_empty()).then_some(Cow::Owned(holding))
    }

    /// The volumes that a device carries at a time; `None` where no line says.
    #[must_use]
    pub fn carried(&self, device: Name, when: Option<Stamp>) -> Option<Cow<'_, BTreeSet<Name>>> {
        let known = self.carried.get(&device)?;
        let holds = |volume: &Name| self.holds(*volume, device, when);
        if known.iter().all(holds) {
            return Some(Cow::Borrowed(known));
        }
        // It carried something, and does so no longer: then a label that moved away is not its own.
        Some(Cow::Owned(known.iter().copied().filter(holds).collect()))
    }

    /// Whether a tie still holds at a time, or held already: no volume of that label was made on another device in between.
    fn holds(&self, volume: Name, device: Name, when: Option<Stamp>) -> bool {
        let (Some(made), Some(when)) = (self.made.get(&volume), when) else { return true };
        let Some(&(first, last)) = self.tied.get(&(volume, device)) else { return true };
        [first, last].into_iter().any(|tied| {
            let (from, to) = if tied.micros <= when.micros { (tied, when) } else { (when, tied) };
            !made.iter().any(|&(at, on)| {
                on != device && at.axis == when.axis && from.micros < at.micros && at.micros <= to.micros
            })
        })
    }

    /// Whether any line ties one of these volumes to one of these devices at a time.
    #[must_use]
    pub fn ties(&self, volumes: &[Name], devices: &[Name], when: Option<Stamp>) -> bool {
        let on = |carriers: Cow<'_, BTreeSet<Name>>| devices.iter().any(|device| carriers.contains(device));
        volumes.iter().filter_map(|volume| self.carriers(*volume, when)).any(on)
    }

    /// Whether a host names itself so in its own heartbeats.
    #[must_use]
    pub fn is_own_id(&self, host: Option<Name>, id: Uuid) -> bool {
        self.own_ids.contains(&(host, id))
    }

    /// Whether a lock is held through the slot in which this host waits for its own heartbeat. Where the host names its id, that decides: a slot had other
    /// owners before.
    #[must_use]
    pub fn is_own_slot(&self, fact: &Fact, lock: &LockRecord) -> bool {
        let Some((volume, offset)) = fact.volume.zip(lock.slot_offset) else { return false };
        let named = self.own_ids.iter().any(|(host, _)| *host == fact.host);
        !named && self.own_slots.contains(&(voice(fact), volume, offset))
    }

    /// Whether the slot through which a lock is held had been marked as a dead host's before, and nobody has taken it anew since.
    #[must_use]
    pub fn is_of_a_dead_host(&self, fact: &Fact, lock: &LockRecord) -> bool {
        let Some((volume, when)) = fact.volume.zip(fact.when) else { return false };
        self.dead.iter().any(|(on, slot, at)| {
            let of_slot =
                lock.slot_offset == Some(slot.offset) && lock.slot_generation == Some(slot.generation);
            *on == volume
                && of_slot
                && lock.owner.is_none_or(|owner| slot.owner.is_none_or(|id| id == owner))
                && when.since(at).is_some_and(|us| us >= 0)
        })
    }

    /// Whether some device says in its own pages that it has atomic test and set. Of several that were asked it is the one that matters: local
    /// disks have none.
    #[must_use]
    pub fn one_supports(&self) -> bool {
        self.one_supports
    }
}

fn voice(fact: &Fact) -> Voice {
    (fact.host, if fact.host.is_some() { 0 } else { fact.voice })
}

/// The offset of a slot that is named and not printed: `HB at offset 3211264 - Waiting for timed out HB`.
fn offset_of(text: &str) -> Option<u64> {
    after(text, "HB at offset ").or_else(|| after(text, "] Offset ")).and_then(decimal)
}
