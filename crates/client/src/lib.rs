//! Locks on a shared disk: one LUN, many hosts, and the disk itself is the referee.
//!
//! ```no_run
//! use std::time::Duration;
//! use oarlock::{Datastore, Error};
//!
//! fn main() -> Result<(), Error> {
//!     let datastore = Datastore::open("pool.img", "a")?;
//!     let guard = datastore.lock("nightly").exclusive().wait(Duration::from_secs(30))?;
//!     for step in 0..10 {
//!         if guard.is_lost() {
//!             break;
//!         }
//!         println!("step {step}, done with the token {}", guard.token());
//!     }
//!     guard.release();
//!     Ok(())
//! }
//! ```
//!
//! What a lock, a token and a lost guard promise stands in docs/SEMANTICS.md; in short: safe against crashes, and
//! against pauses of your process only where what you guard looks at the token.
//!
//! There are two ways to a lock. [`Datastore`] makes this process a host: it joins, beats on a thread of its own, and
//! leaves when it is dropped. [`Api`] asks a host that runs already (`oarlock up`) through its socket, and ends with
//! no more than its connection: use it from short-lived programs, since joining takes a few commands to the disk and
//! a beat.
//!
//! Every call blocks. Taking a lock is a wait for other machines, seconds or minutes long, and what follows is mostly
//! blocking work too; a blocking call is usable from any program, whichever async runtime it has or has not (from
//! async code through its `spawn_blocking`). [`Guard::when_lost`] is the one future, for it is what async code has to
//! wait for beside its work; it needs no particular runtime.

mod datastore;
mod disks;
mod error;
mod find;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
mod lock;
mod patience;
mod process;
mod remote;

pub use datastore::Datastore;
pub use error::Error;
pub use find::{Purpose, Selection};
pub use lock::{Guard, LockBuilder};
pub use oarlock_host::api;
pub use oarlock_host::{
    EngineOptions, ErrorEntry, FormatOptions, Formatted, FoundSocket, HostError, Loss, LossKind,
    error_catalogue,
};
pub use process::HostProcess;
pub use remote::{Api, Events, RemoteGuard};
