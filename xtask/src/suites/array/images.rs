//! QEMU's tools on units of the array, by iscsi://: images are brought there and back, and are the same.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::serving::Array;
use crate::built;
use crate::ground::succeeds;
use crate::suites::machine::Machines;

const SIZE: u64 = 96 << 20;
/// What is written of the image: so many pieces with holes between them, of so many words of twelve bytes.
const PIECES: u64 = 96;
const PIECE: u64 = 25_000;

pub fn run() -> Result<String, String> {
    let machines = Machines::unpacked()?;
    let (program, folder) = (built::program()?, built::folder("images")?);
    let path = |name: &str| folder.join(name).display().to_string();
    let image = path("image.raw");
    write_image(&folder.join("image.raw")).map_err(|error| format!("{image}: {error}"))?;
    let units = [
        format!("0={},size={SIZE},thin", path("thin.img")),
        format!("1={},size={SIZE},thin,block=4096", path("blocks.img")),
        format!("2={},size={SIZE}", path("thick.img")),
    ];
    let array = Array::start(
        &program,
        &folder.join("api"),
        &["--lun", &units[0], "--lun", &units[1], "--lun", &units[2]],
    )?;
    let tool = |arguments: &[&str]| succeeds(machines.program("qemu-img").args(arguments));
    for unit in 0..3 {
        let (there, other) = (array.url(0, unit), array.url(1, unit));
        tool(&["convert", "-n", "-f", "raw", "-O", "raw", &image, &there])?;
        // By the other portal, which has a session of its own.
        tool(&["compare", "-f", "raw", "-F", "raw", &image, &other])?;
        let back = path(&format!("back{unit}.qcow2"));
        tool(&["convert", "-f", "raw", "-O", "qcow2", &other, &back])?;
        tool(&["compare", "-f", "raw", "-F", "qcow2", &image, &back])?;
        let info = tool(&["info", "-f", "raw", &there])?;
        if !info.contains(&format!("({SIZE} bytes)")) {
            return Err(format!("unit {unit}: qemu-img info says:\n{info}"));
        }
        println!("images: unit {unit} has the image, and gives it back");
    }
    is_thin(&folder.join("thin.img"))?;
    // From unit to unit, and much at once.
    tool(&["convert", "-n", "-f", "raw", "-O", "raw", &array.url(0, 1), &array.url(0, 2)])?;
    tool(&["compare", "-f", "raw", "-F", "raw", &array.url(1, 2), &image])?;
    tool(&["bench", "-f", "raw", "-c", "20000", "-d", "32", "-s", "4k", &array.url(0, 2)])?;
    let write = ["bench", "-w", "-f", "raw", "-c", "20000", "-d", "32", "-s", "4k", "--flush-interval=1000"];
    tool(&[&write[..], &["--pattern=90", &array.url(0, 2)]].concat())?;
    let written = fs::read(folder.join("thick.img")).map_err(|error| format!("the unit's file: {error}"))?;
    if written[..20_000 * 4096].iter().any(|byte| *byte != 90) {
        return Err("qemu-img bench wrote, and the unit's file has something else".to_owned());
    }
    drop(array);
    fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok("qemu-img convert, compare, info and bench on three units by iscsi://".to_owned())
}

fn write_image(path: &Path) -> std::io::Result<()> {
    let file = File::create(path)?;
    file.set_len(SIZE)?;
    for number in 0..PIECES {
        // Different everywhere, and it begins and ends within a block.
        let piece: String = (0..PIECE).map(|word| format!("{number:4}:{word:6} ")).collect();
        file.write_all_at(piece.as_bytes(), (SIZE / PIECES) * number + 777)?;
    }
    Ok(())
}

/// What the image has none of is not stored: its zeros went as unmaps.
fn is_thin(file: &Path) -> Result<(), String> {
    let stored = fs::metadata(file).map_err(|error| format!("{}: {error}", file.display()))?.blocks() * 512;
    if stored > SIZE / 2 {
        return Err(format!("{}: {stored} bytes are stored of an image with far less", file.display()));
    }
    Ok(())
}
