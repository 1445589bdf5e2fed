//! Data on their way to the target, as agreed and otherwise (RFC 7143, 4.2.5.2, 7.8, 11.7 and 13.10 to 13.17).

use oarlock_scsi::Status;
use oarlock_scsi::iscsi::{
    DataOut, DataSn, NopOut, Opcode, SEGMENT_MAX, ScsiCommand, TaskAttribute, TaskTag,
};

use crate::initiator::{Flow, Session, Unasked, Who, cdb};
use crate::place::{Place, meet, pattern};

const DATA_DIGEST: u8 = 0x02;
const NOT_SUPPORTED: u8 = 0x05;
const INVALID_FIELD: u8 = 0x09;

/// ABORTED COMMAND: PROTOCOL SERVICE CRC ERROR.
const CRC: (u8, u8, u8) = (0x0b, 0x47, 0x05);
/// ABORTED COMMAND: UNEXPECTED UNSOLICITED DATA.
const UNEXPECTED: (u8, u8, u8) = (0x0b, 0x0c, 0x0c);
/// ILLEGAL REQUEST: INVALID FIELD IN CDB.
const INVALID_CDB: (u8, u8, u8) = (0x05, 0x24, 0x00);
/// ABORTED COMMAND: NOT ENOUGH UNSOLICITED DATA.
const NOT_ENOUGH: (u8, u8, u8) = (0x0b, 0x0c, 0x0d);

/// Four blocks that are each unlike the others.
fn four_blocks(seed: u8) -> Vec<u8> {
    (0..4).flat_map(|block| [seed.wrapping_mul(5).wrapping_add(block); 512]).collect()
}

fn login(place: &Place, who: &Who) -> Session {
    let mut session = who.login(place.portal());
    meet(&mut session, 0);
    session
}

/// Nothing was written, the session goes on, and so does everybody else.
fn nothing_happened(place: &Place, session: &mut Session) {
    assert_eq!(session.run(0, cdb::read(0, 4), Flow::In(2048)).good(), [0; 2048]);
    place.serves();
}

#[test]
fn data_arrive_whole_however_the_two_ends_agreed_to_send_them() {
    let place = Place::new();
    let data = pattern(200 * 512);
    let mut lba = 0;
    for choice in 0..32 {
        let yes = |bit: u8| if choice >> bit & 1 == 0 { "Yes" } else { "No" };
        let digest = |bit: u8| if choice >> bit & 1 == 0 { "None" } else { "CRC32C" };
        let small = choice >> 4 & 1 == 1;
        let who = Who::new("one")
            .key("ImmediateData", yes(0))
            .key("InitialR2T", yes(1))
            .key("HeaderDigest", digest(2))
            .key("DataDigest", digest(3))
            .key("FirstBurstLength", if small { "516" } else { "65536" })
            .key("MaxBurstLength", if small { "1536" } else { "65536" })
            .key("MaxOutstandingR2T", if small { "3" } else { "1" })
            .key("MaxRecvDataSegmentLength", if small { "1028" } else { "262144" });
        let mut session = who.login(place.portal());
        session.run(0, cdb::test_unit_ready(), Flow::None).code();
        for unasked in [Unasked::All, Unasked::Immediate, Unasked::Nothing] {
            session.unasked = unasked;
            session.run(0, cdb::write(lba, 200), Flow::Out(&data)).good();
            assert!(session.run(0, cdb::read(lba, 200), Flow::In(data.len())).good() == data, "{who:?}");
            lba += 201;
        }
        session.logout();
    }
}

/// What came of a write of four blocks of which one Data-Out is not as it should be.
fn write_with(place: &Place, change: impl FnOnce(&mut DataOut) -> Vec<u8>) -> (Session, TaskTag) {
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    let tag = session.start_held(0, cdb::write(0, 4), &four_blocks(1));
    let asked = session.asked(tag);
    let mut out = session.data_out(tag, asked.transfer_tag, 0);
    let data = change(&mut out);
    session.wire.send(out.encode(), &data);
    (session, tag)
}

