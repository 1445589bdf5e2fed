//! Clusters for layers: groups that this host owns, what it hands to its disks in advance, and what comes back (R33, R37).
//!
//! ```text
//!   groups of the datastore --lock taken--> stock --reservoir--> a disk --entry published--> bit set, with the entry
//!                                             ^                    |
//!                                             +---- bit cleared ---+ unmapped, durable, and nobody knows it any more
//! ```
//! What is handed out is in memory only: its bits are clear until an entry names it. So a crash gives it back by itself.

mod error;
mod freeing;
mod group;
mod locks;
mod mending;
mod source;
mod stock;

pub use error::SpaceError;
pub use locks::{GroupLocks, OwnedLock, Wish};
pub(crate) use mending::Bitmap;
pub use source::{GROUPS_MAX, Source};
pub(crate) use stock::Stock;
