//! A safe io_uring over files and sockets: it owns the buffers of what is in flight, and gives them back with the completion.
//!
//! The one core of both users, the [lanes](crate::lane) of commands with their locks and the
//! [data ring](crate::DataRing) of an export's thread. It knows places and file offsets; what a command is, what its
//! errors mean and whether it goes on are theirs.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use io_uring::{IoUring, opcode, squeue, types};
use rustix::io::Errno;

use crate::buffer::Buffer;
use crate::wake::Wake;

/// The token of the ring's own look at its wake descriptor; no command has it.
const WAKE: u64 = u64::MAX;

/// The token of every cancellation; nobody waits for one.
const CANCEL: u64 = u64::MAX - 1;

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

/// `POLLIN`, which is the same small number everywhere that Linux runs.
pub(crate) const POLL_IN: u32 = 1;
/// `POLLOUT`.
pub(crate) const POLL_OUT: u32 = 4;
/// `POLLERR`.
pub(crate) const POLL_ERROR: u32 = 8;
/// `POLLHUP`.
pub(crate) const POLL_HUNG_UP: u32 = 16;
/// `POLLRDHUP`: the other end sends nothing more. On every architecture that Oarlock is built for.
pub(crate) const POLL_READ_HUNG_UP: u32 = 0x2000;

/// Memory that a ring may hold while the kernel reads and writes it.
///
/// # Safety
/// The bytes that `memory` tells stay where they are, valid for reads and writes, while the value lives, wherever it
/// is moved; and nobody looks at them or changes them while a ring holds the value.
pub(crate) unsafe trait Memory {
    fn memory(&self) -> (*mut u8, usize);
}

// SAFETY: a buffer owns its run, whose bytes never move; a ring that holds the buffer is the only one that does.
unsafe impl Memory for Buffer {
    fn memory(&self) -> (*mut u8, usize) {
        (self.start(), self.length())
    }
}

/// A ring of one thread. Commands have places below its depth; one command per place.
pub(crate) struct Ring<Held> {
    ring: IoUring,
    wake: Arc<Wake>,
    wake_armed: bool,
    places: Vec<Place<Held>>,
}

struct Place<Held> {
    flight: Flight<Held>,
    /// Counts the uses of the place, so that a cancellation that comes late meets nobody else.
    uses: u32,
    cancelled: bool,
}

