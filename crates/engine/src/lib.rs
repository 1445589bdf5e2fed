//! What a host does: join, beat, lock, watch, fence, cut off, take over, leave.
//!
//! Written against the traits of `oarlock-block` and nothing else: no runtime, no real clock, no threads. The protocol is
//! straight-line `async` code on one thread; decisions are pure functions beside it ([`verdict`], [`watch`], [`lease`],
//! [`decide`], [`step::next_step`]). docs/PROTOCOL.md says which rule stands where and why.

pub mod allocate;
mod answer;
pub mod attached;
pub mod attempt;
mod beat;
mod bring;
mod cell;
pub mod check;
mod core;
mod create;
pub mod decide;
mod descriptor;
mod directory;
mod disk;
mod event;
mod fresh;
mod group_locks;
mod grow;
mod grow_groups;
mod guard;
mod hindrance;
mod hold;
mod home;
mod host;
mod jobs;
mod join;
mod journal;
pub mod layer;
pub mod lease;
mod leftover;
mod life;
mod lock;
mod mailbox;
mod namesake;
mod open;
pub mod pages;
pub mod path;
mod places;
mod planted;
mod release;
mod repeats;
mod report;
mod resignature;
mod roster;
mod run;
mod signal;
mod signing;
mod slots;
mod standing;
pub mod step;
mod store;
mod suspect;
mod table;
mod takeover;
pub mod verdict;
mod waiting;
pub mod watch;
mod whereabouts;
mod world;

pub use crate::core::{Ended, HostState, StopReason};
pub use create::{CreateError, CreateRequest, create, create_over};
pub use decide::Want;
pub use disk::{
    Attachment, DiskError, DiskRow, HandedOver, Holders, InUseBy, Incoming, Progress, SnapshotRow,
};
pub use event::{Event, EventSink, Window};
pub use grow::{GrowError, Grown, TOOL_SLOT, grow};
pub use guard::Guard;
pub use hindrance::Hindrance;
pub use home::BringHome;
pub use host::{EvictError, Host, HostStatus};
pub use join::JoinError;
pub use journal::{HostJournal, JournalError, ReplayError};
pub use leftover::Leftover;
pub use lock::LockError;
pub use open::{OpenError, open, read_superblock};
pub use places::LockPolicy;
pub use planted::PlantedBug;
#[cfg(feature = "planted-bugs")]
pub use planted::plant;
pub use resignature::{ResignatureError, Resigned, resignature};
pub use roster::{HostRow, LockOwner, LockRow};
pub use signing::SigningError;
pub use store::{READS_OF_DAMAGE, ReadFault};
pub use world::World;
