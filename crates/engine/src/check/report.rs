//! The report: what was found, where, how grave it is, and what became of it.

use oarlock_block::Lba;
use oarlock_format::{Kind, Label};

use crate::check::code::{Code, Severity};
use crate::event::Event;

/// Where something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The block.
    pub lba: Lba,
    /// What kind of record stands there, or should.
    pub record: Kind,
    /// Which one, for people: `slot 3`, `lock position 17`, `shadow`.
    pub name: String,
}

/// What a repair did about a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// The record was put right; how, in a sentence.
    Restored {
        /// How.
        how: String,
    },
    /// Another had put it right by the time that this repair came to it.
    ByAnother,
    /// The hosts that can settle it were asked to.
    Asked {
        /// How many.
        hosts: usize,
    },
}

impl Repaired {
    /// What was done, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Repaired::Restored { how } => how.clone(),
            Repaired::ByAnother => "another had repaired it already".to_owned(),
            Repaired::Asked { hosts } => format!("{hosts} hosts were asked to say whether they hold it"),
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub code: Code,
    /// Where.
    pub place: Spot,
    /// What exactly, in a sentence.
    pub message: String,
    /// What was done about it, if anything was.
    pub repaired: Option<Repaired>,
    /// Why nothing was done about it although a repair was asked for and there is one.
    pub refused: Option<String>,
}

impl Finding {
    /// How grave it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Whether an invariant is still broken.
    #[must_use]
    pub const fn is_damage_left(&self) -> bool {
        matches!(self.severity(), Severity::Damage) && self.repaired.is_none()
    }
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The datastore's name, where a superblock could be read.
    pub label: Option<Label>,
    /// No invariant was found broken. Warnings and notes may be there.
    pub clean: bool,
    /// What was found, by address.
    pub findings: Vec<Finding>,
    /// What could not be judged, and why: what living hosts have, most of all. It is neither sound nor damaged for that.
    pub not_judged: Vec<String>,
    /// What the repair did, and the false and unknown answers that it met.
    pub events: Vec<Event>,
    /// As what the repair wrote: the name of the host, or `None` for a tool without a slot. Only where it wrote.
    pub repaired_as: Option<String>,
}

impl CheckReport {
    /// Exit code of `oarlock check`: everything is whole.
    pub const EXIT_CLEAN: u8 = 0;
    /// Exit code of `oarlock check`: there was damage, and all of it was repaired.
    pub const EXIT_REPAIRED: u8 = 3;
    /// Exit code of `oarlock check`: damage is left.
    pub const EXIT_DAMAGED: u8 = 4;

    /// The report of these findings.
    pub(crate) fn new(label: Option<Label>, mut findings: Vec<Finding>) -> CheckReport {
        findings.sort_by_key(|finding| (finding.place.lba, finding.code));
        let clean = !findings.iter().any(|finding| finding.severity() == Severity::Damage);
        CheckReport { label, clean, findings, not_judged: Vec::new(), events: Vec::new(), repaired_as: None }
    }

    /// The exit code of `oarlock check`. A check that could not be made has no report, and exits with 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.clean {
            CheckReport::EXIT_CLEAN
        } else if self.findings.iter().any(Finding::is_damage_left) {
            CheckReport::EXIT_DAMAGED
        } else {
            CheckReport::EXIT_REPAIRED
        }
    }
}
