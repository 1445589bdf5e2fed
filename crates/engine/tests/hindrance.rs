//! What a host that cannot beat says of it: the device's words, a true cause, each refusal once per lease.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::time::Duration;

use oarlock_block::{BlockSize, Clock, Lba, Refusal};
use oarlock_causes::{Action, Cause, EventKind};
use oarlock_engine::{Ended, Hindrance, Host, HostState, LockError, StopReason, Want};
use oarlock_format::Timing;

use crate::company::{Events, beside, take, try_join};
use crate::machine::{Machine, SMALL};

const SECOND: Duration = Duration::from_secs(1);

/// Lease 10 s, hold 30 s.
fn living() -> (Machine, Host, Events, Lba) {
    let machine = Machine::new(SMALL);
    machine.format_with(Timing { hold: SECOND * 30, ..Timing::DEFAULT });
    let (host, events) = machine.time.run(try_join(machine.process().0, "alpha"));
    let host = host.unwrap();
    let slot = machine.layout().slot(host.status().owner.slot);
    (machine, host, events, slot)
}

async fn sleep(machine: &Machine, time: Duration) {
    machine.time.sleep_until(machine.time.now().plus(time)).await;
}

fn of_kind(events: &Events, kind: EventKind) -> Vec<(Cause, Action, String)> {
    let of_kind = |event: &&oarlock_engine::Event| event.kind == kind;
    events
        .borrow()
        .iter()
        .filter(of_kind)
        .map(|event| (event.cause, event.action, event.detail.clone()))
        .collect()
}

#[test]
fn a_device_that_ends_before_the_slot_is_named_by_its_own_words_and_not_called_slow() {
    let (machine, host, events, _) = living();
    machine.disk.set_length(0);
    let ended = machine.time.run(host.run());
    let hindrance = Some(Hindrance::Refused(Refusal::OutOfRange));
    assert_eq!(ended, Ended::Stopped(StopReason::HoldOver { hold: SECOND * 30, hindrance }));
    assert!(ended.to_string().contains("beyond the end of the device"), "{ended}");
    let lapses = of_kind(&events, EventKind::Lapse);
    let [held, stopped] = lapses.as_slice() else { panic!("{lapses:?}") };
    assert_eq!((held.0, held.1), (Cause::CannotTell, Action::Held));
    assert!(held.2.contains("the address lies beyond the end of the device"), "{}", held.2);
    assert_eq!((stopped.0, stopped.1), (Cause::CannotTell, Action::Stopped));
}

#[test]
fn a_damaged_slot_of_its_own_ends_a_host_by_that_name_after_the_hold_and_it_does_nothing_meanwhile() {
    let (machine, host, events, slot) = living();
    let begun = machine.time.now();
    machine.disk.put(slot, &[0; BlockSize::B512.length()]);
    let held = machine.disk.block(slot);
    let ended = machine.time.run(async {
        let late = async {
            sleep(&machine, SECOND * 20).await;
            assert_eq!(host.status().state, HostState::Held);
            take(&machine, &host, Want::Exclusive, SECOND).await.map(drop)
        };
        let (ended, late) = futures::join!(host.run(), late);
        assert!(matches!(late, Err(LockError::TimedOut { .. })), "{late:?}");
        ended
    });
    let Ended::Stopped(StopReason::SlotDamaged { detail }) = &ended else { panic!("{ended}") };
    assert!(detail.contains("all zeros"), "{detail}");
    assert!(machine.time.now().since(begun) >= SECOND * 38, "not before the hold is over");
    assert_eq!(machine.disk.block(slot), held, "no beat wrote over what it did not know");
    let lapses = of_kind(&events, EventKind::Lapse);
    assert_eq!(lapses.iter().map(|lapse| lapse.0).collect::<Vec<_>>(), [Cause::ForeignBlock; 2]);
}

#[test]
fn the_same_refusal_of_the_slot_is_one_event_per_lease_with_the_count_of_all() {
    let (machine, host, events, slot) = living();
    machine.disk.put(slot, &[0; BlockSize::B512.length()]);
    let _ = machine.time.run(host.run());
    let told = of_kind(&events, EventKind::Miscompare);
    let leases = 5;
    assert!((2..=leases).contains(&told.len()), "{told:?}");
    assert!(!told[0].2.contains("times more") && told[1].2.contains("times more within 10."), "{told:?}");
}

#[test]
fn a_slot_that_heals_within_the_hold_lets_the_host_go_on_and_tells_what_was_counted() {
    let (machine, host, events, slot) = living();
    beside(&machine, &host, async {
        let sound = machine.disk.block(slot);
        machine.disk.put(slot, &[0; BlockSize::B512.length()]);
        sleep(&machine, SECOND * 15).await;
        let status = host.status();
        assert_eq!(status.state, HostState::Held);
        assert!(status.held_for.is_some() && status.hindrance.is_some_and(|hindrance| hindrance.is_damage()));
        machine.disk.put(slot, &sound);
        sleep(&machine, SECOND * 4).await;
        let status = host.status();
        assert_eq!((status.state, status.held_for, status.hindrance), (HostState::Live, None, None));
        sleep(&machine, SECOND * 60).await;
        assert_eq!(host.status().state, HostState::Live);
    });
    let lapses: Vec<_> =
        of_kind(&events, EventKind::Lapse).into_iter().map(|lapse| (lapse.0, lapse.1)).collect();
    assert_eq!(lapses, [(Cause::ForeignBlock, Action::Held), (Cause::ForeignBlock, Action::Retried)]);
    // The first, a lease later the count, the rest of the count, and an ATS that was false a moment before the healing.
    assert!(of_kind(&events, EventKind::Miscompare).len() <= 4, "{:?}", events.borrow());
}

#[test]
fn damage_that_healed_before_the_device_failed_is_not_what_the_host_ends_with() {
    let (machine, host, _, slot) = living();
    let story = async {
        let sound = machine.disk.block(slot);
        machine.disk.put(slot, &[0; BlockSize::B512.length()]);
        sleep(&machine, SECOND * 15).await;
        machine.disk.put(slot, &sound);
        machine.disk.set_length(0);
    };
    let (ended, ()) = machine.time.run(async { futures::join!(host.run(), story) });
    assert!(matches!(ended, Ended::Stopped(StopReason::HoldOver { hindrance: Some(_), .. })), "{ended}");
}

#[test]
fn a_free_lock_that_a_held_host_does_not_get_is_refused_with_the_hold_and_its_reason() {
    let (machine, host, _, _) = living();
    machine.disk.set_length(0);
    let refused = beside(&machine, &host, async {
        sleep(&machine, SECOND * 15).await;
        take(&machine, &host, Want::Exclusive, SECOND).await.map(drop)
    });
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("its host alpha is held"), "{told}");
    assert!(told.contains("the address lies beyond the end of the device"), "{told}");
}
