//! Locks of VMFS: the record on the disk, and what a host says about it.

use super::Uuid;

/// What a lock guards, by its type on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockKind {
    /// 10c00001: a file.
    File,
    /// 10c00002: a cluster of resources, from which space is allocated.
    ResourceCluster,
    /// Another type.
    Other(u32),
}

impl LockKind {
    /// From the number on the disk.
    #[must_use]
    pub fn of(number: u32) -> LockKind {
        match number {
            0x10c0_0001 => LockKind::File,
            0x10c0_0002 => LockKind::ResourceCluster,
            other => LockKind::Other(other),
        }
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LockKind::File => "a file",
            LockKind::ResourceCluster => "a resource cluster, from which space is allocated",
            LockKind::Other(_) => "a record of a type without a name here",
        }
    }
}

/// A lock record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockRecord {
    /// What it guards.
    pub kind: LockKind,
    /// Its offset in the volume, in bytes.
    pub offset: Option<u64>,
    /// The record's version: it counts the owners.
    pub version: Option<u64>,
    /// The slot of its owner.
    pub slot_offset: Option<u64>,
    /// The generation of that slot when the lock was taken.
    pub slot_generation: Option<u64>,
    /// 0 free, 1 exclusive, 2 read-only, 3 multi-writer.
    pub mode: Option<u64>,
    /// The owner.
    pub owner: Option<Uuid>,
    /// The owner's time stamp in the record.
    pub stamp: Option<u64>,
}

/// What happens to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockStep {
    /// The host looks whether the owner lives.
    CheckingLiveness,
    /// The owner lives: the lock is not free.
    NotFree,
    /// The owner is dead: the lock is broken.
    Breaking,
    /// Breaking or taking it failed for another reason than a living owner.
    Failed,
    /// Taking it miscompared.
    Miscompare,
    /// An optimistic lock met a newer version of the record.
    Stale,
    /// The record on the disk is damaged.
    Corrupt,
}

/// A line about a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// What happens.
    pub step: LockStep,
    /// The record, where it is printed.
    pub record: Option<LockRecord>,
}
