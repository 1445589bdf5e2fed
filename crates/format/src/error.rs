//! Why a block is not the record that was looked for.

use crate::ids::FormatId;
use crate::stamp::Kind;
use oarlock_block::Lba;

/// Why a block is not the record that was looked for, in the order in which it is checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Neither 512 nor 4,096 bytes were given.
    #[error("a block has 512 or 4096 bytes, not {found}")]
    Length {
        /// Bytes given.
        found: usize,
    },
    /// Zeros, from end to end: never written, or wiped.
    #[error("the block is all zeros")]
    Blank,
    /// No magic of ours.
    #[error("the block is not a record of Oarlock")]
    Foreign,
    /// Torn or rotten.
    #[error("the checksum does not hold: the record says {stored:08x}, its bytes give {computed:08x}")]
    Checksum {
        /// What the record says.
        stored: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// A whole record, of another kind: it was written to the wrong place.
    #[error("a {} record stands here", .found.name())]
    WrongKind {
        /// The kind that stands here.
        found: Kind,
    },
    /// A whole record of a kind that this program does not know.
    #[error("a record of the unknown kind `{}` stands here", .letters.escape_ascii())]
    UnknownKind {
        /// The four bytes that name the kind.
        letters: [u8; 4],
    },
    /// Written by another version of the format.
    #[error("the record is of format version {found}, and this program knows version 1")]
    Version {
        /// The version.
        found: u16,
    },
    /// A record of another datastore: the device was formatted anew, or a copy was laid over it.
    #[error("the record belongs to datastore {found}")]
    OtherDatastore {
        /// Whose it is.
        found: FormatId,
    },
    /// A record of this datastore that was written to the wrong place.
    #[error("the record belongs at block {found}")]
    OtherAddress {
        /// Where it belongs.
        found: Lba,
    },
    /// Reserved bytes carry something.
    #[error("reserved byte {offset} is not zero")]
    ReservedNotZero {
        /// Which byte of the block.
        offset: usize,
    },
    /// A field says what it must not.
    #[error("the field at byte {offset} holds {what}")]
    Field {
        /// Where the field starts.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The datastore uses features that this program must know to touch it (superblock only).
    #[error("the datastore uses features unknown to this program (bits {unknown:#x})")]
    Features {
        /// The bits that are unknown.
        unknown: u64,
    },
}

impl DecodeError {
    /// Whether a record of ours stood here and was spoiled: torn, rotten, misdirected or against the format. The cause
    /// is `corrupt-block`.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            DecodeError::Checksum { .. }
            | DecodeError::WrongKind { .. }
            | DecodeError::OtherAddress { .. }
            | DecodeError::ReservedNotZero { .. }
            | DecodeError::Field { .. } => true,
            DecodeError::Length { .. }
            | DecodeError::Blank
            | DecodeError::Foreign
            | DecodeError::UnknownKind { .. }
            | DecodeError::Version { .. }
            | DecodeError::OtherDatastore { .. }
            | DecodeError::Features { .. } => false,
        }
    }

    /// Whether what stands here is not this datastore's: blank, another program's, another datastore's. The cause is
    /// `foreign-block`.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self, DecodeError::Blank | DecodeError::Foreign | DecodeError::OtherDatastore { .. })
    }

    /// Whether a newer program wrote it: whole, and not for this one to judge.
    #[must_use]
    pub const fn is_newer(&self) -> bool {
        matches!(
            self,
            DecodeError::Version { .. } | DecodeError::Features { .. } | DecodeError::UnknownKind { .. }
        )
    }
}
