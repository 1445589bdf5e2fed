//! The repair of records and pages of disks that do not check out: each is made anew from what else says the same (R36, R39).
//!
//! ```text
//!   descriptors that their own bytes prove --> descriptors that are nobody's --> buckets, names, journals, groups
//!       --> descriptors to which none of these leads --> flush --> bitmaps: all is taken --> (the survey comes next: entries that lack, bits of what is nobody's)
//! ```
//! The bad bytes are read first, then what proves the new content, and the swap expects the bad bytes: while they stand nobody can
//! have built anything on them. What may be in somebody's hands (a descriptor, a group) is made anew only where no other host lives.

mod bucket;
mod descriptor;
mod group;
mod header;
mod name;
pub(crate) mod traces;

use std::collections::BTreeSet;

use oarlock_block::{Lba, SlotIndex};
use oarlock_format::{
    DecodeError, DescriptorNumber, Epoch, Generation, GroupNumber, Image, Incarnation, Record, SlotRecord,
    SlotSet, SlotState, Stamped, Superblock, decode_within,
};

use crate::allocate::Bitmap;
use crate::check::CheckError;
use crate::check::evidence::{Evidence, claimed};
use crate::check::exact::{Exchange, exchange, read_image};
use crate::check::mend::mend;
use crate::check::repair::{Outcome, ROUNDS_MAX};
use crate::check::report::{Finding, Repaired};
use crate::check::restore;
use crate::check::right::Right;
use crate::check::rollcall;
use crate::check::survey::Estate;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::event::EventSink;
use crate::host::Host;
use crate::step::victim;
use crate::store::{Lane, Store};

use super::by_one_that_joins;
use traces::referred_to;

const UNREAD: &str = "the block could not be read, and is swapped only from what was read";

/// What became of one try.
enum Tried {
    Settled(Outcome),
    /// The block changed under it.
    Changed,
}

/// Which records are made anew at once, in this order: what comes later is proved by what came before. A descriptor that may be
/// nobody's waits for all that could lead to it.
const PASSES: [fn(Remedy) -> bool; 4] = [is_descriptor, is_descriptor, is_other, is_descriptor];

/// From this pass on it is told what is nobody's: all that its own bytes prove stands by then.
const FIRST_PASS_OF_NOBODYS: usize = 1;

fn is_descriptor(remedy: Remedy) -> bool {
    matches!(remedy, Remedy::Descriptor(_))
}

fn is_other(remedy: Remedy) -> bool {
    use Remedy::{Bucket, Group, Header, NameRecord};
    matches!(remedy, Bucket(_) | NameRecord(_) | Header(_) | Group(_))
}

/// One repair of records of disks. Suspicions and findings are the same, index by index.
pub(crate) struct Records<'a> {
    pub(crate) store: &'a Store,
    pub(crate) superblock: &'a Superblock,
    pub(crate) suspicions: &'a [Suspicion],
    /// What all other records say of the past.
    pub(crate) evidence: Evidence,
}

/// What a new content is proved by: read after the bad bytes were.
struct Ground {
    estate: Estate,
    /// Descriptors that something leads to.
    referred_to: BTreeSet<DescriptorNumber>,
    /// Slots in which a host may live that holds what is damaged.
    present: SlotSet,
    /// Slots whose hosts were cut off and are not replayed: what they owe, their journals say.
    owing: SlotSet,
    /// A generation that no record has.
    generation: Generation,
}

/// A repair at work.
struct Work<'a> {
    records: &'a Records<'a>,
    store: &'a Store,
    right: Right<'a>,
    host: &'a Host,
    /// Groups whose records were made anew, and whose bitmaps are to be looked at.
    groups: Vec<(usize, GroupNumber)>,
}

