//! Looks at a socket: what is asked, and what was seen.

use crate::ring::{POLL_ERROR, POLL_HUNG_UP, POLL_IN, POLL_OUT, POLL_READ_HUNG_UP, Use};

/// What a socket is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interest {
    /// Something to read: data, a connection to accept, or the end.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
}

impl Interest {
    pub(crate) const fn events(self) -> u32 {
        match self {
            Interest::Read => POLL_IN | POLL_READ_HUNG_UP,
            Interest::Write => POLL_OUT,
            Interest::Both => POLL_IN | POLL_READ_HUNG_UP | POLL_OUT,
        }
    }
}

/// What was seen of a socket. After an end or an error a read and a write tell what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There is something to read, if only the end.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The other end sends nothing more, or is gone.
    pub ended: bool,
    /// The socket, or the look itself, failed.
    pub failed: bool,
}

impl Readiness {
    pub(crate) const FAILED: Readiness =
        Readiness { readable: false, writable: false, ended: false, failed: true };

    /// What the kernel's number of poll events says.
    pub(crate) fn of_events(events: usize) -> Readiness {
        let seen = |mask: u32| events & mask as usize != 0;
        Readiness {
            readable: seen(POLL_IN),
            writable: seen(POLL_OUT),
            ended: seen(POLL_HUNG_UP | POLL_READ_HUNG_UP),
            failed: seen(POLL_ERROR),
        }
    }
}

/// Names one look that was asked for, to cancel it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watch(pub(crate) Use);
