//! Why no cluster was had, and why a map could not be read or changed.

use oarlock_block::{IoError, Lba};
use oarlock_format::{ClusterNumber, GroupNumber};

use crate::core::Ended;
use crate::journal::JournalError;
use crate::lock::LockError;
use crate::pages::{Failed, PageFault};
use crate::path::PathError;

/// Why a map was not read or changed, or a cluster not had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// Every group was empty, or its owner needs it (R37).
    #[error("the datastore has no space left")]
    NoSpace,
    /// The journal, and with it this host's right to change anything.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A page does not check out, or there is no place for it.
    #[error(transparent)]
    Page(#[from] PageFault),
    /// A page or a node was not read.
    #[error("block {lba} of a map could not be read: {error}")]
    Read {
        /// The first block.
        lba: Lba,
        /// The device's last words.
        error: IoError,
    },
    /// A map leads to what cannot be a node of it.
    #[error("a map leads to cluster {cluster}, which holds no node of level {level}")]
    NotANode {
        /// Where it leads.
        cluster: ClusterNumber,
        /// What should stand there.
        level: u8,
    },
    /// The map does not reach that far.
    #[error("cluster {index} lies beyond what the map can hold")]
    Beyond {
        /// Which cluster of the disk.
        index: u64,
    },
    /// A group's lock was not got, for another reason than that its owner needs it.
    #[error("group {group}: {error}")]
    Group {
        /// The group.
        group: GroupNumber,
        /// Why.
        error: LockError,
    },
    /// The layer's descriptor did not take its new root.
    #[error("the layer's descriptor did not take its new root: {detail}")]
    Root {
        /// Why.
        detail: String,
    },
}

impl From<Failed> for SpaceError {
    fn from(_: Failed) -> SpaceError {
        JournalError::Ended(Ended::Left).into()
    }
}

impl SpaceError {
    /// Whether a write may still land: what it writes to is given to nobody in this life (R33).
    pub(crate) const fn may_still_land(&self) -> bool {
        matches!(self, SpaceError::Journal(JournalError::StillOut { .. } | JournalError::Ended(_)))
    }

    /// What a guest is told.
    #[must_use]
    pub const fn for_guest(&self) -> PathError {
        match self {
            SpaceError::NoSpace => PathError::NoSpace,
            _ => PathError::Io,
        }
    }
}
