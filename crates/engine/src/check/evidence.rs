//! What all sound records together say about the past: the newest generation, the newest life in each slot, which names
//! stand where. A repair goes above it, and a slot that is older contradicts it.

use std::collections::BTreeMap;

use oarlock_block::Lba;
use oarlock_format::{
    Epoch, Generation, Incarnation, LockName, LockPosition, Owner, SlotIndex, Stamp, Writer, home,
};

use crate::check::scan::{Look, Snapshot};
use crate::store::Store;

/// A generation that stands in damaged bytes is believed up to here: beyond it only rot gets, and a repair must leave
/// room for all repairs after it.
const CLAIM_MAX: u64 = 1 << 62;
/// Where the generation stands in a stamp (docs/FORMAT.md).
const GENERATION_AT: std::ops::Range<usize> = 40..48;

/// A life that some record names, and where it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) incarnation: Incarnation,
    pub(crate) seen_at: Lba,
}

/// What all sound records together say.
pub(crate) struct Evidence {
    /// The newest generation of any record.
    pub(crate) generation: Generation,
    /// The newest epoch of any lock.
    pub(crate) epoch: Epoch,
    /// The newest life that any record but the slot itself names for each slot.
    pub(crate) lives: BTreeMap<SlotIndex, Trace>,
    /// The positions of each name.
    pub(crate) names: BTreeMap<LockName, Vec<LockPosition>>,
}

impl Evidence {
    pub(crate) fn gather(snapshot: &Snapshot) -> Evidence {
        let mut evidence = Evidence {
            generation: Generation(0),
            epoch: Epoch(0),
            lives: BTreeMap::new(),
            names: BTreeMap::new(),
        };
        for (position, stamped) in snapshot.sound_locks() {
            evidence.note_stamp(&stamped.stamp);
            evidence.epoch = evidence.epoch.max(stamped.record.lock.epoch);
            if let Some(owner) = stamped.record.lock.owner {
                evidence.note_life(owner, stamped.stamp.lba);
            }
            if let Some(name) = &stamped.record.name {
                evidence.names.entry(name.clone()).or_default().push(position);
            }
        }
        for (slot, stamped) in snapshot.sound_slots() {
            evidence.note_generation(stamped.stamp.generation.max(stamped.record.superblock_generation));
            let by = stamped.record.state.burial().map(|burial| burial.by);
            // A host that buries a former life in its own slot writes there as the life that is to come.
            let others =
                by.into_iter().chain(stamped.stamp.writer.owner()).filter(|owner| owner.slot != slot);
            others.for_each(|owner| evidence.note_life(owner, stamped.stamp.lba));
        }
        for mailbox in snapshot.mailboxes.iter().filter_map(Look::sound) {
            evidence.note_stamp(&mailbox.stamp);
        }
        evidence.note_claims(snapshot);
        evidence
    }

    pub(crate) fn note_generation(&mut self, generation: Generation) {
        self.generation = self.generation.max(generation);
    }

    fn note_stamp(&mut self, stamp: &Stamp) {
        self.note_generation(stamp.generation);
        if let Writer::Host(owner) = stamp.writer {
            self.note_life(owner, stamp.lba);
        }
    }

    fn note_life(&mut self, owner: Owner, seen_at: Lba) {
        let trace = Trace { incarnation: owner.incarnation, seen_at };
        let known = self.lives.entry(owner.slot).or_insert(trace);
        if known.incarnation < trace.incarnation {
            *known = trace;
        }
    }

    /// A damaged block still says which generation it had. Too high is as good as right.
    fn note_claims(&mut self, snapshot: &Snapshot) {
        let slots = snapshot.slots.iter().filter_map(claim);
        let mailboxes = snapshot.mailboxes.iter().filter_map(claim);
        let locks = snapshot.locks.iter().filter_map(claim);
        let highest = slots.chain(mailboxes).chain(locks).max();
        self.generation = self.generation.max(highest.unwrap_or(Generation(0)));
    }

    /// The generation of an image that a repair puts in the place of one that claims to have had `claimed` (R39); `None`
    /// where there is no room left for the swaps to come.
    pub(crate) fn repaired(&self, claimed: Generation) -> Option<Generation> {
        let repaired = self.generation.max(claimed).repaired();
        (repaired.0 < Generation::LARGEST.0 - CLAIM_MAX / 2).then_some(repaired)
    }

    /// The bits of those children of a home that stand in the table.
    pub(crate) fn children_of(&self, store: &Store, home_at: LockPosition) -> u16 {
        let positions = store.layout.lock_positions();
        self.names
            .iter()
            .filter(|(name, _)| home(&store.format_id, name, positions) == home_at)
            .flat_map(|(_, standing)| standing)
            .filter_map(|position| child_bit(home_at, *position))
            .fold(0, |mask, bit| mask | bit)
    }
}

/// The bit of a position in the mask of a home; `None` where it lies outside of the window.
pub(crate) fn child_bit(home: LockPosition, position: LockPosition) -> Option<u16> {
    position.0.checked_sub(home.0).and_then(|distance| 1_u16.checked_shl(distance))
}

fn claim<R>(look: &Look<R>) -> Option<Generation> {
    match look {
        Look::Unsound { error, image, .. } if error.is_damage() => claimed(image.bytes()),
        _ => None,
    }
}

/// The generation that the bytes of a damaged record claim, where it can be believed.
pub(crate) fn claimed(bytes: &[u8]) -> Option<Generation> {
    let field = bytes.get(GENERATION_AT)?;
    let generation = u64::from_le_bytes(field.try_into().ok()?);
    (generation <= CLAIM_MAX).then_some(Generation(generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_a_bit_in_the_mask_of_a_home_at_most_fifteen_before_it() {
        assert_eq!(child_bit(LockPosition(7), LockPosition(7)), Some(1));
        assert_eq!(child_bit(LockPosition(7), LockPosition(22)), Some(0x8000));
        assert_eq!(child_bit(LockPosition(7), LockPosition(23)), None);
        assert_eq!(child_bit(LockPosition(7), LockPosition(6)), None);
    }

    #[test]
    fn a_rotten_generation_beyond_all_counting_is_not_believed() {
        let mut bytes = [0_u8; 512];
        bytes[GENERATION_AT].copy_from_slice(&77_u64.to_le_bytes());
        assert_eq!(claimed(&bytes), Some(Generation(77)));
        bytes[GENERATION_AT].copy_from_slice(&(CLAIM_MAX + 1).to_le_bytes());
        assert_eq!(claimed(&bytes), None);
    }
}
