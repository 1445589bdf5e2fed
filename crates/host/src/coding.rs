//! Which code each error of device, engine and format has: one exhaustive match per enum, so that a new variant cannot
//! come without one.

use oarlock_block::{IoError, Refusal};
use oarlock_device::{IdentityError, OpenError as DeviceError};
use oarlock_engine::allocate::SpaceError;
use oarlock_engine::{
    CreateError, DiskError, Ended, EvictError, JoinError, JournalError, LockError, OpenError, ReadFault,
    StopReason,
};
use oarlock_format::{LayoutError, NoSuperblock};

use crate::code::Code;

/// The code of a device that was not opened.
#[must_use]
pub fn device(error: &DeviceError) -> Code {
    match error {
        DeviceError::Io { absent: true, .. } => Code::DeviceAbsent,
        DeviceError::Io { .. } => Code::DeviceOpen,
        DeviceError::NotADevice { .. } => Code::NotADevice,
        DeviceError::FileSystem { .. } => Code::FileSystem,
        DeviceError::NeedsScsi { .. } => Code::NeedsScsi,
        DeviceError::NotLocal { .. } => Code::NotLocal,
        DeviceError::LoopOfAPart { .. } => Code::LoopOfAPart,
        DeviceError::Sysfs { .. } => Code::Sysfs,
        DeviceError::ForeignNode { .. } => Code::ForeignNode,
        DeviceError::BlockSize { .. } => Code::DeviceBlockSize,
        DeviceError::NoRing { .. } => Code::NoRing,
    }
}

/// The code of an identity that was not given.
#[must_use]
pub fn identity(error: &IdentityError) -> Code {
    match error {
        IdentityError::Write { .. } => Code::IdentityWrite,
        IdentityError::Foreign => Code::IdentityForeign,
    }
}

/// The code of a device that is no datastore for this host.
#[must_use]
pub fn open(error: &OpenError) -> Code {
    match error {
        OpenError::Unreadable { .. } => Code::SuperblockUnreadable,
        OpenError::NoAnswer => Code::OpenNoAnswer,
        OpenError::NoSuperblock(NoSuperblock::NotOurs { .. }) => Code::NoDatastore,
        OpenError::NoSuperblock(NoSuperblock::Overwritten { .. }) => Code::SuperblockOverwritten,
        OpenError::NoSuperblock(NoSuperblock::Damaged { .. }) => Code::SuperblockDamaged,
        OpenError::NoSuperblock(NoSuperblock::Newer { .. }) => Code::NewerVersion,
        OpenError::HalfFormatted => Code::HalfFormatted,
        OpenError::SnapshotSignature { .. } => Code::SnapshotSignature,
        OpenError::Truncated { .. } => Code::Truncated,
        OpenError::BlockSize { .. } => Code::BlockSizeChanged,
        OpenError::ReadOnlyFeatures { .. } => Code::ReadOnlyFeatures,
    }
}

/// The code of a block that was not read.
#[must_use]
pub fn read(error: &ReadFault) -> Code {
    match error {
        ReadFault::Unreadable { .. } => Code::BlockUnreadable,
        ReadFault::TimedOut { .. } => Code::ReadTimedOut,
        ReadFault::Unsound { .. } => Code::Unsound,
        ReadFault::Older { .. } => Code::Older,
    }
}

/// The code of a host that did not join.
#[must_use]
pub fn join(error: &JoinError) -> Code {
    match error {
        JoinError::Open(error) => open(error),
        JoinError::Record(error) => read(error),
        JoinError::NameTaken { .. } => Code::NameTaken,
        JoinError::NoFreeSlot { .. } => Code::NoFreeSlot,
        JoinError::Enter(_) => Code::SlotHeld,
        JoinError::NoAnswer { .. } => Code::ClaimUnclear,
        JoinError::NotDurable { .. } => Code::NotDurable,
    }
}

/// The code of a lock that was not got.
#[must_use]
pub fn lock(error: &LockError) -> Code {
    match error {
        LockError::TimedOut { .. } => Code::LockTimedOut,
        LockError::Ended(error) => ended(error),
        LockError::TableFull { .. } => Code::LockTableFull,
        LockError::NotForMany { .. } => Code::DiskNotForMany,
        LockError::Unopened { .. } => Code::GroupUnopened,
        LockError::Record(error) => read(error),
    }
}

/// The code of a host that was not evicted.
#[must_use]
pub fn evict(error: &EvictError) -> Code {
    match error {
        EvictError::Unknown { .. } => Code::EvictUnknown,
        EvictError::Myself { .. } => Code::EvictMyself,
        EvictError::Lives { .. } => Code::EvictLives,
        EvictError::TimedOut { .. } => Code::EvictTimedOut,
        EvictError::Record(error) => read(error),
        EvictError::Ended(error) => ended(error),
    }
}

