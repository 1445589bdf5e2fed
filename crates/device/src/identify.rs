//! What is on a device already: what `format` must not overwrite unasked, recognised by its magic bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

use crate::marks::{LAST_MARKS, MARKS};

/// Bytes from the start that are looked at: the last marks lie in the sector at 2 MiB (VMFS, bcachefs).
const HEAD: usize = (2 << 20) + 512;

/// Bytes before the end that are looked at: the third of zfs's labels begins 768 KiB before it at most.
const TAIL: usize = 768 << 10;

/// Bytes from the start of a plain file that are searched for data: all that a format writes before the shadow, which ends
/// at 77 MiB with the most slots, the most locks and blocks of 4,096 bytes.
const SEARCHED: u64 = 128 << 20;

/// As many bytes of them are read at once.
const PIECE: usize = 1 << 20;

/// Something that was found, and the byte where its magic stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Its name for people, as in "an ext4 file system".
    pub what: &'static str,
    /// Where its magic stands, in bytes from the device's start.
    pub at: u64,
}

/// Says what is recognised in the first bytes of a device (`head`), and in its last (`tail`), whose last byte is byte
/// `size - 1`. Both may be the whole device where it is short.
#[must_use]
pub fn recognise(head: &[u8], tail: &[u8], size: u64) -> Option<Recognised> {
    let fixed = MARKS.iter().find(|mark| holds(head, mark.at, mark.bytes));
    fixed
        .map(|mark| Recognised { what: mark.what, at: mark.at as u64 })
        .or_else(|| ext(head))
        .or_else(|| zfs(head, 0))
        .or_else(|| at_the_end(tail, size))
        .or_else(|| master_boot_record(head))
}

fn holds(bytes: &[u8], at: usize, wanted: &[u8]) -> bool {
    bytes.get(at..at + wanted.len()) == Some(wanted)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// The superblock at byte 1,024; the generation is told by its features, as the kernel's own documentation of ext4
/// tells it.
fn ext(head: &[u8]) -> Option<Recognised> {
    const SUPERBLOCK: usize = 1024;
    const MAGIC: usize = SUPERBLOCK + 0x38;
    const HAS_JOURNAL: u32 = 0x4;
    const EXTENTS_TO_FLEX_BG: u32 = 0x40 | 0x80 | 0x200;
    if !holds(head, MAGIC, &0xef53_u16.to_le_bytes()) {
        return None;
    }
    let compatible = u32_at(head, SUPERBLOCK + 0x5c)?;
    let incompatible = u32_at(head, SUPERBLOCK + 0x60)?;
    let what = if incompatible & EXTENTS_TO_FLEX_BG != 0 {
        "an ext4 file system"
    } else if compatible & HAS_JOURNAL != 0 {
        "an ext3 file system"
    } else {
        "an ext2 file system"
    };
    Some(Recognised { what, at: MAGIC as u64 })
}

/// An uberblock in the ring of a label that begins at byte `label`: 128 KiB from 128 KiB on, in either byte order.
fn zfs(bytes: &[u8], label: usize) -> Option<Recognised> {
    const MAGIC: u64 = 0x00ba_b10c;
    let slots = (label + (128 << 10)..label + (256 << 10)).step_by(1024);
    let mut found =
        slots.filter(|&at| holds(bytes, at, &MAGIC.to_le_bytes()) || holds(bytes, at, &MAGIC.to_be_bytes()));
    found.next().map(|at| Recognised { what: "a zfs member", at: at as u64 })
}

/// What keeps its mark at the end: GPT's second table, md's older superblocks, DRBD, raid adapters, zfs's last labels.
fn at_the_end(tail: &[u8], size: u64) -> Option<Recognised> {
    let start = size.checked_sub(tail.len() as u64)?;
    let mut marks = LAST_MARKS.iter().filter_map(|mark| {
        let at = (size - size % mark.align).checked_sub(mark.before)? + mark.within;
        let within = usize::try_from(at.checked_sub(start)?).ok()?;
        holds(tail, within, mark.bytes).then_some(Recognised { what: mark.what, at })
    });
    marks.next().or_else(|| zfs_at_the_end(tail, size, start))
}

/// The third and the fourth label: the last two whole pieces of 256 KiB.
fn zfs_at_the_end(tail: &[u8], size: u64, start: u64) -> Option<Recognised> {
    const LABEL: u64 = 256 << 10;
    let end = size - size % LABEL;
    [2, 1].into_iter().find_map(|back| {
        let label = end.checked_sub(back * LABEL)?.checked_sub(start)?;
        let found = zfs(tail, usize::try_from(label).ok()?)?;
        Some(Recognised { at: found.at + start, ..found })
    })
}

/// A signature alone is boot code of any kind; a table has at least one partition of a type, with a length, and
/// nothing but 00h and 80h as boot flags.
fn master_boot_record(head: &[u8]) -> Option<Recognised> {
    if !holds(head, 510, &[0x55, 0xaa]) {
        return None;
    }
    let table = head.get(446..510)?;
    let sound = table.chunks(16).all(|entry| entry[0] & 0x7f == 0);
    let used = table.chunks(16).any(|entry| entry[4] != 0 && entry[12..16] != [0; 4]);
    (sound && used).then_some(Recognised { what: "an MBR partition table", at: 510 })
}

/// Reads a file's or block device's ends, and says what is recognised there.
///
/// # Errors
/// Where it is neither, or cannot be opened or read.
pub fn what_is_on(path: &Path) -> io::Result<Option<Recognised>> {
    // Asked before it is opened: to open a fifo would wait for its writer.
    let kind = std::fs::metadata(path)?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a plain file nor a block device"));
    }
    let mut file = File::open(path)?;
    let size = io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
    let head = read_part(&file, 0, size.min(HEAD as u64))?;
    let tail_length = size.min(TAIL as u64);
    let tail = read_part(&file, size - tail_length, tail_length)?;
    Ok(recognise(&head, &tail, size))
}

