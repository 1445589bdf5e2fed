//! The record of one atomic write, as it stands in a unit's journal: what is written where, and that it is whole.
//!
//! ```text
//! byte   0  magic             8 bytes
//!        8  version           u32, little-endian as all numbers here
//!       12  bytes of a block  u32
//!       16  first block       u64
//!       24  count of blocks   u64
//!       32  bytes of data     u32
//!       36  CRC32C of them    u32
//!       40  length of the unit's serial number, u32
//!       44  the serial number, and zeros up to byte 508
//!      508  CRC32C of all before it
//!     4096  the data, and zeros up to a multiple of 4,096
//! ```
//!
//! A header of zeros is none: there is nothing to be written.

use std::ops::Range;

use oarlock_block::{BlockSize, crc32c};

use crate::limits::ATOMIC_BYTES_MAX;

/// What a journal is written in, whatever the blocks of its unit: no disk has longer ones. The data begin at the second.
pub(crate) const RECORD_BLOCK: usize = 4096;

/// The longest record.
pub(crate) const RECORD_BYTES_MAX: usize = RECORD_BLOCK + ATOMIC_BYTES_MAX;

const MAGIC: [u8; 8] = *b"OARATOMI";
const VERSION: u32 = 1;

/// A sector: what is written of the header lies in one.
const HEADER_LENGTH: usize = 512;
const SERIAL: usize = 44;
const CHECKSUM: usize = 508;

const _: () = assert!(ATOMIC_BYTES_MAX.is_multiple_of(RECORD_BLOCK), "data are padded within the journal");

/// What one atomic write writes, but for its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) serial: String,
    pub(crate) block_size: BlockSize,
    pub(crate) blocks: Range<u64>,
}

/// What a journal has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// A record that was cut before its end: the blocks that it is of were not touched.
    Incomplete,
    Complete(Record),
}

impl Record {
    /// The bytes of the unit that it is of.
    pub(crate) fn bytes(&self) -> Range<u64> {
        let block = u64::from(self.block_size.bytes());
        self.blocks.start * block..self.blocks.end * block
    }

    /// Where its data stand in a journal.
    pub(crate) fn data(&self) -> Range<usize> {
        let bytes = self.bytes();
        RECORD_BLOCK..RECORD_BLOCK + usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX)
    }

    /// What it takes in a journal.
    pub(crate) fn length(&self) -> usize {
        self.data().end.next_multiple_of(RECORD_BLOCK)
    }

    /// Writes it into `record`, which is as long as it.
    pub(crate) fn encode(&self, record: &mut [u8], data: &[u8]) {
        assert!(
            record.len() == self.length() && data.len() == self.data().len(),
            "a record of its own length"
        );
        record[..RECORD_BLOCK].fill(0);
        record[self.data()].copy_from_slice(data);
        record[self.data().end..].fill(0);
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &self.block_size.bytes().to_le_bytes());
        put(16, &self.blocks.start.to_le_bytes());
        put(24, &(self.blocks.end - self.blocks.start).to_le_bytes());
        put(32, &number(data.len()));
        put(36, &crc32c(&[data]).to_le_bytes());
        put(40, &number(self.serial.len()));
        put(SERIAL, self.serial.as_bytes());
        let checksum = crc32c(&[&record[..CHECKSUM]]);
        record[CHECKSUM..HEADER_LENGTH].copy_from_slice(&checksum.to_le_bytes());
    }

    /// What a journal has, of all its bytes.
    pub(crate) fn find(journal: &[u8]) -> Found {
        if journal.iter().take(HEADER_LENGTH).all(|byte| *byte == 0) {
            return Found::Nothing;
        }
        Record::decode(journal).map_or(Found::Incomplete, Found::Complete)
    }

    fn decode(journal: &[u8]) -> Option<Record> {
        let header = journal.get(..HEADER_LENGTH)?;
        let short = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let long = |at: usize| header.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let is_sound = header.starts_with(&MAGIC)
            && short(8)? == VERSION
            && short(CHECKSUM)? == crc32c(&[&header[..CHECKSUM]]);
        if !is_sound {
            return None;
        }
        let (serial, unused) =
            header[SERIAL..CHECKSUM].split_at_checked(usize::try_from(short(40)?).ok()?)?;
        if unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        let record = Record {
            serial: str::from_utf8(serial).ok()?.to_owned(),
            block_size: BlockSize::from_bytes(short(12)?)?,
            blocks: long(16)?..long(16)?.checked_add(long(24)?)?,
        };
        let length = u64::from(short(32)?);
        let block = u64::from(record.block_size.bytes());
        let is_in_range = record.blocks.end.checked_mul(block).is_some() && length <= ATOMIC_BYTES_MAX as u64;
        if !is_in_range || length == 0 || long(24)?.checked_mul(block)? != length {
            return None;
        }
        (crc32c(&[journal.get(record.data())?]) == short(36)?).then_some(record)
    }
}

