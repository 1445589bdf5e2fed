//! What was passed over because it is no log: counted by its kind, and named as far as that helps.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bounds::PASSED_NAMES_MAX;

/// Why something was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Passed {
    /// A core dump, an image, a program.
    Binary,
    /// A link in an archive or a folder: nobody follows it.
    Link,
    /// A device, a pipe or a socket.
    Device,
    /// A member of an archive of a kind that is not known.
    Unknown,
}

impl Passed {
    fn word(self) -> &'static str {
        match self {
            Passed::Binary => "no text",
            Passed::Link => "a link, which is not followed",
            Passed::Device => "a device, a pipe or a socket",
            Passed::Unknown => "a member of an unknown kind in an archive",
        }
    }
}

/// All that was passed over for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedKind {
    /// What each of them is.
    pub what: String,
    /// How many there were.
    pub count: u64,
    /// The names of the first.
    pub first: Vec<String>,
}

/// All that was passed over.
#[derive(Debug, Default)]
pub(crate) struct PassedOver(BTreeMap<Passed, PassedKind>);

impl PassedOver {
    /// Notes one.
    pub(crate) fn note(&mut self, what: Passed, name: &str) {
        let empty = || PassedKind { what: what.word().to_owned(), count: 0, first: Vec::new() };
        let kind = self.0.entry(what).or_insert_with(empty);
        kind.count += 1;
        if kind.first.len() < PASSED_NAMES_MAX {
            kind.first.push(name.to_owned());
        }
    }

    /// What a report says of them.
    pub(crate) fn kinds(&self) -> Vec<PassedKind> {
        self.0.values().cloned().collect()
    }
}

impl PassedKind {
    /// In a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let first = self.first.join(", ");
        let more = self.count.saturating_sub(self.first.len() as u64);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("Passed over, for it is {}: {first}{more}.", self.what)
    }
}
