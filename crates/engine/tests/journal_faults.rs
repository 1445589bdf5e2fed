//! The journal beside a device that is slow, full or silent, and beside a lease that runs out; and what it costs.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, join_all, select};
use oarlock_block::{
    Answer, BlockCount, BlockSize, Clock, CommandKind, Device, Faulty, Lba, Outcome, Recorded, Refusal,
    Surroundings, UnknownCause,
};
use oarlock_engine::pages::Refused;
use oarlock_engine::{HostJournal, HostState, JournalError, StopReason};
use oarlock_format::Timing;

use crate::company::join;
use crate::ledger::{Ledger, bitmap_page, make_node, map_page, take_both};
use crate::machine::{Machine, SMALL};
use crate::power::{Logged, Mishap, MishapOf, Power};
use crate::{company, ledger};

/// What a test has in hand while a host lives.
struct Stage {
    machine: Machine,
    power: Rc<Power>,
    recorded: Rc<Recorded>,
    journal: HostJournal,
    header: Lba,
    ring: Lba,
    state: Box<dyn Fn() -> HostState>,
}

fn on_stage<T>(story: impl AsyncFnOnce(&Stage) -> T) -> T {
    let machine = Machine::new(SMALL);
    machine.format();
    make_node(&machine, 16);
    let power = Power::new(Rc::clone(&machine.disk));
    let clock = Rc::clone(&machine.time) as Rc<dyn Clock>;
    let recorded = Rc::new(Recorded::new(Rc::clone(&power) as Rc<dyn Device>, clock));
    let host = join(&machine, machine.process_on(Rc::clone(&recorded) as Rc<dyn Device>).0, "a");
    let journal = take_both(&machine, &host);
    let ring = machine.layout().journal(host.status().owner.slot, BlockSize::B512);
    power.begin();
    let state = {
        let host = host.clone();
        Box::new(move || host.status().state)
    };
    let stage = Stage { machine, power, recorded, journal, header: ring.header, ring: ring.start, state };
    // A journal that failed ends its host; what there is to see of that, the story looks at afterwards.
    stage.machine.time.run(async {
        let (run, story) = (host.run(), story(&stage));
        futures::pin_mut!(run, story);
        match select(story, run).await {
            Either::Left((value, _)) => value,
            Either::Right((_, story)) => story.await,
        }
    })
}

impl Stage {
    fn map(&self, at: (u16, u16), cluster: u16) {
        Ledger::default().map(&self.machine, self.journal.pages(), at, cluster);
    }

    async fn pause(&self, seconds: u64) {
        self.machine.time.sleep_until(self.machine.time.now().plus(Duration::from_secs(seconds))).await;
    }

    /// Kind, block and length of everything that was sent since, beats apart.
    fn sent(&self) -> Vec<(CommandKind, Lba, BlockCount)> {
        let slots = self.machine.layout().slots;
        let commands = self.recorded.take().into_iter().filter(|command| !slots.contains(command.lba));
        commands
            .map(|command| {
                if command.kind == CommandKind::Ats {
                    assert_eq!(command.outcome, Some(Outcome::Answered(Answer::Swapped)));
                }
                (command.kind, command.lba, command.blocks)
            })
            .collect()
    }

    fn writes(&self) -> usize {
        self.power.logged(0).iter().filter(|logged| matches!(logged, Logged::Write { .. })).count()
    }
}

const FLUSH: (CommandKind, Lba, BlockCount) = (CommandKind::Flush, Lba(0), BlockCount(0));

fn write(lba: Lba, pages: u64) -> (CommandKind, Lba, BlockCount) {
    (CommandKind::Write, lba, BlockCount(pages * 8))
}

#[test]
fn commits_and_checkpoints_cost_what_they_must_and_idle_ones_nothing() {
    on_stage(async |stage| {
        stage.sent();
        stage.journal.commit().await.unwrap();
        stage.journal.checkpoint().await.unwrap();
        stage.pause(5).await;
        assert_eq!(stage.sent(), []);

        let header = (CommandKind::Ats, stage.header, BlockCount(1));
        let read = (CommandKind::Read, stage.header, BlockCount(1));
        // The first commit of a life begins it. Two pages changed for the first time: two images, in three blocks.
        stage.map((0, 7), 20);
        stage.sent();
        stage.journal.commit().await.unwrap();
        assert_eq!(stage.sent(), [read, header, FLUSH, write(stage.ring, 3), FLUSH]);

        // From then on changes are a few bytes: one block.
        stage.map((0, 8), 21);
        stage.journal.commit().await.unwrap();
        let fourth = Lba(stage.ring.0 + 24);
        assert_eq!(stage.sent(), [FLUSH, write(fourth, 1), FLUSH]);

        // Home, flushed, and then the tail: two pages, each where it belongs.
        stage.journal.checkpoint().await.unwrap();
        let (bitmap, map) = (bitmap_page(&stage.machine), map_page(&stage.machine, 0));
        assert_eq!(stage.sent(), [write(bitmap, 1), write(map, 1), FLUSH, header]);
        assert_eq!(stage.journal.pages().changed(), 0);
    });
}

