//! What a heartbeat slot or a lock record of VMFS says, in words: a dump is evidence only if a person can find the place again.

use crate::fact::{LockKind, LockRecord, SlotImage, SlotState, Uuid};

/// A slot, in bytes.
pub const SLOT_BYTES: u64 = 512;
/// Where the heartbeat region begins in a volume, in bytes, and how many slots it has: logs of VMFS-3 to VMFS-6 name no offset outside.
const REGION_START: u64 = 0x30_0000;
const REGION_SLOTS: u64 = 2_048;

/// The number of the slot at an offset in the volume; `None` outside of the heartbeat region.
#[must_use]
pub fn slot_number(offset: u64) -> Option<u64> {
    offset.checked_sub(REGION_START).map(|bytes| bytes / SLOT_BYTES).filter(|&number| number < REGION_SLOTS)
}

/// `heartbeat slot 2, at offset 0x300400 of the volume: zero`.
#[must_use]
pub fn slot(image: &SlotImage) -> String {
    let at = image.found_at.unwrap_or(image.offset);
    let state = match image.state {
        SlotState::Free => "free (abcdef01)".to_owned(),
        SlotState::InUse => "in use (abcdef02)".to_owned(),
        SlotState::Zero => return format!("heartbeat {}: zero", place(at)),
        SlotState::Damaged(0) => "no state (0), although the rest is not zero".to_owned(),
        SlotState::Damaged(number) => format!("no state of a slot ({number:08x})"),
    };
    let elsewhere = match image.found_at {
        Some(at) if at != image.offset => format!(", names offset {:#x} as its own", image.offset),
        _ => String::new(),
    };
    let owner = image.owner.map_or_else(|| "no owner".to_owned(), owner);
    format!("heartbeat {}: {state}{elsewhere}, generation {}, {owner}", place(at), image.generation)
}

/// `slot 2, at offset 0x300400 of the volume`.
#[must_use]
pub fn place(offset: u64) -> String {
    let number = slot_number(offset).map_or_else(String::new, |number| format!(" {number}, at"));
    let number = if number.is_empty() { " at".to_owned() } else { number };
    format!("slot{number} offset {offset:#x} of the volume")
}

/// `lock record of a file (type 10c00001), at offset 0x1c3f000 of the volume: exclusive, ...`.
#[must_use]
pub fn lock(lock: &LockRecord) -> String {
    let kind = match lock.kind {
        LockKind::File => "of a file (type 10c00001)".to_owned(),
        LockKind::ResourceCluster => "of a resource cluster (type 10c00002)".to_owned(),
        LockKind::Other(number) => format!("of type {number:08x}"),
    };
    let at = lock.offset.map_or_else(String::new, |offset| format!(", at offset {offset:#x} of the volume"));
    let mode = match lock.mode {
        Some(0) => "free",
        Some(1) => "exclusive",
        Some(2) => "read-only",
        Some(3) => "multi-writer",
        _ => "in a mode that is not said",
    };
    let owner = match lock.owner {
        Some(known) => owner(known),
        None if lock.mode == Some(2) || lock.mode == Some(3) => {
            "shared, its owners stand beside it".to_owned()
        }
        None => "no owner".to_owned(),
    };
    let slot = lock.slot_offset.filter(|_| lock.owner.is_some()).map_or_else(String::new, |offset| {
        let generation =
            lock.slot_generation.map_or_else(String::new, |number| format!(", generation {number}"));
        format!(", whose heartbeat is in {}{generation}", place(offset))
    });
    let version = lock.version.map_or_else(String::new, |version| format!(", version {version}"));
    format!("lock record {kind}{at}: {mode}, {owner}{slot}{version}")
}

/// A host by its id and its card.
#[must_use]
pub fn owner(owner: Uuid) -> String {
    format!("owner {owner}, card {}", owner.mac())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_a_number_within_the_region_alone() {
        assert_eq!(slot_number(0x30_0000), Some(0));
        assert_eq!(slot_number(3_571_712), Some(832));
        assert_eq!(slot_number(0x40_0000), None);
        assert_eq!(slot_number(512), None);
        assert_eq!(place(512), "slot at offset 0x200 of the volume");
        assert_eq!(place(0x30_0200), "slot 1, at offset 0x300200 of the volume");
    }
}
