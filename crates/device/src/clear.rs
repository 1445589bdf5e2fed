//! The two ways to make bytes of a file read as zeros without writing them.

/// How bytes are cleared: fallocate(2), which block devices know as well. Neither mode ever lengthens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    /// A hole: the place is given back to what is below. A disk clears it by a command of its own, or refuses.
    Discard,
    /// The place is kept. A disk that has no command for it is written by the kernel; tmpfs refuses.
    Zero,
}

impl Clear {
    /// The mode as fallocate(2) takes it.
    pub(crate) const fn mode(self) -> i32 {
        match self {
            Clear::Discard => libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            Clear::Zero => libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE,
        }
    }
}
