//! Freeing a slot that cannot be believed, and emptying a mailbox.

use oarlock_block::{Fencing, SlotIndex};
use oarlock_format::{DecodeError, Image, Incarnation, MailboxRecord, SlotRecord, decode};

use crate::check::CheckError;
use crate::check::exact::{Exchange, exchange, read_image};
use crate::check::mend::mend;
use crate::check::repair::{Case, Outcome};
use crate::check::report::Repaired;
use crate::check::restore;
use crate::check::right::Right;
use crate::check::slots::contradiction;

const UNREAD: &str = "the block could not be read, and is swapped only from what was read";
const CHANGED: &str = "it changed while it was being repaired: check again";

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
        let outcome = self.free(right, slot).await;
        store.world.cut_off.exit(slot).await;
        outcome
    }

    async fn free(&self, right: Right<'_>, slot: SlotIndex) -> Result<Outcome, CheckError> {
        let lba = self.store.layout.slot(slot);
        let Some(bad) = read_image(self.store, lba).await? else { return Ok(Err(UNREAD.to_owned())) };
        let seen = self.evidence.lives.get(&slot).map_or(Incarnation(0), |trace| trace.incarnation);
        let proved = match decode::<SlotRecord>(bad.bytes(), &self.store.place(lba)) {
            Ok(sound) if contradiction(&sound.record).is_none() && sound.record.incarnation >= seen => {
                return Ok(Ok(Repaired::ByAnother));
            }
            Ok(sound) => Some(sound.record),
            Err(error) if error.is_newer() => return Ok(Err(error.to_string())),
            Err(_) => mend::<SlotRecord>(bad.bytes(), &self.store.place(lba)).map(|mended| mended.record),
        };
        let record = restore::slot(proved.as_ref(), seen, self.store.world.clock.wall().milliseconds);
        let how = format!("nobody lives there: it is free again, after incarnation {}", record.incarnation);
        let generation = match self.generation(&bad) {
            Ok(generation) => generation,
            Err(reason) => return Ok(Err(reason)),
        };
        let exchanged = exchange(self.store, right, lba, &bad, generation, &record).await?;
        Ok(outcome_of(exchanged, how))
    }

    pub(super) async fn mailbox(&self, right: Right<'_>, slot: SlotIndex) -> Result<Outcome, CheckError> {
        let lba = self.store.layout.mailbox(slot);
        let Some(bad) = read_image(self.store, lba).await? else { return Ok(Err(UNREAD.to_owned())) };
        match decode::<MailboxRecord>(bad.bytes(), &self.store.place(lba)) {
            Ok(_) => Ok(Ok(Repaired::ByAnother)),
            Err(error) if error.is_newer() => Ok(Err(error.to_string())),
            Err(error) => self.empty(right, lba, &bad, &error).await,
        }
    }

    async fn empty(
        &self,
        right: Right<'_>,
        lba: oarlock_block::Lba,
        bad: &Image,
        error: &DecodeError,
    ) -> Result<Outcome, CheckError> {
        let generation = match self.generation(bad) {
            Ok(generation) => generation,
            Err(reason) => return Ok(Err(reason)),
        };
        let how = format!("emptied, and marked as overflown: its host looks at all locks ({error})");
        Ok(outcome_of(exchange(self.store, right, lba, bad, generation, &restore::mailbox()).await?, how))
    }
}

fn outcome_of(exchange: Exchange, how: String) -> Outcome {
    match exchange {
        Exchange::Done => Ok(Repaired::Restored { how }),
        Exchange::Changed => Err(CHANGED.to_owned()),
        Exchange::Refused(reason) => Err(reason),
    }
}
