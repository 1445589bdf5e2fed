//! A window on the tables of an image: the piece of a table that was read last.

use super::fault::Qcow2Fault;
use super::header::u64_at;
use crate::limits::TABLE_WINDOW_LENGTH;
use crate::storage::Storage;

/// The piece of a table that was read last. Tables are read from front to back, so one piece is enough.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The word at a place of the file, which lies before its end.
    pub(super) fn word(&mut self, storage: &impl Storage, offset: u64) -> Result<u64, Qcow2Fault> {
        let length = TABLE_WINDOW_LENGTH as u64;
        let start = offset - offset % length;
        if self.start != start || self.bytes.is_empty() {
            let there = storage.length().saturating_sub(start).min(length);
            self.bytes.resize(usize::try_from(there).unwrap_or(TABLE_WINDOW_LENGTH), 0);
            if let Err(error) = storage.read_at(start, &mut self.bytes) {
                self.bytes.clear();
                return Err(error.into());
            }
            self.start = start;
        }
        Ok(u64_at(&self.bytes, usize::try_from(offset - start).unwrap_or(usize::MAX - 8)))
    }
}
