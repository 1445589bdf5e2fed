//! `foreign-block`: somebody else's data stand where a record was.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Kind, SlotState};

/// First words of what others write: LVM, XFS, GPT, sanlock, swap, NTFS, ext's group tables, LUKS, qcow2.
const FOREIGN: [[u8; 4]; 8] = [
    *b"LABE",
    *b"XFSB",
    *b"EFI ",
    [0x10, 0x20, 0x21, 0x12],
    *b"SWAP",
    [0xeb, 0x52, 0x90, 0x4e],
    *b"LUKS",
    *b"QFI\xfb",
];

/// Whether the first word of a block is the mark of another system.
#[must_use]
pub fn is_foreign(word: u32) -> bool {
    FOREIGN.contains(&word.to_le_bytes())
}

pub fn judge<'a>(case: &Case<'a>) -> Judgement<'a> {
    let lines = case.all(|fact| {
        matches!(&fact.kind, Kind::Slot(image) if matches!(image.state, SlotState::Damaged(word) if is_foreign(word)))
    });
    if lines.is_empty() {
        return Judgement::Silent;
    }
    let because = "Where a heartbeat slot belongs, the dump shows the mark of another system: it has written over this volume.";
    Judgement::Met(Proof::new(Confidence::Certain, because, lines).and_collect(
        "Which machine sees this LUN besides its hosts, and what it formatted or partitioned, and when.",
    ))
}
