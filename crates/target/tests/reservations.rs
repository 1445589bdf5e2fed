//! Persistent reservations from outside: whom they keep out, and what becomes of the commands of whoever is preempted (SPC-5,
//! "Persistent reservations").

use oarlock_scsi::iscsi::TaskTag;
use oarlock_scsi::{
    FullStatus, MoveList, PersistentReserveOutList, RegisterList, Status, StatusDescriptor, TransportId,
};

use crate::initiator::{Flow, Session, Unasked, Who, cdb};
use crate::management::control_page;
use crate::place::{Place, meet};

/// REGISTRATIONS PREEMPTED.
const PREEMPTED: (u8, u8, u8) = (6, 0x2a, 0x05);
/// MODE PARAMETERS CHANGED.
const MODE_CHANGED: (u8, u8, u8) = (6, 0x2a, 0x01);

const WRITE_EXCLUSIVE: u8 = 1;
const WRITE_EXCLUSIVE_REGISTRANTS_ONLY: u8 = 5;
const WRITE_EXCLUSIVE_ALL_REGISTRANTS: u8 = 7;

fn register(session: &mut Session, key: u64, new_key: u64) {
    let list = cdb::reserve_list(key, new_key, false);
    session.run(0, cdb::reserve_out(0, 0), Flow::Out(&list)).good();
}

fn reserve(session: &mut Session, key: u64, kind: u8) {
    session.run(0, cdb::reserve_out(1, kind), Flow::Out(&cdb::reserve_list(key, 0, false))).good();
}

fn keys(session: &mut Session) -> Vec<u64> {
    let data = session.run(0, cdb::reserve_in(0), Flow::In(4096)).good();
    data[8..].chunks(8).map(|key| u64::from_be_bytes(key.try_into().unwrap())).collect()
}

fn write(session: &mut Session) -> Status {
    session.run(0, cdb::write(3, 1), Flow::Out(&[0xee; 512])).status
}

/// With both at once the holder could not release any more, and everybody was kept out.
#[test]
fn who_holds_a_unit_by_reserve_registers_no_key() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    session.run(0, cdb::reserve(), Flow::None).good();
    let list = cdb::reserve_list(0, 1, false);
    for session in [&mut session, &mut other] {
        let refused = session.run(0, cdb::reserve_out(0, 0), Flow::Out(&list));
        assert_eq!(refused.status, Status::RESERVATION_CONFLICT);
    }
    assert_eq!(write(&mut other), Status::RESERVATION_CONFLICT);
    session.run(0, cdb::release(), Flow::None).good();
    assert_eq!(write(&mut other), Status::GOOD);
}

/// A host that is dead cannot allow what it prevented.
#[test]
fn who_is_preempted_keeps_no_medium_in_its_place() {
    const PREEMPT_AND_ABORT: u8 = 5;
    let place = Place::with(|options, _| options.units[0].is_removable = true);
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    register(&mut session, 0, 1);
    register(&mut other, 0, 2);
    other.run(0, cdb::prevent_removal(true), Flow::None).good();
    let eject = |session: &mut Session| session.run(0, cdb::start_stop(false, true), Flow::None);
    assert_eq!(eject(&mut session).code(), (5, 0x53, 0x02));
    let list = cdb::reserve_list(1, 2, false);
    session.run(0, cdb::reserve_out(PREEMPT_AND_ABORT, WRITE_EXCLUSIVE), Flow::Out(&list)).good();
    eject(&mut session).good();
}

/// A cluster's host that leaves is fenced like everybody who is not in it.
#[test]
fn who_took_a_reservation_of_all_registrants_and_unregisters_writes_no_more() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    register(&mut session, 0, 1);
    register(&mut other, 0, 2);
    reserve(&mut session, 1, WRITE_EXCLUSIVE_ALL_REGISTRANTS);
    assert_eq!([write(&mut session), write(&mut other)], [Status::GOOD; 2]);
    register(&mut session, 1, 0);
    assert_eq!([write(&mut session), write(&mut other)], [Status::RESERVATION_CONFLICT, Status::GOOD]);
    register(&mut other, 2, 0);
    assert_eq!(write(&mut session), Status::GOOD, "nobody holds it any more");
}

/// Both keys of the list are 0, which is the key of whoever has none.
#[test]
fn a_stranger_unregisters_nobody_by_naming_him() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    register(&mut session, 0, 1);
    reserve(&mut session, 1, WRITE_EXCLUSIVE);
    let full = session.run(0, cdb::reserve_in(3), Flow::In(4096)).good();
    let (holder, _) = TransportId::decode(&full[8 + 24..]).unwrap();
    let list = PersistentReserveOutList::Register(RegisterList {
        key: 0,
        service_action_key: 0,
        all_target_ports: true,
        persist: false,
        initiators: Some(vec![holder]),
    })
    .encode();
    let length = u8::try_from(list.len()).unwrap();
    other.run(0, cdb::reserve_out_long(0, 0, length), Flow::Out(&list)).good();
    assert_eq!(keys(&mut other), [1]);
    assert_eq!(write(&mut other), Status::RESERVATION_CONFLICT);
}

