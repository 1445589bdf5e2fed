//! What initiators may take for durable goes to the medium so, whatever command wrote it (SBC-4, caching mode page; FUA).

use std::collections::BTreeMap;

use crate::atomicity::copy_list;
use crate::initiator::{Flow, Session, cdb};
use crate::place::Place;

const BLOCK: [u8; 512] = [0x5a; 512];

/// Commands to the medium since the array began, by kind.
fn counts(place: &Place) -> BTreeMap<&'static str, u64> {
    place.target().metrics().unwrap().media.into_iter().collect()
}

/// What one command asks of the medium.
fn asked(place: &Place, act: impl FnOnce()) -> BTreeMap<&'static str, u64> {
    let before = counts(place);
    act();
    let after = counts(place);
    after
        .into_iter()
        .map(|(kind, count)| (kind, count - before[kind]))
        .filter(|(_, more)| *more > 0)
        .collect()
}

fn place(write_cache: bool) -> Place {
    Place::with(|options, _| options.units[0].write_cache = write_cache)
}

/// Every way to write a block: its name, and what does it.
fn ways(session: &mut Session) -> Vec<(&'static str, [u8; 16], Vec<u8>)> {
    let list = copy_list(session, 0, 8, 1);
    let swap = [session.run(0, cdb::read(3, 1), Flow::In(512)).good(), BLOCK.to_vec()].concat();
    vec![
        ("WRITE", cdb::write(1, 1), BLOCK.to_vec()),
        ("WRITE AND VERIFY", cdb::write_and_verify(1, 1), BLOCK.to_vec()),
        ("ORWRITE", cdb::or_write(1, 1), BLOCK.to_vec()),
        ("WRITE ATOMIC", cdb::write_atomic(1, 1), BLOCK.to_vec()),
        ("COMPARE AND WRITE", cdb::compare_and_write(3, 1), swap),
        ("WRITE SAME", cdb::write_same(1, 8, false), BLOCK.to_vec()),
        ("WRITE SAME of zeros", cdb::write_same(1, 8, false), vec![0; 512]),
        ("WRITE SAME with UNMAP", cdb::write_same(1, 8, true), vec![0; 512]),
        ("UNMAP", cdb::unmap(24), cdb::unmap_list(1, 8)),
        ("EXTENDED COPY", cdb::extended_copy(list.len()), list),
    ]
}

#[test]
fn without_a_write_cache_everything_is_durable_when_it_is_answered() {
    let place = place(false);
    let mut session = place.session("one");
    for (name, command, data) in ways(&mut session) {
        let asked = asked(&place, || drop(session.run(0, command, Flow::Out(&data)).good()));
        let is_volatile = ["write", "discard", "zero"].iter().any(|kind| asked.contains_key(kind));
        let is_settled =
            if is_volatile { asked.contains_key("flush") } else { asked.contains_key("write_durable") };
        assert!(is_settled, "{name}: {asked:?}");
    }
}

#[test]
fn with_a_write_cache_writes_wait_for_a_flush_unless_they_carry_fua() {
    let place = place(true);
    let mut session = place.session("one");
    let one = |kind| BTreeMap::from([(kind, 1)]);
    for (command, kind) in [
        (cdb::write(1, 1), "write"),
        (cdb::write_through(1, 1), "write_durable"),
        (cdb::compare_and_write(1, 1), "write"),
    ] {
        let data = if command[0] == 0x89 { BLOCK.repeat(2) } else { BLOCK.to_vec() };
        let mut asked = asked(&place, || drop(session.run(0, command, Flow::Out(&data)).good()));
        asked.remove("read");
        assert_eq!(asked, one(kind), "{:02x}h", command[0]);
    }
    let flushed = asked(&place, || drop(session.run(0, cdb::synchronize_cache(), Flow::None).good()));
    assert_eq!(flushed, one("flush"));
    let read = asked(&place, || drop(session.run(0, cdb::read_through(1, 1), Flow::In(512)).good()));
    assert_eq!(read, BTreeMap::from([("flush", 1), ("read", 1)]), "what is read with FUA is on the medium");
}

/// A COMPARE AND WRITE with FUA is as durable as any write with it.
#[test]
fn a_swap_with_fua_is_durable() {
    let place = place(true);
    let mut session = place.session("one");
    let mut command = cdb::compare_and_write(1, 1);
    command[1] = 0x08;
    let data = [vec![0; 512], BLOCK.to_vec()].concat();
    let mut asked = asked(&place, || drop(session.run(0, command, Flow::Out(&data)).good()));
    asked.remove("read");
    assert_eq!(asked, BTreeMap::from([("write_durable", 1)]));
}
