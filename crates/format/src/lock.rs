//! The lock record: a named lock, or a position in which none has stood yet.

use crate::error::DecodeError;
use crate::layout::Layout;
use crate::lock_state::{LockFields, LockMode, LockState, Locked, lock_fields, locked_field_table};
use crate::names::LockName;
use crate::record::Record;
use crate::stamp::Kind;
use crate::table::{Draft, FieldSpec, View, field_table};

locked_field_table! {
    {
        CHILDREN: 92, 2, "children", Shape::Hex;
        RESERVED_NEXT: 94, 2, "next slot", Shape::Reserved;
    }
    {
        NAME_LENGTH: 256, 1, "name length", Shape::Number;
        NAME: 257, 255, "name", Shape::Text("name length");
    }
}

const _: () = assert!(at::NAME.length == LockName::LENGTH_MAX);

const LOCK: LockFields = lock_fields!(next: None, shares: true, multi_writer: false);

/// A named lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockRecord {
    /// Its name; none where no lock has stood at this position, or where a repair could not tell.
    pub name: Option<LockName>,
    /// Who holds it, and how.
    pub lock: LockState,
    /// Which positions, counted from this one, names that have their home here may have taken: bit k is set before a
    /// name is put k positions on, and never cleared.
    pub children: u16,
}

impl LockRecord {
    /// A position at which no lock has stood.
    #[must_use]
    pub const fn never_used() -> LockRecord {
        LockRecord { name: None, lock: LockState::NEVER_HELD, children: 0 }
    }
}

impl Locked for LockRecord {
    fn lock(&self) -> &LockState {
        &self.lock
    }

    fn lock_mut(&mut self) -> &mut LockState {
        &mut self.lock
    }
}

impl Record for LockRecord {
    const KIND: Kind = Kind::Lock;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        LOCK.check(&self.lock)?;
        let lock = &self.lock;
        // A repair may have lost the name with the block; nobody else holds or waits for what has none.
        let nameless =
            lock.mode == LockMode::Unknown || (lock.mode == LockMode::Free && !lock.interest && !lock.sticky);
        if self.name.is_none() && !nameless {
            return Err(at::NAME_LENGTH.error("no name, on a lock that is in use"));
        }
        Ok(())
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        LOCK.check_within(&self.lock, layout)
    }

    fn encode_body(&self, draft: &mut Draft) {
        LOCK.put(draft, &self.lock);
        draft.put_u16(at::CHILDREN, self.children);
        draft.put_text(at::NAME_LENGTH, at::NAME, self.name.as_ref().map_or("", LockName::as_str));
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let name = match view.text(at::NAME_LENGTH, at::NAME)? {
            Some(text) => Some(LockName::new(text).map_err(|_| at::NAME.error("what is not a lock's name"))?),
            None => None,
        };
        Ok(LockRecord { name, lock: LOCK.get(view)?, children: view.u16(at::CHILDREN) })
    }
}
