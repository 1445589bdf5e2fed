//! The marks by which what is on a device is recognised: bytes at a fixed place from its start or its end.
//!
//! The places and bytes are those of the formats' own documents and, where there are none, of libblkid (util-linux) and
//! of the programs that write them. `testdata/marks/marks.txt` says each row a second time, with its source: most as a
//! real tool wrote it. A test holds the two together.

/// A mark at a fixed place from the start.
pub(crate) struct Mark {
    /// The byte where it stands.
    pub(crate) at: usize,
    /// The mark itself.
    pub(crate) bytes: &'static [u8],
    /// What it is the mark of, for people.
    pub(crate) what: &'static str,
}

/// A mark at a fixed place from the end.
pub(crate) struct LastMark {
    /// The device's size is rounded down to a multiple of this first.
    pub(crate) align: u64,
    /// The record begins this far before the end.
    pub(crate) before: u64,
    /// The mark stands this far within the record.
    pub(crate) within: u64,
    /// The mark itself.
    pub(crate) bytes: &'static [u8],
    /// What it is the mark of, for people.
    pub(crate) what: &'static str,
}

const fn mark(at: usize, bytes: &'static [u8], what: &'static str) -> Mark {
    Mark { at, bytes, what }
}

const MD: [u8; 4] = 0xa92b_4efc_u32.to_le_bytes();
/// An md superblock of version 0.90 is written in the byte order of its host.
const MD_SWAPPED: [u8; 4] = 0xa92b_4efc_u32.to_be_bytes();
const BCACHE: [u8; 16] = 0xc685_73f6_4e1a_45ca_8265_f57f_48ba_6d81_u128.to_be_bytes();
const BCACHEFS: [u8; 16] = 0xc685_73f6_66ce_90a9_d96a_60cf_803d_f7ef_u128.to_be_bytes();
const BSD: [u8; 4] = 0x8256_4557_u32.to_le_bytes();
const STRATIS: &[u8] = b"!Stra0tis\x86\xff\x02^\x41rh";

const LUKS2: &str = "a LUKS2 container (its second header)";
const LVM2: &str = "an LVM2 physical volume";
const SWAP: &str = "swap space";
const HIBERNATED: &str = "swap space with a hibernated system";
const OCFS2: &str = "an ocfs2 file system";
const FAT: &str = "a FAT file system";
const GPT: &str = "a GPT partition table";
const UDF: &str = "a UDF file system";
const BSD_LABEL: &str = "a BSD disk label";

