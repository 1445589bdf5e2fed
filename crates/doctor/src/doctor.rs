//! The doctor: reads any number of inputs, then says what was wrong.

use std::io::Read;

use crate::advisory::Advisories;
use crate::diagnose::diagnose;
use crate::error::DoctorError;
use crate::finding::Report;
use crate::ledger::Ledger;
use crate::passed::Passed;
use crate::redact::redact;
use crate::source::Intake;

/// Reads, then judges.
#[derive(Debug)]
pub struct Doctor {
    intake: Option<Intake>,
    ledger: Ledger,
    with_strangers: bool,
    advisories: Advisories,
    redacts: bool,
}

impl Default for Doctor {
    fn default() -> Doctor {
        Doctor::new()
    }
}

impl Doctor {
    /// A doctor who has read nothing.
    #[must_use]
    pub fn new() -> Doctor {
        Doctor {
            intake: Intake::new(),
            ledger: Ledger::default(),
            with_strangers: false,
            advisories: Advisories::default(),
            redacts: false,
        }
    }

    /// Whether the report lists lines that were not understood.
    #[must_use]
    pub fn showing_strangers(self, with_strangers: bool) -> Doctor {
        Doctor { with_strangers, ..self }
    }

    /// Whether the report hides names and ids, each behind the same stand-in wherever it occurs.
    #[must_use]
    pub fn redacting(self, redacts: bool) -> Doctor {
        Doctor { redacts, ..self }
    }

    /// Adds published faults that a user wrote down: the text of a file like `data/advisories.tsv`.
    ///
    /// # Errors
    /// The first line that is no advisory.
    pub fn add_advisories(&mut self, text: &str) -> Result<(), DoctorError> {
        self.advisories.add(text)
    }

    /// Reads an input to its end. `name` is what the report calls it; it tells the host where the lines do not.
    /// `progress` is told the bytes read since it was last told. What cannot be read is noted in the report, and the
    /// rest is judged without it.
    pub fn read(&mut self, name: &str, input: &mut dyn Read, progress: &mut dyn FnMut(u64)) {
        let Some(intake) = &mut self.intake else { return };
        if let Err(error) = intake.read(name, input, &mut self.ledger, progress) {
            self.problem(&error);
        }
    }

    /// Notes an input that could not even be opened.
    pub fn problem(&mut self, error: &DoctorError) {
        self.ledger.problem(error);
    }

    /// Notes a link that was met in a folder and is not followed.
    pub fn pass_link(&mut self, name: &str) {
        self.ledger.pass_over(Passed::Link, name);
    }

    /// Notes a socket, a pipe or a device that was found in a folder, and holds no log.
    pub fn pass_device(&mut self, name: &str) {
        self.ledger.pass_over(Passed::Device, name);
    }

    /// Judges what was read.
    #[must_use]
    pub fn judge(mut self) -> Report {
        let mut report = diagnose(&mut self.ledger, &self.advisories, self.with_strangers);
        report.set_unread(self.ledger.problems(), self.ledger.passed.kinds());
        if self.redacts {
            redact(&mut report, &self.ledger);
        }
        report
    }
}
