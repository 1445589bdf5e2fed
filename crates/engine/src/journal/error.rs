//! Why a journal failed, and why it does nothing any more.

use oarlock_block::{IoError, Lba};

use crate::core::Ended;
use crate::store::ReadFault;

/// Why this host's journal does not do what it was asked. Whatever it is, it is so for the rest of this life.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The host came to its end.
    #[error(transparent)]
    Ended(#[from] Ended),
    /// The datastore was formatted without disks.
    #[error("the datastore was formatted without disks")]
    NoDisks,
    /// The ring of this host's slot is too short, or its header is about another one.
    #[error("the journal's header is about a ring of {found} blocks, and there are {blocks}")]
    OtherRing {
        /// How many the layout has.
        blocks: u32,
        /// How many the header says.
        found: u32,
    },
    /// The journal belongs to another life of the slot.
    #[error("the journal's header names incarnation {found}, and this is {mine}")]
    OtherLife {
        /// This host's.
        mine: u64,
        /// The header's.
        found: u64,
    },
    /// The journal's header could not be read or trusted.
    #[error("the journal's header: {0}")]
    Header(ReadFault),
    /// The header could not be swapped for the whole hold time.
    #[error("the journal's header could not be swapped: {why}")]
    Swap {
        /// What the last attempt came to.
        why: String,
    },
    /// A command of the journal was not done, for the whole hold time or for good.
    #[error("block {lba} of the journal, or of a page, could not be written: {error}")]
    Write {
        /// The first block.
        lba: Lba,
        /// The device's last words.
        error: IoError,
    },
    /// A write has no answer, and may land at any time.
    #[error("the write at block {lba} has no answer, and may still land")]
    StillOut {
        /// The first block.
        lba: Lba,
    },
    /// The device does not say that what it answered is durable.
    #[error("the device could not be flushed: {0}")]
    Flush(IoError),
}
