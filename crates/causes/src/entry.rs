//! One page of the catalogue: what a cause is, what proves it, and what helps.

use std::fmt;

use crate::{Cause, Layer, Risk};

/// All that is known about one cause, in words for people.
#[derive(Debug)]
pub struct Entry {
    /// The cause.
    pub cause: Cause,
    /// Where it usually sits. A report may place one incident elsewhere if its evidence says so.
    pub layer: Layer,
    /// A headline: a few words, no full stop.
    pub title: &'static str,
    /// What happens, in plain words.
    pub what: &'static str,
    /// How it shows: in logs, in counters, in an Oarlock host's events.
    pub seen_as: &'static str,
    /// What proves it.
    pub proof: Evidence,
    /// What follows if nothing is done, and what does not follow although it is feared.
    pub consequence: &'static str,
    /// What helps, the best first. Never empty.
    pub remedy: &'static [Remedy],
    /// Where this page's facts come from. Never empty.
    pub sources: &'static [Source],
}

/// What proves a cause, for the two who ask.
#[derive(Debug)]
pub struct Evidence {
    /// On a running Oarlock datastore: what the host has read when it names this cause. `None` where a host never
    /// names it, because the proof lies outside of what a host can read.
    pub live: Option<&'static str>,
    /// In the logs of VMware or Linux hosts and of targets: what the lines must show.
    pub logs: &'static str,
}

/// One thing that helps.
#[derive(Debug)]
pub struct Remedy {
    /// What to do.
    pub text: &'static str,
    /// What following it may cost.
    pub risk: Risk,
    /// Who says so.
    pub source: Source,
}

impl Remedy {
    /// Whether it is of use on VMware's hosts and their volumes alone, by the names in its text.
    #[must_use]
    pub fn is_for_vmware(&self) -> bool {
        ["ESXi", "esxcli", "vmkfstools", "On VMFS"].iter().any(|name| self.text.contains(name))
    }
}

/// Where a fact or a remedy comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An article of the Broadcom knowledge base, by its number; its address follows from it.
    Broadcom(u32),
    /// An older article, by the name and number under which it is cited; it has no address that lasts.
    Article(&'static str),
    /// A public page, by its address.
    Page(&'static str),
    /// A clause of a standard.
    Standard(&'static str),
    /// A document of this project, by its path in the repository.
    Document(&'static str),
    /// Known in the field and opened in no source: weigh it as such.
    CommonPractice,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Broadcom(number) => {
                write!(formatter, "KB{number} (https://knowledge.broadcom.com/external/article/{number})")
            }
            Source::Article(text) | Source::Page(text) | Source::Standard(text) | Source::Document(text) => {
                formatter.write_str(text)
            }
            Source::CommonPractice => formatter.write_str("common practice"),
        }
    }
}
