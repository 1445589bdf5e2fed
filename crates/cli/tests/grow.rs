//! `oarlock grow`: a longer file, beside a host that runs, and what cannot grow.

use std::fs::OpenOptions;
use std::path::Path;

use crate::common::{Place, bytes, spoil};

#[allow(clippy::unwrap_used)] // A helper of tests fails as tests do.
fn lengthen(path: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

#[test]
fn a_longer_file_is_used_and_what_gained_nothing_is_left_as_it_is() {
    let place = Place::new();
    let pool = place.format();
    lengthen(&pool, 96 << 20);
    let grown = place.run(&["grow", "pool", "--json"]).json();
    assert_eq!(
        (grown["changed"].as_bool(), grown["was"].as_u64(), grown["size"].as_u64()),
        (Some(true), Some(64 << 20), Some(96 << 20))
    );
    assert_eq!(grown["unseen_by"].as_array().map(Vec::len), Some(0));
    assert_eq!(place.run(&["check", "pool", "--json"]).json()["findings"].as_array().map(Vec::len), Some(0));
    let whole = bytes(&pool);
    let again = place.run(&["grow", "pool"]);
    assert!(again.succeeds().stdout.contains("gained nothing"), "{}", again.stdout);
    assert!(bytes(&pool) == whole);
}

#[test]
fn what_is_no_sound_datastore_does_not_grow() {
    let place = Place::new();
    let pool = place.format();
    place.write("text", &[b'x'; 1 << 20]);
    place.run(&["grow", "text"]).fails(1, "OAR-0203");
    lengthen(&pool, 32 << 20);
    place.run(&["grow", "pool"]).fails(1, "OAR-0209");
    lengthen(&pool, 64 << 20);
    // Its shadow went with the end that was cut off; the first copy alone is enough to grow from.
    place.run(&["grow", "pool"]).succeeds();
    place.run(&["check", "pool", "--repair"]);
    spoil(&pool, 300, &[0xee]);
    let before = bytes(&pool);
    place.run(&["grow", "pool"]).fails(1, "OAR-0512").says("repair");
    assert!(bytes(&pool) == before);
}
