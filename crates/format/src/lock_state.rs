//! The lock within a record: who holds what the record guards, how, and since which change of owner.
//!
//! Every kind of record that can be locked carries it at the same bytes, 88 to 255, and one piece of code reads and
//! writes it, so that one piece of code can take, break and hand over whatever is locked.

use crate::error::DecodeError;
use crate::ids::Epoch;
use crate::layout::Layout;
use crate::record::Record;
use crate::slot_set::{SLOT_SET_LENGTH, SlotSet};
use crate::stamp::{Owner, OwnerFields};
use crate::table::{Draft, FieldSpec, View};

/// The modes, as each record's table names them.
pub(crate) const MODES: &[(u8, &str)] =
    &[(0, "free"), (1, "exclusive"), (2, "shared"), (3, "multi-writer"), (4, "unknown")];

/// The flags, as each record's table names them.
pub(crate) const FLAGS: &[&str] = &["interest", "sticky"];

const _: () = assert!(SLOT_SET_LENGTH == 128, "the holders' field has another length");

const INTEREST: u8 = 1;
const STICKY: u8 = 2;

/// How a lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockMode {
    /// By nobody.
    Free,
    /// By its owner alone.
    Exclusive,
    /// By each slot in the holders.
    Shared,
    /// By each slot in the holders, each of which writes (R34); only a disk's descriptor can be held so.
    MultiWriter,
    /// After a repair (R39): by whom, only the holders can say, each of whom has still to claim or disclaim it.
    Unknown,
}

impl LockMode {
    const fn code(self) -> u8 {
        match self {
            LockMode::Free => 0,
            LockMode::Exclusive => 1,
            LockMode::Shared => 2,
            LockMode::MultiWriter => 3,
            LockMode::Unknown => 4,
        }
    }

    const fn of_code(code: u8) -> Option<LockMode> {
        match code {
            0 => Some(LockMode::Free),
            1 => Some(LockMode::Exclusive),
            2 => Some(LockMode::Shared),
            3 => Some(LockMode::MultiWriter),
            4 => Some(LockMode::Unknown),
            5.. => None,
        }
    }

    /// The word in `locks`, in JSON and in the documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LockMode::Free => "free",
            LockMode::Exclusive => "exclusive",
            LockMode::Shared => "shared",
            LockMode::MultiWriter => "multi-writer",
            LockMode::Unknown => "unknown",
        }
    }
}

/// The lock within a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockState {
    /// How it is held.
    pub mode: LockMode,
    /// Who holds it exclusively.
    pub owner: Option<Owner>,
    /// Whom the owner shall hand it to (R28); only beside an owner, and only in a descriptor.
    pub next: Option<Owner>,
    /// Who holds it shared; or who has still to say whether it holds it.
    pub holders: SlotSet,
    /// Somebody waits for it.
    pub interest: bool,
    /// The owner keeps it beyond its use, until somebody is interested.
    pub sticky: bool,
    /// How often it changed its owner.
    pub epoch: Epoch,
    /// Milliseconds since 1970, as the taker believed: information.
    pub since_wall_ms: u64,
}

impl LockState {
    /// A lock that nobody has ever held.
    pub const NEVER_HELD: LockState = LockState {
        mode: LockMode::Free,
        owner: None,
        next: None,
        holders: SlotSet::EMPTY,
        interest: false,
        sticky: false,
        epoch: Epoch(0),
        since_wall_ms: 0,
    };
}

/// A record that carries a lock.
pub trait Locked: Record {
    /// The lock.
    fn lock(&self) -> &LockState;

    /// The lock, to be changed.
    fn lock_mut(&mut self) -> &mut LockState;
}

/// Where the lock stands in one kind of record, and which modes it can have there.
pub(crate) struct LockFields {
    pub(crate) mode: FieldSpec,
    pub(crate) flags: FieldSpec,
    pub(crate) owner: OwnerFields,
    /// None where nothing is handed over.
    pub(crate) next: Option<OwnerFields>,
    pub(crate) epoch: FieldSpec,
    pub(crate) since: FieldSpec,
    pub(crate) holders: FieldSpec,
    /// Whether several can hold it at once.
    pub(crate) shares: bool,
    /// Whether several can write at once.
    pub(crate) multi_writer: bool,
}

