//! Between NBD's words and the data path's.

use oarlock_engine::path::{self, PathError, RequestKind, Status};
use oarlock_nbd::{Allocation, Command, CommandFlags, Errno, Extent, Request};

/// What a request asks of the disk. Commands that the rules let pass have a meaning here.
pub(crate) fn request(request: &Request) -> path::Request {
    let durable = request.flags.has(CommandFlags::FUA);
    let kind = match request.command {
        Command::READ => RequestKind::Read,
        Command::WRITE => RequestKind::Write { durable },
        Command::TRIM => RequestKind::Trim { durable },
        Command::WRITE_ZEROES => RequestKind::WriteZeroes {
            durable,
            keep: request.flags.has(CommandFlags::NO_HOLE),
            fast: request.flags.has(CommandFlags::FAST_ZERO),
        },
        Command::BLOCK_STATUS => RequestKind::BlockStatus,
        Command::CACHE => RequestKind::Cache,
        _ => return path::Request::FLUSH,
    };
    path::Request { kind, offset: request.offset, length: u64::from(request.length) }
}

/// The error that a client is told.
pub(crate) fn errno(error: PathError) -> Errno {
    match error {
        PathError::Io | PathError::NotFull { .. } | PathError::Busy { .. } => Errno::EIO,
        PathError::NoSpace => Errno::ENOSPC,
        // Whoever is told so asks the host that has the disk now.
        PathError::Moved => Errno::ESHUTDOWN,
        PathError::ReadOnly => Errno::EPERM,
        PathError::Unaligned { .. } | PathError::OutOfRange { .. } | PathError::TooLong { .. } => {
            Errno::EINVAL
        }
        PathError::NotFast => Errno::ENOTSUP,
    }
}

/// An extent as `base:allocation` says it. What an ancestor wrote is data.
pub(crate) fn extent(extent: &path::Extent) -> Extent {
    let status = match extent.status {
        Status::Here | Status::Ancestor => Allocation::NONE,
        Status::ZeroKept => Allocation::ZERO,
        Status::Zero => Allocation::HOLE | Allocation::ZERO,
    };
    Extent { length: u32::try_from(extent.length).unwrap_or(u32::MAX), status }
}

#[cfg(test)]
mod tests {
    use oarlock_nbd::Cookie;

    use super::*;

    fn asked(command: Command, flags: CommandFlags) -> RequestKind {
        let nbd = Request { command, flags, cookie: Cookie(1), offset: 512, length: 1024 };
        let asked = request(&nbd);
        assert_eq!((asked.offset, asked.length), (512, 1024));
        asked.kind
    }

    #[test]
    fn each_flag_reaches_the_disk() {
        let none = CommandFlags::NONE;
        assert_eq!(asked(Command::WRITE, CommandFlags::FUA), RequestKind::Write { durable: true });
        assert_eq!(asked(Command::TRIM, none), RequestKind::Trim { durable: false });
        let zeroes = |flags| asked(Command::WRITE_ZEROES, flags);
        let zeroed = |durable, keep, fast| RequestKind::WriteZeroes { durable, keep, fast };
        assert_eq!(zeroes(none), zeroed(false, false, false));
        assert_eq!(zeroes(CommandFlags::NO_HOLE), zeroed(false, true, false));
        assert_eq!(zeroes(CommandFlags::FAST_ZERO | CommandFlags::FUA), zeroed(true, false, true));
    }

    #[test]
    fn a_full_datastore_and_a_zero_that_is_not_fast_have_their_own_errors() {
        assert_eq!(errno(PathError::NoSpace), Errno::ENOSPC);
        assert_eq!(errno(PathError::NotFast), Errno::ENOTSUP);
        assert_eq!(errno(PathError::Io), Errno::EIO);
        assert_eq!(errno(PathError::Moved), Errno::ESHUTDOWN);
    }
}
