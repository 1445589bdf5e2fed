//! Blocks of 4,096 bytes on a file that would do with 512: the file does not say it, and every verb finds it out.

use std::fs::{self, OpenOptions};
use std::path::Path;

use crate::common::{Place, bytes, spoil};

/// Where the first copy of the superblock has its checksum's block: any byte of it will do.
const IN_THE_FIRST_COPY: u64 = 300;

fn large(place: &Place) -> std::path::PathBuf {
    let format =
        ["format", "pool", "--name", "store", "--size", "68M", "--slots", "8", "--block-size", "4096"];
    place.run(&format).succeeds();
    place.path("pool")
}

#[test]
fn what_is_done_offline_is_done_with_the_datastore_s_own_blocks() {
    let place = Place::new();
    let pool = large(&place);
    let clean = || place.run(&["check", "pool", "--json"]).json()["findings"].as_array().map(Vec::len);
    assert_eq!(clean(), Some(0));
    assert_eq!(place.field("pool", "superblock", "block size"), "4096");
    place.run(&["bench", "ats", "pool", "--for", "10ms"]).succeeds();

    let longer =
        |path: &Path| OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(96 << 20));
    longer(&pool).expect("a file can be made longer");
    assert_eq!(place.run(&["grow", "pool", "--json"]).json()["changed"], true);
    fs::copy(&pool, place.path("copy")).expect("a file can be copied");
    assert_eq!(place.run(&["resignature", "copy", "--json"]).json()["changed"], true);
    assert_eq!(clean(), Some(0));
}

#[test]
fn a_check_beside_a_host_and_a_repair_find_them_too() {
    let place = Place::new();
    let pool = large(&place);
    {
        let _a = place.up("a");
        place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
        place.run(&["check", "pool"]).succeeds();
        assert!(place.run(&["inspect", "pool", "lock", "nightly"]).stdout.contains("nightly"));
        let before = bytes(&pool);
        let again = ["format", "pool", "--name", "store", "--force"];
        place.run(&again).fails(1, "OAR-0264").says("host a");
        place.run(&again[..4]).fails(1, "OAR-0315");
        assert_eq!(bytes(&pool)[..4096], before[..4096], "a datastore in which a host lives");
    }
    // The first copy is lost, and the second stands where the blocks of 4,096 bytes say.
    spoil(&pool, IN_THE_FIRST_COPY, &[0xee]);
    let found = place.run(&["check", "pool"]);
    assert!(found.exit != 0 && found.stdout.contains("superblock"), "{}", found.stdout);
    assert!(place.run(&["check", "pool", "--repair"]).stdout.contains("repaired"));
    place.run(&["check", "pool"]).succeeds();
}

#[test]
fn nobody_lives_unseen_behind_blocks_of_another_size() {
    let place = Place::new();
    let times = ["--beat", "200ms", "--lease", "1s", "--hold", "10s"];
    let format = ["format", "pool", "--name", "store", "--size", "68M", "--slots", "8"];
    place.run(&[&format[..], &times].concat()).succeeds();
    let _a = place.up("a");
    let larger = ["format", "pool", "--name", "other", "--slots", "8", "--block-size", "4096"];
    place.run(&larger).fails(1, "OAR-0315");
    place.run(&[&larger[..], &["--force"]].concat()).fails(1, "OAR-0264").says("host a");
    place.run(&["lock", "run", "nightly", "--", "true"]).succeeds();
}
