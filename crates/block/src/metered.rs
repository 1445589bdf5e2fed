//! A device that counts: commands, answers, latencies, and how many are in flight.

use std::cell::RefCell;
use std::rc::Rc;

use crate::command::Reply;
use crate::{
    Answer, Attempted, BlockCount, Clock, CommandKind, Device, DeviceIdentity, Fencing, Geometry, Histogram,
    Instant, IoError, Lba, LocalFuture, Outcome,
};

/// What one kind of command did so far.
///
/// `issued` is the sum of all the answers below, of the abandoned, and of those still in flight.
#[derive(Clone, Default)]
pub struct Meter {
    /// Commands sent.
    pub issued: u64,
    /// Commands other than ATS that succeeded.
    pub done: u64,
    /// ATS answered true.
    pub swapped: u64,
    /// ATS answered false.
    pub miscompared: u64,
    /// Commands that ended without an answer, or with one that says nothing.
    pub unknown: u64,
    /// Commands surely not executed.
    pub refused: u64,
    /// Reads that the medium could not serve.
    pub medium_failed: u64,
    /// Commands whose caller stopped waiting: for an ATS or a write, an unknown outcome too.
    pub abandoned: u64,
    /// The time from handing the command over to its answer, this host's own queue included, of every answered one.
    pub latency: Histogram,
}

/// Any device, with counters.
pub struct Metered {
    device: Rc<dyn Device>,
    clock: Rc<dyn Clock>,
    counters: RefCell<Counters>,
}

#[derive(Default)]
struct Counters {
    meters: [Meter; CommandKind::ALL.len()],
    in_flight: u64,
    in_flight_max: u64,
}

impl Metered {
    /// Counts what `device` does, with the time of `clock`.
    #[must_use]
    pub fn new(device: Rc<dyn Device>, clock: Rc<dyn Clock>) -> Metered {
        Metered { device, clock, counters: RefCell::default() }
    }

    /// What commands of one kind did so far.
    #[must_use]
    pub fn meter(&self, kind: CommandKind) -> Meter {
        self.counters.borrow().meters[kind.index()].clone()
    }

    /// Commands sent and not yet answered.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.counters.borrow().in_flight
    }

    /// The most that ever were in flight at once.
    #[must_use]
    pub fn in_flight_max(&self) -> u64 {
        self.counters.borrow().in_flight_max
    }

    async fn measure<R: Reply>(&self, kind: CommandKind, reply: LocalFuture<'_, R>) -> R {
        let flight = Flight::begin(self, kind);
        let reply = reply.await;
        flight.end(&reply.outcome());
        reply
    }
}

/// One command in flight. Dropped without an end, it counts as abandoned.
struct Flight<'a> {
    metered: &'a Metered,
    kind: CommandKind,
    start: Instant,
    answered: bool,
}

impl<'a> Flight<'a> {
    fn begin(metered: &'a Metered, kind: CommandKind) -> Flight<'a> {
        let mut counters = metered.counters.borrow_mut();
        counters.meters[kind.index()].issued += 1;
        counters.in_flight += 1;
        counters.in_flight_max = counters.in_flight_max.max(counters.in_flight);
        Flight { metered, kind, start: metered.clock.now(), answered: false }
    }

    fn end(mut self, outcome: &Outcome) {
        self.answered = true;
        let latency = self.metered.clock.now().since(self.start);
        self.metered.counters.borrow_mut().meters[self.kind.index()].count(outcome, latency);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut counters = self.metered.counters.borrow_mut();
        counters.in_flight -= 1;
        if !self.answered {
            counters.meters[self.kind.index()].abandoned += 1;
        }
    }
}

impl Meter {
    fn count(&mut self, outcome: &Outcome, latency: std::time::Duration) {
        self.latency.record(latency);
        let counter = match outcome {
            Outcome::Done => &mut self.done,
            Outcome::Answered(Answer::Swapped) => &mut self.swapped,
            Outcome::Answered(Answer::Miscompared { .. }) => &mut self.miscompared,
            Outcome::Answered(Answer::Unknown { .. }) | Outcome::Failed(IoError::Unknown(_)) => {
                &mut self.unknown
            }
            Outcome::Failed(IoError::Refused(_)) => &mut self.refused,
            Outcome::Failed(IoError::Medium) => &mut self.medium_failed,
        };
        *counter += 1;
    }
}

impl Device for Metered {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn identity(&self) -> DeviceIdentity {
        self.device.identity()
    }

    fn fencing(&self) -> Fencing {
        self.device.fencing()
    }

