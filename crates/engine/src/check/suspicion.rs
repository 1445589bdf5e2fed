//! A suspicion: what one look at the datastore shows to be wrong. It becomes a finding if further looks show it too.

use oarlock_block::Lba;
use oarlock_format::{BucketNumber, DescriptorNumber, GroupNumber, Kind, LayerId, LockPosition, SlotIndex};

use crate::check::code::Code;
use crate::check::report::{Finding, Spot};

/// What would put it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Nothing that a program may do.
    Nothing,
    /// Write the superblock again, where it is not the truth.
    Superblock,
    /// Free the slot, once it is proved that nobody lives there.
    Slot(SlotIndex),
    /// Empty the mailbox, and let it say that it overflowed.
    Mailbox(SlotIndex),
    /// Make the lock unknown, and ask who holds it.
    Lock(LockPosition),
    /// Take the name away from one position and leave it at the other.
    Duplicate {
        /// Where it goes.
        drop: LockPosition,
        /// Where it stays.
        keep: LockPosition,
    },
    /// Set a bit in the mask of a home.
    List {
        /// The home.
        home: LockPosition,
        /// The bit.
        bit: u16,
    },
    /// Ask the holders of an unknown lock again.
    Ask(LockPosition),
    /// Write the bucket anew, from what descriptors say.
    Bucket(BucketNumber),
    /// Write the descriptor anew, as its own bytes prove it, or free where it was nobody's.
    Descriptor(DescriptorNumber),
    /// Write the name beside a descriptor anew, as far as its bytes and the descriptor prove it.
    NameRecord(DescriptorNumber),
    /// Write the header of the journal of a slot in which nobody lives.
    Header(SlotIndex),
    /// Write the record of a group that nobody can hold.
    Group(GroupNumber),
    /// Give the group a bitmap in which all is taken; what is nobody's of it comes free behind that.
    Bitmap(GroupNumber),
    /// Give a disk or snapshot that lost its name another one.
    Rename(LayerId),
    /// Let a host bring to its end what was begun with layers, and take down those that nobody needs.
    Tend,
    /// Take the entries out of a bucket that are nobody's.
    Sweep(BucketNumber),
    /// Put the entry of a layer's name into the directory.
    Enter(LayerId),
    /// Put the bits of a group right.
    Bits(GroupNumber),
}

/// What one look shows to be wrong.
#[derive(Clone, Debug)]
pub(crate) struct Suspicion {
    pub(crate) code: Code,
    pub(crate) place: Spot,
    /// What tells this from another suspicion of the same code in the same place: a name, a slot.
    pub(crate) subject: String,
    pub(crate) message: String,
    /// The records that are read again before it counts.
    pub(crate) involved: Vec<Lba>,
    pub(crate) remedy: Remedy,
}

impl Suspicion {
    /// A suspicion about one record that nothing is done about.
    pub(crate) fn new(code: Code, place: Spot, message: String) -> Suspicion {
        let involved = vec![place.lba];
        Suspicion { code, place, subject: String::new(), message, involved, remedy: Remedy::Nothing }
    }

    pub(crate) fn cured_by(self, remedy: Remedy) -> Suspicion {
        Suspicion { remedy, ..self }
    }

    pub(crate) fn about(self, subject: impl Into<String>) -> Suspicion {
        Suspicion { subject: subject.into(), ..self }
    }

    pub(crate) fn seen_with(mut self, others: impl IntoIterator<Item = Lba>) -> Suspicion {
        self.involved.extend(others);
        self
    }

    /// Whether another look shows the same.
    pub(crate) fn is_same(&self, other: &Suspicion) -> bool {
        self.code == other.code && self.place == other.place && self.subject == other.subject
    }

    pub(crate) fn finding(&self) -> Finding {
        Finding {
            code: self.code,
            place: self.place.clone(),
            message: self.message.clone(),
            repaired: None,
            refused: None,
        }
    }
}

/// The place of a slot.
pub(crate) fn slot_spot(lba: Lba, slot: SlotIndex) -> Spot {
    Spot { lba, record: Kind::Slot, name: format!("slot {slot}") }
}

/// The place of a mailbox.
pub(crate) fn mailbox_spot(lba: Lba, slot: SlotIndex) -> Spot {
    Spot { lba, record: Kind::Mailbox, name: format!("mailbox of slot {slot}") }
}

/// The place of a lock.
pub(crate) fn lock_spot(lba: Lba, position: LockPosition) -> Spot {
    Spot { lba, record: Kind::Lock, name: format!("lock position {position}") }
}
