//! Steps of the directory (R36) at which a host is struck far more often than elsewhere: they are few among many commands, and
//! what two hosts can do to each other, they do there.
//!
//! ```text
//!   an entry goes, none comes      the last step of a rename: broken off here, the old name's entry stands on
//!   an entry takes another's place what was judged may be otherwise by the time it lands
//! ```

use oarlock_block::Lba;
use oarlock_format::{BucketRecord, FormatId, Place, decode};

use crate::command::{Body, Command};
use crate::{FaultKind, PerMillion};

/// What befalls a host at the submission of such a step, in the place of the plan's usual chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Of which datastore.
    pub format_id: FormatId,
    /// The directory: its first block, and the first beyond.
    pub directory: (Lba, Lba),
    /// The chance that the process crashes where an entry goes.
    pub crash_giving_up: PerMillion,
    /// The chance that it is stopped, with the command in hand, where an entry takes another's place.
    pub pause_displacing: PerMillion,
}

impl Steps {
    /// The chance of this kind of fault at the submission of the command, where it is such a step.
    pub(crate) fn chance(&self, kind: FaultKind, command: &Command) -> Option<PerMillion> {
        let (first, beyond) = self.directory;
        let Body::CompareAndWrite { expected, new } = &command.body else { return None };
        let lba = command.identity.lba;
        if !matches!(kind, FaultKind::Crash | FaultKind::Pause) || !(first..beyond).contains(&lba) {
            return None;
        }
        let place = Place { format_id: self.format_id, lba };
        let entries = |image| Some(decode::<BucketRecord>(image, &place).ok()?.record.entries);
        let (before, after) = (entries(expected)?, entries(new)?);
        let goes = before.iter().any(|entry| !after.contains(entry));
        let comes = after.iter().any(|entry| !before.contains(entry));
        match kind {
            FaultKind::Crash if goes && !comes => Some(self.crash_giving_up),
            FaultKind::Pause if goes && comes => Some(self.pause_displacing),
            _ => None,
        }
    }
}
