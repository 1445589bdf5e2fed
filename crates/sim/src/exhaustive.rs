//! Every schedule, within bounds, of the engine itself: two hosts, one lock, one crash and one late command.
//!
//! Both hosts join, take the lock, count under it and release it. At each submission, execution and reply one of them may
//! crash; any one command may be executed a moment later, or long after its host gave it up or died; and wherever two
//! tasks or events are close enough to change places, they may. The bounds say how many of each in one run. All checkers
//! of the seeded runs watch; at the end the lock must be free to whoever is left.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use oarlock_block::Clock;
use oarlock_engine::{Host, Want};
use oarlock_format::HostName;

use crate::census::{Census, Grant, Member};
use crate::checkers::Names;
use crate::datastore::{Ground, Template, parts};
use crate::disks::estate::Estate;
use crate::member::Run;
use crate::scenario::{Power, Scenario, Theme, fast_timing, lock_name};
use crate::user::count_once;
use crate::{
    ChoiceKind, Choices, Exploration, Explorer, FaultKind, FaultPlan, HostIndex, HostLife, HostSetup, Life,
    Limits, Scheduling, TrueTime, World, WorldOptions, checkers,
};

/// How far one exploration goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Crashes in one run.
    pub crashes: usize,
    /// Late commands in one run.
    pub late: usize,
    /// Steps out of the order of time in one run.
    pub out_of_order: usize,
    /// How long crashes and lateness may begin, and steps change places; what follows must become good again.
    pub faults_for: Duration,
    /// Runs at most.
    pub schedules_max: u64,
}

/// Runs every schedule within the bounds.
#[must_use]
pub fn explore(bounds: Bounds) -> Exploration<String> {
    let limits = Limits {
        non_default_max: bounds.out_of_order,
        non_default_max_of: vec![
            (ChoiceKind::Fault(FaultKind::Crash), bounds.crashes),
            (ChoiceKind::Fault(FaultKind::LateCommand), bounds.late),
        ],
        ..Limits::unbounded(bounds.schedules_max)
    };
    Explorer::new(limits).explore(|choices| run_once(bounds, choices))
}

/// Runs one schedule again, and gives its trace.
pub fn replay(bounds: Bounds, script: Vec<usize>) -> (Result<(), String>, String) {
    let run = prepare(bounds, Choices::scripted(script), crate::TRACE_ENTRIES);
    let outcome = finish(&run);
    (outcome, run.0.trace(&|_, _| String::new()))
}

/// A watch, a cut-off and a few beats later everything is over.
const END: Duration = Duration::from_secs(8);

fn run_once(bounds: Bounds, choices: Choices) -> Result<(), String> {
    let run = prepare(bounds, choices, 0);
    let outcome = finish(&run);
    run.1.census.close();
    outcome
}

type Prepared = (World, Rc<Run>, Rc<Cell<u32>>);

fn prepare(bounds: Bounds, choices: Choices, trace_entries: usize) -> Prepared {
    let timing = fast_timing();
    let delays = vec![Duration::from_millis(300), Duration::from_secs(5)];
    let count = |bound: usize| u32::try_from(bound).unwrap_or(u32::MAX);
    let mut faults = FaultPlan::exhaustive(count(bounds.crashes), count(bounds.late), delays);
    faults.stop_at = TrueTime::from_start(bounds.faults_for);
    let mut options = WorldOptions::calm(1).with_faults(faults);
    options.geometry = Ground::of(2).geometry();
    options.trace_entries = trace_entries;
    options.scheduling = Scheduling::Interleaved { window: Duration::from_micros(150), alternatives_max: 3 };
    let world = World::new(options, choices);
    let template = Template::of(2, timing);
    template.put(&world);
    let scenario = Scenario {
        seed: 1,
        theme: Theme::Ordinary,
        hosts: 2,
        users_per_host: 1,
        locks: vec![lock_name("lock/0")],
        timing,
        power: Power::Steady,
        ground: Ground::of(2),
        faults_for: bounds.faults_for,
        calm_for: END.saturating_sub(bounds.faults_for),
    };
    let census = Rc::new(Census::default());
    let run = Rc::new(Run {
        world: world.handle(),
        scenario,
        census,
        layout: template.layout(),
        superblock: template.superblock.record.clone(),
        names: Names::default(),
        estate: Estate::default(),
        leaving: RefCell::default(),
        crashes: Cell::default(),
    });
    for checker in checkers::all(&run) {
        world.observe(checker);
    }
    let done = Rc::new(Cell::new(0));
    for number in 0..2_u64 {
        let life = world.start_life(world.add_host(HostSetup::MEMBER));
        life.spawn(one_host(Rc::clone(&run), life.clone(), number, Rc::clone(&done)));
    }
    (world, run, done)
}

fn finish((world, run, done): &Prepared) -> Result<(), String> {
    // Once everybody had the lock and nothing is on its way any more, hosts only beat.
    let faults_end = run.scenario.faults_end();
    world.run_until_satisfied(TrueTime::from_start(END), || {
        world.now() >= faults_end && done.get() >= lives_left(run) && nothing_is_out(run)
    });
    if let Some(violation) = world.violation() {
        return Err(violation.what);
    }
    if let Some(wrong) = run.census.not_linearizable() {
        return Err(wrong);
    }
    let expected = lives_left(run);
    if done.get() < expected {
        return Err(format!("{expected} hosts live at the end, and {} of them had the lock", done.get()));
    }
    Ok(())
}

fn lives_left(run: &Run) -> u32 {
    let present = (0..2).filter(|host| run.world.present_life(HostIndex(*host)).is_some()).count();
    u32::try_from(present).unwrap_or(0)
}

fn nothing_is_out(run: &Run) -> bool {
    (0..2).all(|host| run.world.writes_in_flight(HostIndex(host), Life(0)) == 0)
}

/// Joins, takes the lock, counts, releases. The second host begins while the first holds the lock.
async fn one_host(run: Rc<Run>, life: HostLife, number: u64, done: Rc<Cell<u32>>) {
    let clock = life.clock();
    clock.sleep_until(clock.now().plus(Duration::from_millis(3 * number))).await;
    let Ok(name) = HostName::new(&format!("h{number}")) else { return };
    let host = loop {
        if let Ok(host) = Host::join(parts(&life), &name, Rc::new(|_| {})).await {
            break host;
        }
        clock.sleep_until(clock.now().plus(run.scenario.timing.beat)).await;
    };
    let key = (life.host(), life.life());
    let member = Member { host: host.clone(), clock: life.clock(), frozen: Cell::new(false) };
    run.census.joined(key, member);
    let running = host.clone();
    life.spawn(async move {
        running.run().await;
    });
    let mut counted = false;
    while !counted && host.status().state == oarlock_engine::HostState::Live {
        let deadline = clock.now().plus(END);
        let asked = run.world.now();
        let Ok(guard) = host.lock(&run.scenario.locks[0], Want::Exclusive, deadline).await else { continue };
        let grant =
            Grant { lock: 0, want: Want::Exclusive, sticky: false, life: key, asked, token: guard.token() };
        let (grant, wrong) = run.census.granted(&run.world, grant);
        if let Some(wrong) = wrong {
            run.world.report_violation(wrong);
        }
        counted = count_once(&run, &life, &guard).await;
        clock.sleep_until(clock.now().plus(Duration::from_millis(2))).await;
        run.census.released(&run.world, grant);
        guard.release().await;
    }
    done.set(done.get() + 1);
}
