//! Life in a datastore as a tool sees it that is no host: nobody's own clock or lease, only slots that move.

use std::rc::Rc;

use oarlock_format::{SlotIndex, SlotRecord, SlotState, Stamped, Superblock};

use crate::step::victim;
use crate::store::{Lane, ReadFault, Store};
use crate::verdict::Version;
use crate::world::World;

/// A host that lives.
pub(crate) struct Living {
    /// Its name, as far as its slot tells it.
    pub(crate) host: String,
    /// Its slot.
    pub(crate) slot: SlotIndex,
}

/// Watches all slots for a whole watch: the first host that beats meanwhile, or nobody (R38). Hosts that are proved
/// dead need no watch (R9).
pub(crate) async fn who_lives(
    world: &World,
    superblock: &Stamped<Superblock>,
) -> Result<Option<Living>, ReadFault> {
    let store = Store::new(world.clone(), superblock, Rc::new(|_| {}));
    let first = live_slots(&store).await?;
    let until = store.now().plus(store.timing.watch);
    let mut silent: Vec<_> = Vec::new();
    for slot in first {
        if world.cut_off.death_proved(victim(slot.0, &slot.2)).await.is_none() {
            silent.push(slot);
        }
    }
    while !silent.is_empty() && store.now() < until {
        for (slot, version, record) in live_slots(&store).await? {
            let moved = !silent.iter().any(|(known, before, _)| *known == slot && *before == version);
            if moved && world.cut_off.death_proved(victim(slot, &record)).await.is_none() {
                let host = record.name.map_or_else(|| "?".to_owned(), |name| name.as_str().to_owned());
                return Ok(Some(Living { host, slot }));
            }
        }
        world.pause(store.timing.beat / 2).await;
    }
    Ok(None)
}

/// The slots in which a host lives, or died without having been buried; what is damaged beats for nobody.
pub(crate) async fn live_slots(store: &Store) -> Result<Vec<(SlotIndex, Version, SlotRecord)>, ReadFault> {
    let mut live = Vec::new();
    for index in 0..store.layout.slot_count() {
        let slot = SlotIndex(index);
        match store.read::<SlotRecord>(Lane::Work, store.layout.slot(slot)).await {
            Ok(seen) if seen.stamped.record.state == SlotState::Live => {
                live.push((slot, seen.version(), seen.stamped.record));
            }
            Ok(_) | Err(ReadFault::Unsound { .. } | ReadFault::Older { .. }) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(live)
}
