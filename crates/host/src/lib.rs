//! The engine on a real clock and real devices: the daemon, its API over a unix socket, its events on disk.

pub mod api;
mod code;
pub mod coding;
mod error;
mod folders;

pub use code::{Code, ErrorEntry, error_catalogue};
pub use error::HostError;
pub use folders::{Folders, FoundSocket};