/// In the order of asking: what wraps others, or tells more, comes first.
pub(crate) const MARKS: &[Mark] = &[
    mark(0, b"OARLSUPR", "an Oarlock datastore"),
    // Other clusters' leases: whoever writes over them takes the locks of machines that run.
    mark(0, &0x1221_2010_u32.to_le_bytes(), "a sanlock lockspace (a delta lease)"),
    mark(0, &0x0615_2010_u32.to_le_bytes(), "a sanlock resource (a paxos lease)"),
    mark(0, &0x1128_2016_u32.to_le_bytes(), "a sanlock resource (a cleared lease)"),
    mark(0, &0x0104_2018_u32.to_le_bytes(), "a sanlock resource index"),
    // What wraps others.
    mark(0, b"LUKS\xba\xbe", "a LUKS container"),
    mark(0x4000, b"SKUL\xba\xbe", LUKS2),
    mark(0x8000, b"SKUL\xba\xbe", LUKS2),
    mark(0x1_0000, b"SKUL\xba\xbe", LUKS2),
    mark(0x2_0000, b"SKUL\xba\xbe", LUKS2),
    mark(0x4_0000, b"SKUL\xba\xbe", LUKS2),
    mark(0x8_0000, b"SKUL\xba\xbe", LUKS2),
    mark(0x10_0000, b"SKUL\xba\xbe", LUKS2),
    mark(3, b"-FVE-FS-", "a BitLocker container"),
    // LVM2 looks for its label in the first four sectors.
    mark(24, b"LVM2 001", LVM2),
    mark(512 + 24, b"LVM2 001", LVM2),
    mark(1024 + 24, b"LVM2 001", LVM2),
    mark(1536 + 24, b"LVM2 001", LVM2),
    mark(0, &MD, "an md raid member (1.1)"),
    mark(4096, &MD, "an md raid member (1.2)"),
    mark(0, b"dmvdo001", "a VDO volume"),
    mark(0, b"integrt\0", "a dm-integrity volume"),
    mark(0, b"verity\0\0", "a dm-verity hash tree"),
    mark(0, b"SnAp", "a device-mapper snapshot"),
    mark(4096 + 24, &BCACHE, "a bcache member"),
    mark(512 + 4, STRATIS, "a Stratis member"),
    mark(4608 + 4, STRATIS, "a Stratis member"),
    mark(0, b"bluestore block device", "a Ceph BlueStore device"),
    mark(0, b"$DRBDmgr=q", "a DRBD control volume"),
    mark(0, b"DRBDdlh*", "a DRBD proxy log"),
    mark(32, b"ORCLDISK", "an Oracle ASM disk"),
    mark(0, b"\xc9\xc2\xd4\xc1", "an AIX physical volume"),
    // Cluster file systems.
    mark(0x10_0000, &0xc001_d00d_u32.to_le_bytes(), "a VMFS volume"),
    mark(0x20_0000, &0x2fab_f15e_u32.to_le_bytes(), "a VMFS volume (its file system)"),
    mark(65536, &0x0116_1970_u32.to_be_bytes(), "a gfs2 file system"),
    // The block size decides where it stands.
    mark(1024, b"OCFSV2", OCFS2),
    mark(2048, b"OCFSV2", OCFS2),
    mark(4096, b"OCFSV2", OCFS2),
    mark(8192, b"OCFSV2", OCFS2),
    mark(8192, b"OracleCFS", "an ocfs file system"),
    // File systems of one host.
    mark(0, b"XFSB", "an xfs file system"),
    mark(65536 + 64, b"_BHRfS_M", "a btrfs file system"),
    mark(4096 + 24, &BCACHEFS, "a bcachefs file system"),
    mark((2 << 20) + 24, &BCACHEFS, "a bcachefs file system (its second superblock)"),
    mark(1024, &0xf2f5_2010_u32.to_le_bytes(), "an f2fs file system"),
    mark(1024, &0xe0f5_e1e2_u32.to_le_bytes(), "an erofs file system"),
    mark(1024, b"\x02\0\0\0\0\0\x34\x34", "a nilfs2 file system"),
    mark(1024, &0xa501_fcf5_u32.to_le_bytes(), "a vxfs file system"),
    mark(8192, &0xa501_fcf5_u32.to_be_bytes(), "a vxfs file system"),
    mark(0, b"hsqs", "a squashfs file system"),
    mark(0, b"sqsh", "a squashfs file system"),
    mark(0, &0x28cd_3d45_u32.to_le_bytes(), "a cramfs file system"),
    mark(32768, b"JFS1", "a jfs file system"),
    mark(65536 + 52, b"ReIsEr", "a reiserfs file system"),
    mark(65536, b"ReIsEr4", "a reiser4 file system"),
    mark(32, b"NXSB", "an APFS container"),
    mark(1024, b"H+\0\x04", "an HFS+ file system"),
    mark(1024, b"HX\0\x05", "an HFSX file system"),
    mark(3, b"NTFS    ", "an NTFS file system"),
    mark(3, b"ReFS\0", "a ReFS file system"),
    mark(3, b"EXFAT   ", "an exFAT file system"),
    mark(82, b"FAT32   ", FAT),
    mark(54, b"FAT1", FAT),
    mark(54, b"FAT     ", FAT),
    mark(32769, b"CD001", "an ISO 9660 file system"),
    mark(32769, b"BEA01", UDF),
    mark(32769, b"NSR02", UDF),
    mark(32769, b"NSR03", UDF),
    // Swap space ends its first page with its mark, and a page has the size that the machine gives it.
    mark(4096 - 10, b"SWAPSPACE2", SWAP),
    mark(8192 - 10, b"SWAPSPACE2", SWAP),
    mark(16384 - 10, b"SWAPSPACE2", SWAP),
    mark(32768 - 10, b"SWAPSPACE2", SWAP),
    mark(65536 - 10, b"SWAPSPACE2", SWAP),
    mark(4096 - 10, b"SWAP-SPACE", SWAP),
    mark(4096 - 10, b"S1SUSPEND", HIBERNATED),
    mark(4096 - 10, b"S2SUSPEND", HIBERNATED),
    mark(4096 - 10, b"ULSUSPEND", HIBERNATED),
    mark(4096 - 10, b"LINHIB0001", HIBERNATED),
    // Images of disks.
    mark(0, b"QFI\xfb", "a qcow2 image"),
    mark(0, b"QED\0", "a QED image"),
    mark(0, b"KDMV", "a VMDK image"),
    mark(0, b"COWD", "a VMDK image (sparse, of ESX)"),
    mark(0, b"# Disk DescriptorFile", "the description of a VMDK image"),
    mark(0, b"vhdxfile", "a VHDX image"),
    mark(0, b"conectix", "a VHD image"),
    mark(64, &0xbeda_107f_u32.to_le_bytes(), "a VDI image"),
    mark(0, b"WithoutFreeSpace", "a Parallels image"),
    mark(0, b"WithouFreSpacExt", "a Parallels image"),
    // Archives.
    mark(257, b"ustar", "a tar archive"),
    mark(0, b"\x1f\x8b\x08", "gzip data"),
    mark(0, b"\xfd7zXZ\0", "xz data"),
    mark(0, &0xfd2f_b528_u32.to_le_bytes(), "zstd data"),
    mark(0, &0x184d_2204_u32.to_le_bytes(), "lz4 data"),
    mark(4, b"1AY&SY", "bzip2 data"),
    mark(0, b"PK\x03\x04", "a zip archive"),
    mark(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    mark(0, b"070701", "a cpio archive"),
    // Tables of partitions.
    mark(512, b"EFI PART", GPT),
    mark(4096, b"EFI PART", GPT),
    mark(64, &BSD, BSD_LABEL),
    mark(128, &BSD, BSD_LABEL),
    mark(512, &BSD, BSD_LABEL),
];

const fn last(align: u64, before: u64, bytes: &'static [u8], what: &'static str) -> LastMark {
    LastMark { align, before, within: 0, bytes, what }
}

const GPT_COPY: &str = "a GPT partition table (its second copy)";
const MD_OLD: &str = "an md raid member (0.90)";
/// In DRBD's last block the mark follows the size, six identifiers and the flags.
const DRBD_WITHIN: u64 = 60;

const fn drbd(bytes: &'static [u8]) -> LastMark {
    LastMark { align: 4096, before: 4096, within: DRBD_WITHIN, bytes, what: "a DRBD member" }
}

/// What keeps its mark at the end, so that what it wraps starts at the start.
pub(crate) const LAST_MARKS: &[LastMark] = &[
    drbd(b"\x83\x74\x02\x6b"),
    drbd(b"\x83\x74\x02\x6c"),
    drbd(b"\x83\x74\x02\x6d"),
    last(0x1_0000, 0x1_0000, &MD, MD_OLD),
    last(0x1_0000, 0x1_0000, &MD_SWAPPED, MD_OLD),
    last(4096, 8192, &MD, "an md raid member (1.0)"),
    last(512, 512, b"EFI PART", GPT_COPY),
    last(4096, 4096, b"EFI PART", GPT_COPY),
    last(512, 512, &0xde11_de11_u32.to_be_bytes(), "a DDF raid member"),
    last(512, 1024, b"Intel Raid ISM Cfg Sig. ", "an Intel Matrix raid member"),
    last(512, 512, b"conectix", "a VHD image (of fixed size)"),
];
