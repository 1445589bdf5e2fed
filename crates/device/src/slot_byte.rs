//! The byte of a slot, far beyond the data: whoever holds its lock lives in the slot (R13).

use std::collections::BTreeMap;
use std::sync::Mutex;

use oarlock_block::SlotIndex;

use crate::locked;
use crate::range_lock::ByteRange;

/// The first slot byte of a device that begins at byte 0 of its file: beyond every device, within what a lock can name.
const SLOT_BYTES: u64 = 1 << 62;

/// The slots that this description lives in, and where their bytes are.
///
/// Every partition of a disk has bytes of its own: the bytes start as far beyond 2^62 as the partition does beyond 0,
/// and a partition that is shorter than its 65,536 slot bytes holds no datastore.
pub(crate) struct SlotBytes {
    base: u64,
    entered: Mutex<BTreeMap<u16, Entered>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entered {
    /// Reserved within this process; the kernel has not said yet whose the byte is.
    Reserved,
    Living,
    Leaving,
}

impl SlotBytes {
    pub(crate) fn new(base: u64) -> SlotBytes {
        SlotBytes { base, entered: Mutex::default() }
    }

    pub(crate) fn byte(&self, slot: SlotIndex) -> ByteRange {
        ByteRange { start: SLOT_BYTES + self.base + u64::from(slot.0), length: 1 }
    }

    /// Reserves the slot within this process; `false` where it is taken. Threads on one description would all "get"
    /// the lock.
    pub(crate) fn reserve(&self, slot: SlotIndex) -> bool {
        let mut entered = locked(&self.entered);
        if entered.contains_key(&slot.0) {
            return false;
        }
        entered.insert(slot.0, Entered::Reserved);
        true
    }

    /// The reserved slot's byte is locked.
    pub(crate) fn locked(&self, slot: SlotIndex) {
        locked(&self.entered).insert(slot.0, Entered::Living);
    }

    /// Says that the slot is to be given back; `true` for who says it first, so that it is given back once.
    pub(crate) fn begin_leaving(&self, slot: SlotIndex) -> bool {
        let mut entered = locked(&self.entered);
        let place = entered.get_mut(&slot.0).filter(|place| **place == Entered::Living);
        place.map(|place| *place = Entered::Leaving).is_some()
    }

    pub(crate) fn forget(&self, slot: SlotIndex) {
        locked(&self.entered).remove(&slot.0);
    }

    /// Whether the byte is locked through this description.
    pub(crate) fn is_entered(&self, slot: SlotIndex) -> bool {
        locked(&self.entered).get(&slot.0).is_some_and(|place| *place != Entered::Reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another thread that asks for a proof of death in this moment would take the reservation for one.
    #[test]
    fn a_slot_that_is_only_reserved_is_not_entered() {
        let slots = SlotBytes::new(0);
        assert!(slots.reserve(SlotIndex(1)) && !slots.reserve(SlotIndex(1)));
        assert!(!slots.is_entered(SlotIndex(1)) && !slots.begin_leaving(SlotIndex(1)));
        slots.locked(SlotIndex(1));
        assert!(slots.is_entered(SlotIndex(1)) && slots.begin_leaving(SlotIndex(1)));
        assert!(slots.is_entered(SlotIndex(1)), "until the last command ended");
    }

    #[test]
    fn the_slots_of_two_partitions_share_no_byte() {
        let first = SlotBytes::new(1 << 20);
        let second = SlotBytes::new(2 << 20);
        assert!(first.byte(SlotIndex(u16::MAX)).end() <= second.byte(SlotIndex(0)).start);
        assert_eq!(SlotBytes::new(0).byte(SlotIndex(5)).start, (1 << 62) + 5);
    }
}
