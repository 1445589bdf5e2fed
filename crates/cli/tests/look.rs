//! The verbs that only look: inspect, causes; and bench, which says where it writes.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{BLOCK, Place, Ran, bytes, eventually, send, spoil, until_it_catches_signals};

#[test]
fn inspect_decodes_each_kind_of_record_and_changes_nothing() {
    let place = Place::new();
    let pool = place.format();
    place.run(&["bench", "lock", "pool", "--for", "10ms"]).succeeds();
    let before = bytes(&pool);
    let records: [(&[&str], &str); 5] = [
        (&[], "superblock"),
        (&["superblock"], "superblock"),
        (&["slot", "0"], "slot 0"),
        (&["mailbox", "7"], "mailbox 7"),
        (&["0"], "superblock"),
    ];
    for (record, standing) in records {
        let mut arguments = vec!["inspect", "pool"];
        arguments.extend(record);
        arguments.push("--json");
        let inspected = place.run(&arguments).json();
        assert_eq!(
            (inspected["standing"].as_str(), inspected["verdict"].as_str()),
            (Some(standing), Some("sound"))
        );
        let fields = inspected["fields"].as_array().unwrap();
        let length: u64 = fields.iter().map(|field| field["length"].as_u64().unwrap()).sum();
        assert_eq!(length, BLOCK as u64, "the fields of {standing} cover its block");
    }
    assert!(bytes(&pool) == before);
}

