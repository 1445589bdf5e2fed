//! Byte-range locks of one open file description (`F_OFD_SETLK`; fcntl(2)): what holds between processes.
//!
//! Threads on one description all "get" the same lock, and an unlock by one of them unlocks for all: the
//! [range table](crate::range_table) stands before these.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A run of bytes of the file: `start` and a length of at least one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) start: u64,
    pub(crate) length: u64,
}

impl ByteRange {
    /// The first byte after the range.
    pub(crate) fn end(self) -> u64 {
        self.start + self.length
    }

    /// The range in pieces of `length_max` bytes, the last one shorter.
    pub(crate) fn pieces(self, length_max: u64) -> impl Iterator<Item = ByteRange> {
        (0..self.length.div_ceil(length_max)).map(move |number| {
            let start = self.start + number * length_max;
            ByteRange { start, length: length_max.min(self.end() - start) }
        })
    }

    /// Whether the two share a byte.
    pub(crate) fn overlaps(self, other: ByteRange) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}

/// Takes the range, exclusively, if nothing on another description stands against it; at once and without waiting.
pub(crate) fn try_lock(file: BorrowedFd<'_>, range: ByteRange) -> io::Result<bool> {
    try_kind(file, libc::F_WRLCK, range)
}

/// Takes the range together with others that only read, at once and without waiting.
pub(crate) fn try_share(file: BorrowedFd<'_>, range: ByteRange) -> io::Result<bool> {
    try_kind(file, libc::F_RDLCK, range)
}

fn try_kind(file: BorrowedFd<'_>, kind: libc::c_int, range: ByteRange) -> io::Result<bool> {
    match control(file, libc::F_OFD_SETLK, kind, range) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives back what this description holds of the range.
pub(crate) fn unlock(file: BorrowedFd<'_>, range: ByteRange) -> io::Result<()> {
    control(file, libc::F_OFD_SETLK, libc::F_UNLCK, range).map(|_| ())
}

/// Whether another description holds any lock on the range. Asks (`F_OFD_GETLK`) and takes nothing: two who ask at
/// once both get the truth, and who enters meanwhile is not in their way.
pub(crate) fn held_elsewhere(file: BorrowedFd<'_>, range: ByteRange) -> io::Result<bool> {
    let found = control(file, libc::F_OFD_GETLK, libc::F_WRLCK, range)?;
    Ok(i32::from(found.l_type) != libc::F_UNLCK)
}

fn control(
    file: BorrowedFd<'_>,
    command: libc::c_int,
    request: libc::c_int,
    range: ByteRange,
) -> io::Result<libc::flock> {
    let out_of_range = || io::Error::from_raw_os_error(libc::EOVERFLOW);
    // SAFETY: `flock` is plain numbers, for which all zeros is a value; `l_pid` must be 0 for these commands.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(request).map_err(|_| out_of_range())?;
    lock.l_whence = libc::c_short::try_from(libc::SEEK_SET).map_err(|_| out_of_range())?;
    lock.l_start = libc::off_t::try_from(range.start).map_err(|_| out_of_range())?;
    lock.l_len = libc::off_t::try_from(range.length).map_err(|_| out_of_range())?;
    // SAFETY: the descriptor is open for as long as it is borrowed, and `lock` outlives the call, which is all that
    // the kernel asks of these commands.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(lock) }
}
