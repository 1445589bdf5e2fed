//! Image files of virtual machines: raw and qcow2, read and written, and copied to and from a disk over NBD.
//!
//! What `oarlock disk import` and `disk export` are made of. The crate knows no datastore and no host: a disk is an NBD export on a unix
//! socket, which the caller attached and will detach.
//!
//! ```text
//!   import:   FILE --> Source (format, extents, bytes) --> plan --> Line --> NBD: WRITE, WRITE_ZEROES, FLUSH
//!   export:   NBD: BLOCK_STATUS, READ --> Line --> in order of offset --> Sink --> a temporary name --> FILE
//! ```
//!
//! Both keep many requests under way on one connection, on the caller's thread. Every wait looks at [`Onlooker::wants_out`] and ends at
//! [`limits::PATIENCE`] without a byte. What stood empty stays empty: ranges without data are not copied, and zeros in data are found.
//!
//! # What an image file may cost
//!
//! Image files come from strangers. [`limits`] names what one may make this crate keep: windows of its tables, one cluster, and what a
//! compressed cluster unpacks to. Whatever an image says, nothing but itself is opened: backing files and external data files are
//! refused (docs/decisions/0065).

#![forbid(unsafe_code)]

mod address;
mod error;
mod export;
mod extent;
mod foreign;
mod import;
mod in_use;
pub mod limits;
mod line;
mod onlooker;
mod plan;
pub mod qcow2;
mod raw_file;
mod sink;
mod source;
mod storage;
mod wire;
mod zeros;

pub use address::{Address, AddressError};
pub use error::ImageError;
pub use export::{Exported, export};
pub use extent::{Content, Extent, Format};
pub use import::{Imported, import};
pub use onlooker::{Onlooker, Progress, Unwatched};
pub use sink::Destination;
pub use source::{Source, Survey, disk_size};
pub use storage::{FileStorage, Run, Storage};
