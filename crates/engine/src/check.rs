//! The check: every invariant of the format, offline or beside live hosts, and its repair (R3, R38, R39).
//!
//! ```text
//!   superblocks --> read everything once --> suspicions --> read those again, 8 times within a beat --> findings
//!                                                                                                          |
//!                   repair (only if asked):  superblock, slots, mailboxes, locks, ask; records of disks  <--+
//!                                                                                                          |
//!                            survey of what is whose --> findings --> its repair  <------------------------+
//! ```
//! What a look shows is judged by pure functions over the whole of what was read. A suspicion counts only if each
//! further look shows it too: what is in flux is not damage. docs/decisions/0031 says who repairs, and by what right.

mod code;
mod disks;
mod evidence;
pub(crate) mod exact;
mod journals;
mod locks;
mod mend;
mod repair;
mod report;
mod restore;
pub(crate) mod right;
pub(crate) mod rollcall;
mod scan;
mod slots;
pub(crate) mod superblocks;
mod survey;
mod suspicion;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use oarlock_block::{IoError, Lba};
use oarlock_format::{DecodeError, NoSuperblock, Superblock, SuperblockState};

pub use code::{Code, Severity};
pub use report::{CheckReport, Finding, Repaired, Spot};

use crate::check::disks::Disks;
use crate::check::evidence::Evidence;
use crate::check::scan::{Look, Snapshot};
use crate::check::suspicion::{Remedy, Suspicion};
use crate::event::{Event, EventSink};
use crate::host::Host;
use crate::store::{READS_OF_DAMAGE, Store};
use crate::world::World;

/// Why a copy of a datastore is not repaired.
const IS_A_COPY: &str = "this device is a copy of the datastore's own: `oarlock resignature` comes first";

/// What is asked for.
#[derive(Clone, Default)]
pub struct CheckOptions {
    /// Put right what can be put right.
    pub repair: bool,
    /// A host that lives in this process and writes the repairs. Without one, a repair joins as a host of its own for
    /// as long as it takes. Whoever gives a host drives it ([`Host::run`]) meanwhile.
    pub host: Option<Host>,
}

/// Why nothing could be checked, or why a check broke off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// This is no datastore, or a newer program's.
    #[error(transparent)]
    NoSuperblock(#[from] NoSuperblock),
    /// The datastore has blocks of another size than the device.
    #[error("the datastore has blocks of {datastore} bytes, and the device of {device}")]
    BlockSize {
        /// The datastore's.
        datastore: u32,
        /// The device's.
        device: u32,
    },
    /// The device refused or failed a command in a way that is not one block's.
    #[error("block {lba} could not be read: {error}")]
    Device {
        /// The block.
        lba: Lba,
        /// The device's words.
        error: IoError,
    },
    /// The device did not answer.
    #[error("the device did not answer within {} s (block {lba})", scan::PATIENCE_S)]
    NoAnswer {
        /// The block.
        lba: Lba,
    },
}

