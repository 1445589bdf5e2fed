//! The damage matrix of the superblock: every state of the first copy against every state of the shadow.

#![allow(clippy::unwrap_used)] // Helpers of tests fail as tests do.

mod common;

use common::{LBA, stamp_at, superblock};
use oarlock_block::{BlockSize, DeviceIdentity, Lba};
use oarlock_format::{
    DecodeError, FormatId, Label, NoSuperblock, OtherCopy, Stamp, Stamped, Superblock, Truth, choose,
    decode_superblock, encode,
};

/// What can stand where a copy should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Good,
    Older,
    NewerGeneration,
    OtherContent,
    OtherDatastore,
    OtherIdentity,
    Torn,
    Misplaced,
    Blank,
    Foreign,
    LaterVersion,
    UnknownFeature,
}

const CELLS: [Cell; 12] = [
    Cell::Good,
    Cell::Older,
    Cell::NewerGeneration,
    Cell::OtherContent,
    Cell::OtherDatastore,
    Cell::OtherIdentity,
    Cell::Torn,
    Cell::Misplaced,
    Cell::Blank,
    Cell::Foreign,
    Cell::LaterVersion,
    Cell::UnknownFeature,
];

type Read = Result<Stamped<Superblock>, DecodeError>;

/// What a reader of `lba` gets: through real bytes and the real decoder.
fn read(cell: Cell, lba: Lba) -> Read {
    let block_size = BlockSize::B512;
    let good = superblock(block_size);
    let stamp = stamp_at(lba, 7);
    let write = |stamp: &Stamp, record: &Superblock| encode(stamp, record, block_size).bytes().to_vec();
    let forge = |offset: usize, value: u8| {
        let mut bytes = write(&stamp, &good);
        bytes[offset] = value;
        let checksum = oarlock_block::crc32c(&[&bytes[..12], &[0; 4], &bytes[16..]]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    };
    let bytes = match cell {
        Cell::Good => write(&stamp, &good),
        Cell::Older => write(&stamp_at(lba, 6), &good),
        Cell::NewerGeneration => write(&stamp_at(lba, 8), &good),
        Cell::OtherContent => {
            write(&stamp, &Superblock { label: Label::new("other").unwrap(), ..good.clone() })
        }
        Cell::OtherDatastore => write(&Stamp { format_id: FormatId(99), ..stamp }, &good),
        Cell::OtherIdentity => {
            let identity = DeviceIdentity::new("file:8:1:9999").unwrap();
            write(&stamp, &Superblock { identity, ..good.clone() })
        }
        Cell::Torn => {
            let (old, new) = (write(&stamp_at(lba, 6), &good), write(&stamp, &good));
            [&new[..44], &old[44..]].concat()
        }
        Cell::Misplaced => write(&stamp_at(LBA, 7), &good),
        Cell::Blank => vec![0; 512],
        Cell::Foreign => vec![0xEB; 512],
        Cell::LaterVersion => forge(8, 2),
        Cell::UnknownFeature => forge(136, 2),
    };
    decode_superblock(&bytes, lba)
}

fn is_whole(cell: Cell) -> bool {
    use Cell::{Good, NewerGeneration, Older, OtherContent, OtherDatastore, OtherIdentity};
    matches!(cell, Good | Older | NewerGeneration | OtherContent | OtherDatastore | OtherIdentity)
}

fn is_spoiled(cell: Cell) -> bool {
    matches!(cell, Cell::Torn | Cell::Misplaced)
}

fn is_later(cell: Cell) -> bool {
    matches!(cell, Cell::LaterVersion | Cell::UnknownFeature)
}

#[test]
fn every_cell_of_the_matrix_has_its_verdict() {
    for first in CELLS {
        for shadow in CELLS {
            let (at_first, at_shadow) = (read(first, Lba(0)), read(shadow, Lba(2_097_144)));
            let chosen = choose(at_first.clone(), at_shadow.clone());
            let cell = format!("first {first:?}, shadow {shadow:?}: {chosen:?}");
            match chosen {
                Ok(chosen) if is_whole(first) => {
                    assert_eq!((chosen.truth, Ok(chosen.superblock)), (Truth::First, at_first), "{cell}");
                }
                Ok(chosen) => {
                    assert!(is_spoiled(first) && is_whole(shadow), "{cell}");
                    assert_eq!((chosen.truth, Ok(chosen.superblock)), (Truth::Shadow, at_shadow), "{cell}");
                    assert_eq!(chosen.other, OtherCopy::Damaged(at_first.unwrap_err()), "{cell}");
                    assert!(chosen.other.wants_repair(), "{cell}");
                }
                Err(NoSuperblock::Newer { .. }) => {
                    assert!(is_later(first) || (!is_whole(first) && is_later(shadow)), "{cell}");
                }
                Err(NoSuperblock::Overwritten { shadow: kept, .. }) => {
                    assert!(matches!(first, Cell::Blank | Cell::Foreign) && is_whole(shadow), "{cell}");
                    assert_eq!(Ok(*kept), at_shadow, "{cell}");
                }
                Err(NoSuperblock::Damaged { .. }) => {
                    assert!(!is_whole(first) && !is_whole(shadow), "{cell}");
                    assert!(is_spoiled(first) || is_spoiled(shadow), "{cell}");
                    assert!(!is_later(first) && !is_later(shadow), "{cell}");
                }
                Err(NoSuperblock::NotOurs { .. }) => {
                    let foreign = |cell| matches!(cell, Cell::Blank | Cell::Foreign);
                    assert!(foreign(first) && foreign(shadow), "{cell}");
                }
            }
        }
    }
}

#[test]
fn a_whole_first_copy_says_of_each_shadow_what_is_wrong_with_it() {
    for shadow in CELLS {
        let other = choose(read(Cell::Good, Lba(0)), read(shadow, Lba(8))).unwrap().other;
        let (named, wants_repair) = match shadow {
            Cell::Good => (other == OtherCopy::Same, false),
            Cell::Older => (other == OtherCopy::Behind, true),
            Cell::NewerGeneration => (other == OtherCopy::Ahead, false),
            Cell::OtherContent | Cell::OtherIdentity => (other == OtherCopy::Differs, true),
            Cell::OtherDatastore => (other == OtherCopy::OtherDatastore(FormatId(99)), true),
            Cell::Torn | Cell::Misplaced => (matches!(other, OtherCopy::Damaged(_)), true),
            Cell::Blank => (other == OtherCopy::Missing(DecodeError::Blank), true),
            Cell::Foreign => (other == OtherCopy::Missing(DecodeError::Foreign), true),
            Cell::LaterVersion | Cell::UnknownFeature => (matches!(other, OtherCopy::Newer(_)), false),
        };
        assert!(named, "{shadow:?} was called {other:?}");
        assert_eq!(other.wants_repair(), wants_repair, "{shadow:?}");
    }
}
