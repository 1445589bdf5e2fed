//! The states of a slot: a life, and after it the written steps of a burial, with who took them and why.

use oarlock_block::Proof;

use crate::ids::Generation;
use crate::stamp::Owner;

/// The codes of a slot's states, as the disk has them.
pub(crate) const STATES: &[(u8, &str)] =
    &[(0, "free"), (1, "live"), (2, "fenced"), (3, "cut off"), (4, "replaying"), (5, "replayed")];

/// Declares an enum whose values have a code on the disk (0 is kept for none) and a word for people, once for all.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident, $table:ident { $($(#[$value_doc:meta])* $value:ident = $code:literal, $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        /// The codes, as the disk has them.
        pub(crate) const $table: &[(u8, &str)] = &[(0, "none"), $(($code, $word)),+];

        impl $name {
            pub(crate) const fn code(self) -> u8 {
                match self {
                    $($name::$value => $code,)+
                }
            }

            pub(crate) const fn of_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some($name::$value),)+
                    _ => None,
                }
            }

            /// The words for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$value => $word,)+
                }
            }
        }
    };
}

coded! {
    /// What made the fencer fence.
    FenceReason, REASONS {
        /// The slot stood still through a whole watch (R6).
        Watched = 1, "watched";
        /// Its death was proved without a watch (R9).
        DeathProved = 2, "death proved";
        /// A person evicted it, after a watch.
        Evicted = 3, "evicted";
        /// A person evicted it and vouched for its death: no watch.
        EvictedCertain = 4, "evicted, certain";
        /// The host itself, in its next life on the same machine (R9).
        FormerLife = 5, "former life";
        /// The host itself, when it met a record older than one it had known (R2).
        Rollback = 6, "rollback";
    }
}

coded! {
    /// What proved that nothing more of the fenced host can land.
    CutOffProof, PROOFS {
        /// Its slot's byte lock was obtained (R13).
        FileLock = 1, "file lock";
        /// Its process was killed, and its byte lock obtained after that (R13).
        Killed = 2, "killed";
        /// Its keys were preempted (R15).
        Reservation = 3, "reservation";
        /// Its client address is on the backend's blocklist (R20).
        Blocklist = 4, "blocklist";
        /// Nothing but the drain time chosen at format (R19).
        Drained = 5, "drained";
        /// A person's word (R19).
        Person = 6, "a person";
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

/// What the states of a burial have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Burial {
    /// Who took the last step.
    pub by: Owner,
    /// Why it was fenced.
    pub reason: FenceReason,
    /// The generation it was fenced from.
    pub from: Generation,
    /// What proved the cut-off, once there was one.
    pub proof: Option<CutOffProof>,
}

impl SlotState {
    pub(crate) const fn code(&self) -> u8 {
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
        let known = STATES.iter().find(|(code, _)| *code == self.code());
        known.map_or("unknown", |(_, name)| name)
    }

    /// Who took the last step and why it was fenced; `None` while the slot is free or its host lives.
    #[must_use]
    pub const fn burial(&self) -> Option<Burial> {
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

    /// The state of that code; `None` where the code is unknown or the burial contradicts it.
    pub(crate) const fn from_parts(code: u8, burial: Option<Burial>) -> Option<SlotState> {
        let Some(Burial { by, reason, from, proof }) = burial else {
            return match code {
                0 => Some(SlotState::Free),
                1 => Some(SlotState::Live),
                _ => None,
            };
        };
        match (code, proof) {
            (2, None) => Some(SlotState::Fenced { by, reason, from }),
            (3, Some(proof)) => Some(SlotState::CutOff { by, reason, from, proof }),
            (4, Some(proof)) => Some(SlotState::Replaying { by, reason, from, proof }),
            (5, Some(proof)) => Some(SlotState::Replayed { by, reason, from, proof }),
            _ => None,
        }
    }
}
