//! A finding: what a report says about one incident. Its fields are the JSON that scripts rely on.

use oarlock_causes::{Cause, Risk};
use serde::Serialize;

use crate::clock::{ClockOffset, ClockQuestion};
use crate::gravity::Harm;
use crate::passed::PassedKind;
use crate::rule::Confidence;
use crate::series::Chronicle;
use crate::stamp::Stamp;
use crate::suggestion::{MachinePart, Suggestion};

/// A line that is quoted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The input: a file, or `archive!member`.
    pub file: String,
    /// The line in it, from 1.
    pub line: u64,
    /// The line, cut if it is long.
    pub text: String,
    /// The same moment in UTC, where the line tells it.
    pub time: Option<String>,
    /// The same moment in the log's own zone, where that is another.
    pub local_time: Option<String>,
    /// The host that wrote it; of a fence, the host that it names.
    pub host: Option<String>,
    /// How many lines it stands for.
    pub count: u64,
}

/// A cause that was weighed and put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PutAside {
    /// The cause.
    pub cause: String,
    /// Why it is not the one.
    pub why: String,
}

/// One thing that helps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remedy {
    /// What to do.
    pub text: String,
    /// What it may cost: `looks`, `changes`, `interrupts` or `final`.
    pub risk: String,
    /// Who says so.
    pub source: String,
}

impl Remedy {
    /// Whether it takes nothing away, not even for a while.
    fn is_mild(&self) -> bool {
        matches!(Risk::from_name(&self.risk), Some(Risk::Looks | Risk::Changes))
    }

    /// What it may cost, in a sentence; of an unknown risk the worst is said.
    #[must_use]
    pub fn cost(&self) -> &'static str {
        Risk::from_name(&self.risk).unwrap_or(Risk::Final).sentence()
    }
}

/// What a report says about one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The earliest cause that the evidence proves.
    pub cause: String,
    /// A headline of its own, where the catalogue's page of the cause speaks of another case.
    #[serde(skip)]
    pub(crate) own_title: Option<&'static str>,
    /// Where it sits.
    pub layer: String,
    /// `certain`, `likely` or `possible`.
    pub confidence: String,
    /// Causes that are shown too, and follow from it or go with it.
    pub also: Vec<String>,
    /// What follows from it.
    pub consequence: String,
    /// The device, where there is one; the first of several.
    pub device: Option<String>,
    /// All devices.
    pub devices: Vec<String>,
    /// Other names that the logs tie to these devices: of their paths and maps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_called: Vec<String>,
    /// The volume, where there is one; the first of several.
    pub volume: Option<String>,
    /// The hosts that saw it.
    pub hosts: Vec<String>,
    /// The first moment, in UTC.
    pub first: Option<String>,
    /// The last.
    pub last: Option<String>,
    /// The same two moments as times that can be drawn.
    #[serde(skip)]
    pub(crate) span: Option<(Stamp, Stamp)>,
    /// What it did to hosts and volumes.
    #[serde(skip)]
    pub(crate) harm: Harm,
    /// Whether writes failed for good in it, whatever graver was harmed besides.
    #[serde(skip)]
    pub(crate) breaks_writes: bool,
    /// Whether it is of a false answer or a few, with nothing but everyday lines around them.
    #[serde(skip)]
    pub(crate) is_lone: bool,
    /// How many lines belong to it.
    pub events: u64,
    /// The lines that prove it.
    pub evidence: Vec<Evidence>,
    /// What happened, in plain words.
    pub explanation: String,
    /// What these lines show.
    pub because: String,
    /// What else was considered.
    pub considered: Vec<PutAside>,
    /// What helps, the best first.
    pub remedy: Vec<Remedy>,
    /// What to collect, to be surer or to know at all.
    pub collect_next: Vec<String>,
}

impl Finding {
    /// Whether nothing is known of it but what to collect: a finding with words of its own has remedies that fit.
    pub(crate) fn is_open(&self) -> bool {
        self.cause == Cause::CannotTell.name() && self.own_title.is_none()
    }

