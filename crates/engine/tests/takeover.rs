//! A takeover that was begun is brought to its end.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use oarlock_block::{
    Clock, Device, FaultSpec, Faulty, Instant, LocalFuture, SlotIndex, Surroundings, WallTime,
};
use oarlock_causes::EventKind;
use oarlock_engine::{Event, Guard, Host, Want, World};
use oarlock_format::{HostName, LockName, Place, SlotRecord, SlotState, Timing, decode};

use crate::machine::{self, Machine, SMALL};

const SECOND: Duration = Duration::from_secs(1);

async fn join(world: World, name: &str, events: &Rc<RefCell<Vec<Event>>>) -> Host {
    let events = Rc::clone(events);
    let sink = Rc::new(move |event| events.borrow_mut().push(event));
    Host::join(world, &HostName::new(name).unwrap(), sink).await.unwrap()
}

/// A device like the machine's disk whose flushes take a while, as those of a busy disk do.
fn slow_to_flush(machine: &Machine) -> Rc<dyn Device> {
    let surroundings = Surroundings {
        clock: Rc::clone(&machine.time) as Rc<dyn Clock>,
        spawn: Rc::new(|_| ()),
        record_at: Rc::new(|_| None),
    };
    let fault = "late-reply:op=flush,delay=300ms".parse().unwrap();
    Rc::new(Faulty::new(Rc::clone(&machine.disk) as Rc<dyn Device>, vec![fault], surroundings))
}

/// `oarlock demo` found it on a busy disk: the one who waited took the lock as soon as the dead host's slot said
/// Replayed, while that was still being flushed, and with its interest the takeover ended: the slot showed a fenced host
/// for ever, and nobody reported a takeover.
#[test]
fn the_slot_is_freed_although_the_one_who_waited_has_the_lock_before_that() {
    let machine = Machine::new(SMALL);
    machine.format();
    let layout = machine.layout();
    let events = Rc::new(RefCell::new(Vec::new()));
    let name = LockName::new("disk").unwrap();
    let (dying, process) = machine.process();
    let dead = machine.time.run(join(dying, "c", &Rc::default()));
    let slot = dead.status().owner.slot;
    let guard = beside(&machine, &dead, lock(&machine, &dead, &name));
    machine.kill(process);

    let slow = machine.process_on(slow_to_flush(&machine)).0;
    let waits = machine.time.run(join(slow, "a", &events));
    beside(&machine, &waits, async {
        let _taken = lock(&machine, &waits, &name).await;
        machine.time.sleep_until(machine.time.now().plus(10 * SECOND)).await;
    });
    assert_eq!(state(&machine, slot, &layout), SlotState::Free);
    let takeovers = events.borrow().iter().filter(|event| event.kind == EventKind::Takeover).count();
    assert_eq!(takeovers, 1);
    drop(guard);
}

/// Users of a daemon that was killed hear of it by their connection's end: they need a moment to stop.
#[test]
fn a_proved_death_stands_for_a_twentieth_of_the_lease_before_anybody_has_the_dead_hosts_lock() {
    let moment = Timing::DEFAULT.lease / 20;
    for back_under_its_name in [false, true] {
        let machine = Machine::new(SMALL);
        machine.format();
        let name = LockName::new("disk").unwrap();
        let other = machine.time.run(join(machine.process().0, "a", &Rc::default()));
        let (dying, process) = machine.process();
        let dead = machine.time.run(join(dying, "c", &Rc::default()));
        let guard = beside(&machine, &dead, lock(&machine, &dead, &name));
        machine.kill(process);
        let killed = machine.time.now();
        beside(&machine, &other, async {
            if back_under_its_name {
                let _next = join(machine.process().0, "c", &Rc::default()).await;
            } else {
                let _taken = lock(&machine, &other, &name).await;
            }
        });
        let took = machine.time.now().since(killed);
        assert!(took >= moment, "{took:?}");
        assert!(took < moment + SECOND / 2, "and no watch is waited for: {took:?}");
        drop(guard);
    }
}

/// A random model of disks found it: who evicted found a pursuit of the life before, which then ended as it must, and nobody pursued
/// the life that was meant.
#[test]
fn an_eviction_goes_on_where_an_earlier_lifes_pursuit_ends_under_it() {
    // One of these moments lies between the last look at the first life and the next one.
    for moment in 0..20 {
        evict_a_second_life(SECOND / 4 * moment);
    }
}

fn evict_a_second_life(moment: Duration) {
    let machine = Machine::new(SMALL);
    machine.format_slots(2);
    let name = LockName::new("disk").unwrap();
    // Its looks at slots are so far apart that a life may come and go between two of them.
    let clock = Rc::new(Late { time: Rc::clone(&machine.time), by: 4 * SECOND }) as Rc<dyn Clock>;
    let rarely = World { clock, ..machine.process().0 };
    let other = machine.time.run(join(rarely, "a", &Rc::default()));
    let (leaving, its_process) = machine.process();
    let first = machine.time.run(join(leaving, "c", &Rc::default()));
    let slot = first.status().owner.slot;
    beside(&machine, &other, async {
        let guard = beside_too(&first, lock(&machine, &first, &name)).await;
        // Somebody waits for the first life's lock, so that it is watched.
        let waiting = other.lock(&name, Want::Exclusive, machine.time.now().plus(60 * SECOND));
        let pause = machine.time.sleep_until(machine.time.now().plus(10 * SECOND + moment));
        beside_too(&first, async { drop(select(Box::pin(waiting), pause).await) }).await;
        drop(guard);
        let leave = first.leave(machine.time.now().plus(SECOND / 10));
        let _left = select(Box::pin(first.run()), Box::pin(leave)).await;
        machine.kill(its_process);
        let (dying, process) = machine.process();
        let second = join(dying, "c", &Rc::default()).await;
        assert_eq!(second.status().owner.slot, slot);
        machine.kill(process);
        let began = machine.time.now();
        other.evict(&HostName::new("c").unwrap(), false, began.plus(90 * SECOND)).await.unwrap();
        let took = machine.time.now().since(began);
        assert!(took < 30 * SECOND, "{moment:?}: its death was proved, and it took {took:?}");
    });
}

