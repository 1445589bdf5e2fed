//! The first record of a descriptor: its lock, and the disk, snapshot or hidden layer that uses it.
//!
//! ```text
//!   free --take--> creating or importing --> ready <--> renaming
//!    ^                    | undone             | delete
//!    |                    v                    v
//!    +----------------------------------- doomed (reclaimed, absorbed, or kept for its children)
//! ```
//! Each arrow is one ATS, and any host finishes or undoes what a dead one began (R35, R36).

use oarlock_block::{ByteCount, all_zero};

use crate::error::DecodeError;
use crate::ids::{Generation, HostId};
use crate::layer::{KINDS, LAYER_FLAGS, Layer, LayerFlags, LayerKind, LayerState, STATES};
use crate::layout::Layout;
use crate::lock_state::{LockFields, LockMode, LockState, Locked, lock_fields, locked_field_table};
use crate::numbers::{ClusterNumber, DescriptorNumber, DiskUid, LayerId, LayerLevels, NameHash};
use crate::record::Record;
use crate::stamp::{Kind, OwnerFields};
use crate::table::{Draft, FieldSpec, View, field_table};

locked_field_table! {
    {
        RESERVED_LOCK: 92, 2, "reserved", Shape::Reserved;
        NEXT_SLOT: 94, 2, "next slot", Shape::Slot;
    }
    {
        STATE: 256, 1, "state", Shape::Code(STATES);
        KIND: 257, 1, "kind", Shape::Code(KINDS);
        LEVELS: 258, 1, "levels", Shape::Number;
        LAYER_FLAGS: 259, 1, "layer flags", Shape::Flags(super::LAYER_FLAGS);
        PARENT: 260, 4, "parent", Shape::Descriptor;
        PARENT_UID: 264, 8, "parent uid", Shape::Number;
        UID: 272, 8, "uid", Shape::Number;
        SIZE: 280, 8, "size", Shape::Number;
        ROOT: 288, 8, "root", Shape::Number;
        DISK_UID: 296, 8, "disk uid", Shape::Number;
        OTHER_HASH: 304, 8, "other hash", Shape::Hex;
        HASH: 312, 8, "hash", Shape::Hex;
        NAME_GENERATION: 320, 8, "name generation", Shape::Number;
        CREATED: 328, 8, "created", Shape::WallTime;
        ALLOCATED: 336, 8, "allocated", Shape::Number;
        NEXT_HOST: 344, 8, "next host", Shape::Hex;
        NEXT_INCARNATION: 352, 8, "next incarnation", Shape::Number;
        DISK: 360, 4, "disk", Shape::Descriptor;
        RESERVED_DISK: 364, 4, "reserved", Shape::Reserved;
        SERVER: 368, 8, "server", Shape::Hex;
        RESERVED_END: 376, 136, "reserved", Shape::Reserved;
    }
}

/// A descriptor field that names none.
pub(crate) const NO_DESCRIPTOR: u32 = u32::MAX;

const NEXT: OwnerFields =
    OwnerFields { slot: at::NEXT_SLOT, host: at::NEXT_HOST, incarnation: at::NEXT_INCARNATION };

const LOCK: LockFields = lock_fields!(next: Some(NEXT), shares: true, multi_writer: true);

/// Lock and state of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescriptorRecord {
    /// Who holds it.
    pub lock: LockState,
    /// The present use, or the last one where the descriptor is free. It grows by one with each use.
    pub uid: DiskUid,
    /// What uses it; none where it is free.
    pub layer: Option<Layer>,
}

impl DescriptorRecord {
    /// A descriptor that nothing has ever used.
    #[must_use]
    pub const fn never_used() -> DescriptorRecord {
        DescriptorRecord { lock: LockState::NEVER_HELD, uid: DiskUid(0), layer: None }
    }

    /// This use of the descriptor, which is that of `number`; none where it is free.
    #[must_use]
    pub fn id(&self, number: DescriptorNumber) -> Option<LayerId> {
        self.layer.as_ref().map(|_| LayerId { descriptor: number, uid: self.uid })
    }

