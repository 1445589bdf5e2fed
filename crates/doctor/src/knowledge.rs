//! What one line tells for all the others, whenever it was written: which device carries which volume, and by which id a host calls itself.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::fact::{Fact, HeartbeatStep, Kind, Uuid};
use crate::names::Name;

/// What lines of any time tell. Made once: every incident asks.
#[derive(Debug, Default)]
pub struct Knowledge {
    carriers: HashMap<Name, BTreeSet<Name>>,
    carried: HashMap<Name, BTreeSet<Name>>,
    own_ids: HashSet<(Option<Name>, Uuid)>,
}

impl Knowledge {
    /// What these facts tell.
    #[must_use]
    pub fn of(facts: &[Fact]) -> Knowledge {
        let mut knowledge = Knowledge::default();
        for fact in facts {
            if let (Some(device), Some(volume)) = (fact.device, fact.volume) {
                knowledge.carriers.entry(volume).or_default().insert(device);
                knowledge.carried.entry(device).or_default().insert(volume);
            }
            // A host waits for, and reclaims, its own slot; whoever cleans up prints a dead one's.
            if let Kind::Heartbeat(heartbeat) = &fact.kind
                && !matches!(heartbeat.step, HeartbeatStep::Corrupt | HeartbeatStep::CleanedUp)
                && let Some(id) = heartbeat.slot.and_then(|slot| slot.owner)
            {
                knowledge.own_ids.insert((fact.host, id));
            }
        }
        knowledge
    }

    /// The devices that a volume lies on; `None` where no line says.
    #[must_use]
    pub fn carriers(&self, volume: Name) -> Option<&BTreeSet<Name>> {
        self.carriers.get(&volume)
    }

    /// The volumes that a device carries; `None` where no line says.
    #[must_use]
    pub fn carried(&self, device: Name) -> Option<&BTreeSet<Name>> {
        self.carried.get(&device)
    }

    /// Whether any line ties one of these volumes to one of these devices.
    #[must_use]
    pub fn ties(&self, volumes: &[Name], devices: &[Name]) -> bool {
        let on = |carriers: &BTreeSet<Name>| devices.iter().any(|device| carriers.contains(device));
        volumes.iter().filter_map(|volume| self.carriers(*volume)).any(on)
    }

    /// Whether a host names itself so in its own heartbeats.
    #[must_use]
    pub fn is_own_id(&self, host: Option<Name>, id: Uuid) -> bool {
        self.own_ids.contains(&(host, id))
    }
}
