//! R13: who holds a slot's byte, and what proves a host dead.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
#![allow(unsafe_code, reason = "a fork without an exec is what is tested")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{
    ForeignLock, Helper, Scratch, block_of, cut_off, eventually, open, ready_mark, role, say_ready_and_stay,
    wait_ready,
};
use futures::executor::block_on;
use oarlock_block::{Answer, Device, EnterError, Lba, NotCutOff, ProcessIdentity, Proof, SlotIndex, Victim};
use oarlock_device::{FileDevice, process_identity, this_process};
use rustix::process::Signal;

const SLOT: SlotIndex = SlotIndex(3);

fn victim(process: ProcessIdentity) -> Victim {
    Victim { slot: SLOT, incarnation: 1, process }
}

fn victim_of(helper: &Helper) -> Victim {
    victim(process_identity(helper.pid()).unwrap().unwrap())
}

fn enter(device: &FileDevice) -> Result<(), EnterError> {
    block_on(cut_off(device).enter(SLOT))
}

fn death_proved(device: &FileDevice, victim: Victim) -> Option<Proof> {
    block_on(cut_off(device).death_proved(victim))
}

fn cut(device: &FileDevice, victim: Victim) -> Result<Proof, NotCutOff> {
    block_on(cut_off(device).cut_off(victim))
}

/// For a child: enters the slot, and stays.
fn live_in_the_slot(path: &Path) -> ! {
    let device = open(path);
    enter(&device).unwrap();
    say_ready_and_stay(path)
}

/// A child that lives in the slot of the file.
fn living(test: &str, path: &Path) -> Helper {
    let helper = Helper::start(test, "live", path);
    wait_ready(path);
    helper
}

#[test]
fn a_slot_has_one_host_among_descriptions_and_within_one() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (one, other) = (open(&path), open(&path));
    assert_eq!(enter(&one), Ok(()));
    let held = Err(EnterError::Held { slot: SLOT });
    assert_eq!(enter(&one), held, "within one description the kernel would grant it twice");
    assert_eq!(enter(&other), held);
    assert_eq!(block_on(cut_off(&other).enter(SlotIndex(4))), Ok(()));
    block_on(cut_off(&one).exit(SLOT));
    assert_eq!(enter(&other), Ok(()));
    block_on(cut_off(&one).exit(SLOT));
    assert_eq!(enter(&one), held, "an exit gives back only what was entered");
}

#[test]
fn of_many_threads_that_enter_one_slot_one_gets_it() {
    let Some(scratch) = Scratch::new() else { return };
    let device = open(&scratch.path("file"));
    let winners: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let device = device.clone();
                scope.spawn(move || usize::from(enter(&device).is_ok()))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(winners, 1);
}

#[test]
fn a_dropped_device_gives_its_slot_back() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (one, other) = (open(&path), open(&path));
    enter(&one).unwrap();
    drop(one);
    eventually("the slot is free", || enter(&other).is_ok());
}

#[test]
fn asking_for_a_proof_takes_nothing() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (one, other) = (open(&path), open(&path));
    let stranger = victim(ProcessIdentity { pid: 1, ..ProcessIdentity::default() });
    assert_eq!(death_proved(&one, stranger), Some(Proof::FileLock));
    assert_eq!(enter(&other), Ok(()));
    assert_eq!(death_proved(&one, stranger), None);
    assert_eq!(death_proved(&other, stranger), Some(Proof::FileLock), "who holds the byte has the proof");
    assert_eq!(
        death_proved(&other, victim(this_process().unwrap())),
        None,
        "but not of a life in this process"
    );
    assert_eq!(enter(&one), Err(EnterError::Held { slot: SLOT }), "the byte is still held after all of that");
}

