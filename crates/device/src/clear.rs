//! What can be done about the place that bytes of a file take, without writing them: two ways to make them read as zeros, and one to keep
//! them.

/// How bytes are cleared, or kept: fallocate(2), which block devices know as well. None of the modes ever lengthens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clear {
    /// A hole: the place is given back to what is below. A disk clears it by a command of its own, or refuses.
    Discard,
    /// The place is kept. A disk that has no command for it is written by the kernel; tmpfs refuses.
    Zero,
    /// The bytes stay, and have their place: where there was a hole, a write finds it.
    Reserve,
}

impl Clear {
    /// The mode as fallocate(2) takes it.
    pub(crate) const fn mode(self) -> i32 {
        match self {
            Clear::Discard => libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
            Clear::Zero => libc::FALLOC_FL_ZERO_RANGE | libc::FALLOC_FL_KEEP_SIZE,
            Clear::Reserve => libc::FALLOC_FL_KEEP_SIZE,
        }
    }
}
