//! The repair of what a check found: in which order, by what right, and what is told about it (R39).
//!
//! ```text
//!   superblock --> slots in which nobody lives --> mailboxes --> locks, masks, duplicates --> ask the live hosts
//!   (nothing can join before these two)            (as a host, where one can be joined)
//! ```

pub(crate) mod disks;
mod lock;
pub(crate) mod records;
mod slot;
mod superblock;

use oarlock_block::Lba;
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_format::{Generation, HostName, Image, NoSuperblock, SlotSet};

use crate::check::code::{Code, Severity};
use crate::check::evidence::{Evidence, claimed};
use crate::check::report::{Finding, Repaired};
use crate::check::right::Right;
use crate::check::rollcall;
use crate::check::scan::Snapshot;
use crate::check::superblocks::Copies;
use crate::check::suspicion::{Remedy, Suspicion};
use crate::check::{CheckError, evidence_of};
use crate::event::{Event, EventSink};
use crate::host::Host;
use crate::store::Store;

/// A record that changed while it was being repaired is looked at anew so often.
const ROUNDS_MAX: u32 = 3;

/// What became of one remedy: what was done, or why nothing was.
type Outcome = Result<Repaired, String>;

/// One repair: what was found, and what becomes of it. Suspicions and findings are the same, index by index.
pub(crate) struct Case<'a> {
    store: &'a Store,
    copies: &'a Copies,
    snapshot: &'a Snapshot,
    suspicions: &'a [Suspicion],
    findings: &'a mut [Finding],
    evidence: Evidence,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        store: &'a Store,
        copies: &'a Copies,
        snapshot: &'a Snapshot,
        suspicions: &'a [Suspicion],
        findings: &'a mut [Finding],
    ) -> Case<'a> {
        let evidence = evidence_of(snapshot, copies);
        Case { store, copies, snapshot, suspicions, findings, evidence }
    }

    /// Refuses every remedy for one reason.
    pub(crate) fn refuse_all(&mut self, reason: &str) {
        for (finding, suspicion) in self.findings.iter_mut().zip(self.suspicions) {
            if suspicion.remedy != Remedy::Nothing {
                finding.refused = Some(reason.to_owned());
            }
        }
    }

    /// Repairs what can be repaired; returns the name of the host that wrote, where one did. Sends nothing where there
    /// is nothing to repair.
    pub(crate) async fn repair(
        &mut self,
        host: Option<&Host>,
        events: EventSink,
    ) -> Result<Option<String>, CheckError> {
        if self.suspicions.iter().all(|suspicion| suspicion.remedy == Remedy::Nothing) {
            return Ok(None);
        }
        if let Some(host) = host {
            let name = host.status().name.as_str().to_owned();
            self.repair_all(Right::Host(host), true).await?;
            return Ok(Some(name));
        }
        let ground = self.hinders_joining();
        if ground {
            self.repair_ground(Right::Tool).await?;
        }
        let store = self.store;
        let by_a_host = async |host: &Host| self.repair_all(Right::Joined(host), !ground).await;
        match by_one_that_joins(store, events, by_a_host).await {
            Ok((name, result)) => result.map(|()| Some(name)),
            Err(_) => self.repair_all(Right::Tool, !ground).await.map(|()| None),
        }
    }

    /// Whether the superblock and the slots are repaired before a host joins: beside one that is overwritten none can,
    /// and without a sound free slot none either.
    fn hinders_joining(&self) -> bool {
        matches!(self.copies.chosen, Err(NoSuperblock::Overwritten { .. }))
            || self.suspicions.iter().any(|suspicion| matches!(suspicion.remedy, Remedy::Slot(_)))
    }

    async fn repair_all(&mut self, right: Right<'_>, ground: bool) -> Result<(), CheckError> {
        self.remember_generation(right).await;
        if ground {
            self.repair_ground(right).await?;
        }
        for (index, slot) in self.remedies(|remedy| match remedy {
            Remedy::Mailbox(slot) => Some(slot),
            _ => None,
        }) {
            let outcome = self.mailbox(right, slot).await?;
            self.settle(index, right, outcome);
        }
        let asked = self.locks(right).await?;
        for (index, (home, bit)) in self.remedies(|remedy| match remedy {
            Remedy::List { home, bit } => Some((home, bit)),
            _ => None,
        }) {
            let outcome = self.list(right, home, bit).await;
            self.settle(index, right, outcome);
        }
        for (index, (drop, keep)) in self.remedies(|remedy| match remedy {
            Remedy::Duplicate { drop, keep } => Some((drop, keep)),
            _ => None,
        }) {
            let outcome = self.separate(right, drop, keep).await;
            self.settle(index, right, outcome);
        }
        self.flush(right).await;
        self.ask(right, asked).await;
        Ok(())
    }

    /// The repairing host's own slot goes to the generation of what it repairs. Else the repaired block alone would know
    /// of it, and should that rot once more, the next repair would go back behind it.
    async fn remember_generation(&self, right: Right<'_>) {
        if let (Right::Host(host) | Right::Joined(host), Some(generation)) =
            (right, self.evidence.repaired(Generation(0)))
        {
            host.raise_generation(generation).await;
        }
    }

    /// What stands below everything else: the superblock, and the slots.
    async fn repair_ground(&mut self, right: Right<'_>) -> Result<(), CheckError> {
        for (index, ()) in self.remedies(|remedy| (remedy == Remedy::Superblock).then_some(())) {
            let outcome = self.superblock(right).await?;
            self.settle(index, right, outcome);
        }
        for (index, slot) in self.remedies(|remedy| match remedy {
            Remedy::Slot(slot) => Some(slot),
            _ => None,
        }) {
            let outcome = self.slot(right, slot).await?;
            self.settle(index, right, outcome);
        }
        // A slot's state is durable before anything relies on it (R12).
        self.flush(right).await;
        Ok(())
    }

    /// Asks the possible holders of every lock that is unknown: those that this repair made so (`made`), and those that
    /// were before.
    async fn ask(&mut self, right: Right<'_>, made: SlotSet) {
        let before = self.remedies(|remedy| match remedy {
            Remedy::Ask(position) => Some(position),
            _ => None,
        });
        let waiting = before.iter().filter_map(|(_, position)| self.snapshot.lock(*position)?.sound());
        let holders: SlotSet =
            waiting.flat_map(|lock| lock.record.lock.holders.iter()).chain(made.iter()).collect();
        let outcome = rollcall::ask(self.store, right, &holders).await;
        for (index, _) in before {
            let outcome = match &outcome {
                Ok(0) => {
                    Err("none of its possible holders lives; the next who takes it breaks it".to_owned())
                }
                Ok(hosts) => Ok(Repaired::Asked { hosts: *hosts }),
                Err(reason) => Err(reason.clone()),
            };
            self.settle(index, right, outcome);
        }
        if let Err(reason) = outcome
            && !made.is_empty()
        {
            let unasked =
                |finding: &&mut Finding| finding.code == Code::LockSpoiled && finding.repaired.is_some();
            self.findings
                .iter_mut()
                .filter(unasked)
                .for_each(|finding| finding.refused = Some(reason.clone()));
        }
    }

    async fn flush(&self, right: Right<'_>) {
        if let Err(error) = self.store.flush().await {
            self.report(
                right,
                Lba(0),
                Action::Refused,
                format!("the repair could not be made durable: {error}"),
            );
        }
    }

    /// The findings with a certain remedy.
    fn remedies<T>(&self, choose: impl Fn(Remedy) -> Option<T>) -> Vec<(usize, T)> {
        let remedies = self.suspicions.iter().map(|suspicion| choose(suspicion.remedy));
        remedies.enumerate().filter_map(|(index, chosen)| Some((index, chosen?))).collect()
    }

    /// The generation of the images that replace one whose bytes these are (R39).
    fn generation(&self, bad: &Image) -> Result<Generation, String> {
        let claimed = claimed(bad.bytes()).unwrap_or(Generation(0));
        self.evidence.repaired(claimed).ok_or_else(|| {
            "the datastore's generations are used up; a repair has none left to go to".to_owned()
        })
    }

    /// Writes down what became of a finding, and reports it.
    fn settle(&mut self, index: usize, right: Right<'_>, outcome: Outcome) {
        let (lba, words, action) = {
            let finding = &mut self.findings[index];
            let (words, action) = match outcome {
                Ok(repaired) => {
                    let words = repaired.words();
                    finding.repaired = Some(repaired);
                    (words, Action::Retried)
                }
                Err(reason) => {
                    finding.refused = Some(reason.clone());
                    (format!("not repaired: {reason}"), Action::Refused)
                }
            };
            (finding.place.lba, format!("{}, {}: {words}", finding.code.text(), finding.place.name), action)
        };
        self.report(right, lba, action, words);
    }

    fn report(&self, right: Right<'_>, lba: Lba, action: Action, words: String) {
        let finding = self.findings.iter().find(|finding| finding.place.lba == lba);
        let record = finding.map_or(oarlock_format::Kind::Superblock, |finding| finding.place.record);
        let foreign = finding.is_some_and(|finding| finding.code == Code::Overwritten);
        let damaged = finding.is_none_or(|finding| finding.severity() == Severity::Damage);
        let cause = match (foreign, damaged) {
            (true, _) => Cause::ForeignBlock,
            (false, true) => Cause::CorruptBlock,
            (false, false) => Cause::CannotTell,
        };
        let event = self.store.event(EventKind::Repair, cause, lba, record, action).about(words);
        self.store.report(Event { by: Some(right.writer()), ..event });
    }
}

/// Does work by a host of its own, which joins for it, lives as long as it takes, and leaves: the host's name, and what came of the work.
async fn by_one_that_joins<T>(
    store: &Store,
    events: EventSink,
    work: impl AsyncFnOnce(&Host) -> T,
) -> Result<(String, T), Box<dyn std::error::Error>> {
    let name = HostName::new(&format!("repair-{:08x}", store.world.random.bits() >> 32))?;
    let host = Host::join(store.world.clone(), &name, events).await?;
    let working = async {
        let result = work(&host).await;
        host.leave(store.now().plus(store.timing.lease)).await;
        result
    };
    let (_, result) = futures::future::join(host.run(), working).await;
    Ok((name.as_str().to_owned(), result))
}
