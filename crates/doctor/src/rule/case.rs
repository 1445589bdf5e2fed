//! A case: one incident, with the questions that rules ask of it.

use crate::fact::{Command, Fact, Heartbeat, HostStatus, Kind, Lock};
use crate::incident::Incident;
use crate::names::Name;
use crate::scene::{Scene, before, near, same_host};

/// One incident before the rules.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The incident.
    pub incident: &'a Incident<'a>,
    /// All that was read, for what lies outside of it.
    pub scene: Scene<'a>,
}

impl<'a> Case<'a> {
    /// The facts of the incident, in the order of time.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &'a Fact> + use<'a> {
        self.incident.facts.iter().copied()
    }

    /// The facts that `chosen` likes.
    pub fn all(&self, chosen: impl Fn(&Fact) -> bool) -> Vec<&'a Fact> {
        self.facts().filter(|fact| chosen(fact)).collect()
    }

    /// The commands of the incident that `chosen` likes.
    pub fn commands(&self, chosen: impl Fn(&Command) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| command(fact).is_some_and(&chosen))
    }

    /// The heartbeats that `chosen` likes.
    pub fn heartbeats(&self, chosen: impl Fn(&Heartbeat) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| matches!(&fact.kind, Kind::Heartbeat(heartbeat) if chosen(heartbeat)))
    }

    /// The locks that `chosen` likes.
    pub fn locks(&self, chosen: impl Fn(&Lock) -> bool) -> Vec<&'a Fact> {
        self.all(|fact| matches!(&fact.kind, Kind::Lock(lock) if chosen(lock)))
    }

    /// ATS that the device answered with false, as hosts saw them.
    #[must_use]
    pub fn miscompares(&self) -> Vec<&'a Fact> {
        self.commands(Command::miscompared)
    }

    /// ATS that nobody answered.
    #[must_use]
    pub fn unanswered_ats(&self) -> Vec<&'a Fact> {
        self.commands(|command| command.is_ats() && command.unanswered())
    }

    /// The first fact of `others` that stands before `fact`, on the same host, within `window_us`.
    #[must_use]
    pub fn just_before(&self, fact: &Fact, others: &[&'a Fact], window_us: i64) -> Option<&'a Fact> {
        others
            .iter()
            .copied()
            .find(|other| same_host(other, fact) && before(other, fact) && near(other, fact, window_us))
    }

    /// The text of a name.
    #[must_use]
    pub fn text(&self, name: Option<Name>) -> Option<&'a str> {
        name.map(|name| self.scene.names.text(name))
    }
}

/// The command of a fact.
#[must_use]
pub fn command(fact: &Fact) -> Option<&Command> {
    match &fact.kind {
        Kind::Command(command) => Some(command),
        _ => None,
    }
}

/// Whether a command was lost to a reset.
#[must_use]
pub fn was_reset(command: &Command) -> bool {
    command.host == Some(HostStatus::RESET)
}

/// How many occurrences these facts stand for.
#[must_use]
pub fn total(facts: &[&Fact]) -> u64 {
    facts.iter().map(|fact| fact.count).fold(0, u64::saturating_add)
}