    fn check_layer(&self, layer: &Layer) -> Result<(), DecodeError> {
        if self.uid == DiskUid(0) {
            return Err(at::UID.error("the uid of no use, in a descriptor that is used"));
        }
        if layer.kind == LayerKind::Disk && layer.disk.uid != self.uid {
            return Err(at::DISK_UID.error("another disk, in a disk's own descriptor"));
        }
        if self.lock.mode == LockMode::MultiWriter && !(layer.kind == LayerKind::Disk && layer.flags.full) {
            return Err(at::MODE.error("multi-writer, on what is no disk that is allocated in full"));
        }
        check_names(layer)?;
        check_map(layer)
    }
}

/// Whether names and state agree.
fn check_names(layer: &Layer) -> Result<(), DecodeError> {
    if (layer.kind == LayerKind::Hidden) != layer.hash.is_none() {
        return Err(at::HASH.error("a name that the kind contradicts"));
    }
    if layer.state == LayerState::Renaming && layer.other_hash.is_none() {
        return Err(at::OTHER_HASH.error("no other name, in a rename"));
    }
    if layer.other_hash.is_some() && (layer.hash.is_none() || layer.other_hash == layer.hash) {
        return Err(at::OTHER_HASH.error("another name that is none"));
    }
    if layer.flags.nameless && layer.state != LayerState::Doomed {
        return Err(at::LAYER_FLAGS.error("nameless, and not deleted"));
    }
    if layer.state == LayerState::Importing && layer.kind != LayerKind::Disk {
        return Err(at::STATE.error("importing, into what is no disk"));
    }
    Ok(())
}

/// Whether the fields of the map agree.
fn check_map(layer: &Layer) -> Result<(), DecodeError> {
    let size = layer.size.0;
    if size == 0 || size > Layer::SIZE_MAX.0 || !size.is_multiple_of(Layer::SIZE_UNIT.0) {
        return Err(at::SIZE.error("a size that no disk has"));
    }
    if layer.levels.0 == 0 || layer.levels > LayerLevels::LARGEST {
        return Err(at::LEVELS.error("a number of levels that no map has"));
    }
    if layer.root.is_some_and(|root| !root.is_mappable()) {
        return Err(at::ROOT.error("a cluster beyond all that there can be"));
    }
    if layer.flags.root_owned && layer.root.is_none() {
        return Err(at::LAYER_FLAGS.error("a root of its own, and no root"));
    }
    if layer.flags.full && (layer.root.is_none() || layer.parent.is_some()) {
        return Err(at::LAYER_FLAGS.error("allocated in full, without a root or above a parent"));
    }
    Ok(())
}

impl Locked for DescriptorRecord {
    fn lock(&self) -> &LockState {
        &self.lock
    }

    fn lock_mut(&mut self) -> &mut LockState {
        &mut self.lock
    }
}

impl Record for DescriptorRecord {
    const KIND: Kind = Kind::Descriptor;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        LOCK.check(&self.lock)?;
        match &self.layer {
            Some(layer) => self.check_layer(layer),
            None if self.lock.mode == LockMode::MultiWriter => {
                Err(at::MODE.error("multi-writer, on a descriptor that is free"))
            }
            None => Ok(()),
        }
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        const WHAT: &str = "a descriptor that the datastore does not have";
        LOCK.check_within(&self.lock, layout)?;
        let Some(layer) = &self.layer else { return Ok(()) };
        let exists = |layer: &LayerId| layer.descriptor.0 < layout.descriptor_count();
        if !layer.parent.as_ref().is_none_or(exists) {
            return Err(at::PARENT.error(WHAT));
        }
        if exists(&layer.disk) { Ok(()) } else { Err(at::DISK.error(WHAT)) }
    }

    fn encode_body(&self, draft: &mut Draft) {
        LOCK.put(draft, &self.lock);
        draft.put_u64(at::UID, self.uid.0);
        let Some(layer) = &self.layer else {
            draft.put_u32(at::PARENT, NO_DESCRIPTOR);
            draft.put_u32(at::DISK, NO_DESCRIPTOR);
            return;
        };
        draft.put_u8(at::STATE, layer.state.code());
        draft.put_u8(at::KIND, layer.kind.code());
        draft.put_u8(at::LEVELS, layer.levels.0);
        draft.put_u8(at::LAYER_FLAGS, layer.flags.bits());
        draft.put_u32(at::PARENT, layer.parent.map_or(NO_DESCRIPTOR, |parent| parent.descriptor.0));
        draft.put_u64(at::PARENT_UID, layer.parent.map_or(0, |parent| parent.uid.0));
        let block = draft.all().len() as u64;
        assert!(layer.size.0.is_multiple_of(block), "a size that is no multiple of the block is written");
        draft.put_u64(at::SIZE, layer.size.0);
        draft.put_u64(at::ROOT, ClusterNumber::field_of(layer.root));
        draft.put_u32(at::DISK, layer.disk.descriptor.0);
        draft.put_u64(at::DISK_UID, layer.disk.uid.0);
        draft.put_u64(at::OTHER_HASH, NameHash::field_of(layer.other_hash));
        draft.put_u64(at::HASH, NameHash::field_of(layer.hash));
        draft.put_u64(at::NAME_GENERATION, layer.name_generation.0);
        draft.put_u64(at::CREATED, layer.created_wall_ms);
        draft.put_u64(at::ALLOCATED, layer.allocated);
        draft.put_u64(at::SERVER, layer.server.map_or(0, |HostId(host)| host));
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        Ok(DescriptorRecord {
            lock: LOCK.get(view)?,
            uid: DiskUid(view.growing(at::UID, DiskUid::LARGEST.0)?),
            layer: decode_layer(view)?,
        })
    }
}

