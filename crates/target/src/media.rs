//! The ring of the array's thread as futures: reads, writes, flushes, and the memory that they need.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Poll, Waker};

use oarlock_block::{IoError, Refusal};
use oarlock_device::{DataBuffer, DataRingError, Durability, MediaRing, Medium, Token};

use crate::limits::{RING_COMMANDS_MAX, STEP_BYTES_MAX};
use crate::memory::{Length, Memory, Permit, Shares};
use crate::outside::outside;
use crate::pool::{Claim, Grant, Pool, Shortage};
use crate::shares::{SessionShares, UnitShares};

/// What is copied to and from memory at once: more would keep all others waiting.
const AT_ONCE_MAX: usize = 4 << 20;

/// Behind so much of it the others have their turn, for memory itself lets nobody wait.
const BREATH_MIN: usize = 512 << 10;

/// The ring, and who waits for what.
pub(crate) struct Media {
    pub(crate) ring: RefCell<MediaRing>,
    slots: RefCell<Slots>,
    /// Places in the ring.
    commands: Rc<Pool>,
    /// Commands that go on in the next turn.
    breathing: RefCell<Vec<Waker>>,
    memory: Memory,
    counts: [Cell<u64>; MediumCommand::ALL.len()],
    steps: Rc<Pool>,
}

/// A unit's medium, or another one that it needs, as the ring's commands know it.
#[derive(Clone, Copy)]
pub(crate) struct Disk<'a> {
    pub(crate) medium: &'a Medium,
    pub(crate) shares: &'a UnitShares,
}

/// What is asked of files and devices.
#[derive(Clone, Copy)]
enum MediumCommand {
    Read,
    Write,
    DurableWrite,
    Flush,
    Discard,
    Zero,
    Reserve,
}

impl MediumCommand {
    const ALL: [MediumCommand; 7] = [
        MediumCommand::Read,
        MediumCommand::Write,
        MediumCommand::DurableWrite,
        MediumCommand::Flush,
        MediumCommand::Discard,
        MediumCommand::Zero,
        MediumCommand::Reserve,
    ];

    const fn name(self) -> &'static str {
        match self {
            MediumCommand::Read => "read",
            MediumCommand::Write => "write",
            MediumCommand::DurableWrite => "write_durable",
            MediumCommand::Flush => "flush",
            MediumCommand::Discard => "discard",
            MediumCommand::Zero => "zero",
            MediumCommand::Reserve => "reserve",
        }
    }
}

#[derive(Default)]
struct Slots {
    slots: Vec<Slot>,
    /// The places in the ring of those that are out.
    grants: Vec<Option<Grant>>,
    free: Vec<usize>,
}

enum Slot {
    Free,
    Out(Option<Waker>),
    /// Whoever asked is gone.
    Abandoned,
    Ended(Result<(), IoError>),
}

impl Media {
    pub(crate) fn new(ring: MediaRing) -> Media {
        Media {
            ring: RefCell::new(ring),
            slots: RefCell::default(),
            commands: Pool::new(RING_COMMANDS_MAX),
            breathing: RefCell::default(),
            memory: Memory::default(),
            counts: [const { Cell::new(0) }; MediumCommand::ALL.len()],
            steps: Pool::new(STEP_BYTES_MAX),
        }
    }

    /// Waits for memory for the data of a command of a session.
    ///
    /// Whoever has a permit asks for no other before it gave that one back: so all who wait get theirs.
    pub(crate) async fn permit(&self, session: &Shares, unit: Option<&UnitShares>, bytes: usize) -> Permit {
        self.memory.permit(session, unit.map(|unit| &unit.memory), bytes).await
    }

    /// The same, where there is some at once.
    pub(crate) fn try_permit(
        &self,
        session: &Shares,
        unit: Option<&UnitShares>,
        bytes: usize,
    ) -> Option<Permit> {
        self.memory.try_permit(session, unit.map(|unit| &unit.memory), bytes)
    }

