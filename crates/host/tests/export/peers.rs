//! The clients that people use: QEMU's tools, libnbd's, fio's engine. Each test is skipped, saying so, where its tool is
//! missing; but with `OARLOCK_CI` set it fails.

use std::fs;

use crate::memory::{Beginning, CLUSTER};
use crate::world::{MIB, World, pattern, run, skip, tools};

/// A raw image with data, zeros and holes.
fn image(world: &World, size: u64) -> String {
    let path = world.folder.path().join("source.img");
    let file = fs::File::create(&path).unwrap();
    file.set_len(size).unwrap();
    for (seed, (at, length)) in [(0, 70_000), (MIB + 512, 4096), (size / 2, 3 << 20)].into_iter().enumerate()
    {
        std::os::unix::fs::FileExt::write_all_at(&file, &pattern(seed as u64, length), at).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

#[test]
fn qemu_img_copies_an_image_in_and_out_compares_it_and_keeps_it_sparse() {
    if !tools(&["qemu-img"]) {
        return;
    }
    let size = 64 * MIB;
    let world = World::empty(size);
    let (source, uri, folder) = (image(&world, size), world.uri(), world.folder.path());
    run("qemu-img", &["convert", "-n", "-f", "raw", "-O", "raw", &source, &uri], folder);
    run("qemu-img", &["compare", "-f", "raw", "-F", "raw", &source, &uri], folder);
    run("qemu-img", &["convert", "-f", "raw", "-O", "raw", &uri, "copy.img"], folder);
    assert!(fs::read(&source).unwrap() == fs::read(folder.join("copy.img")).unwrap());
    let map = run("qemu-img", &["map", "--output=json", "-f", "raw", &uri], folder);
    assert!(map.contains("\"zero\": true, \"data\": false"), "{map}");
    let mapped = world.disk.supplier.map().mapped() as u64;
    assert!(mapped * CLUSTER < 8 * MIB, "{mapped} clusters are mapped");
}

#[test]
fn qemu_io_s_patterns_come_back() {
    if !tools(&["qemu-io"]) {
        return;
    }
    let world = World::empty(64 * MIB);
    let commands = [
        "write -P 0x11 0 1M",
        "write -P 0x22 512 512",
        "write -z 64k 64k",
        "discard 128k 128k",
        "write -f -P 0x33 300k 10k",
        "read -P 0x11 0 512",
        "read -P 0x22 512 512",
        "read -P 0 64k 64k",
        "read -P 0 128k 128k",
        "read -P 0x33 300k 10k",
        "aio_write -P 0x44 8M 4M",
        "aio_write -P 0x55 16M 4M",
        "aio_flush",
        "flush",
        "read -P 0x44 8M 4M",
        "read -P 0x55 16M 4M",
        "read -P 0 32M 32M",
    ];
    let uri = world.uri();
    let mut arguments = vec!["-f", "raw"];
    commands.iter().for_each(|command| arguments.extend(["-c", command]));
    arguments.push(&uri);
    let said = run("qemu-io", &arguments, world.folder.path());
    assert!(!said.contains("failed") && !said.contains("rror"), "{said}");
}

#[test]
fn nbdinfo_sees_what_is_offered() {
    if !tools(&["nbdinfo"]) {
        return;
    }
    let world = World::empty(64 * MIB);
    let said = run("nbdinfo", &["--json", &world.uri()], world.folder.path());
    for expected in [
        "\"protocol\": \"newstyle-fixed\"",
        "\"structured\": true",
        "\"export-size\": 67108864",
        "\"can_multi_conn\": true",
        "\"can_fua\": true",
        "\"can_fast_zero\": true",
        "\"can_trim\": true",
        "\"can_cache\": true",
        "\"base:allocation\"",
        "\"block_size_minimum\": 512",
        "a disk of a test",
    ] {
        assert!(said.contains(expected), "{expected} is missing in {said}");
    }
    let list = run("nbdinfo", &["--list", "--json", &world.uri()], world.folder.path());
    assert!(list.contains("\"export-name\": \"disk\""), "{list}");
    let map = run("nbdinfo", &["--map", &world.uri()], world.folder.path());
    assert!(map.contains("67108864") && map.contains("hole,zero"), "{map}");
}

#[test]
fn nbdcopy_copies_with_many_connections() {
    if !tools(&["nbdcopy"]) {
        return;
    }
    let size = 64 * MIB;
    let world = World::empty(size);
    let (source, uri, folder) = (image(&world, size), world.uri(), world.folder.path());
    for (connections, requests) in [("1", "1"), ("16", "64")] {
        let many = ["--connections", connections, "--requests", requests, "--threads", "4"];
        run("nbdcopy", &[&many[..], &[&source, &uri]].concat(), folder);
        run("nbdcopy", &[&many[..], &[&uri, "copy.img"]].concat(), folder);
        assert!(fs::read(&source).unwrap() == fs::read(folder.join("copy.img")).unwrap());
    }
    world.wait_until("nothing left", |status| {
        (status.connections, status.requests, status.bytes) == (0, 0, 0)
    });
}

#[test]
fn fio_verifies_what_it_wrote_at_random() {
    if !tools(&["fio"]) {
        return;
    }
    for beginning in [Beginning::Empty, Beginning::Full] {
        let world = World::with(32 * MIB, beginning, 32 * MIB / CLUSTER + 64, (false, None));
        let uri = format!("--uri={}", world.uri());
        let arguments = [
            "--name=v",
            "--ioengine=nbd",
            &uri,
            "--rw=randwrite",
            "--bsrange=512-128k",
            "--bs_unaligned=0",
            "--ba=512",
            "--iodepth=32",
            "--size=32m",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--do_verify=1",
        ];
        // Some builds of fio lack the engine.
        if !run("fio", &["--enghelp"], world.folder.path()).contains("nbd") {
            skip("this fio has no nbd engine");
            return;
        }
        let said = run("fio", &arguments, world.folder.path());
        assert!(!said.contains("verify:"), "{said}");
    }
}
