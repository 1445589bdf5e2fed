//! Steps at which a host is struck far more often than elsewhere: they are few among many commands, and what two hosts can do to each
//! other, they do there.
//!
//! ```text
//!   directory (R36)   an entry goes, none comes       the last step of a rename: broken off here, the old name's entry stands on
//!                     an entry takes another's place  what was judged may be otherwise by the time it lands
//!   handoff (R28)     a receiver stands in a record   its host or the owner's may die between any two of these
//!                     the owner changes               it may land when its sender has long given up waiting
//! ```

use oarlock_block::Lba;
use oarlock_format::{BucketRecord, DescriptorRecord, FormatId, Place, decode};

use crate::command::{Body, Command};
use crate::{FaultKind, PerMillion};

/// What befalls a host at the submission of such a step, in the place of the plan's usual chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Of which datastore.
    pub format_id: FormatId,
    /// The directory: its first block, and the first beyond. Empty where nothing of it is to be struck.
    pub directory: (Lba, Lba),
    /// The chance that the process crashes where an entry goes.
    pub crash_giving_up: PerMillion,
    /// The chance that it is stopped, with the command in hand, where an entry takes another's place.
    pub pause_displacing: PerMillion,
    /// The descriptors, in the same way.
    pub descriptors: (Lba, Lba),
    /// The chance that the process crashes at a step of a handoff.
    pub crash_handing_over: PerMillion,
    /// The chance that the command which hands a disk over is late.
    pub late_handing_over: PerMillion,
}

impl Steps {
    /// The chance of this kind of fault at the submission of the command, where it is such a step.
    pub(crate) fn chance(&self, kind: FaultKind, command: &Command) -> Option<PerMillion> {
        let Body::CompareAndWrite { expected, new } = &command.body else { return None };
        let lba = command.identity.lba;
        let within = |(first, beyond): (Lba, Lba)| (first..beyond).contains(&lba);
        if within(self.directory) {
            self.chance_in_directory(kind, lba, (expected, new))
        } else if within(self.descriptors) {
            self.chance_in_handoff(kind, lba, (expected, new))
        } else {
            None
        }
    }

    fn chance_in_directory(
        &self,
        kind: FaultKind,
        lba: Lba,
        (expected, new): (&[u8], &[u8]),
    ) -> Option<PerMillion> {
        if !matches!(kind, FaultKind::Crash | FaultKind::Pause) {
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

    fn chance_in_handoff(
        &self,
        kind: FaultKind,
        lba: Lba,
        (expected, new): (&[u8], &[u8]),
    ) -> Option<PerMillion> {
        if !matches!(kind, FaultKind::Crash | FaultKind::LateCommand) {
            return None;
        }
        let place = Place { format_id: self.format_id, lba };
        let lock = |image| Some(decode::<DescriptorRecord>(image, &place).ok()?.record.lock);
        let (before, after) = (lock(expected)?, lock(new)?);
        let is_given = before.next.is_some() && after.owner == before.next;
        match kind {
            FaultKind::Crash if before.next.or(after.next).is_some() => Some(self.crash_handing_over),
            FaultKind::LateCommand if is_given => Some(self.late_handing_over),
            _ => None,
        }
    }
}
