//! The places of a ring of data: commands on files and looks at sockets, each with its user's tag, until it ended for good.

use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::buffer::Pool;
use crate::data_buffer::{DataBuffer, Hold};
use crate::data_command::{DataCommand, Next, Work};
use crate::data_error::{DataRingError, kernel};
use crate::data_ring::{Completed, RingWaker};
use crate::ring::{self, Ring};
use crate::wake::Wake;
use crate::watch::{Interest, Readiness, Watch};

/// The ring, and what is in it. What a command is for, its user's `Tag` says.
pub(crate) struct Places<Tag> {
    ring: Ring<Hold>,
    wake: Arc<Wake>,
    pool: Arc<Pool>,
    /// One per place of the ring.
    commands: Vec<Option<Command<Tag>>>,
    free: Vec<usize>,
    ended: Vec<ring::Completion<Hold>>,
}

struct Command<Tag> {
    tag: Tag,
    kind: Kind,
}

enum Kind {
    /// On a file with blocks of so many bytes.
    Device(Arc<OwnedFd>, usize, DataCommand),
    Watch(Watch),
}

impl<Tag> Places<Tag> {
    pub(crate) fn new(depth: usize) -> Result<Places<Tag>, DataRingError> {
        let wake = Arc::new(Wake::new().map_err(kernel)?);
        let ring = Ring::new(depth, Arc::clone(&wake)).map_err(kernel)?;
        Ok(Places {
            ring,
            wake,
            pool: Arc::default(),
            commands: (0..depth).map(|_| None).collect(),
            free: (0..depth).rev().collect(),
            ended: Vec::with_capacity(depth),
        })
    }

    pub(crate) fn set_workers_max(&self, count: u32) {
        self.ring.set_workers_max(count);
    }

    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn are_all_free(&self) -> bool {
        self.free.len() == self.commands.len()
    }

    pub(crate) fn waker(&self) -> RingWaker {
        RingWaker { wake: Arc::clone(&self.wake) }
    }

    /// A buffer of `length` bytes, where all of this ring's are at most `out_max` bytes.
    pub(crate) fn buffer(&self, length: usize, out_max: usize) -> Result<DataBuffer, DataRingError> {
        let no_buffer = || DataRingError::NoBuffer { length, in_use: self.pool.out_bytes() };
        DataBuffer::take(&self.pool, length, out_max).ok_or_else(no_buffer)
    }

    /// A free place, which stays free until it is taken.
    pub(crate) fn place(&self) -> Result<usize, DataRingError> {
        self.free.last().copied().ok_or(DataRingError::Full { depth: self.commands.len() })
    }

    /// The place that was free is taken now.
    fn taken(&mut self, place: usize, command: Command<Tag>) {
        self.free.pop();
        self.commands[place] = Some(command);
    }

    /// Asks for `work` on a file with blocks of `block` bytes.
    pub(crate) fn begin(
        &mut self,
        tag: Tag,
        (file, block): (&Arc<OwnedFd>, usize),
        work: Work,
        hold: Option<Hold>,
    ) -> Result<(), DataRingError> {
        let place = self.place()?;
        let command = DataCommand::new(work);
        self.ask(place, file, &command.work, hold)?;
        self.taken(place, Command { tag, kind: Kind::Device(Arc::clone(file), block, command) });
        Ok(())
    }

    fn ask(
        &mut self,
        place: usize,
        file: &Arc<OwnedFd>,
        work: &Work,
        hold: Option<Hold>,
    ) -> Result<(), DataRingError> {
        let asked = match (work, hold) {
            (Work::Read(transfer), Some(hold)) => {
                let (part, offset) = transfer.rest();
                self.ring.read(place, file, hold, part, offset)
            }
            (Work::Write(transfer), Some(hold)) => self.ring.write(place, file, hold, transfer.rest(), false),
            (Work::WriteThrough(transfer), Some(hold)) => {
                self.ring.write(place, file, hold, transfer.rest(), true)
            }
            (Work::Clear { clear, start, length }, _) => {
                self.ring.allocate(place, file, clear.mode(), (*start, *length))
            }
            (Work::Flush, _) => self.ring.sync(place, file),
            (Work::Read(_) | Work::Write(_) | Work::WriteThrough(_), None) => {
                unreachable!("a transfer has a buffer")
            }
        };
        asked.map_err(kernel)
    }

    /// Looks at a socket once. The ring keeps it open until then.
    pub(crate) fn watch(
        &mut self,
        tag: Tag,
        socket: Rc<dyn AsFd>,
        interest: Interest,
    ) -> Result<Watch, DataRingError> {
        let place = self.place()?;
        let watch = Watch(self.ring.poll(place, socket, interest.events()).map_err(kernel)?);
        self.taken(place, Command { tag, kind: Kind::Watch(watch) });
        Ok(watch)
    }

    pub(crate) fn unwatch(&mut self, watch: Watch) -> Result<bool, DataRingError> {
        self.ring.cancel_poll(watch.0).map_err(kernel)
    }

    pub(crate) fn unwatch_all(&mut self) -> Result<(), DataRingError> {
        for place in 0..self.commands.len() {
            if let Some(Command { kind: Kind::Watch(watch), .. }) = self.commands[place] {
                self.unwatch(watch)?;
            }
        }
        Ok(())
    }

    /// Sends what was asked for and waits; `ended` is told of each command that ended for good. `true`: the ring was woken.
    pub(crate) fn turn(
        &mut self,
        timeout: Option<Duration>,
        mut ended: impl FnMut(Tag, Completed),
    ) -> Result<bool, DataRingError> {
        let mut completions = std::mem::take(&mut self.ended);
        let woken = self.ring.wait(timeout, &mut completions).map_err(kernel)?;
        for completion in completions.drain(..) {
            if let Some((tag, outcome)) = self.on_ended(completion)? {
                ended(tag, outcome);
            }
        }
        self.ended = completions;
        Ok(woken)
    }

    /// What the kernel's answer comes to; `None` where the command goes on.
    fn on_ended(&mut self, ended: ring::Completion<Hold>) -> Result<Option<(Tag, Completed)>, DataRingError> {
        let ring::Completion { place, result, held } = ended;
        let Some(Command { tag, kind }) = self.commands[place].take() else { return Ok(None) };
        let outcome = match kind {
            Kind::Watch(_) => match result {
                Ok(events) => Completed::Watched(Readiness::of_events(events)),
                Err(Errno::CANCELED) => Completed::Unwatched,
                Err(_) => Completed::Watched(Readiness::FAILED),
            },
            Kind::Device(file, block, command) => match command.after(result, block) {
                Next::Again(command) => {
                    self.ask(place, &file, &command.work, held)?;
                    self.commands[place] = Some(Command { tag, kind: Kind::Device(file, block, command) });
                    return Ok(None);
                }
                Next::Ended(outcome) => Completed::Device(outcome),
            },
        };
        self.free.push(place);
        Ok(Some((tag, outcome)))
    }
}
