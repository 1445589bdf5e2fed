//! Disks of a running host: what its engine is asked, what it tends to unasked, and what it exports.
//!
//! ```text
//!   the API's thread                             the engine's thread
//!     routes --> Exports --- attach, detach --->   Keeper: an Attachment, held for each export
//!                   |  ^                             |
//!                   |  +----- HeldDisk: data path, device, clock
//!                   v
//!                Door, Export (threads of their own)  --- demands, by the path's queue ---> Attachment
//! ```
//! The order of ends: a door lets nobody in any more, the export answers what is under way, the engine brings the disk home and
//! releases it; a host leaves after its last disk.

mod comeback;
mod counted;
mod doors;
mod exports;
mod handoff;
mod list;
mod request;
mod routes;
mod serve;
mod tend;

pub(crate) use counted::Counted;
pub(crate) use exports::Exports;
pub(crate) use list::ExportList;
pub(crate) use request::DiskRequest;
pub(crate) use routes::{documented, routes};
pub(crate) use tend::{Tending, TendingSoon};