impl Records<'_> {
    /// Repairs what can be repaired, by `host` or by one that joins for it; its name.
    pub(crate) async fn repair(
        &self,
        host: Option<&Host>,
        events: EventSink,
        findings: &mut [Finding],
    ) -> Result<Option<String>, CheckError> {
        if self.suspicions.iter().all(|suspicion| suspicion.remedy == Remedy::Nothing) {
            return Ok(None);
        }
        if let Some(host) = host {
            self.repair_by(Right::Host(host), host, findings).await?;
            return Ok(Some(host.status().name.as_str().to_owned()));
        }
        let by_a_host = async |host: &Host| self.repair_by(Right::Joined(host), host, findings).await;
        match by_one_that_joins(self.store, events, by_a_host).await {
            Ok((name, result)) => result.map(|()| Some(name)),
            Err(error) => {
                self.refuse_all(findings, &format!("no host could be joined to do it: {error}"));
                Ok(None)
            }
        }
    }

    /// Refuses every remedy for one reason.
    pub(crate) fn refuse_all(&self, findings: &mut [Finding], reason: &str) {
        for (finding, suspicion) in findings.iter_mut().zip(self.suspicions) {
            if suspicion.remedy != Remedy::Nothing {
                finding.refused = Some(reason.to_owned());
            }
        }
    }

    async fn repair_by(
        &self,
        right: Right<'_>,
        host: &Host,
        findings: &mut [Finding],
    ) -> Result<(), CheckError> {
        let mut work = Work { records: self, store: self.store, right, host, groups: Vec::new() };
        if let Some(generation) = self.evidence.repaired(Generation(0)) {
            host.raise_generation(generation).await;
        }
        self.take_over_the_dead(host).await;
        for (pass, is_of) in PASSES.iter().enumerate() {
            let mut open: Vec<usize> = Vec::new();
            for (index, suspicion) in self.suspicions.iter().enumerate() {
                if is_of(suspicion.remedy) && findings[index].repaired.is_none() {
                    open.push(index);
                }
            }
            if work.pass(pass, open, findings).await? {
                // What the next pass is proved by is durable before it relies on it (R12).
                if let Err(error) = self.store.flush().await {
                    self.refuse_all(
                        findings,
                        &format!("what was repaired could not be made durable: {error}"),
                    );
                    return Ok(());
                }
            }
        }
        // What was refused for a record that is made anew by now goes on.
        self.take_over_the_dead(host).await;
        work.bitmaps(findings).await;
        Ok(())
    }
}

impl Records<'_> {
    /// What a host held whose death is proved is nobody's once it is taken over: that comes before the roll is called.
    async fn take_over_the_dead(&self, host: &Host) {
        let needs_a_roll = |suspicion: &Suspicion| {
            matches!(suspicion.remedy, Remedy::Descriptor(_) | Remedy::Group(_) | Remedy::Header(_))
        };
        if !self.suspicions.iter().any(needs_a_roll) {
            return;
        }
        let own = host.status().owner.slot;
        for slot in (0..self.store.layout.slot_count()).map(SlotIndex).filter(|slot| *slot != own) {
            let lba = self.store.layout.slot(slot);
            let Ok(seen) = self.store.read::<SlotRecord>(Lane::Work, lba).await else { continue };
            let record = seen.stamped.record;
            let Some(name) = &record.name else { continue };
            let is_dead = match record.state {
                SlotState::Free => false,
                SlotState::Live | SlotState::Fenced { .. } => {
                    self.store.world.cut_off.death_proved(victim(slot, &record)).await.is_some()
                }
                SlotState::CutOff { .. } | SlotState::Replaying { .. } | SlotState::Replayed { .. } => true,
            };
            if is_dead {
                // Where it is refused its slot stands on the roll, and says why.
                let deadline = self.store.now().plus(self.store.timing.lease * 2);
                let _ = host.evict(name, false, deadline).await;
            }
        }
    }
}

