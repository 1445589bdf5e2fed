//! The entries of the tables (document, *Cluster mapping*): what a word says of a cluster, or of one of its parts.

use super::fault::Qcow2Fault;
use super::header::Header;

/// Bits 9 to 55: an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
/// Of an entry of the second level: the cluster is compressed.
const COMPRESSED: u64 = 1 << 62;
/// Of a standard entry in version 3: all zeros.
const ZEROS: u64 = 1;
/// Compressed data are counted in sectors.
const SECTOR: u64 = 512;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mapping {
    /// Nothing was written.
    Hole,
    /// Zeros.
    Zeros,
    /// The cluster stands at this place of the file.
    At(u64),
    /// Compressed bytes from this place on; so many at most, the last ones perhaps another's.
    Compressed { offset: u64, length: u64 },
}

/// Where the table of the second level stands; `None` where there is none.
pub(super) fn table(word: u64) -> Option<u64> {
    Some(word & OFFSET).filter(|&offset| offset != 0)
}

/// What an entry says of the part number `part`, of 32, of the cluster of byte `place` of the disk. `bitmap` is the second word of an
/// extended entry (document, *Extended L2 Entries*: bits 0 to 31 allocated, 32 to 63 zeros); of others it is 0 and there is one part.
pub(super) fn mapping(
    header: &Header,
    word: u64,
    bitmap: u64,
    part: u64,
    place: u64,
) -> Result<Mapping, Qcow2Fault> {
    if word & COMPRESSED != 0 {
        return Ok(compressed(header.cluster_bits, word));
    }
    let offset = word & OFFSET;
    if header.has_extended_entries {
        let (allocated, zeros) = (bitmap >> part & 1 == 1, bitmap >> (32 + part) & 1 == 1);
        return match (allocated, zeros) {
            (false, false) => Ok(Mapping::Hole),
            (false, true) => Ok(Mapping::Zeros),
            (true, false) if offset != 0 => Ok(Mapping::At(offset)),
            _ => Err(Qcow2Fault::Entry { offset: place }),
        };
    }
    match word & ZEROS {
        0 if offset == 0 => Ok(Mapping::Hole),
        0 => Ok(Mapping::At(offset)),
        _ if header.version == 2 => Err(Qcow2Fault::Entry { offset: place }),
        _ => Ok(Mapping::Zeros),
    }
}

/// A *Compressed Clusters Descriptor*: an offset of any byte, and how many more sectors there are than the one it lies in.
fn compressed(cluster_bits: u32, word: u64) -> Mapping {
    let shift = 62 - (cluster_bits - 8);
    let offset = word & ((1 << shift) - 1);
    let sectors = (word >> shift) & ((1 << (cluster_bits - 8)) - 1);
    Mapping::Compressed { offset, length: (sectors + 1) * SECTOR - offset % SECTOR }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_entry_ends_with_its_last_sector() {
        // 64 KiB: 8 bits of sectors above 54 bits of offset.
        let word = COMPRESSED | 3 << 54 | 0x1_0005;
        assert_eq!(compressed(16, word), Mapping::Compressed { offset: 0x1_0005, length: 4 * 512 - 5 });
    }
}
