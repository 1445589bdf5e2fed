//! Where each field stands: one table per record, from which encoder, decoder, `describe` and the document's test read.

use oarlock_block::{all_zero, first_not_zero};

use crate::error::DecodeError;

/// Each record fills this many bytes; where blocks are larger, the rest is zero.
pub const RECORD_LENGTH: usize = 512;

/// One field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Its name in FORMAT.md and in `inspect`.
    pub name: &'static str,
    /// Its first byte, from the start of the block.
    pub offset: usize,
    /// Its length in bytes.
    pub length: usize,
    /// How its bytes are read.
    pub shape: Shape,
}

/// How the bytes of a field are read. Numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Letters of ASCII.
    Letters,
    /// A number.
    Number,
    /// A number that people read as hexadecimal digits.
    Hex,
    /// The checksum.
    Checksum,
    /// A slot's index; 0xFFFF says that there is none.
    Slot,
    /// A length of time in milliseconds.
    Milliseconds,
    /// Milliseconds since 1970 in UTC.
    WallTime,
    /// One of the named values.
    Code(&'static [(u8, &'static str)]),
    /// Named bits, from bit 0 on.
    Flags(&'static [&'static str]),
    /// UTF-8 whose length stands in the field of that name; the rest is zero.
    Text(&'static str),
    /// A bitmap of slots: slot n is bit n % 8 of byte n / 8.
    SlotBits,
    /// A list of addresses of 8 bytes whose count stands in the field of that name; the rest is zero.
    Addresses(&'static str),
    /// A descriptor's number; 0xFFFFFFFF says that there is none.
    Descriptor,
    /// A list of a directory's entries of 20 bytes whose count stands in the field of that name; the rest is zero.
    BucketEntries(&'static str),
    /// Zero, and checked to be.
    Reserved,
}

/// Whether the fields of a table follow one another without gap or overlap from `start` to `end`.
pub(crate) const fn tiles(table: &[FieldSpec], start: usize, end: usize) -> bool {
    let (mut at, mut index) = (start, 0);
    while index < table.len() {
        if table[index].offset != at || table[index].length == 0 {
            return false;
        }
        at += table[index].length;
        index += 1;
    }
    at == end
}

/// Declares a module `at` with a constant for each field, and `TABLE` of them all, proved to tile its range.
macro_rules! field_table {
    ($start:expr, $end:expr; $($id:ident: $offset:literal, $length:literal, $name:literal, $shape:expr;)+) => {
        /// Where each field stands.
        pub(crate) mod at {
            #[allow(unused_imports)]
            use super::*;
            use crate::table::{FieldSpec, Shape};

            $(pub(crate) const $id: FieldSpec =
                FieldSpec { name: $name, offset: $offset, length: $length, shape: $shape };)+

            /// All of them, in order.
            pub(crate) const TABLE: &[FieldSpec] = &[$($id),+];

            const _: () = assert!(crate::table::tiles(TABLE, $start, $end));
        }
    };
}
pub(crate) use field_table;

/// The fields of one record under construction.
pub struct Draft {
    bytes: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(length: usize) -> Draft {
        assert!(length >= RECORD_LENGTH, "a block is shorter than a record");
        Draft { bytes: vec![0; length] }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn all(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the front of a field; the rest stays zero.
    pub(crate) fn put(&mut self, field: FieldSpec, value: &[u8]) {
        assert!(value.len() <= field.length, "a value is longer than its field");
        self.bytes[field.offset..field.offset + value.len()].copy_from_slice(value);
    }

    pub(crate) fn put_u8(&mut self, field: FieldSpec, value: u8) {
        self.put_whole(field, &[value]);
    }

    pub(crate) fn put_u16(&mut self, field: FieldSpec, value: u16) {
        self.put_whole(field, &value.to_le_bytes());
    }

    pub(crate) fn put_u32(&mut self, field: FieldSpec, value: u32) {
        self.put_whole(field, &value.to_le_bytes());
    }

    pub(crate) fn put_u64(&mut self, field: FieldSpec, value: u64) {
        self.put_whole(field, &value.to_le_bytes());
    }

    pub(crate) fn put_u128(&mut self, field: FieldSpec, value: u128) {
        self.put_whole(field, &value.to_le_bytes());
    }

    /// Writes a text and its length.
    pub(crate) fn put_text(&mut self, length: FieldSpec, field: FieldSpec, text: &str) {
        let count = u8::try_from(text.len());
        assert!(count.is_ok(), "a text is longer than a length byte can say");
        self.put_u8(length, count.unwrap_or_default());
        self.put(field, text.as_bytes());
    }

    fn put_whole(&mut self, field: FieldSpec, value: &[u8]) {
        assert!(value.len() == field.length, "a value is not as long as its field");
        self.put(field, value);
    }
}

/// A checked view of a block: long enough for each table, whatever its bytes are.
#[derive(Clone, Copy)]
pub struct View<'a> {
    record: &'a [u8; RECORD_LENGTH],
    rest: &'a [u8],
}

impl<'a> View<'a> {
    /// The view, unless the block is too short for a record.
    pub(crate) fn new(block: &'a [u8]) -> Option<View<'a>> {
        let (record, rest) = block.split_first_chunk()?;
        Some(View { record, rest })
    }

    /// The whole block's length.
    pub(crate) const fn length(&self) -> usize {
        RECORD_LENGTH + self.rest.len()
    }

    pub(crate) fn bytes(&self, field: FieldSpec) -> &'a [u8] {
        // No table reaches beyond the record: `tiles` proved it when this was compiled.
        &self.record[field.offset..field.offset + field.length]
    }

    fn array<const N: usize>(&self, field: FieldSpec) -> [u8; N] {
        let mut value = [0; N];
        value.copy_from_slice(self.bytes(field));
        value
    }

    pub(crate) fn u8(&self, field: FieldSpec) -> u8 {
        u8::from_le_bytes(self.array(field))
    }

    pub(crate) fn u16(&self, field: FieldSpec) -> u16 {
        u16::from_le_bytes(self.array(field))
    }

    pub(crate) fn u32(&self, field: FieldSpec) -> u32 {
        u32::from_le_bytes(self.array(field))
    }

    pub(crate) fn u64(&self, field: FieldSpec) -> u64 {
        u64::from_le_bytes(self.array(field))
    }

    pub(crate) fn u128(&self, field: FieldSpec) -> u128 {
        u128::from_le_bytes(self.array(field))
    }

    /// A number that only grows, within what is accepted from a disk.
    pub(crate) fn growing(&self, field: FieldSpec, largest: u64) -> Result<u64, DecodeError> {
        let value = self.u64(field);
        if value > largest { Err(field.error("a number beyond all that are given out")) } else { Ok(value) }
    }

    /// A text whose length stands in `length`; `None` where that is 0.
    pub(crate) fn text(&self, length: FieldSpec, field: FieldSpec) -> Result<Option<&'a str>, DecodeError> {
        let count = usize::from(self.u8(length));
        let Some((text, rest)) = self.bytes(field).split_at_checked(count) else {
            return Err(length.error("a length beyond its field"));
        };
        if !all_zero(rest) {
            return Err(field.error("bytes beyond the text's length"));
        }
        let text = str::from_utf8(text).map_err(|_| field.error("a text that is not UTF-8"))?;
        Ok((!text.is_empty()).then_some(text))
    }

    /// Whether bits that no flag of the field has a name for are all zero, and the flags.
    pub(crate) fn flags(&self, field: FieldSpec) -> Result<u8, DecodeError> {
        let value = self.u8(field);
        let named = match field.shape {
            Shape::Flags(names) => names.iter().fold(0_u8, |mask, _| (mask << 1) | 1),
            _ => 0,
        };
        if value & !named == 0 { Ok(value) } else { Err(field.error("a flag without a meaning")) }
    }

    /// Checks that each reserved byte of a table is zero.
    pub(crate) fn check_reserved(&self, table: &[FieldSpec]) -> Result<(), DecodeError> {
        for field in table.iter().filter(|field| field.shape == Shape::Reserved) {
            if let Some(index) = first_not_zero(self.bytes(*field)) {
                return Err(DecodeError::ReservedNotZero { offset: field.offset + index });
            }
        }
        Ok(())
    }

    /// Checks that the block is zero behind the record.
    pub(crate) fn check_rest(&self) -> Result<(), DecodeError> {
        match first_not_zero(self.rest) {
            Some(index) => Err(DecodeError::ReservedNotZero { offset: RECORD_LENGTH + index }),
            None => Ok(()),
        }
    }
}

impl FieldSpec {
    /// The error of a record whose checksum holds, and whose field says what it must not.
    pub(crate) const fn error(self, what: &'static str) -> DecodeError {
        DecodeError::Field { offset: self.offset, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn field(offset: usize, length: usize) -> FieldSpec {
        FieldSpec { name: "x", offset, length, shape: Shape::Number }
    }

    #[test]
    fn a_gap_an_overlap_and_a_short_table_do_not_tile() {
        assert!(tiles(&[field(0, 8), field(8, 4)], 0, 12));
        assert!(!tiles(&[field(0, 8), field(9, 3)], 0, 12));
        assert!(!tiles(&[field(0, 8), field(7, 5)], 0, 12));
        assert!(!tiles(&[field(0, 8)], 0, 12));
        assert!(!tiles(&[field(0, 0)], 0, 0));
    }
}
