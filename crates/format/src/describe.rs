//! Any block, field by field, for people: what `inspect` prints, from the very tables that the decoders read.

use std::fmt::Write;

use crate::bucket::{BUCKET_ENTRY_LENGTH, BucketEntry};
use crate::describe_page;
use crate::descriptor::NO_DESCRIPTOR;
use crate::error::DecodeError;
use crate::record::{Record, check_whole, kind_of};
use crate::slot_set::SlotSet;
use crate::stamp::{self, Kind, NO_SLOT};
use crate::table::{FieldSpec, RECORD_LENGTH, Shape, View};
use crate::{
    BucketRecord, DescriptorName, DescriptorRecord, GroupRecord, JournalHeader, LockRecord, MailboxRecord,
    SlotRecord, Superblock,
};
use crate::{journal_block, page};

/// Each table of the format, with the heading under which FORMAT.md has it.
pub const TABLES: [(&str, &[FieldSpec]); 12] = [
    ("Stamp", stamp::at::TABLE),
    ("Superblock", Superblock::TABLE),
    ("Slot", SlotRecord::TABLE),
    ("Mailbox", MailboxRecord::TABLE),
    ("Lock", LockRecord::TABLE),
    ("Directory bucket", BucketRecord::TABLE),
    ("Descriptor", DescriptorRecord::TABLE),
    ("Descriptor name", DescriptorName::TABLE),
    ("Group", GroupRecord::TABLE),
    ("Journal", JournalHeader::TABLE),
    ("Page", page::at::TABLE),
    ("Journal block", journal_block::at::TABLE),
];

/// Bytes of a block that is not ours that are shown.
const FOREIGN_BYTES_SHOWN: usize = 16;

/// One field of a block, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its first byte.
    pub offset: usize,
    /// Its length in bytes.
    pub length: usize,
    /// Its name, as in FORMAT.md.
    pub name: &'static str,
    /// What it says.
    pub value: String,
}

/// Any block, field by field: also a damaged one, whose fields then say what its bytes say. The fields follow one
/// another without a gap from the block's first byte to its last.
#[must_use]
pub fn describe(bytes: &[u8]) -> Vec<Field> {
    let whole = |value: String| vec![Field { offset: 0, length: bytes.len(), name: "block", value }];
    let checksum = match check_whole(bytes) {
        Ok(_) => "holds".to_owned(),
        Err(DecodeError::Checksum { computed, .. }) => {
            format!("does not hold: the bytes give {computed:08x}")
        }
        Err(DecodeError::Foreign) => {
            let front = bytes.get(..FOREIGN_BYTES_SHOWN).unwrap_or(bytes);
            return whole(format!("not a record of Oarlock; it starts with {}", hex(front)));
        }
        Err(error) => return whole(error.to_string()),
    };
    let Some(view) = View::new(bytes) else { return whole("shorter than a record".to_owned()) };
    let kind = kind_of(&view);
    let front = kind.and_then(describe_page::header_of).unwrap_or(stamp::at::TABLE);
    let mut fields: Vec<Field> = front.iter().map(|field| describe_field(&view, *field, front)).collect();
    if let Some(field) = fields.iter_mut().find(|field| field.offset == stamp::at::CHECKSUM.offset) {
        field.value = format!("{} ({checksum})", field.value);
    }
    if let Some(kind) = kind.filter(|kind| !kind.is_record()) {
        fields.extend(describe_page::body(kind, &view, bytes));
        return fields;
    }
    match kind.and_then(table_of) {
        Some(table) => fields.extend(table.iter().map(|field| describe_field(&view, *field, table))),
        None => {
            let body = &bytes[stamp::STAMP_LENGTH..RECORD_LENGTH];
            fields.push(raw(stamp::STAMP_LENGTH, body, "body"));
        }
    }
    if bytes.len() > RECORD_LENGTH {
        fields.push(raw(RECORD_LENGTH, &bytes[RECORD_LENGTH..], "reserved"));
    }
    fields
}

/// The table of a record.
const fn table_of(kind: Kind) -> Option<&'static [FieldSpec]> {
    match kind {
        Kind::Superblock => Some(Superblock::TABLE),
        Kind::Slot => Some(SlotRecord::TABLE),
        Kind::Mailbox => Some(MailboxRecord::TABLE),
        Kind::Lock => Some(LockRecord::TABLE),
        Kind::DirectoryBucket => Some(BucketRecord::TABLE),
        Kind::Descriptor => Some(DescriptorRecord::TABLE),
        Kind::DescriptorName => Some(DescriptorName::TABLE),
        Kind::AllocationGroup => Some(GroupRecord::TABLE),
        Kind::Journal => Some(JournalHeader::TABLE),
        Kind::MapPage | Kind::BitmapPage | Kind::JournalBlock => None,
    }
}

