//! Why something could not be done with a disk.

use std::fmt;

use oarlock_block::ByteCount;
use oarlock_format::{DescriptorNumber, GroupNumber, LayerName, LockMode};

use crate::allocate::SpaceError;
use crate::attached::Unquiet;
use crate::core::Ended;
use crate::lock::LockError;
use crate::store::ReadFault;

/// Hosts that are told at most.
const HOLDERS_TOLD: usize = 8;

/// A host that has a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUseBy {
    /// The host.
    pub host: String,
    /// What that host is: `live`, `fenced`, `free`, `gone`, `silent`.
    pub state: &'static str,
}

/// The hosts that have a disk: one, or several that share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holders(pub Vec<InUseBy>);

impl fmt::Display for Holders {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [InUseBy { host, state }] = &self.0[..] {
            return write!(formatter, "host {host}, which is {state}");
        }
        let told =
            self.0.iter().take(HOLDERS_TOLD).map(|InUseBy { host, state }| format!("{host} ({state})"));
        write!(formatter, "hosts {}", told.collect::<Vec<_>>().join(", "))?;
        match self.0.len().saturating_sub(HOLDERS_TOLD) {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}

fn by_whom(host: Option<&str>) -> String {
    host.map_or_else(|| "another host".to_owned(), |host| format!("host {host}"))
}

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
    /// Other hosts use it.
    #[error("{name} is in use by {holders}")]
    InUse {
        /// The disk or snapshot.
        name: String,
        /// Who.
        holders: Holders,
    },
    /// Several hosts cannot write it at once (R34).
    #[error("{name} cannot be written by several hosts: {why}")]
    NotForMany {
        /// The disk or snapshot.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// It is attached to this host to be written by several: its map and its size stay what they are.
    #[error(
        "{name} is attached to this host as one of several that write it, and stays what it is meanwhile"
    )]
    SharedHere {
        /// The disk.
        name: LayerName,
    },
    /// This host has it attached, and what was asked for takes a disk that is not.
    #[error("{name} is attached to this host")]
    AttachedHere {
        /// The disk or snapshot.
        name: String,
    },
    /// This host does not have it attached for writing.
    #[error("{name} is not attached to this host for writing")]
    NotAttached {
        /// The disk.
        name: LayerName,
    },
    /// Several hosts have it, or may: only a disk that one host writes alone is handed over (R28).
    #[error("{name} is attached {how}: only a disk that one host writes alone is handed over")]
    NotAlone {
        /// The disk.
        name: LayerName,
        /// What for.
        how: &'static str,
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
    #[error(
        "the device does not answer: {under_way} requests of the disk's guests are under way, and {quarantined} failed whose writes may still land"
    )]
    Unanswered {
        /// Requests that began and have not ended.
        under_way: usize,
        /// Requests that failed, and whose writes have no answer.
        quarantined: usize,
    },
    /// Its map could not be read or changed, or there is no room.
    #[error(transparent)]
    Map(#[from] SpaceError),
    /// What is free is less than what is needed, and nothing was begun.
    #[error("{} bytes are needed, and {} are free", needed.0, free.0)]
    NoRoom {
        /// What is needed: data, and the map of it.
        needed: ByteCount,
        /// What is free, as far as other hosts told.
        free: ByteCount,
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
    /// Another verb of this host works on the same disk, and did not end in time.
    #[error("this host is still at another change of the disk {name}")]
    TurnTaken {
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
    /// Another host attached it, or was handed it, after this host had it.
    #[error("{name} was attached to {} since", by_whom(host.as_deref()))]
    MovedOn {
        /// The disk.
        name: LayerName,
        /// That host, where its slot still tells its name.
        host: Option<String>,
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

impl DiskError {
    /// Why a disk is not handed over whose lock is in that mode.
    pub(super) fn not_alone(name: &LayerName, mode: LockMode) -> DiskError {
        let how = match mode {
            LockMode::MultiWriter => "to be written by several hosts",
            _ => "to be read",
        };
        DiskError::NotAlone { name: name.clone(), how }
    }
}

impl From<Unquiet> for DiskError {
    fn from(Unquiet { under_way, quarantined }: Unquiet) -> DiskError {
        DiskError::Unanswered { under_way, quarantined }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_disk_is_told_by_name_and_not_a_thousand_of_them() {
        let holders = |count: usize| {
            Holders((0..count).map(|number| InUseBy { host: format!("h{number}"), state: "live" }).collect())
        };
        assert_eq!(holders(1).to_string(), "host h0, which is live");
        assert_eq!(holders(2).to_string(), "hosts h0 (live), h1 (live)");
        let many = holders(HOLDERS_TOLD + 3).to_string();
        assert!(many.ends_with("h7 (live) and 3 more"), "{many}");
    }
}
