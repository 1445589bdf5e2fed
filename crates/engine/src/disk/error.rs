//! Why something could not be done with a disk.

use oarlock_block::ByteCount;
use oarlock_format::{DescriptorNumber, GroupNumber, LayerName};

use crate::allocate::SpaceError;
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
    /// The disk has no snapshot of that name.
    #[error("there is no snapshot {disk}@{snapshot}")]
    UnknownSnapshot {
        /// The disk.
        disk: LayerName,
        /// The snapshot.
        snapshot: LayerName,
    },
    /// The disk has a snapshot of that name.
    #[error("there is a snapshot {disk}@{snapshot} already")]
    SnapshotExists {
        /// The disk.
        disk: LayerName,
        /// The snapshot.
        snapshot: LayerName,
    },
    /// It has snapshots, which would lose their name with it.
    #[error("the disk {name} has {count} snapshots: they are deleted first")]
    HasSnapshots {
        /// The disk.
        name: LayerName,
        /// How many.
        count: usize,
    },
    /// A disk does not get smaller: what lies beyond would be lost.
    #[error("the disk {name} has {} bytes, and does not shrink to {}", least.0, size.0)]
    Shrink {
        /// The disk.
        name: LayerName,
        /// The size that was asked for.
        size: ByteCount,
        /// The least size that it can have: its own.
        least: ByteCount,
    },
    /// Another host uses it.
    #[error("{name} is in use by host {host}, which is {state}")]
    InUse {
        /// The disk.
        name: LayerName,
        /// The host.
        host: String,
        /// What that host is: `live`, `fenced`, `free`, `gone`, `silent`.
        state: &'static str,
    },
    /// This host has it attached, and what was asked for takes a disk that is not.
    #[error("{name} is attached to this host")]
    AttachedHere {
        /// The disk.
        name: LayerName,
    },
    /// This host does not have it attached for writing.
    #[error("{name} is not attached to this host for writing")]
    NotAttached {
        /// The disk.
        name: LayerName,
    },
    /// No living host has it, so that nobody could hand it over.
    #[error("no living host has {name}, so none can hand it over")]
    NoOwner {
        /// The disk.
        name: LayerName,
    },
    /// Another host is to be handed it over.
    #[error("{name} is to be handed over to host {host}")]
    Received {
        /// The disk.
        name: LayerName,
        /// The host.
        host: String,
    },
    /// The host that was to get it never stood up for it.
    #[error("host {host} does not wait for {name}")]
    NoReceiver {
        /// The disk.
        name: LayerName,
        /// The host.
        host: String,
    },
    /// The host that was to get it did not answer when it was called.
    #[error("host {host} waits for {name}, and does not answer")]
    ReceiverSilent {
        /// The disk.
        name: LayerName,
        /// The host.
        host: String,
    },
    /// The host that was to get it waits no longer: it gave up, or died.
    #[error("host {host} does not wait for {name} any more")]
    ReceiverGone {
        /// The disk.
        name: LayerName,
        /// The host.
        host: String,
    },
    /// What guests had begun did not end in time.
    #[error("{name} was not at rest within {} ms, and its guests go on here", limit.as_millis())]
    NotAtRest {
        /// The disk.
        name: LayerName,
        /// How long guests were kept waiting.
        limit: std::time::Duration,
    },
    /// The owner gave the disk up otherwise, or turned to another host.
    #[error("{name} is not handed over to this host any more")]
    NotHandedOver {
        /// The disk.
        name: LayerName,
    },
    /// This host works on the layer already.
    #[error("descriptor {descriptor} is in use on this host")]
    OpenHere {
        /// Which one.
        descriptor: DescriptorNumber,
    },
    /// A layer changed again and again while it was to be given up.
    #[error("the layer of descriptor {descriptor} changed while it was given up")]
    Changed {
        /// Which one.
        descriptor: DescriptorNumber,
    },
    /// Commands of unknown outcome may still land: nobody else may have what they touch (R21, R33).
    #[error("{commands} commands of the disk have no answer, and may still land")]
    Unanswered {
        /// How many.
        commands: usize,
    },
    /// Its map could not be read or changed, or there is no room.
    #[error(transparent)]
    Map(#[from] SpaceError),
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
    /// No descriptor has the number.
    #[error("there is no descriptor {descriptor}: the datastore has {count}")]
    NoDescriptor {
        /// The number.
        descriptor: DescriptorNumber,
        /// How many there are.
        count: u32,
    },
    /// No allocation group has the number.
    #[error("there is no group {group}: the datastore has {count}")]
    NoGroup {
        /// The number.
        group: GroupNumber,
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
