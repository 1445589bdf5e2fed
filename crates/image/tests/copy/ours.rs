//! Both ways through an export of our own, with its map in memory.

use std::time::Duration;

use oarlock_host::export::{Door, Export, ExportOptions, Place};
use oarlock_image::{Address, Destination, Format, Source, Unwatched, export, import};
use tempfile::tempdir;

use crate::world::{Keeper, MIB, qemu, qemu_img, sample};

#[allow(dead_code, reason = "the host's own tests use more of it")]
#[path = "../../../host/tests/export/memory.rs"]
mod memory;

use memory::{Beginning, CLUSTER, MemoryDisk};

#[test]
fn an_image_goes_through_our_own_export_and_comes_back_equal_and_sparse() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let size = 24 * MIB;
    sample(folder.path());
    let disk = MemoryDisk::open(&folder.path().join("disk.img"), size, Beginning::Empty, size / CLUSTER + 64);
    let served = Export::start(ExportOptions {
        name: "folder/a disk".to_owned(),
        description: String::new(),
        read_only: false,
        path: disk.path.clone(),
        device: disk.device,
        clock: disk.clock,
        hold: memory::LEASE,
    })
    .unwrap();
    let door = Door::open(&Place::Unix(folder.path().join("nbd.sock")), None).unwrap();
    door.offer(&served).unwrap();
    let address = Address::of_uri(&door.uri("folder/a disk")).unwrap();

    qemu_img(folder.path(), "convert -f raw -O qcow2 -c sample.raw image.qcow2");
    let mut source = Source::open(&folder.path().join("image.qcow2"), None).unwrap();
    let mut keeper = Keeper::new();
    let done = import(&mut source, &address, &mut keeper).unwrap();
    assert_eq!(keeper.last().done_bytes, keeper.last().total_bytes);
    assert_eq!(done.zeroed_bytes, 0, "a new disk is blank, and says so");
    let mapped = disk.supplier.map().mapped();
    assert!(
        mapped as u64 * CLUSTER <= done.written_bytes.next_multiple_of(CLUSTER),
        "{mapped} clusters for {done:?}"
    );
    for format in [Format::Raw, Format::Qcow2] {
        let path = folder.path().join(format!("copy.{format}"));
        let destination = Destination::new(&path, format, false).unwrap();
        let done = export(&address, &destination, &mut Unwatched).unwrap();
        assert!(done.read_bytes <= 6 * MIB, "{done:?}");
        qemu_img(folder.path(), &format!("compare -f {format} -F raw copy.{format} sample.raw"));
    }
    qemu_img(folder.path(), "check -f qcow2 copy.qcow2");
    drop(door);
    served.stop(Duration::from_secs(5));
}
