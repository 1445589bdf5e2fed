//! The repair of what a survey found: by a host, which takes the locks of what it changes, and changes it as hosts do.
//!
//! ```text
//!   entries that are nobody's --> entries that are missing --> names that are lost --> layers brought to an end --> all groups given up, surveyed anew
//!       --> the bits of each group, if nobody had it since --> surveyed once more: what is gone was repaired
//! ```

use std::collections::BTreeSet;
use std::rc::Rc;

use oarlock_block::Instant;
use oarlock_format::{BucketNumber, GroupNumber, LayerId, Superblock};

use crate::check::CheckError;
use crate::check::report::{Finding, Repaired};
use crate::check::survey::{Surveyed, WrongBits, members, survey};
use crate::check::suspicion::{Remedy, Suspicion};
use crate::directory::sweep;
use crate::disk::here::DisksHere;
use crate::disk::{enter, name_anew};
use crate::event::EventSink;
use crate::host::Host;
use crate::store::Store;

use super::by_one_that_joins;

/// What became of one remedy.
type Outcome = Result<Repaired, String>;

/// Who repairs.
#[derive(Clone, Copy)]
enum By<'a> {
    /// A host that may have disks of its own at work.
    Given(&'a Host),
    /// A host that joined for this.
    Joined(&'a Host),
}

/// One repair of what a survey found.
pub(crate) struct Mending<'a> {
    pub(crate) store: &'a Store,
    pub(crate) superblock: &'a Superblock,
    pub(crate) suspicions: &'a [Suspicion],
    pub(crate) tell: &'a dyn Fn(u64, u64),
}

