//! Whether QEMU or one of its tools has an image open to write, by the locks that they hold on it.
//!
//! A running guest's image that is copied is torn: tables of one moment, data of another. QEMU's file driver holds a shared lock on one byte
//! for each permission that it has (`block/file-posix.c`: `RAW_LOCK_PERM_BASE` 100, the permission to write is bit 1). The kernel lists them:
//!
//! ```text
//!   11: OFDLCK ADVISORY  READ -1 fe:00:10027545 100 101
//! ```

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

/// The byte that a writer of QEMU's holds.
const WRITER_BYTE: u64 = 101;
/// As much of the kernel's list is read: some ten thousand locks.
const LIST_LENGTH_MAX: u64 = 1 << 20;

/// Whether a writer holds it. A kernel that does not list the file's locks, as for a file on another machine, says nothing; neither does a
/// writer of another kind.
pub fn has_writer(file: &File) -> bool {
    let Ok(about) = file.metadata() else { return false };
    let mut list = String::new();
    let read =
        File::open("/proc/locks").and_then(|locks| locks.take(LIST_LENGTH_MAX).read_to_string(&mut list));
    let (major, minor) = (rustix::fs::major(about.dev()), rustix::fs::minor(about.dev()));
    let name = format!("{major:02x}:{minor:02x}:{}", about.ino());
    read.is_ok() && list.lines().any(|line| holds(line, &name))
}

/// Whether a line of the list is about the file of that name, and the byte.
fn holds(line: &str, name: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| *word != name).skip(1);
    let (Some(first), Some(last)) = (words.next(), words.next()) else { return false };
    let (first, last) = (first.parse::<u64>(), last.parse::<u64>().unwrap_or(u64::MAX));
    first.is_ok_and(|first| (first..=last).contains(&WRITER_BYTE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_s_byte_is_found_in_any_range_of_the_file() {
        let name = "fe:00:17";
        let lock = |rest: &str| format!("11: OFDLCK ADVISORY  READ -1 {rest}");
        for held in ["fe:00:17 100 101", "fe:00:17 101 101", "fe:00:17 0 EOF"] {
            assert!(holds(&lock(held), name), "{held}");
        }
        for free in ["fe:00:17 100 100", "fe:00:17 103 203", "fe:00:18 100 101", "fe:00:17", ""] {
            assert!(!holds(&lock(free), name), "{free}");
        }
    }
}