/// Checks the datastore on the device, and repairs it where `options` say so. `progress` hears how many of how many
/// blocks were read.
///
/// Without `repair` nothing is written. Beside live hosts a check costs them its reads and nothing else.
///
/// # Errors
/// Why the datastore could not be checked to the end.
pub async fn check(
    world: &World,
    options: &CheckOptions,
    progress: &dyn Fn(u64, u64),
) -> Result<CheckReport, CheckError> {
    let copies = superblocks::read_copies(world).await?;
    let mut suspicions = superblocks::suspicions(&copies)?;
    let Some(superblock) = copies.to_go_by().cloned() else {
        return Ok(CheckReport::new(None, findings_of(&suspicions)));
    };
    let device = world.device.geometry();
    if superblock.record.block_size != device.block_size {
        return Err(CheckError::BlockSize {
            datastore: superblock.record.block_size.bytes(),
            device: device.block_size.bytes(),
        });
    }
    let label = Some(superblock.record.label.clone());
    let against = superblocks::against_device(world, &superblock.record);
    let is_this_device = !against.iter().any(|suspicion| suspicion.code == Code::OtherDevice);
    suspicions.extend(against);
    let records_end = superblock.record.layout.directory.start;
    if superblock.record.state == SuperblockState::Formatting || device.blocks.0 < records_end.0 {
        return Ok(CheckReport::new(label, findings_of(&suspicions)));
    }
    let events: Rc<RefCell<Vec<Event>>> = Rc::default();
    let store = Store::new(world.clone(), &superblock, sink(&events));
    let disks = Disks::new(&store, &superblock.record);
    let others = store.layout.locks.blocks.0 + store.layout.slots.blocks.0;
    let (snapshot, found) = look(&store, &|done, total| progress(done, total + disks.blocks())).await?;
    suspicions.extend(found);
    if not_ours_to_repair(&snapshot).is_none() {
        suspicions.extend(journals::journals(&store, &superblock.record, &snapshot).await);
    }
    let mut findings = findings_of(&suspicions);
    let mut repaired_as = None;
    if options.repair {
        let mut case = repair::Case::new(&store, &copies, &snapshot, &suspicions, &mut findings);
        if let Some(reason) = not_ours_to_repair(&snapshot) {
            case.refuse_all(&reason);
        } else if is_this_device {
            repaired_as = case.repair(options.host.as_ref(), sink(&events)).await?;
        } else {
            case.refuse_all(IS_A_COPY);
        }
    }
    // There are many records of disks: what hosts wait for comes first. Under a superblock of another datastore every one would be
    // another's, too.
    let mut not_judged = Vec::new();
    if not_ours_to_repair(&snapshot).is_none() {
        let read = |done| progress(others + done, others + disks.blocks());
        let mut suspicions = disks.look(&read).await?;
        repair::records::traces::tell(&store, &mut suspicions).await?;
        let by = options.host.as_ref().filter(|_| options.repair && is_this_device);
        let round = Round {
            store: &store,
            superblock: &superblock.record,
            progress,
            before: others + disks.blocks(),
        };
        let repairs = options.repair.then_some(is_this_device);
        let evidence = evidence_of(&snapshot, &copies);
        let records = round.records(&suspicions, evidence, (repairs, by), sink(&events)).await?;
        journals::settle(&store, records.repaired_as.as_deref(), &mut findings).await;
        findings.extend(records.findings);
        repaired_as = repaired_as.or(records.repaired_as);
        if disks.are_there() {
            let surveyed = round.survey(repairs, by, sink(&events)).await?;
            findings.extend(surveyed.findings);
            not_judged = surveyed.not_judged;
            repaired_as = repaired_as.or(surveyed.repaired_as);
        }
    }
    let events = events.take();
    Ok(CheckReport { events, repaired_as, not_judged, ..CheckReport::new(label, findings) })
}

/// The records of disks, the survey of what is whose, and their repair.
struct Round<'a> {
    store: &'a Store,
    superblock: &'a Superblock,
    progress: &'a dyn Fn(u64, u64),
    /// Blocks that were read before.
    before: u64,
}

/// What the survey, and its repair, came to.
struct Outcome {
    findings: Vec<Finding>,
    not_judged: Vec<String>,
    repaired_as: Option<String>,
}

impl Round<'_> {
    /// Repairs records of disks where that is asked for, and where it may be.
    async fn records(
        &self,
        suspicions: &[Suspicion],
        evidence: Evidence,
        (repairs, host): (Option<bool>, Option<&Host>),
        events: EventSink,
    ) -> Result<Outcome, CheckError> {
        let mut findings = findings_of(suspicions);
        let (store, superblock) = (self.store, self.superblock);
        let records = repair::records::Records { store, superblock, suspicions, evidence };
        let repaired_as = match repairs {
            None => None,
            Some(false) => {
                records.refuse_all(&mut findings, IS_A_COPY);
                None
            }
            Some(true) => records.repair(host, events, &mut findings).await?,
        };
        Ok(Outcome { findings, not_judged: Vec::new(), repaired_as })
    }

    /// Surveys, and repairs where that is asked for, and where it may be: on the datastore's own device.
    async fn survey(
        &self,
        repairs: Option<bool>,
        host: Option<&Host>,
        events: EventSink,
    ) -> Result<Outcome, CheckError> {
        let tell = |done, total| (self.progress)(self.before + done, self.before + total);
        let surveyed = survey::survey(self.store, self.superblock, None, &tell).await?;
        let mut findings = findings_of(&surveyed.suspicions);
        let mut repaired_as = None;
        if repairs == Some(false) {
            let may_be = surveyed.suspicions.iter().map(|suspicion| suspicion.remedy != Remedy::Nothing);
            let refused = findings.iter_mut().zip(may_be).filter(|(_, may_be)| *may_be);
            refused.for_each(|(finding, _)| finding.refused = Some(IS_A_COPY.to_owned()));
        }
        if repairs == Some(true) {
            let (store, superblock, suspicions) = (self.store, self.superblock, &surveyed.suspicions[..]);
            let mending = repair::disks::Mending { store, superblock, suspicions, tell: &tell };
            repaired_as = mending.repair(host, events, &mut findings).await?;
        }
        Ok(Outcome { findings, not_judged: surveyed.not_judged, repaired_as })
    }
}