impl Mending<'_> {
    /// Repairs what can be repaired, by `host` or by one that joins for it; what became of each suspicion, and the name of the host.
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
            self.repair_by(By::Given(host), findings).await?;
            return Ok(Some(host.status().name.as_str().to_owned()));
        }
        let by_a_host = async |host: &Host| self.repair_by(By::Joined(host), findings).await;
        match by_one_that_joins(self.store, events, by_a_host).await {
            Ok((name, result)) => result.map(|()| Some(name)),
            Err(error) => {
                let reason = format!("no host could be joined to do it: {error}");
                self.settle_all(findings, |_| Some(Err(reason.clone())));
                Ok(None)
            }
        }
    }

    async fn repair_by(&self, by: By<'_>, findings: &mut [Finding]) -> Result<(), CheckError> {
        let (By::Given(host) | By::Joined(host)) = by;
        let Some(here) = host.disks.clone() else { return Ok(()) };
        for bucket in self.of(|remedy| if let Remedy::Sweep(bucket) = remedy { Some(bucket) } else { None }) {
            let outcome = self.sweep(&here, bucket).await;
            self.settle_all(findings, |remedy| (remedy == Remedy::Sweep(bucket)).then(|| outcome.clone()));
        }
        for id in self.of(|remedy| if let Remedy::Enter(id) = remedy { Some(id) } else { None }) {
            let outcome = self.enter(&here, id).await;
            self.settle_all(findings, |remedy| (remedy == Remedy::Enter(id)).then(|| outcome.clone()));
        }
        for id in self.of(|remedy| if let Remedy::Rename(id) = remedy { Some(id) } else { None }) {
            let outcome = self.rename(&here, id).await;
            self.settle_all(findings, |remedy| (remedy == Remedy::Rename(id)).then(|| outcome.clone()));
        }
        let is_to_tend = self.suspicions.iter().any(|suspicion| suspicion.remedy == Remedy::Tend);
        let tended =
            if is_to_tend { host.tend_layers().await.map_err(|error| error.to_string()) } else { Ok(()) };
        self.bits(by, &here, findings).await?;
        if is_to_tend {
            let left = self.survey(by, &here).await?;
            self.settle_tended(findings, &left, tended);
        }
        Ok(())
    }

    async fn sweep(&self, here: &DisksHere, bucket: BucketNumber) -> Outcome {
        match sweep(&here.core, bucket).await {
            Ok(true) => Ok(Repaired::Restored { how: "what was nobody's was taken out".to_owned() }),
            Ok(false) => Err("others change the bucket all the time: check again".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn enter(&self, here: &Rc<DisksHere>, id: LayerId) -> Outcome {
        match enter(&here.core, id, self.patience()).await {
            Ok(true) => Ok(Repaired::Restored { how: "its entry was put back".to_owned() }),
            Ok(false) => Err("its bucket is full, or another has the name".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn rename(&self, here: &Rc<DisksHere>, id: LayerId) -> Outcome {
        match name_anew(&here.core, id, self.patience()).await {
            Ok(Some(name)) => {
                let how = format!("it is called `{name}` now: `oarlock disk rename` gives it another name");
                Ok(Repaired::Restored { how })
            }
            Ok(None) => Err("something else was begun with it meanwhile: check again".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// The bits are judged anew: what was repaired before has changed some.
    async fn bits(&self, by: By<'_>, here: &DisksHere, findings: &mut [Finding]) -> Result<(), CheckError> {
        let groups = self.of(|remedy| if let Remedy::Bits(group) = remedy { Some(group) } else { None });
        if groups.is_empty() {
            return Ok(());
        }
        if let By::Joined(_) = by
            && let Err(error) = here.source.give_all_up().await
        {
            self.settle_all(findings, |remedy| {
                matches!(remedy, Remedy::Bits(_)).then(|| Err(error.to_string()))
            });
            return Ok(());
        }
        let fresh = self.survey(by, here).await?;
        let stand: BTreeSet<GroupNumber> = of(&fresh.suspicions, |remedy| match remedy {
            Remedy::Bits(group) => Some(group),
            _ => None,
        });
        for group in groups {
            let outcome = match fresh.wrong.get(&group).filter(|_| stand.contains(&group)) {
                Some(wrong) => self.bits_of(here, group, wrong).await,
                None if fresh.not_judged.is_empty() => Ok(Repaired::ByAnother),
                None => Err(format!("it cannot be judged now: {}", fresh.not_judged.join("; "))),
            };
            self.settle_all(findings, |remedy| (remedy == Remedy::Bits(group)).then(|| outcome.clone()));
        }
        Ok(())
    }

    async fn bits_of(&self, here: &DisksHere, group: GroupNumber, wrong: &WrongBits) -> Outcome {
        let cleared: Vec<_> = members(&wrong.leaked).map(|index| (index, false)).collect();
        let set: Vec<_> = members(&wrong.missing).map(|index| (index, true)).collect();
        let how = match (cleared.len(), set.len()) {
            (cleared, 0) => format!("{cleared} clusters are free again"),
            (0, set) => format!("{set} clusters are marked as taken"),
            (cleared, set) => format!("{cleared} clusters are free again, and {set} are marked as taken"),
        };
        match here.source.put_right(group, wrong.epoch, &[cleared, set].concat()).await {
            Ok(true) => Ok(Repaired::Restored { how }),
            Ok(false) => Err("another host had the group meanwhile: check again".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What was left half done is repaired where it is not to be seen any more.
    fn settle_tended(&self, findings: &mut [Finding], left: &Surveyed, tended: Result<(), String>) {
        for (finding, suspicion) in findings.iter_mut().zip(self.suspicions) {
            if suspicion.remedy != Remedy::Tend {
                continue;
            }
            if left.suspicions.iter().any(|other| other.is_same(suspicion)) {
                let reason = "something stands in the way of it: check again".to_owned();
                finding.refused = Some(tended.clone().err().unwrap_or(reason));
            } else {
                let how = "it was brought to its end".to_owned();
                finding.repaired = Some(Repaired::Restored { how });
            }
        }
    }

    /// What a host has in hand no record tells: only one that joined for this, and owes nothing, knows of itself that it has nothing.
    async fn survey(&self, by: By<'_>, here: &DisksHere) -> Result<Surveyed, CheckError> {
        let own = match by {
            By::Joined(host) if here.source.waiting_to_be_cleared() == 0 => Some(host.status().owner),
            By::Joined(_) | By::Given(_) => None,
        };
        survey(self.store, self.superblock, own, self.tell).await
    }

    /// How long a lock is waited for: as long as a dead host's takes at most.
    fn patience(&self) -> Instant {
        let timing = self.store.timing;
        self.store.now().plus((timing.watch + timing.lease) * 2)
    }

    fn of<T: Ord>(&self, choose: impl Fn(Remedy) -> Option<T>) -> BTreeSet<T> {
        of(self.suspicions, choose)
    }

    fn settle_all(&self, findings: &mut [Finding], outcome: impl Fn(Remedy) -> Option<Outcome>) {
        for (finding, suspicion) in findings.iter_mut().zip(self.suspicions) {
            match outcome(suspicion.remedy) {
                Some(Ok(repaired)) => finding.repaired = Some(repaired),
                Some(Err(reason)) if suspicion.remedy != Remedy::Nothing => finding.refused = Some(reason),
                _ => {}
            }
        }
    }
}

fn of<T: Ord>(suspicions: &[Suspicion], choose: impl Fn(Remedy) -> Option<T>) -> BTreeSet<T> {
    suspicions.iter().filter_map(|suspicion| choose(suspicion.remedy)).collect()
}
