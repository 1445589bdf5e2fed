//! `oarlock check`: what it finds, what it repairs, what it leaves alone, and its exit codes.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests fail as tests do.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::common::{self, BLOCK, Place, Ran, bytes, eventually, flip, spoil};

/// The block of the shadow: the last of 64 MiB.
const SHADOW: u64 = 131_071;

impl Place {
    fn check(&self, more: &[&str]) -> (i32, Value) {
        let mut arguments = vec!["check", "pool", "--json"];
        arguments.extend(more);
        let ran = self.run(&arguments);
        let json =
            serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
        (ran.exit, json)
    }
}

/// Where a lock's position stands that nobody has used.
fn lock_lba(pool: &Path) -> u64 {
    let superblock = oarlock_format::decode_superblock(&bytes(pool)[..BLOCK], oarlock_block::Lba(0)).unwrap();
    superblock.record.layout.lock(oarlock_format::LockPosition(5)).0
}

/// Overwrites a whole block with a byte that no record begins with.
fn spoil_block(path: &Path, lba: u64) {
    spoil(path, lba * BLOCK as u64, &[0xa5; BLOCK]);
}

fn codes(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[test]
fn a_sound_datastore_is_clean_and_is_not_written_to() {
    let place = Place::new();
    let pool = place.format();
    let before = bytes(&pool);
    let (exit, report) = place.check(&[]);
    assert_eq!(
        (exit, &report["clean"], &report["findings"]),
        (0, &Value::Bool(true), &serde_json::json!([]))
    );
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, &report["clean"], &report["repaired_as"]), (0, &Value::Bool(true), &Value::Null));
    let told = place.run(&["check", "pool"]);
    assert_eq!(told.succeeds().stdout, "pool: datastore store: clean\n");
    assert!(bytes(&pool) == before, "a repair of nothing writes nothing");
}

