//! A target that is killed in the middle of writes: what it had acknowledged as durable is there when it comes back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::sync::mpsc::{self, Sender};
use std::thread;

use oarlock_block::ByteCount;
use oarlock_scsi::Status;
use oarlock_target::UnitOptions;

use crate::initiator::{DEADLINE, Flow, Session, Who, cdb};
use crate::place::{Place, meet};

/// How often it is killed.
const ROUNDS: u64 = 10;
/// Sessions that write.
const WRITERS: u64 = 4;
/// Blocks of each of them, written again and again.
const BLOCKS: u64 = 64;
/// Commands that each has under way.
const DEPTH: usize = 4;
/// Commands that are answered between two flushes, of a writer that flushes.
const FLUSH_EVERY: u64 = 8;
/// Tells the process that is to be killed where its unit lies.
const FOLDER: &str = "OARLOCK_TEST_SERVES";
/// And where it listens: an array comes back where initiators look for it.
const PORTAL: &str = "OARLOCK_TEST_PORTAL";
const READY: &str = "ready at ";

/// A target in a process of its own.
struct Process {
    child: Child,
    portal: SocketAddr,
}

impl Process {
    fn start(folder: &Path, portal: SocketAddr) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::a_target_to_be_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(PORTAL, portal.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let portal = lines.find_map(|line| Some(line.split_once(READY)?.1.parse().unwrap()));
        Process { child, portal: portal.expect("the target says where it is") }
    }

    fn kill(self) {
        drop(self);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever becomes of the test, the process does not outlive it.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Not a test: the process that the test below kills. Run by itself, it ends at once.
#[test]
#[ignore = "the process that another test kills"]
fn a_target_to_be_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let place = Place::with(|options, _| {
        options.portals = vec![std::env::var(PORTAL).unwrap().parse().unwrap()];
        options.units[0].path = Path::new(&folder).join("disk.img");
        options.units[0].size = Some(ByteCount(1 << 20));
        options.units.push(UnitOptions {
            number: 1,
            path: Path::new(&folder).join("reserved.img"),
            ..options.units[0].clone()
        });
    });
    println!("{READY}{}", place.portal());
    std::io::stdout().flush().unwrap();
    // It ends by itself only where the test that started it is gone, and the pipe with it.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Where the areas begin that are written atomically, a writer's each.
const AREAS: u64 = 512;
/// Blocks of an area.
const AREA: u16 = 256;
/// The unit that one host has reserved.
const RESERVED: u16 = 1;
const WRITE_EXCLUSIVE: u8 = 1;

fn login(portal: SocketAddr, name: &str) -> Session {
    let mut session = Who::new(name).login(portal);
    meet(&mut session, 0);
    session
}

/// What one writer sent to each of its blocks, and what of it was acknowledged as durable, as numbers that only grow.
#[derive(Default)]
struct Written {
    sent: BTreeMap<u64, u64>,
    durable: BTreeMap<u64, u64>,
}

/// Writes until the target is gone: with FUA, or with a flush now and then. Each durable block is told to `told`.
fn write_until_killed(session: &mut Session, writer: u64, first: u64, told: &Sender<()>) -> Written {
    let (mut written, mut number, mut answered) = (Written::default(), first, 0);
    let (mut open, mut volatile, mut flush) = (BTreeMap::new(), BTreeMap::new(), None);
    let is_flushing = writer % 2 == 1;
    loop {
        while open.len() < DEPTH && flush.is_none() {
            let lba = writer * BLOCKS + number % BLOCKS;
            let data = number.to_be_bytes().repeat(64);
            let command = if is_flushing { cdb::write(lba, 1) } else { cdb::write_through(lba, 1) };
            written.sent.insert(lba, number);
            open.insert(session.start(0, command, Flow::Out(&data)), (lba, number));
            number += 1;
        }
        let Some((tag, answer)) = session.try_finish_any() else { return written };
        answer.good();
        if flush == Some(tag) {
            flush = None;
            volatile.keys().for_each(|_| told.send(()).unwrap());
            written.durable.append(&mut volatile);
            continue;
        }
        let (lba, value) = open.remove(&tag).expect("a command of this loop");
        answered += 1;
        if !is_flushing {
            written.durable.insert(lba, value);
            told.send(()).unwrap();
            continue;
        }
        volatile.insert(lba, value);
        if answered % FLUSH_EVERY == 0 {
            flush = Some(session.start(0, cdb::synchronize_cache(), Flow::None));
        }
    }
}

/// One life of the target: it is killed after `durable` acknowledgements, with commands of every session under way.
fn live(process: Process, first: u64, durable: u64, reservation_key: u64) -> Vec<Written> {
    let mut registrar = login(process.portal, "registrar");
    // Ignoring what was registered before, and to outlive the target.
    let list = cdb::reserve_list(0, reservation_key, true);
    meet(&mut registrar, RESERVED);
    registrar.run(RESERVED, cdb::reserve_out(6, 0), Flow::Out(&list)).good();
    let list = cdb::reserve_list(reservation_key, 0, false);
    registrar.run(RESERVED, cdb::reserve_out(1, WRITE_EXCLUSIVE), Flow::Out(&list)).good();
    let (told, heard) = mpsc::channel();
    let portal = process.portal;
    // Nobody writes before everybody is there: on a busy machine the kill would come before the last of them.
    let start = Barrier::new(usize::try_from(WRITERS).unwrap());
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (told, start) = (told.clone(), &start);
                scope.spawn(move || {
                    let mut session = login(portal, &format!("writer-{writer}"));
                    start.wait();
                    write_until_killed(&mut session, writer, first, &told)
                })
            })
            .collect();
        for _ in 0..durable {
            heard.recv_timeout(DEADLINE).expect("writes are acknowledged");
        }
        process.kill();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn what_was_acknowledged_as_durable_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut before: BTreeMap<u64, u64> = BTreeMap::new();
    let mut process = Process::start(folder.path(), "127.0.0.1:0".parse().unwrap());
    let portal = process.portal;
    for round in 0..ROUNDS {
        let first = 1 + round * 1_000_000;
        let lives = live(process, first, 50 + 13 * round, 1 + round);
        process = Process::start(folder.path(), portal);
        let mut reader = login(process.portal, "reader");
        meet(&mut reader, RESERVED);
        let keys = reader.run(RESERVED, cdb::reserve_in(0), Flow::In(4096)).good();
        assert_eq!(keys[8..], (1 + round).to_be_bytes(), "the registration of round {round}");
        let held = reader.run(RESERVED, cdb::reserve_in(1), Flow::In(4096)).good();
        assert_eq!((&held[8..16], held[21]), (&(1 + round).to_be_bytes()[..], WRITE_EXCLUSIVE));
        let kept_out = reader.run(RESERVED, cdb::write(0, 1), Flow::Out(&[1; 512]));
        assert_eq!(kept_out.status, Status::RESERVATION_CONFLICT, "and it stands");
        for (lba, sent) in lives.iter().flat_map(|written| &written.sent) {
            let block = reader.run(0, cdb::read(*lba, 1), Flow::In(512)).good();
            let found = u64::from_be_bytes(block[..8].try_into().unwrap());
            assert_eq!(block, found.to_be_bytes().repeat(64), "a block that is torn");
            let durable = lives.iter().find_map(|written| written.durable.get(lba)).or(before.get(lba));
            let durable = durable.copied().unwrap_or(0);
            assert!((durable..=*sent).contains(&found), "block {lba}: {found}, not {durable} to {sent}");
            before.insert(*lba, found);
        }
    }
}