/// Declares the table of a record that carries a lock: the lock's own fields, what stands in its bytes 92 to 95, and what
/// follows it.
macro_rules! locked_field_table {
    (
        { $($id:ident: $offset:literal, $length:literal, $name:literal, $shape:expr;)+ }
        { $($rest:tt)+ }
    ) => {
        field_table! {
            crate::stamp::STAMP_LENGTH, crate::table::RECORD_LENGTH;
            MODE: 88, 1, "mode", Shape::Code(crate::lock_state::MODES);
            FLAGS: 89, 1, "flags", Shape::Flags(crate::lock_state::FLAGS);
            OWNER_SLOT: 90, 2, "owner slot", Shape::Slot;
            $($id: $offset, $length, $name, $shape;)+
            OWNER_HOST: 96, 8, "owner host", Shape::Hex;
            OWNER_INCARNATION: 104, 8, "owner incarnation", Shape::Number;
            EPOCH: 112, 8, "epoch", Shape::Number;
            SINCE: 120, 8, "since", Shape::WallTime;
            HOLDERS: 128, 128, "holders", Shape::SlotBits;
            $($rest)+
        }
    };
}
pub(crate) use locked_field_table;

/// The [`LockFields`] of the table that stands in the same file.
macro_rules! lock_fields {
    (next: $next:expr, shares: $shares:literal, multi_writer: $multi_writer:literal) => {
        crate::lock_state::LockFields {
            mode: at::MODE,
            flags: at::FLAGS,
            owner: crate::stamp::OwnerFields {
                slot: at::OWNER_SLOT,
                host: at::OWNER_HOST,
                incarnation: at::OWNER_INCARNATION,
            },
            next: $next,
            epoch: at::EPOCH,
            since: at::SINCE,
            holders: at::HOLDERS,
            shares: $shares,
            multi_writer: $multi_writer,
        }
    };
}
pub(crate) use lock_fields;

impl LockFields {
    /// Whether the lock's fields agree with one another, and with the kind of record.
    pub(crate) fn check(&self, lock: &LockState) -> Result<(), DecodeError> {
        self.check_mode(lock.mode)?;
        if (lock.mode == LockMode::Exclusive) != lock.owner.is_some() {
            return Err(self.owner.slot.error("an owner that the mode contradicts"));
        }
        let holders_fit = match lock.mode {
            LockMode::Free | LockMode::Exclusive => lock.holders.is_empty(),
            LockMode::Shared | LockMode::MultiWriter => !lock.holders.is_empty(),
            LockMode::Unknown => true,
        };
        if !holders_fit {
            return Err(self.holders.error("holders that the mode contradicts"));
        }
        match (lock.next, self.next) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(self.mode.error("a receiver, of what is never handed over")),
            (Some(_), Some(next)) if lock.owner.is_none() => {
                Err(next.slot.error("a receiver, without an owner who could hand anything over"))
            }
            (Some(receiver), Some(next)) if lock.owner == Some(receiver) => {
                Err(next.slot.error("a receiver who is the owner"))
            }
            (Some(_), Some(_)) => Ok(()),
        }
    }

    fn check_mode(&self, mode: LockMode) -> Result<(), DecodeError> {
        match mode {
            LockMode::Shared if !self.shares => Err(self.mode.error("shared, which this record never is")),
            LockMode::MultiWriter if !self.multi_writer => {
                Err(self.mode.error("multi-writer, which only a disk can be"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the lock names only slots that the datastore has.
    pub(crate) fn check_within(&self, lock: &LockState, layout: &Layout) -> Result<(), DecodeError> {
        const WHAT: &str = "a slot that the datastore does not have";
        let slots = layout.slot_count();
        if lock.owner.is_some_and(|owner| owner.slot.0 >= slots) {
            return Err(self.owner.slot.error(WHAT));
        }
        if lock.holders.iter().any(|slot| slot.0 >= slots) {
            return Err(self.holders.error(WHAT));
        }
        match (lock.next, self.next) {
            (Some(next), Some(fields)) if next.slot.0 >= slots => Err(fields.slot.error(WHAT)),
            _ => Ok(()),
        }
    }

    pub(crate) fn put(&self, draft: &mut Draft, lock: &LockState) {
        draft.put_u8(self.mode, lock.mode.code());
        let flags = [(lock.interest, INTEREST), (lock.sticky, STICKY)];
        draft.put_u8(self.flags, flags.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit));
        self.owner.put(draft, lock.owner);
        if let Some(next) = self.next {
            next.put(draft, lock.next);
        }
        draft.put_u64(self.epoch, lock.epoch.0);
        draft.put_u64(self.since, lock.since_wall_ms);
        draft.put(self.holders, lock.holders.as_bytes());
    }

    pub(crate) fn get(&self, view: &View<'_>) -> Result<LockState, DecodeError> {
        let flags = view.flags(self.flags)?;
        Ok(LockState {
            mode: LockMode::of_code(view.u8(self.mode)).ok_or(self.mode.error("an unknown mode"))?,
            owner: self.owner.get(view)?,
            next: self.next.map_or(Ok(None), |next| next.get(view))?,
            holders: SlotSet::from_bytes(view.bytes(self.holders)),
            interest: flags & INTEREST != 0,
            sticky: flags & STICKY != 0,
            epoch: Epoch(view.growing(self.epoch, Epoch::LARGEST.0)?),
            since_wall_ms: view.u64(self.since),
        })
    }
}
