//! An array that misbehaves on demand, as an initiator sees it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::array::{Ended, Initiator, Served};
use crate::common::{Place, eventually};

/// A false answer, by sense key, code and qualifier.
const MISCOMPARE: Option<(u8, u8, u8)> = Some((0xe, 0x1d, 0));

/// An array of one unit with two portals, armed with these faults.
fn faulty(place: &Place, faults: &[&str]) -> Served {
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--lun", "0=a.img,size=1M"];
    faults.iter().for_each(|fault| arguments.extend(["--fault", fault]));
    place.serve(&arguments)
}

fn status(ended: &Ended) -> u8 {
    ended.status
}

/// What the disk has in truth, past all faults.
fn on_disk(place: &Place, block: usize) -> u8 {
    crate::common::bytes(&place.path("a.img"))[block * 512]
}

#[test]
fn what_is_selected_is_refused_by_its_turn_and_nothing_else() {
    let place = Place::new();
    let faults = [
        "refuse:op=ats,lba=4,every=2,initiator=iqn.2026-11.org.example:ESX",
        "refuse:opcode=25h,status=task-set-full,count=1",
        "false-although-equal:lba=9,count=1",
        "unknown:op=write,lba=12",
    ];
    let array = faulty(&place, &faults);
    let mut esx = Initiator::log_in(&array.address(), "esx");
    let mut win = Initiator::log_in(&array.address(), "win");
    assert_eq!([(0, 1), (1, 2), (1, 2)].map(|(from, to)| status(&esx.swap(4, from, to))), [0, 8, 0]);
    assert_eq!([(2, 3), (3, 4), (4, 5)].map(|(from, to)| status(&win.swap(4, from, to))), [0, 0, 0]);
    assert_eq!(status(&esx.swap(5, 0, 1)), 0);
    let capacity = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!([0; 2].map(|_| esx.command(&capacity, &[], 8).status), [0x28, 0]);
    assert_eq!(esx.swap(9, 0, 1).sense, MISCOMPARE);
    assert_eq!((on_disk(&place, 9), status(&esx.swap(9, 0, 1))), (0, 0));
    assert_eq!(esx.write(12, 7).sense, Some((0xb, 0, 0)), "ABORTED COMMAND");
    assert_eq!(esx.read(12).data[0], 7, "and yet it was executed");
    let struck = &place.target(&["status"])["faults"];
    assert_eq!(
        struck[0],
        json!({"spec": "refuse:op=ats,lba=4,every=2,initiator=iqn.2026-11.org.example:esx", "struck": 1})
    );
    assert_eq!(array.said_behind("strikes for the first time: "), "iqn.2026-11.org.example:esx, 89h");
}

#[test]
fn an_aborted_ats_lands_all_the_same_where_execution_is_late() {
    let place = Place::new();
    let array = faulty(&place, &["late-execution:op=ats,delay=300ms,count=1"]);
    let mut esx = Initiator::log_in(&array.address(), "esx");
    let tag = esx.begin(&Initiator::ats_cdb(3), &[[0; 512], [1; 512]].concat(), 0);
    assert_eq!(esx.abort(tag), 0, "the function is complete, says the array");
    eventually("what was aborted is on the disk", || esx.read(3).data[0] == 1);
    assert_eq!(esx.swap(3, 0, 2).sense, MISCOMPARE, "its own late write is in the way");
}

#[test]
fn a_late_execution_that_somebody_waits_for_is_answered() {
    let place = Place::new();
    let array = faulty(
        &place,
        &["late-execution:op=ats,delay=50ms", "delay:op=write,delay=50ms", "late-reply:op=flush,delay=50ms"],
    );
    let mut esx = Initiator::log_in(&array.address(), "esx");
    let flush = [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let begun = Instant::now();
    assert_eq!((status(&esx.swap(3, 0, 1)), status(&esx.write(4, 5))), (0, 0));
    assert_eq!(esx.command(&flush, &[], 0).status, 0);
    // No upper bound: that would be a test of the machine.
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!((esx.read(3).data[0], esx.read(4).data[0]), (1, 5));
}

#[test]
fn a_lost_reply_is_of_a_command_that_was_executed_and_a_repeated_ats_meets_itself() {
    let place = Place::new();
    let mut array = faulty(
        &place,
        &["lose-reply:op=write,count=1", "repeat:op=ats,lba=7", "repeat:op=ats,lba=8,answer=first"],
    );
    let mut esx = Initiator::log_in(&array.address(), "esx");
    let tag = esx.begin(&Initiator::write_cdb(6), &[9; 512], 0);
    eventually("it was executed", || esx.read(6).data[0] == 9);
    assert_eq!(esx.abort(tag), 1, "there is no such task any more");
    assert_eq!(esx.swap(7, 0, 1).sense, MISCOMPARE);
    assert_eq!((status(&esx.swap(8, 0, 1)), esx.read(7).data[0], esx.read(8).data[0]), (0, 1, 1));
    drop(esx);
    assert_eq!(array.stop(), 0, "what was lost keeps the array from nothing");
}

#[test]
fn one_portal_lies_and_the_other_does_not() {
    let place = Place::new();
    let array = faulty(
        &place,
        &["stale-read:portal=2,lba=5", "flip:portal=2,lba=6,bit=1", "torn-read:portal=2,lba=8"],
    );
    let portals = place.target(&["status"])["portals"].clone();
    let portal = |place: usize| portals[place]["address"].as_str().unwrap().to_owned();
    let (mut good, mut bad) = (Initiator::log_in(&portal(0), "esx"), Initiator::log_in(&portal(1), "esx"));
    for block in [5, 6, 8] {
        assert_eq!((status(&good.write(block, 1)), good.read(block).data[0]), (0, 1));
        good.write(block, 2);
    }
    assert_eq!(bad.read(5).data, [1; 512], "an older image");
    assert_eq!((good.read(5).data, bad.read(5).data), (vec![2; 512], vec![1; 512]));
    assert_eq!(bad.read(6).data[..2], [0, 2], "2 with its second bit flipped");
    assert_eq!(bad.read(8).data, [[1; 256], [2; 256]].concat());
    assert_eq!(good.read(8).data, [2; 512]);
    assert_eq!(status(&bad.swap(5, 2, 3)), 0, "what is compared is the truth");
    drop(array);
}

#[test]
fn a_host_takes_none_of_an_array_s_words_and_an_array_no_record() {
    let place = Place::new();
    let up = ["up", "pool", "--host", "a", "--fault", "refuse:initiator=iqn.2026-11.org.example:esx"];
    place.run(&up).fails(2, "OAR-0317").says("no key `initiator`");
    let serve = ["target", "serve", "--lun", "0=a.img,size=1M", "--fault", "refuse:record=slot"];
    place.run(&serve).fails(2, "OAR-0317").says("no key `record`");
}
