//! A sanitize that is under way: everything of a unit is made unreadable, whatever becomes of the command that asked for it, of its
//! session, and of the array, which goes on with it when it is started again (SBC-4, "Sanitize operations").

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use oarlock_block::{BlockCount, Lba};
use oarlock_device::{DataBuffer, Medium};
use oarlock_scsi::SanitizeOverwrite;

use super::atomic::wipe_journal;
use super::clearing::Clearing;
use super::failed;
use crate::array::Array;
use crate::course::{Abort, Course, Outcome, Stop};
use crate::ranges::Hold;
use crate::unit::{Sanitizing, Unit};

/// What is done between two looks at how far it is.
const STEP_BYTES: u64 = 64 << 20;

/// What is looked at of a unit before its sanitize goes on: the tables of partitions and the heads of file systems are there.
const FRONT: usize = 1 << 20;

/// How everything is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Erasure {
    /// What is written over it; `None` where its place is given back.
    pub(crate) overwrite: Option<SanitizeOverwrite>,
    /// Where it fails, the unit may be used again without another (AUSE).
    pub(crate) may_exit_failure: bool,
    /// The [number](oarlock_device::Medium::file_number) of the file that it erases.
    pub(crate) file_number: Option<u64>,
    /// The first part of it was erased.
    pub(crate) has_begun: bool,
}

/// An erasure under way. It is in no task set, for no initiator can end it; it ends where the unit is taken away, or the array stops.
#[derive(Default)]
pub(crate) struct Erasing {
    pub(crate) course: Course,
    has_succeeded: Cell<bool>,
}

impl Erasing {
    /// Whether everything was erased, and that is saved.
    pub(super) fn has_succeeded(&self) -> bool {
        self.has_succeeded.get()
    }
}

/// Begins, durably: a restart goes on with it.
pub(super) async fn begin(array: &Rc<Array>, unit: &Rc<Unit>, erasure: Erasure) -> io::Result<Rc<Erasing>> {
    set(array, unit, Sanitizing::Under { erasure: erasure.clone(), progress: 0 }).await?;
    Ok(start(array, unit, erasure))
}

/// Goes on, from the beginning, with what was under way when the array ended.
pub(crate) fn resume(array: &Rc<Array>, unit: &Rc<Unit>, is_erased_at_the_front: bool) {
    let erasure = match &unit.state.borrow().sanitizing {
        Sanitizing::Under { erasure, .. } => erasure.clone(),
        Sanitizing::No | Sanitizing::Failed { .. } => return,
    };
    let obstacle = if unit.traits.is_read_only {
        Some("it is read-only now")
    } else if erasure.file_number != unit.medium.file_number() {
        // A backup that was put in its place is the last that anybody wants to lose.
        Some("its file is another than the one that was to be erased")
    } else if !is_erased_at_the_front {
        Some("there is something again where it had been erased")
    } else {
        None
    };
    if let Some(obstacle) = obstacle {
        let may_exit = erasure.may_exit_failure;
        unit.state.borrow_mut().sanitizing = Sanitizing::Failed { may_exit };
        array.log(&format!(
            "UNIT {} IS NOT SERVED: the array ended in the middle of its sanitize, which does not go on, for {obstacle}. Where these data are to be \
             kept, stop the array and remove {}",
            unit.number,
            unit.saved_path().display()
        ));
        return;
    }
    array.log(&format!("unit {}: the sanitize that was under way begins anew", unit.number));
    start(array, unit, erasure);
}

fn start(array: &Rc<Array>, unit: &Rc<Unit>, erasure: Erasure) -> Rc<Erasing> {
    let erasing = Rc::new(Erasing::default());
    unit.erasures.set(unit.erasures.get() + 1);
    *unit.erasing.borrow_mut() = Some(Rc::clone(&erasing));
    if unit.is_erasing_paused.get() {
        erasing.course.abort(Abort::Silent);
    }
    let run = Run { array: Rc::clone(array), unit: Rc::clone(unit), erasing: Rc::clone(&erasing) };
    array.spawn(async move { run.run(erasure).await });
    erasing
}

/// What a unit's sanitize has come to, saved. Where that fails, nothing has changed. Whoever calls has [`Unit::turn_to_save`].
pub(super) async fn set(array: &Array, unit: &Unit, sanitizing: Sanitizing) -> io::Result<()> {
    let before = std::mem::replace(&mut unit.state.borrow_mut().sanitizing, sanitizing);
    unit.save(&array.media).await.inspect_err(|_| unit.state.borrow_mut().sanitizing = before)
}

struct Run {
    array: Rc<Array>,
    unit: Rc<Unit>,
    erasing: Rc<Erasing>,
}

impl Run {
    async fn run(self, erasure: Erasure) {
        let outcome = self.erase_all(&erasure).await;
        // Whoever ended it wants it to go on where the unit is served again.
        if self.erasing.course.aborted().is_none() {
            self.conclude(outcome.is_ok(), erasure.may_exit_failure).await;
        }
        *self.unit.erasing.borrow_mut() = None;
        self.erasing.course.over();
    }