fn out(session: &mut Session, action: u8, list: &PersistentReserveOutList) {
    let list = list.encode();
    let command = cdb::reserve_out_long(action, 0, u8::try_from(list.len()).unwrap());
    session.run(0, command, Flow::Out(&list)).good();
}

/// Each registration: its key, its relative target port, whether it holds the reservation.
fn registrations(session: &mut Session) -> Vec<(u64, u16, bool)> {
    let data = session.run(0, cdb::reserve_in(3), Flow::In(4096)).good();
    let full = FullStatus::decode(&data).unwrap();
    let of = |one: &StatusDescriptor| (one.key, one.relative_target_port, one.holds.is_some());
    full.registrations.iter().map(of).collect()
}

fn id_of(who: &Who) -> TransportId {
    TransportId::Port { name: who.name.clone(), isid: who.session_id.0 }
}

/// How a cluster hands a disk over without a moment in which nobody has it.
#[test]
fn a_reservation_is_moved_to_a_nexus_of_another_port() {
    const REGISTER_AND_MOVE: u8 = 7;
    let place = Place::with(|options, _| options.portals.push("127.0.0.1:0".parse().unwrap()));
    let two = Who::new("two");
    let (mut session, mut here) = (place.session("one"), place.session("two"));
    let mut there = two.login(place.portals[1]);
    meet(&mut there, 0);
    register(&mut session, 0, 1);
    reserve(&mut session, 1, WRITE_EXCLUSIVE);
    let list = PersistentReserveOutList::Move(MoveList {
        key: 1,
        service_action_key: 7,
        unregister: true,
        persist: false,
        relative_target_port: 2,
        initiator: id_of(&two),
    });
    // Without a type, as sg_persist sends it: what is moved keeps its own.
    out(&mut session, REGISTER_AND_MOVE, &list);
    assert_eq!(registrations(&mut session), [(7, 2, true)]);
    let conflict = Status::RESERVATION_CONFLICT;
    assert_eq!(
        [write(&mut session), write(&mut here), write(&mut there)],
        [conflict, conflict, Status::GOOD]
    );
}

#[test]
fn one_register_is_for_others_and_for_all_ports_where_it_says_so() {
    let place = Place::with(|options, _| options.portals.push("127.0.0.1:0".parse().unwrap()));
    let two = Who::new("two");
    let mut session = place.session("one");
    let list = |key, service_action_key| {
        PersistentReserveOutList::Register(RegisterList {
            key,
            service_action_key,
            all_target_ports: true,
            persist: false,
            initiators: Some(vec![id_of(&two)]),
        })
    };
    out(&mut session, 0, &list(0, 9));
    assert_eq!(registrations(&mut session).len(), 4, "two initiators at two ports");
    assert!(keys(&mut session).iter().all(|key| *key == 9));
    reserve(&mut session, 9, WRITE_EXCLUSIVE_REGISTRANTS_ONLY);
    let mut other = two.login(place.portals[1]);
    meet(&mut other, 0);
    assert_eq!(write(&mut other), Status::GOOD, "it is registered, though it was not here yet");
    assert_eq!(write(&mut place.session("three")), Status::RESERVATION_CONFLICT);
}

/// A write of one block that waits for its data.
fn held_write(session: &mut Session, lba: u64) -> TaskTag {
    session.unasked = Unasked::Nothing;
    session.start_held(0, cdb::write(lba, 1), &[0xee; 512])
}

fn block(session: &mut Session, lba: u64) -> Vec<u8> {
    session.run(0, cdb::read(lba, 1), Flow::In(512)).good()
}

fn code(session: &mut Session) -> (u8, u8, u8) {
    session.run(0, cdb::test_unit_ready(), Flow::None).code()
}

#[test]
fn preempt_and_abort_with_tas_answers_the_tasks_of_whom_it_preempts_with_task_aborted() {
    let place = Place::new();
    let (mut session, mut other) = (place.session("one"), place.session("two"));
    session.run(0, cdb::mode_select(16), Flow::Out(&control_page(true))).good();
    assert_eq!(code(&mut other), MODE_CHANGED);
    register(&mut session, 0, 1);
    register(&mut other, 0, 2);
    reserve(&mut other, 2, WRITE_EXCLUSIVE);
    let held = held_write(&mut other, 3);
    let preempt = cdb::reserve_out(5, WRITE_EXCLUSIVE);
    session.run(0, preempt, Flow::Out(&cdb::reserve_list(1, 2, false))).good();
    assert_eq!(other.finish(held).status, Status::TASK_ABORTED);
    assert_eq!(code(&mut other), PREEMPTED);
    assert_eq!(block(&mut session, 3), [0; 512]);
}
