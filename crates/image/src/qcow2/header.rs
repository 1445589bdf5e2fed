//! The header (document, *Header*): what is taken of it, and what is refused.

use super::fault::Qcow2Fault;
use crate::limits::{NAME_LENGTH_MAX, QCOW2_CLUSTER_BITS_MAX, QCOW2_L1_LENGTH_MAX};
use crate::storage::Storage;

/// `magic`: "QFI" and 0xfb.
pub(super) const MAGIC: [u8; 4] = *b"QFI\xfb";
/// The header of version 2, in bytes; of version 3 at least [`LENGTH_V3`].
const LENGTH_V2: u64 = 72;
const LENGTH_V3: u64 = 104;
/// Behind it in version 3: the compression type's byte.
const COMPRESSION_AT: u64 = 104;

/// Incompatible features, by their bits.
const DIRTY: u64 = 1;
const CORRUPT: u64 = 1 << 1;
const EXTERNAL_DATA: u64 = 1 << 2;
const COMPRESSION_TYPE: u64 = 1 << 3;
const EXTENDED_ENTRIES: u64 = 1 << 4;

/// Clusters of an image with extended entries have at least so many bits: their 32 parts would be smaller than a sector.
const EXTENDED_CLUSTER_BITS_MIN: u32 = 14;

/// How clusters are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Deflate, without zlib's header.
    Zlib,
    /// zstd frames.
    Zstd,
}

/// Whether a file's beginning is that of a qcow2 image, of whatever version but the first.
#[must_use]
pub fn is_qcow2(head: &[u8]) -> bool {
    head.starts_with(&MAGIC) && head.get(4..8).is_some_and(|version| version != [0, 0, 0, 1])
}

/// What is known of an image that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 2 or 3.
    pub version: u32,
    /// The cluster's size as a power of two.
    pub cluster_bits: u32,
    /// The disk's size.
    pub size_bytes: u64,
    /// Entries of the table of the first level.
    pub l1_entries: u64,
    /// Where it stands in the file.
    pub l1_offset: u64,
    /// Internal snapshots, which are not read.
    pub snapshots: u32,
    /// How clusters are compressed.
    pub compression: Compression,
    /// Whether entries of the second level have 16 bytes, and 32 parts for each cluster.
    pub has_extended_entries: bool,
}

impl Header {
    /// Reads and judges the header.
    ///
    /// # Errors
    /// What is refused, and what is damaged.
    pub fn read(storage: &impl Storage) -> Result<Header, Qcow2Fault> {
        let mut bytes = [0; 112];
        let there = usize::try_from(storage.length()).unwrap_or(bytes.len()).min(bytes.len());
        storage.read_at(0, &mut bytes[..there])?;
        if !is_qcow2(&bytes[..there]) || (there as u64) < LENGTH_V2 {
            return Err(Qcow2Fault::NotQcow2);
        }
        let version = u32_at(&bytes, 4);
        if !(2..=3).contains(&version) {
            return Err(Qcow2Fault::Version { version });
        }
        let cluster_bits = u32_at(&bytes, 20);
        if !(9..=QCOW2_CLUSTER_BITS_MAX).contains(&cluster_bits) {
            return Err(Qcow2Fault::Field { field: "cluster_bits", value: cluster_bits.into() });
        }
        let (compression, has_extended_entries) =
            if version == 3 { features(&bytes, cluster_bits)? } else { (Compression::Zlib, false) };
        match u32_at(&bytes, 32) {
            0 => {}
            method => return Err(Qcow2Fault::Encrypted { method }),
        }
        refuse_backing(storage, u64_at(&bytes, 8), u32_at(&bytes, 16))?;
        let header = Header {
            version,
            cluster_bits,
            size_bytes: u64_at(&bytes, 24),
            l1_entries: u32_at(&bytes, 36).into(),
            l1_offset: u64_at(&bytes, 40),
            snapshots: u32_at(&bytes, 60),
            compression,
            has_extended_entries,
        };
        header.check_table(storage.length())?;
        Ok(header)
    }

