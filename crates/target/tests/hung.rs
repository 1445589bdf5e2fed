//! A disk that does not answer is one unit that does not answer, and no other.

use std::path::{Path, PathBuf};
use std::process::Command;

use oarlock_scsi::Status;
use oarlock_scsi::iscsi::TaskTag;
use oarlock_target::UnitOptions;
use tempfile::TempDir;

use crate::initiator::{Flow, Session, Who, cdb};
use crate::place::{Place, meet, unit};

/// The units on the disk that does not answer.
const UNITS: [u16; 4] = [1, 2, 3, 4];

/// A file system of its own, which can be made to stand still.
struct Disk(TempDir);

/// It stands still, until it is dropped.
struct Frozen<'a>(&'a Path);

impl Disk {
    /// `None`, and a word, where this machine cannot mount one.
    fn new() -> Option<Disk> {
        let disk = Disk(tempfile::tempdir().unwrap());
        let image = disk.0.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(256 << 20).unwrap();
        std::fs::create_dir(disk.path()).unwrap();
        let is_made = run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), image.as_ref()])
            && run("mount", &["-o".as_ref(), "loop".as_ref(), image.as_ref(), disk.path().as_ref()]);
        if !is_made {
            let reason = "a file system of its own takes root, a loop device and mkfs.ext4";
            assert!(
                std::env::var_os("OARLOCK_CI").is_none(),
                "skipped, and nothing may be skipped here: {reason}"
            );
            eprintln!("SKIPPED: {reason}");
        }
        is_made.then_some(disk)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mounted")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-q".as_ref(), self.path().as_ref()]);
    }
}

impl Frozen<'_> {
    fn new(path: &Path) -> Frozen<'_> {
        assert!(run("fsfreeze", &["-f".as_ref(), path.as_ref()]));
        Frozen(path)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        run("fsfreeze", &["-u".as_ref(), self.0.as_ref()]);
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn register(session: &mut Session) -> TaskTag {
    let list = cdb::reserve_list(0, 0xabc, true);
    session.start(1, cdb::reserve_out(0, 0), Flow::Out(&list))
}

/// What keeps its memory, and threads of the kernel, on each of the units of a disk, and 64 KiB writes on the first.
fn fill(session: &mut Session) -> Vec<TaskTag> {
    let mut under_way: Vec<TaskTag> =
        (0..16).map(|lba| session.start(1, cdb::write(lba, 1), Flow::Out(&[1; 512]))).collect();
    for unit in UNITS {
        let same = |number: u64| cdb::write_same(32 + 8000 * number, 4096, false);
        under_way.extend((0..8).map(|number| session.start(unit, same(number), Flow::Out(&[2; 512]))));
    }
    let long = vec![3; 64 << 10];
    under_way.extend((0..64).map(|lba| session.start(1, cdb::write(128 * lba, 128), Flow::Out(&long))));
    under_way.push(register(session));
    session.ping_now();
    under_way
}

/// Everything that a host asks of a healthy unit.
fn use_all(session: &mut Session) {
    session.run(0, cdb::write(0, 1), Flow::Out(&[3; 512])).good();
    let swap = [[3; 512], [4; 512]].concat();
    session.run(0, cdb::compare_and_write(0, 1), Flow::Out(&swap)).good();
    session.run(0, cdb::write_through(1, 1), Flow::Out(&[5; 512])).good();
    session.run(0, cdb::write_atomic(2, 2), Flow::Out(&[6; 1024])).good();
    session.run(0, cdb::write_same(8, 8, false), Flow::Out(&[7; 512])).good();
    session.run(0, cdb::verify(0, 8), Flow::None).good();
    session.run(0, cdb::synchronize_cache(), Flow::None).good();
    for blocks in [8, 256, 2048] {
        session.run(0, cdb::read(0, blocks), Flow::In(512 * blocks as usize)).good();
    }
}

/// Its reservations were read, and their file given its length, where everybody waits.
#[test]
fn a_unit_that_is_added_on_such_a_disk_keeps_nobody_waiting() {
    let Some(disk) = Disk::new() else { return };
    let (place, path) = (Place::new(), disk.path());
    let mut added = UnitOptions { path: path.join("1.img"), ..unit(&place.folder, 1) };
    let target = place.target().handle();
    target.add_unit(&added).unwrap();
    let mut session = place.session("one");
    meet(&mut session, 1);
    let tag = register(&mut session);
    session.finish(tag).good();
    target.remove_unit(1).unwrap();
    // It is not made any more, and opening it waits for nothing; what is beside it does.
    added.size = None;
    std::fs::remove_file(path.join("1.img.reservations.draft")).unwrap();
    std::thread::scope(|scope| {
        let frozen = Frozen::new(&path);
        let adding = scope.spawn(|| target.add_unit(&added));
        // It is there as soon as its disk answers, and not before.
        (0..100).for_each(|_| place.serves());
        assert!(!adding.is_finished());
        drop(frozen);
        adding.join().unwrap().unwrap();
    });
    session.run(0, cdb::test_unit_ready(), Flow::None);
    drop(place);
}

