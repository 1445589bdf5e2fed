//! A set of slots: one bit for each slot that a datastore can have.

use oarlock_block::{SlotIndex, all_zero};

use crate::SLOTS_MAX;

/// Bytes of the set on the disk.
pub(crate) const SLOT_SET_LENGTH: usize = 128;

const _: () = assert!(SLOT_SET_LENGTH * 8 == SLOTS_MAX as usize);

/// A set of slots. On the disk slot n is bit n % 8 of byte n / 8.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotSet {
    bytes: [u8; SLOT_SET_LENGTH],
}

impl SlotSet {
    /// No slots.
    pub const EMPTY: SlotSet = SlotSet { bytes: [0; SLOT_SET_LENGTH] };

    /// Puts a slot in; whether it was not in before.
    ///
    /// # Panics
    /// When no datastore has that slot.
    pub fn insert(&mut self, slot: SlotIndex) -> bool {
        assert!(slot.0 < SLOTS_MAX, "slot {slot} lies beyond the last slot");
        let added = !self.contains(slot);
        self.bytes[byte_of(slot)] |= bit_of(slot);
        added
    }

    /// Takes a slot out; whether it was in.
    pub fn remove(&mut self, slot: SlotIndex) -> bool {
        let removed = self.contains(slot);
        if removed {
            self.bytes[byte_of(slot)] &= !bit_of(slot);
        }
        removed
    }

    /// Whether a slot is in.
    #[must_use]
    pub fn contains(&self, slot: SlotIndex) -> bool {
        self.bytes.get(byte_of(slot)).is_some_and(|byte| byte & bit_of(slot) != 0)
    }

    /// The slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = SlotIndex> + '_ {
        // Of the 128 bytes few have a slot in them: the others are passed over whole.
        let bytes = (0_u16..).zip(&self.bytes).filter(|(_, byte)| **byte != 0);
        bytes.flat_map(|(place, byte)| {
            (0..8_u16).filter(move |bit| byte >> bit & 1 != 0).map(move |bit| SlotIndex(place * 8 + bit))
        })
    }

    /// Whether none is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        all_zero(&self.bytes)
    }

    /// How many are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; SLOT_SET_LENGTH] {
        &self.bytes
    }

    /// The set in the bytes of a field; missing bytes are empty.
    pub(crate) fn from_bytes(field: &[u8]) -> SlotSet {
        let mut set = SlotSet::EMPTY;
        set.bytes.iter_mut().zip(field).for_each(|(byte, value)| *byte = *value);
        set
    }
}

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet::EMPTY
    }
}

impl FromIterator<SlotIndex> for SlotSet {
    fn from_iter<I: IntoIterator<Item = SlotIndex>>(slots: I) -> Self {
        let mut set = SlotSet::EMPTY;
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter().map(|slot| slot.0)).finish()
    }
}

fn byte_of(slot: SlotIndex) -> usize {
    usize::from(slot.0 / 8)
}

fn bit_of(slot: SlotIndex) -> u8 {
    1 << (slot.0 % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_not_taken_out() {
        let mut set = SlotSet::EMPTY;
        assert!(set.is_empty());
        assert!(set.insert(SlotIndex(0)) && set.insert(SlotIndex(1023)) && set.insert(SlotIndex(9)));
        assert!(!set.insert(SlotIndex(9)));
        assert_eq!(set.len(), 3);
        assert!(set.remove(SlotIndex(9)) && !set.remove(SlotIndex(9)));
        assert_eq!(set.iter().collect::<Vec<_>>(), [SlotIndex(0), SlotIndex(1023)]);
        assert!(!set.contains(SlotIndex(u16::MAX)) && !set.remove(SlotIndex(1024)));
        assert_eq!(SlotSet::from_bytes(set.as_bytes()), set);
    }

    #[test]
    #[should_panic(expected = "beyond the last slot")]
    fn a_slot_that_no_datastore_has_is_not_put_in() {
        let mut set = SlotSet::EMPTY;
        set.insert(SlotIndex(1024));
    }
}