#[test]
fn a_change_that_nobody_waits_for_is_committed_after_a_second() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.machine.time.sleep_until(stage.machine.time.now().plus(Duration::from_millis(900))).await;
        assert_eq!(stage.writes(), 0);
        stage.pause(1).await;
        assert_eq!(stage.writes(), 1);
    });
}

#[test]
fn all_who_ask_while_a_commit_is_on_its_way_share_the_next() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        let first = stage.journal.commit();
        let others = join_all((0..32).map(|index| async move {
            stage.map((1, index), 30 + index);
            stage.journal.commit().await
        }));
        let (first, others) = futures::join!(first, others);
        assert_eq!((first, others.into_iter().collect()), (Ok(()), Ok::<(), JournalError>(())));
        assert!(stage.writes() <= 2, "{} commits", stage.writes());
    });
}

#[test]
fn whoever_finds_no_room_gets_it_after_a_commit() {
    on_stage(async |stage| {
        let pages = stage.journal.pages();
        let mut refusals = 0;
        for index in 0..2_000_u16 {
            let at = (index % 16, index / 16);
            loop {
                match pages.begin(2) {
                    Ok(transaction) => break drop(transaction),
                    Err(Refused::Failed) => panic!("the journal failed"),
                    Err(Refused::NoRoom { seen }) => {
                        refusals += 1;
                        futures::future::poll_fn(|context| pages.poll_settled(seen, context)).await;
                    }
                }
            }
            stage.map(at, 100 + index);
        }
        assert!(refusals > 0);
        assert!(pages.changed() <= 17);
    });
}

#[test]
fn a_lapsed_host_sends_nothing_of_its_journal_and_goes_on_if_nobody_fenced_it() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.journal.commit().await.unwrap();
        stage.power.swaps_are_busy.set(true);
        stage.pause(12).await;
        assert_eq!((stage.state)(), HostState::Held);
        stage.sent();
        stage.map((0, 8), 21);
        let commit = stage.journal.commit();
        let story = async {
            stage.pause(20).await;
            assert_eq!(stage.sent(), []);
            stage.power.swaps_are_busy.set(false);
        };
        assert_eq!(futures::join!(commit, story).0, Ok(()));
        assert_eq!((stage.state)(), HostState::Live);
    });
}

#[test]
fn a_commit_that_was_written_in_a_lapse_is_given_out_only_after_it() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.journal.commit().await.unwrap();
        stage.map((0, 8), 21);
        // The first flush has no answer; the lease runs out meanwhile.
        stage.power.strike(MishapOf::Flush, &Mishap::Silence, 1);
        stage.power.swaps_are_busy.set(true);
        let before = stage.writes();
        let commit = stage.journal.commit();
        let story = async {
            stage.pause(30).await;
            assert_eq!(stage.writes(), before);
            stage.power.swaps_are_busy.set(false);
        };
        assert_eq!(futures::join!(commit, story).0, Ok(()));
        assert_eq!(stage.writes(), before + 1);
    });
}

#[test]
fn a_full_device_is_waited_for_and_a_commit_comes_through_once_there_is_space() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.power.strike(MishapOf::Write, &Mishap::Refuse(Refusal::Full), 40);
        stage.power.strike(MishapOf::Flush, &Mishap::Refuse(Refusal::Busy), 3);
        assert_eq!(stage.journal.commit().await, Ok(()));
        assert_eq!(stage.writes(), 1);
    });
}

/// Somebody has to make room, and the end of this host would make none (R24): a fresh reader saw all its disks and locks go.
#[test]
fn a_device_that_stays_full_is_waited_for_longer_than_the_hold_time() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.power.strike(MishapOf::Write, &Mishap::Refuse(Refusal::Full), 2_000);
        let begun = stage.machine.time.now();
        assert_eq!(stage.journal.commit().await, Ok(()));
        let waited = stage.machine.time.now().since(begun);
        assert!(waited >= Timing::DEFAULT.hold * 2, "{waited:?}");
        assert!((stage.state)() == HostState::Live, "its locks are its own still");
    });
}

#[test]
fn a_device_that_stays_busy_ends_the_waiting_after_the_hold_time() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.power.strike(MishapOf::Write, &Mishap::Refuse(Refusal::Busy), 100_000);
        let begun = stage.machine.time.now();
        let failed = stage.journal.commit().await;
        assert!(matches!(failed, Err(JournalError::Write { .. })), "{failed:?}");
        let waited = stage.machine.time.now().since(begun);
        assert!(waited >= Timing::DEFAULT.hold && waited < Timing::DEFAULT.hold * 2);
        assert!(matches!(stage.journal.pages().begin(1), Err(Refused::Failed)));
    });
}

