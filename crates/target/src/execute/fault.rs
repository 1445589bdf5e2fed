//! Misbehaviour on demand: what stands between a command and its execution where an array is told to be faulty.
//!
//! A command meets the first fault of the list that selects it and whose turn it is; the others count it and leave it alone. Which
//! commands are struck depends on their order only, never on time or chance.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use oarlock_block::{
    ArrayFaultSpec, BlockCount, CommandKind, Fault, GivenAnswer, Lba, ReadMemory, RefusalStatus,
};
use oarlock_scsi::{AdditionalSense, Operation, Sense, SenseKey, Status};

use super::{Payload, Reply, Work};
use crate::course::{Outcome, Stop};
use crate::inbound::Inbound;
use crate::output::Data;
use crate::task::Task;

/// So many late executions are under way at once at most; beyond that the fault does not strike.
const LATE_EXECUTIONS_MAX: usize = 1024;

/// The faults of an array, and what they remember.
#[derive(Default)]
pub(crate) struct Faults {
    triggers: Vec<Trigger>,
    /// What earlier reads gave, by unit.
    memory: RefCell<BTreeMap<u16, ReadMemory>>,
    late_executions: Rc<Cell<usize>>,
}

struct Trigger {
    spec: ArrayFaultSpec,
    /// Selected commands so far.
    seen: Cell<u64>,
    /// Those of them that were struck.
    struck: Cell<u64>,
}

impl Trigger {
    /// Whether the fault looks at this command at all.
    fn selects(&self, work: &Work) -> bool {
        let (spec, task) = (&self.spec, &work.task);
        let nexus = &task.session.nexus;
        let kind = kind_of(&work.command.operation);
        let wanted = [spec.spec.fault.only(), spec.spec.selector.op];
        let is_its_opcode = match spec.opcode {
            Some(opcode) => opcode == task.command.cdb[0],
            None => kind.is_some(),
        };
        is_its_opcode
            && wanted.into_iter().flatten().all(|wanted| kind == Some(wanted))
            && spec.initiator.as_deref().is_none_or(|name| name == nexus.initiator.as_str())
            && spec.portal.is_none_or(|portal| portal == nexus.portal.port())
            && spec.lun.is_none_or(|lun| lun == work.unit.number)
            && spec.spec.selector.lba.is_none_or(|range| work.touches(range))
    }

    fn has(&self, unit: u16, lba: Lba) -> bool {
        let is_in = |(first, end): (Lba, Lba)| (first.0..end.0).contains(&lba.0);
        self.spec.lun.is_none_or(|lun| lun == unit) && self.spec.spec.selector.lba.is_none_or(is_in)
    }
}

/// The kind of command that a fault's `op` names.
fn kind_of(operation: &Operation) -> Option<CommandKind> {
    Some(match operation {
        Operation::Read(_) => CommandKind::Read,
        Operation::Write(_)
        | Operation::WriteAtomic(_)
        | Operation::WriteAndVerify(_)
        | Operation::OrWrite(_) => CommandKind::Write,
        Operation::CompareAndWrite(_) => CommandKind::Ats,
        Operation::SynchronizeCache(_) => CommandKind::Flush,
        Operation::Unmap(_) => CommandKind::Discard,
        Operation::WriteSame(_) => CommandKind::WriteZeroes,
        _ => return None,
    })
}

impl Faults {
    pub(crate) fn new(specs: Vec<ArrayFaultSpec>) -> Faults {
        let trigger = |spec| Trigger { spec, seen: Cell::new(0), struck: Cell::new(0) };
        Faults { triggers: specs.into_iter().map(trigger).collect(), ..Faults::default() }
    }

    /// Whether the array behaves well.
    pub(crate) fn is_empty(&self) -> bool {
        self.triggers.is_empty()
    }

    /// Each specification, with the number of commands that it struck so far.
    pub(crate) fn struck(&self) -> Vec<(String, u64)> {
        self.triggers.iter().map(|trigger| (trigger.spec.to_string(), trigger.struck.get())).collect()
    }

