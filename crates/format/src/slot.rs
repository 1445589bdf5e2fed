//! The slot record: a host's heartbeat, and after its death the written steps of its burial.
//!
//! ```text
//!   Free --join--> Live --leave--> Free
//!                   | fence (from the very image that was watched)
//!                   v
//!                 Fenced --> CutOff --> Replaying --> Replayed --> Free (incarnation kept)
//! ```
//! Each arrow is one ATS that any host may take up when its author dies (R11).

use oarlock_block::ProcessIdentity;

use crate::error::DecodeError;
use crate::ids::{Generation, Incarnation};
use crate::layout::Layout;
use crate::names::HostName;
use crate::record::Record;
use crate::slot_state::{Burial, CutOffProof, FenceReason, PROOFS, REASONS, STATES, SlotState};
use crate::stamp::{Kind, OwnerFields, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

field_table! {
    STAMP_LENGTH, RECORD_LENGTH;
    STATE: 88, 1, "state", Shape::Code(STATES);
    FLAGS: 89, 1, "flags", Shape::Flags(&["unclean", "asked"]);
    REASON: 90, 1, "fence reason", Shape::Code(REASONS);
    PROOF: 91, 1, "cut-off proof", Shape::Code(PROOFS);
    BY_SLOT: 92, 2, "by slot", Shape::Slot;
    VERSION_MAX: 94, 2, "newest version", Shape::Number;
    INCARNATION: 96, 8, "incarnation", Shape::Number;
    BY_HOST: 104, 8, "by host", Shape::Hex;
    BY_INCARNATION: 112, 8, "by incarnation", Shape::Number;
    FENCED_FROM: 120, 8, "fenced from", Shape::Number;
    CLOCK: 128, 8, "clock", Shape::Number;
    WALL: 136, 8, "wall clock", Shape::WallTime;
    SUPERBLOCK_GENERATION: 144, 8, "superblock generation", Shape::Number;
    FEATURES: 152, 8, "features", Shape::Hex;
    BOOT_ID: 160, 16, "boot id", Shape::Hex;
    PID_NAMESPACE: 176, 8, "pid namespace", Shape::Number;
    START_TICKS: 184, 8, "process start", Shape::Number;
    PID: 192, 4, "pid", Shape::Number;
    NAME_LENGTH: 196, 1, "name length", Shape::Number;
    RESERVED_NAME: 197, 3, "reserved", Shape::Reserved;
    NAME: 200, 64, "name", Shape::Text("name length");
    RESERVED_NEXUS_KEYS: 264, 64, "nexus keys", Shape::Reserved;
    RESERVED_CLIENT_ADDRESS: 328, 64, "client address", Shape::Reserved;
    RESERVED_END: 392, 120, "reserved", Shape::Reserved;
}

const _: () = assert!(at::NAME.length == HostName::LENGTH_MAX);

const BY: OwnerFields = OwnerFields { slot: at::BY_SLOT, host: at::BY_HOST, incarnation: at::BY_INCARNATION };

const UNCLEAN: u8 = 1;
const ASKED: u8 = 2;

/// A host's heartbeat record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    /// Where the host is in its life.
    pub state: SlotState,
    /// The host's name; kept in a free slot where the last host there had one.
    pub name: Option<HostName>,
    /// The present life, or the last one where nobody lives.
    pub incarnation: Incarnation,
    /// The last life ended by takeover: shared bits of it may stand in lock records.
    pub unclean: bool,
    /// A tool asks the host to look again: at the superblock, which may have grown (R38), and at all locks, to claim or
    /// disclaim those that are unknown (R39).
    pub asked: bool,
    /// Nanoseconds of the writer's own clock: information, never compared with another's.
    pub clock_ns: u64,
    /// Milliseconds since 1970 as the writer believed: information.
    pub wall_ms: u64,
    /// The process that lives here.
    pub process: ProcessIdentity,
    /// The newest superblock that it has seen (R38).
    pub superblock_generation: Generation,
    /// The newest version of the format that it can write.
    pub version_max: u16,
    /// Feature bits that it knows.
    pub features: u64,
}

impl SlotRecord {
    /// The slot of a datastore that was just formatted.
    #[must_use]
    pub fn never_used() -> SlotRecord {
        SlotRecord {
            state: SlotState::Free,
            name: None,
            incarnation: Incarnation(0),
            unclean: false,
            asked: false,
            clock_ns: 0,
            wall_ms: 0,
            process: ProcessIdentity::default(),
            superblock_generation: Generation(0),
            version_max: 0,
            features: 0,
        }
    }
}

