//! What other programs really write is recognised by `format` and refused, and stays as it is.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Its functions are called by tests alone.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::common::{Place, bytes, skip};

const LENGTH: u64 = 64 << 20;

/// Runs `line` in a shell, with the absolute path of a new file of 64 MiB as `$1`; then what it wrote is refused with these
/// words, unforced, and not a byte of it changes.
fn is_refused(tool: &str, line: &str, what: &str) {
    let place = Place::new();
    let path = place.path("device");
    File::create(&path).unwrap().set_len(LENGTH).unwrap();
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-ec", script, "sh"]).arg(&path).stdin(Stdio::null());
        // Tools of system administration are not in everybody's path.
        command.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()));
        command.output().expect("a shell starts")
    };
    if !shell(&format!("command -v {tool}")).status.success() {
        return skip(&format!("{tool} is not here"));
    }
    let wrote = shell(line);
    assert!(wrote.status.success(), "{line}: {}", String::from_utf8_lossy(&wrote.stderr));
    let before = bytes(&path);
    place.run(&["format", "device", "--name", "store", "--slots", "4"]).fails(1, "OAR-0315").says(what);
    assert!(bytes(&path) == before, "what {tool} wrote was changed");
}

/// It was written over without a word: the table knew a mark that sanlock never writes.
#[test]
fn the_leases_of_sanlock_are_refused() {
    is_refused("sanlock", r#"sanlock direct init -s "LS:0:$1:0""#, "a sanlock lockspace (a delta lease)");
    is_refused("sanlock", r#"sanlock direct init -r "LS:R:$1:0""#, "a sanlock resource (a paxos lease)");
}

#[test]
fn the_file_systems_of_mke2fs_are_refused() {
    for kind in ["ext2", "ext3", "ext4"] {
        let what = format!("an {kind} file system");
        is_refused("mke2fs", &format!(r#"mke2fs -q -F -t {kind} "$1""#), &what);
    }
}

#[test]
fn swap_space_is_refused_whatever_the_size_of_its_pages() {
    for page in [4096, 8192, 16384, 32768, 65536] {
        is_refused("mkswap", &format!(r#"mkswap -p {page} "$1""#), "swap space");
    }
}

#[test]
fn the_images_of_virtual_machines_are_refused() {
    for (format, what) in [
        ("qcow2", "a qcow2 image"),
        ("qed", "a QED image"),
        ("vmdk", "a VMDK image"),
        ("vdi", "a VDI image"),
        ("vhdx", "a VHDX image"),
        ("vpc", "a VHD image"),
        ("vpc -o subformat=fixed", "a VHD image (of fixed size)"),
        ("parallels", "a Parallels image"),
    ] {
        is_refused("qemu-img", &format!(r#"qemu-img create -q -f {format} "$1" 64M"#), what);
    }
}

#[test]
fn archives_are_refused() {
    for (tool, line, what) in [
        ("tar", "tar cf - -C / etc/passwd", "a tar archive"),
        ("gzip", "gzip -c /etc/passwd", "gzip data"),
        ("xz", "xz -c /etc/passwd", "xz data"),
        ("zstd", "zstd -qc /etc/passwd", "zstd data"),
        ("bzip2", "bzip2 -c /etc/passwd", "bzip2 data"),
    ] {
        is_refused(tool, &format!(r#"{line} > "$1"; truncate -s {LENGTH} "$1""#), what);
    }
}

/// A plain file that is not all zeros is somebody's, whatever is in it.
#[test]
fn a_plain_file_with_data_of_no_known_kind_is_refused_and_one_of_zeros_is_not() {
    for (at, data) in [(0, b"hello, my thesis".as_slice()), (65_535, b"\x01"), ((1 << 20) + 7, b"\xff\x01")] {
        let place = Place::new();
        let path = place.file_with("device", 64 << 20, at, data);
        let before = bytes(&path);
        let format = ["format", "device", "--name", "store", "--slots", "4"];
        let first = format!("data of no kind that is known: its first byte that is not zero is byte {at}");
        place.run(&format).fails(1, "OAR-0315").says(&first);
        assert!(bytes(&path) == before, "the data at {at} was changed");
        place.run(&[&format[..], &["--force"]].concat()).succeeds();
    }
    let place = Place::new();
    let last = (256 << 20) - 1;
    place.file_with("end", 256 << 20, last, b"!");
    let format = ["format", "end", "--name", "store", "--slots", "4"];
    place.run(&format).fails(1, "OAR-0315").says(&format!("is byte {last}"));
    place.write("zeros", &vec![0; 64 << 20]);
    place.run(&["format", "zeros", "--name", "store", "--slots", "4"]).succeeds();
}

/// What an array left on a LUN is nobody's file: only marks count there.
#[test]
fn a_block_device_with_data_of_no_known_kind_is_formatted() {
    let place = Place::new();
    let path = place.file_with("backing", 64 << 20, 0, b"what an array left");
    let losetup = Command::new("losetup").args(["--find", "--show"]).arg(&path).output();
    let Some(device) = losetup.ok().filter(|output| output.status.success()) else {
        return skip("no loop device can be set up here");
    };
    let device = String::from_utf8(device.stdout).unwrap();
    let ran = place.run(&["format", device.trim(), "--name", "store", "--slots", "4"]);
    Command::new("losetup").args(["--detach", device.trim()]).status().unwrap();
    ran.succeeds();
}
