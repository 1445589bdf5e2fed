//! Images of every kind that QEMU's tools make, imported through QEMU's server and compared by QEMU.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oarlock_image::{Format, ImageError, Imported, Source, Unwatched, disk_size, import};
use tempfile::tempdir;

use crate::world::{GIB, KIB, Keeper, MIB, RANGES, Server, pattern, qemu, qemu_img, raw, run, sample, taken};

/// Imports an image onto a new disk, compares both, and gives what was done and what room the disk took.
fn copied(folder: &Path, image: &str, format: Format) -> (Imported, u64) {
    let mut source = Source::open(&folder.join(image), None).unwrap();
    assert_eq!(source.format(), format, "{image}");
    let size = disk_size(source.size_bytes(), 512);
    let disk = raw(folder, "disk.raw", size, &[]);
    let server = Server::start(folder, "-f raw disk.raw");
    let mut keeper = Keeper::new();
    let done = import(&mut source, &server.address, &mut keeper)
        .unwrap_or_else(|error| panic!("{image}: {error}: {error:?}"));
    drop(server);
    if let Some(last) = keeper.told.last() {
        assert!(last.done_bytes <= last.total_bytes);
    }
    qemu_img(folder, &format!("compare -f {format} -F raw {image} disk.raw"));
    (done, taken(&disk))
}

#[test]
fn a_sparse_raw_image_stays_sparse() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    let (done, room) = copied(folder.path(), "sample.raw", Format::Raw);
    assert!(room <= taken(&image) + 512 * KIB, "{room} bytes, {} in the image", taken(&image));
    let data: u64 = RANGES.iter().map(|range| range.1).sum();
    assert!(done.written_bytes < data + 5 * 2 * 64 * KIB, "{done:?}");
    assert_eq!(done.zeroed_bytes, 0, "a blank disk is not zeroed again");
    assert_eq!(done.written_bytes + done.skipped_bytes, 24 * MIB);
    assert!(done.requests < 40, "{done:?}");
}

#[test]
fn qcow2_of_every_version_cluster_and_compression_is_read() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    for options in [
        "-o compat=0.10",
        "-o compat=1.1",
        "-o cluster_size=512",
        "-o cluster_size=2M",
        "-o extended_l2=on",
        "-o extended_l2=on,cluster_size=16k",
        "-c -o compat=0.10",
        "-c -o cluster_size=512",
        "-c -o cluster_size=2M",
        "-c -o extended_l2=on",
        "-c -o compression_type=zstd",
        "-c -o compression_type=zstd,cluster_size=4k",
        "-c -o compression_type=zstd,cluster_size=2M",
        "-o preallocation=metadata",
        "-o preallocation=falloc",
        "-o preallocation=full",
    ] {
        qemu_img(folder.path(), &format!("convert -f raw -O qcow2 {options} sample.raw image.qcow2"));
        let (done, room) = copied(folder.path(), "image.qcow2", Format::Qcow2);
        assert!(done.written_bytes <= 6 * MIB && room <= 6 * MIB, "{options}: {done:?}, {room} bytes");
    }
}

#[test]
fn zeros_discards_parts_and_snapshots_are_what_qemu_reads() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    for options in ["compat=0.10", "compat=1.1", "extended_l2=on", "lazy_refcounts=on"] {
        qemu_img(folder.path(), &format!("create -f qcow2 -o {options} image.qcow2 40M"));
        let io = |commands: &[&str]| {
            let mut words = vec!["-f", "qcow2", "-d", "unmap"];
            commands.iter().for_each(|command| words.extend(["-c", command]));
            words.push("image.qcow2");
            run(folder.path(), "qemu-io", &words);
        };
        io(&["write -P 1 0 3M", "write -P 2 5M 512", "write -P 3 7000k 4k", "write -P 4 20M 10M"]);
        qemu_img(folder.path(), "snapshot -c before image.qcow2");
        io(&[
            "write -z 1M 64k",
            "write -z 2M 6k",
            "discard 21M 2M",
            "write -P 5 25M 100k",
            "write -z -u 26M 1M",
        ]);
        qemu_img(folder.path(), "snapshot -c between image.qcow2");
        io(&["write -P 6 39M 1M", "write -c -P 7 10M 64k"]);
        copied(folder.path(), "image.qcow2", Format::Qcow2);
        assert_eq!(Source::open(&folder.path().join("image.qcow2"), None).unwrap().snapshots(), 2);
    }
}

#[test]
fn an_image_that_was_not_closed_is_read() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    qemu_img(folder.path(), "convert -f raw -O qcow2 -o lazy_refcounts=on sample.raw image.qcow2");
    let image = OpenOptions::new().write(true).open(folder.path().join("image.qcow2")).unwrap();
    // The lowest incompatible feature: dirty.
    image.write_all_at(&[1], 79).unwrap();
    copied(folder.path(), "image.qcow2", Format::Qcow2);
}