/// What uses the descriptor: all of its fields, or none of them.
fn decode_layer(view: &View<'_>) -> Result<Option<Layer>, DecodeError> {
    let (state, kind) = (view.u8(at::STATE), view.u8(at::KIND));
    let flags = LayerFlags::of_bits(view.flags(at::LAYER_FLAGS)?);
    let parent = decode_id(view, at::PARENT, at::PARENT_UID)?;
    let disk = decode_id(view, at::DISK, at::DISK_UID)?;
    if state == 0 {
        let used = [
            at::KIND,
            at::LEVELS,
            at::LAYER_FLAGS,
            at::SIZE,
            at::ROOT,
            at::OTHER_HASH,
            at::HASH,
            at::NAME_GENERATION,
            at::CREATED,
            at::ALLOCATED,
            at::SERVER,
        ];
        let used = used.into_iter().find(|field| !all_zero(view.bytes(*field)));
        let used = used.or(parent.map(|_| at::PARENT)).or(disk.map(|_| at::DISK));
        return used.map_or(Ok(None), |field| Err(field.error("something, in a descriptor that is free")));
    }
    let size = ByteCount(view.u64(at::SIZE));
    if !size.0.is_multiple_of(view.length() as u64) {
        return Err(at::SIZE.error("a size that is no multiple of the block"));
    }
    Ok(Some(Layer {
        state: LayerState::of_code(state).ok_or(at::STATE.error("an unknown state"))?,
        kind: LayerKind::of_code(kind).ok_or(at::KIND.error("an unknown kind"))?,
        flags,
        levels: LayerLevels(view.u8(at::LEVELS)),
        parent,
        size,
        root: ClusterNumber::of_field(view.u64(at::ROOT)),
        disk: disk.ok_or(at::DISK.error("no disk, in a descriptor that is used"))?,
        hash: NameHash::of_field(view.u64(at::HASH)),
        other_hash: NameHash::of_field(view.u64(at::OTHER_HASH)),
        name_generation: Generation(view.growing(at::NAME_GENERATION, Generation::LARGEST.0)?),
        created_wall_ms: view.u64(at::CREATED),
        allocated: view.u64(at::ALLOCATED),
        server: Some(HostId(view.u64(at::SERVER))).filter(|host| *host != HostId(0)),
    }))
}

/// A descriptor in one of its uses: both fields, or neither.
fn decode_id(view: &View<'_>, descriptor: FieldSpec, uid: FieldSpec) -> Result<Option<LayerId>, DecodeError> {
    let number = view.u32(descriptor);
    let uid = DiskUid(view.growing(uid, DiskUid::LARGEST.0)?);
    match (number, uid) {
        (NO_DESCRIPTOR, DiskUid(0)) => Ok(None),
        (NO_DESCRIPTOR, _) | (_, DiskUid(0)) => Err(descriptor.error("half of a descriptor and its use")),
        (number, uid) => Ok(Some(LayerId { descriptor: DescriptorNumber(number), uid })),
    }
}
