//! Reads the images of heartbeat slots and lock records that VMFS prints in brackets.

use crate::fact::{LockKind, LockRecord, SlotImage, SlotState, Uuid};
use crate::text::{after, decimal, hex};

/// `[HB state abcdef02 offset 3964928 gen 59 stampUS 6780917733 uuid 5091de63-...`; what is cut off stays unknown.
#[must_use]
pub fn slot(text: &str) -> Option<SlotImage> {
    let text = after(text, "HB state ")?;
    let state = u32::try_from(hex(text)?).ok()?;
    let stamp = after(text, " stampUS ").or_else(|| after(text, " stamp "));
    Some(SlotImage {
        state: SlotState::of(state),
        offset: after(text, " offset ").and_then(decimal)?,
        found_at: None,
        generation: after(text, " gen ").and_then(decimal).unwrap_or(0),
        stamp_us: stamp.and_then(decimal).unwrap_or(0),
        owner: after(text, " uuid ").and_then(Uuid::find).filter(|owner| *owner != Uuid::NOBODY),
    })
}

/// `[type 10c00002 offset 23714816 v 8, hb offset 3903488 gen 53, mode 1, owner 50a3da5a-... mtime 255486 ...]`.
#[must_use]
pub fn lock(text: &str) -> Option<LockRecord> {
    let text = after(text, "[type ")?;
    let kind = LockKind::of(u32::try_from(hex(text)?).ok()?);
    let number = |mark: &str| after(text, mark).and_then(decimal);
    Some(LockRecord {
        kind,
        offset: number(" offset "),
        version: number(" v "),
        slot_offset: number("hb offset "),
        slot_generation: number("gen "),
        mode: number("mode "),
        owner: after(text, "owner ").and_then(Uuid::find).filter(|owner| *owner != Uuid::NOBODY),
        stamp: number("mtime "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_read_as_far_as_they_go() {
        let image = slot(
            "x [HB state abcdef02 offset 512 gen 7 stampUS 99 uuid 4a000000-4b000000-4c00-4d4d4d4d4d4d jrnl",
        )
        .unwrap();
        assert_eq!(
            (image.state, image.offset, image.generation, image.stamp_us),
            (SlotState::InUse, 512, 7, 99)
        );
        assert!(image.owner.is_some());
        let image = slot("[HB state 0 offset 0 gen 0 stampUS 0 uuid 00000000-00000000-00").unwrap();
        assert_eq!((image.state, image.owner), (SlotState::Zero, None));
        let record = lock("Lock [type 10c00002 offset 1024 v 8, hb offset 512 gen 3, mode 1, owner 4a000000-4b000000-4c00-4d4d4d4d4d4d mtime 5 nHld 0]").unwrap();
        assert_eq!(
            (record.kind, record.slot_offset, record.slot_generation),
            (LockKind::ResourceCluster, Some(512), Some(3))
        );
        assert_eq!((record.mode, record.stamp), (Some(1), Some(5)));
    }
}