#[cfg(fuzzing)]
impl Record {
    /// Writes a header and data as they are, but for the magic, the version and the checksums, without which nothing would be read.
    pub(crate) fn seal(journal: &mut [u8], input: &[u8]) {
        let (header, data) = input.split_at(HEADER_LENGTH.min(input.len()));
        journal[..header.len()].copy_from_slice(header);
        let place = RECORD_BLOCK..RECORD_BLOCK + data.len().min(journal.len() - RECORD_BLOCK);
        journal[place.clone()].copy_from_slice(&data[..place.len()]);
        journal[..8].copy_from_slice(&MAGIC);
        journal[8..12].copy_from_slice(&VERSION.to_le_bytes());
        let length = u32::from_le_bytes([journal[32], journal[33], journal[34], journal[35]]) as usize;
        let rest = &journal[RECORD_BLOCK..];
        let data = crc32c(&[rest.get(..length).unwrap_or(rest)]);
        journal[36..40].copy_from_slice(&data.to_le_bytes());
        let checksum = crc32c(&[&journal[..CHECKSUM]]);
        journal[CHECKSUM..HEADER_LENGTH].copy_from_slice(&checksum.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record { serial: "5A0C11D2".to_owned(), block_size: BlockSize::B512, blocks: 7..10 }
    }

    fn encoded() -> Vec<u8> {
        let mut journal = vec![0xee; record().length()];
        record().encode(&mut journal, &[0x3c; 3 * 512]);
        journal
    }

    #[test]
    fn a_record_is_found_as_it_was_written_and_zeros_are_none() {
        assert_eq!(record().length(), 2 * RECORD_BLOCK);
        assert_eq!(Record::find(&encoded()), Found::Complete(record()));
        assert_eq!(Record::find(&[0; RECORD_BYTES_MAX]), Found::Nothing);
        let longest = Record { block_size: BlockSize::B4096, blocks: 1..257, ..record() };
        let mut journal = vec![0; RECORD_BYTES_MAX];
        longest.encode(&mut journal, &[1; ATOMIC_BYTES_MAX]);
        assert_eq!(Record::find(&journal), Found::Complete(longest));
    }

    #[test]
    fn a_record_of_which_a_byte_is_another_is_not_complete() {
        let encoded = encoded();
        for place in (0..HEADER_LENGTH).chain(record().data()) {
            let mut changed = encoded.clone();
            changed[place] ^= 0x10;
            assert_eq!(Record::find(&changed), Found::Incomplete, "byte {place}");
        }
    }

    #[test]
    fn a_record_that_was_cut_anywhere_is_not_complete() {
        let encoded = encoded();
        for sectors in 1..(record().data().end / 512) {
            let mut cut = vec![0xee; encoded.len()];
            cut[..sectors * 512].copy_from_slice(&encoded[..sectors * 512]);
            assert_eq!(Record::find(&cut), Found::Incomplete, "{sectors} sectors");
            assert_eq!(Record::find(&encoded[..sectors * 512]), Found::Incomplete, "{sectors} sectors alone");
        }
    }
}
