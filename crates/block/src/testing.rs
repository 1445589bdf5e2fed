//! A small device and a clock that is set by hand, for this crate's own tests.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::FutureExt;

use crate::{
    Answer, Attempted, BlockCount, BlockSize, ByteCount, Clock, Device, DeviceIdentity, Fencing, Geometry,
    Instant, IoError, Lba, LocalFuture, Refusal, UnknownCause, WallTime,
};

/// One block of 512 bytes, all of one value.
pub(crate) fn image(value: u8) -> Vec<u8> {
    vec![value; BlockSize::B512.length()]
}

fn geometry(blocks: u64) -> Geometry {
    Geometry { block_size: BlockSize::B512, physical_block: ByteCount(512), blocks: BlockCount(blocks) }
}

fn identity() -> DeviceIdentity {
    DeviceIdentity::new("memory").expect("a printable name")
}

/// Blocks of 512 bytes in memory, zero at first; every command is answered at its first poll.
pub(crate) struct MemoryDevice {
    bytes: RefCell<Vec<u8>>,
    executed: Cell<u64>,
}

impl MemoryDevice {
    pub(crate) fn new(blocks: usize) -> MemoryDevice {
        MemoryDevice {
            bytes: RefCell::new(vec![0; blocks * BlockSize::B512.length()]),
            executed: Cell::new(0),
        }
    }

    /// Commands executed so far.
    pub(crate) fn executed(&self) -> u64 {
        self.executed.get()
    }

    /// The first byte of a block: enough to tell uniform images apart.
    pub(crate) fn value(&self, lba: Lba) -> u8 {
        self.bytes.borrow()[self.range(lba, 1).expect("a block of the device").start]
    }

    fn swap(&self, lba: Lba, expected: &[u8], new: &[u8]) -> Result<Answer, Refusal> {
        let range = self.range(lba, expected.len())?;
        let mut bytes = self.bytes.borrow_mut();
        let found = &mut bytes[range];
        if let Some(offset) = found.iter().zip(expected).position(|(left, right)| left != right) {
            return Ok(Answer::Miscompared { first_difference: u32::try_from(offset).ok() });
        }
        found.copy_from_slice(new);
        Ok(Answer::Swapped)
    }

    fn range(&self, lba: Lba, length: usize) -> Result<std::ops::Range<usize>, Refusal> {
        let start = usize::try_from(lba.byte_offset(BlockSize::B512)).map_err(|_| Refusal::OutOfRange)?;
        let end = start + length;
        if end > self.bytes.borrow().len() {
            return Err(Refusal::OutOfRange);
        }
        self.executed.set(self.executed.get() + 1);
        Ok(start..end)
    }
}

impl Device for MemoryDevice {
    fn geometry(&self) -> Geometry {
        geometry((self.bytes.borrow().len() / BlockSize::B512.length()) as u64)
    }

    fn identity(&self) -> DeviceIdentity {
        identity()
    }

    fn fencing(&self) -> Fencing {
        Fencing::DrainOnly
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        async move {
            let range = self.range(lba, buffer.len())?;
            buffer.copy_from_slice(&self.bytes.borrow()[range]);
            Ok(())
        }
        .boxed_local()
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        async move {
            let range = self.range(lba, data.len())?;
            self.bytes.borrow_mut()[range].copy_from_slice(data);
            Ok(())
        }
        .boxed_local()
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        async move { Attempted::at_once(self.swap(lba, expected, new)) }.boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        async move {
            self.executed.set(self.executed.get() + 1);
            Ok(())
        }
        .boxed_local()
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        self.write_zeroes(lba, blocks)
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        async move {
            let length = usize::try_from(blocks.bytes(BlockSize::B512).0).map_err(|_| Refusal::OutOfRange)?;
            let range = self.range(lba, length)?;
            self.bytes.borrow_mut()[range].fill(0);
            Ok(())
        }
        .boxed_local()
    }
}

/// A device of one block that takes commands and never answers.
pub(crate) struct Never;

impl Device for Never {
    fn geometry(&self) -> Geometry {
        geometry(1)
    }

    fn identity(&self) -> DeviceIdentity {
        identity()
    }

    fn fencing(&self) -> Fencing {
        Fencing::DrainOnly
    }

    fn read<'a>(&'a self, _lba: Lba, _buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        futures::future::pending().boxed_local()
    }

    fn write<'a>(&'a self, _lba: Lba, _data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        futures::future::pending().boxed_local()
    }

    fn compare_and_write<'a>(
        &'a self,
        _lba: Lba,
        _expected: &'a [u8],
        _new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        futures::future::pending().boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        futures::future::pending().boxed_local()
    }
}

/// A device of one block whose every command ends as told.
pub(crate) struct Fixed(pub(crate) Result<UnknownCause, Refusal>);

impl Fixed {
    fn result(&self) -> Result<(), IoError> {
        Err(match self.0.clone() {
            Ok(cause) => IoError::Unknown(cause),
            Err(refusal) => IoError::Refused(refusal),
        })
    }
}

impl Device for Fixed {
    fn geometry(&self) -> Geometry {
        geometry(1)
    }

    fn identity(&self) -> DeviceIdentity {
        identity()
    }

    fn fencing(&self) -> Fencing {
        Fencing::DrainOnly
    }

    fn read<'a>(&'a self, _lba: Lba, _buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        futures::future::ready(self.result()).boxed_local()
    }

    fn write<'a>(&'a self, _lba: Lba, _data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        futures::future::ready(self.result()).boxed_local()
    }

    fn compare_and_write<'a>(
        &'a self,
        _lba: Lba,
        _expected: &'a [u8],
        _new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        let outcome = self.0.clone().map(|cause| Answer::Unknown { cause });
        futures::future::ready(Attempted::at_once(outcome)).boxed_local()
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        futures::future::ready(self.result()).boxed_local()
    }
}

/// A clock that stands still until it is advanced. Clones are the same clock.
#[derive(Clone, Default)]
pub(crate) struct ManualClock(Rc<ClockState>);

#[derive(Default)]
struct ClockState {
    now: Cell<Duration>,
    sleepers: RefCell<Vec<Waker>>,
}

impl ManualClock {
    /// Moves the time on and wakes every sleeper to look at it.
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.now.set(self.0.now.get() + duration);
        let sleepers = std::mem::take(&mut *self.0.sleepers.borrow_mut());
        sleepers.into_iter().for_each(Waker::wake);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        Instant::from_zero(self.0.now.get())
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()> {
        let clock = self.clone();
        futures::future::poll_fn(move |context| {
            if clock.now() >= deadline {
                return Poll::Ready(());
            }
            clock.0.sleepers.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .boxed_local()
    }

    fn wall(&self) -> WallTime {
        WallTime { milliseconds: 0 }
    }
}