/// The first byte of a plain file that is not zero, within its first 128 MiB and its last MiB; holes are passed over. None of a block
/// device: what an array left on a LUN is no file that somebody keeps.
///
/// # Errors
/// Where it cannot be opened or read.
pub fn first_data_in_file(path: &Path) -> io::Result<Option<u64>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let at_the_start = first_data(&file, 0, size.min(SEARCHED))?;
    // The superblock's shadow is written there.
    at_the_start.map_or_else(|| first_data(&file, size.saturating_sub(PIECE as u64), size), |at| Ok(Some(at)))
}

fn first_data(file: &File, from: u64, end: u64) -> io::Result<Option<u64>> {
    let mut buffer = vec![0; PIECE];
    let mut at = from;
    while at < end {
        // A file system that knows no holes says that all is data; past the last data there is none.
        match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => at = data,
            Err(rustix::io::Errno::NXIO) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let length = usize::try_from(end.saturating_sub(at)).map_or(PIECE, |left| left.min(PIECE));
        file.read_exact_at(&mut buffer[..length], at)?;
        if let Some(offset) = buffer[..length].iter().position(|&byte| byte != 0) {
            return Ok(Some(at + offset as u64));
        }
        at += length as u64;
    }
    Ok(None)
}

fn read_part(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 4 << 20;

    /// What is seen of a device of [`SIZE`] zeros with `bytes` at `at`.
    fn seen(parts: &[(usize, &[u8])]) -> Option<Recognised> {
        let mut device = vec![0; usize::try_from(SIZE).unwrap()];
        for (at, bytes) in parts {
            device[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        recognise(&device[..HEAD], &device[device.len() - TAIL..], SIZE)
    }

    fn what(parts: &[(usize, &[u8])]) -> &'static str {
        seen(parts).unwrap().what
    }

    #[test]
    fn zeros_are_nothing() {
        assert_eq!(seen(&[]), None);
        assert_eq!(recognise(&[], &[], 0), None);
    }

    /// Marks as the tools wrote them and the documents say them: place, bytes, name, source.
    const SAID: &str = include_str!("../../../testdata/marks/marks.txt");

    struct Said {
        at: usize,
        bytes: Vec<u8>,
        what: &'static str,
    }

    fn said() -> Vec<Said> {
        SAID.lines().filter(|line| !line.starts_with('#')).map(said_by).collect()
    }

    fn said_by(line: &'static str) -> Said {
        let parts: Vec<&str> = line.split(" | ").collect();
        let at: i64 = parts[0].parse().unwrap();
        let from = if at < 0 { i64::try_from(SIZE).unwrap() } else { 0 };
        let digits = (0..parts[1].len()).step_by(2);
        let bytes =
            digits.map(|digit| u8::from_str_radix(&parts[1][digit..digit + 2], 16).unwrap()).collect();
        Said { at: usize::try_from(from + at).unwrap(), bytes, what: parts[2] }
    }

    #[test]
    fn every_mark_that_tools_write_and_documents_say_is_found_where_it_stands() {
        for Said { at, bytes, what } in said() {
            let found = seen(&[(at, &bytes)]);
            assert_eq!(found, Some(Recognised { what, at: at as u64 }), "{bytes:x?} at {at}");
        }
    }

    /// A row that nobody says could name bytes that nobody writes, as the one of sanlock did.
    #[test]
    fn every_row_of_the_table_is_a_mark_that_a_tool_or_a_document_says() {
        let said = said();
        let holds = |at: usize, bytes: &[u8], what: &str| {
            said.iter().any(|said| said.at == at && said.bytes.starts_with(bytes) && said.what == what)
        };
        for mark in MARKS {
            assert!(holds(mark.at, mark.bytes, mark.what), "{} at {}", mark.what, mark.at);
        }
        for mark in LAST_MARKS {
            let at = usize::try_from(SIZE - mark.before + mark.within).unwrap();
            assert!(holds(at, mark.bytes, mark.what), "{} at {at}", mark.what);
        }
    }

    #[test]
    fn the_generations_of_ext_are_told_by_their_features() {
        let magic: (usize, &[u8]) = (1080, &[0x53, 0xef]);
        assert_eq!(what(&[magic]), "an ext2 file system");
        assert_eq!(what(&[magic, (1024 + 0x5c, &[4])]), "an ext3 file system");
        assert_eq!(what(&[magic, (1024 + 0x5c, &[4]), (1024 + 0x60, &[0x42])]), "an ext4 file system");
    }

    /// The size of a plain file is no multiple of anything; what aligns its last record aligns the size down first.
    #[test]
    fn what_stands_at_the_end_is_found_where_its_size_is_rounded_down_to() {
        let size = usize::try_from(SIZE).unwrap() + 512 * 5;
        let md = 0xa92b_4efc_u32.to_le_bytes();
        for (at, bytes, what) in [
            (SIZE - 0x1_0000, md.as_slice(), "an md raid member (0.90)"),
            (SIZE - 8192, &md, "an md raid member (1.0)"),
            (SIZE - 4096 + 60, b"\x83\x74\x02\x6d", "a DRBD member"),
            (SIZE - (256 << 10) + (200 << 10), &0x00ba_b10c_u64.to_le_bytes(), "a zfs member"),
            (SIZE - (512 << 10) + (128 << 10), &0x00ba_b10c_u64.to_be_bytes(), "a zfs member"),
        ] {
            let mut device = vec![0; size];
            let place = usize::try_from(at).unwrap();
            device[place..place + bytes.len()].copy_from_slice(bytes);
            let found = recognise(&device[..HEAD], &device[size - TAIL..], size as u64);
            assert_eq!(found, Some(Recognised { what, at }));
        }
    }

    #[test]
    fn a_boot_signature_is_a_partition_table_only_with_a_partition() {
        let signature: (usize, &[u8]) = (510, &[0x55, 0xaa]);
        assert_eq!(seen(&[signature]), None);
        let partition: [u8; 16] = [0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 16, 0, 0];
        assert_eq!(what(&[signature, (446, &partition)]), "an MBR partition table");
    }

    #[test]
    fn a_zfs_label_is_found_in_either_byte_order() {
        assert_eq!(what(&[((128 << 10) + 3072, &0x00ba_b10c_u64.to_be_bytes())]), "a zfs member");
        assert_eq!(what(&[(255 << 10, &0x00ba_b10c_u64.to_le_bytes())]), "a zfs member");
    }

    #[test]
    fn bytes_of_any_length_panic_nowhere() {
        let bytes = vec![0xff; HEAD];
        for length in (0..2000).chain([TAIL - 1, TAIL, HEAD - 1, HEAD]) {
            let _ = recognise(&bytes[..length], &bytes[..length.min(TAIL)], length as u64);
            let _ = recognise(&bytes[..length], &bytes[..length.min(TAIL)], 0);
        }
    }
}
