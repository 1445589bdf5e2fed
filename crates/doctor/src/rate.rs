//! How often is too often. In a large cluster the everyday troubles of all hosts never leave two minutes free: their sum grows with the hosts, and none of
//! them is sick. So what counts is how many came at once, or on one host.

use std::collections::{HashMap, VecDeque};

use crate::fact::{DeviceStatus, Fact, Kind, LockStep};
use crate::incident::QUIET_US;
use crate::names::Name;
use crate::scene::near;

/// What one host suffers every day is much where it comes within this.
const HOST_US: i64 = 300_000_000;

/// The last occurrences, up to some time ago.
#[derive(Default)]
struct Window<'a> {
    facts: VecDeque<&'a Fact>,
    count: u64,
}

impl<'a> Window<'a> {
    /// Takes a fact that is later than all others; how many occurrences there are within `us` of it.
    fn take(&mut self, fact: &'a Fact, us: i64) -> u64 {
        while let Some(first) = self.facts.front().filter(|first| !near(first, fact, us)) {
            self.count = self.count.saturating_sub(first.count);
            self.facts.pop_front();
        }
        self.facts.push_back(fact);
        self.count = self.count.saturating_add(fact.count);
        self.count
    }
}

/// What one host told.
#[derive(Default)]
struct OfHost<'a> {
    all: Window<'a>,
    /// The last that is not of every day, and how many came one behind the other up to it.
    run: Option<(&'a Fact, u64)>,
}

impl<'a> OfHost<'a> {
    fn take(&mut self, fact: &'a Fact) -> u64 {
        let within = self.all.take(fact, HOST_US);
        if is_everyday(fact) {
            return within;
        }
        let before = self.run.filter(|(last, _)| near(last, fact, QUIET_US)).map_or(0, |(_, count)| count);
        let count = before.saturating_add(fact.count);
        self.run = Some((fact, count));
        within.max(count)
    }
}

/// Whether so many occurrences came at once, on whichever hosts, or soon behind one another on one host. The facts stand in the order of time.
pub fn are_many<'a>(facts: impl IntoIterator<Item = &'a Fact>, least: u64) -> bool {
    let mut at_once = Window::default();
    let mut hosts: HashMap<Option<Name>, OfHost<'_>> = HashMap::new();
    facts.into_iter().any(|fact| {
        at_once.take(fact, QUIET_US) >= least || hosts.entry(fact.host).or_default().take(fact) >= least
    })
}

/// What healthy hosts tell every day: a latency that heartbeats do not feel, a full queue, a question whether an owner lives.
fn is_everyday(fact: &Fact) -> bool {
    match &fact.kind {
        Kind::Latency { .. } => true,
        Kind::Command(command) => {
            matches!(command.device, Some(DeviceStatus::TASK_SET_FULL | DeviceStatus::BUSY))
        }
        Kind::Lock(lock) => lock.step == LockStep::CheckingLiveness,
        _ => false,
    }
}
