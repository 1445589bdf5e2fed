//! The record of an allocation group: who may give out its clusters, and about how many are left.
//!
//! Which clusters are taken stands in the bitmap page behind it, which the lock's owner writes through its journal.

use crate::error::DecodeError;
use crate::layout::Layout;
use crate::lock_state::{LockFields, LockState, Locked, lock_fields, locked_field_table};
use crate::numbers::GroupNumber;
use crate::record::Record;
use crate::space::GROUP_CLUSTERS;
use crate::stamp::Kind;
use crate::table::{Draft, FieldSpec, View, field_table};

locked_field_table! {
    {
        RESERVED_LOCK: 92, 4, "reserved", Shape::Reserved;
    }
    {
        NUMBER: 256, 4, "group", Shape::Number;
        CLUSTERS: 260, 4, "clusters", Shape::Number;
        FREE: 264, 4, "free", Shape::Number;
        RESERVED_END: 268, 244, "reserved", Shape::Reserved;
    }
}

const LOCK: LockFields = lock_fields!(next: None, shares: false, multi_writer: false);

/// An allocation group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRecord {
    /// Who gives out its clusters.
    pub lock: LockState,
    /// Which group this is.
    pub number: GroupNumber,
    /// How many clusters it has, its head among them. A growth makes a short group longer, whoever holds it.
    pub clusters: u32,
    /// How many were free when its owner last released it: a hint.
    pub free: u32,
}

impl GroupRecord {
    /// A group that nobody has ever held: all but its head is free.
    #[must_use]
    pub const fn never_held(number: GroupNumber, clusters: u32, head: u32) -> GroupRecord {
        GroupRecord { lock: LockState::NEVER_HELD, number, clusters, free: clusters.saturating_sub(head) }
    }
}

impl Locked for GroupRecord {
    fn lock(&self) -> &LockState {
        &self.lock
    }

    fn lock_mut(&mut self) -> &mut LockState {
        &mut self.lock
    }
}

impl Record for GroupRecord {
    const KIND: Kind = Kind::AllocationGroup;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        LOCK.check(&self.lock)?;
        if self.clusters == 0 || self.clusters > GROUP_CLUSTERS {
            return Err(at::CLUSTERS.error("a number of clusters that no group has"));
        }
        if self.free > self.clusters {
            return Err(at::FREE.error("more free clusters than the group has"));
        }
        Ok(())
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        LOCK.check_within(&self.lock, layout)
    }

    fn encode_body(&self, draft: &mut Draft) {
        LOCK.put(draft, &self.lock);
        draft.put_u32(at::NUMBER, self.number.0);
        draft.put_u32(at::CLUSTERS, self.clusters);
        draft.put_u32(at::FREE, self.free);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        Ok(GroupRecord {
            lock: LOCK.get(view)?,
            number: GroupNumber(view.u32(at::NUMBER)),
            clusters: view.u32(at::CLUSTERS),
            free: view.u32(at::FREE),
        })
    }
}