/// Where most slots belong to another datastore, the first superblock was laid over that one. What the superblock would
/// have to make of its records is not for a program to decide.
fn not_ours_to_repair(snapshot: &Snapshot) -> Option<String> {
    let mut others = snapshot.slots.iter().filter_map(|look| match look {
        Look::Unsound { error: DecodeError::OtherDatastore { found }, .. } => Some(*found),
        _ => None,
    });
    let found = others.next()?;
    (2 * (1 + others.count()) > snapshot.slots.len())
        .then(|| format!("most slots belong to the datastore {found}: this superblock was laid over it"))
}

fn sink(events: &Rc<RefCell<Vec<Event>>>) -> EventSink {
    let events = Rc::clone(events);
    Rc::new(move |event| events.borrow_mut().push(event))
}

fn findings_of(suspicions: &[Suspicion]) -> Vec<Finding> {
    suspicions.iter().map(Suspicion::finding).collect()
}

/// Reads everything, and what is suspicious again: what each look shows is found.
async fn look(store: &Store, progress: &dyn Fn(u64, u64)) -> Result<(Snapshot, Vec<Suspicion>), CheckError> {
    let mut snapshot = scan::read_all(store, progress).await?;
    let mut standing = suspicions(store, &snapshot);
    let mut looks = 1;
    while looks < looks_at(&standing) {
        store.world.pause(store.timing.beat / (READS_OF_DAMAGE * 2)).await;
        let involved: BTreeSet<Lba> =
            standing.iter().flat_map(|suspicion| &suspicion.involved).copied().collect();
        scan::look_again(store, &mut snapshot, &involved).await?;
        let again = suspicions(store, &snapshot);
        // The newer words are kept: they tell what stands there now.
        standing = again.into_iter().filter(|new| standing.iter().any(|old| agrees(old, new))).collect();
        looks += 1;
    }
    standing.extend(gaps(store, &snapshot));
    Ok((snapshot, standing))
}

/// A record that is unsound and not steady was unsound before: one suspicion passes into the other.
fn agrees(old: &Suspicion, new: &Suspicion) -> bool {
    old.is_same(new) || (new.code == Code::InFlux && old.place == new.place)
}

/// How often what is suspicious is looked at before it counts. For a mere note twice will do.
fn looks_at(standing: &[Suspicion]) -> u32 {
    match standing.iter().map(|suspicion| suspicion.code.severity()).max() {
        None => 0,
        Some(Severity::Note) => 2,
        Some(Severity::Warning | Severity::Damage) => READS_OF_DAMAGE,
    }
}

/// What everything but the records of disks says of the past.
fn evidence_of(snapshot: &Snapshot, copies: &superblocks::Copies) -> Evidence {
    let mut evidence = Evidence::gather(snapshot);
    copies.generations().for_each(|generation| evidence.note_generation(generation));
    evidence
}

/// What one look shows to be wrong.
fn suspicions(store: &Store, snapshot: &Snapshot) -> Vec<Suspicion> {
    let evidence = Evidence::gather(snapshot);
    let mut found = slots::slots(store, snapshot, &evidence);
    found.extend(slots::mailboxes(store, snapshot));
    found.extend(locks::locks(store, snapshot, &evidence));
    found
}

fn gaps(store: &Store, snapshot: &Snapshot) -> Vec<Suspicion> {
    let (first, count) = &snapshot.gaps;
    let new = |lba: &Lba| {
        let record = if store.layout.locks.contains(*lba) {
            oarlock_format::Kind::Lock
        } else {
            oarlock_format::Kind::Slot
        };
        let place = Spot { lba: *lba, record, name: "between two records".to_owned() };
        Suspicion::new(Code::Gap, place, format!("it is not zero ({count} such blocks in all)"))
    };
    first.iter().map(new).collect()
}
