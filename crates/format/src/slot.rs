//! The slot record: a host's heartbeat, and after its death the written steps of its burial.
//!
//! ```text
//!   Free --join--> Live --leave--> Free
//!                   | fence (from the very image that was watched)
//!                   v
//!                 Fenced --> CutOff --> Replaying --> Replayed --> Free (incarnation kept)
//! ```
//! Each arrow is one ATS that any host may take up when its author dies (R11).

use oarlock_block::{ProcessIdentity, Proof};

use crate::error::DecodeError;
use crate::ids::{Generation, Incarnation};
use crate::names::HostName;
use crate::record::Record;
use crate::stamp::{Kind, Owner, OwnerFields, STAMP_LENGTH};
use crate::table::{Draft, FieldSpec, RECORD_LENGTH, View, field_table};

const STATES: &[(u8, &str)] =
    &[(0, "free"), (1, "live"), (2, "fenced"), (3, "cut off"), (4, "replaying"), (5, "replayed")];

const REASONS: &[(u8, &str)] = &[
    (0, "none"),
    (1, "watched"),
    (2, "death proved"),
    (3, "evicted"),
    (4, "evicted, certain"),
    (5, "former life"),
    (6, "rollback"),
];

const PROOFS: &[(u8, &str)] = &[
    (0, "none"),
    (1, "file lock"),
    (2, "killed"),
    (3, "reservation"),
    (4, "blocklist"),
    (5, "drained"),
    (6, "a person"),
];

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

/// What made the fencer fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FenceReason {
    /// The slot stood still through a whole watch (R6).
    Watched,
    /// Its death was proved without a watch (R9).
    DeathProved,
    /// A person evicted it, after a watch.
    Evicted,
    /// A person evicted it and vouched for its death: no watch.
    EvictedCertain,
    /// The host itself, in its next life on the same machine (R9).
    FormerLife,
    /// The host itself, when it met a record older than one it had known (R2).
    Rollback,
}

impl FenceReason {
    const ALL: [FenceReason; 6] = [
        FenceReason::Watched,
        FenceReason::DeathProved,
        FenceReason::Evicted,
        FenceReason::EvictedCertain,
        FenceReason::FormerLife,
        FenceReason::Rollback,
    ];

    const fn code(self) -> u8 {
        match self {
            FenceReason::Watched => 1,
            FenceReason::DeathProved => 2,
            FenceReason::Evicted => 3,
            FenceReason::EvictedCertain => 4,
            FenceReason::FormerLife => 5,
            FenceReason::Rollback => 6,
        }
    }

    /// The words for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(REASONS, self.code())
    }
}

/// What proved that nothing more of the fenced host can land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CutOffProof {
    /// Its slot's byte lock was obtained (R13).
    FileLock,
    /// Its process was killed, and its byte lock obtained after that (R13).
    Killed,
    /// Its keys were preempted (R15).
    Reservation,
    /// Its client address is on the backend's blocklist (R20).
    Blocklist,
    /// Nothing but the drain time chosen at format (R19).
    Drained,
    /// A person's word (R19).
    Person,
}

impl CutOffProof {
    const ALL: [CutOffProof; 6] = [
        CutOffProof::FileLock,
        CutOffProof::Killed,
        CutOffProof::Reservation,
        CutOffProof::Blocklist,
        CutOffProof::Drained,
        CutOffProof::Person,
    ];

    const fn code(self) -> u8 {
        match self {
            CutOffProof::FileLock => 1,
            CutOffProof::Killed => 2,
            CutOffProof::Reservation => 3,
            CutOffProof::Blocklist => 4,
            CutOffProof::Drained => 5,
            CutOffProof::Person => 6,
        }
    }

    /// The words for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        name_of(PROOFS, self.code())
    }
}

impl From<Proof> for CutOffProof {
    fn from(proof: Proof) -> CutOffProof {
        match proof {
            Proof::FileLock => CutOffProof::FileLock,
            Proof::Killed => CutOffProof::Killed,
        }
    }
}

