//! The device: what a host can ask of the LUN.

use std::fmt;

use crate::{Attempted, BlockCount, BlockSize, ByteCount, Lba, LocalFuture, Refusal, UnknownCause};

/// A shared block device.
///
/// A dropped future does not take its command back: the command may be executed later. Whoever drops the future of a
/// [`compare_and_write`](Device::compare_and_write) holds an [unknown answer](crate::Answer::Unknown), and must treat
/// it so. Reads are direct: past every cache that another host cannot see through.
pub trait Device {
    /// Block size and length.
    fn geometry(&self) -> Geometry;

    /// What names this device (R22): two handles with one identity are the same LUN.
    fn identity(&self) -> DeviceIdentity;

    /// What can cut a host off from this device.
    fn fencing(&self) -> Fencing;

    /// Reads whole blocks from `lba` on into `buffer`, whose length is a multiple of the block size.
    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>>;

    /// Writes whole blocks. For what one host owns alone: a shared record changes only by ATS (I2).
    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>>;

    /// COMPARE AND WRITE of one block (SBC-4, 5.3): writes `new` if the block holds `expected`, as one act against
    /// everything else. Both are one block long.
    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted>;

    /// Makes every answered write and swap durable (SYNCHRONIZE CACHE; fdatasync).
    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>>;

    /// Gives up the content of `blocks` blocks from `lba` on, so that their place below can go to others (UNMAP of SBC-4,
    /// 5.35; a hole in a file). Afterwards each reads as zeros or as it did before, and a later write may find no place
    /// ([`Refusal::Full`]). The file device gives zeros. Not one act: where it fails, some blocks may have been given up.
    ///
    /// A device without such a command refuses as [`Refusal::Unsupported`], as this default does; nothing is lost by it.
    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        let _ = (lba, blocks);
        Box::pin(futures::future::ready(Err(IoError::Refused(Refusal::Unsupported))))
    }

    /// Makes `blocks` blocks from `lba` on read as zeros, and keeps their place: a plain write of zeros that need not be
    /// transferred (WRITE SAME of SBC-4, 5.48, without UNMAP; a zeroed range of a file). Not one act.
    ///
    /// A device without such a command refuses as [`Refusal::Unsupported`], as this default does: then zeros must be
    /// written.
    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        let _ = (lba, blocks);
        Box::pin(futures::future::ready(Err(IoError::Refused(Refusal::Unsupported))))
    }
}

/// A read, write or flush that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// Surely not executed.
    #[error("the device refused the command: {0}")]
    Refused(#[from] Refusal),
    /// No answer, or one that says nothing: a write may have landed, or may land later.
    #[error("the outcome of the command is unknown: {0}")]
    Unknown(UnknownCause),
    /// The medium could not give the data (03h/11h/xx); for reads only.
    #[error("the medium could not be read")]
    Medium,
}

impl IoError {
    /// Whether the write that it answers may still land.
    #[must_use]
    pub const fn may_still_land(&self) -> bool {
        match self {
            IoError::Unknown(cause) => cause.may_still_land(),
            IoError::Refused(_) | IoError::Medium => false,
        }
    }
}

/// The shape of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The logical block: what one ATS compares and writes.
    pub block_size: BlockSize,
    /// The physical block in bytes, a power-of-two multiple of the logical one: what the medium writes at once.
    pub physical_block: ByteCount,
    /// The device's length in logical blocks.
    pub blocks: BlockCount,
}

impl Geometry {
    /// The length in bytes.
    #[must_use]
    pub fn size(&self) -> ByteCount {
        self.blocks.bytes(self.block_size)
    }
}

/// What names a LUN: VPD page 83h's designator, a file's device, inode and attribute. At most
/// [`DeviceIdentity::LENGTH_MAX`] bytes of printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeviceIdentity(String);

impl DeviceIdentity {
    /// The superblock keeps the identity in a field of this many bytes.
    pub const LENGTH_MAX: usize = 120;

    /// An identity of printable ASCII; `None` where `text` is longer, empty, or holds anything else.
    #[must_use]
    pub fn new(text: &str) -> Option<DeviceIdentity> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        (!text.is_empty() && text.len() <= Self::LENGTH_MAX && printable)
            .then(|| DeviceIdentity(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What proves that nothing more of a fenced host can land (I6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fencing {
    /// Byte-range locks on the file itself: every host shares one kernel (R13).
    FileLock,
    /// SCSI-3 persistent reservations (R15).
    Reservation,
    /// The backend's blocklist (R20).
    Blocklist,
    /// Nothing but time (R19).
    DrainOnly,
}

impl Fencing {
    /// The name in `status`, in JSON and in the documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Fencing::FileLock => "file-lock",
            Fencing::Reservation => "reservation",
            Fencing::Blocklist => "blocklist",
            Fencing::DrainOnly => "drain-only",
        }
    }
}
