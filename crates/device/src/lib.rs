//! The backends of Oarlock, and what a host needs of the operating system besides: its clock, its randomness, its
//! process identity, and an executor for the engine's thread.
//!
//! Today there is one backend, [`FileDevice`]: a plain file or a local block device, shared by the hosts of one
//! machine. This is the only crate of the workspace that holds `unsafe` blocks: the rings, their buffers, the `fcntl` locks
//! and two `ioctl`s, each in a file of its own behind a safe surface.
//!
//! Two ways lead into a device. Commands of the protocol are futures of [`Device`](oarlock_block::Device), carried by
//! its lanes. The data path of an export goes past them: a [`DataRing`] of the export's own thread, on the same open
//! file description, with the thread's sockets on the same ring.
//!
//! Threads. One [`FileDevice`] has two, `oarlock-beat` and `oarlock-work`, each with a ring of its own, from `open`
//! until the last command of a dropped device ended. Each running [`cut_off`](oarlock_block::CutOff::cut_off) has one
//! more, for seconds at most. A [`DataRing`] has none but its user's. One [`BootClock`] has one, `oarlock-clock`.

mod atomic;
#[allow(unsafe_code)]
mod buffer;
mod clear;
mod clock;
mod cut_off;
#[allow(unsafe_code)]
mod data_buffer;
mod data_command;
mod data_error;
mod data_ring;
mod description;
mod executor;
#[allow(unsafe_code)]
mod extents;
mod failure;
mod file;
mod file_system;
#[cfg(fuzzing)]
pub mod fuzzing;
mod geometry;
mod identify;
#[allow(unsafe_code)]
mod identity;
mod inbox;
mod job;
mod lane;
mod locate;
mod marks;
mod media_ring;
mod medium;
mod open;
#[allow(unsafe_code)]
mod peer;
mod permits;
mod places;
mod process;
mod progress;
mod random;
#[allow(unsafe_code)]
mod range_lock;
mod range_table;
#[allow(unsafe_code)]
mod ring;
mod slot_byte;
mod turns;
mod wake;
mod watch;

pub use clock::BootClock;
pub use data_buffer::{DATA_BUFFER_MAX, DATA_BYTES_MAX, DataBuffer, DataBytes, HEADROOM};
pub use data_error::DataRingError;
pub use data_ring::{Completed, Completion, DATA_DEPTH_MAX, DataRing, RingWaker, Token};
pub use executor::{Executor, Spawner, Task};
pub use file::{FileDevice, Lane};
pub use file_system::is_local;
pub use identify::{Recognised, first_data_in_file, recognise, what_is_on};
pub use identity::IdentityError;
pub use media_ring::{Durability, MEDIA_DEPTH_MAX, MediaRing};
pub use medium::{Content, Medium, MediumError, MediumOptions, Region, Space, make_longer};
pub use open::{OpenError, OpenOptions};
pub use peer::peer_pid;
pub use process::{process_identity, this_process};
pub use random::OsRandom;
pub use watch::{Interest, Readiness, Watch};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose data stay whole whatever a panicking thread did: no critical section here panics half-way.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
