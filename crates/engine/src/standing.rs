//! Who still stands in a lock's way, by their slots as they are now (R11, R41).

use oarlock_block::SlotIndex;
use oarlock_format::{SlotRecord, SlotState};

use crate::cell::{Cell, Purpose, Swap};
use crate::core::Core;
use crate::decide::{Blocker, Life, life};
use crate::lock::LockError;
use crate::planted::{PlantedBug, planted, slot_to_judge_by};
use crate::store::Lane;
use crate::takeover::distrust;

/// Which of the blockers' slots say that they are still there.
pub(crate) async fn still_present(core: &Core, in_the_way: &[Blocker]) -> Result<Vec<SlotIndex>, LockError> {
    let mut present = Vec::new();
    for blocker in in_the_way {
        let slot = look_at(core, blocker.slot()).await?;
        match life(blocker, &slot.record) {
            Life::Gone => {
                if matches!(blocker, Blocker::Bit(_)) && !prove_free(core, slot).await {
                    present.push(blocker.slot());
                }
            }
            Life::Present | Life::Impossible => present.push(blocker.slot()),
        }
    }
    Ok(present)
}

async fn look_at(core: &Core, slot: SlotIndex) -> Result<Cell<SlotRecord>, LockError> {
    let lba = core.store.layout.slot(slot);
    let seen = core.store.read::<SlotRecord>(Lane::Work, lba).await;
    let seen = seen.inspect_err(|fault| distrust(core, fault))?;
    let mut cell = Cell::new(lba, seen);
    cell.record = slot_to_judge_by(core.me, slot.0, cell.record);
    Ok(cell)
}

/// A free slot's bit is cleared only once an ATS proved the slot free: a stale read of a slot that has a new host by
/// now would take that host's lock away.
async fn prove_free(core: &Core, mut slot: Cell<SlotRecord>) -> bool {
    if planted(PlantedBug::JudgeByCachedSlot) {
        return true;
    }
    if slot.record.state != SlotState::Free {
        return false;
    }
    let record = slot.record.clone();
    let swap = slot.swap(&core.store, core.sender(Purpose::Upkeep), record).await;
    matches!(swap, Swap::Swapped { .. })
}