    /// Shows the command to every trigger; the first whose turn it is strikes.
    fn strike(&self, work: &Work) -> Option<&Trigger> {
        let mut strike = None;
        for trigger in self.triggers.iter().filter(|trigger| trigger.selects(work)) {
            trigger.seen.set(trigger.seen.get() + 1);
            let is_turn = trigger.spec.spec.is_turn(trigger.seen.get(), trigger.struck.get());
            if is_turn && strike.is_none() && self.has_room_for(trigger.spec.spec.fault) {
                trigger.struck.set(trigger.struck.get() + 1);
                strike = Some(trigger);
            }
        }
        strike
    }

    fn has_room_for(&self, fault: Fault) -> bool {
        !matches!(fault, Fault::LateExecution(_)) || self.late_executions.get() < LATE_EXECUTIONS_MAX
    }

    fn needs_memory(&self) -> bool {
        self.triggers.iter().any(|trigger| trigger.spec.spec.fault.needs_memory())
    }

    /// Does to the blocks that were read what the fault says, and remembers the truth for later lies.
    fn alter(
        &self,
        strike: Option<&Trigger>,
        unit: u16,
        lba: Lba,
        blocks: std::slice::ChunksExactMut<'_, u8>,
    ) {
        let mut memory = self.memory.borrow_mut();
        let memory = memory.entry(unit).or_default();
        let mut is_effective = false;
        for (number, block) in blocks.enumerate() {
            let at = lba.plus(BlockCount(number as u64));
            let remembers =
                |trigger: &Trigger| trigger.spec.spec.fault.needs_memory() && trigger.has(unit, at);
            if self.triggers.iter().any(remembers) {
                memory.remember(at, block);
            }
            if let Some(strike) = strike.filter(|strike| strike.has(unit, at)) {
                is_effective |= strike.spec.spec.fault.alter(memory.earlier(at), block);
            }
        }
        if let Some(strike) = strike
            && strike.spec.spec.fault.needs_memory()
            && !is_effective
        {
            // There was no earlier image to show: the fault did not happen, and still has its turn.
            strike.struck.set(strike.struck.get() - 1);
        }
    }
}

impl Work {
    fn touches(&self, (first, end): (Lba, Lba)) -> bool {
        let blocks = self.command.blocks(self.unit.blocks());
        blocks.is_some_and(|(lba, count)| lba.0 < end.0 && first.0 < lba.0.saturating_add(count.0))
    }

    /// Executes the command as the faults have it.
    pub(super) async fn misbehave(&self) -> Outcome<Reply> {
        let array = Rc::clone(&self.array);
        let faults = &array.faults;
        let strike = faults.strike(self);
        if let Some(first) = strike.filter(|trigger| trigger.struck.get() == 1) {
            let (initiator, opcode) = (&self.task.session.nexus.initiator, self.task.command.cdb[0]);
            array.log(&format!(
                "the fault `{}` strikes for the first time: {initiator}, {opcode:02x}h",
                first.spec
            ));
        }
        match strike.map(|trigger| (trigger.spec.spec.fault, trigger.spec.refusal)) {
            Some((Fault::Delay(delay), _)) => {
                self.pause(delay).await?;
                self.perform().await
            }
            Some((Fault::LateReply(delay), _)) => {
                let outcome = self.perform().await;
                self.pause(delay).await?;
                outcome
            }
            Some((Fault::LoseReply, _)) => {
                // What it came to is nobody's to hear: its tag is free again, as if the answer had been sent.
                drop(self.perform().await);
                Err(Stop::Aborted)
            }
            Some((Fault::LateExecution(delay), _)) => self.perform_late(delay).await,
            Some((Fault::Repeat(given), _)) => self.perform_twice(given).await,
            Some((Fault::Refuse, RefusalStatus::Busy)) => Err(Stop::Status(Status::BUSY)),
            Some((Fault::Refuse, RefusalStatus::TaskSetFull)) => Err(Stop::Status(Status::TASK_SET_FULL)),
            Some((Fault::FalseAlthoughEqual, _)) => Err(Sense::miscompare(0).into()),
            Some((Fault::Unknown, _)) => {
                drop(self.perform().await);
                let nothing = AdditionalSense::NO_ADDITIONAL_SENSE_INFORMATION;
                Err(Sense::new(SenseKey::AbortedCommand, nothing).into())
            }
            Some((Fault::StaleRead | Fault::TornRead | Fault::Flip { .. }, _)) => {
                self.read_altered(strike).await
            }
            None if faults.needs_memory() => self.read_altered(None).await,
            None => self.perform().await,
        }
    }

