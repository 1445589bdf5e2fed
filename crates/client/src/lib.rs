//! Locks on a shared disk.

mod error;
mod find;
mod http;
mod remote;

pub use error::Error;
pub use find::{Purpose, Selection};
pub use oarlock_host::api;
pub use remote::{Api, Events, RemoteGuard};
