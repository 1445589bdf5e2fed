//! Lists and data as SPC-5 lays them out.

use super::*;
use crate::command::PersistentReserveOutAction as Action;
use crate::reservation::ReservationType;
use crate::sense::Sense;
use crate::transport_id::TransportId;

fn initiator() -> TransportId {
    TransportId::Port { name: "iqn.2030-01.net.example:b".to_owned(), isid: [0x80, 1, 2, 3, 4, 5] }
}

fn register(initiators: Option<Vec<TransportId>>) -> RegisterList {
    RegisterList { key: 1, service_action_key: 0xabcd, all_target_ports: true, persist: true, initiators }
}

fn moving() -> MoveList {
    MoveList {
        key: 1,
        service_action_key: 2,
        unregister: true,
        persist: false,
        relative_target_port: 0x0102,
        initiator: initiator(),
    }
}

#[test]
fn the_basic_list_has_its_24_bytes_and_no_other_length() {
    let list = PersistentReserveOutList::Register(register(None));
    let bytes = list.encode();
    assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0, 0, 0, 0, 0x05, 0, 0, 0]);
    for action in [Action::Register, Action::Reserve, Action::Clear, Action::PreemptAndAbort] {
        assert_eq!(PersistentReserveOutList::decode(action, &bytes), Ok(list.clone()), "{action:?}");
        let longer = [&bytes[..], &[0]].concat();
        for wrong in [&bytes[..23], &longer, &[]] {
            let refused = PersistentReserveOutList::decode(action, wrong);
            assert_eq!(refused, Err(Sense::parameter_list_length()), "{action:?}");
        }
    }
}

#[test]
fn initiators_are_named_by_register_alone() {
    let list = PersistentReserveOutList::Register(register(Some(vec![initiator(), initiator()])));
    let bytes = list.encode();
    assert_eq!(bytes[20], 0x0d);
    assert_eq!(PersistentReserveOutList::decode(Action::Register, &bytes), Ok(list));
    for action in [Action::Reserve, Action::RegisterAndIgnoreExistingKey] {
        let refused = PersistentReserveOutList::decode(action, &bytes);
        assert_eq!(refused, Err(Sense::invalid_parameter(20, Some(3))), "{action:?}");
    }
}

#[test]
fn a_list_that_ends_within_its_initiators_is_too_short_and_a_strange_one_is_pointed_at() {
    let mut bytes =
        PersistentReserveOutList::Register(register(Some(vec![initiator(), initiator()]))).encode();
    for length in 24..bytes.len() {
        let refused = PersistentReserveOutList::decode(Action::Register, &bytes[..length]);
        assert_eq!(refused, Err(Sense::parameter_list_length()), "{length}");
    }
    let second = 28 + initiator().encode().len();
    bytes[second] = 0x46;
    let refused = PersistentReserveOutList::decode(Action::Register, &bytes);
    assert_eq!(refused, Err(Sense::invalid_parameter(second, None)));
}

#[test]
fn a_move_names_its_port_and_its_new_holder() {
    let list = PersistentReserveOutList::Move(moving());
    let bytes = list.encode();
    assert_eq!(bytes[16..24], [0, 0x02, 0x01, 0x02, 0, 0, 0, 48]);
    assert_eq!(PersistentReserveOutList::decode(Action::RegisterAndMove, &bytes), Ok(list));
    for length in 0..bytes.len() {
        let refused = PersistentReserveOutList::decode(Action::RegisterAndMove, &bytes[..length]);
        assert_eq!(refused, Err(Sense::parameter_list_length()), "{length}");
    }
}

#[test]
fn keys_are_listed_and_cut_ones_left_out() {
    let keys = ReservationKeys { generation: 7, keys: vec![1, 2] };
    let data = keys.encode();
    assert_eq!(data, [0, 0, 0, 7, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    assert_eq!(ReservationKeys::decode(&data), Some(keys));
    assert_eq!(ReservationKeys::decode(&data[..23]).unwrap().keys, [1]);
}

#[test]
fn a_reservation_is_told_and_so_is_none() {
    let none = HeldReservation { generation: 7, held: None };
    assert_eq!(none.encode(), [0, 0, 0, 7, 0, 0, 0, 0]);
    assert_eq!(HeldReservation::decode(&none.encode()), Some(none));
    let held = HeldReservation { held: Some((9, ReservationType::WriteExclusiveRegistrantsOnly)), ..none };
    assert_eq!(held.encode()[4..], [0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0x05, 0, 0]);
    assert_eq!(HeldReservation::decode(&held.encode()), Some(held));
    assert_eq!(HeldReservation::decode(&held.encode()[..20]), None);
}

#[test]
fn capabilities_are_told_bit_by_bit() {
    let all = ReservationCapabilities {
        compatible_reservation_handling: true,
        specify_initiators: true,
        all_target_ports: true,
        persist: true,
        persist_active: true,
        allow_commands: 1,
        types: [true; 6],
    };
    assert_eq!(all.encode(), [0, 8, 0x1d, 0x91, 0xea, 0x01, 0, 0]);
    assert_eq!(ReservationCapabilities::decode(&all.encode()), Some(all));
}

#[test]
fn full_status_names_each_registration() {
    let registration = StatusDescriptor {
        key: 9,
        all_target_ports: false,
        holds: Some(ReservationType::ExclusiveAccess),
        relative_target_port: 2,
        initiator: initiator(),
    };
    let other = StatusDescriptor { holds: None, all_target_ports: true, ..registration.clone() };
    let status = FullStatus { generation: 3, registrations: vec![registration, other] };
    let data = status.encode();
    assert_eq!(data[8..32], [0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0x01, 0x03, 0, 0, 0, 0, 0, 2, 0, 0, 0, 48]);
    assert_eq!(FullStatus::decode(&data), Some(status.clone()));
    assert_eq!(FullStatus::decode(&data[..data.len() - 1]).unwrap().registrations, status.registrations[..1]);
}
