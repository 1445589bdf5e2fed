//! COMPARE AND WRITE is one act against everything (SBC-4, COMPARE AND WRITE command): no update is lost, nothing torn is read, and
//! what many sessions saw of one block could have happened one after the other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use oarlock_scsi::vpd::{Designation, Designator};
use oarlock_scsi::{CopyList, CopyTarget, ListIdUsage, Segment, Sense, SenseKey, Status};

use crate::history::{Act, Event, is_linearizable};
use crate::initiator::{Flow, Session, Who, cdb};
use crate::place::{Place, meet};

/// Sessions that count.
const COUNTERS: u64 = 8;
/// Increments of all of them together, unless [`VARIABLE`] says another number.
const INCREMENTS: u64 = 20_000;
const VARIABLE: &str = "OARLOCK_ATOMICITY";

/// The block that is counted in; its neighbours are written by others all the time.
const COUNTER: u64 = 1000;
/// A block that some write, unmap, clear and copy to, and others compare and write.
const REGISTER: u64 = 3000;

/// A target with two portals.
fn two_portals() -> Place {
    Place::in_memory(|options, _| options.portals.push("127.0.0.1:0".parse().unwrap()))
}

/// A session over one of them.
fn session(portals: &[SocketAddr], name: &str, number: u64) -> Session {
    let portal = portals[usize::try_from(number).unwrap() % portals.len()];
    let mut session = Who::new(name).with_session_id(u16::try_from(number).unwrap()).login(portal);
    meet(&mut session, 0);
    session
}

fn block_of(value: u64) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..8].copy_from_slice(&value.to_be_bytes());
    block[504..].copy_from_slice(&value.to_be_bytes());
    block
}

fn value_of(block: &[u8]) -> u64 {
    let number = |at: usize| u64::from_be_bytes(block[at..at + 8].try_into().unwrap());
    assert_eq!(number(0), number(504), "a block that is torn");
    number(0)
}

/// Whether a COMPARE AND WRITE wrote; a miscompare has to name the first byte that differs.
fn compare_and_write(session: &mut Session, lba: u64, old: &[u8], new: &[u8]) -> bool {
    let blocks = u8::try_from(old.len() / 512).unwrap();
    let answer = session.run(0, cdb::compare_and_write(lba, blocks), Flow::Out(&[old, new].concat()));
    match answer.sense {
        None => {
            assert_eq!(answer.status, Status::GOOD);
            true
        }
        Some(Sense { key: SenseKey::Miscompare, information: Some(offset), .. }) => {
            assert!(offset < old.len() as u64);
            false
        }
        Some(sense) => panic!("{sense:?}"),
    }
}

fn read(session: &mut Session, lba: u64, blocks: u32) -> Vec<u8> {
    session.run(0, cdb::read(lba, blocks), Flow::In(512 * blocks as usize)).good()
}

/// Increments the counter, as often as it takes until one is its own.
fn increment(session: &mut Session, seen: &mut u64) {
    loop {
        if compare_and_write(session, COUNTER, &block_of(*seen), &block_of(*seen + 1)) {
            *seen += 1;
            return;
        }
        *seen = value_of(&read(session, COUNTER, 1));
    }
}

/// The copy of blocks of the one unit, by its name.
pub(crate) fn copy_list(session: &mut Session, from: u64, to: u64, count: u16) -> Vec<u8> {
    let page = session.run(0, cdb::vpd(0x83, 1024), Flow::In(1024)).good();
    let (designation, _) = Designation::decode(&page[4..]).expect("the unit's first name");
    assert!(matches!(designation.designator, Designator::Naa(_)));
    CopyList {
        list_identifier: 0,
        usage: ListIdUsage::None,
        sequential: false,
        priority: 0,
        targets: vec![CopyTarget { designation, device_type: 0, pad: false, block_bytes: 512 }],
        segments: vec![Segment::Blocks {
            source: 0,
            destination: 0,
            concatenates: false,
            of_destination: false,
            count,
            source_lba: oarlock_block::Lba(from),
            destination_lba: oarlock_block::Lba(to),
        }],
    }
    .encode()
}

