//! Images that are damaged, or were made to hurt: each ends in words, and none in a panic.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use oarlock_image::qcow2::{Qcow2Fault, Qcow2Reader};
use oarlock_image::{ImageError, Source, Unwatched};
use proptest::prelude::*;
use tempfile::tempdir;

use crate::world::{qemu, qemu_img, sample};

/// Reads all of an image: its survey, its extents, its data.
fn read_all(bytes: &[u8]) -> Result<u64, Qcow2Fault> {
    let mut image = Qcow2Reader::open(bytes)?;
    let (size, mut place, mut data) = (image.header().size_bytes, 0, 0);
    let mut buffer = vec![0; 64 << 10];
    // Sizes that hostile headers claim are walked for a while.
    for _ in 0..5000 {
        if place >= size {
            break;
        }
        let extent = image.extent_at(place)?;
        assert!(extent.offset == place && extent.length > 0 && extent.end() <= size, "{extent:?} of {size}");
        if !extent.content.is_zero() {
            let length = usize::try_from(extent.length).unwrap_or(usize::MAX).min(buffer.len());
            image.read_at(place, &mut buffer[..length])?;
            data += extent.length;
        }
        place = extent.end();
    }
    Ok(data)
}

/// Images of QEMU's to be damaged, small ones, each with data, holes and compressed clusters somewhere.
fn sound(folder: &Path) -> Vec<Vec<u8>> {
    sample(folder);
    let options =
        ["-o compat=0.10", "-o extended_l2=on", "-c", "-c -o compression_type=zstd,cluster_size=16k"];
    let made = options.map(|options| {
        qemu_img(folder, &format!("convert -f raw -O qcow2 {options} sample.raw image.qcow2"));
        std::fs::read(folder.join("image.qcow2")).unwrap()
    });
    made.into()
}

/// What opening and surveying a file says that begins as `image` does and is changed.
fn changed(folder: &Path, image: &[u8], change: impl FnOnce(&File)) -> Result<(), ImageError> {
    let path = folder.join("changed.qcow2");
    std::fs::write(&path, image).unwrap();
    change(&File::options().write(true).open(&path).unwrap());
    Source::open(&path, None)?.survey(&Unwatched).map(|_| ())
}

fn put(offset: u64, bytes: &[u8]) -> impl FnOnce(&File) {
    move |file| file.write_all_at(bytes, offset).unwrap()
}

/// Asserts which fault a change leads to.
macro_rules! assert_fault {
    ($result:expr, $fault:pat) => {
        match $result {
            Err(ImageError::Qcow2 { source: $fault, .. }) => {}
            other => panic!("{}: {other:?}", stringify!($fault)),
        }
    };
}

#[test]
fn what_a_header_says_that_is_not_done_is_refused_in_words() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let folder = folder.path();
    qemu_img(folder, "create -f qcow2 image.qcow2 64M");
    let image = std::fs::read(folder.join("image.qcow2")).unwrap();
    let made = |change: Box<dyn FnOnce(&File)>| changed(folder, &image, change);
    assert!(made(Box::new(|_| ())).is_ok());
    assert_fault!(made(Box::new(put(4, &[0, 0, 0, 4]))), Qcow2Fault::Version { version: 4 });
    assert_fault!(made(Box::new(put(20, &[0, 0, 0, 8]))), Qcow2Fault::Field { field: "cluster_bits", .. });
    assert_fault!(made(Box::new(put(20, &[0, 0, 0, 22]))), Qcow2Fault::Field { field: "cluster_bits", .. });
    assert_fault!(made(Box::new(put(20, &[255; 4]))), Qcow2Fault::Field { field: "cluster_bits", .. });
    assert_fault!(made(Box::new(put(24, &[255; 8]))), Qcow2Fault::Field { field: "size", .. });
    assert_fault!(made(Box::new(put(24, &[0, 1]))), Qcow2Fault::ShortTable { .. });
    assert_fault!(made(Box::new(put(32, &[0, 0, 0, 1]))), Qcow2Fault::Encrypted { method: 1 });
    assert_fault!(made(Box::new(put(36, &[255; 4]))), Qcow2Fault::Field { field: "l1_size", .. });
    assert_fault!(made(Box::new(put(36, &[0, 0x40, 0, 0]))), Qcow2Fault::Place { .. });
    assert_fault!(made(Box::new(put(40, &[255; 8]))), Qcow2Fault::Place { .. });
    assert_fault!(made(Box::new(put(47, &[8]))), Qcow2Fault::Place { .. });
    assert_fault!(made(Box::new(put(79, &[2]))), Qcow2Fault::MarkedCorrupt);
    assert_fault!(made(Box::new(put(79, &[4]))), Qcow2Fault::ExternalData);
    assert_fault!(made(Box::new(put(79, &[8]))), Qcow2Fault::CompressionType { kind: 0 });
    assert_fault!(made(Box::new(put(104, &[1]))), Qcow2Fault::CompressionType { kind: 1 });
    assert_fault!(made(Box::new(put(78, &[0x80, 0x20]))), Qcow2Fault::Features { bits: 0x8020 });
    assert_fault!(made(Box::new(put(100, &[0, 0, 0, 96]))), Qcow2Fault::Field { field: "header_length", .. });
    assert_fault!(made(Box::new(put(100, &[255; 4]))), Qcow2Fault::Field { field: "header_length", .. });
    // A qcow2 header and nothing else.
    assert_fault!(made(Box::new(|file| file.set_len(8).unwrap())), Qcow2Fault::NotQcow2);
    assert_fault!(made(Box::new(|file| file.set_len(104).unwrap())), Qcow2Fault::Place { .. });
}

