//! Disks of QEMU's server, exported and judged by `qemu-img check` and `compare`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oarlock_image::{Destination, Exported, Format, ImageError, Unwatched, export};
use tempfile::tempdir;

use crate::world::{GIB, KIB, Keeper, MIB, Server, names, qemu, qemu_img, raw, sample, taken};

/// Exports what a server has in both formats, and judges each.
fn judged(folder: &Path, image: &str, format: Format) -> [(Exported, u64); 2] {
    [Format::Raw, Format::Qcow2].map(|wanted| {
        let server = Server::start(folder, &format!("--read-only -f {format} {image}"));
        let path = folder.join(format!("copy.{wanted}"));
        let destination = Destination::new(&path, wanted, true).unwrap();
        let mut keeper = Keeper::new();
        let done = export(&server.address, &destination, &mut keeper)
            .unwrap_or_else(|error| panic!("{image}: {error}: {error:?}"));
        drop(server);
        let last = keeper.last();
        assert_eq!((last.done_bytes, last.total_bytes), (done.size_bytes, done.size_bytes));
        qemu_img(folder, &format!("compare -f {wanted} -F {format} copy.{wanted} {image}"));
        let about = qemu_img(folder, &format!("info --output=json -f {wanted} copy.{wanted}"));
        assert!(about.contains(&format!("\"virtual-size\": {},", done.size_bytes)), "{about}");
        if wanted == Format::Qcow2 {
            qemu_img(folder, "check -f qcow2 copy.qcow2");
        }
        (done, taken(&path))
    })
}

#[test]
fn what_is_exported_is_whole_and_sparse() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    for (done, room) in judged(folder.path(), "sample.raw", Format::Raw) {
        assert_eq!(done.size_bytes, 24 * MIB);
        assert!(done.read_bytes < 4 * MIB && done.requests < 30, "{done:?}");
        assert!(room <= taken(&image) + 1024 * KIB, "{room}");
    }
    qemu_img(folder.path(), "convert -f raw -O qcow2 -c -o cluster_size=4k sample.raw image.qcow2");
    judged(folder.path(), "image.qcow2", Format::Qcow2);
}

#[test]
fn zeros_that_a_disk_keeps_are_left_out() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("zeros.raw"), vec![0; 8 << 20]).unwrap();
    for (done, room) in judged(folder.path(), "zeros.raw", Format::Raw) {
        assert!(room <= 512 * KIB, "{done:?}: {room}");
    }
}

#[test]
fn disks_of_any_size_are_exported() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    for size in [0, 512, 64 * KIB, 64 * KIB + 512, 513 * MIB + 1536] {
        let end = size - size.min(512);
        raw(folder.path(), "any.raw", size, &[(end, size - end)]);
        judged(folder.path(), "any.raw", Format::Raw);
    }
}

#[test]
fn a_terabyte_that_is_nearly_empty_is_exported_at_once() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let ranges = [(5, 5), (513 * MIB, 100), (700 * GIB + 77, MIB), (1024 * GIB - 9, 9)];
    raw(folder.path(), "big.raw", 1024 * GIB, &ranges);
    for (done, room) in judged(folder.path(), "big.raw", Format::Raw) {
        assert!(done.requests < 2000 && room < 4 * MIB, "{done:?}: {room}");
    }
}

#[test]
fn a_full_table_and_its_neighbours_are_in_order() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    // Data across the end of the first table of the second level, which is about 512 MiB.
    raw(folder.path(), "edge.raw", GIB + 64 * KIB, &[(508 * MIB, 8 * MIB), (GIB, 64 * KIB)]);
    judged(folder.path(), "edge.raw", Format::Raw);
}

#[test]
fn a_file_that_is_there_stays_unless_it_may_go() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    let path = folder.path().join("mine");
    std::fs::write(&path, "precious").unwrap();
    let refused = Destination::new(&path, Format::Raw, false).unwrap_err();
    assert!(matches!(refused, ImageError::Exists { .. }), "{refused}");
    // It came between the look and the end: it is seen there again.
    let late = folder.path().join("late");
    let destination = Destination::new(&late, Format::Raw, false).unwrap();
    std::fs::write(&late, "somebody else's").unwrap();
    let server = Server::start(folder.path(), "--read-only -f raw sample.raw");
    let before = names(folder.path());
    let refused = export(&server.address, &destination, &mut Unwatched).unwrap_err();
    assert!(matches!(refused, ImageError::Exists { .. }), "{refused}");
    assert_eq!(std::fs::read(&late).unwrap(), b"somebody else's");
    assert_eq!(names(folder.path()), before);
    let destination = Destination::new(&path, Format::Raw, true).unwrap();
    export(&server.address, &destination, &mut Unwatched).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 24 * MIB);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o400, 0o400);
}

#[test]
fn nothing_but_a_plain_file_nobody_writes_is_replaced() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    std::os::unix::fs::symlink("sample.raw", folder.path().join("link")).unwrap();
    for name in ["link", "."] {
        let refused = Destination::new(&folder.path().join(name), Format::Raw, true).unwrap_err();
        assert!(matches!(refused, ImageError::InTheWay { .. }), "{refused}");
    }
    let _writer = Server::start(folder.path(), "-f raw sample.raw");
    let refused = Destination::new(&folder.path().join("sample.raw"), Format::Raw, true).unwrap_err();
    assert!(matches!(refused, ImageError::InUse { .. }), "{refused}");
}