    /// Waits, unless somebody ends the command.
    async fn pause(&self, delay: Duration) -> Outcome<()> {
        let over = pin!(self.array.timers.until(self.array.now() + delay));
        let aborted = pin!(self.task.until(|| false));
        match select(over, aborted).await {
            Either::Left(_) => self.task.check(),
            Either::Right((outcome, _)) => outcome,
        }
    }

    /// Executes it after the delay, whatever has become of it by then. Its data are taken first: an initiator that has given up
    /// sends none.
    async fn perform_late(&self, delay: Duration) -> Outcome<Reply> {
        let data = self.data().await?;
        let ghost = self.ghost(data.as_deref())?;
        let (told, heard) = oneshot::channel();
        let (array, under_way) = (Rc::clone(&self.array), Rc::clone(&self.array.faults.late_executions));
        under_way.set(under_way.get() + 1);
        self.array.spawn(async move {
            array.timers.until(array.now() + delay).await;
            // An initiator that has given up does not hear of it: that is the fault.
            let _ = told.send(ghost.perform().await);
            under_way.set(under_way.get() - 1);
        });
        let aborted = pin!(self.task.until(|| false));
        match select(heard, aborted).await {
            Either::Left((outcome, _)) => outcome.unwrap_or(Err(Stop::Aborted)),
            Either::Right((outcome, _)) => Err(outcome.err().unwrap_or(Stop::Aborted)),
        }
    }

    async fn perform_twice(&self, given: GivenAnswer) -> Outcome<Reply> {
        let data = self.data().await?;
        let (first, second) = (self.ghost(data.as_deref())?, self.ghost(data.as_deref())?);
        let first = first.perform().await;
        let second = second.perform().await;
        self.task.check()?;
        match given {
            GivenAnswer::First => first,
            GivenAnswer::Second => second,
        }
    }

    /// All that the initiator sends with the command.
    async fn data(&self) -> Outcome<Option<Vec<u8>>> {
        let length = self.task.command.data_out_length();
        let received = self.task.receive(&self.array.media, length).await?;
        Ok(received.map(|mut received| received.buffer.bytes()[..received.length].to_vec()))
    }

    /// The same command with the same data, which nobody can end.
    fn ghost(&self, data: Option<&[u8]>) -> Outcome<Work> {
        let mut inbound = Inbound::default();
        if let Some(data) = data {
            let mut buffer = self.buffer(data.len())?;
            buffer.bytes()[..data.len()].copy_from_slice(data);
            inbound = Inbound::whole(buffer, data.len());
        }
        let (session, unit) = (Rc::clone(&self.task.session), Rc::clone(&self.unit));
        let task = Task::new(session, self.task.command, Some(Rc::clone(&unit)), inbound);
        let (array, task) = (Rc::clone(&self.array), Rc::new(task));
        Ok(Work { array, task, unit, command: self.command, erasures: self.erasures })
    }

    /// A read whose blocks are not all what they were read as.
    async fn read_altered(&self, strike: Option<&Trigger>) -> Outcome<Reply> {
        let reply = self.perform().await?;
        let (Payload::Medium(data, length), Operation::Read(transfer)) =
            (&reply.payload, &self.command.operation)
        else {
            return Ok(reply);
        };
        let mut buffer = self.buffer(*length)?;
        buffer.bytes()[..*length].copy_from_slice(&data.bytes[..*length]);
        let blocks = buffer.bytes()[..*length].chunks_exact_mut(self.unit.block_size().length());
        self.array.faults.alter(strike, self.unit.number, transfer.lba, blocks);
        let data = Data { bytes: buffer.into_bytes(), _permit: Rc::clone(&data._permit) };
        Ok(Reply { payload: Payload::Medium(data, *length), ..reply })
    }
}