#[test]
fn a_data_out_of_the_wrong_number_fails_its_command() {
    let place = Place::new();
    let (mut session, tag) = write_with(&place, |out| {
        out.data_sn = DataSn(1);
        four_blocks(1)
    });
    assert_eq!(session.finish(tag).code(), CRC);
    nothing_happened(&place, &mut session);
}

#[test]
fn a_data_out_at_the_wrong_place_fails_its_command() {
    let place = Place::new();
    for offset in [512, 4, u32::MAX] {
        let (mut session, tag) = write_with(&place, |out| {
            out.offset = offset;
            four_blocks(1)[512..].to_vec()
        });
        assert_eq!(session.finish(tag).code(), NOT_ENOUGH);
        nothing_happened(&place, &mut session);
        session.logout();
    }
}

#[test]
fn more_data_than_were_asked_for_fail_their_command() {
    let place = Place::new();
    let (mut session, tag) = write_with(&place, |_| [four_blocks(1), four_blocks(2)].concat());
    assert_eq!(session.finish(tag).status, Status::CHECK_CONDITION);
    nothing_happened(&place, &mut session);
}

#[test]
fn less_data_than_were_asked_for_fail_their_command() {
    let place = Place::new();
    for length in [0, 4, 512, 2044] {
        let (mut session, tag) = write_with(&place, |_| four_blocks(1)[..length].to_vec());
        assert_eq!(session.finish(tag).code(), NOT_ENOUGH);
        nothing_happened(&place, &mut session);
        session.logout();
    }
}

#[test]
fn a_transfer_tag_that_was_never_given_is_rejected_and_the_command_goes_on() {
    let place = Place::new();
    let (mut session, tag) = write_with(&place, |out| {
        out.transfer_tag = TaskTag(0x7777);
        four_blocks(2)
    });
    assert_eq!(session.rejected(), INVALID_FIELD);
    session.release(tag);
    session.finish(tag).good();
    assert_eq!(session.run(0, cdb::read(0, 4), Flow::In(2048)).good(), four_blocks(1));
    place.serves();
}

#[test]
fn data_of_no_task_are_dropped() {
    let place = Place::new();
    let mut session = place.session("one");
    for transfer_tag in [TaskTag::NONE, TaskTag(0)] {
        let out = session.data_out(TaskTag(0x7777), transfer_tag, 0);
        session.wire.send(out.encode(), &four_blocks(1));
    }
    session.ping_now();
    nothing_happened(&place, &mut session);
}

/// A write of 1 MiB: only a part of memory is set aside before its turn.
const LONG: u32 = 2048;

#[test]
fn more_immediate_data_than_the_first_burst_fail_their_command() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("FirstBurstLength", "1024"));
    session.agreed.first_burst_max = 8192;
    assert_eq!(session.run(0, cdb::write(0, 4), Flow::Out(&four_blocks(1))).code(), UNEXPECTED);
    let long = vec![1; LONG as usize * 512];
    assert_eq!(session.run(0, cdb::write(0, LONG), Flow::Out(&long)).code(), UNEXPECTED);
    nothing_happened(&place, &mut session);
}

#[test]
fn more_unasked_data_than_the_first_burst_fail_their_command() {
    let place = Place::new();
    let who = Who::new("one").key("FirstBurstLength", "1024").key("InitialR2T", "No");
    let mut session = login(&place, &who.key("ImmediateData", "No"));
    session.agreed.first_burst_max = 8192;
    session.unasked = Unasked::All;
    for blocks in [4, LONG] {
        let data = vec![1; blocks as usize * 512];
        let answer = session.run(0, cdb::write(0, blocks), Flow::Out(&data));
        assert_eq!((answer.status, answer.code().0), (Status::CHECK_CONDITION, 0x0b));
    }
    nothing_happened(&place, &mut session);
}

