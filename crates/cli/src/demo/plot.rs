//! The plot: what the steps hand on to each other.

use super::cast::Actor;
use super::stage::Trouble;

/// The hosts, and what they remember from step to step.
#[derive(Debug, Default)]
pub struct Plot {
    /// The hosts that run: name and process.
    pub hosts: Vec<(&'static str, Actor)>,
    /// Where the answers to the last questions go.
    pub listings: Vec<String>,
}

impl Plot {
    /// The process of a host.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn host(&self, name: &str) -> Result<Actor, Trouble> {
        let found = self.hosts.iter().find(|(known, _)| *known == name);
        found.map(|(_, actor)| *actor).ok_or_else(|| Trouble::Broken(format!("host {name} does not run")))
    }

    /// A host does not run any more.
    pub fn gone(&mut self, name: &str) {
        self.hosts.retain(|(known, _)| *known != name);
    }
}
