//! Images that become disks, and disks that become images, with real processes; judged by QEMU's own tools.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::json;

use crate::common::guest::Guest;
use crate::common::{Place, Ran, bytes, eventually, send, skip};

const MIB: u64 = 1 << 20;

/// Whether QEMU's tools are here; a test without them says that it was skipped.
fn qemu() -> bool {
    let found = Command::new("qemu-img").arg("--version").stdout(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        skip("there is no qemu-img");
    }
    is_there
}

#[track_caller]
fn qemu_img(place: &Place, line: &str) {
    let mut command = Command::new("qemu-img");
    command.args(line.split(' ')).current_dir(place.path(""));
    Ran::of(command.output().unwrap()).succeeds();
}

/// A raw image of `size` with a mebibyte of data at each of these places.
fn sparse(place: &Place, name: &str, size: u64, at_mib: &[u64]) {
    let file = File::create(place.path(name)).unwrap();
    file.set_len(size).unwrap();
    for at in at_mib {
        let data: Vec<u8> = (0..MIB).map(|byte| u8::try_from((byte / 512 + at) % 251 + 1).unwrap()).collect();
        file.write_all_at(&data, at * MIB).unwrap();
    }
}

fn disks(place: &Place) -> serde_json::Value {
    place.run(&["disk", "list", "--store", "store", "--json"]).json()
}

