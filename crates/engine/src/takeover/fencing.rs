//! Fencing a host and cutting it off: its death is written down, then proved to be all of it (R6, R13, R43).

use oarlock_block::{Proof, Refusal};
use oarlock_causes::{Action, EventKind};
use oarlock_format::{FenceReason, Generation, SlotRecord, SlotState};

use super::{Pursuit, distrust, look_of};
use crate::cell::{Purpose, Swap};
use crate::planted::{PlantedBug, planted};
use crate::step::{Evidence, grace_after_cut_off, victim};
use crate::store::Lane;

/// Fences that the device was too busy for, in a row, before the victim's process is ended first.
const BUSY_FENCES: u32 = 4;

impl Pursuit<'_> {
    pub(super) async fn fence(&mut self, reason: FenceReason, evidence: Evidence) {
        let from: Generation = self.cell.generation();
        let by = self.core.me;
        let record = SlotRecord { state: SlotState::Fenced { by, reason, from }, ..self.cell.record.clone() };
        let swap = self.cell.swap(&self.core.store, self.core.sender(Purpose::Race), record).await;
        match swap {
            Swap::Swapped { .. } | Swap::Adopted { .. } => {
                self.report(EventKind::Fence, Action::Stopped, format!("fenced: {}", words(reason)));
                self.make_durable().await;
            }
            // A process that was stopped in the middle of an ATS keeps its block locked for ever, its own slot's too.
            // It was silent for a whole watch; its end frees the block, and the fence follows.
            // Busy may also mean a beat that is just coming back: only a block that stays locked is a reason.
            Swap::Refused(Refusal::Busy) if evidence.watched || evidence.evicted => {
                let image = self.cell.version();
                let before = if self.busy.0 == image { self.busy.1 } else { 0 };
                self.busy = (image, before + 1);
                if self.busy.1 >= BUSY_FENCES && self.still_stands().await {
                    self.end_of_process().await;
                }
            }
            other => self.not_done(&other).await,
        }
    }

    /// Whether the slot, read once more, holds the image that is known: who moved meanwhile lives, and is left alone.
    pub(super) async fn still_stands(&mut self) -> bool {
        let image = self.cell.version();
        match self.cell.refresh(&self.core.store, Lane::Work).await {
            Ok(seen) => {
                self.watch.look(look_of(self.core, &seen));
                self.cell.version() == image
            }
            Err(fault) => {
                self.watch.broken();
                distrust(self.core, &fault);
                false
            }
        }
    }

    /// Ends the process that the slot names, before its state says so: only where it stood still for a whole watch.
    pub(super) async fn end_of_process(&mut self) {
        if !self.core.may_act() {
            return;
        }
        let victim = victim(self.suspect.slot, &self.cell.record);
        if let Err(reason) = self.core.store.world.cut_off.cut_off(victim).await {
            self.refuse(reason.to_string()).await;
        }
    }

    pub(super) async fn cut_off(&mut self) {
        let victim = victim(self.suspect.slot, &self.cell.record);
        let proved = if planted(PlantedBug::SkipCutOff) {
            Ok(Proof::FileLock)
        } else {
            self.core.store.world.cut_off.cut_off(victim).await
        };
        match proved {
            Ok(proof) => {
                let SlotState::Fenced { reason, from, .. } = self.cell.record.state else { return };
                let store = &self.core.store;
                store.world.pause(grace_after_cut_off(reason, store.timing.lease)).await;
                let state = SlotState::CutOff { by: self.core.me, reason, from, proof: proof.into() };
                self.swap_record(SlotRecord { state, ..self.cell.record.clone() }).await;
            }
            Err(reason) => self.refuse(reason.to_string()).await,
        }
    }
}

fn words(reason: FenceReason) -> &'static str {
    match reason {
        FenceReason::Watched => "its slot stood still for a whole watch",
        FenceReason::DeathProved => "its death was proved",
        FenceReason::Evicted => "a person asked for it, and it stood still for a whole watch",
        FenceReason::EvictedCertain => "a person knows it to be dead",
        FenceReason::FormerLife => "it was this host's own former life",
        FenceReason::Rollback => "it had seen a newer state of the device",
    }
}
