//! Rules: one cause, one file. A rule looks at an incident and says: proved, and how surely; considered and put aside,
//! and why; or nothing, where the incident has nothing to do with it.
//!
//! What a cause means and what helps is data of the crate `causes`; here is only the proof. A new rule is a file, and a
//! line in [`RULES`].

mod answered;
mod array_fault;
mod array_full;
mod array_load;
mod ats_unsupported;
mod case;
mod contention;
mod corrupt_block;
mod delayed_own_write;
mod device_fault;
mod fabric_congestion;
mod fenced;
mod foreign_block;
pub mod gateway_fault;
mod hba_fault;
mod known_advisory;
mod local;
mod lock_mode_mixed;
pub mod named;
pub mod notices;
pub mod order;
mod pair;
mod path_fault;
mod paths_disagree;
mod queue_depth;
mod reservation;
mod reset_cascade;
mod rollback;
mod slow_storage;
mod snapshot_signature;
mod stale_cache;
pub mod system;
pub mod unsolved;
pub mod untied;
mod way;
mod words;

pub use case::Case;
pub use local::{is_an_everyday_time, is_local};
pub use notices::is_wrong_on_the_disk;
pub use words::{DAMAGED_VOLUME, Words, is_harmless, is_lasting};

use oarlock_causes::Cause;

use crate::fact::Fact;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// The lines fit, and would fit other stories too.
    Possible,
    /// The lines show the mechanism at work.
    Likely,
    /// The lines leave no other reading.
    Certain,
}

impl Confidence {
    /// The name in JSON and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Possible => "possible",
            Confidence::Likely => "likely",
            Confidence::Certain => "certain",
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug)]
pub struct Proof<'a> {
    /// How sure.
    pub confidence: Confidence,
    /// The lines that show it, in the order in which they convince.
    pub lines: Vec<&'a Fact>,
    /// What these lines show, in one or two sentences.
    pub because: String,
    /// What would make it surer.
    pub collect: Vec<String>,
    /// What to say instead of the catalogue's page, where that speaks of another case.
    pub words: Option<&'static Words>,
    /// Whether it is shown to have come too late, or to one host of many: it is told beside, and never as the answer.
    pub is_beside: bool,
    /// Whether it is no more than possible only because no line ties the volume to the device.
    pub is_untied: bool,
}

impl<'a> Proof<'a> {
    /// A proof by those lines.
    #[must_use]
    pub fn new(confidence: Confidence, because: impl Into<String>, lines: Vec<&'a Fact>) -> Proof<'a> {
        Proof {
            confidence,
            lines,
            because: because.into(),
            collect: Vec::new(),
            words: None,
            is_beside: false,
            is_untied: false,
        }
    }

    /// The same, in other words than the catalogue's.
    #[must_use]
    pub fn in_words(self, words: &'static Words) -> Proof<'a> {
        Proof { words: Some(words), ..self }
    }

    /// The same, no more than possible, for a reason that is told behind what it shows.
    #[must_use]
    pub fn but(self, why: &str) -> Proof<'a> {
        Proof { confidence: Confidence::Possible, because: format!("{} {why}", self.because), ..self }
    }

    /// The same, as sure as before, told beside another for a reason that is told behind what it shows.
    #[must_use]
    pub fn beside(self, why: &str) -> Proof<'a> {
        Proof { is_beside: true, because: format!("{} {why}", self.because), ..self }
    }

    /// The same, with what would make it surer.
    #[must_use]
    pub fn and_collect(mut self, what: impl Into<String>) -> Proof<'a> {
        self.collect.push(what.into());
        self
    }
}

/// What a rule says of an incident.
#[derive(Clone, Debug)]
pub enum Judgement<'a> {
    /// It holds.
    Met(Proof<'a>),
    /// It was worth a thought, and does not hold.
    Aside(String),
    /// Nothing here has to do with it.
    Silent,
}

/// One cause's proof.
pub type Rule = for<'a> fn(&Case<'a>) -> Judgement<'a>;

/// Every rule, the earliest links of the chain first: of two causes that are proved alike, the earlier is the cause and
/// the later follows from it.
pub const RULES: &[(Cause, Rule)] = &[
    (Cause::DeviceFault, device_fault::below_a_damaged_record),
    (Cause::CorruptBlock, corrupt_block::judge),
    (Cause::ForeignBlock, foreign_block::judge),
    (Cause::Rollback, rollback::judge),
    (Cause::ArrayFull, array_full::judge),
    (Cause::LockModeMixed, lock_mode_mixed::judge),
    (Cause::Reservation, reservation::judge),
    (Cause::AtsUnsupported, ats_unsupported::judge),
    (Cause::SnapshotSignature, snapshot_signature::judge),
    (Cause::GatewayFault, gateway_fault::judge),
    (Cause::ArrayFault, array_fault::judge),
    (Cause::HbaFault, hba_fault::judge),
    (Cause::DeviceFault, device_fault::judge),
    (Cause::FabricCongestion, fabric_congestion::judge),
    (Cause::PathFault, path_fault::judge),
    (Cause::PathsDisagree, paths_disagree::judge),
    (Cause::ArrayLoad, array_load::judge),
    (Cause::QueueDepth, queue_depth::judge),
    (Cause::SlowStorage, slow_storage::judge),
    (Cause::Fenced, fenced::judge),
    (Cause::StaleCache, stale_cache::judge),
    (Cause::DelayedOwnWrite, delayed_own_write::judge),
    (Cause::ResetCascade, reset_cascade::judge),
    (Cause::Contention, contention::judge),
    (Cause::KnownAdvisory, known_advisory::judge),
];
