//! The one open file description of a device (R13), and what its lanes share.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, mpsc};

use oarlock_block::{Geometry, SlotIndex};

use crate::buffer::Pool;
use crate::file::Lane;
use crate::inbox::{Inbox, Message};
use crate::locked;
use crate::range_lock::{self, ByteRange};
use crate::range_table::{CommandId, LockKind, RangeTable};
use crate::slot_byte::SlotBytes;

/// Attempts to give back a kernel lock. Splitting a lock can want memory; failing that often, the lock stays until the
/// range is next used or the description closed, and other processes find that range busy meanwhile.
const UNLOCK_ATTEMPTS_MAX: usize = 8;

/// Everything about the description that its lanes and its cut-off share.
///
/// It carries every read, write, ATS and lock of the device: the locks go when the last reference in the kernel goes,
/// and each write in flight is one (R13). So it is never duplicated, and nothing else opens the file for writing.
pub(crate) struct Description {
    pub(crate) file: Arc<OwnedFd>,
    /// The byte of the file where the device begins: 0, or a partition's start.
    pub(crate) base: u64,
    pub(crate) geometry: Geometry,
    pub(crate) read_only: bool,
    /// Whether it is a plain file, which a write beyond its end would lengthen.
    pub(crate) regular: bool,
    pub(crate) pool: Arc<Pool>,
    pub(crate) slots: SlotBytes,
    inboxes: [Inbox; 2],
    table: Mutex<RangeTable<Lane>>,
    out: Mutex<Out>,
}

/// The commands that are out.
#[derive(Default)]
struct Out {
    next: u64,
    ids: BTreeSet<CommandId>,
    leaving: Vec<Leaving>,
}

/// A slot that is given back once every command before `until` has ended: until then one of them could still land.
struct Leaving {
    until: CommandId,
    slot: SlotIndex,
    left: mpsc::SyncSender<()>,
}

impl Description {
    pub(crate) fn new(
        file: OwnedFd,
        base: u64,
        geometry: Geometry,
        (read_only, regular): (bool, bool),
    ) -> std::io::Result<Description> {
        Ok(Description {
            file: Arc::new(file),
            base,
            geometry,
            read_only,
            regular,
            pool: Arc::default(),
            slots: SlotBytes::new(base),
            inboxes: [Inbox::new()?, Inbox::new()?],
            table: Mutex::new(RangeTable::new()),
            out: Mutex::default(),
        })
    }

    pub(crate) fn inbox(&self, lane: Lane) -> &Inbox {
        match lane {
            Lane::Beat => &self.inboxes[0],
            Lane::Work => &self.inboxes[1],
        }
    }

    /// The byte after the last that can be written: a plain file that was truncated under us must not be lengthened
    /// again. Where it cannot be asked, the command itself will tell.
    pub(crate) fn end(&self) -> u64 {
        if !self.regular {
            return u64::MAX;
        }
        rustix::fs::fstat(&self.file).map_or(u64::MAX, |status| u64::try_from(status.st_size).unwrap_or(0))
    }

    /// A number for a command that is about to be sent; [`ended`](Description::ended) takes it out again.
    pub(crate) fn begin(&self) -> CommandId {
        let mut out = locked(&self.out);
        let id = CommandId(out.next);
        out.next += 1;
        out.ids.insert(id);
        id
    }

    /// The command ended: nothing of it can land any more.
    pub(crate) fn ended(&self, id: CommandId) {
        let mut out = locked(&self.out);
        out.ids.remove(&id);
        let oldest = out.ids.first().copied();
        for leaving in
            out.leaving.extract_if(.., |leaving| oldest.is_none_or(|oldest| oldest >= leaving.until))
        {
            self.give_back(leaving.slot);
            let _ = leaving.left.try_send(());
        }
    }

    /// Gives a slot back when every command that is out now has ended. `None`: it is done; else the receiver is told
    /// when it is.
    pub(crate) fn leave_slot(&self, slot: SlotIndex) -> Option<mpsc::Receiver<()>> {
        let mut out = locked(&self.out);
        if out.ids.is_empty() {
            self.give_back(slot);
            return None;
        }
        let until = CommandId(out.next);
        let (left, told) = mpsc::sync_channel(1);
        out.leaving.push(Leaving { until, slot, left });
        Some(told)
    }

    fn give_back(&self, slot: SlotIndex) {
        self.unlock(self.slots.byte(slot));
        self.slots.forget(slot);
    }

    fn unlock(&self, range: ByteRange) {
        let _ = (0..UNLOCK_ATTEMPTS_MAX).find(|_| range_lock::unlock(self.as_fd(), range).is_ok());
    }

    /// Asks for a range within this process; `false`: the lane is sent a message when its turn has come.
    pub(crate) fn ask_range(&self, id: CommandId, lane: Lane, range: ByteRange, kind: LockKind) -> bool {
        locked(&self.table).ask(id, lane, range, kind)
    }

    /// Tries the kernel's lock on a range that was granted.
    pub(crate) fn try_lock(&self, range: ByteRange) -> std::io::Result<bool> {
        range_lock::try_lock(self.as_fd(), range)
    }

    /// Gives back a command's range and kernel lock, and tells those whose turn has come.
    pub(crate) fn leave_range(&self, id: CommandId) {
        let granted = {
            let mut table = locked(&self.table);
            let left = table.leave(id);
            // Under the table's lock: nobody can be granted the range, lock it, and lose it by this unlock.
            if let Some(range) = left.unlock {
                self.unlock(range);
            }
            left.granted
        };
        for (lane, id) in granted {
            self.inbox(lane).send(Message::Granted(id));
        }
    }
}

impl AsFd for Description {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oarlock_block::{BlockCount, BlockSize, ByteCount};
    use rustix::fs::{MemfdFlags, memfd_create};

    fn description() -> Description {
        let file = memfd_create(c"oarlock", MemfdFlags::CLOEXEC).unwrap();
        let geometry =
            Geometry { block_size: BlockSize::B512, physical_block: ByteCount(512), blocks: BlockCount(8) };
        Description::new(file, 0, geometry, (false, true)).unwrap()
    }

    #[test]
    fn a_slot_is_given_back_only_after_the_commands_that_were_out() {
        let description = description();
        let slot = SlotIndex(1);
        assert!(description.slots.reserve(slot));
        description.slots.locked(slot);
        let (first, second) = (description.begin(), description.begin());
        assert!(description.slots.begin_leaving(slot));
        let left = description.leave_slot(slot).unwrap();
        let later = description.begin();
        description.ended(second);
        assert!(description.slots.is_entered(slot) && left.try_recv().is_err());
        description.ended(first);
        assert!(left.try_recv().is_ok());
        assert!(!description.slots.is_entered(slot), "commands of a later life are not waited for");
        description.ended(later);
    }

    #[test]
    fn a_slot_is_given_back_at_once_where_nothing_is_out() {
        let description = description();
        let slot = SlotIndex(1);
        assert!(description.slots.reserve(slot));
        description.slots.locked(slot);
        let ended = description.begin();
        description.ended(ended);
        assert!(description.slots.begin_leaving(slot));
        assert!(description.leave_slot(slot).is_none());
        assert!(!description.slots.begin_leaving(slot), "it is given back once");
    }
}
