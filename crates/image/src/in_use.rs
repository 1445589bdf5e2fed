//! Whether QEMU or one of its tools has an image open to write, by the locks that they hold on it.
//!
//! A running guest's image that is copied is torn: tables of one moment, data of another. QEMU's file driver holds a shared lock on one byte
//! for each permission that it has (`block/file-posix.c`: `RAW_LOCK_PERM_BASE` 100, the permission to write is bit 1). The kernel is asked
//! whether an exclusive one could be had there, which takes nothing. (Its list of all locks, /proc/locks, may leave some out where others
//! come and go while it is read.)

use std::fs::File;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_UNLCK, F_WRLCK, SEEK_SET, c_int, c_short, flock, off_t};

/// The byte that a writer of QEMU's holds.
const WRITER_BYTE: off_t = 101;

/// Whether a writer holds it. A file system that knows no locks says nothing; neither does a writer of another kind.
pub fn has_writer(file: &File) -> bool {
    let mut lock = lock(F_WRLCK, WRITER_BYTE, 1);
    let asked = fcntl(file, FcntlArg::F_OFD_GETLK(&mut lock));
    asked.is_ok() && i32::from(lock.l_type) != F_UNLCK
}

fn lock(kind: c_int, start: off_t, length: off_t) -> flock {
    // What the C library calls int is a number of one digit.
    let short = |number| c_short::try_from(number).unwrap_or_default();
    flock { l_type: short(kind), l_whence: short(SEEK_SET), l_start: start, l_len: length, l_pid: 0 }
}

#[cfg(test)]
mod tests {
    use nix::libc::F_RDLCK;

    use super::*;

    #[test]
    fn the_writer_s_byte_is_found_in_any_range_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (start, length, held) in
            [(100, 2, true), (101, 1, true), (0, 0, true), (100, 1, false), (102, 100, false)]
        {
            let other = file.reopen().unwrap();
            fcntl(&other, FcntlArg::F_OFD_SETLK(&lock(F_RDLCK, start, length))).unwrap();
            assert_eq!(has_writer(file.as_file()), held, "{start} {length}");
        }
        assert!(!has_writer(file.as_file()), "a lock ends with its descriptor");
    }
}
