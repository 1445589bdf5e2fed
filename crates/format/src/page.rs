//! What all pages have in common: 4,096 bytes that one host alone changes, through its journal, behind a header of 64.
//!
//! Up to its own address a page begins as a record does, and is doubted in the same order.

use oarlock_block::Lba;

use crate::error::DecodeError;
use crate::ids::{Epoch, FormatId};
use crate::numbers::JournalSequence;
use crate::record::{Place, check_front, page_checksum};
use crate::stamp::{Kind, MAGIC_PREFIX, VERSION};
use crate::table::{Draft, View, field_table};

/// Bytes of a page, whatever the block size.
pub const PAGE_LENGTH: usize = 4_096;

/// Bytes of its header.
pub const PAGE_HEADER_LENGTH: usize = 64;

field_table! {
    0, PAGE_HEADER_LENGTH;
    MAGIC: 0, 8, "magic", Shape::Letters;
    VERSION: 8, 2, "version", Shape::Number;
    RESERVED_VERSION: 10, 2, "reserved", Shape::Reserved;
    CHECKSUM: 12, 4, "checksum", Shape::Checksum;
    FORMAT_ID: 16, 16, "format id", Shape::Hex;
    LBA: 32, 8, "own address", Shape::Number;
    OBJECT: 40, 4, "object", Shape::Number;
    LEVEL: 44, 1, "level", Shape::Number;
    RESERVED_LEVEL: 45, 3, "reserved", Shape::Reserved;
    EPOCH: 48, 8, "epoch", Shape::Number;
    SEQUENCE: 56, 8, "sequence", Shape::Number;
}

/// The bytes of a page.
pub type PageBytes = [u8; PAGE_LENGTH];

/// What a page says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// The datastore.
    pub format_id: FormatId,
    /// Its own address: that of its first block.
    pub lba: Lba,
    /// Under whose lock it was last written: a descriptor's number, or a group's. A map's page keeps the descriptor under
    /// which it was written when a snapshot takes it over.
    pub object: u32,
    /// The level of the node that a map page belongs to; 0 for leaves and for bitmaps.
    pub level: u8,
    /// The epoch of that lock.
    pub epoch: Epoch,
    /// The journal's commit that last changed it; 0 where none did.
    pub sequence: JournalSequence,
}

impl PageHeader {
    /// A page of zeros behind this header, without its checksum.
    pub(crate) fn blank(&self, kind: Kind) -> Box<PageBytes> {
        let mut bytes = Box::new([0; PAGE_LENGTH]);
        self.put(kind, &mut bytes);
        bytes
    }

    /// Writes this header over that of a page, without its checksum.
    pub(crate) fn put(&self, kind: Kind, bytes: &mut PageBytes) {
        let mut draft = Draft::new(crate::table::RECORD_LENGTH);
        draft.put(at::MAGIC, &[MAGIC_PREFIX, kind.letters()].concat());
        draft.put_u16(at::VERSION, VERSION);
        draft.put_u128(at::FORMAT_ID, self.format_id.0);
        draft.put_u64(at::LBA, self.lba.0);
        draft.put_u32(at::OBJECT, self.object);
        draft.put_u8(at::LEVEL, self.level);
        draft.put_u64(at::EPOCH, self.epoch.0);
        draft.put_u64(at::SEQUENCE, self.sequence.0);
        bytes[..PAGE_HEADER_LENGTH].copy_from_slice(&draft.all()[..PAGE_HEADER_LENGTH]);
    }

    /// The header of a page whose checksum and place were checked.
    pub(crate) fn get(view: &View<'_>) -> Result<PageHeader, DecodeError> {
        Ok(PageHeader {
            format_id: FormatId(view.u128(at::FORMAT_ID)),
            lba: Lba(view.u64(at::LBA)),
            object: view.u32(at::OBJECT),
            level: view.u8(at::LEVEL),
            epoch: Epoch(view.growing(at::EPOCH, Epoch::LARGEST.0)?),
            sequence: JournalSequence(view.growing(at::SEQUENCE, JournalSequence::LARGEST.0)?),
        })
    }
}

/// The header and the bytes of a page that was read at `place`.
pub(crate) fn decode_page(
    bytes: &[u8],
    kind: Kind,
    place: &Place,
) -> Result<(PageHeader, Box<PageBytes>), DecodeError> {
    let Ok(page) = <&PageBytes>::try_from(bytes) else {
        return Err(DecodeError::Length { found: bytes.len() });
    };
    let view = check_front(bytes, kind, place.lba, Some(place.format_id))?;
    view.check_reserved(at::TABLE)?;
    Ok((PageHeader::get(&view)?, Box::new(*page)))
}

/// Puts the checksum into a page.
pub(crate) fn seal(bytes: &mut PageBytes) {
    let checksum = page_checksum(bytes);
    let field = at::CHECKSUM;
    bytes[field.offset..field.offset + field.length].copy_from_slice(&checksum.to_le_bytes());
}
