//! Why something could not be done with a disk.

use oarlock_block::ByteCount;
use oarlock_format::{DescriptorNumber, LayerName};

use crate::core::Ended;
use crate::lock::LockError;
use crate::store::ReadFault;

/// Why something could not be done with a disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// The datastore was formatted without disks.
    #[error("the datastore was formatted without disks")]
    NoDisks,
    /// Another disk has the name.
    #[error("there is a disk {name} already")]
    Exists {
        /// The name.
        name: LayerName,
    },
    /// No disk has the name.
    #[error("there is no disk {name}")]
    Unknown {
        /// The name.
        name: LayerName,
    },
    /// A disk cannot have this size.
    #[error("a disk cannot have {} bytes: the size is a multiple of {} bytes, and at most {}", size.0, unit.0, largest.0)]
    Size {
        /// The size that was asked for.
        size: ByteCount,
        /// What sizes are multiples of: 512 bytes, or the block.
        unit: ByteCount,
        /// The largest.
        largest: ByteCount,
    },
    /// It holds data, or stands above another layer.
    #[error("the disk {name} holds data, or stands above a snapshot")]
    NotEmpty {
        /// The disk.
        name: LayerName,
    },
    /// Every entry of the name's bucket is in use (R36).
    #[error(
        "there is no room for the name {name}: all {} entries of its bucket are in use",
        oarlock_format::BUCKET_ENTRIES_MAX
    )]
    DirectoryFull {
        /// The name.
        name: LayerName,
    },
    /// Every descriptor is in use.
    #[error("all {count} descriptors are in use")]
    DescriptorsFull {
        /// How many there are.
        count: u32,
    },
    /// Other hosts worked on the same name all the time.
    #[error("other hosts work on the disk {name} all the time")]
    Busy {
        /// The name.
        name: LayerName,
    },
    /// A descriptor and its name contradict each other: a repair has to decide.
    #[error("descriptor {descriptor} and its name's record contradict each other")]
    Contradiction {
        /// Which one.
        descriptor: DescriptorNumber,
    },
    /// A descriptor that this host had taken is another's.
    #[error("descriptor {descriptor} was taken away from this host")]
    TakenAway {
        /// Which one.
        descriptor: DescriptorNumber,
    },
    /// A lock on the way was not got.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A record on the way could not be read or trusted.
    #[error(transparent)]
    Record(#[from] ReadFault),
    /// The host came to its end first.
    #[error(transparent)]
    Ended(#[from] Ended),
}