/// Where the slot's host is in its life, or in its burial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotState {
    /// Nobody lives here.
    Free,
    /// A host lives here, and beats.
    Live,
    /// Dead, but its commands may still land.
    Fenced {
        /// Who fenced it.
        by: Owner,
        /// Why.
        reason: FenceReason,
        /// The generation of the image that was swapped: the one that was watched.
        from: Generation,
    },
    /// Nothing more of it can land.
    CutOff {
        /// Who cut it off.
        by: Owner,
        /// Why it was fenced.
        reason: FenceReason,
        /// The generation it was fenced from.
        from: Generation,
        /// What proves it.
        proof: CutOffProof,
    },
    /// Its journal is being replayed. Another host goes on only after it fenced this one.
    Replaying {
        /// Who replays.
        by: Owner,
        /// Why it was fenced.
        reason: FenceReason,
        /// The generation it was fenced from.
        from: Generation,
        /// What proved the cut-off.
        proof: CutOffProof,
    },
    /// Its journal is home: its locks may be broken.
    Replayed {
        /// Who replayed.
        by: Owner,
        /// Why it was fenced.
        reason: FenceReason,
        /// The generation it was fenced from.
        from: Generation,
        /// What proved the cut-off.
        proof: CutOffProof,
    },
}

/// The fields that the states of a burial share.
struct Burial {
    by: Owner,
    reason: FenceReason,
    from: Generation,
    proof: Option<CutOffProof>,
}

impl SlotState {
    const fn code(&self) -> u8 {
        match self {
            SlotState::Free => 0,
            SlotState::Live => 1,
            SlotState::Fenced { .. } => 2,
            SlotState::CutOff { .. } => 3,
            SlotState::Replaying { .. } => 4,
            SlotState::Replayed { .. } => 5,
        }
    }

    /// The word for people.
    #[must_use]
    pub fn name(&self) -> &'static str {
        name_of(STATES, self.code())
    }

    const fn burial(&self) -> Option<Burial> {
        match *self {
            SlotState::Free | SlotState::Live => None,
            SlotState::Fenced { by, reason, from } => Some(Burial { by, reason, from, proof: None }),
            SlotState::CutOff { by, reason, from, proof }
            | SlotState::Replaying { by, reason, from, proof }
            | SlotState::Replayed { by, reason, from, proof } => {
                Some(Burial { by, reason, from, proof: Some(proof) })
            }
        }
    }

    fn from_parts(code: u8, burial: Option<Burial>) -> Result<SlotState, DecodeError> {
        let state = match (code, burial) {
            (0, None) => SlotState::Free,
            (1, None) => SlotState::Live,
            (2, Some(Burial { by, reason, from, proof: None })) => SlotState::Fenced { by, reason, from },
            (3, Some(Burial { by, reason, from, proof: Some(proof) })) => {
                SlotState::CutOff { by, reason, from, proof }
            }
            (4, Some(Burial { by, reason, from, proof: Some(proof) })) => {
                SlotState::Replaying { by, reason, from, proof }
            }
            (5, Some(Burial { by, reason, from, proof: Some(proof) })) => {
                SlotState::Replayed { by, reason, from, proof }
            }
            (0..=5, _) => return Err(at::STATE.error("a state that its fencer, reason or proof contradict")),
            (6.., _) => return Err(at::STATE.error("an unknown state")),
        };
        Ok(state)
    }
}

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
    /// A repair asks the host to look at all locks, and to claim or disclaim those that are unknown (R39).
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
            state: SlotState::from_parts(view.u8(at::STATE), decode_burial(view)?)?,
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
    let reason = FenceReason::ALL
        .into_iter()
        .find(|known| known.code() == reason)
        .ok_or(at::REASON.error("an unknown reason"))?;
    let proof = match proof {
        0 => None,
        code => Some(
            CutOffProof::ALL
                .into_iter()
                .find(|known| known.code() == code)
                .ok_or(at::PROOF.error("an unknown proof"))?,
        ),
    };
    Ok(Some(Burial { by, reason, from, proof }))
}

fn name_of(codes: &'static [(u8, &'static str)], code: u8) -> &'static str {
    codes.iter().find(|(known, _)| *known == code).map_or("unknown", |(_, name)| name)
}

const fn flag(set: bool, mask: u8) -> u8 {
    if set { mask } else { 0 }
}