    /// The cluster's size in bytes.
    #[must_use]
    pub fn cluster_length(&self) -> u64 {
        1 << self.cluster_bits
    }

    /// The length of an entry of the second level.
    #[must_use]
    pub fn entry_length(&self) -> u64 {
        if self.has_extended_entries { 16 } else { 8 }
    }

    /// Bytes of the disk that one table of the second level is about, as a power of two.
    #[must_use]
    pub fn l2_bits(&self) -> u32 {
        self.cluster_bits + self.cluster_bits - self.entry_length().trailing_zeros()
    }

    fn check_table(&self, length: u64) -> Result<(), Qcow2Fault> {
        // Beyond this no table could be long enough, and sums would overflow.
        if self.size_bytes > i64::MAX as u64 {
            return Err(Qcow2Fault::Field { field: "size", value: self.size_bytes });
        }
        let table_length = self.l1_entries * 8;
        if table_length > QCOW2_L1_LENGTH_MAX {
            return Err(Qcow2Fault::Field { field: "l1_size", value: self.l1_entries });
        }
        let needed = self.size_bytes.div_ceil(1 << self.l2_bits());
        if self.l1_entries < needed {
            return Err(Qcow2Fault::ShortTable { entries: self.l1_entries, needed });
        }
        let offset = self.l1_offset;
        let ends_within = offset.checked_add(table_length).is_some_and(|end| end <= length);
        if table_length > 0 && (!ends_within || !offset.is_multiple_of(self.cluster_length())) {
            return Err(Qcow2Fault::Place { what: "its table of the first level", offset, length });
        }
        Ok(())
    }
}

/// The features of version 3: how clusters are compressed, and whether entries are extended. An image that was not closed (`dirty`) has
/// counts of references that may be wrong, which a reader does not look at.
fn features(bytes: &[u8; 112], cluster_bits: u32) -> Result<(Compression, bool), Qcow2Fault> {
    let incompatible = u64_at(bytes, 72);
    let header_length = u64::from(u32_at(bytes, 100));
    if header_length < LENGTH_V3 || header_length > 1 << cluster_bits || !header_length.is_multiple_of(8) {
        return Err(Qcow2Fault::Field { field: "header_length", value: header_length });
    }
    let known = DIRTY | CORRUPT | EXTERNAL_DATA | COMPRESSION_TYPE | EXTENDED_ENTRIES;
    if incompatible & !known != 0 {
        return Err(Qcow2Fault::Features { bits: incompatible & !known });
    }
    if incompatible & CORRUPT != 0 {
        return Err(Qcow2Fault::MarkedCorrupt);
    }
    if incompatible & EXTERNAL_DATA != 0 {
        return Err(Qcow2Fault::ExternalData);
    }
    let has_extended_entries = incompatible & EXTENDED_ENTRIES != 0;
    if has_extended_entries && cluster_bits < EXTENDED_CLUSTER_BITS_MIN {
        return Err(Qcow2Fault::Field { field: "cluster_bits", value: cluster_bits.into() });
    }
    let kind = if header_length > COMPRESSION_AT { bytes[104] } else { 0 };
    let compression = match (kind, incompatible & COMPRESSION_TYPE != 0) {
        (0, false) => Compression::Zlib,
        (1, true) => Compression::Zstd,
        _ => return Err(Qcow2Fault::CompressionType { kind }),
    };
    Ok((compression, has_extended_entries))
}

fn refuse_backing(storage: &impl Storage, offset: u64, length: u32) -> Result<(), Qcow2Fault> {
    if offset == 0 {
        return Ok(());
    }
    let mut name = vec![0; length.min(NAME_LENGTH_MAX) as usize];
    // A name that is not to be had does not change the answer.
    let name = match storage.read_at(offset, &mut name) {
        Ok(()) => String::from_utf8_lossy(&name).into_owned(),
        Err(_) => String::new(),
    };
    Err(Qcow2Fault::BackingFile { name })
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_be_bytes)
}
