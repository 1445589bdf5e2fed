//! A finding: what a report says about one incident. Its fields are the JSON that scripts rely on.

use serde::Serialize;

use crate::gravity::Harm;
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
    /// The host that wrote it.
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
    /// Who says so.
    pub source: String,
}

/// What a report says about one incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The earliest cause that the evidence proves.
    pub cause: String,
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

/// A host whose clock differs from the others'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockOffset {
    /// The host.
    pub host: String,
    /// Seconds by which its clock is ahead; what it wrote was shifted back by them.
    pub ahead_s: i64,
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
    /// What a running machine told of its parts; empty where only logs were read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machine: Vec<MachinePart>,
    /// What these parts call for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suggestions: Vec<Suggestion>,
    /// What could not be read.
    pub problems: Vec<String>,
    /// The first lines that were not understood; only where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<Stranger>,
    /// What happened to each host and device, for time lines.
    #[serde(skip)]
    pub(crate) chronicle: Chronicle,
}
