//! Requests: what a guest asks of its disk, and why it may be refused.

use oarlock_block::BlockSize;

use super::limits::DATA_LENGTH_MAX;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Give out the range's bytes.
    Read,
    /// Put bytes into the range.
    Write {
        /// Answered only when durable (FUA).
        durable: bool,
    },
    /// Make everything durable that was answered before this began.
    Flush,
    /// The range's content is not needed any more: afterwards it reads as zeros. A disk that several hosts write
    /// leaves it as it is.
    Trim {
        /// Answered only when durable.
        durable: bool,
    },
    /// Make the range read as zeros.
    WriteZeroes {
        /// Answered only when durable.
        durable: bool,
        /// Keep the place on the device (NBD's `NO_HOLE`): a later write there needs no space.
        keep: bool,
        /// Refuse where it would be no faster than a write (NBD's `FAST_ZERO`).
        fast: bool,
    },
    /// Say what is allocated.
    BlockStatus,
    /// The range will be read soon.
    Cache,
}

/// One request: a kind and a range of the disk. A flush has the empty range at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub kind: RequestKind,
    /// The first byte.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// Why an operation ended without what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The device failed, or this host lost the disk for good. A write may or may not have been executed.
    #[error("the device failed, or the host lost the disk")]
    Io,
    /// The datastore is full: no cluster could be had for this write.
    #[error("the datastore has no space left")]
    NoSpace,
    /// The disk was handed over to another host before this began: nothing of it was done.
    #[error("the disk was handed over to another host, and nothing was done")]
    Moved,
    /// The disk is attached for reading only.
    #[error("the disk is attached for reading only")]
    ReadOnly,
    /// The range is not whole blocks.
    #[error("bytes {offset} to {end} are not whole blocks of {block}")]
    Unaligned {
        /// Its first byte.
        offset: u64,
        /// The byte behind its last.
        end: u64,
        /// The device's block in bytes.
        block: u32,
    },
    /// The range is empty, or passes the disk's end.
    #[error("{length} bytes from byte {offset} on do not lie within the disk's {size}")]
    OutOfRange {
        /// Its first byte.
        offset: u64,
        /// Its length.
        length: u64,
        /// The disk's size in bytes.
        size: u64,
    },
    /// More data than one request can have.
    #[error("{length} bytes are more than the {max} of one request")]
    TooLong {
        /// The request's length.
        length: u64,
        /// The longest.
        max: u64,
    },
    /// Zeroing would be no faster than writing, and fast zeroing was asked for.
    #[error("zeroing this would be no faster than writing it")]
    NotFast,
    /// A disk that several hosts write lacks a piece: it must be full, and nobody may map anything new (R34).
    #[error("the disk is written by several hosts and is not full at byte {offset}")]
    NotFull {
        /// The first byte of the cluster in question.
        offset: u64,
    },
    /// The disk has as many operations in flight as it may.
    #[error("the disk has {max} operations in flight")]
    Busy {
        /// How many it may have.
        max: usize,
    },
}

impl RequestKind {
    /// Whether it may change the disk.
    pub(crate) const fn is_writing(self) -> bool {
        matches!(self, RequestKind::Write { .. } | RequestKind::Trim { .. } | RequestKind::WriteZeroes { .. })
    }

    /// Whether it is answered only when durable.
    pub(crate) const fn is_durable(self) -> bool {
        match self {
            RequestKind::Write { durable }
            | RequestKind::Trim { durable }
            | RequestKind::WriteZeroes { durable, .. } => durable,
            RequestKind::Flush => true,
            RequestKind::Read | RequestKind::BlockStatus | RequestKind::Cache => false,
        }
    }
}

impl Request {
    /// A flush.
    pub const FLUSH: Request = Request { kind: RequestKind::Flush, offset: 0, length: 0 };

    /// The byte behind the range.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// Whether a disk of that size can be asked this.
    pub(crate) fn check(&self, size: u64, read_only: bool, block: BlockSize) -> Result<(), PathError> {
        if self.kind == RequestKind::Flush {
            return Ok(());
        }
        let (offset, length, end) = (self.offset, self.length, self.end());
        if read_only && self.kind.is_writing() {
            return Err(PathError::ReadOnly);
        }
        if length == 0 || offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(PathError::OutOfRange { offset, length, size });
        }
        let block = block.bytes();
        if !offset.is_multiple_of(u64::from(block)) || !length.is_multiple_of(u64::from(block)) {
            return Err(PathError::Unaligned { offset, end, block });
        }
        let carries_data = matches!(self.kind, RequestKind::Read | RequestKind::Write { .. });
        if carries_data && length > DATA_LENGTH_MAX {
            return Err(PathError::TooLong { length, max: DATA_LENGTH_MAX });
        }
        Ok(())
    }
}
