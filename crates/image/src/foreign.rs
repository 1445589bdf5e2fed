//! Image formats that are not read, told by their first bytes: whoever took one of them for raw would import its container as a disk.

/// A format's name, where its mark begins, and the mark.
type Mark = (&'static str, usize, &'static [u8]);

/// What stands at the beginning, by each format's document or by the common lists of file marks. LUKS is not among them: a disk that a guest
/// encrypted begins like that.
const MARKS: [Mark; 14] = [
    ("qcow (version 1)", 0, b"QFI\xfb\0\0\0\x01"),
    ("QED", 0, b"QED\0"),
    ("VMDK", 0, b"KDMV"),
    ("VMDK", 0, b"COWD"),
    ("VMDK", 0, b"# Disk DescriptorFile"),
    ("VHDX", 0, b"vhdxfile"),
    ("VHD", 0, b"conectix"),
    ("VDI", 64, b"\x7f\x10\xda\xbe"),
    ("Parallels", 0, b"WithoutFreeSpace"),
    ("Parallels", 0, b"WithouFreSpacExt"),
    ("gzip", 0, b"\x1f\x8b\x08"),
    ("xz", 0, b"\xfd7zXZ\0"),
    ("zstd", 0, b"\x28\xb5\x2f\xfd"),
    ("bzip2", 0, b"BZh"),
];

/// The format that a file's beginning belongs to, if it is one that is not read here.
pub fn foreign(head: &[u8]) -> Option<&'static str> {
    let stands = |mark: &&Mark| head.get(mark.1..).is_some_and(|rest| rest.starts_with(mark.2));
    MARKS.iter().find(stands).map(|mark| mark.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_sector_and_an_empty_file_are_of_no_other_format() {
        let mut sector = vec![0xeb, 0x63, 0x90];
        sector.resize(512, 0);
        for head in [&sector[..], &[], &[0; 512]] {
            assert_eq!(foreign(head), None);
        }
    }

    #[test]
    fn a_mark_is_seen_where_its_format_has_it() {
        let mut head = vec![0; 512];
        head[64..68].copy_from_slice(b"\x7f\x10\xda\xbe");
        assert_eq!(foreign(&head), Some("VDI"));
        assert_eq!(foreign(b"KDMV and more"), Some("VMDK"));
        assert_eq!(foreign(b"KDM"), None);
    }
}
