//! The engine on a real clock and real devices: the daemon, its API over a unix socket, its events on disk.

pub mod api;
mod code;
pub mod coding;
mod daemon;
mod engine;
mod error;
mod event_file;
mod folders;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grants;
mod lines;
mod loss;
mod lost;
mod made_file;
mod names;
mod notify;
mod record;
mod request;
mod routes;
mod serve;
mod server;
mod socket;
mod stream;
mod surroundings;
mod text;
mod users;
mod wait;
mod wire;

pub use code::{Code, ErrorEntry, error_catalogue};
pub use daemon::{Daemon, DaemonOptions, LEAVE_LIMIT, Ready};
pub use engine::{ENGINE_THREAD, EngineThread, OpenedEngine};
pub use error::HostError;
pub use folders::{Folders, FoundSocket};
pub use format::{FormatOptions, Formatted, format};
pub use loss::{Loss, LossKind};
pub use lost::{Lost, boot_time_ns};
pub use made_file::MadeFile;
pub use oarlock_device::peer_pid;
pub use oarlock_engine::{Ended, StopReason, Want};
pub use record::{EVENTS_KEPT_MAX, EventLog, Follower, Recorder};
pub use request::{Engine, HeldLock, LOCKS_MAX, REQUESTS_MAX};
pub use routes::openapi_document;
pub use surroundings::EngineOptions;
pub use wait::wait_for;