#[test]
fn each_kind_of_damaged_block_is_found_without_a_write_and_repaired_when_asked() {
    type Case = (&'static str, &'static [&'static str], fn(&Path, u64), &'static str);
    let cases: [Case; 6] = [
        ("first superblock", &["superblock"], flip, "CHK-0101"),
        ("shadow", &["131071"], spoil_block, "CHK-0102"),
        ("slot 3", &["slot", "3"], spoil_block, "CHK-0201"),
        ("slot 3", &["slot", "3"], flip, "CHK-0201"),
        ("mailbox of slot 3", &["mailbox", "3"], flip, "CHK-0301"),
        ("lock position 5", &["LOCK"], spoil_block, "CHK-0401"),
    ];
    for (name, record, damage, code) in cases {
        let place = Place::new();
        let pool = place.format();
        let lba = if record == ["LOCK"] { lock_lba(&pool) } else { place.lba(record) };
        damage(&pool, lba);
        let damaged = bytes(&pool);

        let (exit, report) = place.check(&[]);
        assert_eq!((exit, &report["clean"], codes(&report)), (4, &Value::Bool(false), vec![code]), "{name}");
        let finding = &report["findings"][0];
        assert_eq!((finding["severity"].as_str(), finding["lba"].as_u64()), (Some("damage"), Some(lba)));
        assert!(finding["where"].as_str().unwrap().starts_with(name), "{finding}");
        assert_eq!((&finding["repaired"], &finding["refused"]), (&Value::Null, &Value::Null));
        let told = place.run(&["check", "pool"]);
        assert_eq!(told.exit, 4);
        assert!(told.stdout.contains(code) && told.stdout.contains("What to do: "), "{}", told.stdout);
        assert!(bytes(&pool) == damaged, "{name}: a check without --repair wrote");

        let (exit, report) = place.check(&["--repair"]);
        assert_eq!((exit, codes(&report)), (3, vec![code]), "{name}: {report}");
        assert!(report["findings"][0]["repaired"].is_string(), "{report}");
        let (exit, report) = place.check(&[]);
        assert_eq!((exit, codes(&report)), (0, vec![]), "{name}: {report}");
        let mut host = place.up("a");
        place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
        host.signal(Signal::TERM);
        assert_eq!(host.wait(), 0);
    }
}

#[test]
fn a_repair_tells_what_it_did_to_people_too() {
    let place = Place::new();
    let pool = place.format();
    spoil_block(&pool, lock_lba(&pool));
    let told = place.run(&["check", "pool", "--repair"]);
    assert_eq!(told.exit, 3, "{}", told.stderr);
    for words in ["Damage (1)", "CHK-0401", "Repaired: ", "all of it was repaired"] {
        assert!(told.stdout.contains(words), "`{words}` is wanted: {}", told.stdout);
    }
    assert_eq!(told.stderr, "", "no bar where there is no terminal");
}

#[test]
fn records_of_disks_are_made_anew_and_a_disk_whose_name_is_lost_shows_what_it_did() {
    let place = Place::for_disks("512M");
    let pool = place.path("pool");
    let image: Vec<u8> = (0..3_usize << 20).map(|at| u8::try_from(at / 512 % 251 + 1).unwrap()).collect();
    place.write("web.raw", &image);
    let mut host = place.up("a");
    place.run(&["disk", "import", "web.raw", "web"]).succeeds();
    host.signal(Signal::TERM);
    assert_eq!(host.wait(), 0);
    let superblock =
        oarlock_format::decode_superblock(&bytes(&pool)[..BLOCK], oarlock_block::Lba(0)).unwrap();
    let (format_id, layout) = (superblock.stamp.format_id, superblock.record.layout);
    let (space, group) = (superblock.record.space(), oarlock_format::GroupNumber(0));
    let name = oarlock_format::LayerName::new("web").unwrap();
    let hash = oarlock_format::NameHash::of_disk(&format_id, &name);
    let bucket = layout.bucket(layout.bucket_of(hash));
    let at = usize::try_from(bucket.0).unwrap() * BLOCK;
    let stands = oarlock_format::Place { format_id, lba: bucket };
    let entries =
        oarlock_format::decode::<oarlock_format::BucketRecord>(&bytes(&pool)[at..at + BLOCK], &stands);
    let number = entries.unwrap().record.entries[0].layer.descriptor;
    let unused = layout.descriptor(oarlock_format::DescriptorNumber(number.0 + 1));
    let bad = [bucket, layout.descriptor_name(number), unused, space.record(group)];
    bad.iter().for_each(|lba| spoil_block(&pool, lba.0));
    let (exit, report) = place.check(&[]);
    assert_eq!((exit, codes(&report)), (4, vec!["CHK-0501", "CHK-0602", "CHK-0601", "CHK-0801"]));
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!(exit, 3, "{report}");
    spoil_block(&pool, space.bitmap(group).0);
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, codes(&report)), (3, vec!["CHK-0804", "CHK-0806"]), "{report}");
    let (exit, report) = place.check(&[]);
    assert_eq!((exit, codes(&report)), (0, Vec::<&str>::new()));
    let _host = place.up("a");
    place.run(&["disk", "rename", &format!("recovered-{number}"), "web"]).succeeds();
    place.run(&["disk", "export", "web", "out.raw"]).succeeds();
    assert!(bytes(&place.path("out.raw")) == image);
}

#[test]
fn damage_that_cannot_be_repaired_is_left_and_said() {
    let place = Place::new();
    let pool = place.format();
    flip(&pool, 0);
    flip(&pool, SHADOW);
    let damaged = bytes(&pool);
    for repair in [&[][..], &["--repair"]] {
        let (exit, report) = place.check(repair);
        assert_eq!((exit, codes(&report)), (4, vec!["CHK-0108"]));
    }
    assert!(bytes(&pool) == damaged);
}