    fn read<'a>(&'a self, lba: Lba, buffer: &'a mut [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        Box::pin(self.measure(CommandKind::Read, self.device.read(lba, buffer)))
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        Box::pin(self.measure(CommandKind::Write, self.device.write(lba, data)))
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        Box::pin(self.measure(CommandKind::Ats, self.device.compare_and_write(lba, expected, new)))
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.measure(CommandKind::Flush, self.device.flush()))
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.measure(CommandKind::Discard, self.device.discard(lba, blocks)))
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.measure(CommandKind::WriteZeroes, self.device.write_zeroes(lba, blocks)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;
    use futures::{FutureExt, poll};

    use super::*;
    use crate::testing::{Fixed, ManualClock, MemoryDevice, Never, image};
    use crate::{Refusal, UnknownCause};

    fn metered(device: impl Device + 'static) -> Metered {
        Metered::new(Rc::new(device), Rc::new(ManualClock::default()))
    }

    #[test]
    fn true_false_and_plain_answers_are_counted_apart() {
        let device = metered(MemoryDevice::new(4));
        let first = block_on(device.compare_and_write(Lba(0), &image(0), &image(1)));
        assert_eq!(first.outcome, Ok(Answer::Swapped));
        let again = block_on(device.compare_and_write(Lba(0), &image(0), &image(1)));
        assert_eq!(again.outcome, Ok(Answer::Miscompared { first_difference: Some(0) }));
        block_on(device.write(Lba(1), &image(2))).unwrap();
        let ats = device.meter(CommandKind::Ats);
        assert_eq!((ats.issued, ats.swapped, ats.miscompared, ats.done), (2, 1, 1, 0));
        let write = device.meter(CommandKind::Write);
        assert_eq!((write.issued, write.done, write.latency.count()), (1, 1, 1));
        assert_eq!((device.in_flight(), device.in_flight_max()), (0, 1));
    }

    #[test]
    fn discards_and_zeroes_are_counted_by_themselves_and_reach_the_device() {
        let device = metered(MemoryDevice::new(4));
        block_on(device.write(Lba(1), &image(7))).unwrap();
        block_on(device.write_zeroes(Lba(1), BlockCount(1))).unwrap();
        block_on(device.discard(Lba(2), BlockCount(2))).unwrap();
        let mut read = image(9);
        block_on(device.read(Lba(1), &mut read)).unwrap();
        assert_eq!(read, image(0));
        let (zeroes, discard) = (device.meter(CommandKind::WriteZeroes), device.meter(CommandKind::Discard));
        assert_eq!((zeroes.done, discard.done, device.meter(CommandKind::Write).done), (1, 1, 1));
    }

    #[test]
    fn unknown_and_refused_are_not_the_same() {
        let unknown = metered(Fixed(Ok(UnknownCause::PathLost)));
        let _answer = block_on(unknown.compare_and_write(Lba(0), &image(0), &image(1)));
        let _answer = block_on(unknown.flush());
        assert_eq!(unknown.meter(CommandKind::Ats).unknown, 1);
        assert_eq!(unknown.meter(CommandKind::Flush).unknown, 1);
        let refusing = metered(Fixed(Err(Refusal::Busy)));
        let _answer = block_on(refusing.compare_and_write(Lba(0), &image(0), &image(1)));
        assert_eq!(
            (refusing.meter(CommandKind::Ats).refused, refusing.meter(CommandKind::Ats).unknown),
            (1, 0)
        );
    }

    #[test]
    fn an_abandoned_command_leaves_the_flight_and_is_counted() {
        let device = metered(Never);
        block_on(async {
            let mut first = device.flush();
            let mut second = device.flush();
            assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
            assert_eq!((device.in_flight(), device.in_flight_max()), (2, 2));
        });
        assert_eq!((device.in_flight(), device.in_flight_max()), (0, 2));
        let flush = device.meter(CommandKind::Flush);
        assert_eq!((flush.issued, flush.abandoned, flush.latency.count()), (2, 2, 0));
    }

    #[test]
    fn latency_counts_from_sending_to_the_answer() {
        let clock = ManualClock::default();
        let slow = Metered::new(Rc::new(Never), Rc::new(clock.clone()));
        let meter = async {
            let flight = Flight::begin(&slow, CommandKind::Read);
            clock.advance(Duration::from_millis(40));
            flight.end(&Outcome::Done);
            slow.meter(CommandKind::Read).latency.max()
        };
        assert_eq!(meter.now_or_never(), Some(Duration::from_millis(40)));
    }
}
