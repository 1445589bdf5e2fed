//! Writing the superblock again where it is not the truth (R38).
//!
//! The first copy goes first: if the repair ends in between, the shadow is behind, and the next repair goes on from there.

use oarlock_block::{Fencing, Lba};
use oarlock_format::{Generation, NoSuperblock, OtherCopy, Stamped, Superblock, Truth};

use crate::check::CheckError;
use crate::check::exact::{Exchange, exchange};
use crate::check::repair::{Case, Outcome};
use crate::check::report::Repaired;
use crate::check::right::Right;
use crate::check::scan::Look;
use crate::check::superblocks::{new_owner, read_copies};

const SHADOW_AGAIN: &str = "the shadow was written again";
const BOTH_AGAIN: &str = "both copies were written again, in one generation above all";

impl Case<'_> {
    pub(super) async fn superblock(&mut self, right: Right<'_>) -> Result<Outcome, CheckError> {
        match &self.copies.chosen {
            Ok(chosen) if chosen.truth == Truth::First && !self.copies.differ() => {
                let Stamped { stamp, record } = &chosen.superblock;
                // The shadow takes the first copy's own generation: above it, it would count as newer than the truth.
                self.copy(right, record.layout.shadow.start, stamp.generation, record, SHADOW_AGAIN).await
            }
            Ok(chosen) => self.both(right, &chosen.superblock.record.clone()).await,
            Err(NoSuperblock::Overwritten { shadow, .. }) => {
                let record = shadow.record.clone();
                match self.owned_by_another(&record).await? {
                    Some(reason) => Ok(Err(reason)),
                    None => self.both(right, &record).await,
                }
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// What speaks against restoring an overwritten superblock.
    async fn owned_by_another(&self, superblock: &Superblock) -> Result<Option<String>, CheckError> {
        if self.store.world.device.fencing() != Fencing::FileLock {
            return Ok(Some("only on a file can a repair write before a host has joined".to_owned()));
        }
        if let Some(spoiled) =
            self.snapshot.slots.iter().position(|look| matches!(look, Look::Unsound { .. }))
        {
            return Ok(Some(format!(
                "slot {spoiled} was overwritten too: the device may be somebody else's by now"
            )));
        }
        let reason = new_owner(&self.store.world, &self.copies.first, superblock.layout.slots.start).await?;
        Ok(reason.map(|reason| format!("{reason}: the device may be somebody else's by now")))
    }

    /// Both copies in a new generation: the truth that stands in for the other, and the other.
    async fn both(&mut self, right: Right<'_>, record: &Superblock) -> Result<Outcome, CheckError> {
        let Some(generation) = self.evidence.repaired(Generation(0)) else {
            return Ok(Err("the datastore's generations are used up".to_owned()));
        };
        let first = self.copy(right, Lba(0), generation, record, BOTH_AGAIN).await?;
        if first.is_err() {
            return Ok(first);
        }
        self.copy(right, record.layout.shadow.start, generation, record, BOTH_AGAIN).await
    }

    async fn copy(
        &self,
        right: Right<'_>,
        lba: Lba,
        generation: Generation,
        record: &Superblock,
        words: &str,
    ) -> Result<Outcome, CheckError> {
        let Some(image) = self.copies.image_at(lba) else {
            return Ok(Err(format!("block {lba} could not be read, and is swapped only from what was read")));
        };
        Ok(match exchange(self.store, right, lba, image, generation, record).await? {
            Exchange::Done => Ok(Repaired::Restored { how: words.to_owned() }),
            Exchange::Changed => self.look_again().await?,
            Exchange::Refused(reason) => Err(reason),
        })
    }

    /// Somebody else wrote a copy: is all well now?
    async fn look_again(&self) -> Result<Outcome, CheckError> {
        let now = read_copies(&self.store.world).await?;
        let well = now.chosen.is_ok_and(|chosen| chosen.other == OtherCopy::Same);
        Ok(if well {
            Ok(Repaired::ByAnother)
        } else {
            Err("another writes the superblock at this moment: check again".to_owned())
        })
    }
}
