//! `oarlock format` and what reads its result: what is made, what is refused, and that a refusal changes nothing.

use std::fs;
use std::process::Stdio;

use crate::common::{Place, Ran, bytes, reseal, spoil};

#[test]
fn a_datastore_is_made_of_an_absent_file_and_told_in_json() {
    let place = Place::new();
    let made = place.run(&["format", "pool", "--name", "store", "--size", "256M", "--json"]).json();
    assert_eq!(made["name"], "store");
    assert_eq!(made["device"], "pool");
    assert_eq!((made["block_size"].as_u64(), made["cluster_size"].as_u64()), (Some(512), Some(65_536)));
    assert_eq!((made["slots"].as_u64(), made["fencing"].as_str()), (Some(64), Some("file-lock")));
    assert!(made["clusters"].as_u64().unwrap() > 3_000);
    assert_eq!(made["id"].as_str().unwrap().len(), 32);
    assert_eq!(made.as_object().unwrap().len(), 8);
    let inspected = place.run(&["inspect", "pool", "--json"]).json();
    assert_eq!((inspected["verdict"].as_str(), inspected["lba"].as_u64()), (Some("sound"), Some(0)));
}

#[test]
fn a_drain_that_changes_nothing_is_kept_and_said_to_be_so() {
    let place = Place::new();
    let format = ["format", "pool", "--name", "store", "--size", "64M", "--slots", "8", "--drain", "30s"];
    place.run(&format).succeeds().says("--drain changes nothing here");
    assert_eq!(place.field("pool", "superblock", "drain"), "30000 ms");
    let without = ["format", "other", "--name", "store", "--size", "64M", "--slots", "8"];
    assert_eq!(place.run(&without).succeeds().stderr, "");
}

#[test]
fn the_file_that_is_made_is_sparse() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    place.run(&["format", "pool", "--name", "store", "--size", "8G"]).succeeds();
    let metadata = fs::metadata(place.path("pool")).unwrap();
    assert_eq!(metadata.len(), 8 << 30);
    assert!(metadata.blocks() * 512 < 64 << 20, "{} bytes are allocated", metadata.blocks() * 512);
}

#[test]
fn a_file_too_small_is_refused_and_the_one_that_was_made_is_removed() {
    let place = Place::new();
    place
        .run(&["format", "pool", "--name", "store", "--size", "1M"])
        .fails(1, "OAR-0262")
        .says("pool: the device is too small");
    assert!(!place.path("pool").exists());
    let there = place.write("there", &[0; 1 << 20]);
    place.run(&["format", "there", "--name", "store"]).fails(1, "OAR-0262");
    assert_eq!(bytes(&there), [0; 1 << 20]);
    place.write("empty", b"");
    place.run(&["format", "empty", "--name", "store"]).fails(1, "OAR-0262");
}

