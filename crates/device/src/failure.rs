//! What the kernel's error numbers mean, in the three answers: pure, and the one table of it.
//!
//! | errno | before anything was written | of the write itself |
//! | --- | --- | --- |
//! | ENOSPC, EDQUOT | full | full: a block that has no place was not written |
//! | ENODEV, ENXIO, ESTALE | gone | gone: the kernel has no device to send it to |
//! | EFBIG | out of range | out of range |
//! | EINVAL, EROFS, EPERM, EACCES, EBADF, EOPNOTSUPP | unsupported | unsupported: refused before the device |
//! | EAGAIN, EINTR, ENOMEM | busy | unknown |
//! | EIO and all else | read: medium; ATS: unknown | unknown, device error |
//!
//! The read of an ATS that fails with EIO wrote nothing, and no refusal says so: `Busy` promises that trying again
//! helps, `Gone` that the device went away. `Unknown` claims less than is known, which is never wrong.

use oarlock_block::{Answer, IoError, Refusal, UnknownCause};
use rustix::io::Errno;

/// The refusal that an error number stands for wherever it appears.
fn refusal(errno: Errno) -> Option<Refusal> {
    match errno {
        Errno::NOSPC | Errno::DQUOT => Some(Refusal::Full),
        Errno::NODEV | Errno::NXIO | Errno::STALE => Some(Refusal::Gone),
        Errno::FBIG => Some(Refusal::OutOfRange),
        Errno::INVAL | Errno::ROFS | Errno::PERM | Errno::ACCESS | Errno::BADF | Errno::OPNOTSUPP => {
            Some(Refusal::Unsupported)
        }
        _ => None,
    }
}

/// The refusal of a command of which nothing reached the device.
fn refusal_before(errno: Errno) -> Option<Refusal> {
    match errno {
        Errno::AGAIN | Errno::INTR | Errno::NOMEM => Some(Refusal::Busy),
        other => refusal(other),
    }
}

/// An ATS whose read failed.
pub(crate) fn of_compare(errno: Errno) -> Result<Answer, Refusal> {
    match refusal_before(errno) {
        Some(refusal) => Err(refusal),
        None => Ok(unknown()),
    }
}

/// An ATS whose write failed.
pub(crate) fn of_swap(errno: Errno) -> Result<Answer, Refusal> {
    match refusal(errno) {
        Some(refusal) => Err(refusal),
        None => Ok(unknown()),
    }
}

/// A read that failed.
pub(crate) fn of_read(errno: Errno) -> IoError {
    refusal_before(errno).map_or(IoError::Medium, IoError::Refused)
}

/// A plain write that failed.
pub(crate) fn of_write(errno: Errno) -> IoError {
    refusal(errno).map_or(IoError::Unknown(UnknownCause::DeviceError), IoError::Refused)
}

/// A flush that failed. The kernel tells each description once of data it could not write back: nothing is known of
/// any write since the last flush, whatever the number.
pub(crate) fn of_flush(errno: Errno) -> IoError {
    match errno {
        Errno::NODEV | Errno::NXIO | Errno::STALE => IoError::Refused(Refusal::Gone),
        Errno::NOSPC | Errno::DQUOT => IoError::Refused(Refusal::Full),
        _ => IoError::Unknown(UnknownCause::DeviceError),
    }
}

fn unknown() -> Answer {
    Answer::Unknown { cause: UnknownCause::DeviceError }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_write_itself_is_unknown_and_never_a_refusal() {
        assert_eq!(of_swap(Errno::IO), Ok(unknown()));
        assert_eq!(of_swap(Errno::NOMEM), Ok(unknown()));
        assert_eq!(of_write(Errno::IO), IoError::Unknown(UnknownCause::DeviceError));
    }

    #[test]
    fn what_says_that_nothing_happened_is_a_refusal() {
        assert_eq!(of_compare(Errno::NOMEM), Err(Refusal::Busy));
        assert_eq!(of_swap(Errno::NOSPC), Err(Refusal::Full));
        assert_eq!(of_swap(Errno::NODEV), Err(Refusal::Gone));
        assert_eq!(of_read(Errno::IO), IoError::Medium);
    }

    #[test]
    fn an_unreadable_block_is_unknown_to_an_ats() {
        assert_eq!(of_compare(Errno::IO), Ok(unknown()));
    }
}
