//! Which requests are carried out, and with which error the others fail (document, *Request types*, *Command flags*, *Error values*).

use super::negotiation::Session;
use crate::codes::{Command, Errno};
use crate::flags::{CommandFlags, TransmissionFlags};
use crate::request::Request;

/// What one connection agreed on, as far as it decides about requests.
#[derive(Clone, Debug)]
pub struct Rules {
    size_bytes: u64,
    minimum: u32,
    payload_max: u32,
    flags: TransmissionFlags,
    structured: bool,
    allocation: bool,
    shutting_down: bool,
}

/// What holds for one command: the flag that offers it, the flags that it may carry, and the error for what lies beyond the end.
struct Manner {
    offered_by: TransmissionFlags,
    takes: CommandFlags,
    writes: bool,
    beyond: Errno,
}

impl Rules {
    /// The rules of a session.
    pub fn new(session: &Session) -> Rules {
        let sizes = session.export.block_sizes();
        Rules {
            size_bytes: session.export.size_bytes(),
            minimum: sizes.minimum(),
            payload_max: sizes.payload_max(),
            flags: session.flags,
            structured: session.structured,
            allocation: session.allocation,
            shutting_down: false,
        }
    }

    /// The size in bytes up to which requests are carried out.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The most bytes of payload that a request may carry or ask for.
    pub fn payload_max(&self) -> u32 {
        self.payload_max
    }

    /// From the next request on, the export has this size in bytes. The protocol has no word from server to client for it, and the
    /// experimental `NBD_CMD_RESIZE` is a wish of the client's; a client that learns of it elsewhere may use the new end at once.
    pub fn resize(&mut self, size_bytes: u64) {
        self.size_bytes = size_bytes;
    }

    /// From the next request on, each fails with `NBD_ESHUTDOWN` (*Terminating the transmission phase*). Clients of today (QEMU, Linux)
    /// hand that on as an I/O error of the disk, with or without a wish to connect again: where the export comes back, close the
    /// connection without an answer.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Whether a request is to be carried out.
    ///
    /// What passes has a length that is not zero (but for `NBD_CMD_FLUSH`, where it is), lies within the export and on its minimum
    /// blocks, and fits into the maximum payload where it has any. A length of zero, which the document leaves open, is refused:
    /// nothing would be done, and no extent and no chunk could be said of it.
    ///
    /// # Errors
    /// The error with which the request fails:
    ///
    /// | error | for |
    /// | --- | --- |
    /// | `ESHUTDOWN` | each request once the server goes down |
    /// | `EINVAL` | a command that is not known, was not offered, or not agreed; a flag that does not belong to it or was not offered; a length of 0, or an offset off the minimum block; a payload over the maximum (but see `EOVERFLOW`); a flush with offset or length; a read, trim, cache or status beyond the end |
    /// | `EPERM` | write, trim and zeroes where the export is read-only |
    /// | `ENOSPC` | a write or zeroes beyond the end |
    /// | `EOVERFLOW` | a read over the maximum payload with structured replies, with or without `DF` |
    ///
    /// `ENOTSUP` for a `FAST_ZERO` that would not be fast, `EIO` and the `ENOSPC` of a full store are for who carries requests out.
    pub fn judge(&self, request: &Request) -> Result<(), Errno> {
        if self.shutting_down {
            return Err(Errno::ESHUTDOWN);
        }
        let manner = manner(request.command).ok_or(Errno::EINVAL)?;
        if manner.writes && self.flags.has(TransmissionFlags::READ_ONLY) {
            return Err(Errno::EPERM);
        }
        let status_without_context = request.command == Command::BLOCK_STATUS && !self.allocation;
        if !self.flags.has(manner.offered_by) || status_without_context {
            return Err(Errno::EINVAL);
        }
        if !self.allowed_flags(&manner).has(request.flags) {
            return Err(Errno::EINVAL);
        }
        if request.command == Command::FLUSH {
            let reserved = request.offset == 0 && request.length == 0;
            return if reserved { Ok(()) } else { Err(Errno::EINVAL) };
        }
        self.judge_payload(request)?;
        self.judge_range(request, manner.beyond)
    }

    /// The flags of a command, less those whose feature was not offered. `FUA` is valid for all commands.
    fn allowed_flags(&self, manner: &Manner) -> CommandFlags {
        let gated = [
            (CommandFlags::FUA, TransmissionFlags::SEND_FUA),
            (CommandFlags::DF, TransmissionFlags::SEND_DF),
            (CommandFlags::FAST_ZERO, TransmissionFlags::SEND_FAST_ZERO),
        ];
        let missing = gated.iter().filter(|(_, feature)| !self.flags.has(*feature));
        missing.fold(manner.takes | CommandFlags::FUA, |allowed, (flag, _)| allowed.without(*flag))
    }

    fn judge_payload(&self, request: &Request) -> Result<(), Errno> {
        if request.length <= self.payload_max {
            return Ok(());
        }
        match request.command {
            Command::READ if self.structured => Err(Errno::EOVERFLOW),
            Command::READ | Command::WRITE => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    fn judge_range(&self, request: &Request, beyond: Errno) -> Result<(), Errno> {
        let minimum = u64::from(self.minimum);
        let length = u64::from(request.length);
        let aligned = request.offset.is_multiple_of(minimum) && length.is_multiple_of(minimum);
        if length == 0 || !aligned {
            return Err(Errno::EINVAL);
        }
        let end = request.offset.checked_add(length);
        if end.is_some_and(|end| end <= self.size_bytes) { Ok(()) } else { Err(beyond) }
    }
}

/// What holds for a command; `None` for one that is not known, and for `NBD_CMD_DISC`, which nobody judges.
fn manner(command: Command) -> Option<Manner> {
    let none = TransmissionFlags::NONE;
    let (offered_by, takes, writes, beyond) = match command {
        Command::READ => (none, CommandFlags::DF, false, Errno::EINVAL),
        Command::WRITE => (none, CommandFlags::NONE, true, Errno::ENOSPC),
        Command::FLUSH => (TransmissionFlags::SEND_FLUSH, CommandFlags::NONE, false, Errno::EINVAL),
        Command::TRIM => (TransmissionFlags::SEND_TRIM, CommandFlags::NONE, true, Errno::EINVAL),
        Command::CACHE => (TransmissionFlags::SEND_CACHE, CommandFlags::NONE, false, Errno::EINVAL),
        Command::WRITE_ZEROES => (
            TransmissionFlags::SEND_WRITE_ZEROES,
            CommandFlags::NO_HOLE | CommandFlags::FAST_ZERO,
            true,
            Errno::ENOSPC,
        ),
        Command::BLOCK_STATUS => (none, CommandFlags::REQ_ONE, false, Errno::EINVAL),
        _ => return None,
    };
    Some(Manner { offered_by, takes, writes, beyond })
}
