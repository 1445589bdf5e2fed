//! The table against itself, and CDBs by the standards' layouts.

use proptest::prelude::*;

use super::description::SERVICE_ACTION_BITS;
use super::*;
use crate::opcode::Opcode;
use crate::reservation::ReservationType;
use crate::sense::{FieldPointer, SenseForm};
use crate::sense_code::AdditionalSense;

/// A CDB of that row which asks for nothing in particular.
fn blank(row: &CommandDescription) -> Vec<u8> {
    let mut cdb = vec![0; row.cdb_length()];
    cdb[0] = row.opcode.0;
    cdb[1] = row.service_action.map_or(0, |action| u8::try_from(action).unwrap());
    // A field whose zero is no value: RESERVE, RELEASE and REGISTER AND MOVE need a type.
    if row.opcode == Opcode::PERSISTENT_RESERVE_OUT {
        cdb[2] = 0x01;
    }
    // Asked about all commands, it does not look at the fields of one.
    if row.name == "REPORT SUPPORTED OPERATION CODES" {
        cdb[2] = 0x03;
    }
    cdb
}

fn operation(cdb: &[u8]) -> Operation {
    decode(cdb).unwrap().operation
}

fn command(name: &str) -> &'static CommandDescription {
    COMMANDS.iter().find(|row| row.name == name).unwrap()
}

#[test]
fn the_table_is_sorted_and_each_command_has_its_own_row() {
    let order: Vec<_> = COMMANDS.iter().map(|row| (row.opcode, row.service_action)).collect();
    assert!(order.is_sorted(), "{order:?}");
    assert!(order.windows(2).all(|pair| pair[0] != pair[1]));
    let mut names: Vec<_> = COMMANDS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COMMANDS.len());
}

#[test]
fn each_usage_map_has_the_operation_code_the_service_action_and_the_length_of_its_group() {
    for row in COMMANDS {
        assert_eq!(row.usage[0], row.opcode.0, "{}", row.name);
        let length = match row.opcode.0 {
            0x00..=0x1f => 6,
            0x20..=0x5f => 10,
            0x80..=0x9f => 16,
            0xa0..=0xbf => 12,
            other => panic!("{other:02x}h belongs to no group"),
        };
        assert_eq!(row.cdb_length(), length, "{}", row.name);
        assert_eq!(row.usage.last(), Some(&0), "{}: no bit of CONTROL is looked at", row.name);
        if let Some(action) = row.service_action {
            assert_eq!(u16::from(row.usage[1] & SERVICE_ACTION_BITS), action, "{}", row.name);
        }
        let siblings = COMMANDS.iter().filter(|other| other.opcode == row.opcode).count();
        assert!(siblings == 1 || row.service_action.is_some(), "{}", row.name);
    }
}

#[test]
fn each_row_decodes_to_a_command_that_names_it() {
    for row in COMMANDS {
        let command = decode(&blank(row)).unwrap_or_else(|sense| panic!("{}: {sense:?}", row.name));
        assert!(std::ptr::eq(command.description, row), "{}", row.name);
        assert!(std::ptr::eq(find(row.opcode, row.service_action.unwrap_or(0)).unwrap(), row));
        assert!(std::ptr::eq(describe(&blank(row)).unwrap(), row));
    }
}

