//! The cut-off: the right to live in a slot, and the proof that a dead host's commands can no longer land (R9, R13).

use std::fmt;

use crate::LocalFuture;

/// A host's place in the datastore: the index of its heartbeat slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(pub u16);

impl fmt::Display for SlotIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// What names one process on one machine for ever: pids are reused, start times are not, and boots differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: u128,
    /// The inode of the pid namespace.
    pub pid_namespace: u64,
    /// The process id within that namespace.
    pub pid: u32,
    /// Field 22 of `/proc/PID/stat`: clock ticks from boot to the start of the process.
    pub start_ticks: u64,
}

/// A host whose death is to be proved: the slot it lived in, and the process that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victim {
    /// Its slot.
    pub slot: SlotIndex,
    /// Its incarnation there.
    pub incarnation: u64,
    /// Its process, as it wrote it into its slot.
    pub process: ProcessIdentity,
}

/// What proves that no command of a victim can land any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Its slot's byte lock was obtained: its open file description, and with it every write, is gone.
    FileLock,
    /// Its process was proved to be the one, killed, and its byte lock obtained after that.
    Killed,
}

impl Proof {
    /// The words for events and `status`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Proof::FileLock => "file lock obtained",
            Proof::Killed => "process killed, file lock obtained",
        }
    }
}

/// Why a victim could not be cut off; the takeover stops there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCutOff {
    /// The slot's lock is held, and the process that the slot names is not provably its holder.
    #[error(
        "slot {slot} is still locked by a process that cannot be proved to be the fenced host's: {reason}"
    )]
    HolderUnproved {
        /// The slot.
        slot: SlotIndex,
        /// What did not match.
        reason: String,
    },
    /// The process was killed, but its writes are still in the kernel.
    #[error("the fenced host's process was killed, but its writes still hold the lock of slot {slot}")]
    StillHeld {
        /// The slot.
        slot: SlotIndex,
    },
    /// This device has nothing that could prove it (R19).
    #[error(
        "this device has nothing that proves a host cut off; a person must say so (`oarlock evict --certain`)"
    )]
    NoMeans,
    /// The locks could not be asked.
    #[error("the lock of slot {slot} could not be asked: {reason}")]
    Failed {
        /// The slot.
        slot: SlotIndex,
        /// The operating system's words.
        reason: String,
    },
}

/// Why a slot could not be entered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnterError {
    /// Another process lives in the slot, or its last writes do.
    #[error("slot {slot} is held by another process")]
    Held {
        /// The slot.
        slot: SlotIndex,
    },
    /// The locks could not be asked.
    #[error("the lock of slot {slot} could not be taken: {reason}")]
    Failed {
        /// The slot.
        slot: SlotIndex,
        /// The operating system's words.
        reason: String,
    },
}

/// The means of one kind of device to say who lives in a slot, and to cut the dead off.
///
/// Every wait in here is bounded by the implementation.
pub trait CutOff {
    /// Who this process is.
    fn process(&self) -> ProcessIdentity;

    /// Takes the right to live in `slot`, before the claim; held until [`exit`](CutOff::exit) or the process's end.
    fn enter(&self, slot: SlotIndex) -> LocalFuture<'_, Result<(), EnterError>>;

    /// Gives the slot back, after it was swapped to Free.
    fn exit(&self, slot: SlotIndex) -> LocalFuture<'_, ()>;

    /// Whether the victim is proved dead now, without waiting and without harm to it (R9).
    fn death_proved(&self, victim: Victim) -> LocalFuture<'_, Option<Proof>>;

    /// Makes sure that nothing more of the victim can land. Only for a victim whose slot says Fenced (I6).
    fn cut_off(&self, victim: Victim) -> LocalFuture<'_, Result<Proof, NotCutOff>>;
}