    /// Does something that waits for a file system, on a thread of its own.
    pub(crate) async fn outside<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let waker = self.ring.borrow().waker();
        outside(waker, act).await
    }

    /// One look at those that wait for memory, and not for one of these disks.
    pub(crate) fn shortage(&self, hung: &[Rc<UnitShares>]) -> Vec<(Length, Shortage)> {
        self.memory.shortage(&hung.iter().map(|disk| &disk.memory).collect::<Vec<_>>()).collect()
    }

    /// Waits for memory to go on with, for whoever has blocks in its hands: apart from that of those who may wait for them with their
    /// data.
    pub(crate) async fn step(
        &self,
        session: Option<&SessionShares>,
        unit: &UnitShares,
        bytes: usize,
    ) -> Grant {
        let session = session.map(|session| Rc::clone(&session.steps));
        let claim = Claim { session, ..Claim::of_unit(&unit.steps) };
        self.steps.grant(claim, DataBuffer::footprint(bytes)).await
    }

    /// The same for a copy.
    pub(crate) async fn step_of_two(
        &self,
        session: &SessionShares,
        units: [&UnitShares; 2],
        bytes: usize,
    ) -> Grant {
        let [from, to] = units.map(|unit| Rc::clone(&unit.steps));
        let to = Some(to).filter(|to| !Rc::ptr_eq(to, &from));
        let units = [Some(from), to];
        self.steps
            .grant(Claim { session: Some(Rc::clone(&session.steps)), units }, DataBuffer::footprint(bytes))
            .await
    }

    /// A buffer; whoever asks holds a permit, so there is room.
    pub(crate) fn buffer(&self, length: usize) -> Result<DataBuffer, IoError> {
        self.ring.borrow().buffer(length).map_err(|_| IoError::Refused(Refusal::Busy))
    }

    pub(crate) async fn read(
        &self,
        disk: Disk<'_>,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        from_byte: u64,
    ) -> Result<(), IoError> {
        self.count(MediumCommand::Read);
        if disk.medium.is_in_memory() && part.len() <= AT_ONCE_MAX {
            let length = part.len();
            let read = disk.medium.read_now(buffer, part, from_byte);
            self.breathe(length).await;
            return read;
        }
        let buffer = &*buffer;
        self.ask(disk, |ring, token| ring.read(token, disk.medium, (buffer, part.clone()), from_byte)).await
    }

    pub(crate) async fn write(
        &self,
        disk: Disk<'_>,
        buffer: &mut DataBuffer,
        part: Range<usize>,
        to_byte: u64,
        durability: Durability,
    ) -> Result<(), IoError> {
        self.count(match durability {
            Durability::Volatile => MediumCommand::Write,
            Durability::Durable => MediumCommand::DurableWrite,
        });
        if disk.medium.is_in_memory() && part.len() <= AT_ONCE_MAX {
            let length = part.len();
            let written = disk.medium.write_now(buffer, part, to_byte);
            self.breathe(length).await;
            return written;
        }
        let buffer = &*buffer;
        self.ask(disk, |ring, token| {
            ring.write(token, disk.medium, (buffer, part.clone()), to_byte, durability)
        })
        .await
    }

    pub(crate) async fn flush(&self, disk: Disk<'_>) -> Result<(), IoError> {
        self.count(MediumCommand::Flush);
        self.ask(disk, |ring, token| ring.flush(token, disk.medium)).await
    }

    pub(crate) async fn discard(&self, disk: Disk<'_>, bytes: (u64, u64)) -> Result<(), IoError> {
        self.count(MediumCommand::Discard);
        self.ask(disk, |ring, token| ring.discard(token, disk.medium, bytes)).await
    }

    pub(crate) async fn reserve(&self, disk: Disk<'_>, bytes: (u64, u64)) -> Result<(), IoError> {
        self.count(MediumCommand::Reserve);
        self.ask(disk, |ring, token| ring.reserve(token, disk.medium, bytes)).await
    }

    pub(crate) async fn write_zeroes(&self, disk: Disk<'_>, bytes: (u64, u64)) -> Result<(), IoError> {
        self.count(MediumCommand::Zero);
        self.ask(disk, |ring, token| ring.write_zeroes(token, disk.medium, bytes)).await
    }

    fn count(&self, command: MediumCommand) {
        let count = &self.counts[command as usize];
        count.set(count.get() + 1);
    }

    /// How many commands there were of each kind, by the names of metrics.
    pub(crate) fn counts(&self) -> Vec<(&'static str, u64)> {
        MediumCommand::ALL.iter().map(|kind| (kind.name(), self.counts[*kind as usize].get())).collect()
    }

    async fn ask(
        &self,
        disk: Disk<'_>,
        begin: impl FnOnce(&mut MediaRing, Token) -> Result<(), DataRingError>,
    ) -> Result<(), IoError> {
        let claim = Claim::of_unit(&disk.shares.commands);
        let grant = match self.commands.try_grant(claim, 1) {
            Ok(grant) => grant,
            Err(claim) => Box::pin(self.commands.grant(claim, 1)).await,
        };
        let place = self.slots.borrow_mut().take(grant);
        if let Err(error) = begin(&mut self.ring.borrow_mut(), Token(place as u64)) {
            let grant = self.slots.borrow_mut().refused(place);
            drop(grant);
            return Err(IoError::Refused(match error {
                DataRingError::Refused(refusal) => refusal,
                DataRingError::NoBuffer { .. } | DataRingError::Full { .. } => Refusal::Busy,
                _ => Refusal::Gone,
            }));
        }
        let _abandons = Abandons { media: self, place };
        let outcome = poll_fn(|context| self.slots.borrow_mut().poll(place, context.waker())).await;
        disk.shares.moved();
        outcome
    }

    /// Lets everything else go on until the next turn, behind much that was copied.
    async fn breathe(&self, copied: usize) {
        if copied >= BREATH_MIN {
            once_woken(|waker| self.breathing.borrow_mut().push(waker)).await;
        }
    }

    /// Whether some go on in the next turn, which is not to wait for anything then.
    pub(crate) fn is_breathing(&self) -> bool {
        !self.breathing.borrow().is_empty()
    }

    /// A turn begins.
    pub(crate) fn go_on(&self) {
        self.breathing.borrow_mut().drain(..).for_each(Waker::wake);
    }

    /// A command ended.
    pub(crate) fn ended(&self, Token(token): Token, outcome: Result<(), IoError>) {
        let (waker, grant) =
            self.slots.borrow_mut().ended(usize::try_from(token).unwrap_or(usize::MAX), outcome);
        drop(grant);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// Waits until the waker that was put away is woken.
async fn once_woken(mut put: impl FnMut(Waker)) {
    let mut has_waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        put(context.waker().clone());
        Poll::Pending
    })
    .await;
}

