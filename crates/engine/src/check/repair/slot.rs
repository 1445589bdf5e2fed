//! Freeing a slot that cannot be believed, and emptying a mailbox.

use oarlock_block::{Fencing, SlotIndex};
use oarlock_format::{Incarnation, MailboxRecord, SlotRecord, decode};

use crate::check::CheckError;
use crate::check::exact::{Exchange, exchange, read_image};
use crate::check::mend::mend;
use crate::check::repair::{Case, Outcome, ROUNDS_MAX};
use crate::check::report::Repaired;
use crate::check::restore;
use crate::check::right::Right;
use crate::check::slots::{contradiction, no_such_fencer};
use crate::journal::replay::of_slot;

const UNREAD: &str = "the block could not be read, and is swapped only from what was read";

impl Case<'_> {
    /// Frees a slot, never more than that: and only while this process holds the right to live there, which proves that
    /// nobody does and that nothing of a former host can land any more (R13).
    pub(super) async fn slot(&mut self, right: Right<'_>, slot: SlotIndex) -> Result<Outcome, CheckError> {
        let store = self.store;
        if store.world.device.fencing() != Fencing::FileLock {
            let fencing = store.world.device.fencing().name();
            return Ok(Err(format!("nothing proves that no host lives there (fencing `{fencing}`)")));
        }
        if right.writer().owner().is_some_and(|owner| owner.slot == slot) {
            return Ok(Err("it is the repairing host's own".to_owned()));
        }
        if let Err(error) = store.world.cut_off.enter(slot).await {
            return Ok(Err(format!("a host may live there: {error}")));
        }
        if let Err(reason) = self.replay(slot).await {
            store.world.cut_off.exit(slot).await;
            return Ok(Err(reason));
        }
        let mut outcome = self.free(right, slot).await;
        for _ in 1..ROUNDS_MAX {
            if matches!(outcome, Ok(Some(_)) | Err(_)) {
                break;
            }
            outcome = self.free(right, slot).await;
        }
        store.world.cut_off.exit(slot).await;
        Ok(outcome?.unwrap_or_else(changed))
    }

    /// What the slot's journal holds comes home before the slot is free: whoever is there next writes over it, and who
    /// broke the locks of the life that is over would find pages as they were long ago (R11).
    async fn replay(&self, slot: SlotIndex) -> Result<(), String> {
        let Some(superblock) = self.copies.to_go_by() else {
            return Err("no superblock says where its journal stands".to_owned());
        };
        let replayed = of_slot(self.store, &superblock.record, slot).await;
        replayed.map(|_| ()).map_err(|error| format!("what its journal holds would be lost: {error}"))
    }

    /// One try; none where the block changed under it.
    async fn free(&self, right: Right<'_>, slot: SlotIndex) -> Result<Option<Outcome>, CheckError> {
        let lba = self.store.layout.slot(slot);
        let Some(bad) = read_image(self.store, lba).await? else { return Ok(Some(Err(UNREAD.to_owned()))) };
        let seen = self.evidence.lives.get(&slot).map_or(Incarnation(0), |trace| trace.incarnation);
        let proved = match decode::<SlotRecord>(bad.bytes(), &self.store.place(lba)) {
            Ok(sound) if self.is_well(&sound.record) && sound.record.incarnation >= seen => {
                return Ok(Some(Ok(Repaired::ByAnother)));
            }
            Ok(sound) => Some(sound.record),
            Err(error) if error.is_newer() => return Ok(Some(Err(error.to_string()))),
            Err(_) => mend::<SlotRecord>(bad.bytes(), &self.store.place(lba)).map(|mended| mended.record),
        };
        let generation = match self.generation(&bad) {
            Ok(generation) => generation,
            Err(reason) => return Ok(Some(Err(reason))),
        };
        let wall_ms = self.store.world.clock.wall().milliseconds;
        let record = restore::slot(proved.as_ref(), seen, generation, wall_ms);
        let how = format!("nobody lives there: it is free again, after incarnation {}", record.incarnation);
        let exchanged = exchange(self.store, right, lba, &bad, generation, &record).await?;
        Ok(outcome_of(exchanged, how))
    }

    fn is_well(&self, record: &SlotRecord) -> bool {
        contradiction(record).is_none() && no_such_fencer(record, self.store.layout.slot_count()).is_none()
    }

    pub(super) async fn mailbox(&self, right: Right<'_>, slot: SlotIndex) -> Result<Outcome, CheckError> {
        for _ in 0..ROUNDS_MAX {
            if let Some(outcome) = self.empty(right, slot).await? {
                return Ok(outcome);
            }
        }
        Ok(changed())
    }

    /// One try; none where the block changed under it.
    async fn empty(&self, right: Right<'_>, slot: SlotIndex) -> Result<Option<Outcome>, CheckError> {
        let lba = self.store.layout.mailbox(slot);
        let Some(bad) = read_image(self.store, lba).await? else { return Ok(Some(Err(UNREAD.to_owned()))) };
        match decode::<MailboxRecord>(bad.bytes(), &self.store.place(lba)) {
            Ok(_) => return Ok(Some(Ok(Repaired::ByAnother))),
            Err(error) if error.is_newer() => return Ok(Some(Err(error.to_string()))),
            Err(_) => {}
        }
        let generation = match self.generation(&bad) {
            Ok(generation) => generation,
            Err(reason) => return Ok(Some(Err(reason))),
        };
        let how = "emptied, and marked as overflown: its host looks at all locks".to_owned();
        let exchanged = exchange(self.store, right, lba, &bad, generation, &restore::mailbox()).await?;
        Ok(outcome_of(exchanged, how))
    }
}

fn outcome_of(exchange: Exchange, how: String) -> Option<Outcome> {
    match exchange {
        Exchange::Done => Some(Ok(Repaired::Restored { how })),
        Exchange::Changed => None,
        Exchange::Refused(reason) => Some(Err(reason)),
    }
}

fn changed() -> Outcome {
    Err("it changed again and again while it was being repaired: check again".to_owned())
}
