//! Execution: what a command does to the disk at the instant at which the device comes to it.

use std::rc::Rc;

use oarlock_block::{Answer, Attempted, BlockCount, IoError, Lba, Refusal, UnknownCause};

use crate::command::{Body, blocks_as_count, refused};
use crate::observer::{CommandIdentity, Notice, Outcome};
use crate::slab::Key;
use crate::state::State;
use crate::{ChoiceKind, Effect, Execution, FaultKind, Image, PerMillion, Verb};

/// What the device makes of a command.
pub(crate) struct Executed {
    pub(crate) outcome: Outcome,
    /// A command that was refused is over; any other one may come again.
    pub(crate) may_repeat: bool,
}

/// The act of the device on one block.
struct Act {
    lba: Lba,
    effect: Effect,
    before: Option<Image>,
    after: Option<Image>,
}

impl State {
    /// Executes a command; `None` where a part of it is left for later.
    pub(crate) fn execute(&mut self, key: Key, repeated: bool) -> Option<Executed> {
        let command = self.commands.get_mut(key)?;
        let identity = command.identity;
        let body = std::mem::replace(&mut command.body, Body::Flush);
        let executed = self.execute_body(key, identity, &body, repeated);
        if let Some(command) = self.commands.get_mut(key) {
            command.body = body;
        }
        executed
    }

    fn execute_body(
        &mut self,
        key: Key,
        identity: CommandIdentity,
        body: &Body,
        repeated: bool,
    ) -> Option<Executed> {
        let nothing = Act { lba: identity.lba, effect: Effect::NotExecuted, before: None, after: None };
        if identity.verb == Verb::CompareAndWrite && !repeated && self.strikes(FaultKind::Busy, identity) {
            self.record_act(identity, repeated, nothing);
            return Some(Executed { outcome: refused(identity.verb, Refusal::Busy), may_repeat: false });
        }
        let error = !repeated && self.strikes(FaultKind::DeviceError, identity);
        let failed = Executed { outcome: device_error(identity.verb), may_repeat: true };
        if error && self.choices.happens(ChoiceKind::Fault(FaultKind::DeviceError), PerMillion(500_000)) {
            self.record_act(identity, repeated, nothing);
            return Some(failed);
        }
        if self.now < self.device_full_until && !self.has_room_for(identity) {
            if let Body::Write(images) = body {
                self.write_what_fits(identity, images);
            }
            self.record_act(identity, repeated, nothing);
            return Some(Executed { outcome: refused(identity.verb, Refusal::Full), may_repeat: false });
        }
        let outcome = match body {
            Body::Read => self.execute_read(key, identity)?,
            Body::Write(images) => self.execute_write(key, identity, images, repeated)?,
            Body::CompareAndWrite { expected, new } => {
                self.execute_compare_and_write(identity, expected, new, repeated)
            }
            Body::Flush => {
                self.disk.flush();
                self.record_act(identity, repeated, Act { effect: Effect::Flushed, ..nothing });
                Outcome::Done
            }
            Body::Discard | Body::WriteZeroes => self.execute_clear(key, identity, repeated)?,
        };
        Some(if error { failed } else { Executed { outcome, may_repeat: true } })
    }

    fn execute_compare_and_write(
        &mut self,
        identity: CommandIdentity,
        expected: &Image,
        new: &Image,
        repeated: bool,
    ) -> Outcome {
        let lba = identity.lba;
        let found = self.disk.content(lba);
        // Comparing slices is one call of the C library; the offset is looked for only where they differ.
        if found[..] == expected[..] {
            let before = self.disk.put(lba, Rc::clone(new), self.now);
            let (before, after) = (Some(before), Some(Rc::clone(new)));
            self.record_act(identity, repeated, Act { lba, effect: Effect::Swapped, before, after });
            return Outcome::Attempted(Attempted::at_once(Ok(Answer::Swapped)));
        }
        let difference = found.iter().zip(expected.iter()).position(|(found, expected)| found != expected);
        let first_difference = difference.and_then(|offset| u32::try_from(offset).ok());
        let (before, after) = (Some(Rc::clone(&found)), Some(found));
        self.record_act(identity, repeated, Act { lba, effect: Effect::Miscompared, before, after });
        Outcome::Attempted(Attempted::at_once(Ok(Answer::Miscompared { first_difference })))
    }

    fn execute_write(
        &mut self,
        key: Key,
        identity: CommandIdentity,
        images: &Rc<[Image]>,
        repeated: bool,
    ) -> Option<Outcome> {
        let done = self.commands.get(key)?.blocks_done;
        let end = self.end_of_part(identity, done, images.len());
        for (place, image) in images.iter().enumerate().take(end).skip(done) {
            let lba = identity.lba.plus(blocks_as_count(place));
            let before = self.disk.put(lba, Rc::clone(image), self.now);
            let (before, after) = (Some(before), Some(Rc::clone(image)));
            self.record_act(identity, repeated, Act { lba, effect: Effect::Written, before, after });
        }
        self.commands.get_mut(key)?.blocks_done = end;
        (end == images.len()).then_some(Outcome::Done)
    }

    /// Whether each block that the command writes has its place.
    fn has_room_for(&self, identity: CommandIdentity) -> bool {
        match identity.verb {
            Verb::Read | Verb::Flush | Verb::Discard => true,
            Verb::Write | Verb::CompareAndWrite | Verb::WriteZeroes => {
                let mut blocks =
                    (0..u64::from(identity.blocks)).map(|place| identity.lba.plus(BlockCount(place)));
                blocks.all(|lba| self.disk.has_place(lba))
            }
        }
    }

