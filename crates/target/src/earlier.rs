//! What an earlier life of a unit left on it and beside it. It is read before the unit is served, and not on the array's thread: where its disk does not
//! answer, everybody else would wait with it.

use oarlock_device::Medium;

use crate::TargetError;
use crate::atomic::{self, Replayed};
use crate::execute::is_erased_at_the_front;
use crate::saved::{Saved, SavedFile};
use crate::unit::Sanitizing;

/// What an earlier life left.
pub(crate) struct Earlier {
    /// What outlives an array.
    pub(crate) saved: Saved,
    /// What its atomic writes left.
    pub(crate) replayed: Option<Replayed>,
    /// What a sanitize that was cut short had erased is erased still.
    pub(crate) is_erased_at_the_front: bool,
}

impl Earlier {
    /// Reads it, and brings an atomic write to its end that was cut short.
    ///
    /// # Errors
    /// Where nobody can say what was left.
    pub(crate) fn read(
        number: u16,
        (medium, serial): (&Medium, &str),
        journal: Option<Medium>,
    ) -> Result<Earlier, TargetError> {
        let saved = SavedFile::of(medium, serial)
            .load()
            .map_err(|reason| TargetError::Reservations { number, reason: reason.to_string() })?;
        let replayed = journal
            .map(|journal| atomic::replay(medium, serial, journal))
            .transpose()
            .map_err(|reason| TargetError::Journal { number, reason })?;
        let is_erased_at_the_front = match &saved.sanitizing {
            Sanitizing::Under { erasure, .. } if erasure.has_begun => is_erased_at_the_front(medium, erasure),
            Sanitizing::Under { .. } | Sanitizing::No | Sanitizing::Failed { .. } => true,
        };
        Ok(Earlier { saved, replayed, is_erased_at_the_front })
    }
}