#[test]
fn a_write_that_may_still_land_ends_the_journal_and_is_never_sent_again() {
    for cause in [UnknownCause::PathLost, UnknownCause::TimedOut] {
        on_stage(async |stage| {
            stage.map((0, 7), 20);
            stage.power.strike(MishapOf::Write, &Mishap::Unknown(cause), 1);
            let failed = stage.journal.commit().await;
            assert_eq!(failed, Err(JournalError::StillOut { lba: stage.ring }));
            stage.pause(30).await;
            assert_eq!(stage.writes(), 1);
            assert!(stage.journal.checkpoint().await.is_err());
            let stopped = (stage.state)();
            assert!(
                matches!(stopped, HostState::Stopped(StopReason::JournalFailed { .. })),
                "it beats no more, so that another replays: {stopped:?}"
            );
        });
    }
}

#[test]
fn a_replayer_whose_write_may_still_land_stops_and_another_replays_both() {
    let machine = Machine::new(SMALL);
    machine.format();
    make_node(&machine, 16);
    let mut ledger = Ledger::default();
    let dead = join(&machine, machine.process_on(Rc::clone(&machine.disk) as Rc<dyn Device>).0, "a");
    let journal = take_both(&machine, &dead);
    company::beside(&machine, &dead, async {
        ledger.map(&machine, journal.pages(), (0, 7), 20);
        journal.commit().await.unwrap();
    });
    let disk = machine.disk.copy();
    let machine = Machine::with_disk(disk);
    let power = Power::new(Rc::clone(&machine.disk));
    power.strike(MishapOf::Write, &Mishap::Unknown(UnknownCause::PathLost), 1);
    let (world, process) = machine.process_on(Rc::clone(&power) as Rc<dyn Device>);
    let ended = ledger::taken_over_in(&machine, world, "b", "a").unwrap_err();
    assert!(ended.contains("has no answer"), "{ended}");
    machine.kill(process);
    for name in ["b", "a"] {
        ledger::taken_over_by(&machine, "c", name).unwrap();
    }
    assert_eq!(ledger.found(&machine), Ok(ledger));
}

/// The ATS that says Replayed has no answer: it may land at any time, and what was replayed is others' from then on. So nothing is written
/// home again before it is tried again (found by a seed of the simulator).
#[test]
fn a_journal_goes_home_once_though_the_swap_that_says_so_has_no_answer() {
    let machine = Machine::new(SMALL);
    machine.format();
    make_node(&machine, 16);
    let mut ledger = Ledger::default();
    let dead = join(&machine, machine.process_on(Rc::clone(&machine.disk) as Rc<dyn Device>).0, "a");
    let slot = machine.layout().slot(dead.status().owner.slot);
    let journal = take_both(&machine, &dead);
    company::beside(&machine, &dead, async {
        ledger.map(&machine, journal.pages(), (0, 7), 20);
        journal.commit().await.unwrap();
    });
    let machine = Machine::with_disk(machine.disk.copy());
    let power = Power::new(Rc::clone(&machine.disk));
    let surroundings = Surroundings {
        clock: Rc::clone(&machine.time) as Rc<dyn Clock>,
        spawn: Rc::new(|_| ()),
        record_at: Rc::new(|_| None),
    };
    // Fenced, cut off, replaying; the fourth says Replayed.
    let fault = format!("late-execution:op=ats,lba={},after=3,count=1,delay=60s", slot.0).parse().unwrap();
    let device = Faulty::new(Rc::clone(&power) as Rc<dyn Device>, vec![fault], surroundings);
    let (world, _) = machine.process_on(Rc::new(device) as Rc<dyn Device>);
    ledger::taken_over_in(&machine, world, "b", "a").unwrap();
    let written = power.logged(0).into_iter().filter_map(|logged| match logged {
        Logged::Write { lba, .. } => Some(lba),
        Logged::Swap { .. } | Logged::Flush { .. } => None,
    });
    assert_eq!(written.collect::<Vec<_>>(), [bitmap_page(&machine), map_page(&machine, 0)]);
    assert_eq!(ledger.found(&machine), Ok(ledger));
}

#[test]
fn an_error_on_a_write_is_answered_with_the_same_bytes_and_one_on_a_flush_ends_the_journal() {
    on_stage(async |stage| {
        stage.map((0, 7), 20);
        stage.power.strike(MishapOf::Write, &Mishap::Unknown(UnknownCause::DeviceError), 1);
        assert_eq!(stage.journal.commit().await, Ok(()));
        let bytes = |logged: Logged| match logged {
            Logged::Write { lba, bytes } => Some((lba, bytes)),
            Logged::Swap { .. } | Logged::Flush { .. } => None,
        };
        let writes: Vec<_> = stage.power.logged(0).into_iter().filter_map(bytes).collect();
        assert_eq!(writes.len(), 2);
        assert_eq!(writes[0], writes[1]);
        stage.map((0, 8), 21);
        stage.power.strike(MishapOf::Flush, &Mishap::Unknown(UnknownCause::DeviceError), 1);
        let failed = stage.journal.commit().await;
        assert!(matches!(failed, Err(JournalError::Flush(_))), "{failed:?}");
    });
}
