//! The engine on a real clock and real devices: the daemon, its API over a unix socket, its events on disk.

pub mod api;
mod code;
pub mod coding;
mod error;
mod event_file;
mod folders;
mod lost;
mod record;
mod text;

pub use code::{Code, ErrorEntry, error_catalogue};
pub use error::HostError;
pub use folders::{Folders, FoundSocket};
pub use lost::{Lost, boot_time_ns};
pub use record::{EVENTS_KEPT_MAX, EventLog, Follower, Recorder};