#[test]
fn inspect_shows_the_records_and_pages_of_disks_by_their_blocks() {
    let place = Place::new();
    place.format();
    let superblock = place.run(&["inspect", "pool", "--json"]).json();
    let number = |name: &str| -> u64 {
        let fields = superblock["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == name).unwrap();
        field["value"].as_str().unwrap().parse().unwrap()
    };
    let stride = number("stride");
    let descriptors = number("descriptors start");
    let groups = number("groups start");
    let behind = stride.max(4_096 / BLOCK as u64);
    let records = [
        (number("directory start") + stride, "directory bucket 1", BLOCK),
        (descriptors + 2 * stride, "descriptor 1", BLOCK),
        (descriptors + 3 * stride, "name of descriptor 1", BLOCK),
        (number("journals start"), "journal of slot 0, header", BLOCK),
        (groups, "group 0", BLOCK),
        (groups + behind, "bitmap of group 0", 4_096),
    ];
    for (lba, standing, covered) in records {
        let inspected = place.run(&["inspect", "pool", &lba.to_string(), "--json"]).json();
        assert_eq!(
            (inspected["standing"].as_str(), inspected["verdict"].as_str()),
            (Some(standing), Some("sound"))
        );
        let fields = inspected["fields"].as_array().unwrap();
        let length: u64 = fields.iter().map(|field| field["length"].as_u64().unwrap()).sum();
        assert_eq!(length, covered as u64, "{standing}");
    }
    let empty = (number("journals start") + behind).to_string();
    let inspected = place.run(&["inspect", "pool", &empty, "--json"]).json();
    assert_eq!(inspected["standing"], "journal of slot 0, block 0");
    assert_eq!(inspected["verdict"], "the block is all zeros");
}

#[test]
fn inspect_shows_a_damaged_record_and_says_what_is_wrong() {
    let place = Place::new();
    let pool = place.format();
    spoil(&pool, 200, &[0xff]);
    let before = bytes(&pool);
    let inspected = place.run(&["inspect", "pool", "0", "--json"]).json();
    assert!(inspected["verdict"].as_str().unwrap().contains("checksum does not hold"));
    assert!(bytes(&pool) == before);
}

#[test]
fn what_is_not_there_is_not_inspected() {
    let place = Place::new();
    place.format();
    place.run(&["inspect", "pool", "slot", "8"]).fails(1, "OAR-0506").says("the datastore has 8");
    place.run(&["inspect", "pool", "lock", "nightly"]).fails(1, "OAR-0506");
    place.run(&["inspect", "pool", "131072"]).fails(1, "OAR-0506").says("131072 blocks");
    place.run(&["inspect", "pool", "slot", "x"]).fails(2, "OAR-0501");
    place.run(&["inspect", "pool", "lock", "a@b"]).fails(2, "OAR-0271");
    place.run(&["inspect", "absent"]).fails(1, "OAR-0101");
    place.write("text", &[b'x'; 8192]);
    place.run(&["inspect", "text", "slot", "0"]).fails(1, "OAR-0203");
    let raw = place.run(&["inspect", "text", "1", "--json"]).json();
    assert!(raw["fields"][0]["value"].as_str().unwrap().contains("not a record of Oarlock"));
}

#[test]
fn the_catalogue_of_causes_is_a_list_a_page_and_json() {
    let place = Place::new();
    let list = place.run(&["causes"]);
    assert!(list.succeeds().stdout.contains("delayed-own-write"));
    let page = place.run(&["causes", "delayed-own-write"]);
    let longest = page.succeeds().stdout.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(page.stdout.contains("What helps") && longest <= 100, "{longest} columns");
    assert!(!page.stdout.contains('\x1b'), "there are no colours where there is no terminal");
    let all = place.run(&["causes", "--json"]).json();
    assert_eq!(all.as_array().unwrap().len(), 25);
    place.run(&["causes", "own"]).fails(2, "OAR-0511").says("delayed-own-write");
}

#[test]
fn a_pair_of_lock_and_release_costs_two_commands_and_an_ats_one() {
    let place = Place::new();
    place.format();
    for (what, commands) in [("ats", 1.0), ("beat", 1.0), ("lock", 2.0)] {
        let figures = place.run(&["bench", what, "pool", "--for", "300ms", "--depth", "4", "--json"]).json();
        let found = figures["ios_per_operation"].as_f64().unwrap();
        // A host looks at its mailbox and its slot beside; a bench of some thousand operations hardly shows it.
        assert!(found >= commands && found < commands * 1.02, "bench {what}: {found} commands an operation");
        assert!(figures["operations_per_second"].as_f64().unwrap() > 0.0);
        assert_eq!(figures.as_object().unwrap().len(), 5);
    }
}

#[test]
fn a_bench_writes_to_scratch_blocks_alone_and_gives_its_slot_back() {
    let place = Place::new();
    let pool = place.format();
    let before = bytes(&pool);
    let ran = place.run(&["bench", "ats", "pool", "--for", "50ms", "--depth", "2"]);
    ran.succeeds().says("writes the scratch blocks");
    let blocks: Vec<usize> =
        ran.stderr.split("blocks ").nth(1).unwrap().split(',').map(|n| n.trim().parse().unwrap()).collect();
    let after = bytes(&pool);
    let slots = 128..128 + 16;
    let changed = (0..before.len() / BLOCK).filter(|block| {
        before[block * BLOCK..(block + 1) * BLOCK] != after[block * BLOCK..(block + 1) * BLOCK]
    });
    let others: Vec<usize> =
        changed.filter(|block| !blocks.contains(block) && !slots.contains(block)).collect();
    assert_eq!(others, [0; 0], "blocks other than scratch blocks and the host's own slot were written");
    let slot = place.run(&["inspect", "pool", "slot", "0", "--json"]).json();
    let state = slot["fields"].as_array().unwrap().iter().find(|field| field["name"] == "state").unwrap();
    assert!(state["value"].as_str().unwrap().contains("free"), "{state}");
}

/// The release that was under way had nobody to end it: the bench waited 10 s for it, and left its slot to the others.
#[test]
fn a_bench_that_is_interrupted_gives_its_slot_back() {
    let place = Place::new();
    let pool = place.format();
    let bench =
        place.command(&["bench", "lock", "pool", "--for", "60s"]).stderr(Stdio::piped()).spawn().unwrap();
    // The epoch of a lock grows with each owner.
    let used = |block: &[u8]| block.starts_with(b"OARLLOCK") && block[112] > 4;
    eventually("locks are taken", || bytes(&pool).chunks(BLOCK).any(used));
    let asked = Instant::now();
    send(&bench, Signal::TERM);
    let ran = Ran::of(bench.wait_with_output().unwrap());
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(ran.exit, 1);
    ran.says("OAR-0504").says("Run it again");
    assert!(!ran.stderr.contains("--force"), "the cure is not another verb's: {}", ran.stderr);
    for slot in 0..8 {
        assert!(place.field("pool", &(128 + 2 * slot).to_string(), "state").contains("free"), "slot {slot}");
    }
}

#[test]
fn a_simulation_that_is_interrupted_tells_what_it_found_until_then() {
    let place = Place::new();
    let sim = place
        .command(&["sim", "--seeds", "0..1000000", "--hosts", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until_it_catches_signals(&sim);
    send(&sim, Signal::TERM);
    let ran = Ran::of(sim.wait_with_output().unwrap());
    ran.fails(1, "OAR-0504").says("interrupted by SIGTERM; until then: ").says(" 0 violations");
}

#[test]
fn a_bench_refuses_what_it_did_not_make_and_removes_what_it_made() {
    let place = Place::new();
    let text = place.write("text", &[b'x'; 1 << 20]);
    place.run(&["bench", "ats", "text", "--for", "10ms"]).fails(1, "OAR-0203");
    assert!(bytes(&text) == [b'x'; 1 << 20]);
    place.run(&["bench", "lock", "absent", "--for", "10ms"]).fails(1, "OAR-0507");
    place.run(&["bench", "ats", "own", "--for", "10ms"]).succeeds().says("removed after it");
    assert!(!place.path("own").exists() && !place.path("absent").exists());
}

#[test]
fn the_simulator_runs_a_range_of_seeds_and_replays_one_with_its_trace() {
    let place = Place::new();
    let ran = place.run(&["sim", "--seeds", "0..2", "--hosts", "2", "--json"]).json();
    assert_eq!((ran["seeds"].as_u64(), &ran["violations"]), (Some(2), &serde_json::json!([])));
    assert!(ran["host_seconds"].as_u64().unwrap() > 0 && ran["operations"].as_u64().unwrap() > 0);
    let again = place.run(&["sim", "--seeds", "1..2", "--hosts", "2", "--trace"]);
    assert!(again.succeeds().stderr.lines().count() > 10, "{}", again.stderr);
    let ran = place.run(&["sim", "--seeds", "0..25", "--theme", "stale-reads", "--json"]).json();
    assert_eq!((ran["seeds"].as_u64(), &ran["violations"]), (Some(1), &serde_json::json!([])));
    let ran = place.run(&["sim", "--seeds", "0..9", "--theme", "stale-reads"]);
    ran.fails(2, "OAR-0502").says("no seed of 0..9 is about stale-reads");
    place.run(&["sim", "--seeds", "0..9", "--theme", "new"]).fails(2, "OAR-0502").says("ordinary, stalls");
    let ran = place.run(&["sim", "--seeds", "5"]);
    ran.fails(2, "OAR-0502").says("as in 0..1000");
    assert!(!ran.stderr.contains("Sizes"), "the cure is not another value's: {}", ran.stderr);
}