/// What a file takes of its file system, in bytes.
fn taken(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn an_image_of_qemu_goes_in_and_comes_out_the_same_and_sparse() {
    if !qemu() {
        return;
    }
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    sparse(&place, "sample.raw", 300 * MIB, &[0, 7, 150, 299]);
    qemu_img(&place, "convert -f raw -O qcow2 sample.raw sample.qcow2");
    let imported = place.run(&["disk", "import", "sample.qcow2", "vm/один", "--json"]).json();
    let wanted = json!({
        "name": "vm/один", "size": 300 * MIB, "format": "qcow2", "written": 4 * MIB, "snapshots_left_out": 0
    });
    assert_eq!(imported, wanted);
    let shown = place.run(&["disk", "show", "vm/один", "--json"]).json();
    assert_eq!((&shown["allocated"], &shown["mode"]), (&(4 * MIB).into(), &"free".into()), "{shown}");
    let exported = place.run(&["disk", "export", "vm/один", "out.raw", "--json"]).json();
    let wanted = json!({
        "name": "vm/один", "file": "out.raw", "size": 300 * MIB, "format": "raw", "read": 4 * MIB
    });
    assert_eq!(exported, wanted);
    qemu_img(&place, "compare -s -f raw -F raw sample.raw out.raw");
    assert!(taken(&place.path("out.raw")) <= 4 * MIB + 65_536, "{}", taken(&place.path("out.raw")));
    place.run(&["disk", "export", "vm/один", "out.qcow2"]).succeeds();
    qemu_img(&place, "check -f qcow2 out.qcow2");
    qemu_img(&place, "compare -f raw -F qcow2 sample.raw out.qcow2");
    assert_eq!(disks(&place)[0]["attached"], json!([]), "both let go of it");
    assert!(!place.path("run/store/a.copy").exists(), "nobody stands behind the door any more");
}

#[test]
fn an_image_that_ends_within_a_block_becomes_a_disk_that_ends_with_it() {
    for (block, size) in [("512", 100_352), ("4096", 102_400)] {
        let place = Place::new();
        place.format_sized("512M", &["--block-size", block]);
        let _a = place.up("a");
        let image = place.write("odd.raw", &vec![7; 100_001]);
        let imported = place.run(&["disk", "import", "odd.raw", "odd", "--json"]).json();
        assert_eq!(imported["size"], size);
        place.run(&["disk", "export", "odd", "back.raw"]).succeeds();
        let (before, after) = (bytes(&image), bytes(&place.path("back.raw")));
        assert_eq!(after[..100_001], before[..]);
        assert!(after.len() == size && after[100_001..].iter().all(|byte| *byte == 0));
        place.write("empty.raw", b"");
        place.run(&["disk", "import", "empty.raw", "empty"]).fails(2, "OAR-0284");
    }
}

#[test]
fn a_snapshot_is_exported_while_its_disk_is_written_here_or_elsewhere_and_the_disk_is_not() {
    let place = Place::for_disks("512M");
    let (_a, _b) = (place.up("a"), place.up("b"));
    sparse(&place, "sample.raw", 8 * MIB, &[2]);
    place.run(&["disk", "import", "sample.raw", "disk", "--host", "a"]).succeeds();
    place.run(&["disk", "attach", "disk", "--host", "a"]).succeeds();
    place.run(&["disk", "snapshot", "disk@then", "--host", "a"]).succeeds();
    let mut guest = Guest::at(&place.path("run/store/a.nbd"), "disk").unwrap();
    guest.write(2 * MIB, &[9; 4096]).unwrap();
    guest.flush().unwrap();
    for (host, code) in [("a", "OAR-0288"), ("b", "OAR-0287")] {
        let out = format!("{host}.raw");
        let refused = place.run(&["disk", "export", "disk", &out, "--host", host]);
        refused.fails(1, code).says("oarlock disk snapshot disk@SNAP");
        assert!(!place.path(&out).exists());
        place.run(&["disk", "export", "disk@then", &out, "--host", host]).succeeds();
        assert_eq!(bytes(&place.path(&out)), bytes(&place.path("sample.raw")));
    }
    assert_eq!(guest.read(2 * MIB, 4096).unwrap(), [9; 4096], "its guest noticed nothing");
    place.run(&["disk", "export", "disk", "which.raw"]).fails(2, "OAR-0402");
}

/// Starts the program as a terminal does. What started the tests may have been told to outlive its own, and they with it.
fn start(place: &Place, arguments: &[&str]) -> Child {
    start_with(place, "--default-signal=HUP", arguments)
}

fn start_with(place: &Place, signals: &str, arguments: &[&str]) -> Child {
    let program = place.command(arguments);
    let mut command = Command::new("env");
    command.arg(signals).arg(program.get_program()).args(program.get_args());
    command
        .current_dir(place.path(""))
        .env("OARLOCK_RUNTIME_DIR", place.path("run"))
        .env_remove("OARLOCK_API");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A disk's worth of data that takes a while to be copied.
fn large(place: &Place) {
    let data: Vec<u64> = (0..160).collect();
    sparse(place, "large.raw", 160 * MIB, &data);
}

/// Starts the import of [`large`], and returns once it has read some of it.
fn import_under_way(place: &Place, disk: &str, signals: &str) -> Child {
    let import = start_with(place, signals, &["disk", "import", "large.raw", disk]);
    let read = || {
        let counts = fs::read_to_string(format!("/proc/{}/io", import.id())).unwrap();
        let count = counts.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        count.parse::<u64>().unwrap()
    };
    eventually("some of it is copied", || read() > 8 * MIB);
    import
}

#[test]
fn an_image_goes_into_a_thick_disk_which_stays_thick() {
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    sparse(&place, "some.raw", 16 * MIB, &[1, 9]);
    place.run(&["disk", "import", "some.raw", "t", "--thick"]).succeeds();
    let shown = place.run(&["disk", "show", "t", "--json"]).json();
    assert_eq!(
        (&shown["allocated"], &shown["thick"], &shown["full"]),
        (&json!(16 * MIB), &json!(true), &json!(true))
    );
    place.run(&["disk", "export", "t", "again.raw"]).succeeds();
    assert!(fs::read(place.path("some.raw")).unwrap() == fs::read(place.path("again.raw")).unwrap());
    let refused = place.run(&["disk", "import", "some.raw", "t", "--thick"]);
    refused.fails(1, "OAR-0282");
}

#[test]
fn a_signal_in_mid_import_leaves_no_disk() {
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    large(&place);
    for (signal, name) in [(Signal::INT, "SIGINT"), (Signal::TERM, "SIGTERM"), (Signal::HUP, "SIGHUP")] {
        let import = import_under_way(&place, "half", "--default-signal=HUP");
        send(&import, signal);
        let ran = Ran::of(import.wait_with_output().unwrap());
        ran.fails(1, "OAR-0504").says(name);
        assert_eq!(disks(&place), json!([]));
    }
    // One that was told to outlive its terminal does.
    let import = import_under_way(&place, "half", "--ignore-signal=HUP");
    send(&import, Signal::HUP);
    Ran::of(import.wait_with_output().unwrap()).succeeds();
    place.run(&["disk", "delete", "half"]).succeeds();
    place.run(&["disk", "create", "half", "--size", "1M"]).succeeds();
}

#[test]
fn a_signal_in_mid_export_leaves_no_file_and_no_attachment() {
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    large(&place);
    place.run(&["disk", "import", "large.raw", "disk"]).succeeds();
    fs::create_dir(place.path("out")).unwrap();
    let export = start(&place, &["disk", "export", "disk", "out/large.raw"]);
    eventually("the file is begun", || fs::read_dir(place.path("out")).unwrap().count() > 0);
    send(&export, Signal::INT);
    Ran::of(export.wait_with_output().unwrap()).fails(1, "OAR-0504").says("SIGINT");
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 0);
    assert_eq!(disks(&place)[0]["attached"], json!([]));
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_reason_and_nothing_is_made() {
    if !qemu() {
        return;
    }
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    sparse(&place, "sample.raw", 8 * MIB, &[2]);
    qemu_img(&place, "convert -f raw -O qcow2 sample.raw sample.qcow2");
    qemu_img(&place, "create -f qcow2 -b sample.raw -F raw layer.qcow2");
    qemu_img(&place, "create -f vmdk other.vmdk 8M");
    let whole = bytes(&place.path("sample.qcow2"));
    place.write("cut.qcow2", &whole[..whole.len() / 2]);
    for (image, code, words) in [
        ("none.raw", "OAR-0516", "No such file"),
        ("run", "OAR-0516", "no plain file"),
        ("other.vmdk", "OAR-0518", "VMDK"),
        ("layer.qcow2", "OAR-0519", "sample.raw"),
        ("cut.qcow2", "OAR-0519", "cut short"),
    ] {
        place.run(&["disk", "import", image, "disk"]).fails(1, code).says(words);
        assert_eq!(disks(&place), json!([]), "{image}");
    }
    // Who says that it is raw is believed.
    place.run(&["disk", "import", "other.vmdk", "disk", "--format", "raw"]).succeeds();
    place.run(&["disk", "import", "sample.raw", "disk"]).fails(1, "OAR-0282");
    assert_eq!(disks(&place)[0]["name"], "disk", "the disk that has the name stays");
    place.run(&["disk", "import", "sample.raw", "a@b"]).fails(2, "OAR-0271");
    place.run(&["disk", "import", "sample.raw", "b", "--format", "vmdk"]).fails(2, "OAR-0501");
}

#[test]
fn an_image_for_which_there_is_no_room_leaves_no_disk() {
    let place = Place::new();
    place.format();
    let _a = place.up("a");
    let data: Vec<u64> = (0..96).collect();
    sparse(&place, "large.raw", 96 * MIB, &data);
    place.run(&["disk", "import", "large.raw", "large"]).fails(1, "OAR-0292");
    assert_eq!(disks(&place), json!([]));
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_go() {
    let place = Place::for_disks("512M");
    let _a = place.up("a");
    sparse(&place, "sample.raw", 2 * MIB, &[0]);
    place.run(&["disk", "import", "sample.raw", "disk"]).succeeds();
    let there = place.write("there.raw", b"mine");
    place.run(&["disk", "export", "disk", "there.raw"]).fails(1, "OAR-0520").says("--force");
    place.run(&["disk", "export", "disk", "run", "--force"]).fails(1, "OAR-0520");
    place.run(&["disk", "export", "disk", "none/at/all.raw"]).fails(1, "OAR-0521");
    // It took the place of its own datastore's file, and everything went with the last host.
    place.run(&["disk", "export", "disk", "pool", "--force"]).fails(1, "OAR-0520").says("holds a datastore");
    // A pipe that nobody writes into is not waited for.
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    place.run(&["disk", "export", "disk", "pipe", "--force"]).fails(1, "OAR-0520");
    assert_eq!(bytes(&there), b"mine");
    place.run(&["disk", "export", "other", "other.raw"]).fails(1, "OAR-0283");
    place.run(&["disk", "export", "disk", "there.raw", "--force"]).succeeds();
    assert_eq!(bytes(&there), bytes(&place.path("sample.raw")));
}

/// The one case in which a half-made disk stays, since nobody is left who could take it away.
#[test]
fn a_host_that_dies_in_mid_import_leaves_a_disk_and_the_error_says_so() {
    let place = Place::for_disks("512M");
    let mut a = place.up("a");
    large(&place);
    let import = import_under_way(&place, "half", "--default-signal=HUP");
    a.signal(Signal::KILL);
    a.wait();
    let ran = Ran::of(import.wait_with_output().unwrap());
    ran.fails(1, "OAR-0522").says("half-made disk half is there still").says("oarlock disk delete half");
    let _b = place.up("b");
    eventually("it is taken over and deleted", || place.run(&["disk", "delete", "half"]).exit == 0);
    assert_eq!(disks(&place), json!([]));
}
