//! The header of a slot's journal: whose life writes it, and where a replay begins (R31).

use crate::error::DecodeError;
use crate::ids::Incarnation;
use crate::numbers::JournalSequence;
use crate::record::Record;
use crate::stamp::{Kind, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    INCARNATION: 88, 8, "incarnation", Shape::Number;
    FIRST: 96, 8, "first sequence", Shape::Number;
    FIRST_INDEX: 104, 4, "first block", Shape::Number;
    BLOCKS: 108, 4, "blocks", Shape::Number;
    RESERVED_END: 112, 400, "reserved", Shape::Reserved;
}

/// The header of a journal. Its writer is the slot's host, or who replays it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// The life whose blocks count; 0 where nobody has written any.
    pub incarnation: Incarnation,
    /// The sequence of the first block that a replay needs; where there is none, of the next that will be written. It never
    /// goes back, so that no block of an earlier lap or life ever follows.
    pub first: JournalSequence,
    /// Where in the ring that block stands.
    pub first_index: u32,
    /// How many blocks the ring has.
    pub blocks: u32,
}

impl JournalHeader {
    /// The header of a journal of so many blocks that nobody has used.
    #[must_use]
    pub const fn never_used(blocks: u32) -> JournalHeader {
        JournalHeader { incarnation: Incarnation(0), first: JournalSequence(1), first_index: 0, blocks }
    }
}

impl Record for JournalHeader {
    const KIND: Kind = Kind::Journal;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if self.first == JournalSequence(0) {
            return Err(at::FIRST.error("the sequence that stands for none"));
        }
        if self.first_index >= self.blocks {
            return Err(at::FIRST_INDEX.error("a block beyond the ring"));
        }
        Ok(())
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_u64(at::INCARNATION, self.incarnation.0);
        draft.put_u64(at::FIRST, self.first.0);
        draft.put_u32(at::FIRST_INDEX, self.first_index);
        draft.put_u32(at::BLOCKS, self.blocks);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        Ok(JournalHeader {
            incarnation: Incarnation(view.growing(at::INCARNATION, Incarnation::LARGEST.0)?),
            first: JournalSequence(view.growing(at::FIRST, JournalSequence::LARGEST.0)?),
            first_index: view.u32(at::FIRST_INDEX),
            blocks: view.u32(at::BLOCKS),
        })
    }
}