/// Writes its area as a whole, again and again, until the target is gone. What was answered is told to `told`.
fn write_areas_until_killed(session: &mut Session, lba: u64, first: u64, told: &Sender<()>) -> (u64, u64) {
    let (mut answered, mut number) = (0, first);
    loop {
        let data = number.to_be_bytes().repeat(usize::from(AREA) * 64);
        session.start(0, cdb::write_atomic(lba, AREA), Flow::Out(&data));
        let Some((_, answer)) = session.try_finish_any() else { return (answered, number) };
        answer.good();
        answered = number;
        number += 1;
        told.send(()).unwrap();
    }
}

#[test]
fn an_atomic_write_that_a_kill_cuts_is_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    let mut before: BTreeMap<u64, u64> = BTreeMap::new();
    let mut process = Process::start(folder.path(), "127.0.0.1:0".parse().unwrap());
    let portal = process.portal;
    for round in 0..ROUNDS {
        let first = 1 + round * 1_000_000;
        let area = |writer: u64| AREAS + writer * u64::from(AREA);
        let (told, heard) = mpsc::channel();
        let lives: Vec<(u64, u64)> = thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let told = told.clone();
                    scope.spawn(move || {
                        let mut session = login(portal, &format!("writer-{writer}"));
                        write_areas_until_killed(&mut session, area(writer), first, &told)
                    })
                })
                .collect();
            for _ in 0..8 + 3 * round {
                heard.recv_timeout(DEADLINE).expect("writes are answered");
            }
            process.kill();
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        process = Process::start(folder.path(), portal);
        let mut reader = login(process.portal, "reader");
        for (writer, (answered, sent)) in (0..).zip(lives) {
            let length = usize::from(AREA) * 512;
            let found = reader.run(0, cdb::read(area(writer), AREA.into()), Flow::In(length)).good();
            let value = u64::from_be_bytes(found[..8].try_into().unwrap());
            assert!(found == value.to_be_bytes().repeat(length / 8), "a write that is torn");
            let durable = answered.max(before.get(&writer).copied().unwrap_or(0));
            assert!((durable..=sent).contains(&value), "area {writer}: {value}, not {durable} to {sent}");
            before.insert(writer, value);
        }
    }
}