/// The code of what was not done with a disk.
#[must_use]
pub fn disk(error: &DiskError) -> Code {
    match error {
        DiskError::NoDisks => Code::NoDisks,
        DiskError::Exists { .. } | DiskError::SnapshotExists { .. } => Code::DiskExists,
        DiskError::Unknown { .. } | DiskError::UnknownSnapshot { .. } => Code::DiskUnknown,
        DiskError::Size { .. } => Code::DiskSize,
        DiskError::HasSnapshots { .. } => Code::DiskHasSnapshots,
        DiskError::Shrink { .. } => Code::DiskShrink,
        DiskError::InUse { .. } => Code::DiskInUse,
        DiskError::AttachedHere { .. } => Code::DiskAttachedHere,
        DiskError::NotForMany { .. } => Code::DiskNotForMany,
        DiskError::SharedHere { .. } => Code::DiskShared,
        DiskError::OpenHere { .. }
        | DiskError::Changed { .. }
        | DiskError::Busy { .. }
        | DiskError::TurnTaken { .. } => Code::DiskBusy,
        DiskError::Unanswered { .. } => Code::DiskUnanswered,
        DiskError::Map(SpaceError::NoSpace) | DiskError::NoRoom { .. } => Code::NoSpace,
        DiskError::Map(SpaceError::Journal(JournalError::Write {
            error: IoError::Refused(Refusal::Full),
            ..
        })) => Code::NoSpace,
        DiskError::Map(_) => Code::DiskMap,
        DiskError::DirectoryFull { .. } | DiskError::DescriptorsFull { .. } => Code::NoRoomForDisk,
        DiskError::NoDescriptor { .. } | DiskError::NoGroup { .. } | DiskError::Contradiction { .. } => {
            Code::DiskDamaged
        }
        DiskError::NotAttached { .. } => Code::NotAttached,
        DiskError::NoOwner { .. } | DiskError::NotHandedOver { .. } | DiskError::NotAlone { .. } => {
            Code::NoHandoff
        }
        DiskError::Received { .. } => Code::DiskReceived,
        DiskError::NoReceiver { .. } | DiskError::ReceiverSilent { .. } | DiskError::ReceiverGone { .. } => {
            Code::NoReceiver
        }
        DiskError::NotAtRest { .. } => Code::NotAtRest,
        DiskError::TakenAway { .. } | DiskError::MovedOn { .. } => Code::DiskTakenAway,
        DiskError::Lock(error) => lock(error),
        DiskError::Record(error) => read(error),
        DiskError::Ended(error) => ended(error),
    }
}

/// The code of a host that came to its end.
#[must_use]
pub fn ended(error: &Ended) -> Code {
    match error {
        Ended::Left => Code::Left,
        Ended::LeftBehind(_) => Code::LeftBehind,
        Ended::Stopped(StopReason::Fenced { .. }) => Code::Fenced,
        Ended::Stopped(StopReason::Superseded) => Code::Superseded,
        Ended::Stopped(StopReason::Rollback { .. }) => Code::Rollback,
        Ended::Stopped(StopReason::SlotDamaged { .. }) => Code::SlotDamaged,
        Ended::Stopped(StopReason::HoldOver { .. }) => Code::HoldOver,
        Ended::Stopped(StopReason::NameTaken { .. }) => Code::SecondOfItsName,
        Ended::Stopped(StopReason::JournalFailed { .. }) => Code::JournalFailed,
    }
}

/// The code of a datastore that was not made.
#[must_use]
pub fn create(error: &CreateError) -> Code {
    match error {
        CreateError::Timing(_) => Code::Timing,
        CreateError::Layout(LayoutError::Slots { .. } | LayoutError::ClusterSize { .. }) => Code::Parameters,
        CreateError::Layout(
            LayoutError::TooSmall { .. }
            | LayoutError::TooLarge { .. }
            | LayoutError::Stride { .. }
            | LayoutError::Region { .. },
        ) => Code::Layout,
        CreateError::Exists { .. } | CreateError::Unread { .. } => Code::DatastoreExists,
        CreateError::Living { .. } => Code::DatastoreLives,
        CreateError::Device { .. } | CreateError::Enter(_) => Code::FormatDevice,
        CreateError::Raced => Code::FormatRaced,
        CreateError::NoAnswer => Code::FormatNoAnswer,
        CreateError::Record(error) => read(error),
    }
}