#[test]
fn unasked_data_far_behind_the_first_burst_fail_their_command() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("InitialR2T", "No").key("ImmediateData", "No"));
    let long = vec![1; LONG as usize * 512];
    let command = session.command(0, cdb::write(0, LONG), Flow::Out(&long));
    let (tag, command) = (command.task_tag, ScsiCommand { is_final: false, ..command });
    session.expect(tag);
    session.wire.send(command.encode(), &[]);
    let out = session.data_out(tag, TaskTag::NONE, 512 << 10);
    session.wire.send(out.encode(), &four_blocks(1));
    assert_eq!(session.finish(tag).status, Status::CHECK_CONDITION);
    nothing_happened(&place, &mut session);
}

#[test]
fn immediate_data_that_were_not_agreed_on_fail_their_command() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("ImmediateData", "No"));
    session.agreed.immediate_data = true;
    assert_eq!(session.run(0, cdb::write(0, 4), Flow::Out(&four_blocks(1))).code(), UNEXPECTED);
    nothing_happened(&place, &mut session);
}

#[test]
fn unasked_data_that_were_not_agreed_on_are_rejected_and_asked_for() {
    let place = Place::new();
    let mut session = place.session("one");
    session.unasked = Unasked::Nothing;
    let tag = session.start_held(0, cdb::write(0, 4), &four_blocks(1));
    let out = session.data_out(tag, TaskTag::NONE, 0);
    session.wire.send(out.encode(), &four_blocks(2));
    assert_eq!(session.rejected(), INVALID_FIELD);
    session.release(tag);
    session.finish(tag).good();
    assert_eq!(session.run(0, cdb::read(0, 4), Flow::In(2048)).good(), four_blocks(1));
    place.serves();
}

#[test]
fn immediate_data_of_a_command_that_writes_nothing_go_nowhere() {
    let place = Place::new();
    let mut session = place.session("one");
    let command = session.command(0, cdb::read(0, 4), Flow::In(2048));
    let tag = session.put(command, Flow::In(2048));
    session.finish(tag).good();
    let command = session.command(0, cdb::test_unit_ready(), Flow::None);
    let tag = session.put(command, Flow::Out(&four_blocks(1)));
    let _ = session.finish(tag);
    nothing_happened(&place, &mut session);
}

/// They were answered with GOOD, and nothing was compared or written, or a part.
#[test]
fn what_is_one_act_or_a_comparison_wants_all_of_its_data_and_from_the_initiator() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one"));
    let mut compare_blocks = cdb::verify(0, 4);
    compare_blocks[1] |= 1 << 1;
    let mut compare_same = cdb::verify(0, 4);
    compare_same[1] |= 3 << 1;
    let commands = [
        (cdb::compare_and_write(0, 1), 1024),
        (cdb::write_same(0, 4, false), 512),
        (cdb::write_atomic(0, 4), 2048),
        (compare_blocks, 2048),
        (compare_same, 512),
    ];
    for (cdb, length) in commands {
        for (reads, is_sized) in [(true, true), (false, true), (false, false)] {
            let mut command = session.command(0, cdb, Flow::In(if is_sized { length } else { 0 }));
            command.reads = reads;
            let tag = session.put(command, Flow::None);
            assert_eq!(session.finish(tag).code(), INVALID_CDB, "{cdb:x?}");
        }
        for length in [length / 2, 2 * length] {
            let refused = session.run(0, cdb, Flow::Out(&vec![1; length]));
            assert_eq!(refused.code(), INVALID_CDB, "{cdb:x?} with {length}");
        }
    }
    nothing_happened(&place, &mut session);
}

#[test]
fn a_segment_longer_than_the_target_declared_ends_the_connection() {
    let place = Place::new();
    let mut session = place.session("one");
    let command = session.command(0, cdb::write(0, 2048), Flow::Out(&[1; 1 << 20]));
    let mut header = command.encode();
    header.set_data_length(SEGMENT_MAX as usize + 4);
    session.wire.send_bytes(&header.0);
    assert!(session.wire.wait_for_end().is_empty());
    place.serves();
}