#[test]
fn images_that_need_another_file_or_a_key_are_refused_and_the_file_is_named() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    let opened = |line: &str| {
        qemu_img(folder, line);
        Source::open(&folder.join("image.qcow2"), None)
    };
    let over = opened("create -f qcow2 -b sample.raw -F raw image.qcow2");
    let said = over.unwrap_err();
    assert!(said.to_string().ends_with("it is a layer over another image, `sample.raw`"), "{said}");
    assert!(said.advice().contains("qemu-img convert"), "{}", said.advice());
    let secret = "--object secret,id=key,data=password -o encrypt.format=luks,encrypt.key-secret=key";
    let encrypted = opened(&format!("create -f qcow2 {secret} image.qcow2 4M"));
    assert_fault!(encrypted.map(|_| ()), Qcow2Fault::Encrypted { method: 2 });
    let external = opened("create -f qcow2 -o data_file=data.raw image.qcow2 4M");
    assert_fault!(external.map(|_| ()), Qcow2Fault::ExternalData);
}

#[test]
fn containers_of_other_formats_are_no_raw_disks() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    for format in ["vmdk", "vdi", "vhdx", "vpc", "qed", "qcow", "parallels"] {
        qemu_img(folder.path(), &format!("create -f {format} image 8M"));
        let path = folder.path().join("image");
        let refused = Source::open(&path, None).unwrap_err();
        assert!(matches!(refused, ImageError::Foreign { .. }), "{format}: {refused}");
        // Whoever says that it is raw is believed.
        Source::open(&path, Some(oarlock_image::Format::Raw)).unwrap();
    }
}

#[test]
fn tables_that_point_out_of_the_file_into_each_other_or_twice_are_damage() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let folder = folder.path();
    sample(folder);
    qemu_img(folder, "convert -f raw -O qcow2 sample.raw image.qcow2");
    let image = std::fs::read(folder.join("image.qcow2")).unwrap();
    let word = |at: usize| u64::from_be_bytes(image[at..at + 8].try_into().unwrap());
    let first_level = word(40);
    let second_level = word(usize::try_from(first_level).unwrap()) & 0x00ff_ffff_ffff_fe00;
    let length = image.len() as u64;
    for outside in [length.next_multiple_of(65_536), 1 << 55, second_level + 512] {
        let entry = outside.to_be_bytes();
        assert_fault!(changed(folder, &image, put(first_level, &entry)), Qcow2Fault::Place { .. });
        assert_fault!(changed(folder, &image, put(second_level, &entry)), Qcow2Fault::Place { .. });
    }
    let beyond = (1 << 62 | length).to_be_bytes();
    assert_fault!(changed(folder, &image, put(second_level, &beyond)), Qcow2Fault::Place { .. });
    // A table whose every entry names itself.
    let own = (1 << 63 | second_level).to_be_bytes().repeat(8192);
    assert_fault!(changed(folder, &image, put(second_level, &own)), Qcow2Fault::Overlap { .. });
    // A disk of 2^46 bytes, all of whose tables are one.
    let loops = |file: &File| {
        file.write_all_at(&(1_u64 << 46).to_be_bytes(), 24).unwrap();
        file.write_all_at(&(1_u32 << 17).to_be_bytes(), 36).unwrap();
        file.write_all_at(&length.next_multiple_of(65_536).to_be_bytes(), 40).unwrap();
        let table = (1 << 63 | second_level).to_be_bytes().repeat(1 << 17);
        file.write_all_at(&table, length.next_multiple_of(65_536)).unwrap();
    };
    assert_fault!(changed(folder, &image, loops), Qcow2Fault::Overlap { .. });
}

#[test]
fn an_image_that_is_cut_anywhere_is_an_error_or_reads_as_before() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    for image in sound(folder.path()) {
        let whole = read_all(&image).unwrap();
        let mut refused = 0;
        for length in (0..image.len()).step_by(4096 + 17) {
            match read_all(&image[..length]) {
                Ok(data) => assert_eq!(data, whole, "cut at {length}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 3, "{refused}");
    }
}

#[test]
fn bytes_that_are_changed_at_random_make_no_image_panic() {
    if !qemu() {
        return;
    }
    let folder = tempdir().unwrap();
    let images = sound(folder.path());
    let cases = ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() };
    // Most changes hit the header and the tables, which stand in the first clusters.
    let changes = prop::collection::vec((0..0x6_0000_usize, any::<u8>()), 1..6);
    proptest!(cases, |(number in 0..images.len(), changes in changes, header in any::<bool>())| {
        let mut image = images[number].clone();
        for (at, byte) in changes {
            let at = if header { at % 112 } else { at % image.len() };
            image[at] = byte;
        }
        let _ = read_all(&image);
    });
}
