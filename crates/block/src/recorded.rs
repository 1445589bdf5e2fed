//! A device that writes down every command: how a test asserts the exact list of I/Os.

use std::cell::RefCell;
use std::rc::Rc;

use crate::command::Reply;
use crate::{
    Attempted, BlockCount, Clock, CommandKind, Device, DeviceIdentity, Fencing, Geometry, Instant, IoError,
    Lba, LocalFuture, Outcome,
};

/// One command, in the order of sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it was.
    pub kind: CommandKind,
    /// Its first block; block 0 for a flush, which has none.
    pub lba: Lba,
    /// Its length; 0 for a flush.
    pub blocks: BlockCount,
    /// What became of it; `None` while nobody got an answer: its future is pending, or was dropped.
    pub outcome: Option<Outcome>,
    /// When it was sent.
    pub start: Instant,
    /// When it was answered; `None` while it was not.
    pub end: Option<Instant>,
}

/// Any device, with a log of its commands.
///
/// The log keeps the first [`Recorded::COMMANDS_MAX`] commands since the last [`take`](Recorded::take) and counts
/// the rest: a test that compares lists must see a list that is too long, not one that lost its head.
pub struct Recorded {
    device: Rc<dyn Device>,
    clock: Rc<dyn Clock>,
    log: RefCell<Log>,
}

#[derive(Default)]
struct Log {
    /// The number, counted since the beginning, of the first command in `commands`.
    first: u64,
    commands: Vec<Command>,
    missed: u64,
}

impl Recorded {
    /// So many commands are kept between two [`take`](Recorded::take)s.
    pub const COMMANDS_MAX: usize = 65_536;

    /// Records `device`, with the time of `clock`.
    #[must_use]
    pub fn new(device: Rc<dyn Device>, clock: Rc<dyn Clock>) -> Recorded {
        Recorded { device, clock, log: RefCell::default() }
    }

    /// The commands since the last [`take`](Recorded::take), in the order of sending.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.log.borrow().commands.clone()
    }

    /// The same, and the log is empty afterwards. A command that is answered later is not seen again.
    #[must_use]
    pub fn take(&self) -> Vec<Command> {
        let mut log = self.log.borrow_mut();
        log.missed = 0;
        log.first += log.commands.len() as u64;
        std::mem::take(&mut log.commands)
    }

    /// Commands since the last [`take`](Recorded::take) for which the log had no room.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.log.borrow().missed
    }

    async fn record<R: Reply>(
        &self,
        kind: CommandKind,
        lba: Lba,
        blocks: BlockCount,
        reply: LocalFuture<'_, R>,
    ) -> R {
        let start = self.clock.now();
        let number =
            self.log.borrow_mut().begin(Command { kind, lba, blocks, outcome: None, start, end: None });
        let reply = reply.await;
        if let Some(number) = number {
            self.log.borrow_mut().finish(number, reply.outcome(), self.clock.now());
        }
        reply
    }

    fn blocks(&self, bytes: usize) -> BlockCount {
        BlockCount((bytes / self.device.geometry().block_size.length()) as u64)
    }
}

impl Log {
    fn begin(&mut self, command: Command) -> Option<u64> {
        if self.commands.len() == Recorded::COMMANDS_MAX {
            self.missed += 1;
            return None;
        }
        self.commands.push(command);
        Some(self.first + self.commands.len() as u64 - 1)
    }

    fn finish(&mut self, number: u64, outcome: Outcome, end: Instant) {
        // A command taken before its answer is gone from here: its number lies before `first`.
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(command) = place.and_then(|place| self.commands.get_mut(place)) {
            command.outcome = Some(outcome);
            command.end = Some(end);
        }
    }
}

impl Device for Recorded {
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
        let blocks = self.blocks(buffer.len());
        Box::pin(self.record(CommandKind::Read, lba, blocks, self.device.read(lba, buffer)))
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        let blocks = self.blocks(data.len());
        Box::pin(self.record(CommandKind::Write, lba, blocks, self.device.write(lba, data)))
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        let reply = self.device.compare_and_write(lba, expected, new);
        Box::pin(self.record(CommandKind::Ats, lba, BlockCount(1), reply))
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.record(CommandKind::Flush, Lba(0), BlockCount(0), self.device.flush()))
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.record(CommandKind::Discard, lba, blocks, self.device.discard(lba, blocks)))
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(self.record(CommandKind::WriteZeroes, lba, blocks, self.device.write_zeroes(lba, blocks)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use futures::executor::block_on;

    use super::*;
    use crate::Answer;
    use crate::testing::{ManualClock, MemoryDevice, Never, image};

    fn recorded() -> (Recorded, ManualClock) {
        let clock = ManualClock::default();
        (Recorded::new(Rc::new(MemoryDevice::new(8)), Rc::new(clock.clone())), clock)
    }

    #[test]
    fn every_command_is_listed_with_its_outcome_in_the_order_of_sending() {
        let (device, clock) = recorded();
        let mut buffer = vec![0; 1024];
        block_on(device.read(Lba(2), &mut buffer)).unwrap();
        clock.advance(Duration::from_millis(5));
        let swap = block_on(device.compare_and_write(Lba(1), &image(0), &image(7)));
        assert_eq!(swap.outcome, Ok(Answer::Swapped));
        block_on(device.flush()).unwrap();
        block_on(device.discard(Lba(3), BlockCount(4))).unwrap();
        assert!(block_on(device.write_zeroes(Lba(7), BlockCount(2))).is_err());
        let listed: Vec<_> = device
            .take()
            .into_iter()
            .map(|command| (command.kind, command.lba.0, command.blocks.0, command.outcome))
            .collect();
        assert_eq!(
            listed,
            [
                (CommandKind::Read, 2, 2, Some(Outcome::Done)),
                (CommandKind::Ats, 1, 1, Some(Outcome::Answered(Answer::Swapped))),
                (CommandKind::Flush, 0, 0, Some(Outcome::Done)),
                (CommandKind::Discard, 3, 4, Some(Outcome::Done)),
                (
                    CommandKind::WriteZeroes,
                    7,
                    2,
                    Some(Outcome::Failed(IoError::Refused(crate::Refusal::OutOfRange)))
                ),
            ]
        );
        assert_eq!(device.commands(), []);
    }

    #[test]
    fn a_command_that_nobody_waited_for_stays_unanswered() {
        let clock = Rc::new(ManualClock::default());
        let device = Recorded::new(Rc::new(Never), clock);
        assert_eq!(device.flush().now_or_never(), None);
        let commands = device.commands();
        assert_eq!(commands.len(), 1);
        assert_eq!((&commands[0].outcome, commands[0].end), (&None, None));
    }

    #[test]
    fn a_future_that_is_never_polled_sends_nothing() {
        let (device, _clock) = recorded();
        drop(device.flush());
        assert_eq!(device.commands(), []);
    }

    #[test]
    fn a_full_log_keeps_its_head_and_counts_the_rest() {
        let (device, _clock) = recorded();
        for _ in 0..Recorded::COMMANDS_MAX + 3 {
            block_on(device.flush()).unwrap();
        }
        assert_eq!((device.commands().len(), device.missed()), (Recorded::COMMANDS_MAX, 3));
        assert_eq!(device.take().len(), Recorded::COMMANDS_MAX);
        assert_eq!(device.missed(), 0);
    }
}