pub(crate) fn raw(offset: usize, bytes: &[u8], name: &'static str) -> Field {
    Field { offset, length: bytes.len(), name, value: zero_or_hex(bytes) }
}

fn describe_field(view: &View<'_>, field: FieldSpec, table: &[FieldSpec]) -> Field {
    let bytes = view.bytes(field);
    let number = number_of(bytes);
    let count = |name: &str| {
        let field = table.iter().find(|field| field.name == name);
        field.map_or(0, |field| usize::try_from(number_of(view.bytes(*field))).unwrap_or(usize::MAX))
    };
    let value = match field.shape {
        Shape::Letters => bytes.escape_ascii().to_string(),
        Shape::Number => number.to_string(),
        Shape::Hex | Shape::Checksum => format!("{number:0width$x}", width = field.length * 2),
        Shape::Slot if number == u128::from(NO_SLOT) => "none".to_owned(),
        Shape::Descriptor if number == u128::from(NO_DESCRIPTOR) => "none".to_owned(),
        Shape::Slot | Shape::Descriptor => number.to_string(),
        Shape::Milliseconds => format!("{number} ms"),
        Shape::WallTime => wall_time(view.u64(field)),
        Shape::Code(codes) => {
            let known = codes.iter().find(|(code, _)| u128::from(*code) == number);
            format!("{number} ({})", known.map_or("unknown", |(_, name)| name))
        }
        Shape::Flags(names) => flags(names, number),
        Shape::Text(length) => match bytes.get(..count(length)) {
            Some(text) => format!("\"{}\"", String::from_utf8_lossy(text).escape_debug()),
            None => format!("a length beyond the field: {}", zero_or_hex(bytes)),
        },
        Shape::SlotBits => joined(SlotSet::from_bytes(bytes).iter().map(|slot| slot.to_string())),
        Shape::Addresses(length) => {
            let (addresses, _) = bytes.as_chunks::<8>();
            joined(addresses.iter().take(count(length)).map(|lba| u64::from_le_bytes(*lba).to_string()))
        }
        Shape::BucketEntries(length) => {
            let (entries, _) = bytes.as_chunks::<BUCKET_ENTRY_LENGTH>();
            joined(entries.iter().take(count(length)).map(|entry| {
                let BucketEntry { hash, layer } = BucketEntry::of_bytes(entry);
                format!("{hash} of descriptor {layer}")
            }))
        }
        Shape::Reserved => zero_or_hex(bytes),
    };
    Field { offset: field.offset, length: field.length, name: field.name, value }
}

/// The number in up to 16 little-endian bytes.
fn number_of(bytes: &[u8]) -> u128 {
    bytes.iter().take(16).rev().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

fn flags(names: &[&str], bits: u128) -> String {
    let set = |bit: usize| bits >> bit & 1 == 1;
    let named = names.iter().enumerate().filter(|(bit, _)| set(*bit)).map(|(_, name)| (*name).to_owned());
    let nameless = (names.len()..8).filter(|bit| set(*bit)).map(|bit| format!("unknown bit {bit}"));
    joined(named.chain(nameless))
}

pub(crate) fn joined(parts: impl Iterator<Item = String>) -> String {
    let all = parts.collect::<Vec<_>>().join(", ");
    if all.is_empty() { "none".to_owned() } else { all }
}

fn zero_or_hex(bytes: &[u8]) -> String {
    if bytes.iter().all(|byte| *byte == 0) { "zero".to_owned() } else { format!("not zero: {}", hex(bytes)) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Milliseconds since 1970 as a date of the proleptic Gregorian calendar in UTC (RFC 3339); 0 was never written.
fn wall_time(milliseconds: u64) -> String {
    const DAYS_PER_ERA: u64 = 146_097;
    if milliseconds == 0 {
        return "never".to_owned();
    }
    let (days, in_day) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
    // Years are counted from 1 March of year 0, so that the leap day comes last in its year.
    let shifted = days + 719_468;
    let (era, in_era) = (shifted / DAYS_PER_ERA, shifted % DAYS_PER_ERA);
    let year = (in_era - in_era / 1_460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (seconds, fraction) = (in_day / 1_000, in_day % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_time_is_shown_as_the_date_that_the_calendar_has() {
        let cases = [
            (0, "never"),
            (1, "1970-01-01T00:00:00.001Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_795_228_563_000, "2026-11-21T02:36:03.000Z"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(wall_time(milliseconds), text);
        }
        assert!(wall_time(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn bits_without_a_name_are_shown_too() {
        assert_eq!(flags(&["a", "b"], 0b1000_0010), "b, unknown bit 7");
        assert_eq!(flags(&["a"], 0), "none");
    }
}