impl<'a> Work<'a> {
    /// One pass over what is still open; whether anything was written.
    async fn pass(
        &mut self,
        pass: usize,
        mut open: Vec<usize>,
        findings: &mut [Finding],
    ) -> Result<bool, CheckError> {
        let mut wrote = false;
        for _ in 0..ROUNDS_MAX {
            let mut seen = Vec::new();
            for index in std::mem::take(&mut open) {
                match read_image(self.store, self.suspicion(index).place.lba).await? {
                    Some(image) => seen.push((index, image)),
                    None => settle(&mut findings[index], Err(UNREAD.to_owned())),
                }
            }
            if seen.is_empty() {
                break;
            }
            let ground = self.ground(&seen).await?;
            for (index, image) in seen {
                match self.one(pass, &ground, index, &image).await? {
                    Tried::Settled(outcome) => {
                        wrote |= matches!(outcome, Ok(Repaired::Restored { .. }));
                        settle(&mut findings[index], outcome);
                    }
                    Tried::Changed => open.push(index),
                }
            }
        }
        for index in open {
            let reason = "it changed again and again while it was being repaired: check again";
            settle(&mut findings[index], Err(reason.to_owned()));
        }
        Ok(wrote)
    }

    fn suspicion(&self, index: usize) -> &'a Suspicion {
        &self.records.suspicions[index]
    }

    /// Everything that proves what stood in these places, read after their bytes were. The roll is called only for what somebody may
    /// hold: each free slot is swapped for it.
    async fn ground(&self, seen: &[(usize, Image)]) -> Result<Ground, CheckError> {
        let may_be_held = |(index, _): &(usize, Image)| {
            matches!(self.suspicion(*index).remedy, Remedy::Descriptor(_) | Remedy::Group(_))
        };
        let mut present = match seen.iter().any(may_be_held) {
            true => rollcall::call(self.store, self.right).await,
            false => SlotSet::EMPTY,
        };
        let mut owing = SlotSet::EMPTY;
        for slot in present.iter().collect::<Vec<_>>() {
            let seen = self.store.read::<SlotRecord>(Lane::Work, self.store.layout.slot(slot)).await;
            let state = seen.map(|seen| seen.stamped.record.state);
            if matches!(state, Ok(SlotState::CutOff { .. } | SlotState::Replaying { .. })) {
                present.remove(slot);
                owing.insert(slot);
            }
        }
        let estate = Estate::read(self.store, &|_| {}).await?;
        let stamps = estate.versions.values().map(|version| version.generation);
        let claims = seen.iter().filter_map(|(_, image)| claimed(image.bytes()));
        let highest = stamps.chain(claims).max().unwrap_or(Generation(0));
        let generation = self.records.evidence.repaired(highest).unwrap_or(Generation::LARGEST);
        Ok(Ground { referred_to: referred_to(&estate), estate, present, owing, generation })
    }

    async fn one(
        &mut self,
        pass: usize,
        ground: &Ground,
        index: usize,
        image: &Image,
    ) -> Result<Tried, CheckError> {
        if ground.generation >= Generation::LARGEST {
            let reason = "the datastore's generations are used up; a repair has none left to go to";
            return Ok(refused(reason));
        }
        match self.suspicion(index).remedy {
            Remedy::Descriptor(number) => {
                self.descriptor(ground, number, image, pass >= FIRST_PASS_OF_NOBODYS).await
            }
            Remedy::Bucket(number) => self.bucket(ground, number, image).await,
            Remedy::NameRecord(number) => self.name(ground, number, image).await,
            Remedy::Header(slot) => self.header(ground, slot, image).await,
            Remedy::Group(group) => {
                let tried = self.group(ground, group, image).await?;
                if let Tried::Settled(Ok(Repaired::Restored { .. })) = tried {
                    self.groups.push((index, group));
                }
                Ok(tried)
            }
            _ => Ok(Tried::Changed),
        }
    }

    /// Whether what stands there is sound by now; the record that the bytes prove where it is not, or why nothing can be done.
    fn judge<R: Record>(&self, lba: Lba, image: &Image) -> Judged<R> {
        let (place, layout) = (self.store.place(lba), &self.store.layout);
        match decode_within::<R>(image.bytes(), &place, layout) {
            Ok(sound) => Judged::Sound(sound),
            Err(error) if error.is_newer() => Judged::Newer(error),
            Err(_) => {
                let mended = mend::<R>(image.bytes(), &place).map(|mended| mended.record);
                Judged::Bad(mended.filter(|record| record.check_within(layout).is_ok()))
            }
        }
    }

    async fn put<R: Record>(
        &self,
        ground: &Ground,
        image: &Image,
        lba: Lba,
        (record, how): (&R, String),
    ) -> Result<Tried, CheckError> {
        let exchanged = exchange(self.store, self.right, lba, image, ground.generation, record).await?;
        Ok(match exchanged {
            Exchange::Done => Tried::Settled(Ok(Repaired::Restored { how })),
            Exchange::Changed => Tried::Changed,
            Exchange::Refused(reason) => Tried::Settled(Err(reason)),
        })
    }

    /// Why what somebody may hold is not touched, if so.
    fn may_be_held(&self, ground: &Ground) -> Option<String> {
        (!ground.present.is_empty()).then(|| {
            format!(
                "a host in slot {} may hold it: stop all hosts, let the dead be taken over (`oarlock evict`), and repair again",
                words(&ground.present)
            )
        })
    }

    /// An epoch in which no lock has been yet, but for the step that a guess takes.
    fn epoch(&self, ground: &Ground) -> Epoch {
        let seen = ground.estate.epochs.iter().flatten().copied().max().unwrap_or(Epoch(0));
        seen.max(self.records.evidence.epoch).max(Epoch(restore::spent_before(ground.generation)))
    }

    fn wall_ms(&self) -> u64 {
        self.store.world.clock.wall().milliseconds
    }

    /// The life that a host has which joined for this repair.
    fn own_life(&self, slot: SlotIndex) -> Option<Incarnation> {
        let Right::Joined(host) = self.right else { return None };
        let me = host.status().owner;
        (me.slot == slot).then_some(me.incarnation)
    }

    /// Bitmaps that do not read get one in which all is taken: under the group's lock, and through the journal.
    async fn bitmaps(&self, findings: &mut [Finding]) {
        let spoiled = self.records.suspicions.iter().enumerate().filter_map(|(index, suspicion)| {
            if let Remedy::Bitmap(group) = suspicion.remedy { Some((index, group)) } else { None }
        });
        let Some(here) = self.host.disks.clone() else { return };
        for (index, group) in spoiled.chain(self.groups.iter().copied()) {
            let outcome = here.source.renew_bitmap(group).await;
            let is_of_record = findings[index].repaired.is_some();
            let finding = &mut findings[index];
            match outcome {
                // One that was not opened yet has none.
                Ok(Bitmap::Sound | Bitmap::InUse) if is_of_record => {}
                Ok(Bitmap::Sound) => settle(finding, Ok(Repaired::ByAnother)),
                Ok(Bitmap::AllTaken) => {
                    let how =
                        "all of the group is marked as taken, and what is nobody's comes free behind that";
                    let before = finding.repaired.as_ref().map(|done| format!("{}; ", done.words()));
                    let how = format!("{}{how}", before.unwrap_or_default());
                    settle(finding, Ok(Repaired::Restored { how }));
                }
                Ok(Bitmap::InUse) => {
                    settle(finding, Err("another host has the group, and does not give it up".to_owned()));
                }
                Err(error) => settle(finding, Err(error.to_string())),
            }
        }
    }
}

/// What the bytes of a damaged record are worth.
enum Judged<R> {
    Sound(Stamped<R>),
    Newer(DecodeError),
    /// Damage, and what one flipped bit proves of it.
    Bad(Option<R>),
}

/// The numbers of slots, for people.
fn words(slots: &SlotSet) -> String {
    slots.iter().map(|slot| slot.to_string()).collect::<Vec<_>>().join(", ")
}

fn settle(finding: &mut Finding, outcome: Outcome) {
    match outcome {
        Ok(repaired) => (finding.repaired, finding.refused) = (Some(repaired), None),
        Err(reason) => finding.refused = Some(reason),
    }
}

fn refused(reason: impl Into<String>) -> Tried {
    Tried::Settled(Err(reason.into()))
}

fn by_another() -> Tried {
    Tried::Settled(Ok(Repaired::ByAnother))
}
