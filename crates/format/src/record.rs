//! From record to image and back: the one encoder and the one decoder, and the order in which a block is doubted.

use std::fmt;
use std::sync::Arc;

use oarlock_block::{BlockSize, Lba, all_zero, crc32c};

use crate::error::DecodeError;
use crate::ids::FormatId;
use crate::layout::Layout;
use crate::stamp::{self, Kind, MAGIC_PREFIX, Stamp, VERSION};
use crate::table::{Draft, FieldSpec, View};

/// The full content of one record's block: what an ATS compares and what it writes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Image {
    bytes: Arc<[u8]>,
}

impl Image {
    /// The image that these bytes are, whatever they hold.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Image {
        Image { bytes: Arc::from(bytes) }
    }

    /// The bytes: one block.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The stamp, if this is a whole record.
    #[must_use]
    pub fn stamp(&self) -> Option<Stamp> {
        stamp_of(&self.bytes)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = View::new(&self.bytes);
        match (self.stamp(), view.and_then(|view| kind_of(&view))) {
            (Some(stamp), Some(kind)) => {
                write!(formatter, "Image({} {} nonce {})", kind.name(), stamp.generation, stamp.nonce)
            }
            _ => write!(formatter, "Image({} bytes, no record)", self.bytes.len()),
        }
    }
}

/// A record's content: what stands behind the stamp.
pub trait Record: Sized {
    /// What kind of record this is.
    const KIND: Kind;

    /// Where its fields stand, from the end of the stamp to the end of the record.
    const TABLE: &'static [FieldSpec];

    /// Whether the fields agree with one another. Asked before each write and after each read.
    ///
    /// # Errors
    /// [`DecodeError::Field`]: what does not agree.
    fn check(&self) -> Result<(), DecodeError>;

    /// Whether the record names nothing that the datastore does not have. A whole record can: bytes on a disk prove
    /// nothing, and whoever goes on to look at a slot that is not there would look somewhere else.
    ///
    /// # Errors
    /// [`DecodeError::Field`]: what it names.
    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        let _ = layout;
        Ok(())
    }

    /// Writes the fields.
    fn encode_body(&self, draft: &mut Draft);

    /// Reads the fields of a block whose stamp and reserved bytes were checked.
    ///
    /// # Errors
    /// [`DecodeError::Field`], or [`DecodeError::Features`] from a superblock.
    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError>;
}

/// A record and its stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped<R> {
    /// Whose, where, when.
    pub stamp: Stamp,
    /// What.
    pub record: R,
}

/// What a reader knows about a record before it reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The datastore.
    pub format_id: FormatId,
    /// The address that was read.
    pub lba: Lba,
}

/// The image of a record.
///
/// # Panics
/// When the record's fields do not agree with one another: a programmer's error, which must not reach the disk.
#[must_use]
pub fn encode<R: Record>(stamp: &Stamp, record: &R, block_size: BlockSize) -> Image {
    if let Err(error) = record.check() {
        panic!("a {} record that no reader would take is about to be written: {error}", R::KIND.name());
    }
    let mut draft = Draft::new(block_size.length());
    stamp.put(R::KIND, &mut draft);
    record.encode_body(&mut draft);
    let checksum = checksum_of(draft.all(), &[]);
    draft.put_u32(stamp::at::CHECKSUM, checksum);
    Image { bytes: Arc::from(draft.finish()) }
}

/// The record in a block that was read at `place`.
///
/// # Errors
/// The first doubt that the block does not stand.
pub fn decode<R: Record>(bytes: &[u8], place: &Place) -> Result<Stamped<R>, DecodeError> {
    decode_at(bytes, place.lba, Some(place.format_id))
}

/// As [`decode`], for readers who will act on the record: it names nothing that a datastore of this layout has not.
///
/// # Errors
/// The first doubt that the block does not stand.
pub fn decode_within<R: Record>(
    bytes: &[u8],
    place: &Place,
    layout: &Layout,
) -> Result<Stamped<R>, DecodeError> {
    let stamped = decode::<R>(bytes, place)?;
    stamped.record.check_within(layout)?;
    Ok(stamped)
}