    /// What to do first, in a hurry: two remedies; where the cause is not known, what to collect. For what is only possible nobody replaces a part, stops a
    /// host or lets go of what he may need: he looks whether it is so.
    pub(crate) fn steps_now(&self) -> Vec<&str> {
        const STEPS_MAX: usize = 3;
        let collect = || self.collect_next.iter().map(String::as_str);
        if self.is_open() {
            return collect().take(STEPS_MAX).collect();
        }
        let remedies = |kept: fn(&Remedy) -> bool| {
            self.remedy.iter().filter(move |remedy| kept(remedy)).map(|remedy| remedy.text.as_str())
        };
        if self.confidence != Confidence::Possible.name() {
            return remedies(|_| true).take(STEPS_MAX - 1).collect();
        }
        let steps = remedies(Remedy::is_mild).take(STEPS_MAX - 1).chain(collect()).take(STEPS_MAX);
        let steps: Vec<&str> = steps.collect();
        // Nothing else is known to do.
        if steps.is_empty() { remedies(|_| true).take(STEPS_MAX - 1).collect() } else { steps }
    }

    /// What happened, in a few words; `None` for a cause that the catalogue does not have.
    pub(crate) fn title(&self) -> Option<&'static str> {
        self.own_title.or_else(|| Cause::from_name(&self.cause).map(|cause| cause.entry().title))
    }
}

/// A line that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stranger {
    /// The input.
    pub file: String,
    /// The line in it.
    pub line: u64,
    /// The line, cut.
    pub text: String,
}

/// How much of what was given could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Coverage {
    /// All of it.
    #[default]
    Whole,
    /// Some of it: `problems` says what was not.
    Part,
    /// No line of it: the report says nothing about anybody's health.
    Nothing,
}

/// A whole report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How many inputs were read, members of archives counted one by one.
    pub files: u64,
    /// How many lines.
    pub lines: u64,
    /// How many of them were understood; most others have nothing to do with storage.
    pub understood: u64,
    /// Lines that hold a key word and were not understood.
    pub strange: u64,
    /// What was found, the gravest first: by the risk for data and by what was harmed, then by how surely it is explained.
    pub incidents: Vec<Finding>,
    /// Further incidents that were not judged: there were too many.
    pub incidents_unjudged: u64,
    /// Clocks that differ: the times of these hosts were shifted by so many seconds, to lie over those of the others.
    pub clock_offsets: Vec<ClockOffset>,
    /// Clocks that may differ: nothing was shifted for these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clock_questions: Vec<ClockQuestion>,
    /// What a running machine told of its parts; empty where only logs were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine: Vec<MachinePart>,
    /// What these parts call for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// How much of what was given could be read.
    pub coverage: Coverage,
    /// What could not be read.
    pub problems: Vec<String>,
    /// What was passed over because it is no log.
    pub passed_over: Vec<PassedKind>,
    /// The first lines that were not understood; only where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<Stranger>,
    /// Whether names were replaced.
    #[serde(skip)]
    pub(crate) redacted: bool,
    /// What happened to each host and device, for time lines.
    #[serde(skip)]
    pub(crate) chronicle: Chronicle,
}

impl Report {
    /// The names of hosts in what is said of clocks, to be replaced.
    pub(crate) fn clock_names_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let offsets = self.clock_offsets.iter_mut().flat_map(|offset| [&mut offset.host, &mut offset.than]);
        let questions =
            self.clock_questions.iter_mut().flat_map(|question| [&mut question.host, &mut question.than]);
        offsets.chain(questions)
    }

    /// Says what could not be read, and so how much was.
    pub(crate) fn set_unread(&mut self, problems: Vec<String>, passed_over: Vec<PassedKind>) {
        let no_line = self.lines == 0 && self.machine.is_empty();
        // An empty log is read, and has no lines; a folder without logs is not read.
        let unread = self.files == 0 || !problems.is_empty() || !passed_over.is_empty();
        self.coverage = match (no_line && unread, problems.is_empty()) {
            (true, _) => Coverage::Nothing,
            (false, true) => Coverage::Whole,
            (false, false) => Coverage::Part,
        };
        self.problems = problems;
        self.passed_over = passed_over;
    }
}