#[test]
fn a_header_whose_digest_is_wrong_ends_the_connection() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("HeaderDigest", "CRC32C"));
    let command = session.command(0, cdb::write(0, 4), Flow::Out(&four_blocks(1)));
    let mut bytes = session.wire.encode(command.encode(), &four_blocks(1));
    bytes[33] ^= 1;
    session.wire.send_bytes(&bytes);
    session.wire.wait_for_end();
    nothing_happened(&place, &mut place.session("two"));
}

#[test]
fn a_data_out_whose_digest_is_wrong_is_rejected_and_fails_its_command() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("DataDigest", "CRC32C"));
    session.unasked = Unasked::Nothing;
    let tag = session.start_held(0, cdb::write(0, 4), &four_blocks(1));
    let asked = session.asked(tag);
    let out = session.data_out(tag, asked.transfer_tag, 0);
    let mut bytes = session.wire.encode(out.encode(), &four_blocks(1));
    bytes[48 + 700] ^= 1;
    session.wire.send_bytes(&bytes);
    assert_eq!(session.rejected(), DATA_DIGEST);
    assert_eq!(session.finish(tag).code(), CRC);
    nothing_happened(&place, &mut session);
}

/// An initiator may use the command's tag again when it has the response, and what it still sends for it belongs to nothing then
/// (RFC 7143, 7.8).
#[test]
fn a_response_waits_for_all_that_was_asked_for_even_where_its_digest_was_wrong() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("DataDigest", "CRC32C"));
    session.unasked = Unasked::Nothing;
    let tag = session.start_held(0, cdb::write(0, 4), &four_blocks(1));
    let asked = session.asked(tag);
    let mut out = session.data_out(tag, asked.transfer_tag, 0);
    out.is_final = false;
    let mut bytes = session.wire.encode(out.encode(), &four_blocks(1)[..1024]);
    bytes[48 + 700] ^= 1;
    session.wire.send_bytes(&bytes);
    assert_eq!(session.rejected(), DATA_DIGEST);
    session.ping_now();
    assert!(!session.is_answered(tag));
    let mut rest = session.data_out(tag, asked.transfer_tag, 1024);
    rest.data_sn = out.data_sn.next();
    session.wire.send(rest.encode(), &four_blocks(1)[1024..]);
    assert_eq!(session.finish(tag).code(), CRC);
    nothing_happened(&place, &mut session);
}

/// The command counts as not received, and its number is missing for good: the session ends (RFC 7143, 7.8, error recovery level 0).
#[test]
fn a_command_whose_immediate_data_have_a_wrong_digest_is_not_executed_and_its_session_ends() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("DataDigest", "CRC32C"));
    let command = session.command(0, cdb::write(0, 4), Flow::Out(&four_blocks(1)));
    let mut bytes = session.wire.encode(command.encode(), &four_blocks(1));
    bytes[48 + 700] ^= 1;
    session.wire.send_bytes(&bytes);
    session.wire.wait_for_end();
    nothing_happened(&place, &mut place.session("two"));
}

#[test]
fn an_immediate_ping_whose_digest_is_wrong_is_rejected() {
    let place = Place::new();
    let mut session = login(&place, &Who::new("one").key("DataDigest", "CRC32C"));
    let nop = NopOut {
        is_immediate: true,
        lun: [0; 8],
        task_tag: session.tag(),
        transfer_tag: TaskTag::NONE,
        cmd_sn: session.cmd_sn,
        exp_stat_sn: session.exp_stat_sn,
    };
    let mut bytes = session.wire.encode(nop.encode(), b"data that are spoiled");
    bytes[50] ^= 1;
    session.wire.send_bytes(&bytes);
    assert_eq!(session.rejected(), DATA_DIGEST);
    assert_eq!(session.ping(b"data that are whole"), b"data that are whole");
    nothing_happened(&place, &mut session);
}

