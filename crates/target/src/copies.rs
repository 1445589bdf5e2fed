//! Copies under way and what came of those that ended, by the nexus and the identifier that they were given (SPC-4).

use std::collections::BTreeMap;

use oarlock_scsi::{Sense, Status};

use crate::session::Nexus;

/// Results that are kept; the oldest go where there are more.
const RESULTS_MAX: usize = 1024;

/// What came of a copy.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CopyResult {
    pub(crate) segments: u16,
    pub(crate) bytes: u64,
    pub(crate) failure: Option<(Status, Sense)>,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Copies {
    /// `None`: it is under way.
    known: BTreeMap<(Nexus, u8), Option<CopyResult>>,
    ended: std::collections::VecDeque<(Nexus, u8)>,
}

impl Copies {
    /// A copy begins; `false` where one of that name is under way.
    pub(crate) fn begin(&mut self, nexus: &Nexus, identifier: u8) -> bool {
        let name = (nexus.clone(), identifier);
        if matches!(self.known.get(&name), Some(None)) {
            return false;
        }
        self.ended.retain(|ended| *ended != name);
        self.known.insert(name, None);
        true
    }

    pub(crate) fn end(&mut self, nexus: &Nexus, identifier: u8, result: CopyResult) {
        let name = (nexus.clone(), identifier);
        self.known.insert(name.clone(), Some(result));
        self.ended.push_back(name);
        if self.ended.len() > RESULTS_MAX
            && let Some(oldest) = self.ended.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    /// How far a copy is; `None`: nothing is known of it. `Some(None)`: it is under way.
    pub(crate) fn status(&self, nexus: &Nexus, identifier: u8) -> Option<Option<&CopyResult>> {
        self.known.get(&(nexus.clone(), identifier)).map(Option::as_ref)
    }

    /// What came of a copy that ended, which is forgotten with that.
    pub(crate) fn take(&mut self, nexus: &Nexus, identifier: u8) -> Option<CopyResult> {
        let name = (nexus.clone(), identifier);
        let result = self.known.get(&name)?.clone()?;
        self.known.remove(&name);
        self.ended.retain(|ended| *ended != name);
        Some(result)
    }
}
