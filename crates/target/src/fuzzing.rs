//! What the fuzz targets reach of this crate: the files that a unit has beside its medium. No other build has it.

use oarlock_block::crc32c;

use crate::record::{Found, RECORD_BYTES_MAX, Record};
use crate::saved;

/// What is saved of a unit, read from a text with the checksum that belongs to it, is written so that it reads as the same.
///
/// # Panics
/// Where it is not.
pub fn check_saved(body: &str) {
    let whole = format!("{body}checksum {:08x}\n", crc32c(&[body.as_bytes()]));
    let Some((found, Some(serial))) = saved::decode(&whole) else { return };
    assert_eq!(saved::decode(&saved::encode(&found, &serial)), Some((found, Some(serial))));
}

/// A record of an atomic write, read from a header and data with the checksums that belong to it, lies within its journal and is written so that it
/// reads as the same.
///
/// # Panics
/// Where it does not.
pub fn check_record(input: &[u8]) {
    let journal = &mut vec![0; RECORD_BYTES_MAX];
    Record::seal(journal, input);
    let Found::Complete(record) = Record::find(journal) else { return };
    assert!(record.length() <= RECORD_BYTES_MAX && record.bytes().start <= record.bytes().end);
    let data = journal[record.data()].to_vec();
    let mut again = vec![0; record.length()];
    record.encode(&mut again, &data);
    assert_eq!(Record::find(&again), Found::Complete(record));
}
