//! Whether QEMU or one of its tools has an image open to write, by the locks that they hold on it.
//!
//! A running guest's image that is copied is torn: tables of one moment, data of another. QEMU's file driver holds a shared lock on one byte
//! for each permission that it has (`block/file-posix.c`: `RAW_LOCK_PERM_BASE` 100, the permission to write is bit 1).

use std::fs::File;

use rustix::process::{Flock, FlockType};

/// The byte that a writer of QEMU's holds.
const WRITER_BYTE: u64 = 101;

/// Whether a writer holds it. A file system without locks says nothing, and neither does a writer of another kind.
pub fn has_writer(file: &File) -> bool {
    let asked = Flock { start: WRITER_BYTE, length: 1, ..Flock::from(FlockType::WriteLock) };
    matches!(rustix::process::fcntl_getlk(file, &asked), Ok(Some(_)))
}