impl Record for SlotRecord {
    const KIND: Kind = Kind::Slot;
    const TABLE: &'static [FieldSpec] = at::TABLE;

    fn check(&self) -> Result<(), DecodeError> {
        if self.state != SlotState::Free && self.name.is_none() {
            return Err(at::NAME_LENGTH.error("no name, in a slot that is not free"));
        }
        Ok(())
    }

    fn check_within(&self, layout: &Layout) -> Result<(), DecodeError> {
        match self.state.burial() {
            Some(burial) if burial.by.slot.0 >= layout.slot_count() => {
                Err(at::BY_SLOT.error("a slot that the datastore does not have"))
            }
            _ => Ok(()),
        }
    }

    fn encode_body(&self, draft: &mut Draft) {
        draft.put_u8(at::STATE, self.state.code());
        draft.put_u8(at::FLAGS, flag(self.unclean, UNCLEAN) | flag(self.asked, ASKED));
        let burial = self.state.burial();
        BY.put(draft, burial.as_ref().map(|burial| burial.by));
        if let Some(burial) = burial {
            draft.put_u8(at::REASON, burial.reason.code());
            draft.put_u8(at::PROOF, burial.proof.map_or(0, CutOffProof::code));
            draft.put_u64(at::FENCED_FROM, burial.from.0);
        }
        draft.put_u16(at::VERSION_MAX, self.version_max);
        draft.put_u64(at::INCARNATION, self.incarnation.0);
        draft.put_u64(at::CLOCK, self.clock_ns);
        draft.put_u64(at::WALL, self.wall_ms);
        draft.put_u64(at::SUPERBLOCK_GENERATION, self.superblock_generation.0);
        draft.put_u64(at::FEATURES, self.features);
        draft.put_u128(at::BOOT_ID, self.process.boot_id);
        draft.put_u64(at::PID_NAMESPACE, self.process.pid_namespace);
        draft.put_u64(at::START_TICKS, self.process.start_ticks);
        draft.put_u32(at::PID, self.process.pid);
        let name = self.name.as_ref().map_or("", HostName::as_str);
        draft.put_text(at::NAME_LENGTH, at::NAME, name);
    }

    fn decode_body(view: &View<'_>) -> Result<Self, DecodeError> {
        let flags = view.flags(at::FLAGS)?;
        let name = match view.text(at::NAME_LENGTH, at::NAME)? {
            Some(text) => Some(HostName::new(text).map_err(|_| at::NAME.error("what is not a host's name"))?),
            None => None,
        };
        Ok(SlotRecord {
            state: SlotState::from_parts(view.u8(at::STATE), decode_burial(view)?).ok_or(
                at::STATE.error("an unknown state, or one that its fencer, reason or proof contradict"),
            )?,
            name,
            incarnation: Incarnation(view.growing(at::INCARNATION, Incarnation::LARGEST.0)?),
            unclean: flags & UNCLEAN != 0,
            asked: flags & ASKED != 0,
            clock_ns: view.u64(at::CLOCK),
            wall_ms: view.u64(at::WALL),
            process: ProcessIdentity {
                boot_id: view.u128(at::BOOT_ID),
                pid_namespace: view.u64(at::PID_NAMESPACE),
                pid: view.u32(at::PID),
                start_ticks: view.u64(at::START_TICKS),
            },
            superblock_generation: Generation(
                view.growing(at::SUPERBLOCK_GENERATION, Generation::LARGEST.0)?,
            ),
            version_max: view.u16(at::VERSION_MAX),
            features: view.u64(at::FEATURES),
        })
    }
}

/// The fields of a burial: all of them, or none.
fn decode_burial(view: &View<'_>) -> Result<Option<Burial>, DecodeError> {
    let from = Generation(view.growing(at::FENCED_FROM, Generation::LARGEST.0)?);
    let (reason, proof) = (view.u8(at::REASON), view.u8(at::PROOF));
    let Some(by) = BY.get(view)? else {
        return if reason == 0 && proof == 0 && from.0 == 0 {
            Ok(None)
        } else {
            Err(at::BY_SLOT.error("no fencer, beside a reason, a proof or a generation"))
        };
    };
    let reason = FenceReason::of_code(reason).ok_or(at::REASON.error("an unknown reason"))?;
    let proof = match proof {
        0 => None,
        code => Some(CutOffProof::of_code(code).ok_or(at::PROOF.error("an unknown proof"))?),
    };
    Ok(Some(Burial { by, reason, from, proof }))
}

const fn flag(set: bool, mask: u8) -> u8 {
    if set { mask } else { 0 }
}