enum Flight<Held> {
    Nothing,
    Transfer(Held, #[expect(dead_code, reason = "held so that the file stays open")] Arc<OwnedFd>),
    Poll(#[expect(dead_code, reason = "held so that the descriptor stays open")] Rc<dyn AsFd>),
    /// A sync, or a change of what is allocated.
    Bare(#[expect(dead_code, reason = "held so that the file stays open")] Arc<OwnedFd>),
}

/// Names one use of one place, for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Use(u64);

impl Use {
    fn new(place: usize, uses: u32) -> Use {
        Use(u64::from(uses) << 32 | place as u64)
    }

    /// The place that it is a use of.
    pub(crate) fn place(self) -> usize {
        usize::try_from(self.0 & u64::from(u32::MAX)).unwrap_or(usize::MAX)
    }
}

/// A command that ended: how many bytes it moved or which poll events there are, or what the kernel said.
pub(crate) struct Completion<Held> {
    pub(crate) place: usize,
    pub(crate) result: Result<usize, Errno>,
    /// What a transfer was given; `None` for all else.
    pub(crate) held: Option<Held>,
}

impl<Held: Memory> Ring<Held> {
    /// Makes a ring for `depth` commands on `file`; a call of `wake` ends a wait. To be used on the thread that made
    /// it.
    pub(crate) fn new(depth: usize, wake: Arc<Wake>) -> io::Result<Ring<Held>> {
        // Each place has a command and its cancellation at most; one entry more for the look at the wake descriptor.
        let entries =
            u32::try_from(2 * depth + 1).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        // Kernels before 6.1 do not know these flags, and lose nothing but speed.
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(entries)
            .or_else(|_| IoUring::new(entries))?;
        let free = || Place { flight: Flight::Nothing, uses: 0, cancelled: false };
        let places = (0..depth).map(|_| free()).collect();
        Ok(Ring { ring, wake, wake_armed: false, places })
    }

    /// How many threads the kernel may have for commands that wait; where it knows no such number, its own stays.
    pub(crate) fn set_workers_max(&self, count: u32) {
        // The second number is of those on sockets and pipes: 0 leaves it as it is.
        let _ = self.ring.submitter().register_iowq_max_workers(&mut [count, 0]);
    }

    /// Reads from the file's byte `offset` on into `part` of what is held.
    pub(crate) fn read(
        &mut self,
        place: usize,
        file: &Arc<OwnedFd>,
        held: Held,
        part: Range<usize>,
        offset: u64,
    ) -> io::Result<()> {
        let (start, length) = part_of(&held, part)?;
        let entry = opcode::Read::new(types::Fd(file.as_raw_fd()), start, length).offset(offset);
        self.begin(place, Flight::Transfer(held, Arc::clone(file)), entry.build()).map(drop)
    }

    /// Writes `part` of what is held to the file's byte `offset` and on; with `is_durable` past every cache (RWF_DSYNC).
    pub(crate) fn write(
        &mut self,
        place: usize,
        file: &Arc<OwnedFd>,
        held: Held,
        (part, offset): (Range<usize>, u64),
        is_durable: bool,
    ) -> io::Result<()> {
        let (start, length) = part_of(&held, part)?;
        let flags = if is_durable { libc::RWF_DSYNC } else { 0 };
        let entry = opcode::Write::new(types::Fd(file.as_raw_fd()), start, length).offset(offset);
        self.begin(place, Flight::Transfer(held, Arc::clone(file)), entry.rw_flags(flags).build()).map(drop)
    }

    /// Makes the file's data durable.
    pub(crate) fn sync(&mut self, place: usize, file: &Arc<OwnedFd>) -> io::Result<()> {
        let entry = opcode::Fsync::new(types::Fd(file.as_raw_fd())).flags(types::FsyncFlags::DATASYNC);
        self.begin(place, Flight::Bare(Arc::clone(file)), entry.build()).map(drop)
    }

    /// Changes what is allocated of the file: fallocate(2) with `mode`.
    pub(crate) fn allocate(
        &mut self,
        place: usize,
        file: &Arc<OwnedFd>,
        mode: i32,
        (offset, length): (u64, u64),
    ) -> io::Result<()> {
        let entry = opcode::Fallocate::new(types::Fd(file.as_raw_fd()), length).offset(offset).mode(mode);
        self.begin(place, Flight::Bare(Arc::clone(file)), entry.build()).map(drop)
    }

    /// Looks once whether one of `events` is there; the completion tells which, as a number.
    pub(crate) fn poll(&mut self, place: usize, polled: Rc<dyn AsFd>, events: u32) -> io::Result<Use> {
        let entry = opcode::PollAdd::new(types::Fd(polled.as_fd().as_raw_fd()), events);
        self.begin(place, Flight::Poll(polled), entry.build())
    }

    /// Ends a poll early: it completes as ECANCELED unless it completed by itself. `false` where that use is over, is
    /// no poll, or is being cancelled already.
    pub(crate) fn cancel_poll(&mut self, cancelled: Use) -> io::Result<bool> {
        let Some(place) = self.places.get_mut(cancelled.place()) else { return Ok(false) };
        let polls = matches!(place.flight, Flight::Poll(_));
        if !polls || place.cancelled || Use::new(cancelled.place(), place.uses) != cancelled {
            return Ok(false);
        }
        place.cancelled = true;
        self.enqueue(&opcode::PollRemove::new(cancelled.0).build().user_data(CANCEL))?;
        Ok(true)
    }

    fn begin(&mut self, place: usize, flight: Flight<Held>, entry: squeue::Entry) -> io::Result<Use> {
        let taken = &mut self.places[place];
        assert!(matches!(taken.flight, Flight::Nothing), "one command per place");
        taken.flight = flight;
        taken.uses = taken.uses.wrapping_add(1);
        taken.cancelled = false;
        let begun = Use::new(place, taken.uses);
        self.enqueue(&entry.user_data(begun.0))?;
        Ok(begun)
    }

    fn enqueue(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the descriptors are open, for the ring holds them. What the entry points at lies in `places`, held by
        // a `Memory`, which stays valid until its completion was reaped (or for ever: see `drop`).
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }

    /// Submits what was asked for, waits for a completion, a wake or the end of `timeout`, and puts what ended into
    /// `completions`. `true`: somebody woke it.
    pub(crate) fn wait(
        &mut self,
        timeout: Option<Duration>,
        completions: &mut Vec<Completion<Held>>,
    ) -> io::Result<bool> {
        if !self.wake_armed {
            let look = opcode::PollAdd::new(types::Fd(self.wake.as_fd().as_raw_fd()), POLL_IN).build();
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
        Ok(self.reap(completions))
    }

    fn reap(&mut self, completions: &mut Vec<Completion<Held>>) -> bool {
        let mut woken = false;
        for entry in self.ring.completion() {
            match entry.user_data() {
                WAKE => {
                    self.wake_armed = false;
                    self.wake.heard();
                    woken = true;
                    continue;
                }
                CANCEL => continue,
                _ => {}
            }
            let result = usize::try_from(entry.result())
                .map_err(|_| Errno::from_raw_os_error(entry.result().wrapping_neg()));
            let place = Use(entry.user_data()).place();
            let Some(taken) = self.places.get_mut(place) else { continue };
            let held = match std::mem::replace(&mut taken.flight, Flight::Nothing) {
                Flight::Transfer(held, _) => Some(held),
                Flight::Poll(_) | Flight::Bare(_) => None,
                Flight::Nothing => continue,
            };
            completions.push(Completion { place, result, held });
        }
        woken
    }
}

/// The address and length of a part of what is held, as a command takes them.
fn part_of<Held: Memory>(held: &Held, part: Range<usize>) -> io::Result<(*mut u8, u32)> {
    let (start, length) = held.memory();
    assert!(part.start <= part.end && part.end <= length, "the part lies within what is held");
    let part_length = u32::try_from(part.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    Ok((start.wrapping_add(part.start), part_length))
}

impl<Held> Drop for Ring<Held> {
    fn drop(&mut self) {
        // Its user ends with nothing in flight. Where a thread panicked or its ring broke, the kernel may still write
        // into these buffers: better never freed than given to somebody else.
        for place in self.places.drain(..) {
            if let Flight::Transfer(held, _) = place.flight {
                std::mem::forget(held);
            }
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
