//! Bringing one record to a content: an ATS, and another from whatever stands there then, until it holds it and nothing is
//! open (R1); and what was swapped to the medium (R12).

use std::time::Duration;

use oarlock_format::Record;

use crate::cell::{Cell, Distrust, Purpose, Swap};
use crate::core::{Core, Ended};
use crate::disk::DiskError;
use crate::lock::FIRST_PAUSE;
use crate::store::ReadFault;
use crate::takeover::distrust;

/// Swaps the record until it is what `change` makes of it, and nothing is open; for as long as that takes, or until the host
/// ends. `change` says for any content what it shall become: the same for one that is as it shall be, `None` for one that
/// this host has no right to change. Whether it is done.
pub(crate) async fn bring_to<R: Record + Clone + PartialEq>(
    core: &Core,
    cell: &mut Cell<R>,
    change: &dyn Fn(&R) -> Option<R>,
) -> Result<bool, DiskError> {
    let mut pause = FIRST_PAUSE;
    loop {
        core.until_it_may_act().await?;
        let Some(record) = change(&cell.record) else { return Ok(false) };
        if record == cell.record && !cell.has_open_attempts() {
            return Ok(true);
        }
        let _ = swap_once(core, cell, record, &mut pause).await?;
    }
}

/// One ATS, and a growing pause behind one that did not get on. What is to be done next is decided from what the cell knows
/// then. Whether an image of this host's stands there now.
pub(crate) async fn swap_once<R: Record + Clone>(
    core: &Core,
    cell: &mut Cell<R>,
    record: R,
    pause: &mut Duration,
) -> Result<bool, DiskError> {
    let swap = cell.swap(&core.store, core.sender(Purpose::Upkeep), record).await;
    match &swap {
        Swap::Swapped { .. } | Swap::Adopted { .. } => return Ok(true),
        Swap::Lost => return Ok(false),
        Swap::Distrusted(Distrust::Fault(fault)) => {
            distrust(core, fault);
            if matches!(fault, ReadFault::Unsound { .. }) {
                // It was read often enough: no waiting helps, but a repair.
                return Err(fault.clone().into());
            }
        }
        Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(Distrust::FalseThoughEqual) => {}
    }
    core.store.world.pause(core.store.world.jitter(*pause)).await;
    *pause = (*pause * 2).min(core.store.timing.beat);
    Ok(false)
}

/// Makes what was swapped so far durable, for as long as that takes: states of directory and descriptors are, before their
/// next step and before anybody hears of them.
pub(crate) async fn make_durable(core: &Core) -> Result<(), Ended> {
    loop {
        core.until_it_may_act().await?;
        if core.store.flush().await.is_ok() {
            return Ok(());
        }
        core.store.world.pause(core.store.timing.beat / 2).await;
    }
}
