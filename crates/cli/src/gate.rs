//! The gate before a guarded command: it gets its standard input there, and so cannot begin before it is watched (R29).
//!
//! ```text
//!   lock run                        guard exec                      guard watch
//!     |-- starts, input: the gate ---> |
//!     |-- starts ------------------------------------------------------> |
//!     |                                | waits at the gate               | ready
//!     | <--------------------------------------------------------------- |
//!     |-- the user's standard input -> | becomes the command
//!
//!   lock run ends before that -------> the gate ends: the command never runs
//! ```
//! Only `lock run` has the gate's other end: everything that it starts loses it by starting. The descriptor that comes
//! through is the user's own, not a copy of what it refers to: the command reads on where the last reader stopped.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// What comes with the descriptor: none can be sent alone.
const GO: [u8; 1] = *b"!";

/// Two ends of a socket that keeps messages apart, which no program inherits that is not given one of them.
///
/// # Errors
/// Where the system gives no socket.
pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Opens the gate: whoever waits at the other end gets `input`.
///
/// # Errors
/// Where nobody waits there any more.
pub fn open(gate: impl AsFd, input: impl AsFd) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let inputs = [input.as_fd()];
    if !rights.push(SendAncillaryMessage::ScmRights(&inputs)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(gate, &[IoSlice::new(&GO)], &mut rights, SendFlags::NOSIGNAL).map(|_| ())
}

/// Waits at the gate for the standard input; `None`: the gate's other end is gone, and it never opens.
///
/// # Errors
/// Where there is no gate.
pub fn wait(gate: impl AsFd) -> Result<Option<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let mut word = [0];
    let mut into = [IoSliceMut::new(&mut word)];
    rustix::io::retry_on_intr(|| recvmsg(gate.as_fd(), &mut into, &mut rights, RecvFlags::CMSG_CLOEXEC))?;
    let input = rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek, SeekFrom, Write};

    #[test]
    fn what_comes_through_the_gate_is_the_input_itself_and_no_copy_of_it() {
        let (ours, theirs) = pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"ab").unwrap();
        file.seek(SeekFrom::Start(1)).unwrap();
        open(&ours, &file).unwrap();
        let mut rest = String::new();
        std::fs::File::from(wait(&theirs).unwrap().unwrap()).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "b");
        assert_eq!(file.stream_position().unwrap(), 2, "whoever reads on begins where this reader stopped");
    }

    #[test]
    fn a_gate_whose_other_end_is_gone_never_opens() {
        let (ours, theirs) = pair().unwrap();
        drop(ours);
        assert!(wait(&theirs).unwrap().is_none());
    }
}