#[test]
fn a_killed_host_is_proved_dead_by_its_byte() {
    const NAME: &str = "a_killed_host_is_proved_dead_by_its_byte";
    if let Some(path) = role("live") {
        live_in_the_slot(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let helper = living(NAME, &path);
    let victim = victim_of(&helper);
    assert_eq!(death_proved(&device, victim), None);
    helper.signal(Signal::KILL);
    eventually("the death is proved", || death_proved(&device, victim) == Some(Proof::FileLock));
    assert_eq!(cut(&device, victim), Ok(Proof::FileLock));
}

#[test]
fn a_stopped_host_is_killed_and_all_its_locks_are_free() {
    const NAME: &str = "a_stopped_host_is_killed_and_all_its_locks_are_free";
    if let Some(path) = role("live") {
        // As if it had been stopped in the middle of an ATS.
        let _held = ForeignLock::take(&path, 0, 512);
        live_in_the_slot(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let (zeros, ones) = (block_of(&device, 0), block_of(&device, 1));
    let mut helper = living(NAME, &path);
    helper.signal(Signal::STOP);
    eventually("it stands still", || helper.is_in_state('T'));
    let busy = block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome;
    assert_eq!(busy, Err(oarlock_block::Refusal::Busy));
    assert_eq!(cut(&device, victim_of(&helper)), Ok(Proof::Killed));
    assert!(!helper.0.wait().unwrap().success());
    assert_eq!(block_on(device.compare_and_write(Lba(0), &zeros, &ones)).outcome, Ok(Answer::Swapped));
}

#[test]
fn a_process_that_is_not_provably_the_victim_is_never_killed() {
    const NAME: &str = "a_process_that_is_not_provably_the_victim_is_never_killed";
    if let Some(path) = role("live") {
        live_in_the_slot(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let device = open(&path);
    let helper = living(NAME, &path);
    let right = victim_of(&helper).process;
    let wrong = [
        ProcessIdentity { start_ticks: right.start_ticks + 1, ..right },
        ProcessIdentity { boot_id: right.boot_id ^ 1, ..right },
        ProcessIdentity { pid_namespace: right.pid_namespace + 1, ..right },
        ProcessIdentity { pid: 0, ..right },
        ProcessIdentity { pid: u32::MAX, ..right },
    ];
    for process in wrong {
        assert!(
            matches!(cut(&device, victim(process)), Err(NotCutOff::HolderUnproved { .. })),
            "{process:?}"
        );
        assert_eq!(process_identity(helper.pid()).unwrap(), Some(right));
        assert!(!helper.is_in_state('Z'), "{process:?} had it killed");
    }
}

#[test]
fn a_process_does_not_kill_itself() {
    let Some(scratch) = Scratch::new() else { return };
    let path = scratch.path("file");
    let (one, other) = (open(&path), open(&path));
    enter(&one).unwrap();
    let refused = cut(&other, victim(this_process().unwrap()));
    assert!(matches!(refused, Err(NotCutOff::HolderUnproved { .. })), "{refused:?}");
    assert_eq!(enter(&other), Err(EnterError::Held { slot: SLOT }));
}

#[test]
fn a_forked_child_keeps_the_slot_and_an_executed_program_does_not() {
    const NAME: &str = "a_forked_child_keeps_the_slot_and_an_executed_program_does_not";
    if let Some(path) = role("fork") {
        let device = open(&path);
        enter(&device).unwrap();
        // SAFETY: between fork and end the child calls only what may be called there: alarm, pause, _exit.
        let child = unsafe {
            match libc::fork() {
                0 => {
                    libc::alarm(60);
                    loop {
                        libc::pause();
                    }
                }
                child => child,
            }
        };
        fs::write(path.with_extension("pid"), child.to_string()).unwrap();
        say_ready_and_stay(&path);
    }
    if let Some(path) = role("execute") {
        let device = open(&path);
        enter(&device).unwrap();
        // By way of a shell, whose child the sleep is: it outlives both, and is waited for by nobody.
        let shell = Command::new("sh").args(["-c", "sleep 60 >/dev/null 2>&1 & echo $!"]).output().unwrap();
        fs::write(path.with_extension("pid"), shell.stdout.trim_ascii()).unwrap();
        say_ready_and_stay(&path);
    }
    let Some(scratch) = Scratch::new() else { return };
    for (name, keeps) in [("fork", true), ("execute", false)] {
        let path = scratch.path(name);
        let device = open(&path);
        let mut helper = Helper::start(NAME, name, &path);
        wait_ready(&path);
        let child: i32 = fs::read_to_string(path.with_extension("pid")).unwrap().parse().unwrap();
        let child = rustix::process::Pid::from_raw(child).unwrap();
        let victim = victim_of(&helper);
        helper.signal(Signal::KILL);
        helper.0.wait().unwrap();
        if keeps {
            assert_eq!(death_proved(&device, victim), None);
            let refused = cut(&device, victim);
            assert!(matches!(refused, Err(NotCutOff::HolderUnproved { .. })), "{refused:?}");
        } else {
            eventually("the death is proved", || death_proved(&device, victim).is_some());
        }
        assert!(rustix::process::test_kill_process(child).is_ok(), "the child lives all the while");
        rustix::process::kill_process(child, Signal::KILL).unwrap();
        eventually("the death is proved", || death_proved(&device, victim).is_some());
        fs::remove_file(ready_mark(&path)).unwrap();
    }
}