/// Both were granted, and neither could be given back.
#[test]
fn nobody_reserves_such_a_unit_while_a_registration_is_being_given_back_and_another_one_comes() {
    let Some(disk) = Disk::new() else { return };
    let path = disk.path();
    let place = Place::with(|options, folder| {
        options.units.push(UnitOptions { path: path.join("1.img"), ..unit(folder, 1) });
    });
    let [mut old, mut new, mut other] = ["old", "new", "other"].map(|name| {
        let mut session = place.session(name);
        meet(&mut session, 1);
        session
    });
    let tag = register(&mut old);
    old.finish(tag).good();
    let frozen = Frozen::new(&path);
    let list = cdb::reserve_list(0xabc, 0, true);
    let given_back = old.start(1, cdb::reserve_out(0, 0), Flow::Out(&list));
    old.ping_now();
    let registered = register(&mut new);
    new.ping_now();
    let reserved = other.start(1, cdb::reserve(), Flow::None);
    other.ping_now();
    drop(frozen);
    old.finish(given_back).good();
    new.finish(registered).good();
    assert_eq!(other.finish(reserved).status, Status::RESERVATION_CONFLICT);
    drop(place);
}

/// A cluster's PREEMPT waited for all that another host had asked before.
#[test]
fn who_changes_a_reservation_waits_for_no_queue_of_another_host() {
    const QUEUED: u32 = 60;
    let Some(disk) = Disk::new() else { return };
    let path = disk.path();
    let place = Place::with(|options, folder| {
        options.units.push(UnitOptions { path: path.join("1.img"), ..unit(folder, 1) });
    });
    let [mut busy, mut other] = ["busy", "other"].map(|name| {
        let mut session = place.session(name);
        meet(&mut session, 1);
        session
    });
    let frozen = Frozen::new(&path);
    let again = cdb::reserve_list(0, 0xabc, true);
    let queued: Vec<_> =
        (0..QUEUED).map(|_| busy.start(1, cdb::reserve_out(6, 0), Flow::Out(&again))).collect();
    busy.ping_now();
    let registered = register(&mut other);
    let generation = other.start(1, cdb::reserve_in(0), Flow::In(64));
    other.ping_now();
    drop(frozen);
    other.finish(registered).good();
    let generation = u32::from_be_bytes(other.finish(generation).good()[..4].try_into().unwrap());
    assert!(generation < QUEUED / 4, "{generation} registrations came before it");
    queued.into_iter().for_each(|tag| drop(busy.finish(tag).good()));
    drop(place);
}

/// One host's eight writes to it had all threads that the kernel gave, 16 WRITE SAMEs all memory for steps, and whoever registered there stopped the whole array.
/// Hosts of the unit itself lost all others, by what they had there, and by a login that waited for it.
#[test]
fn a_disk_that_does_not_answer_keeps_nobody_from_any_other() {
    let Some(disk) = Disk::new() else { return };
    let path = disk.path();
    let place =
        Place::with(|options, folder| {
            options.units.extend(UNITS.map(|number| UnitOptions {
                path: path.join(format!("{number}.img")),
                ..unit(folder, number)
            }));
        });
    let [mut lost, mut other, gone] = ["one", "two", "gone"].map(|name| {
        let mut session = place.session(name);
        UNITS.into_iter().for_each(|unit| meet(&mut session, unit));
        session
    });
    let mut gone = gone;
    let frozen = Frozen::new(&path);
    let under_way = fill(&mut lost);
    gone.start(2, cdb::write(0, 1), Flow::Out(&[1; 512]));
    gone.ping_now();
    let mut again = Who::new("gone").login(place.portal());
    meet(&mut again, 0);
    for session in [&mut other, &mut lost, &mut again] {
        use_all(session);
    }
    place.serves();
    assert!(under_way.iter().all(|tag| !lost.is_answered(*tag)));
    drop(frozen);
    under_way.into_iter().for_each(|tag| drop(lost.finish(tag).good()));
    drop(place);
}