/// Writes, unmaps, clears and copies what lies right before and right behind the counter, and never the counter.
fn disturb(session: &mut Session, is_over: &AtomicBool) -> u64 {
    let (before, behind) = (COUNTER - 16, COUNTER + 1);
    let list = copy_list(session, before, behind, 16);
    let mut rounds = 0;
    while !is_over.load(Ordering::Relaxed) {
        session.run(0, cdb::write(before, 16), Flow::Out(&[0xaa; 16 * 512])).good();
        session.run(0, cdb::extended_copy(list.len()), Flow::Out(&list)).good();
        session.run(0, cdb::write_same(behind, 16, false), Flow::Out(&[0xbb; 512])).good();
        session.run(0, cdb::unmap(24), Flow::Out(&cdb::unmap_list(before, 16))).good();
        session.run(0, cdb::write_same(behind, 16, true), Flow::Out(&[0; 512])).good();
        rounds += 1;
    }
    rounds
}

#[test]
fn no_increment_of_a_counter_is_lost_whatever_happens_beside_it() {
    let place = two_portals();
    let wanted: u64 = std::env::var(VARIABLE).map_or(INCREMENTS, |count| count.parse().expect("a number"));
    let (is_over, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let portals = &place.portals;
    thread::scope(|scope| {
        let (is_over, done) = (&is_over, &done);
        let counters: Vec<_> = (0..COUNTERS)
            .map(|number| {
                scope.spawn(move || {
                    let mut session = session(portals, "counter", number);
                    let (mut seen, mut own) = (0, 0);
                    while done.fetch_add(1, Ordering::Relaxed) < wanted {
                        increment(&mut session, &mut seen);
                        own += 1;
                    }
                    own
                })
            })
            .collect();
        let others: Vec<_> = (0..2)
            .map(|number| scope.spawn(move || disturb(&mut session(portals, "neighbour", number), is_over)))
            .collect();
        let counted: u64 = counters.into_iter().map(|counter| counter.join().unwrap()).sum();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(counted, wanted);
        assert!(others.into_iter().all(|other| other.join().unwrap() > 0), "nobody disturbed");
    });
    let mut reader = session(&place.portals, "reader", 0);
    assert_eq!(value_of(&read(&mut reader, COUNTER, 1)), wanted);
}

/// Commands of one session at once, as an initiator with a queue sends them: of all that compare with one value, one wins.
#[test]
fn of_many_that_compare_with_one_value_one_writes() {
    let place = two_portals();
    let mut sessions: Vec<Session> = (0..4).map(|number| session(&place.portals, "racer", number)).collect();
    for value in 0..200 {
        let mut tags = Vec::new();
        for (number, session) in sessions.iter_mut().enumerate() {
            for _ in 0..8 {
                let data = [block_of(value), block_of(value + 1)].concat();
                tags.push((number, session.start(0, cdb::compare_and_write(COUNTER, 1), Flow::Out(&data))));
            }
        }
        let winners = tags
            .into_iter()
            .filter(|(number, tag)| sessions[*number].finish(*tag).status == Status::GOOD)
            .count();
        assert_eq!(winners, 1, "of 32 for {value}");
    }
}

/// Runs of blocks that are written as a whole, by COMPARE AND WRITE and by WRITE, are read as a whole.
#[test]
fn a_reader_never_sees_parts_of_two_writes() {
    const BLOCKS: u8 = 16;
    const FIRST: u64 = 2000;
    let place = two_portals();
    let run_of = |value: u64| block_of(value).repeat(usize::from(BLOCKS));
    let is_over = AtomicBool::new(false);
    let portals = &place.portals;
    thread::scope(|scope| {
        let is_over = &is_over;
        let writers: Vec<_> = (0..3_u64)
            .map(|number| {
                scope.spawn(move || {
                    let mut session = session(portals, "writer", number);
                    let mut wrote = 0;
                    for turn in 0..1000 {
                        let new = run_of(1 + number + 3 * turn);
                        if number == 0 {
                            session.run(0, cdb::write(FIRST, BLOCKS.into()), Flow::Out(&new)).good();
                            wrote += 1;
                        } else {
                            let old = read(&mut session, FIRST, BLOCKS.into());
                            wrote += u64::from(compare_and_write(&mut session, FIRST, &old, &new));
                        }
                    }
                    wrote
                })
            })
            .collect();
        let reader = scope.spawn(move || {
            let mut session = session(portals, "reader", 9);
            let mut values = std::collections::BTreeSet::new();
            while !is_over.load(Ordering::Relaxed) {
                let found = read(&mut session, FIRST, BLOCKS.into());
                let value = value_of(&found[..512]);
                assert!(found == run_of(value), "a mixture of two writes");
                values.insert(value);
            }
            values.len()
        });
        for writer in writers {
            assert!(writer.join().unwrap() > 0);
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 1, "the reader saw nothing happen");
    });
}

/// The blocks that hold what a session copies to the register.
const TEMPLATES: u64 = 4000;

/// Writes the register in one of the ways that blocks have a new content, without looking at it.
fn write_blindly(session: &mut Session, number: u64, turn: u64, new: u64) -> Act {
    let (block, template) = (block_of(new), TEMPLATES + number);
    match (turn * 5 + number) % 7 {
        0 => session.run(0, cdb::write(REGISTER, 1), Flow::Out(&block)).good(),
        1 => session.run(0, cdb::write_same(REGISTER, 1, false), Flow::Out(&block)).good(),
        2 => session.run(0, cdb::write_atomic(REGISTER, 1), Flow::Out(&block)).good(),
        3 => session.run(0, cdb::write_and_verify(REGISTER, 1), Flow::Out(&block)).good(),
        4 => {
            session.run(0, cdb::write(template, 1), Flow::Out(&block)).good();
            let list = copy_list(session, template, REGISTER, 1);
            session.run(0, cdb::extended_copy(list.len()), Flow::Out(&list)).good()
        }
        5 => {
            session.run(0, cdb::unmap(24), Flow::Out(&cdb::unmap_list(REGISTER, 1))).good();
            return Act::Write { new: 0 };
        }
        _ => {
            session.run(0, cdb::or_write(REGISTER, 1), Flow::Out(&block)).good();
            return Act::Or { bits: new };
        }
    };
    Act::Write { new }
}

/// What one session does to the register, and saw of it.
fn history_of(portals: &[SocketAddr], number: u64, began: Instant, acts: u64) -> Vec<Event> {
    let mut session = session(portals, "historian", number);
    let now = || began.elapsed().as_nanos();
    let (mut seen, mut events) = (0, Vec::new());
    for turn in 0..acts {
        // Unique, so that who reads it knows who wrote it.
        let new = 1 + turn * COUNTERS + number;
        let invoked = now();
        let act = match (turn * 7 + number * 3) % 5 {
            0 => write_blindly(&mut session, number, turn, new),
            1 | 2 => {
                seen = value_of(&read(&mut session, REGISTER, 1));
                Act::Read { found: seen }
            }
            _ => {
                let old = seen;
                let wrote = compare_and_write(&mut session, REGISTER, &block_of(old), &block_of(new));
                seen = if wrote { new } else { seen };
                Act::CompareAndWrite { old, new, wrote }
            }
        };
        events.push(Event { invoked, answered: now(), act });
    }
    events
}

#[test]
fn what_many_sessions_saw_of_one_block_could_have_happened_one_after_the_other() {
    let place = two_portals();
    let began = Instant::now();
    let portals = &place.portals;
    let history: Vec<Vec<Event>> = thread::scope(|scope| {
        let sessions: Vec<_> =
            (0..6).map(|number| scope.spawn(move || history_of(portals, number, began, 700))).collect();
        sessions.into_iter().map(|session| session.join().unwrap()).collect()
    });
    let of: HashMap<bool, usize> = history.iter().flatten().fold(HashMap::new(), |mut counts, event| {
        if let Act::CompareAndWrite { wrote, .. } = event.act {
            *counts.entry(wrote).or_default() += 1;
        }
        counts
    });
    assert!(of.len() == 2, "both outcomes of a COMPARE AND WRITE: {of:?}");
    assert!(is_linearizable(&history, 0), "no order of these explains them: {history:?}");
}