    async fn conclude(&self, is_erased: bool, may_exit: bool) {
        let number = self.unit.number;
        let failure = Sanitizing::Failed { may_exit };
        let end = if is_erased { Sanitizing::No } else { failure.clone() };
        let _saving = self.unit.turn_to_save().await;
        if let Err(reason) = set(&self.array, &self.unit, end).await {
            // A restart would erase what is written from now on.
            self.unit.state.borrow_mut().sanitizing = failure;
            self.array.log(&format!("unit {number}: the end of its sanitize cannot be saved: {reason}"));
            return;
        }
        self.erasing.has_succeeded.set(is_erased);
        let words = if is_erased { "sanitized" } else { "its sanitize failed: nobody can use it" };
        self.array.log(&format!("unit {number}: {words}"));
    }

    async fn erase_all(&self, erasure: &Erasure) -> Outcome<()> {
        let blocks = self.unit.blocks();
        let ranges = self.unit.ranges.hold(0..blocks.0, Hold::Alone);
        let _held = self.erasing.course.or_aborted(ranges).await?;
        wipe_journal(&self.array, &self.unit).await.map_err(|error| failed(&error, true))?;
        let block = self.unit.block_size().length();
        let step = STEP_BYTES / block as u64;
        let passes = erasure.overwrite.as_ref().map_or(1, |overwrite| overwrite.passes);
        let steps = blocks.0.div_ceil(step);
        for pass in 0..u64::from(passes) {
            let pattern = erasure.overwrite.as_ref().map(|overwrite| pattern_of(overwrite, pass, block));
            for number in 0..steps {
                let lba = Lba(number * step);
                let count = BlockCount(step.min(blocks.0 - lba.0));
                self.erase(pattern.as_deref(), lba, count).await?;
                self.note_beginning().await?;
                self.tell_progress(pass * steps + number + 1, u64::from(passes) * steps);
            }
        }
        self.unit.flush(&self.array).await.map_err(|error| failed(&error, true))
    }

    /// What a restart looks at, before it goes on, is durable before that is said.
    async fn note_beginning(&self) -> Outcome<()> {
        if !matches!(&self.unit.state.borrow().sanitizing, Sanitizing::Under { erasure, .. } if !erasure.has_begun)
        {
            return Ok(());
        }
        self.unit.flush(&self.array).await.map_err(|error| failed(&error, true))?;
        let _saving = self.erasing.course.or_aborted(self.unit.turn_to_save()).await?;
        if let Sanitizing::Under { erasure, .. } = &mut self.unit.state.borrow_mut().sanitizing {
            erasure.has_begun = true;
        }
        self.unit.save(&self.array.media).await.map_err(|_| Stop::Aborted)
    }

    async fn erase(&self, pattern: Option<&[u8]>, lba: Lba, count: BlockCount) -> Outcome<()> {
        let course = &self.erasing.course;
        let clearing = Clearing { array: &self.array, unit: &self.unit, course, session: None };
        match pattern {
            Some(pattern) => clearing.write_pattern(pattern, lba, count).await,
            None => clearing.discard(lba, count).await,
        }
    }

    fn tell_progress(&self, done: u64, all: u64) {
        if let Sanitizing::Under { progress, .. } = &mut self.unit.state.borrow_mut().sanitizing {
            *progress = u16::try_from(done * u64::from(u16::MAX) / all).unwrap_or(u16::MAX);
        }
    }
}

/// Whether the front of a unit has what its erasure, in one pass or another, leaves there. Nobody but its owner can have put anything else there.
pub(crate) fn is_erased_at_the_front(medium: &Medium, erasure: &Erasure) -> bool {
    let geometry = medium.geometry();
    let block = geometry.block_size.length();
    let length = FRONT.min(usize::try_from(geometry.size().0).unwrap_or(FRONT));
    let Some(mut buffer) = DataBuffer::apart(length) else { return false };
    if medium.read_now(&mut buffer, 0..length, 0).is_err() {
        return false;
    }
    let left = match &erasure.overwrite {
        None => vec![vec![0; block]],
        Some(overwrite) => vec![pattern_of(overwrite, 0, block), pattern_of(overwrite, 1, block)],
    };
    let front = &buffer.bytes()[..length];
    front.chunks(block).all(|found| left.iter().any(|erased| found == &erased[..found.len()]))
}

/// The block of one pass (SBC-4: with INVERT every second one is inverted).
fn pattern_of(overwrite: &SanitizeOverwrite, pass: u64, block: usize) -> Vec<u8> {
    let inverts = overwrite.invert && pass % 2 == 1;
    overwrite.pattern.iter().cycle().take(block).map(|byte| if inverts { !byte } else { *byte }).collect()
}