impl Slots {
    fn take(&mut self, grant: Grant) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::Free);
            self.grants.push(None);
            self.slots.len() - 1
        });
        self.slots[place] = Slot::Out(None);
        self.grants[place] = Some(grant);
        place
    }

    /// A command was not taken: its place in the ring.
    fn refused(&mut self, place: usize) -> Option<Grant> {
        self.release(place);
        self.grants[place].take()
    }

    fn release(&mut self, place: usize) {
        self.slots[place] = Slot::Free;
        self.free.push(place);
    }

    fn poll(&mut self, place: usize, waker: &Waker) -> Poll<Result<(), IoError>> {
        match std::mem::replace(&mut self.slots[place], Slot::Out(None)) {
            Slot::Ended(outcome) => {
                self.release(place);
                Poll::Ready(outcome)
            }
            _ => {
                self.slots[place] = Slot::Out(Some(waker.clone()));
                Poll::Pending
            }
        }
    }

    /// A command ended: whom to tell, and its place in the ring.
    fn ended(&mut self, place: usize, outcome: Result<(), IoError>) -> (Option<Waker>, Option<Grant>) {
        let Some(slot) = self.slots.get_mut(place) else { return (None, None) };
        let waker = match std::mem::replace(slot, Slot::Ended(outcome)) {
            Slot::Out(waker) => waker,
            Slot::Abandoned | Slot::Free | Slot::Ended(_) => {
                self.release(place);
                None
            }
        };
        (waker, self.grants[place].take())
    }
}

/// A command whose future is dropped goes on without it.
struct Abandons<'a> {
    media: &'a Media,
    place: usize,
}

impl Drop for Abandons<'_> {
    fn drop(&mut self) {
        let mut slots = self.media.slots.borrow_mut();
        match slots.slots[self.place] {
            Slot::Out(_) => slots.slots[self.place] = Slot::Abandoned,
            Slot::Ended(_) => slots.release(self.place),
            Slot::Free | Slot::Abandoned => {}
        }
    }
}
