//! `oarlock resignature`: a copy is refused, and then has a life of its own.

use std::fs;

use crate::common::{Place, bytes, reseal, spoil};

/// The block of the shadow: the last of 64 MiB.
const SHADOW: &str = "131071";

#[test]
fn a_copy_is_refused_until_it_is_resigned_and_the_original_is_not_touched() {
    let place = Place::new();
    let pool = place.format();
    let copy = place.path("copy");
    fs::copy(&pool, &copy).unwrap();
    let original = bytes(&pool);
    place.run(&["bench", "ats", "copy", "--for", "10ms"]).fails(1, "OAR-0208").says("oarlock resignature");
    assert!(bytes(&copy) == original);

    let resigned = place.run(&["resignature", "copy", "--json"]).json();
    assert_eq!(resigned["changed"], true);
    assert_ne!(resigned["was"], resigned["identity"]);
    place.run(&["bench", "ats", "copy", "--for", "10ms"]).succeeds();
    assert!(bytes(&pool) == original);
    for block in ["0", SHADOW] {
        assert_eq!(place.field("copy", block, "format id"), place.field("pool", block, "format id"));
        assert_eq!(
            place.field("copy", block, "generation"),
            "3",
            "block {block} is the next image of its record"
        );
        assert_ne!(place.field("copy", block, "nonce"), place.field("pool", block, "nonce"));
        assert_eq!(place.field("copy", block, "identity"), format!("{}", resigned["identity"]));
    }
}

#[test]
fn a_datastore_on_its_own_device_is_left_as_it_is() {
    let place = Place::new();
    let pool = place.format();
    let before = bytes(&pool);
    assert_eq!(place.run(&["resignature", "pool", "--json"]).json()["changed"], false);
    assert!(bytes(&pool) == before);
}

#[test]
fn a_resignature_that_was_cut_short_is_finished_by_the_next() {
    let place = Place::new();
    let pool = place.format();
    let copy = place.path("copy");
    fs::copy(&pool, &copy).unwrap();
    let shadow = bytes(&copy)[131_071 * 512..].to_vec();
    place.run(&["resignature", "copy"]).succeeds();
    spoil(&copy, 131_071 * 512, &shadow);
    assert_eq!(place.run(&["resignature", "copy", "--json"]).json()["changed"], true);
    assert_eq!(place.field("copy", SHADOW, "generation"), "3");
    assert_eq!(place.run(&["resignature", "copy", "--json"]).json()["changed"], false);
}

#[test]
fn what_is_no_sound_datastore_is_not_resigned() {
    let place = Place::new();
    let pool = place.format();
    place.write("text", &[b'x'; 1 << 20]);
    place.run(&["resignature", "text"]).fails(1, "OAR-0203");
    reseal(&pool, 0, |record| record[8] = 2);
    let before = bytes(&pool);
    place.run(&["resignature", "pool"]).fails(1, "OAR-0206");
    reseal(&pool, 0, |record| record[8] = 1);
    spoil(&pool, 200, &[0xff]);
    let damaged = bytes(&pool);
    place.run(&["resignature", "pool"]).fails(1, "OAR-0508").says("must be repaired first");
    assert!(bytes(&pool) == damaged && before != damaged);
}
