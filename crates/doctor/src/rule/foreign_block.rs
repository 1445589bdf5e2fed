//! `foreign-block`: somebody else's data stand where a record was.

use super::case::Case;
use super::{Confidence, Judgement, Proof};
use crate::fact::{Kind, SlotState};

/// First words of what others write: LVM, XFS, GPT, sanlock, swap, LUKS, qcow2.
const FOREIGN: [[u8; 4]; 7] =
    [*b"LABE", *b"XFSB", *b"EFI ", [0x10, 0x20, 0x21, 0x12], *b"SWAP", *b"LUKS", *b"QFI\xfb"];

/// Whether the first word of a block is the mark of another system.
#[must_use]
pub fn is_foreign(word: u32) -> bool {
    let bytes = word.to_le_bytes();
    // A jump over the parameters of a file system: the boot sectors of FAT, exFAT and NTFS, and of boot loaders.
    FOREIGN.contains(&bytes) || (bytes[0], bytes[2]) == (0xeb, 0x90)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_sectors_are_known_by_the_jump_they_begin_with() {
        for bytes in [
            [0xeb, 0x3c, 0x90, b'M'],
            [0xeb, 0x58, 0x90, b'm'],
            [0xeb, 0x76, 0x90, b'E'],
            [0xeb, 0x52, 0x90, b'N'],
        ] {
            assert!(is_foreign(u32::from_le_bytes(bytes)), "{bytes:02x?}");
        }
        assert!(!is_foreign(0xabcd_ef02) && !is_foreign(0x10c0_0001) && !is_foreign(0));
    }
}
