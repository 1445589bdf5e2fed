//! The lock protocol, exhaustively: an abstract model of three hosts and one lock, whose transitions are the engine's own
//! decisions.
//!
//! The model is not the engine: it is a small world in which the engine's pure functions (`verdict::find`,
//! `attempt::OpenAttempts`, `decide::*`, `step::next_step`, `watch::Watch`, `lease::Lease`) say what each host does,
//! and in which every order of executions, replies, losses, crashes and ticks within a bound is tried. docs/decisions/0040
//! says what was left out, and why that is sound; docs/PROTOCOL.md has the rules that the properties stand for.
//!
//! Time: every instant is kept as its age in ticks (a lease is 2, a watch 3, a gap 1), and no age grows beyond the point
//! where it matters, so that the states are finite. A pause is a host that takes no step while ticks go by. Drift is a tick
//! that one clock does not count, or counts twice.
//!
//! `OARLOCK_MODEL=large cargo test --release -p oarlock-sim --test model -- --nocapture` goes further than the default.

#[path = "model/device.rs"]
mod device;
#[path = "model/host.rs"]
mod host;
#[path = "model/mistakes.rs"]
mod mistakes;
#[path = "model/record.rs"]
mod record;
#[path = "model/rules.rs"]
mod rules;
#[path = "model/state.rs"]
mod state;

use std::time::Instant;

use oarlock_engine::Want;
use oarlock_engine::decide::taken;
use oarlock_format::SlotState;
use stateright::{Checker, HasDiscoveries, Model, Property};

use mistakes::Mistake;
use record::{HOSTS, Image, Lock, Process, Slot};
use state::{Bounds, Flaw, Host, Lane, Note, Phase, State};

/// One world: who wants what, how much of everything there is, and which mistake is made.
#[derive(Clone, Debug)]
struct World {
    /// What each host wants of the lock; `None` takes part in nothing, and is dead from the start.
    wants: [Option<Want>; HOSTS as usize],
    /// Whether the first host has the lock at the start.
    held: bool,
    bounds: Bounds,
    mistake: Option<Mistake>,
    /// Rare things that must be reachable.
    reaches: &'static [Note],
}

/// One step of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    /// Time goes by; this host's clock counts so many ticks instead of one.
    Tick(Option<(u8, u8)>),
    Execute(usize),
    Lose(usize),
    Deliver(u8, Lane),
    GiveUp(u8, Lane),
    Crash(u8),
    Hear(u8),
    Exit(u8),
    Evict(u8),
    Enter(u8),
    Bury(u8),
    Beat(u8),
    ReadLock(u8),
    Take(u8),
    ProveFree(u8, u8),
    GiveOut(u8),
    Release(u8),
    Write(u8),
    Pursue(u8, u8),
    Look(u8),
    Step(u8),
}

impl World {
    fn apply(&self, state: &mut State, action: Action) -> Option<()> {
        let want = |index: u8| self.wants[usize::from(index)];
        match action {
            Action::Tick(drift) => tick(state, drift),
            Action::Execute(index) => device::execute(state, index),
            Action::Lose(index) => device::lose(state, index),
            Action::Deliver(index, lane) => device::deliver(state, index, lane, self.mistake),
            Action::GiveUp(index, lane) => device::give_up(state, index, lane, self.mistake),
            Action::Crash(index) => crash(state, index),
            Action::Hear(slot) => state.hear(slot),
            Action::Exit(index) => host::exit(state, index),
            Action::Evict(index) => host::evict(state, index),
            Action::Enter(index) => host::enter(state, index, self.mistake),
            Action::Bury(index) => host::bury(state, index, self.mistake),
            Action::Beat(index) => host::beat(state, index),
            Action::ReadLock(index) => host::read_lock(state, index),
            Action::Take(index) => host::take(state, index, want(index)?, self.mistake),
            Action::ProveFree(index, slot) => host::prove_free(state, index, slot, want(index)?),
            Action::GiveOut(index) => host::give_out(state, index, want(index)?),
            Action::Release(index) => host::release(state, index),
            Action::Write(index) => host::write(state, index),
            Action::Pursue(index, slot) => host::pursue(state, index, slot, want(index)?),
            Action::Look(index) => host::look(state, index),
            Action::Step(index) => host::step(state, index, self.mistake),
        }
    }
}

