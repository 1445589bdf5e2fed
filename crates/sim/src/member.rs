//! Members: each host of the datastore, life after life: it joins, its users fight for locks, it dies or leaves, and
//! comes back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{Clock, Random};
use oarlock_engine::{Ended, Host, StopReason};
use oarlock_format::{DescriptorRecord, HostName, LayerId, Owner, Place, Superblock, decode};

use crate::census::{Census, LifeKey, Member};
use crate::checkers::Names;
use crate::datastore::{Template, parts};
use crate::disks::estate::Estate;
use crate::disks::guest::use_disks;
use crate::namer::use_names;
use crate::scenario::{Scenario, Theme};
use crate::user::{User, use_locks};
use crate::{ChoiceKind, Handle, HostIndex, HostLife, Span};

/// What all tasks of one run share.
pub struct Run {
    /// The world.
    pub world: Handle,
    /// What is run.
    pub scenario: Scenario,
    /// What checkers know.
    pub census: Rc<Census>,
    /// The counters' places.
    pub layout: oarlock_format::Layout,
    /// The superblock as it was formatted.
    pub superblock: Superblock,
    /// Which disk has which name.
    pub names: Names,
    /// What disks show.
    pub estate: Estate,
    /// Processes that are about to leave.
    pub leaving: RefCell<BTreeSet<LifeKey>>,
    /// Processes that ended otherwise than by leaving, and with all that they had to free.
    pub crashes: Cell<u64>,
}

impl Run {
    /// A random duration, by the world's chance.
    #[must_use]
    pub fn between(&self, from_ms: u64, to_ms: u64) -> Duration {
        self.world.choices().duration(Span::milliseconds(from_ms, to_ms))
    }

    /// One in `n`.
    #[must_use]
    pub fn one_in(&self, n: usize) -> bool {
        self.world.choices().choose(ChoiceKind::Schedule, n) == 0
    }

    /// Who owns a layer, as its descriptor says at this moment.
    #[must_use]
    pub fn owner_of(&self, id: LayerId) -> Option<Owner> {
        let lba = self.layout.descriptor(id.descriptor);
        let place = Place { format_id: Template::FORMAT_ID, lba };
        let record = decode::<DescriptorRecord>(&self.world.content(lba), &place).ok()?.record;
        record.lock.owner.filter(|_| record.uid == id.uid)
    }

    /// Says that something is wrong, by the invariant that it breaks.
    pub fn violation(&self, invariant: &str, message: &str) {
        self.world.report_violation(format!("{invariant}: {message}"));
    }
}

/// The name of a member: two of them have one name in a run about twins.
pub(crate) fn name_of(run: &Run, number: u16) -> HostName {
    let number = if run.scenario.theme == Theme::Twins { number / 2 } else { number };
    match HostName::new(&format!("h{number}")) {
        Ok(name) => name,
        Err(error) => panic!("a member has no proper name: {error}"),
    }
}

/// Keeps a member alive, whatever happens to it, until the world ends. Runs on the overseer's machine.
pub async fn keep_alive(run: Rc<Run>, host: HostIndex, number: u16) {
    run.world.sleep_until(run.world.now().plus(run.between(0, 3_000))).await;
    loop {
        let life = run.world.start_life(host);
        let key = (host, life.life());
        life.spawn(live(Rc::clone(&run), life.clone(), number));
        run.crashes.set(run.crashes.get() + 1);
        life.ended().await;
        run.census.ended(key, run.world.now());
        run.world.sleep_until(run.world.now().plus(run.between(10, 5_000))).await;
    }
}

/// One life: join, run, and end the process when the host has ended, as the daemon does.
async fn live(run: Rc<Run>, life: HostLife, number: u16) {
    let name = name_of(&run, number);
    let clock = life.clock();
    let host = loop {
        let events = event_sink(&run, &life);
        match Host::join(parts(&life), &name, events).await {
            Ok(host) => break host,
            Err(error) => {
                run.world.note(Some(life.host()), &format!("could not join: {error}"));
                clock.sleep_until(clock.now().plus(run.between(100, 2_000))).await;
            }
        }
    };
    let key: LifeKey = (life.host(), life.life());
    let owner = host.status().owner;
    run.world.note(
        Some(life.host()),
        &format!("joined as {name}, slot {} incarnation {}", owner.slot, owner.incarnation),
    );
    let frozen = std::cell::Cell::new(false);
    run.census.joined(key, Member { host: host.clone(), clock: life.clock(), frozen });
    for _ in 0..run.scenario.users_per_host {
        let user =
            || User { run: Rc::clone(&run), life: life.clone(), host: host.clone(), random: life.random() };
        if run.scenario.theme == Theme::Names {
            life.spawn(use_names(user()));
        }
        if run.scenario.theme == Theme::Disks {
            life.spawn(use_disks(user()));
        }
        life.spawn(use_locks(user()));
    }
    let leave_after = leave_after(&run, &life);
    let leaving = leave(&run, &host, &life, leave_after);
    let running = host.run();
    futures::pin_mut!(leaving, running);
    let ended = match select(running, leaving).await {
        Either::Left((ended, _)) => ended,
        Either::Right(((), running)) => running.await,
    };
    run.world.note(Some(life.host()), &format!("ended: {ended}"));
    if ended == Ended::Left && host.uncleared() == 0 {
        run.crashes.set(run.crashes.get() - 1);
    }
    if is_for_space(&ended) {
        run.violation("R24", &format!("{} {ended}", life.host()));
    }
    run.census.ended(key, run.world.now());
    run.world.stop_life(life.host());
}

/// Whether a host ended because there was no room below: its end makes none.
fn is_for_space(ended: &Ended) -> bool {
    let full = oarlock_block::Refusal::Full.to_string();
    matches!(ended, Ended::Stopped(StopReason::JournalFailed { detail }) if detail.contains(&full))
}

fn event_sink(run: &Rc<Run>, life: &HostLife) -> oarlock_engine::EventSink {
    let (run, host) = (Rc::clone(run), life.host());
    Rc::new(move |event| {
        run.world
            .note(Some(host), &format!("{} {} {}: {}", event.kind, event.cause, event.action, event.detail));
    })
}

/// When a life ends by leaving: never, in most.
fn leave_after(run: &Run, life: &HostLife) -> Option<Duration> {
    let before_the_calm = run.world.now() < run.scenario.faults_end();
    let restless = run.scenario.theme == Theme::Restless;
    let leaves = before_the_calm && (restless || run.one_in(6));
    let after = Duration::from_millis(life.random().below(if restless { 15_000 } else { 60_000 }));
    (leaves && run.world.now().plus(after) < run.scenario.faults_end()).then_some(after)
}

async fn leave(run: &Run, host: &Host, life: &HostLife, after: Option<Duration>) {
    let clock = life.clock();
    let Some(after) = after else { return std::future::pending().await };
    clock.sleep_until(clock.now().plus(after)).await;
    run.world.note(Some(life.host()), "leaves");
    run.leaving.borrow_mut().insert((life.host(), life.life()));
    let deadline = clock.now().plus(run.scenario.timing.lease * 2);
    host.leave(deadline).await;
}