/// Each finds nothing at the path; the ones that fail must leave alone what the other one makes.
#[test]
fn of_several_formats_of_one_absent_file_one_succeeds_and_its_datastore_stays() {
    let place = Place::new();
    let start = |name: &str| {
        let arguments = ["format", "pool", "--name", name, "--size", "64M", "--slots", "8"];
        let mut command = place.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = ["a", "b", "c", "d"].map(start);
    let ran = children.map(|child| Ran::of(child.wait_with_output().unwrap()));
    let made: Vec<&Ran> = ran.iter().filter(|ran| ran.exit == 0).collect();
    let said: Vec<&str> = ran.iter().map(|ran| ran.stderr.as_str()).collect();
    assert_eq!(made.len(), 1, "{said:?}");
    place.run(&["check", "pool"]).succeeds();
}

#[test]
fn an_absent_file_needs_a_size_and_a_present_one_keeps_its_own() {
    let place = Place::new();
    place.run(&["format", "pool", "--name", "store"]).fails(2, "OAR-0505");
    assert!(!place.path("pool").exists());
    let there = place.write("there", &[0; 4096]);
    place.run(&["format", "there", "--name", "store", "--size", "64M"]).fails(2, "OAR-0316");
    assert_eq!(bytes(&there).len(), 4096);
}

#[test]
fn what_is_recognised_on_a_device_is_refused_without_force() {
    let place = Place::new();
    let length = 64 << 20;
    let ext4 = place.file_with("ext4", length, 1024 + 0x38, &[0x53, 0xef]);
    spoil(&ext4, 1024 + 0x60, &[0x42]);
    let gpt = place.file_with("gpt", length, 512, b"EFI PART");
    for (name, path, what) in [("ext4", ext4, "an ext4 file system"), ("gpt", gpt, "a GPT partition table")] {
        let before = bytes(&path);
        place.run(&["format", name, "--name", "store"]).fails(1, "OAR-0315").says(what);
        assert!(bytes(&path) == before, "{name} was changed");
        place.run(&["format", name, "--name", "store", "--force"]).succeeds();
    }
}

#[test]
fn a_datastore_is_refused_without_force_and_made_anew_with_it() {
    let place = Place::new();
    let pool = place.format();
    let before = bytes(&pool);
    place.run(&["format", "pool", "--name", "other"]).fails(1, "OAR-0315").says("an Oarlock datastore");
    assert!(bytes(&pool) == before);
    let anew = place.run(&["format", "pool", "--name", "other", "--force", "--json"]).json();
    assert_eq!(anew["name"], "other");
}

#[test]
fn times_that_would_let_a_living_host_be_fenced_are_refused_before_anything_is_made() {
    let place = Place::new();
    let short = ["format", "pool", "--name", "s", "--size", "64M", "--watch", "10s"];
    place.run(&short).fails(2, "OAR-0261").says("a living host could be fenced");
    let slow = ["format", "pool", "--name", "s", "--size", "64M", "--beat", "5s"];
    place.run(&slow).fails(2, "OAR-0261");
    assert!(!place.path("pool").exists());
}

#[test]
fn a_device_of_another_kind_or_on_no_local_file_system_is_refused() {
    let place = Place::new();
    fs::create_dir(place.path("folder")).unwrap();
    place.run(&["format", "folder", "--name", "s"]).fails(1, "OAR-0103");
    place.run(&["format", "/proc/oarlock", "--name", "s", "--size", "64M"]).fails(1, "OAR-0104");
    place.run(&["format", "absent/pool", "--name", "s", "--size", "64M"]).fails(1, "OAR-0101");
    place.run(&["format", "iscsi://portal/iqn/0", "--name", "s"]).fails(2, "OAR-0502");
}

#[test]
fn every_damage_to_a_superblock_has_its_own_error() {
    type Spoil = fn(&std::path::Path);
    let cases: [(&str, &str, Spoil); 6] = [
        ("zeros", "OAR-0203", |pool| fs::write(pool, vec![0; 64 << 20]).unwrap()),
        ("of a newer version", "OAR-0206", |pool| reseal(pool, 0, |record| record[8] = 2)),
        ("with an unknown feature", "OAR-0206", |pool| reseal(pool, 0, |record| record[136] = 2)),
        ("with a feature that only a newer program may write", "OAR-0211", |pool| {
            reseal(pool, 0, |record| record[128] = 1);
        }),
        ("overwritten in front", "OAR-0204", |pool| spoil(pool, 0, &[0xaa; 512])),
        ("cut off behind", "OAR-0209", |pool| {
            fs::OpenOptions::new().write(true).open(pool).unwrap().set_len(48 << 20).unwrap();
        }),
    ];
    for (name, code, spoil) in cases {
        let place = Place::new();
        let pool = place.format();
        spoil(&pool);
        let before = bytes(&pool);
        let ran = place.run(&["bench", "ats", "pool", "--for", "10ms"]);
        assert!(ran.stderr.starts_with(code), "{name}: {code} is wanted, not {}", ran.stderr);
        assert_eq!(ran.exit, 1, "{name}");
        assert!(bytes(&pool) == before, "{name}: the file was changed");
    }
}

#[test]
fn one_damaged_copy_of_the_superblock_does_not_stop_a_host() {
    let place = Place::new();
    let pool = place.format();
    spoil(&pool, 200, &[0xff]);
    place.run(&["bench", "ats", "pool", "--for", "10ms", "--json"]).json();
}

#[test]
fn wrong_usage_ends_with_2_and_says_how_it_goes() {
    let place = Place::new();
    place.run(&["format"]).fails(2, "OAR-0501").says("Usage: oarlock format");
    place.run(&["fly"]).fails(2, "OAR-0501").says("unrecognized subcommand 'fly'");
    place.run(&["format", "pool", "--name", "s", "--frobnicate"]).fails(2, "OAR-0501");
    place.run(&["format", "pool", "--name", "s", "--size", "8X"]).fails(2, "OAR-0502").says("as in 8G");
    place.run(&["format", "pool", "--name", "s", "--beat", "2"]).fails(2, "OAR-0502").says("as in 200ms");
    place.run(&["format", "pool", "--name", "a/b", "--size", "64M"]).fails(2, "OAR-0271");
    for cluster in ["3K", "2K", "2M", "0"] {
        let arguments = ["format", "pool", "--name", "s", "--size", "64M", "--cluster-size", cluster];
        place.run(&arguments).fails(2, "OAR-0502").says("a power of two from 4K to 1M");
    }
    assert!(!place.path("pool").exists());
}

#[test]
fn every_value_out_of_its_bounds_is_wrong_usage_and_says_the_bounds() {
    let place = Place::new();
    let format = ["format", "pool", "--name", "s"];
    for (line, said) in [
        ("--size 65T", "64T at most"),
        ("--size 64M --slots 0", "from 1 to 1024"),
        ("--size 64M --slots many", "from 1 to 1024"),
        ("--size 64M --block-size 1024", "512 or 4096"),
    ] {
        let words: Vec<&str> = format.into_iter().chain(line.split(' ')).collect();
        place.run(&words).fails(2, "OAR-0502").says(said);
    }
    let watch = [&format[..], &["--size", "64M", "--watch", "1s"]].concat();
    place.run(&watch).fails(2, "OAR-0261").says("at least 10708ms").says("1.1 leases");
    for (line, said) in [
        ("bench ats pool --for 0s", "1ms to 24h"),
        ("bench ats pool --depth 65", "from 1 to 64"),
        ("sim --seeds 0..1 --hosts 0", "from 1 to 1024"),
        ("lock run nightly --wait 169h -- true", "a week"),
        ("evict a --wait 169h", "a week"),
    ] {
        place.run(&line.split(' ').collect::<Vec<_>>()).fails(2, "OAR-0502").says(said);
    }
    assert!(!place.path("pool").exists());
}

#[test]
fn a_missing_verb_or_value_is_said_to_be_missing() {
    let place = Place::new();
    for words in [&[][..], &["lock"], &["bench"]] {
        place.run(words).fails(2, "OAR-0501").says("a verb is missing").says("Commands:");
    }
    place.run(&["up", "pool", "--host"]).fails(2, "OAR-0501").says("`oarlock VERB --help`");
}

#[test]
fn help_and_version_are_results() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["--version"], &["format", "--help"], &["lock", "run", "--help"]] {
        let ran = place.run(arguments);
        ran.succeeds();
        assert!(ran.stdout.contains("oarlock") && ran.stderr.is_empty(), "{arguments:?}");
    }
    let man = place.run(&["man", "lock", "run"]);
    assert!(man.succeeds().stdout.contains("OARLOCK_LOCK_TOKEN"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).succeeds().stdout.contains("resignature"), "{shell}");
    }
}