#[test]
fn each_bit_of_the_usage_map_is_looked_at_and_each_other_is_refused() {
    for row in COMMANDS {
        for at in 1..row.cdb_length() {
            for bit in 0..8 {
                let mut cdb = blank(row);
                if (at == 1 && row.service_action.is_some() && 1 << bit & SERVICE_ACTION_BITS != 0)
                    || cdb[at] >> bit & 1 == 1
                {
                    continue;
                }
                cdb[at] |= 1 << bit;
                let decoded = decode(&cdb);
                let case = format!("{} byte {at} bit {bit}", row.name);
                if row.allowed_bits(at) >> bit & 1 == 0 {
                    assert_eq!(decoded.unwrap_err(), Sense::invalid_cdb(at, Some(bit)), "{case}");
                } else if let Err(sense) = decoded {
                    // A value that the field does not define is pointed at; the bit itself is known.
                    let pointer = sense.field().unwrap();
                    assert_eq!(usize::from(pointer.byte), at, "{case}");
                    assert!(pointer.bit.is_none_or(|leftmost| leftmost >= bit), "{case}");
                } else if row.usage[at] >> bit & 1 == 1 && row.opcode != Opcode::PERSISTENT_RESERVE_OUT {
                    let unchanged = operation(&blank(row));
                    assert_ne!(decoded.unwrap().operation, unchanged, "{case} changes nothing");
                }
            }
        }
    }
}

#[test]
fn a_cdb_with_every_bit_of_its_usage_map_is_taken_where_every_field_has_that_value() {
    for row in COMMANDS {
        let refused = match row.opcode {
            // BYTCHK 11b is reserved of WRITE AND VERIFY.
            Opcode::WRITE_AND_VERIFY_10 | Opcode::WRITE_AND_VERIFY_12 | Opcode::WRITE_AND_VERIFY_16 => {
                Some((1, Some(2)))
            }
            // A reset with a list.
            Opcode::LOG_SELECT => Some((1, Some(1))),
            // SELECT REPORT FFh, REPORTING OPTIONS 111b, PARAMETER DATA FORMAT 111b, SCOPE Fh and TYPE Fh.
            Opcode::REPORT_LUNS => Some((2, None)),
            Opcode::MAINTENANCE_IN if row.service_action == Some(0x0c) => Some((2, Some(2))),
            Opcode::MAINTENANCE_IN if row.service_action == Some(0x0a) => Some((1, Some(7))),
            Opcode::PERSISTENT_RESERVE_OUT if matches!(row.service_action, Some(1 | 2 | 4 | 5 | 7)) => {
                Some((2, Some(7)))
            }
            _ => None,
        };
        let decoded = decode(row.usage).map(|command| command.description.name);
        match refused {
            None => assert_eq!(decoded, Ok(row.name)),
            Some((byte, bit)) => assert_eq!(decoded, Err(Sense::invalid_cdb(byte, bit)), "{}", row.name),
        }
    }
}

#[test]
fn a_short_cdb_is_pointed_at_where_it_ends_and_what_follows_a_whole_one_is_let_be() {
    for row in COMMANDS {
        let cdb = blank(row);
        for length in 2..cdb.len() {
            assert_eq!(decode(&cdb[..length]).unwrap_err(), Sense::invalid_cdb(length, None), "{}", row.name);
        }
        assert!(decode(&cdb[..1]).is_err(), "{}", row.name);
        let padded = [cdb, vec![0xff; 4]].concat();
        assert!(decode(&padded).is_ok(), "{}", row.name);
    }
    assert_eq!(decode(&[]).unwrap_err(), Sense::invalid_cdb(0, None));
}

