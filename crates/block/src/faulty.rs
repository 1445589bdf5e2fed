//! A device that misbehaves on demand: by a list of [`FaultSpec`]s, and the same way every time.
//!
//! A command meets the first fault of the list that selects it and whose turn it is; the others count it and leave
//! it alone. Which commands are struck depends on their order only, never on time or chance.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;

use crate::command::Reply;
use crate::{
    Answer, Attempted, BlockCount, Clock, CommandKind, Device, DeviceIdentity, Fault, FaultSpec, Fencing,
    Geometry, GivenAnswer, IoError, Lba, LocalFuture, Refusal, UnknownCause,
};

mod memory;
mod trigger;

pub use memory::Memory as ReadMemory;
use trigger::Trigger;

/// So many late executions are under way at once at most; beyond that the fault does not strike.
pub const LATE_EXECUTIONS_MAX: usize = 1024;

/// What a faulty device needs of its surroundings.
#[derive(Clone)]
pub struct Surroundings {
    /// The time that delays are measured by.
    pub clock: Rc<dyn Clock>,
    /// Runs a future on this thread to its end, though nobody waits for it.
    pub spawn: Rc<dyn Fn(LocalFuture<'static, ()>)>,
    /// What the record at a block is called, by one who knows the format; `None` where there is none.
    pub record_at: Rc<dyn Fn(Lba) -> Option<&'static str>>,
}

/// Any device, made worse.
pub struct Faulty {
    device: Rc<dyn Device>,
    surroundings: Surroundings,
    triggers: Vec<Trigger>,
    memory: RefCell<ReadMemory>,
    late_executions: Rc<Cell<usize>>,
}

/// A fault that strikes this command, and the place of its specification.
#[derive(Clone, Copy)]
struct Strike {
    place: usize,
    fault: Fault,
}

impl Faulty {
    /// Makes `device` misbehave as `specs` say.
    #[must_use]
    pub fn new(device: Rc<dyn Device>, specs: Vec<FaultSpec>, surroundings: Surroundings) -> Faulty {
        Faulty {
            device,
            surroundings,
            triggers: specs.into_iter().map(Trigger::new).collect(),
            memory: RefCell::default(),
            late_executions: Rc::default(),
        }
    }

    /// Each specification, with the number of commands that it struck so far.
    #[must_use]
    pub fn struck(&self) -> Vec<(FaultSpec, u64)> {
        self.triggers.iter().map(|trigger| (trigger.spec().clone(), trigger.struck())).collect()
    }

    /// Shows the command to every trigger; the first whose turn it is strikes.
    fn strike(&self, kind: CommandKind, lba: Lba, blocks: BlockCount) -> Option<Strike> {
        let mut strike = None;
        for (place, trigger) in self.triggers.iter().enumerate() {
            let selected = trigger.selects(kind, lba, blocks, &*self.surroundings.record_at);
            if selected && trigger.turn() && strike.is_none() && self.room_for(trigger.spec().fault) {
                trigger.strike();
                strike = Some(Strike { place, fault: trigger.spec().fault });
            }
        }
        strike
    }

    fn room_for(&self, fault: Fault) -> bool {
        !matches!(fault, Fault::LateExecution(_)) || self.late_executions.get() < LATE_EXECUTIONS_MAX
    }

    fn blocks(&self, bytes: usize) -> BlockCount {
        BlockCount((bytes / self.device.geometry().block_size.length()) as u64)
    }

    fn sleep(&self, delay: Duration) -> LocalFuture<'static, ()> {
        self.surroundings.clock.sleep_until(self.surroundings.clock.now().plus(delay))
    }

    /// What becomes of a command that is sent by `send` and meets `fault`. What a fault does to the data that were
    /// read, and a late execution, are not done here.
    async fn meet<R: Reply>(&self, fault: Option<Fault>, mut send: impl AsyncFnMut() -> R) -> R {
        match fault {
            Some(Fault::Delay(delay)) => {
                let start = self.surroundings.clock.now();
                self.sleep(delay).await;
                let waited = self.surroundings.clock.now().since(start);
                send().await.queued(waited)
            }
            Some(Fault::LateReply(delay)) => {
                let reply = send().await;
                self.sleep(delay).await;
                reply
            }
            Some(Fault::LoseReply) => {
                send().await;
                futures::future::pending().await
            }
            Some(Fault::Repeat(given)) => {
                let first = send().await;
                let second = send().await;
                match given {
                    GivenAnswer::First => first,
                    GivenAnswer::Second => second,
                }
            }
            Some(Fault::Refuse) => R::refused(Refusal::Busy),
            Some(Fault::Unknown) => {
                send().await;
                R::unknown(UnknownCause::DeviceError)
            }
            Some(
                Fault::LateExecution(_)
                | Fault::FalseAlthoughEqual
                | Fault::StaleRead
                | Fault::TornRead
                | Fault::Flip { .. },
            )
            | None => send().await,
        }
    }

    /// Executes `work` after the delay, whether or not the caller waits so long.
    async fn execute_late<R: Reply>(&self, delay: Duration, work: impl Future<Output = R> + 'static) -> R {
        let (answer, answered) = oneshot::channel();
        let wait = self.sleep(delay);
        let under_way = self.late_executions.clone();
        under_way.set(under_way.get() + 1);
        (self.surroundings.spawn)(Box::pin(async move {
            wait.await;
            let reply = work.await;
            under_way.set(under_way.get() - 1);
            // A caller that has given up does not hear of it: that is the fault.
            let _given_up = answer.send(reply);
        }));
        // The spawned future went away unfinished: whoever runs it stopped, and nobody knows the outcome.
        answered.await.unwrap_or_else(|oneshot::Canceled| R::unknown(UnknownCause::DeviceError))
    }

