//! Making damaged locks unknown, completing the masks of homes, and taking a name away from its second position.

use oarlock_format::{
    DecodeError, Epoch, Image, LOCK_WINDOW, LockMode, LockPosition, LockRecord, LockState, SlotSet, decode,
    home,
};

use crate::cell::{Cell, Swap};
use crate::check::CheckError;
use crate::check::evidence::child_bit;
use crate::check::exact::{Exchange, exchange, read_image};
use crate::check::locks::no_such_slot;
use crate::check::mend::mend;
use crate::check::repair::{Case, Outcome, ROUNDS_MAX};
use crate::check::report::Repaired;
use crate::check::restore::{self, LockFacts};
use crate::check::right::Right;
use crate::check::rollcall::{self, sender};
use crate::check::suspicion::Remedy;
use crate::planted::believed;
use crate::store::Lane;

/// A swap of a sound record is tried this often against others.
const SWAPS_MAX: u32 = 8;

/// What stands at the position of a damaged lock now.
enum Now {
    /// Nothing to repair any more.
    Well,
    /// Nothing that can be repaired, and why.
    Hopeless(String),
    /// The bad bytes, and what they prove.
    Bad(Image, Option<Box<LockRecord>>),
}

impl Case<'_> {
    /// Repairs every damaged lock; who has to be asked about them.
    ///
    /// In each round the bad bytes are read first and the roll is called after that, so that whoever may hold such a
    /// lock is on the roll.
    pub(super) async fn locks(&mut self, right: Right<'_>) -> Result<SlotSet, CheckError> {
        let mut asked = SlotSet::EMPTY;
        let mut open = self.remedies(|remedy| match remedy {
            Remedy::Lock(position) => Some(position),
            _ => None,
        });
        for _ in 0..ROUNDS_MAX {
            let mut bad = Vec::new();
            for (index, position) in std::mem::take(&mut open) {
                match self.look_at(position).await? {
                    Now::Well => self.settle(index, right, Ok(Repaired::ByAnother)),
                    Now::Hopeless(reason) => self.settle(index, right, Err(reason)),
                    Now::Bad(image, _) => bad.push((index, position, image)),
                }
            }
            if bad.is_empty() {
                break;
            }
            let present = rollcall::call(self.store, right).await;
            for (index, position, image) in bad {
                match self.unknown(right, position, &image, present).await? {
                    Exchanged::Done(outcome) => {
                        if outcome.is_ok() {
                            asked = asked.iter().chain(present.iter()).collect();
                        }
                        self.settle(index, right, outcome);
                    }
                    Exchanged::Changed => open.push((index, position)),
                }
            }
        }
        for (index, _) in open {
            self.settle(index, right, Err("it changed again and again: check again".to_owned()));
        }
        Ok(asked)
    }

    async fn look_at(&self, position: LockPosition) -> Result<Now, CheckError> {
        let lba = self.store.layout.lock(position);
        Ok(match read_image(self.store, lba).await? {
            Some(image) => self.judge(position, image, false),
            None => Now::Hopeless(
                "the block could not be read, and is swapped only from what was read".to_owned(),
            ),
        })
    }

    /// What is wrong with these bytes at this position. Only with `prove` is the work done to find what they prove.
    fn judge(&self, position: LockPosition, image: Image, prove: bool) -> Now {
        let place = self.store.place(self.store.layout.lock(position));
        let proved = match decode::<LockRecord>(image.bytes(), &place) {
            Ok(sound) => {
                let astray = self.is_astray(position, &sound.record);
                if !astray && no_such_slot(&sound.record, self.store.layout.slot_count()).is_none() {
                    return Now::Well;
                }
                Some(sound.record)
            }
            Err(error) if error.is_newer() => return Now::Hopeless(error.to_string()),
            Err(DecodeError::Checksum { .. }) if prove => {
                mend::<LockRecord>(image.bytes(), &place).map(|mended| mended.record)
            }
            Err(_) => None,
        };
        // A name that nobody would look for here was not written here.
        let proved = proved.map(|record| match self.is_astray(position, &record) {
            true => LockRecord { name: None, ..record },
            false => record,
        });
        Now::Bad(image, proved.map(Box::new))
    }

    fn is_astray(&self, position: LockPosition, record: &LockRecord) -> bool {
        let home = |name| home(&self.store.format_id, name, self.store.layout.lock_positions());
        record.name.as_ref().is_some_and(|name| child_bit(home(name), position).is_none())
    }

    async fn unknown(
        &self,
        right: Right<'_>,
        position: LockPosition,
        image: &Image,
        holders: SlotSet,
    ) -> Result<Exchanged, CheckError> {
        let Now::Bad(_, proved) = self.judge(position, image.clone(), true) else {
            return Ok(Exchanged::Changed);
        };
        let generation = match self.generation(image) {
            Ok(generation) => generation,
            Err(reason) => return Ok(Exchanged::Done(Err(reason))),
        };
        let facts = LockFacts {
            holders,
            is_home: position.0 + LOCK_WINDOW <= self.store.layout.lock_positions(),
            children: self.evidence.children_of(self.store, position),
            epoch: self.evidence.epoch.max(Epoch(restore::spent_before(generation))),
            wall_ms: self.store.world.clock.wall().milliseconds,
        };
        let place = self.store.place(self.store.layout.lock(position));
        let record = believed(image.bytes(), &place, proved.as_deref())
            .unwrap_or_else(|| restore::lock(proved.as_deref(), &facts));
        let lba = self.store.layout.lock(position);
        Ok(match exchange(self.store, right, lba, image, generation, &record).await? {
            Exchange::Done => Exchanged::Done(Ok(Repaired::Restored { how: words(&record) })),
            Exchange::Changed => Exchanged::Changed,
            Exchange::Refused(reason) => Exchanged::Done(Err(reason)),
        })
    }

    /// Sets a bit in the mask of a home. A mask that says too much does no harm, so this may land at any time.
    pub(super) async fn list(&self, right: Right<'_>, home: LockPosition, bit: u16) -> Outcome {
        let mut cell = self.cell(home).await?;
        for attempt in 0..SWAPS_MAX {
            let record = LockRecord { children: cell.record.children | bit, ..cell.record.clone() };
            if record == cell.record && !cell.has_open_attempts() {
                let how = format!("the home {home} names the position now");
                return Ok(if attempt == 0 { Repaired::ByAnother } else { Repaired::Restored { how } });
            }
            self.swap(right, &mut cell, record).await?;
        }
        Err(format!("the home {home} changed {SWAPS_MAX} times meanwhile: check again"))
    }

    /// Takes a name away from the second position at which it stands, if nobody holds it there. The kept record goes to a
    /// generation above that of the dropped one first: the tokens of a name only grow.
    pub(super) async fn separate(&self, right: Right<'_>, drop: LockPosition, keep: LockPosition) -> Outcome {
        let (mut dropped, mut kept) = (self.cell(drop).await?, self.cell(keep).await?);
        if dropped.record.name.is_none() || dropped.record.name != kept.record.name {
            return Ok(Repaired::ByAnother);
        }
        kept.raise_generation(dropped.generation());
        for _ in 0..SWAPS_MAX {
            if kept.record.name != dropped.record.name {
                return Err("the name left its position meanwhile: check again".to_owned());
            }
            let same = kept.record.clone();
            if self.swap(right, &mut kept, same).await? {
                break;
            }
        }
        if kept.generation() <= dropped.generation() {
            return Err("the record that is kept changed again and again: check again".to_owned());
        }
        for _ in 0..SWAPS_MAX {
            if dropped.record.name != kept.record.name && !dropped.has_open_attempts() {
                return Ok(Repaired::Restored {
                    how: format!("the name was taken away here; it stands at {keep}"),
                });
            }
            if dropped.record.lock.mode != LockMode::Free {
                return Err("it is held at both positions: its holders must release it first".to_owned());
            }
            let lock = LockState { interest: false, sticky: false, ..dropped.record.lock };
            let nameless = LockRecord { name: None, lock, ..dropped.record.clone() };
            self.swap(right, &mut dropped, nameless).await?;
        }
        Err(format!("position {drop} changed {SWAPS_MAX} times meanwhile: check again"))
    }

    async fn cell(&self, position: LockPosition) -> Result<Cell<LockRecord>, String> {
        let lba = self.store.layout.lock(position);
        let seen = self.store.read::<LockRecord>(Lane::Work, lba).await.map_err(|fault| fault.to_string())?;
        Ok(Cell::new(lba, seen))
    }

    /// One swap of a sound record; whether it surely happened.
    async fn swap(
        &self,
        right: Right<'_>,
        cell: &mut Cell<LockRecord>,
        record: LockRecord,
    ) -> Result<bool, String> {
        if let Some(reason) = right.refusal(self.store) {
            return Err(reason);
        }
        match cell.swap(self.store, sender(right.writer()), record).await {
            Swap::Swapped { .. } | Swap::Adopted { .. } => Ok(true),
            Swap::Lost => Ok(false),
            Swap::Open(_) | Swap::Refused(_) | Swap::Lapsed | Swap::Distrusted(_) => {
                self.store.world.pause(self.store.timing.beat / 8).await;
                Ok(false)
            }
        }
    }
}

/// What became of the swap of a damaged lock.
enum Exchanged {
    Done(Outcome),
    Changed,
}

fn words(record: &LockRecord) -> String {
    let name = match &record.name {
        Some(name) => format!("`{name}`"),
        None => "a lock whose name could not be told".to_owned(),
    };
    match record.lock.mode {
        LockMode::Free => format!("{name} is free: nobody can hold it"),
        _ => format!(
            "{name} is unknown until {} hosts have said whether they hold it",
            record.lock.holders.len()
        ),
    }
}
