//! A takeover that was begun is brought to its end.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

mod machine;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use futures::future::{Either, select};
use machine::{Machine, SMALL};
use oarlock_block::{Clock, Device, Faulty, SlotIndex, Surroundings};
use oarlock_causes::EventKind;
use oarlock_engine::{Event, Guard, Host, Want, World};
use oarlock_format::{HostName, LockName, Place, SlotRecord, SlotState, Timing, decode};

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
