//! A block of a journal: 4,096 bytes, of which 80 say whose it is and what it follows.

use oarlock_block::{Lba, SlotIndex, first_not_zero};

use crate::error::DecodeError;
use crate::ids::{FormatId, Incarnation};
use crate::numbers::{BootTag, JournalSequence};
use crate::page::{self, PAGE_LENGTH, PageBytes};
use crate::record::{Place, check_front};
use crate::stamp::{Kind, MAGIC_PREFIX, VERSION};
use crate::table::{Draft, field_table};

/// Bytes of a block's header.
pub const JOURNAL_HEADER_LENGTH: usize = 80;

/// Bytes of payload in a block.
pub const JOURNAL_PAYLOAD_LENGTH: usize = PAGE_LENGTH - JOURNAL_HEADER_LENGTH;

field_table! {
    0, JOURNAL_HEADER_LENGTH;
    MAGIC: 0, 8, "magic", Shape::Letters;
    VERSION: 8, 2, "version", Shape::Number;
    SLOT: 10, 2, "slot", Shape::Slot;
    CHECKSUM: 12, 4, "checksum", Shape::Checksum;
    FORMAT_ID: 16, 16, "format id", Shape::Hex;
    LBA: 32, 8, "own address", Shape::Number;
    INCARNATION: 40, 8, "incarnation", Shape::Number;
    SEQUENCE: 48, 8, "sequence", Shape::Number;
    INDEX: 56, 2, "index in commit", Shape::Number;
    BLOCKS: 58, 2, "blocks in commit", Shape::Number;
    USED: 60, 4, "used", Shape::Number;
    PAYLOAD_CHECKSUM: 64, 4, "payload checksum", Shape::Hex;
    BOOT: 68, 8, "boot", Shape::Hex;
    RESERVED_END: 76, 4, "reserved", Shape::Reserved;
}

/// A block of a journal without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalBlock {
    /// The datastore.
    pub format_id: FormatId,
    /// Its own address.
    pub lba: Lba,
    /// Whose journal this is.
    pub slot: SlotIndex,
    /// The life that wrote it.
    pub incarnation: Incarnation,
    /// One more than that of the block before it.
    pub sequence: JournalSequence,
    /// Which block of its commit this is.
    pub index: u16,
    /// How many blocks the commit has.
    pub blocks: u16,
    /// CRC32C of the commit's whole payload, the same in each of its blocks.
    pub payload_checksum: u32,
    /// Of a note, the only boot in which it counts, until a commit stands behind it; none of a commit.
    pub boot: Option<BootTag>,
}

impl JournalBlock {
    /// The bytes of this block with that part of the payload.
    ///
    /// # Panics
    /// When the part is longer than [`JOURNAL_PAYLOAD_LENGTH`].
    #[must_use]
    pub fn encode(&self, payload: &[u8]) -> Box<PageBytes> {
        let mut draft = Draft::new(crate::table::RECORD_LENGTH);
        draft.put(at::MAGIC, &[MAGIC_PREFIX, Kind::JournalBlock.letters()].concat());
        draft.put_u16(at::VERSION, VERSION);
        draft.put_u16(at::SLOT, self.slot.0);
        draft.put_u128(at::FORMAT_ID, self.format_id.0);
        draft.put_u64(at::LBA, self.lba.0);
        draft.put_u64(at::INCARNATION, self.incarnation.0);
        draft.put_u64(at::SEQUENCE, self.sequence.0);
        draft.put_u16(at::INDEX, self.index);
        draft.put_u16(at::BLOCKS, self.blocks);
        draft.put_u32(at::USED, u32::try_from(payload.len()).unwrap_or(u32::MAX));
        draft.put_u32(at::PAYLOAD_CHECKSUM, self.payload_checksum);
        draft.put_u64(at::BOOT, self.boot.map_or(0, |boot| boot.0));
        let mut bytes = Box::new([0; PAGE_LENGTH]);
        bytes[..JOURNAL_HEADER_LENGTH].copy_from_slice(&draft.all()[..JOURNAL_HEADER_LENGTH]);
        bytes[JOURNAL_HEADER_LENGTH..JOURNAL_HEADER_LENGTH + payload.len()].copy_from_slice(payload);
        page::seal(&mut bytes);
        bytes
    }

    /// The block in bytes that were read at `place`, and its part of the payload.
    ///
    /// # Errors
    /// The first doubt that the block does not stand.
    pub fn decode<'a>(bytes: &'a [u8], place: &Place) -> Result<(JournalBlock, &'a [u8]), DecodeError> {
        if bytes.len() != PAGE_LENGTH {
            return Err(DecodeError::Length { found: bytes.len() });
        }
        let view = check_front(bytes, Kind::JournalBlock, place.lba, Some(place.format_id))?;
        view.check_reserved(at::TABLE)?;
        let used = usize::try_from(view.u32(at::USED)).unwrap_or(usize::MAX);
        let Some((payload, rest)) = bytes[JOURNAL_HEADER_LENGTH..].split_at_checked(used) else {
            return Err(at::USED.error("a payload beyond the block"));
        };
        if let Some(offset) = first_not_zero(rest) {
            return Err(DecodeError::ReservedNotZero { offset: JOURNAL_HEADER_LENGTH + used + offset });
        }
        let block = JournalBlock {
            format_id: place.format_id,
            lba: place.lba,
            slot: SlotIndex(view.u16(at::SLOT)),
            incarnation: Incarnation(view.growing(at::INCARNATION, Incarnation::LARGEST.0)?),
            sequence: JournalSequence(view.growing(at::SEQUENCE, JournalSequence::LARGEST.0)?),
            index: view.u16(at::INDEX),
            blocks: view.u16(at::BLOCKS),
            payload_checksum: view.u32(at::PAYLOAD_CHECKSUM),
            boot: Some(BootTag(view.u64(at::BOOT))).filter(|boot| boot.0 != 0),
        };
        if block.index >= block.blocks {
            return Err(at::INDEX.error("a block beyond its commit"));
        }
        // All blocks but a commit's last are full, or nobody could tell where the next part begins.
        let last = block.index + 1 == block.blocks;
        // Only a commit that says nothing but that what stands before it is durable is empty: one block, and no note.
        let may_be_empty = block.blocks == 1 && block.boot.is_none();
        if (payload.is_empty() && !may_be_empty) || (!last && used != JOURNAL_PAYLOAD_LENGTH) {
            return Err(at::USED.error("a payload that is not as long as its place in the commit"));
        }
        Ok((block, payload))
    }
}
