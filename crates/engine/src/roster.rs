//! The roster: which hosts there are and which locks are held, for people and programs that look.

use std::time::Duration;

use oarlock_block::{Instant, SlotIndex};
use oarlock_format::{LockMode, LockPosition, LockRecord, LockState, Owner, SlotRecord, SlotState};

use crate::core::{Core, HostState};
use crate::slots::read_slots;
use crate::store::{ReadFault, Seen};
use crate::table::read_positions;

/// Lock positions that one command reads.
const POSITIONS_PER_READ: u32 = 256;

/// One host as another sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// Its name.
    pub name: String,
    /// Its slot.
    pub slot: SlotIndex,
    /// Which of its lives.
    pub incarnation: u64,
    /// `live`, `held`, `silent`, `fenced`.
    pub state: &'static str,
    /// How long ago its newest image was first seen, by the observer's clock; the time of looking at least, where it
    /// did not change meanwhile.
    pub last_beat_ago: Duration,
}

/// One held lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRow {
    /// Its name.
    pub name: String,
    /// `exclusive`, `shared`, `unknown`.
    pub mode: &'static str,
    /// Who holds it, as far as the record says.
    pub owners: Vec<LockOwner>,
    /// Whether somebody waits for it.
    pub interest: bool,
    /// How many wait on this host.
    pub waiting_here: usize,
    /// When it was taken, in milliseconds since 1970 by its taker's clock.
    pub since_wall_ms: u64,
}

/// One holder of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    /// The host's name, where its slot still tells it.
    pub host: String,
    /// Its slot.
    pub slot: SlotIndex,
    /// Its state, as in [`HostRow`], or `gone` where another life follows in the slot.
    pub state: &'static str,
}

/// Looks at all slots for up to two beats, and says who beats.
pub(crate) async fn hosts(core: &Core) -> Result<Vec<HostRow>, ReadFault> {
    let beat = core.store.timing.beat;
    let first = read_slots(&core.store).await?;
    let mut looks: Vec<LookAt> = first
        .sound
        .into_iter()
        .filter(|(_, seen)| seen.stamped.record.state != SlotState::Free)
        .map(|(slot, seen)| LookAt { slot, first_seen: seen.replied, moved: false, seen })
        .collect();
    let until = core.store.now().plus(beat * 2);
    while core.store.now() < until && !looks.iter().all(|look| look.is_settled(core)) {
        core.store.world.pause(beat / 4).await;
        for (slot, seen) in read_slots(&core.store).await?.sound {
            if let Some(look) = looks.iter_mut().find(|look| look.slot == slot)
                && look.seen.version() != seen.version()
            {
                *look = LookAt { slot, first_seen: seen.replied, moved: true, seen };
            }
        }
    }
    let now = core.store.now();
    Ok(looks
        .into_iter()
        .filter(|look| look.seen.stamped.record.state != SlotState::Free)
        .map(|look| look.row(core, now))
        .collect())
}

struct LookAt {
    slot: SlotIndex,
    first_seen: Instant,
    moved: bool,
    seen: Seen<SlotRecord>,
}

impl LookAt {
    fn is_settled(&self, core: &Core) -> bool {
        self.moved || self.slot == core.me.slot || self.seen.stamped.record.state != SlotState::Live
    }

    fn row(&self, core: &Core, now: Instant) -> HostRow {
        let record = &self.seen.stamped.record;
        let own = self.slot == core.me.slot;
        let state = match record.state {
            SlotState::Live if own => core.state().name(),
            SlotState::Live if self.moved => HostState::Live.name(),
            SlotState::Live => "silent",
            _ => "fenced",
        };
        let last_beat_ago = if own {
            now.since(core.lease.end().minus(core.store.timing.lease))
        } else {
            now.since(self.first_seen)
        };
        HostRow {
            name: record.name.as_ref().map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned()),
            slot: self.slot,
            incarnation: record.incarnation.0,
            state,
            last_beat_ago,
        }
    }
}

/// Reads the whole table of named locks; calls `each` with every record that is not simply free.
pub(crate) async fn each_lock(core: &Core, mut each: impl FnMut(&Seen<LockRecord>)) -> Result<(), ReadFault> {
    let positions = core.store.layout.lock_positions();
    let mut next = 0;
    while next < positions {
        let until = positions.min(next + POSITIONS_PER_READ);
        let lbas: Vec<_> =
            (next..until).map(|position| core.store.layout.lock(LockPosition(position))).collect();
        for seen in read_positions(&core.store, &lbas).await? {
            if seen.stamped.record.lock.mode != LockMode::Free {
                each(&seen);
            }
        }
        next = until;
    }
    Ok(())
}

/// All held locks, with their owners.
pub(crate) async fn locks(core: &Core) -> Result<Vec<LockRow>, ReadFault> {
    let mut held = Vec::new();
    each_lock(core, |seen| held.push(seen.stamped.record.clone())).await?;
    let slots = read_slots(&core.store).await?.sound;
    let waiting = core.places.names.all();
    Ok(held
        .into_iter()
        .map(|record| LockRow {
            owners: owners(&record.lock, &slots),
            name: record.name.as_ref().map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned()),
            mode: record.lock.mode.name(),
            interest: record.lock.interest,
            waiting_here: waiting
                .iter()
                .find(|place| Some(&place.whereabouts) == record.name.as_ref())
                .map_or(0, |place| place.waiting.get()),
            since_wall_ms: record.lock.since_wall_ms,
        })
        .collect())
}

pub(crate) fn owners(lock: &LockState, slots: &[(SlotIndex, Seen<SlotRecord>)]) -> Vec<LockOwner> {
    let sharing = lock.holders.iter().map(|slot| (slot, None));
    let owner = lock.owner.into_iter().map(|owner: Owner| (owner.slot, Some(owner.incarnation)));
    owner
        .chain(sharing)
        .map(|(index, incarnation)| {
            // Nobody knows who lives in a damaged slot; whoever does cannot beat.
            let Some((_, seen)) = slots.iter().find(|(slot, _)| *slot == index) else {
                return LockOwner { host: "?".to_owned(), slot: index, state: "silent" };
            };
            let slot = &seen.stamped.record;
            let later = incarnation.is_some_and(|incarnation| slot.incarnation != incarnation);
            let state = match slot.state {
                _ if later => "gone",
                SlotState::Live => HostState::Live.name(),
                SlotState::Free => "free",
                _ => "fenced",
            };
            let host = slot.name.as_ref().filter(|_| !later);
            let host = host.map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned());
            LockOwner { host, slot: index, state }
        })
        .collect()
}