/// Additional header segments belong to the header, and to its digest; none of them changes a command of sixteen bytes.
#[test]
fn additional_header_segments_are_read_past() {
    let place = Place::new();
    for digest in ["None", "CRC32C"] {
        let mut session = login(&place, &Who::new("one").key("HeaderDigest", digest));
        for words in [1, 2, 255] {
            let command = session.command(0, cdb::read(0, 4), Flow::In(2048));
            let tag = command.task_tag;
            let header_digest = std::mem::take(&mut session.wire.header_digest);
            let mut bytes = session.wire.encode(command.encode(), &[]);
            session.wire.header_digest = header_digest;
            bytes[4] = words;
            // AHSLength, AHSType of an extended CDB, and what it has.
            bytes.extend([0, 1, 1, 0]);
            bytes.resize(48 + 4 * usize::from(words), 0x5a);
            if header_digest {
                bytes.extend(oarlock_block::crc32c(&[&bytes.clone()]).to_le_bytes());
            }
            session.expect(tag);
            session.wire.send_bytes(&bytes);
            session.finish(tag).good();
        }
        nothing_happened(&place, &mut session);
        session.logout();
    }
}

#[test]
fn operation_codes_of_the_protocol_that_nobody_sends_are_rejected() {
    let place = Place::new();
    let mut session = place.session("one");
    let is_request = |number: &u8| Opcode::from_number(*number).is_some_and(Opcode::is_request);
    for number in (0..0x40_u8).filter(|number| !is_request(number)) {
        let mut header = session.data_out(TaskTag(5), TaskTag::NONE, 0).encode();
        header.0[0] = 0x40 | number;
        session.wire.send(header, b"and some data");
        assert_eq!(session.rejected(), NOT_SUPPORTED, "opcode {number:02x}h");
    }
    nothing_happened(&place, &mut session);
}

/// After each byte of a write, of its immediate data, its unsolicited data, and what it was asked for: the connection ends, and
/// the unit has nothing left of it, so that an ordered command of somebody else is executed. What was written is all or nothing.
#[test]
fn a_connection_that_ends_at_any_byte_of_a_write_leaves_nothing() {
    let place = Place::new();
    let mut witness = place.session("two");
    witness.attribute = TaskAttribute::Ordered;
    let who = Who::new("one").key("InitialR2T", "No").key("FirstBurstLength", "1024");
    let length: usize = 3 * 48 + 2048;
    for end in 0..=length {
        let mut session = who.login(place.portal());
        session.run(0, cdb::test_unit_ready(), Flow::None).code();
        let data = four_blocks(u8::try_from(end % 251).unwrap());
        let mut command = session.command(0, cdb::write(0, 4), Flow::Out(&data));
        command.is_final = false;
        let unasked = session.data_out(command.task_tag, TaskTag::NONE, 512);
        let mut bytes = session.wire.encode(command.encode(), &data[..512]);
        bytes.extend(session.wire.encode(unasked.encode(), &data[512..1024]));
        if let Some(asked_for) = end.checked_sub(bytes.len()) {
            session.wire.send_bytes(&bytes);
            let asked = session.wire.receive();
            assert_eq!(asked.header.opcode(), Some(Opcode::ReadyToTransfer));
            let out = session.data_out(command.task_tag, TaskTag(0), 1024);
            let rest = session.wire.encode(out.encode(), &data[1024..]);
            session.wire.send_bytes(&rest[..asked_for]);
        } else {
            session.wire.send_bytes(&bytes[..end]);
        }
        session.wire.hang_up();
        let found = witness.run(0, cdb::read(0, 4), Flow::In(2048)).good();
        let is_whole = found == [0; 2048] || found == whole_of(&found);
        assert!(is_whole, "byte {end} of {length}: a part of a write");
    }
    drop(witness);
    place.serves();
}

/// The four blocks of the write that the first byte belongs to.
fn whole_of(found: &[u8]) -> Vec<u8> {
    (0..4).flat_map(|block| [found[0].wrapping_add(block); 512]).collect()
}
