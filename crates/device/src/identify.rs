//! What is on a device already: what `format` must not overwrite unasked, recognised by its magic bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::Path;

/// Bytes from the start that are looked at: the last magic lies at 1 MiB (VMFS).
const HEAD: usize = (1 << 20) + 512;

/// Bytes before the end that are looked at: md's oldest superblock lies 128 KiB before it at most.
const TAIL: usize = 128 << 10;

/// Something that was found, and the byte where its magic stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recognised {
    /// Its name for people, as in "an ext4 file system".
    pub what: &'static str,
    /// Where its magic stands, in bytes from the device's start.
    pub at: u64,
}

/// A magic at a fixed place from the start.
struct Magic {
    at: usize,
    bytes: &'static [u8],
    what: &'static str,
}

const fn magic(at: usize, bytes: &'static [u8], what: &'static str) -> Magic {
    Magic { at, bytes, what }
}

/// In the order of asking: what wraps others, or tells more, comes first.
const MAGICS: [Magic; 31] = [
    magic(0, b"OARLSUPR", "an Oarlock datastore"),
    magic(0, b"LUKS\xba\xbe", "a LUKS container"),
    magic(0x4000, b"SKUL\xba\xbe", "a LUKS2 container (its second header)"),
    magic(24, b"LVM2 001", "an LVM2 physical volume"),
    magic(512 + 24, b"LVM2 001", "an LVM2 physical volume"),
    magic(1024 + 24, b"LVM2 001", "an LVM2 physical volume"),
    magic(1536 + 24, b"LVM2 001", "an LVM2 physical volume"),
    magic(0, b"XFSB", "an xfs file system"),
    magic(65536 + 64, b"_BHRfS_M", "a btrfs file system"),
    magic(0, &0xa92b_4efc_u32.to_le_bytes(), "an md raid member (1.1)"),
    magic(4096, &0xa92b_4efc_u32.to_le_bytes(), "an md raid member (1.2)"),
    magic(4086, b"SWAPSPACE2", "swap space"),
    magic(4086, b"SWAP-SPACE", "swap space"),
    magic(8182, b"SWAPSPACE2", "swap space"),
    magic(16374, b"SWAPSPACE2", "swap space"),
    magic(65526, b"SWAPSPACE2", "swap space"),
    magic(0, b"QFI\xfb", "a qcow2 image"),
    magic(0, b"KDMV", "a VMDK image"),
    magic(0, b"vhdxfile", "a VHDX image"),
    magic(32769, b"CD001", "an ISO 9660 file system"),
    magic(0x10_0000, &0xc001_d00d_u32.to_le_bytes(), "a VMFS volume"),
    magic(65536, &0x0116_1970_u32.to_be_bytes(), "a gfs2 file system"),
    magic(2048, b"OCFSV2", "an ocfs2 file system"),
    magic(1024, &0xf2f5_2010_u32.to_le_bytes(), "an f2fs file system"),
    magic(3, b"NTFS    ", "an NTFS file system"),
    magic(3, b"EXFAT   ", "an exFAT file system"),
    magic(82, b"FAT32   ", "a FAT file system"),
    magic(54, b"FAT1", "a FAT file system"),
    magic(512, b"EFI PART", "a GPT partition table"),
    magic(4096, b"EFI PART", "a GPT partition table"),
    magic(0, b"__LSLM__", "a sanlock lockspace"),
];

/// Says what is recognised in the first bytes of a device (`head`), and in its last (`tail`), whose last byte is byte
/// `size - 1`. Both may be the whole device where it is short.
#[must_use]
pub fn recognise(head: &[u8], tail: &[u8], size: u64) -> Option<Recognised> {
    let fixed = MAGICS.iter().find(|magic| holds(head, magic.at, magic.bytes));
    fixed
        .map(|magic| Recognised { what: magic.what, at: magic.at as u64 })
        .or_else(|| ext(head))
        .or_else(|| zfs(head))
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

/// An uberblock in the first label's ring, 128 KiB from 128 KiB on, in either byte order.
fn zfs(head: &[u8]) -> Option<Recognised> {
    const MAGIC: u64 = 0x00ba_b10c;
    let slots = (128 << 10..256 << 10).step_by(1024);
    let mut found =
        slots.filter(|&at| holds(head, at, &MAGIC.to_le_bytes()) || holds(head, at, &MAGIC.to_be_bytes()));
    found.next().map(|at| Recognised { what: "a zfs member", at: at as u64 })
}

/// What keeps its magic at the end: GPT's second table, md's superblocks of the formats 0.90 and 1.0.
fn at_the_end(tail: &[u8], size: u64) -> Option<Recognised> {
    const MD: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
    const GPT: &[u8] = b"EFI PART";
    let start = size.checked_sub(tail.len() as u64)?;
    let places = [
        (size.checked_sub(512), GPT, "a GPT partition table (its second copy)"),
        (size.checked_sub(4096), GPT, "a GPT partition table (its second copy)"),
        // Aligned down to 64 KiB, then 64 KiB further down; aligned down to 4 KiB after 8 KiB were taken off.
        ((size & !0xffff).checked_sub(0x1_0000), &MD, "an md raid member (0.90)"),
        (size.checked_sub(8192).map(|at| at & !0xfff), &MD, "an md raid member (1.0)"),
    ];
    places.into_iter().find_map(|(at, bytes, what)| {
        let at = at?;
        let within = usize::try_from(at.checked_sub(start)?).ok()?;
        holds(tail, within, bytes).then_some(Recognised { what, at })
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

    #[test]
    fn every_magic_is_found_where_it_stands() {
        for magic in &MAGICS {
            let found = seen(&[(magic.at, magic.bytes)]).unwrap();
            assert_eq!((found.what, found.at), (magic.what, magic.at as u64));
        }
    }

    #[test]
    fn the_generations_of_ext_are_told_by_their_features() {
        let magic: (usize, &[u8]) = (1080, &[0x53, 0xef]);
        assert_eq!(what(&[magic]), "an ext2 file system");
        assert_eq!(what(&[magic, (1024 + 0x5c, &[4])]), "an ext3 file system");
        assert_eq!(what(&[magic, (1024 + 0x5c, &[4]), (1024 + 0x60, &[0x42])]), "an ext4 file system");
    }

    #[test]
    fn what_stands_at_the_end_is_found() {
        let size = usize::try_from(SIZE).unwrap();
        assert_eq!(what(&[(size - 512, b"EFI PART")]), "a GPT partition table (its second copy)");
        assert_eq!(what(&[(size - 4096, b"EFI PART")]), "a GPT partition table (its second copy)");
        let md = 0xa92b_4efc_u32.to_le_bytes();
        assert_eq!(what(&[(size - 65536, &md)]), "an md raid member (0.90)");
        assert_eq!(what(&[(size - 8192, &md)]), "an md raid member (1.0)");
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
        for length in (0..2000).chain([HEAD - 1, HEAD]) {
            let _ = recognise(&bytes[..length], &bytes[..length.min(TAIL)], length as u64);
            let _ = recognise(&bytes[..length], &bytes[..length.min(TAIL)], 0);
        }
    }
}
