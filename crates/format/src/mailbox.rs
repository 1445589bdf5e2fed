//! The mailbox record: hints to a host, which locks others wait for. A lost hint costs time, never safety.

use oarlock_block::{Lba, all_zero};

use crate::error::DecodeError;
use crate::record::Record;
use crate::stamp::{Kind, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

/// Hints that a mailbox holds; one more makes it overflow.
pub const MAILBOX_ENTRIES_MAX: usize = 32;

const ENTRY_LENGTH: usize = 8;

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    FLAGS: 88, 1, "flags", Shape::Flags(&["overflow"]);
    COUNT: 89, 1, "count", Shape::Number;
    RESERVED_COUNT: 90, 6, "reserved", Shape::Reserved;
    ENTRIES: 96, 256, "entries", Shape::Addresses("count");
    RESERVED_END: 352, 160, "reserved", Shape::Reserved;
}

const _: () = assert!(at::ENTRIES.length == MAILBOX_ENTRIES_MAX * ENTRY_LENGTH);

const OVERFLOW: u8 = 1;

/// Hints to the host in the slot beside it (R26).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxRecord {
    /// There were more hints than entries: look at all locks.
    pub overflow: bool,
    /// Addresses of records that somebody waits for: each once, at most [`MAILBOX_ENTRIES_MAX`].
    pub entries: Vec<Lba>,
}

impl MailboxRecord {
    /// This mailbox after somebody rang for the record at `lba`: unchanged where that hint is there already, or where
    /// the mailbox overflows as it is.
    #[must_use]
    pub fn ring(&self, lba: Lba) -> MailboxRecord {
        let mut rung = self.clone();
        if rung.overflow || rung.entries.contains(&lba) {
            return rung;
        }
        if rung.entries.len() < MAILBOX_ENTRIES_MAX {
            rung.entries.push(lba);
        } else {
            rung.overflow = true;
        }
        rung
    }
}

impl Record for MailboxRecord {
    const KIND: Kind = Kind::Mailbox;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if self.entries.len() > MAILBOX_ENTRIES_MAX {
            return Err(at::COUNT.error("more entries than there is room for"));
        }
        let repeated = |(index, lba)| self.entries[..index].contains(lba);
        if self.entries.iter().enumerate().any(repeated) {
            return Err(at::ENTRIES.error("an address twice"));
        }
        Ok(())
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_u8(at::FLAGS, if self.overflow { OVERFLOW } else { 0 });
        draft.put_u8(at::COUNT, u8::try_from(self.entries.len()).unwrap_or(u8::MAX));
        let bytes: Vec<u8> = self.entries.iter().flat_map(|lba| lba.0.to_le_bytes()).collect();
        draft.put(at::ENTRIES, &bytes);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let count = usize::from(view.u8(at::COUNT));
        if count > MAILBOX_ENTRIES_MAX {
            return Err(at::COUNT.error("more entries than there is room for"));
        }
        let (used, unused) = view.bytes(at::ENTRIES).split_at(count * ENTRY_LENGTH);
        if !all_zero(unused) {
            return Err(at::ENTRIES.error("an entry beyond the count"));
        }
        let (entries, _) = used.as_chunks::<ENTRY_LENGTH>();
        Ok(MailboxRecord {
            overflow: view.flags(at::FLAGS)? & OVERFLOW != 0,
            entries: entries.iter().map(|bytes| Lba(u64::from_le_bytes(*bytes))).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_kept_once_and_the_thirty_third_overflows() {
        let mut mailbox = MailboxRecord::default();
        for lba in (0..32).chain(0..32) {
            mailbox = mailbox.ring(Lba(lba));
        }
        assert_eq!(mailbox.entries.len(), MAILBOX_ENTRIES_MAX);
        assert!(!mailbox.overflow);
        let full = mailbox.ring(Lba(99));
        assert_eq!(full, MailboxRecord { overflow: true, ..mailbox });
        assert_eq!(full.ring(Lba(100)), full);
    }
}