    /// A file system writes up to where it needs more room.
    fn write_what_fits(&mut self, identity: CommandIdentity, images: &[Image]) {
        for (place, image) in images.iter().enumerate() {
            let lba = identity.lba.plus(blocks_as_count(place));
            if !self.disk.has_place(lba) {
                return;
            }
            let before = self.disk.put(lba, Rc::clone(image), self.now);
            let (before, after) = (Some(before), Some(Rc::clone(image)));
            self.record_act(identity, false, Act { lba, effect: Effect::Written, before, after });
        }
    }

    /// Zeros; but of what is only discarded the device may leave any block as it is.
    fn execute_clear(&mut self, key: Key, identity: CommandIdentity, repeated: bool) -> Option<Outcome> {
        let blocks = usize::try_from(identity.blocks).unwrap_or(usize::MAX);
        let done = self.commands.get(key)?.blocks_done;
        let end = self.end_of_part(identity, done, blocks);
        for place in done..end {
            if identity.verb == Verb::Discard && self.choices.below(2) == 0 {
                continue;
            }
            let (lba, zeros) = (identity.lba.plus(blocks_as_count(place)), self.disk.zeros());
            let before = self.disk.put(lba, Rc::clone(&zeros), self.now);
            let (before, after) = (Some(before), Some(zeros));
            self.record_act(identity, repeated, Act { lba, effect: Effect::Written, before, after });
        }
        self.commands.get_mut(key)?.blocks_done = end;
        (end == blocks).then_some(Outcome::Done)
    }

    fn execute_read(&mut self, key: Key, identity: CommandIdentity) -> Option<Outcome> {
        let blocks = usize::try_from(identity.blocks).unwrap_or(usize::MAX);
        if blocks == 1 {
            let image = self.read_block(identity, identity.lba);
            let before = Some(self.disk.content(identity.lba));
            let after = Some(Rc::clone(&image));
            let act = Act { lba: identity.lba, effect: Effect::Read, before, after };
            self.record_act(identity, false, act);
            return Some(Outcome::Data(Rc::new([image])));
        }
        let done = self.commands.get(key)?.blocks_done;
        let end = self.end_of_part(identity, done, blocks);
        for place in done..end {
            let image = self.read_block(identity, identity.lba.plus(blocks_as_count(place)));
            self.commands.get_mut(key)?.data.push(image);
        }
        let command = self.commands.get_mut(key)?;
        command.blocks_done = end;
        if end < blocks {
            return None;
        }
        let data = std::mem::take(&mut command.data);
        let act = Act { lba: identity.lba, effect: Effect::Read, before: None, after: None };
        self.record_act(identity, false, act);
        Some(Outcome::Data(data.into()))
    }

    /// One block as this read sees it: as it is, torn between two contents, or from the past.
    fn read_block(&mut self, identity: CommandIdentity, lba: Lba) -> Image {
        let at_block = CommandIdentity { lba, ..identity };
        let current = self.disk.content(lba);
        if let Some(before) = self.disk.replaced_since(lba, identity.submitted_at)
            && self.strikes(FaultKind::TornRead, at_block)
        {
            return self.tear(&before, &current);
        }
        let stale = self.plan.fault(FaultKind::StaleRead).per_million;
        if stale != PerMillion::NEVER && self.strikes(FaultKind::StaleRead, at_block) {
            let since = self.now.minus(self.length_of(FaultKind::StaleRead));
            return self.disk.stale(lba, since, &self.choices).unwrap_or(current);
        }
        current
    }

    /// The first bytes of one content and the rest of the other: the reader met the writer on its way, or was overtaken.
    fn tear(&self, before: &Image, current: &Image) -> Image {
        let kind = ChoiceKind::Fault(FaultKind::TornRead);
        let cut = 1 + self.choices.choose(kind, current.len() - 1);
        let (first, rest) =
            if self.choices.choose(kind, 2) == 0 { (current, before) } else { (before, current) };
        let bytes: Vec<u8> = first[..cut].iter().chain(&rest[cut..]).copied().collect();
        bytes.into()
    }

    /// The first block that a command of so many leaves for later.
    fn end_of_part(&mut self, identity: CommandIdentity, done: usize, blocks: usize) -> usize {
        if blocks - done < 2 || !self.strikes(FaultKind::SplitCommand, identity) {
            return blocks;
        }
        done + 1 + self.choices.choose(ChoiceKind::Fault(FaultKind::SplitCommand), blocks - done - 1)
    }

    fn record_act(&mut self, command: CommandIdentity, repeated: bool, act: Act) {
        let Act { lba, effect, before, after } = act;
        let at = self.now;
        self.record(Notice::Execution(Execution { at, command, lba, repeated, effect, before, after }));
    }
}

fn device_error(verb: Verb) -> Outcome {
    let cause = UnknownCause::DeviceError;
    match verb {
        Verb::CompareAndWrite => Outcome::Attempted(Attempted::at_once(Ok(Answer::Unknown { cause }))),
        Verb::Read | Verb::Write | Verb::Flush | Verb::Discard | Verb::WriteZeroes => {
            Outcome::Failed(IoError::Unknown(cause))
        }
    }
}