#[test]
fn an_image_of_any_length_fits_a_disk_of_whole_blocks() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    for size in [0, 1, 511, 512, 513, MIB + 1, 1_234_567, 3 * MIB + 70_001] {
        let data = pattern(size, size.min(5000));
        std::fs::write(folder.path().join("odd.raw"), &data).unwrap();
        let file = OpenOptions::new().write(true).open(folder.path().join("odd.raw")).unwrap();
        file.set_len(size).unwrap();
        file.write_all_at(&data[..data.len().min(3)], size - size.min(3)).unwrap();
        copied(folder.path(), "odd.raw", Format::Raw);
        qemu_img(folder.path(), "convert -f raw -O qcow2 odd.raw odd.qcow2");
        copied(folder.path(), "odd.qcow2", Format::Qcow2);
    }
}

#[test]
fn a_terabyte_of_nothing_costs_next_to_nothing() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    raw(folder.path(), "big.raw", 1024 * GIB, &[(3, 5), (700 * GIB + 77, MIB), (1024 * GIB - 9, 9)]);
    qemu_img(folder.path(), "convert -f raw -O qcow2 big.raw big.qcow2");
    for (image, format) in [("big.raw", Format::Raw), ("big.qcow2", Format::Qcow2)] {
        let (done, room) = copied(folder.path(), image, format);
        assert!(done.written_bytes <= 2 * MIB && done.requests < 20, "{done:?}");
        assert!(room < 2 * MIB, "{room}");
    }
}

#[test]
fn zeros_are_written_where_the_disk_had_something() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    let disk = raw(folder.path(), "disk.raw", 24 * MIB, &[(0, 24 * MIB)]);
    let mut source = Source::open(&image, None).unwrap();
    let server = Server::start(folder.path(), "-f raw disk.raw");
    let done = import(&mut source, &server.address, &mut Unwatched).unwrap();
    drop(server);
    qemu_img(folder.path(), "compare -f raw -F raw sample.raw disk.raw");
    assert_eq!(done.written_bytes + done.zeroed_bytes, 24 * MIB);
    assert_eq!(done.skipped_bytes, 0);
    assert!(taken(&disk) < 8 * MIB, "zeroed ranges gave their room back: {}", taken(&disk));
}

#[test]
fn disks_with_large_blocks_get_whole_ones() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    // Clusters of 512 bytes make extents that begin and end within blocks of 4,096.
    let ranges: Vec<(u64, u64)> = (0..200).map(|step| (step * 5 * 512, 512)).collect();
    raw(folder.path(), "fine.raw", MIB, &ranges);
    qemu_img(folder.path(), "convert -f raw -O qcow2 -o cluster_size=512 -S 512 fine.raw fine.qcow2");
    raw(folder.path(), "disk.raw", MIB, &[]);
    let blocks = "--image-opts driver=blkdebug,align=4096,image.driver=file,image.filename=disk.raw";
    let server = Server::start(folder.path(), blocks);
    let mut source = Source::open(&folder.path().join("fine.qcow2"), None).unwrap();
    import(&mut source, &server.address, &mut Unwatched).unwrap();
    drop(server);
    qemu_img(folder.path(), "compare -f qcow2 -F raw fine.qcow2 disk.raw");
}

#[test]
fn what_qemu_has_open_to_write_is_not_copied() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    sample(folder.path());
    qemu_img(folder.path(), "convert -f raw -O qcow2 sample.raw image.qcow2");
    let writer = Server::start(folder.path(), "-f qcow2 image.qcow2");
    let path = folder.path().join("image.qcow2");
    let refused = Source::open(&path, None).unwrap_err();
    assert!(matches!(refused, ImageError::InUse { .. }), "{refused}");
    drop(writer);
    let reader = Server::start(folder.path(), "--read-only -f qcow2 image.qcow2");
    Source::open(&path, None).unwrap();
    drop(reader);
}

#[test]
fn a_disk_of_another_size_or_read_only_is_refused_before_anything_is_written() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let image = sample(folder.path());
    for size in [24 * MIB - 512, 24 * MIB + 4096, 0] {
        raw(folder.path(), "disk.raw", size, &[]);
        let server = Server::start(folder.path(), "-f raw disk.raw");
        let mut source = Source::open(&image, None).unwrap();
        let refused = import(&mut source, &server.address, &mut Unwatched).unwrap_err();
        assert!(matches!(refused, ImageError::SizeDiffers { .. }), "{size}: {refused}");
    }
    let disk = raw(folder.path(), "disk.raw", 24 * MIB, &[]);
    let server = Server::start(folder.path(), "--read-only -f raw disk.raw");
    let mut source = Source::open(&image, None).unwrap();
    let refused = import(&mut source, &server.address, &mut Unwatched).unwrap_err();
    assert!(matches!(refused, ImageError::ReadOnly), "{refused}");
    assert_eq!(taken(&disk), 0);
}