#[test]
fn an_unknown_operation_code_and_an_unknown_service_action_are_told_apart() {
    for opcode in 0..=0xff {
        let decoded = decode(&[opcode, 0x1e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let rows: Vec<_> = COMMANDS.iter().filter(|row| row.opcode.0 == opcode).collect();
        if rows.is_empty() {
            assert_eq!(decoded.unwrap_err().code, AdditionalSense::INVALID_COMMAND_OPERATION_CODE);
        } else if rows[0].service_action.is_some() {
            assert_eq!(decoded.unwrap_err(), Sense::invalid_cdb(1, Some(4)), "{opcode:02x}h");
        }
    }
}

#[test]
fn naca_and_protection_are_refused_with_a_pointer() {
    let mut read = [0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0x04];
    assert_eq!(decode(&read).unwrap_err(), Sense::invalid_cdb(9, Some(2)));
    read[9] = 0;
    for protection in 1..8 {
        read[1] = protection << 5;
        let pointer = decode(&read).unwrap_err().field().unwrap();
        assert_eq!((pointer.in_cdb, pointer.byte), (true, 1));
        assert!(pointer.bit.unwrap() >= 5);
    }
}

#[test]
fn what_sbc_2_called_fua_nv_and_sync_nv_is_let_be() {
    assert!(decode(&[0x2a, 0x02, 0, 0, 0, 0, 0, 0, 1, 0]).is_ok());
    assert!(decode(&[0x35, 0x06, 0, 0, 0, 0, 0, 0, 1, 0]).is_ok());
    assert!(
        decode(&[0x28, 0x01, 0, 0, 0, 0, 0, 0, 1, 0]).is_err(),
        "a relative address would be another block"
    );
}

#[test]
fn reads_of_every_length_have_their_fields_in_their_places() {
    let transfer =
        |lba, count, dpo, fua, group| Transfer { lba: Lba(lba), count: BlockCount(count), dpo, fua, group };
    assert_eq!(
        operation(&[0x08, 0x1f, 2, 3, 4, 0]),
        Operation::Read(transfer(0x1f_0203, 4, false, false, 0))
    );
    assert_eq!(operation(&[0x08, 0, 0, 0, 0, 0]), Operation::Read(transfer(0, 256, false, false, 0)));
    let ten = [0x28, 0x10, 1, 2, 3, 4, 5, 6, 7, 0];
    assert_eq!(operation(&ten), Operation::Read(transfer(0x0102_0304, 0x0607, true, false, 5)));
    let twelve = [0xa8, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    assert_eq!(operation(&twelve), Operation::Read(transfer(0x0102_0304, 0x0506_0708, false, true, 9)));
    let sixteen = [0x88, 0x18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0];
    let read = transfer(0x0102_0304_0506_0708, 0x090a_0b0c, true, true, 13);
    assert_eq!(operation(&sixteen), Operation::Read(read));
}

#[test]
fn compare_and_write_has_two_halves_of_its_count() {
    let cdb = [0x89, 0x08, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0];
    let command = decode(&cdb).unwrap();
    let Operation::CompareAndWrite(transfer) = command.operation else { panic!("{command:?}") };
    assert_eq!((transfer.lba, transfer.count, transfer.fua), (Lba(9), BlockCount(3), true));
    assert_eq!(command.data_out_length(BlockSize::B512), Some(ByteCount(6 * 512)));
    assert_eq!(command.blocks(BlockCount(100)), Some((Lba(9), BlockCount(3))));
    assert!(command.is_write());
}

#[test]
fn an_atomic_write_has_its_boundary_before_its_count() {
    let cdb = [0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 4, 0, 16, 0, 0];
    let Operation::WriteAtomic(write) = operation(&cdb) else { panic!() };
    assert_eq!((write.boundary, write.transfer.count), (BlockCount(4), BlockCount(16)));
}

#[test]
fn verify_has_data_by_its_byte_check() {
    let length = |byte: u8| {
        let command = decode(&[0x2f, byte, 0, 0, 0, 0, 0, 0, 5, 0]).unwrap();
        command.data_out_length(BlockSize::B4096)
    };
    assert_eq!(length(0b000), None);
    assert_eq!(length(0b010), Some(ByteCount(5 * 4096)));
    assert_eq!(length(0b110), Some(ByteCount(4096)));
    assert_eq!(decode(&[0x2f, 0b100, 0, 0, 0, 0, 0, 0, 5, 0]).unwrap_err(), Sense::invalid_cdb(1, Some(2)));
    assert!(!decode(&[0x2f, 0, 0, 0, 0, 0, 0, 0, 5, 0]).unwrap().is_write());
}

#[test]
fn write_same_has_one_block_or_none_and_may_go_to_the_end() {
    let ten = decode(&[0x41, 0x18, 0, 0, 0, 9, 0, 0, 0, 0]).unwrap();
    let Operation::WriteSame(write) = ten.operation else { panic!("{ten:?}") };
    assert_eq!((write.unmap, write.anchor, write.count), (true, true, None));
    assert_eq!(ten.blocks(BlockCount(100)), Some((Lba(9), BlockCount(91))));
    assert_eq!(ten.data_out_length(BlockSize::B512), Some(ByteCount(512)));
    let sixteen = decode(&[0x93, 0x01, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0]).unwrap();
    assert_eq!(sixteen.data_out_length(BlockSize::B512), None);
    let anchored = decode(&[0x41, 0x10, 0, 0, 0, 9, 0, 0, 1, 0]);
    assert_eq!(anchored.unwrap_err(), Sense::invalid_cdb(1, Some(4)), "an anchor without an unmap");
}

#[test]
fn a_range_to_the_end_that_begins_beyond_it_is_out_of_range() {
    let command = decode(&[0x35, 0, 0, 0, 0, 100, 0, 0, 0, 0]).unwrap();
    for (capacity, good) in [(101, true), (100, false), (50, false)] {
        let (lba, count) = command.blocks(BlockCount(capacity)).unwrap();
        assert_eq!(check_range(lba, count, BlockCount(capacity)).is_ok(), good, "{capacity}");
    }
}

#[test]
fn a_range_ends_with_the_unit_and_never_wraps() {
    let check = |lba, count| check_range(Lba(lba), BlockCount(count), BlockCount(100));
    assert_eq!(check(99, 1), Ok(()));
    assert_eq!(check(100, 0), Ok(()));
    for (lba, count) in [(99, 2), (100, 1), (101, 0), (u64::MAX, 2), (2, u64::MAX)] {
        assert_eq!(check(lba, count), Err(Sense::out_of_range()), "{lba} {count}");
    }
}

#[test]
fn inquiry_asks_for_a_page_only_with_evpd() {
    let asked = |cdb: &[u8]| match operation(cdb) {
        Operation::Inquiry(inquiry) => (inquiry.page, inquiry.allocation_length),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(&[0x12, 0, 0, 1, 2, 0]), (None, 0x0102));
    assert_eq!(asked(&[0x12, 1, 0x83, 0, 255, 0]), (Some(0x83), 255));
    assert_eq!(decode(&[0x12, 0, 0x83, 0, 255, 0]).unwrap_err(), Sense::invalid_cdb(2, None));
    assert!(decode(&[0x12, 2, 0, 0, 255, 0]).is_err(), "CMDDT is obsolete");
}

#[test]
fn request_sense_names_the_form_that_it_wants() {
    let form = |descriptor: u8| match operation(&[0x03, descriptor, 0, 0, 252, 0]) {
        Operation::RequestSense(request) => (request.form, request.allocation_length),
        other => panic!("{other:?}"),
    };
    assert_eq!(form(0), (SenseForm::Fixed, 252));
    assert_eq!(form(1), (SenseForm::Descriptor, 252));
}

#[test]
fn a_reservation_is_decoded_where_its_action_looks_at_it() {
    let out = |action: u8, scope_and_type: u8| decode(&[0x5f, action, scope_and_type, 0, 0, 0, 0, 0, 24, 0]);
    let kind = |action, byte| match out(action, byte).unwrap().operation {
        Operation::PersistentReserveOut(out) => (out.kind, out.parameter_list_length),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind(1, 0x06), (Some(ReservationType::ExclusiveAccessRegistrantsOnly), 24));
    assert_eq!(kind(4, 0x00), (None, 24), "a preemption of registrations alone");
    assert_eq!(kind(0, 0xff), (None, 24), "a registration ignores both fields");
    assert_eq!(out(1, 0x02).unwrap_err(), Sense::invalid_cdb(2, Some(3)));
    assert_eq!(out(2, 0x11).unwrap_err(), Sense::invalid_cdb(2, Some(7)));
    assert_eq!(out(8, 0x01).unwrap_err(), Sense::invalid_cdb(1, Some(4)));
}

#[test]
fn two_commands_pass_reservations_by_their_fields() {
    let rule = |cdb: &[u8]| decode(cdb).unwrap().reservation_rule();
    assert_eq!(rule(&[0x1e, 0, 0, 0, 0, 0]), ReservationRule::Allowed);
    assert_eq!(rule(&[0x1e, 0, 0, 0, 1, 0]), ReservationRule::Write);
    assert_eq!(rule(&[0x1b, 0, 0, 0, 1, 0]), ReservationRule::Allowed);
    assert_eq!(rule(&[0x1b, 0, 0, 0, 0, 0]), ReservationRule::Write);
    assert_eq!(rule(&[0x1b, 0, 0, 0, 0x11, 0]), ReservationRule::Write);
}

#[test]
fn what_writes_conflicts_with_every_foreign_reservation_and_what_reads_passes_write_exclusive() {
    for row in COMMANDS.iter().filter(|row| row.modifies_medium) {
        assert_eq!(row.reservation, ReservationRule::Write, "{}", row.name);
        assert!(row.needs_medium, "{}", row.name);
    }
    for name in ["READ(16)", "VERIFY(10)", "PRE-FETCH(16)", "GET LBA STATUS(16)", "MODE SENSE(6)"] {
        assert_eq!(command(name).reservation, ReservationRule::Read, "{name}");
    }
}

#[test]
fn a_unit_attention_waits_behind_three_commands_alone() {
    let passing: Vec<_> =
        COMMANDS.iter().filter(|row| row.passes_unit_attention).map(|row| row.name).collect();
    assert_eq!(passing, ["REQUEST SENSE", "INQUIRY", "REPORT LUNS"]);
    for row in COMMANDS.iter().filter(|row| row.passes_unit_attention) {
        assert_eq!(
            (row.access, row.reservation),
            (AccessRule::Always, ReservationRule::Allowed),
            "{}",
            row.name
        );
    }
}

#[test]
fn only_one_direction_has_data_but_for_none() {
    for row in COMMANDS {
        let mut cdb = row.usage.to_vec();
        if decode(&cdb).is_err() {
            cdb = blank(row);
        }
        let command = decode(&cdb).unwrap();
        let (out, into) = (command.data_out_length(BlockSize::B512), command.data_in_length(BlockSize::B512));
        assert!(out.is_none() || into.is_none(), "{}", row.name);
    }
    let length = |cdb: &[u8]| decode(cdb).unwrap().data_in_length(BlockSize::B512);
    assert_eq!(length(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Some(ByteCount(8)));
    assert_eq!(length(&[0x28, 0, 0, 0, 0, 0, 0, 0, 3, 0]), Some(ByteCount(3 * 512)));
    assert_eq!(length(&[0x00, 0, 0, 0, 0, 0]), None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_and_each_refusal_points_into_what_came(
        bytes in prop::collection::vec(any::<u8>(), 0..20),
        row in 0..COMMANDS.len(),
        with_row in any::<bool>(),
    ) {
        let mut bytes = bytes;
        if with_row {
            let usage = COMMANDS[row].usage;
            bytes = bytes.iter().zip(usage).map(|(byte, used)| byte & used).collect();
            bytes.iter_mut().zip([usage[0], usage[1]]).for_each(|(byte, used)| *byte |= used);
        }
        match decode(&bytes) {
            Ok(command) => {
                let _ = command.data_out_length(BlockSize::B4096);
                let _ = command.data_in_length(BlockSize::B4096);
                let _ = command.blocks(BlockCount(1 << 40));
                prop_assert!(bytes.len() >= command.description.cdb_length());
            }
            Err(sense) => {
                let FieldPointer { in_cdb, byte, .. } = sense.field().unwrap();
                prop_assert!(in_cdb && usize::from(byte) <= bytes.len(), "{sense:?}");
            }
        }
    }
}