    async fn read_late(&self, delay: Duration, lba: Lba, buffer: &mut [u8]) -> Result<(), IoError> {
        let (device, mut data) = (self.device.clone(), vec![0; buffer.len()]);
        let filled = Rc::new(RefCell::new(Vec::new()));
        let result = filled.clone();
        let work = async move {
            device.read(lba, &mut data).await?;
            filled.replace(data);
            Ok(())
        };
        self.execute_late(delay, work).await?;
        buffer.copy_from_slice(&result.borrow());
        Ok(())
    }

    /// Does to the blocks that were read what the fault says, and remembers the truth for later lies.
    fn alter(&self, strike: Option<Strike>, lba: Lba, buffer: &mut [u8]) {
        let length = self.device.geometry().block_size.length();
        let mut effective = false;
        let mut memory = self.memory.borrow_mut();
        for (number, block) in buffer.chunks_exact_mut(length).enumerate() {
            let at = lba.plus(BlockCount(number as u64));
            let selected = |trigger: &Trigger| {
                trigger.selects(CommandKind::Read, at, BlockCount(1), &*self.surroundings.record_at)
            };
            if self.triggers.iter().any(|trigger| trigger.spec().fault.needs_memory() && selected(trigger)) {
                memory.remember(at, block);
            }
            if let Some(strike) = strike
                && selected(&self.triggers[strike.place])
            {
                effective |= strike.fault.alter(memory.earlier(at), block);
            }
        }
        if let Some(Strike { place, fault }) = strike
            && fault.needs_memory()
            && !effective
        {
            // There was no earlier image to show: the fault did not happen, and still has its turn.
            self.triggers[place].take_back();
        }
    }
}

impl Device for Faulty {
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
        Box::pin(async move {
            let strike = self.strike(CommandKind::Read, lba, self.blocks(buffer.len()));
            match strike.map(|strike| strike.fault) {
                Some(Fault::LateExecution(delay)) => self.read_late(delay, lba, buffer).await?,
                fault => self.meet(fault, async || self.device.read(lba, buffer).await).await?,
            }
            self.alter(strike, lba, buffer);
            Ok(())
        })
    }

    fn write<'a>(&'a self, lba: Lba, data: &'a [u8]) -> LocalFuture<'a, Result<(), IoError>> {
        Box::pin(async move {
            let strike = self.strike(CommandKind::Write, lba, self.blocks(data.len()));
            match strike.map(|strike| strike.fault) {
                Some(Fault::LateExecution(delay)) => {
                    let (device, data) = (self.device.clone(), data.to_vec());
                    self.execute_late(delay, async move { device.write(lba, &data).await }).await
                }
                fault => self.meet(fault, async || self.device.write(lba, data).await).await,
            }
        })
    }

    fn compare_and_write<'a>(
        &'a self,
        lba: Lba,
        expected: &'a [u8],
        new: &'a [u8],
    ) -> LocalFuture<'a, Attempted> {
        Box::pin(async move {
            let strike = self.strike(CommandKind::Ats, lba, BlockCount(1));
            match strike.map(|strike| strike.fault) {
                Some(Fault::FalseAlthoughEqual) => {
                    Attempted::at_once(Ok(Answer::Miscompared { first_difference: Some(0) }))
                }
                Some(Fault::LateExecution(delay)) => {
                    let (device, expected, new) = (self.device.clone(), expected.to_vec(), new.to_vec());
                    let work = async move { device.compare_and_write(lba, &expected, &new).await };
                    self.execute_late(delay, work).await
                }
                fault => {
                    self.meet(fault, async || self.device.compare_and_write(lba, expected, new).await).await
                }
            }
        })
    }

    fn flush(&self) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            let strike = self.strike(CommandKind::Flush, Lba(0), BlockCount(0));
            match strike.map(|strike| strike.fault) {
                Some(Fault::LateExecution(delay)) => {
                    let device = self.device.clone();
                    self.execute_late(delay, async move { device.flush().await }).await
                }
                fault => self.meet(fault, async || self.device.flush().await).await,
            }
        })
    }

    fn discard(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            let strike = self.strike(CommandKind::Discard, lba, blocks);
            match strike.map(|strike| strike.fault) {
                Some(Fault::LateExecution(delay)) => {
                    let device = self.device.clone();
                    self.execute_late(delay, async move { device.discard(lba, blocks).await }).await
                }
                fault => self.meet(fault, async || self.device.discard(lba, blocks).await).await,
            }
        })
    }

    fn write_zeroes(&self, lba: Lba, blocks: BlockCount) -> LocalFuture<'_, Result<(), IoError>> {
        Box::pin(async move {
            let strike = self.strike(CommandKind::WriteZeroes, lba, blocks);
            match strike.map(|strike| strike.fault) {
                Some(Fault::LateExecution(delay)) => {
                    let device = self.device.clone();
                    self.execute_late(delay, async move { device.write_zeroes(lba, blocks).await }).await
                }
                fault => self.meet(fault, async || self.device.write_zeroes(lba, blocks).await).await,
            }
        })
    }
}

#[cfg(test)]
mod tests;