/// As [`decode`]; without a format id for the superblock, where one learns it.
pub(crate) fn decode_at<R: Record>(
    bytes: &[u8],
    lba: Lba,
    format_id: Option<FormatId>,
) -> Result<Stamped<R>, DecodeError> {
    let view = check_front(bytes, R::KIND, lba, format_id)?;
    view.check_reserved(stamp::at::TABLE)?;
    view.check_reserved(R::TABLE)?;
    view.check_rest()?;
    let stamp = Stamp::get(&view)?;
    let record = R::decode_body(&view)?;
    record.check()?;
    Ok(Stamped { stamp, record })
}

/// What records, pages and blocks of a journal begin with, doubted in order: length, magic, checksum, kind, version,
/// format id, own address.
pub(crate) fn check_front(
    bytes: &[u8],
    kind: Kind,
    lba: Lba,
    format_id: Option<FormatId>,
) -> Result<View<'_>, DecodeError> {
    let view = check_whole(bytes)?;
    match kind_of(&view) {
        Some(found) if found == kind => {}
        Some(found) => return Err(DecodeError::WrongKind { found }),
        None => return Err(DecodeError::UnknownKind { letters: kind_letters(&view) }),
    }
    check_version(&view)?;
    let found = FormatId(view.u128(stamp::at::FORMAT_ID));
    if format_id.is_some_and(|expected| expected != found) {
        return Err(DecodeError::OtherDatastore { found });
    }
    let found = Lba(view.u64(stamp::at::LBA));
    if found != lba {
        return Err(DecodeError::OtherAddress { found });
    }
    Ok(view)
}

/// The stamp of any record, of whatever kind and datastore, whose magic, checksum and version hold. Pages and blocks of a
/// journal have none.
#[must_use]
pub fn stamp_of(bytes: &[u8]) -> Option<Stamp> {
    let view = check_whole(bytes).ok()?;
    if kind_of(&view).is_some_and(|kind| !kind.is_record()) {
        return None;
    }
    check_version(&view).ok()?;
    Stamp::get(&view).ok()
}

/// What kind of record the block's letters name.
pub(crate) fn kind_of(view: &View<'_>) -> Option<Kind> {
    Kind::of_letters(kind_letters(view))
}

fn kind_letters(view: &View<'_>) -> [u8; 4] {
    let mut letters = [0; 4];
    letters.copy_from_slice(&view.bytes(stamp::at::MAGIC)[MAGIC_PREFIX.len()..]);
    letters
}

fn check_version(view: &View<'_>) -> Result<(), DecodeError> {
    match view.u16(stamp::at::VERSION) {
        VERSION => Ok(()),
        found => Err(DecodeError::Version { found }),
    }
}

/// Checks what can be checked without knowing what was looked for: length, zeros, magic, checksum.
///
/// The checksum comes before the kind, so that a rotten letter of the kind reads as damage and not as another record;
/// and a block whose checksum holds once the magic is put right had its magic rot, and is damage too.
pub(crate) fn check_whole(bytes: &[u8]) -> Result<View<'_>, DecodeError> {
    let known = u32::try_from(bytes.len()).ok().and_then(BlockSize::from_bytes).is_some();
    let Some(view) = View::new(bytes).filter(|_| known) else {
        return Err(DecodeError::Length { found: bytes.len() });
    };
    if all_zero(bytes) {
        return Err(DecodeError::Blank);
    }
    let stored = view.u32(stamp::at::CHECKSUM);
    let computed = checksum_of(bytes, &[]);
    if !bytes.starts_with(&MAGIC_PREFIX) {
        let rotten_magic = checksum_of(bytes, &MAGIC_PREFIX) == stored;
        return Err(if rotten_magic {
            DecodeError::Checksum { stored, computed }
        } else {
            DecodeError::Foreign
        });
    }
    if stored == computed { Ok(view) } else { Err(DecodeError::Checksum { stored, computed }) }
}

/// The checksum that a page or a block of a journal must carry.
pub(crate) fn page_checksum(bytes: &[u8]) -> u32 {
    checksum_of(bytes, &[])
}

/// The CRC32C of a block with its own field taken as zero, and `front` in the place of its first bytes.
fn checksum_of(block: &[u8], front: &[u8]) -> u32 {
    let field = stamp::at::CHECKSUM;
    let before = &block[front.len()..field.offset];
    crc32c(&[front, before, &[0; 4], &block[field.offset + field.length..]])
}
