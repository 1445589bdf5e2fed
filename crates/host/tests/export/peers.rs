//! The clients that people use: QEMU's tools, libnbd's, fio's engine. Each test is skipped, saying so, where its tool is
//! missing; but with `OARLOCK_CI` set it fails.

use std::fs;
use std::process::Command;

use oarlock_host::export::Door;

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
    // Out again, by many requests out of order.
    run("qemu-img", &["convert", "-m", "16", "-W", "-f", "raw", "-O", "raw", &uri, "copy.img"], folder);
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
fn libnbd_gets_every_command_and_flag_it_can_ask_for() {
    const PYTHON: &str = "/usr/bin/python3";
    let has_libnbd =
        |mut python: Command| python.args(["-c", "import nbd"]).status().is_ok_and(|status| status.success());
    if !has_libnbd(Command::new(PYTHON)) {
        return skip("there is no python3 with libnbd here");
    }
    let world = World::empty(64 * MIB);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/export/libnbd.py");
    assert_eq!(run(PYTHON, &[script, &world.uri()], world.folder.path()), "good\n");
    world.wait_until("nothing left", |status| {
        (status.connections, status.requests, status.bytes) == (0, 0, 0)
    });
}

#[test]
fn qemu_img_s_bench_runs_in_the_depth_it_asks_for() {
    if !tools(&["qemu-img"]) {
        return;
    }
    let world = World::with(64 * MIB, Beginning::Full, 64 * MIB / CLUSTER, (false, None));
    let uri = world.uri();
    for flags in [&["-w"][..], &["-w", "--flush-interval=64"], &[]] {
        let bench = ["bench", "-f", "raw", "-c", "2000", "-d", "64", "-s", "4096", "-S", "65536"];
        let said = run("qemu-img", &[&bench[..], flags, &[&uri]].concat(), world.folder.path());
        assert!(said.contains("Run completed"), "{said}");
    }
}

#[test]
fn a_read_only_export_is_read_by_qemu_and_refuses_its_writes() {
    if !tools(&["qemu-io", "nbdinfo"]) {
        return;
    }
    let world = World::with(MIB, Beginning::Full, MIB / CLUSTER, (true, None));
    let (uri, folder) = (world.uri(), world.folder.path());
    run("qemu-io", &["-r", "-f", "raw", "-c", "read -P 0 0 1M", &uri], folder);
    let refused = Command::new("qemu-io").args(["-f", "raw", "-c", "write 0 512", &uri]).output().unwrap();
    let said = [refused.stdout, refused.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("read-only") || !refused.status.success());
    assert!(run("nbdinfo", &["--json", &uri], folder).contains("\"is_read_only\": true"));
}

#[test]
fn one_export_is_served_at_a_socket_and_at_a_port() {
    if !tools(&["nbdcopy", "qemu-img"]) {
        return;
    }
    let size = 64 * MIB;
    let world = World::empty(size);
    let (source, folder) = (image(&world, size), world.folder.path());
    let port = Door::open(&"tcp:127.0.0.1:0".parse().unwrap(), None).unwrap();
    port.offer(world.export()).unwrap();
    let uri = port.uri("disk");
    assert!(uri.starts_with("nbd://127.0.0.1:") && !uri.contains(":0/"), "{uri}");
    run("nbdcopy", &["--connections", "8", &source, &uri], folder);
    run("qemu-img", &["compare", "-f", "raw", "-F", "raw", &uri, &world.uri()], folder);
    run("qemu-img", &["compare", "-f", "raw", "-F", "raw", &uri, &source], folder);
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