#[test]
fn what_cannot_be_checked_is_an_error_and_no_report() {
    let place = Place::new();
    place.run(&["check", "absent"]).fails(1, "OAR-0101");
    place.write("text", &[b'x'; 1 << 20]);
    place.run(&["check", "text"]).fails(1, "OAR-0203");
    place.write("tiny", b"not one block");
    place.run(&["check", "tiny"]).fails(1, "OAR-0203");
    let pool = place.format();
    common::reseal(&pool, 0, |record| record[8] = 2);
    place.run(&["check", "pool", "--repair"]).fails(1, "OAR-0206");
    place.run(&["check"]).fails(2, "OAR-0501");
}

#[test]
fn a_copy_is_checked_and_not_repaired() {
    let place = Place::new();
    let pool = place.format();
    let copy = place.path("copy");
    std::fs::rename(&pool, place.path("original")).unwrap();
    std::fs::copy(place.path("original"), &copy).unwrap();
    std::fs::rename(&copy, &pool).unwrap();
    spoil_block(&pool, SHADOW);
    let before = bytes(&pool);
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, codes(&report)), (4, vec!["CHK-0110", "CHK-0102"]));
    assert!(report["findings"][1]["refused"].as_str().unwrap().contains("resignature"), "{report}");
    assert!(bytes(&pool) == before);
}

#[test]
fn a_truncated_file_is_found_and_not_written_to() {
    let place = Place::new();
    let pool = place.format();
    std::fs::OpenOptions::new().write(true).open(&pool).unwrap().set_len(32 << 20).unwrap();
    let before = bytes(&pool);
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, codes(&report)), (4, vec!["CHK-0111"]), "a shadow that is cut off is not damaged");
    place.run(&["up", "pool", "--host", "a"]).fails(1, "OAR-0209");
    place.run(&["inspect", "pool", "superblock"]).succeeds();
    assert!(bytes(&pool) == before);
}

#[test]
fn beside_a_running_host_a_check_is_clean_and_a_spoiled_lock_comes_back_to_its_holder() {
    let place = Place::new();
    let pool = place.format();
    let _host = place.up("a");
    let (exit, report) = place.check(&[]);
    assert_eq!((exit, codes(&report)), (0, vec![]));

    let mut holder = place.command(&["lock", "run", "nightly", "--", "sleep", "60"]).spawn().unwrap();
    eventually("the lock is held", || place.run(&["locks", "--json"]).stdout.contains("nightly"));
    let lba = place.lba(&["lock", "nightly"]);
    flip(&pool, lba);
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, codes(&report)), (3, vec!["CHK-0401"]), "{report}");
    assert!(report["repaired_as"].as_str().unwrap().starts_with("repair-"), "{report}");
    eventually("the holder claims its lock again", || {
        let locks = place.run(&["locks", "--json"]).json();
        locks[0]["mode"] == "exclusive" && locks[0]["owners"][0]["host"] == "a"
    });
    assert!(holder.try_wait().unwrap().is_none(), "the command under the lock goes on");
    common::send(&holder, Signal::TERM);
    holder.wait().unwrap();
}

#[test]
fn a_slot_in_which_a_host_may_live_is_left_alone_until_that_host_is_dead() {
    let place = Place::new();
    let pool = place.format();
    // A host that is stopped holds its slot: a repair of the lock that it may hold goes on, one of its slot does not.
    let host = place.up("a");
    let slot = place.run(&["status", "--json"]).json()["host"]["slot"].as_u64().unwrap().to_string();
    host.signal(Signal::STOP);
    flip(&pool, place.lba(&["slot", &slot]));
    let (exit, report) = place.check(&["--repair"]);
    assert_eq!((exit, codes(&report)), (4, vec!["CHK-0201"]), "{report}");
    assert!(report["findings"][0]["refused"].is_string(), "a slot in which somebody lives is left alone");
    drop(host);
    let (exit, _) = place.check(&["--repair"]);
    assert_eq!(exit, 3);
    let ran: Ran = place.run(&["check", "pool"]);
    ran.succeeds();
}