fn tick(state: &mut State, drift: Option<(u8, u8)>) -> Option<()> {
    state.left.ticks = state.left.ticks.checked_sub(1)?;
    if drift.is_some() {
        state.left.drift = state.left.drift.checked_sub(1)?;
    }
    for index in 0..HOSTS {
        let by = drift.filter(|(host, _)| *host == index).map_or(1, |(_, by)| by);
        state.grow_older(index, by);
    }
    Some(())
}

fn crash(state: &mut State, index: u8) -> Option<()> {
    if state.host(index).phase == Phase::Dead {
        return None;
    }
    state.left.crashes = state.left.crashes.checked_sub(1)?;
    state.end_process(index, true);
    Some(())
}

/// What this host may do, and what may be done to it. Whether it can now is found out by trying.
fn actions_of(state: &State, host: u8, actions: &mut Vec<Action>) {
    let left = &state.left;
    let phase = state.host(host).phase;
    if left.drift > 0 && left.ticks > 0 && phase == Phase::Live {
        actions.extend([Action::Tick(Some((host, 0))), Action::Tick(Some((host, 2)))]);
    }
    if left.crashes > 0 && phase != Phase::Dead {
        actions.push(Action::Crash(host));
    }
    if state.users[usize::from(host)].is_some() {
        actions.push(Action::Hear(host));
    }
    if left.evictions > 0 && state.host(host).pursuit.is_some() {
        actions.push(Action::Evict(host));
    }
    match phase {
        Phase::Dead if left.joins > 0 => actions.push(Action::Enter(host)),
        Phase::Dead => {}
        Phase::Stopped => actions.push(Action::Exit(host)),
        Phase::Joining => actions.push(Action::Bury(host)),
        Phase::Live if state.host(host).may_act() => {
            actions.extend([Action::Beat(host), Action::ReadLock(host), Action::Take(host)]);
            actions.extend([Action::GiveOut(host), Action::Release(host), Action::Write(host)]);
            actions.extend([Action::Look(host), Action::Step(host)]);
            let others = (0..HOSTS).filter(|slot| *slot != host);
            actions
                .extend(others.flat_map(|slot| [Action::ProveFree(host, slot), Action::Pursue(host, slot)]));
        }
        Phase::Live => actions.push(Action::Beat(host)),
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    /// Every host that takes part lives, and has just beaten.
    fn init_states(&self) -> Vec<State> {
        let process = |index: u8| Process { slot: index, life: 1 };
        let hosts = [0, 1, 2].map(|index: u8| {
            let mut host = Host::dead(process(index));
            if self.wants[usize::from(index)].is_some() {
                host.phase = Phase::Live;
                host.confirmed = Some(0);
                host.own = Some(record::Cell::new(first_slot(SlotState::Live)));
            }
            host
        });
        let slots = [0, 1, 2].map(|index: usize| {
            first_slot(if self.wants[index].is_some() { SlotState::Live } else { SlotState::Free })
        });
        let mut hosts = hosts;
        let mut lock = Image::first(Lock::FREE);
        if let (true, Some(want)) = (self.held, self.wants[0]) {
            lock.record = Lock::of(&taken(&lock.record.state(), process(0).owner(), want, false, 0));
            hosts[0].lock = Some(record::Cell::new(lock));
            hosts[0].holds = Some(want);
        }
        let users = [None; HOSTS as usize];
        let (commands, left) = (Vec::new(), self.bounds);
        vec![State { slots, lock, commands, hosts, users, left, note: None, flaws: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.left.ticks > 0 {
            actions.push(Action::Tick(None));
        }
        for (index, command) in state.commands.iter().enumerate() {
            if command.done.is_none() {
                actions.push(Action::Execute(index));
            }
            if !command.awaited {
                actions.push(Action::Lose(index));
                continue;
            }
            let host = command.by.slot;
            if command.done.is_some() {
                actions.push(Action::Deliver(host, command.lane));
            }
            if state.left.unknowns > 0 {
                actions.push(Action::GiveUp(host, command.lane));
            }
        }
        (0..HOSTS).for_each(|host| actions_of(state, host, actions));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut next = last.clone();
        next.note = None;
        next.flaws = 0;
        self.apply(&mut next, action)?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("one owner at a time, judged at the hosts", |_, state: &State| {
                rules::one_owner(state)
            }),
            Property::always(ONE_USER, |_, state: &State| rules::one_user(state)),
            Property::always("no host is fenced within its lease", |_, state: &State| {
                rules::no_fence_within_the_lease(state)
            }),
            Property::always("no unknown is given up while it may land", |_, state: &State| {
                rules::no_unknown_is_given_up(state)
            }),
            Property::always("the lock changes hands only by release or after replay", |_, state: &State| {
                !state.has_flaw(Flaw::OwnerChangedUnlawfully)
            }),
            Property::always("nothing of a host lands once it is cut off", |_, state: &State| {
                !state.has_flaw(Flaw::EffectAfterCutOff)
            }),
            Property::always("no guarded write lands after the next grant", |_, state: &State| {
                !state.has_flaw(Flaw::StaleWriteLanded)
            }),
            Property::always("an incarnation never goes back", |_, state: &State| {
                !state.has_flaw(Flaw::LifeWentBack)
            }),
            Property::always("replaying moves only from a replayer that was cut off", |_, state: &State| {
                !state.has_flaw(Flaw::ReplayTakenFromTheLiving)
            }),
            Property::always("no process is killed whose own life is not fenced", |_, state: &State| {
                !state.has_flaw(Flaw::KilledUnfenced)
            }),
        ];
        properties.extend(self.reaches.iter().map(reached));
        properties
    }
}

fn first_slot(state: SlotState) -> Image<Slot> {
    Image::first(Slot { state, life: 1, process: 1 })
}

fn reached(note: &Note) -> Property<World> {
    match note {
        Note::TakeoverCompleted => Property::sometimes("a takeover completes", |_, state: &State| {
            state.note == Some(Note::TakeoverCompleted)
        }),
        Note::LateCommandAdopted => Property::sometimes("a late command is adopted", |_, state: &State| {
            state.note == Some(Note::LateCommandAdopted)
        }),
        Note::FenceLost => Property::sometimes("a fence loses against a beat", |_, state: &State| {
            state.note == Some(Note::FenceLost)
        }),
        Note::ReplayTakenOver => {
            Property::sometimes("replaying is taken over from a dead replayer", |_, state: &State| {
                state.note == Some(Note::ReplayTakenOver)
            })
        }
        Note::LockBroken => {
            Property::sometimes("a lock is broken", |_, state: &State| state.note == Some(Note::LockBroken))
        }
        Note::UserHeard => Property::sometimes("a user outlives its host's process", |_, state: &State| {
            state.note == Some(Note::UserHeard)
        }),
        Note::HostFenced => {
            Property::sometimes("a host is fenced", |_, state: &State| state.note == Some(Note::HostFenced))
        }
    }
}

/// Nothing is left of any bound.
const NOTHING: Bounds = Bounds {
    ticks: 0,
    drift: 0,
    unknowns: 0,
    crashes: 0,
    evictions: 0,
    joins: 0,
    beats: 0,
    takes: 0,
    releases: 0,
    writes: 0,
};

const ONE_USER: &str = "one user at a time, also of hosts that have ended";
const EXCLUSIVE: Option<Want> = Some(Want::Exclusive);
const SHARED: Option<Want> = Some(Want::Shared);

fn is_large() -> bool {
    std::env::var_os("OARLOCK_MODEL").is_some_and(|bound| bound == "large")
}

/// The larger bound where it was asked for.
fn bound(usual: u8, large: u8) -> u8 {
    if is_large() { large } else { usual }
}

/// Tries everything, and asserts that every property holds and every rare thing was reached.
fn holds(name: &str, world: World) {
    let begun = Instant::now();
    let checker = world.checker().threads(2).spawn_dfs().join();
    println!(
        "{name}: {} states, {} distinct, depth {}, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f32()
    );
    checker.assert_properties();
}

/// Tries until the property fails, and asserts that it does.
fn fails(property: &'static str, world: World) {
    let mistake = world.mistake;
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = world.checker().threads(2).finish_when(found).spawn_bfs().join();
    let path = checker.discovery(property);
    assert!(path.is_some(), "{mistake:?} broke nothing in {} states", checker.unique_state_count());
    let path = path.map(stateright::Path::into_actions).unwrap_or_default();
    println!("{mistake:?}: after {} states, `{property}` fails by {path:?}", checker.unique_state_count());
}

/// Two hosts, the first of which has the lock and falls silent: watch, fence, cut-off, takeover, against its beats.
fn silence(mistake: Option<Mistake>) -> World {
    World {
        wants: [EXCLUSIVE, EXCLUSIVE, None],
        held: true,
        bounds: Bounds {
            ticks: 5,
            drift: 1,
            beats: 3,
            unknowns: bound(0, 1),
            takes: 1,
            writes: 1,
            ..NOTHING
        },
        mistake,
        reaches: &[Note::HostFenced, Note::TakeoverCompleted, Note::FenceLost, Note::LockBroken],
    }
}

/// Two hosts, lost replies and late commands.
fn lateness(mistake: Option<Mistake>) -> World {
    World {
        wants: [EXCLUSIVE, EXCLUSIVE, None],
        held: true,
        bounds: Bounds {
            unknowns: bound(2, 3),
            crashes: bound(0, 1),
            takes: 2,
            releases: 2,
            writes: 1,
            ..NOTHING
        },
        mistake,
        reaches: &[Note::LateCommandAdopted],
    }
}

/// As before, with a crash in place of the second lost reply: what a late command meets after its sender's death.
fn late_and_dead(mistake: Option<Mistake>) -> World {
    let bounds = Bounds { unknowns: 1, crashes: 1, takes: 2, releases: 1, writes: 1, ..NOTHING };
    World { bounds, reaches: &[Note::LateCommandAdopted, Note::LockBroken], ..lateness(mistake) }
}

/// A beat whose reply is lost, on either side of a watch.
fn late_beat(mistake: Option<Mistake>) -> World {
    let bounds = Bounds { ticks: 4, unknowns: 1, beats: 3, ..NOTHING };
    World {
        bounds,
        reaches: &[Note::LateCommandAdopted, Note::HostFenced, Note::FenceLost],
        ..silence(mistake)
    }
}

/// Three hosts that die one after another: the owner, and whoever takes it over, between any two steps.
fn deaths(mistake: Option<Mistake>) -> World {
    World {
        wants: [EXCLUSIVE, EXCLUSIVE, EXCLUSIVE],
        held: true,
        bounds: Bounds { crashes: 2, takes: 1, unknowns: bound(0, 1), ..NOTHING },
        mistake,
        reaches: &[Note::ReplayTakenOver, Note::TakeoverCompleted, Note::LockBroken, Note::UserHeard],
    }
}

/// The owner dies and leaves a write on its way: its death is not proved before that has ended, but its slot stands still, and its
/// user works on until it hears of it or the lease ends.
fn silent_death(mistake: Option<Mistake>) -> World {
    World {
        bounds: Bounds {
            ticks: bound(3, 4),
            drift: bound(0, 1),
            crashes: 1,
            beats: bound(2, 3),
            takes: 1,
            writes: 1,
            ..NOTHING
        },
        reaches: &[Note::HostFenced, Note::TakeoverCompleted, Note::LockBroken, Note::UserHeard],
        ..silence(mistake)
    }
}

/// A person says of the owner that it is dead, which may be so or not: it is fenced at once, and may meet that by a beat, be
/// killed, or come back in its slot.
fn evicted(mistake: Option<Mistake>) -> World {
    World {
        wants: [EXCLUSIVE, EXCLUSIVE, None],
        held: true,
        bounds: Bounds {
            evictions: 1,
            crashes: 1,
            joins: 1,
            beats: 1,
            takes: 1,
            ticks: bound(0, 1),
            unknowns: bound(0, 1),
            ..NOTHING
        },
        mistake,
        reaches: &[Note::HostFenced, Note::TakeoverCompleted, Note::LockBroken, Note::UserHeard],
    }
}

/// The owner dies, with a write on its way, and is started again in its slot while another takes it over.
fn reuse(mistake: Option<Mistake>) -> World {
    World {
        wants: [EXCLUSIVE, EXCLUSIVE, None],
        held: true,
        bounds: Bounds {
            crashes: 1,
            joins: 1,
            beats: 1,
            takes: 2,
            writes: 1,
            unknowns: bound(0, 1),
            ..NOTHING
        },
        mistake,
        reaches: &[Note::TakeoverCompleted, Note::LockBroken],
    }
}

/// Sharers, one of which dies, and one who wants the lock alone.
fn sharing(mistake: Option<Mistake>) -> World {
    World {
        wants: [SHARED, EXCLUSIVE, SHARED],
        held: true,
        bounds: Bounds { crashes: 1, takes: 2, releases: 1, unknowns: bound(0, 1), ..NOTHING },
        mistake,
        reaches: &[Note::TakeoverCompleted],
    }
}

#[test]
fn a_silent_owner_is_taken_over_and_a_living_one_never() {
    holds("silence", silence(None));
    holds("late beat", late_beat(None));
}

#[test]
fn a_late_command_never_makes_two_owners() {
    holds("lateness", lateness(None));
    holds("late and dead", late_and_dead(None));
}

#[test]
fn a_takeover_survives_the_death_of_whoever_takes_over() {
    holds("deaths", deaths(None));
}

#[test]
fn a_slot_that_is_used_again_at_once_lets_nothing_old_land() {
    holds("reuse", reuse(None));
}

#[test]
fn a_dead_sharer_gives_way_and_a_living_one_does_not() {
    holds("sharing", sharing(None));
}

#[test]
fn a_users_moment_is_kept_whatever_a_person_says_and_whoever_comes_back() {
    holds("evicted", evicted(None));
}

#[test]
fn a_watch_outlasts_the_user_of_a_host_whose_death_nobody_proves() {
    holds("silent death", silent_death(None));
    fails(ONE_USER, silent_death(Some(Mistake::FenceUnwatched)));
}

#[test]
fn a_death_written_down_in_the_instant_of_its_proof_leaves_its_user_a_second_owner() {
    fails(ONE_USER, deaths(Some(Mistake::FenceInTheInstant)));
    fails(ONE_USER, reuse(Some(Mistake::BuryInTheInstant)));
}

#[test]
fn a_persons_word_followed_at_once_leaves_the_killed_hosts_user_a_second_owner() {
    fails(ONE_USER, evicted(Some(Mistake::TakeOverInTheInstant)));
}

#[test]
fn a_slots_lock_let_go_before_the_users_are_told_leaves_them_a_second_owner() {
    fails(ONE_USER, evicted(Some(Mistake::ByteBeforeConnections)));
}

#[test]
fn an_unknown_closed_by_reading_makes_two_owners() {
    fails("no unknown is given up while it may land", lateness(Some(Mistake::CloseUnknownByReading)));
    fails("one owner at a time, judged at the hosts", lateness(Some(Mistake::CloseUnknownByReading)));
}

#[test]
fn a_lease_from_the_reply_lets_a_living_host_be_fenced() {
    fails("no host is fenced within its lease", silence(Some(Mistake::LeaseFromReply)));
}

#[test]
fn a_fence_without_a_watch_meets_a_living_host() {
    fails("no host is fenced within its lease", silence(Some(Mistake::FenceUnwatched)));
}

#[test]
fn a_lock_broken_on_fenced_changes_hands_too_soon() {
    fails("the lock changes hands only by release or after replay", silence(Some(Mistake::BreakOnFenced)));
    fails("no guarded write lands after the next grant", silence(Some(Mistake::BreakOnFenced)));
}

#[test]
fn a_skipped_cut_off_lets_a_stale_write_land() {
    fails("nothing of a host lands once it is cut off", silence(Some(Mistake::SkipCutOff)));
    fails("no guarded write lands after the next grant", silence(Some(Mistake::SkipCutOff)));
}

#[test]
fn a_slot_entered_beside_old_writes_lets_one_land() {
    fails("nothing of a host lands once it is cut off", reuse(Some(Mistake::EnterBesideOldWrites)));
}

#[test]
fn a_joiner_that_asks_nobody_takes_a_replay_from_the_living() {
    fails("replaying moves only from a replayer that was cut off", reuse(Some(Mistake::JoinerTakesReplay)));
}

#[test]
fn a_burial_under_the_next_lifes_name_kills_that_life() {
    fails("no process is killed whose own life is not fenced", reuse(Some(Mistake::KillTheNextLife)));
}
