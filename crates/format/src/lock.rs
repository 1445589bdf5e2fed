//! The lock record of a named lock: who holds it, how, and since which change of owner.

use crate::error::DecodeError;
use crate::ids::Epoch;
use crate::layout::Layout;
use crate::names::LockName;
use crate::record::Record;
use crate::slot_set::{SLOT_SET_LENGTH, SlotSet};
use crate::stamp::{Kind, Owner, OwnerFields, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

const MODES: &[(u8, &str)] =
    &[(0, "free"), (1, "exclusive"), (2, "shared"), (3, "multi-writer"), (4, "unknown")];

/// Reserved for disks that several hosts write at once (R34).
const MULTI_WRITER: u8 = 3;

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    MODE: 88, 1, "mode", Shape::Code(MODES);
    FLAGS: 89, 1, "flags", Shape::Flags(&["interest", "sticky"]);
    OWNER_SLOT: 90, 2, "owner slot", Shape::Slot;
    CHILDREN: 92, 2, "children", Shape::Hex;
    RESERVED_NEXT: 94, 2, "next slot", Shape::Reserved;
    OWNER_HOST: 96, 8, "owner host", Shape::Hex;
    OWNER_INCARNATION: 104, 8, "owner incarnation", Shape::Number;
    EPOCH: 112, 8, "epoch", Shape::Number;
    SINCE: 120, 8, "since", Shape::WallTime;
    HOLDERS: 128, 128, "holders", Shape::SlotBits;
    NAME_LENGTH: 256, 1, "name length", Shape::Number;
    NAME: 257, 255, "name", Shape::Text("name length");
}

const _: () = assert!(at::NAME.length == LockName::LENGTH_MAX && at::HOLDERS.length == SLOT_SET_LENGTH);

const OWNER: OwnerFields =
    OwnerFields { slot: at::OWNER_SLOT, host: at::OWNER_HOST, incarnation: at::OWNER_INCARNATION };

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
    /// After a repair (R39): by whom, only the holders can say, each of whom has still to claim or disclaim it.
    Unknown,
}

impl LockMode {
    const fn code(self) -> u8 {
        match self {
            LockMode::Free => 0,
            LockMode::Exclusive => 1,
            LockMode::Shared => 2,
            LockMode::Unknown => 4,
        }
    }

    /// The word in `locks`, in JSON and in the documents.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LockMode::Free => "free",
            LockMode::Exclusive => "exclusive",
            LockMode::Shared => "shared",
            LockMode::Unknown => "unknown",
        }
    }
}

/// A named lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRecord {
    /// Its name; none where no lock has stood at this position, or where a repair could not tell.
    pub name: Option<LockName>,
    /// How it is held.
    pub mode: LockMode,
    /// Who holds it exclusively.
    pub owner: Option<Owner>,
    /// Who holds it shared; or who has still to say whether it holds it.
    pub holders: SlotSet,
    /// Somebody waits for it.
    pub interest: bool,
    /// The owner keeps it beyond its use, until somebody is interested.
    pub sticky: bool,
    /// Which positions, counted from this one, names that have their home here may have taken: bit k is set before a
    /// name is put k positions on, and never cleared.
    pub children: u16,
    /// How often it changed its owner.
    pub epoch: Epoch,
    /// Milliseconds since 1970, as the taker believed: information.
    pub since_wall_ms: u64,
}

impl LockRecord {
    /// A position at which no lock has stood.
    #[must_use]
    pub const fn never_used() -> LockRecord {
        LockRecord {
            name: None,
            mode: LockMode::Free,
            owner: None,
            holders: SlotSet::EMPTY,
            interest: false,
            sticky: false,
            children: 0,
            epoch: Epoch(0),
            since_wall_ms: 0,
        }
    }
}

impl Record for LockRecord {
    const KIND: Kind = Kind::Lock;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if (self.mode == LockMode::Exclusive) != self.owner.is_some() {
            return Err(at::OWNER_SLOT.error("an owner that the mode contradicts"));
        }
        let holders_fit = match self.mode {
            LockMode::Free | LockMode::Exclusive => self.holders.is_empty(),
            LockMode::Shared => !self.holders.is_empty(),
            LockMode::Unknown => true,
        };
        if !holders_fit {
            return Err(at::HOLDERS.error("holders that the mode contradicts"));
        }
        // A repair may have lost the name with the block; nobody else holds or waits for what has none.
        let nameless =
            self.mode == LockMode::Unknown || (self.mode == LockMode::Free && !self.interest && !self.sticky);
        if self.name.is_none() && !nameless {
            return Err(at::NAME_LENGTH.error("no name, on a lock that is in use"));
        }
        Ok(())
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        let slots = layout.slot_count();
        if self.owner.is_some_and(|owner| owner.slot.0 >= slots) {
            return Err(at::OWNER_SLOT.error("a slot that the datastore does not have"));
        }
        if self.holders.iter().any(|slot| slot.0 >= slots) {
            return Err(at::HOLDERS.error("a slot that the datastore does not have"));
        }
        Ok(())
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_u8(at::MODE, self.mode.code());
        let flags = [(self.interest, INTEREST), (self.sticky, STICKY)];
        draft.put_u8(at::FLAGS, flags.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit));
        draft.put_u16(at::CHILDREN, self.children);
        OWNER.put(draft, self.owner);
        draft.put_u64(at::EPOCH, self.epoch.0);
        draft.put_u64(at::SINCE, self.since_wall_ms);
        draft.put(at::HOLDERS, self.holders.as_bytes());
        draft.put_text(at::NAME_LENGTH, at::NAME, self.name.as_ref().map_or("", LockName::as_str));
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let flags = view.flags(at::FLAGS)?;
        let name = match view.text(at::NAME_LENGTH, at::NAME)? {
            Some(text) => Some(LockName::new(text).map_err(|_| at::NAME.error("what is not a lock's name"))?),
            None => None,
        };
        Ok(LockRecord {
            name,
            mode: decode_mode(view.u8(at::MODE))?,
            owner: OWNER.get(view)?,
            holders: SlotSet::from_bytes(view.bytes(at::HOLDERS)),
            interest: flags & INTEREST != 0,
            sticky: flags & STICKY != 0,
            children: view.u16(at::CHILDREN),
            epoch: Epoch(view.growing(at::EPOCH, Epoch::LARGEST.0)?),
            since_wall_ms: view.u64(at::SINCE),
        })
    }
}

fn decode_mode(code: u8) -> Result<LockMode, DecodeError> {
    match code {
        0 => Ok(LockMode::Free),
        1 => Ok(LockMode::Exclusive),
        2 => Ok(LockMode::Shared),
        MULTI_WRITER => Err(at::MODE.error("multi-writer, which is reserved for a later version")),
        4 => Ok(LockMode::Unknown),
        5.. => Err(at::MODE.error("an unknown mode")),
    }
}
