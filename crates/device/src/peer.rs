//! Who listens behind a socket of this machine.

use std::os::fd::{AsFd, AsRawFd};

/// The process that listens, or listened, where this connected unix socket leads (`SO_PEERCRED`; unix(7)). `None` where that is in
/// a pid namespace that this process cannot see, or where there is no peer. For the former the kernel says 0, which
/// rustix's `socket_peercred` would make a pid of that is never 0; hence the call by hand.
#[must_use]
pub fn peer_pid(socket: impl AsFd) -> Option<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).ok()?;
    // SAFETY: the descriptor is open for as long as it is borrowed; `peer` and `length` outlive the call, and `length` is the
    // size of `peer`, whose fields take any number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    u32::try_from(peer.pid).ok().filter(|pid| result == 0 && *pid != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_peer_of_a_pair_is_whoever_made_it_and_a_file_has_none() {
        let (socket, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_pid(&socket), Some(std::process::id()));
        assert_eq!(peer_pid(std::fs::File::open("/dev/null").unwrap()), None);
    }
}