/// Runs `story` while a second host lives.
async fn beside_too<T>(host: &Host, story: impl Future<Output = T>) -> T {
    let run = host.run();
    futures::pin_mut!(run, story);
    match select(story, run).await {
        Either::Left((value, _)) => value,
        Either::Right((ended, _)) => panic!("the host ended: {ended}"),
    }
}

/// A clock that wakes sleepers late, as that of a machine does that is busy with other things.
struct Late {
    time: Rc<machine::Time>,
    by: Duration,
}

impl Clock for Late {
    fn now(&self) -> Instant {
        self.time.now()
    }

    fn sleep_until(&self, deadline: Instant) -> LocalFuture<'static, ()> {
        self.time.sleep_until(deadline.plus(self.by))
    }

    fn wall(&self) -> WallTime {
        self.time.wall()
    }
}

/// The world of a process on a busy machine: each pause and each answer comes so much later.
fn busy(machine: &Machine, by: Duration) -> World {
    let clock = Rc::new(Late { time: Rc::clone(&machine.time), by }) as Rc<dyn Clock>;
    let faults = ["read", "ats"].map(|operation| {
        format!("late-reply:op={operation},delay={}ms", by.as_millis()).parse::<FaultSpec>().unwrap()
    });
    let surroundings = Surroundings {
        clock: Rc::clone(&machine.time) as Rc<dyn Clock>,
        spawn: Rc::new(|_| ()),
        record_at: Rc::new(|_| None),
    };
    let device = Faulty::new(Rc::clone(&machine.disk) as Rc<dyn Device>, faults.to_vec(), surroundings);
    World { clock, ..machine.process_on(Rc::new(device)).0 }
}

/// `oarlock demo` found it on a busy machine, where the lock of a stopped host was not got within a minute. Half a beat lay
/// between two looks, made of several pauses; each was late by an eighth of a beat, and two looks were more than a beat
/// apart: every one of them began the watch anew.
///
/// ```text
///   beat 1 s   |....pause 200+200..|..pause 200+200..|..pause 200+200..|.read 200.|      1.4 s: broken
///              |....pause 200+200..|.read 200.|                                          0.6 s
/// ```
#[test]
fn a_host_on_a_busy_machine_takes_over_after_one_watch() {
    let timing = Timing { beat: SECOND, lease: 5 * SECOND, watch: SECOND * 11 / 2, ..Timing::DEFAULT };
    for by in [Duration::ZERO, SECOND / 5, SECOND / 4] {
        let machine = Machine::new(SMALL);
        machine.format_with(timing);
        let name = LockName::new("disk").unwrap();
        let events = Rc::new(RefCell::new(Vec::new()));
        // Nobody drives it from here on: its slot stands still.
        let stopped = machine.time.run(join(machine.process().0, "b", &Rc::default()));
        let guard = beside(&machine, &stopped, lock(&machine, &stopped, &name));
        let waits = machine.time.run(join(busy(&machine, by), "a", &events));
        let begun = machine.time.now();
        beside(&machine, &waits, async {
            let wanted = lock(&machine, &waits, &name);
            let fenced = async {
                while !events.borrow().iter().any(|event| event.kind == EventKind::Fence) {
                    machine.time.sleep_until(machine.time.now().plus(SECOND / 100)).await;
                }
            };
            futures::pin_mut!(wanted, fenced);
            futures::future::select(wanted, fenced).await;
        });
        let took = machine.time.now().since(begun);
        assert!(took >= timing.watch, "{took:?}");
        assert!(took < timing.watch + 3 * timing.beat, "everything is late by {by:?}: {took:?}");
        drop(guard);
    }
}

async fn lock(machine: &Machine, host: &Host, name: &LockName) -> Guard {
    let deadline = machine.time.now().plus(60 * SECOND);
    host.lock(name, Want::Exclusive, deadline).await.unwrap()
}

/// Runs `story` while `host` lives.
fn beside<T>(machine: &Machine, host: &Host, story: impl Future<Output = T>) -> T {
    machine.time.run(async {
        let run = host.run();
        futures::pin_mut!(run, story);
        match select(story, run).await {
            Either::Left((value, _)) => value,
            Either::Right((ended, _)) => panic!("the host ended: {ended}"),
        }
    })
}

fn state(machine: &Machine, slot: SlotIndex, layout: &oarlock_format::Layout) -> SlotState {
    let superblock =
        oarlock_format::decode_superblock(&machine.disk.block(oarlock_block::Lba(0)), oarlock_block::Lba(0));
    let format_id = superblock.unwrap().stamp.format_id;
    let lba = layout.slot(slot);
    let record = decode::<SlotRecord>(&machine.disk.block(lba), &Place { format_id, lba }).unwrap();
    record.record.state
}
