//! Which commands of this process hold which bytes: the table that stands before the locks of one description.
//!
//! Pure: it knows neither the kernel nor a thread. A command asks; it is granted, or waits in the order of asking.

use crate::range_lock::ByteRange;

/// What names a command of a lane: its number never repeats while the device is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CommandId(pub(crate) u64);

/// Who may hold a range beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockKind {
    /// Other readers of this process. The kernel has no lock for them.
    Shared,
    /// Nobody, in this process and all others.
    Exclusive,
}

#[derive(Clone, Copy, Debug)]
struct Entry<Owner> {
    id: CommandId,
    owner: Owner,
    range: ByteRange,
    kind: LockKind,
}

impl<Owner> Entry<Owner> {
    fn conflicts(&self, range: ByteRange, kind: LockKind) -> bool {
        self.range.overlaps(range) && (self.kind == LockKind::Exclusive || kind == LockKind::Exclusive)
    }
}

/// The ranges in use, and those waited for. Both are as short as the lanes are deep, so both are plain lists.
pub(crate) struct RangeTable<Owner> {
    held: Vec<Entry<Owner>>,
    waiting: Vec<Entry<Owner>>,
}

/// What a command that leaves brings about.
pub(crate) struct Left<Owner> {
    /// What the command held alone: to be unlocked in the kernel.
    pub(crate) unlock: Option<ByteRange>,
    /// Who has its range now.
    pub(crate) granted: Vec<(Owner, CommandId)>,
}

impl<Owner: Copy> RangeTable<Owner> {
    pub(crate) fn new() -> RangeTable<Owner> {
        RangeTable { held: Vec::new(), waiting: Vec::new() }
    }

    /// Asks for a range: `true` if it is granted now, else the command waits behind all that asked before.
    pub(crate) fn ask(&mut self, id: CommandId, owner: Owner, range: ByteRange, kind: LockKind) -> bool {
        let entry = Entry { id, owner, range, kind };
        let blocked = self.held.iter().chain(&self.waiting).any(|other| other.conflicts(range, kind));
        if blocked {
            self.waiting.push(entry)
        } else {
            self.held.push(entry)
        }
        !blocked
    }

    /// Takes a command out, whether it held or waited, and grants what that makes possible.
    pub(crate) fn leave(&mut self, id: CommandId) -> Left<Owner> {
        let place = self.held.iter().position(|entry| entry.id == id);
        let gone = place.map(|place| self.held.swap_remove(place));
        if gone.is_none() {
            self.waiting.retain(|entry| entry.id != id);
        }
        // Nobody else holds a byte of what was held alone.
        let unlock = gone.filter(|gone| gone.kind == LockKind::Exclusive).map(|gone| gone.range);
        Left { unlock, granted: self.grant() }
    }

    fn grant(&mut self) -> Vec<(Owner, CommandId)> {
        let mut granted = Vec::new();
        let mut place = 0;
        while place < self.waiting.len() {
            let candidate = self.waiting[place];
            let before = self.held.iter().chain(&self.waiting[..place]);
            if before.into_iter().any(|other| other.conflicts(candidate.range, candidate.kind)) {
                place += 1;
            } else {
                self.held.push(self.waiting.remove(place));
                granted.push((candidate.owner, candidate.id));
            }
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use LockKind::{Exclusive, Shared};

    fn range(start: u64, length: u64) -> ByteRange {
        ByteRange { start, length }
    }

    fn granted(left: &Left<()>) -> Vec<u64> {
        left.granted.iter().map(|(_, id)| id.0).collect()
    }

    #[test]
    fn disjoint_ranges_do_not_wait_for_each_other() {
        let mut table = RangeTable::new();
        assert!(table.ask(CommandId(1), (), range(0, 512), Exclusive));
        assert!(table.ask(CommandId(2), (), range(512, 512), Exclusive));
        assert!(!table.ask(CommandId(3), (), range(256, 512), Exclusive));
    }

    #[test]
    fn who_asked_first_is_granted_first_and_nobody_overtakes() {
        let mut table = RangeTable::new();
        assert!(table.ask(CommandId(1), (), range(0, 512), Shared));
        assert!(!table.ask(CommandId(2), (), range(0, 512), Exclusive));
        assert!(!table.ask(CommandId(3), (), range(0, 512), Shared), "a reader does not starve a writer");
        assert_eq!(granted(&table.leave(CommandId(1))), [2]);
        assert_eq!(granted(&table.leave(CommandId(2))), [3]);
    }

    #[test]
    fn who_gives_up_waiting_lets_those_behind_pass() {
        let mut table = RangeTable::new();
        assert!(table.ask(CommandId(1), (), range(0, 512), Shared));
        assert!(!table.ask(CommandId(2), (), range(0, 512), Exclusive));
        assert!(!table.ask(CommandId(3), (), range(0, 512), Shared));
        let left = table.leave(CommandId(2));
        assert_eq!(granted(&left), [3]);
        assert_eq!(left.unlock, None, "who only waited had nothing locked");
    }

    #[test]
    fn what_was_held_alone_is_unlocked_and_what_was_only_read_was_never_locked() {
        let mut table = RangeTable::new();
        assert!(table.ask(CommandId(1), (), range(0, 4096), Shared));
        assert!(table.ask(CommandId(2), (), range(512, 512), Shared));
        assert!(table.ask(CommandId(3), (), range(8192, 512), Exclusive));
        assert_eq!(table.leave(CommandId(1)).unlock, None);
        assert_eq!(table.leave(CommandId(2)).unlock, None);
        assert_eq!(table.leave(CommandId(3)).unlock, Some(range(8192, 512)));
        assert_eq!(table.leave(CommandId(3)).unlock, None);
    }
}
