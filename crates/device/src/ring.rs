//! A safe io_uring over one file: it owns the buffers of what is in flight, and gives them back with the completion.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use io_uring::{IoUring, opcode, squeue, types};
use rustix::io::Errno;

use crate::buffer::Buffer;

/// The token of the ring's own look at its wake descriptor; no command has it.
const WAKE: u64 = u64::MAX;

/// How long the ring waits at most when nothing is due: no wait is without an end, even one that a wake always ends.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Between two submissions where the kernel is short of memory: what was not taken stays in the queue, and is given again.
const SHORT_PAUSE: Duration = Duration::from_millis(1);

/// What an error of `io_uring_enter` means for the ring (io_uring_enter(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setback {
    /// Timed out, interrupted, or completions must be reaped before more is taken: a look is all that it wants.
    Look,
    /// The kernel is short of memory. It does not wait then, so whoever tries again must.
    Short,
    /// The ring is of no use any more: the caller's mistake, or completions that were lost.
    Broken,
}

impl Setback {
    fn of(error: &io::Error) -> Setback {
        match error.raw_os_error() {
            Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Setback::Look,
            Some(libc::EAGAIN | libc::ENOMEM) => Setback::Short,
            _ => Setback::Broken,
        }
    }
}

/// A ring of one thread. Tokens are places below its depth; one command per place.
pub(crate) struct Ring {
    ring: IoUring,
    file: Arc<OwnedFd>,
    wake: Arc<OwnedFd>,
    wake_armed: bool,
    in_flight: Vec<Flight>,
}

enum Flight {
    Nothing,
    Transfer(Buffer),
    Sync,
}

/// A command that ended: how many bytes it moved, or what the kernel said.
pub(crate) struct Completion {
    pub(crate) token: usize,
    pub(crate) result: Result<usize, Errno>,
    /// The buffer that the command was given; `None` for a sync.
    pub(crate) buffer: Option<Buffer>,
}

impl Ring {
    /// Makes a ring for `depth` commands on `file`; a write to the eventfd `wake` ends a wait. To be used on the
    /// thread that made it.
    pub(crate) fn new(depth: usize, file: Arc<OwnedFd>, wake: Arc<OwnedFd>) -> io::Result<Ring> {
        // One entry more for the look at the wake descriptor.
        let entries = u32::try_from(depth + 1).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // Kernels before 6.1 do not know these flags, and lose nothing but speed.
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(entries)
            .or_else(|_| IoUring::new(entries))?;
        let in_flight = (0..depth).map(|_| Flight::Nothing).collect();
        Ok(Ring { ring, file, wake, wake_armed: false, in_flight })
    }

    /// Reads from the file's byte `offset` on into `part` of the buffer.
    pub(crate) fn read(
        &mut self,
        token: usize,
        mut buffer: Buffer,
        part: Range<usize>,
        offset: u64,
    ) -> io::Result<()> {
        let target = &mut buffer[part];
        let length = u32::try_from(target.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let entry = opcode::Read::new(types::Fd(self.file.as_raw_fd()), target.as_mut_ptr(), length)
            .offset(offset)
            .build();
        self.push(token, Flight::Transfer(buffer), &entry)
    }

    /// Writes `part` of the buffer to the file's byte `offset` and on.
    pub(crate) fn write(
        &mut self,
        token: usize,
        buffer: Buffer,
        part: Range<usize>,
        offset: u64,
    ) -> io::Result<()> {
        let source = &buffer[part];
        let length = u32::try_from(source.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let entry = opcode::Write::new(types::Fd(self.file.as_raw_fd()), source.as_ptr(), length)
            .offset(offset)
            .build();
        self.push(token, Flight::Transfer(buffer), &entry)
    }

    /// Makes the file's data durable.
    pub(crate) fn sync(&mut self, token: usize) -> io::Result<()> {
        let entry =
            opcode::Fsync::new(types::Fd(self.file.as_raw_fd())).flags(types::FsyncFlags::DATASYNC).build();
        self.push(token, Flight::Sync, &entry)
    }

    fn push(&mut self, token: usize, flight: Flight, entry: &squeue::Entry) -> io::Result<()> {
        assert!(matches!(self.in_flight[token], Flight::Nothing), "one command per token");
        self.in_flight[token] = flight;
        self.enqueue(&entry.clone().user_data(token as u64))
    }

    fn enqueue(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the descriptors are open, for the ring holds them. What the entry points at lies in `in_flight`,
        // whose buffers do not move and stay until their completion was reaped (or for ever: see `drop`).
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }

    /// Submits what was asked for, waits for a completion, a wake or the end of `timeout`, and puts what ended into
    /// `completions`.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion>,
    ) -> io::Result<()> {
        if !self.wake_armed {
            let look = opcode::PollAdd::new(types::Fd(self.wake.as_raw_fd()), POLL_IN).build();
            self.enqueue(&look.user_data(WAKE))?;
            self.wake_armed = true;
        }
        let timeout = types::Timespec::from(timeout.unwrap_or(IDLE_WAIT_MAX));
        let arguments = types::SubmitArgs::new().timespec(&timeout);
        if let Err(error) = self.ring.submitter().submit_with_args(1, &arguments) {
            match Setback::of(&error) {
                Setback::Look => {}
                Setback::Short => std::thread::sleep(SHORT_PAUSE),
                Setback::Broken => return Err(error),
            }
        }
        self.reap(completions);
        Ok(())
    }

    fn reap(&mut self, completions: &mut Vec<Completion>) {
        for entry in self.ring.completion() {
            if entry.user_data() == WAKE {
                self.wake_armed = false;
                // Empties the counter. Whether it was empty already does not matter: the inbox is looked at anyway.
                let _ = rustix::io::read(&self.wake, &mut [0; 8]);
                continue;
            }
            let result = usize::try_from(entry.result())
                .map_err(|_| Errno::from_raw_os_error(entry.result().wrapping_neg()));
            let place = usize::try_from(entry.user_data()).ok().and_then(|token| {
                let flight = std::mem::replace(self.in_flight.get_mut(token)?, Flight::Nothing);
                Some((token, flight))
            });
            match place {
                Some((token, Flight::Transfer(buffer))) => {
                    completions.push(Completion { token, result, buffer: Some(buffer) });
                }
                Some((token, Flight::Sync)) => completions.push(Completion { token, result, buffer: None }),
                Some((_, Flight::Nothing)) | None => {}
            }
        }
    }
}

/// `POLLIN`, which is the same small number everywhere that Linux runs.
const POLL_IN: u32 = 1;

impl Drop for Ring {
    fn drop(&mut self) {
        // A lane ends with nothing in flight. Where its thread panicked or its ring broke, the kernel may still write
        // into these buffers: better never freed than given to somebody else.
        for flight in self.in_flight.drain(..) {
            std::mem::forget(flight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lane that ends takes the host's device away for good.
    #[test]
    fn a_kernel_that_is_short_of_memory_or_interrupted_breaks_no_ring() {
        let of = |number| Setback::of(&io::Error::from_raw_os_error(number));
        for number in [libc::ETIME, libc::EINTR, libc::EBUSY] {
            assert_eq!(of(number), Setback::Look, "{number}");
        }
        for number in [libc::EAGAIN, libc::ENOMEM] {
            assert_eq!(of(number), Setback::Short, "{number}");
        }
        for number in [libc::EBADF, libc::EFAULT, libc::EINVAL, libc::ENXIO, libc::EBADR] {
            assert_eq!(of(number), Setback::Broken, "{number}");
        }
    }
}
