//! The array: an iSCSI target that executes COMPARE AND WRITE right.
//!
//! [`Target::start`] serves files and block devices as logical units to iSCSI initiators: RFC 7143 for the wire, SPC-5 and SBC-4 for
//! the commands, as far as ESXi, Windows, Linux and QEMU use them. It knows nothing of Oarlock's datastore.
//!
//! One thread has the whole array (docs/decisions/0075): sockets and media on one ring, commands as futures that wait for their data,
//! for their blocks, for the medium. What makes a COMPARE AND WRITE one act is the table of held blocks of its unit (`ranges`), which
//! every command that touches blocks goes through.
//!
//! ```text
//!   service   the thread: its ring, its sockets, its turns
//!     connection   bytes to PDUs             login     a session begins
//!       deliver    PDUs in their order       text      which targets there are
//!         execute  a command, to its status  management   commands that are ended
//!           unit   task set, attentions, state     ranges   which blocks are in whose hands
//!           media  the ring as futures       memory   who may have how much of it
//!           course how a command ends        atomic   writes of many blocks that are whole or absent
//! ```

#![forbid(unsafe_code)]

mod array;
mod atomic;
mod cache;
mod connection;
mod control;
mod copies;
mod course;
mod deliver;
mod earlier;
mod early;
mod execute;
mod flushes;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handle;
mod identity;
mod inbound;
mod journal;
pub mod limits;
mod login;
mod management;
mod media;
mod memory;
mod metrics;
mod opening;
mod options;
mod output;
mod outside;
mod patience;
mod pool;
mod ranges;
mod record;
mod reservations;
mod saved;
mod service;
mod session;
mod shares;
mod target;
mod task;
mod task_set;
mod text;
mod timers;
mod turns;
mod unit;

pub use handle::TargetHandle;
pub use metrics::{CommandClass, CommandCount, LatencyReport, MetricsReport};
pub use options::{SessionReport, TargetError, TargetOptions, UnitOptions, UnitReport};
pub use target::Target;
