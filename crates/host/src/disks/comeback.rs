//! What the last life of a host exported, exported again: each disk on its own, as soon as that can be.

use std::time::{Duration, Instant};

use oarlock_causes::Action;
use oarlock_engine::DiskError;
use oarlock_format::DiskTarget;

use super::exports::{Claim, Disk, EXPORTS_MAX, Exports, Standing};
use super::list::Wanted;
use crate::error::HostError;

/// An export of the last life whose disk another host works on, or reads, is awaited for so long: then the disk is that host's.
const AWAIT_OTHERS: Duration = Duration::from_secs(60);

/// An export that cannot be brought back is tried again so soon.
const RETRY: Duration = Duration::from_secs(2);

impl Exports {
    /// Begins to bring back what the last life exported, in the background.
    pub(crate) fn bring_back(&self) {
        let wanted = self.inner.list.read().unwrap_or_else(|error| {
            self.inner.engine.note(Action::Lost, format!("what was exported before is not known: {error}"));
            Vec::new()
        });
        for wanted in wanted.into_iter().take(EXPORTS_MAX) {
            let awaited = Disk { wanted: Some(wanted.clone()), standing: Standing::Awaited };
            self.state().disks.insert(wanted.name.clone(), awaited);
            tokio::spawn(self.clone().bring_one_back(wanted));
        }
    }

    /// Brings an export of the last life back, as soon as that can be.
    async fn bring_one_back(self, wanted: Wanted) {
        let began = Instant::now();
        let mut is_told = false;
        while self.turn(&wanted.name, Claim::Awaiting, Some(Standing::Returning)) {
            let Ok(target) = DiskTarget::new(&wanted.name) else {
                return self.forget(&wanted.name, "it is no name of a disk").await;
            };
            let error = match self.bring_up(&target, wanted.clone(), (Claim::Returning, false)).await {
                Ok(_) => return,
                Err(HostError::Ended(_) | HostError::EngineGone) => return,
                Err(error) => error,
            };
            let is_others = matches!(&error, HostError::Disk(DiskError::InUse { .. }));
            let is_gone = matches!(
                &error,
                HostError::Disk(
                    DiskError::Unknown { .. } | DiskError::UnknownSnapshot { .. } | DiskError::MovedOn { .. }
                )
            );
            if is_gone || (is_others && began.elapsed() >= AWAIT_OTHERS) {
                return self.forget(&wanted.name, &error.to_string()).await;
            }
            if !is_told {
                let detail = format!(
                    "{} was exported before, and is not yet: {error}; it is tried again",
                    wanted.name
                );
                self.inner.engine.note(Action::Retried, detail);
                is_told = true;
            }
            self.turn(&wanted.name, Claim::Returning, Some(Standing::Awaited));
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Moves a disk from one standing to another, or out; whether it stood there still.
    fn turn(&self, name: &str, from: Claim, to: Option<Standing>) -> bool {
        let mut state = self.state();
        let is_over = state.is_over;
        let disk = state.disks.get_mut(name).filter(|disk| !is_over && from.is_on(&disk.standing));
        let Some(disk) = disk else { return false };
        match to {
            Some(standing) => disk.standing = standing,
            None => drop(state.disks.remove(name)),
        }
        true
    }

    async fn forget(&self, name: &str, reason: &str) {
        if self.turn(name, Claim::Returning, None) {
            let detail = format!("{name} was exported before, and is not any more: {reason}");
            self.inner.engine.note(Action::Lost, detail);
            // Where it is not written the next life finds the same.
            let _ = self.keep_list().await;
        }
    }
}
