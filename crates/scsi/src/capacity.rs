//! READ CAPACITY parameter data (SBC-4, "READ CAPACITY (10) command", "READ CAPACITY (16) command").

use oarlock_block::{BlockCount, Lba};

use crate::bytes::{View, flag, put};

/// How large a unit is, and how its blocks lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Its blocks, at least one.
    pub blocks: BlockCount,
    /// LOGICAL BLOCK LENGTH IN BYTES.
    pub block_bytes: u32,
    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT, four bits: a physical block has 2 to its power logical ones.
    pub physical_exponent: u8,
    /// LBPME: blocks can be unmapped.
    pub provisioning_management: bool,
    /// LBPRZ: unmapped blocks read as zeros.
    pub unmapped_reads_zeros: bool,
    /// LOWEST ALIGNED LOGICAL BLOCK ADDRESS, of 14 bits.
    pub lowest_aligned: Lba,
}

impl Capacity {
    /// The length of the parameter data of READ CAPACITY(16).
    pub const LENGTH: usize = 32;

    /// The data of READ CAPACITY(10). A last block beyond 32 bits is FFFF_FFFFh: the initiator must ask by READ CAPACITY(16).
    #[must_use]
    pub fn encode_10(&self) -> Vec<u8> {
        let last = u32::try_from(self.last().0).unwrap_or(u32::MAX);
        [last.to_be_bytes(), self.block_bytes.to_be_bytes()].concat()
    }

    /// The data of READ CAPACITY(16).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = vec![0; Capacity::LENGTH];
        put(&mut data, 0, &self.last().0.to_be_bytes());
        put(&mut data, 8, &self.block_bytes.to_be_bytes());
        data[13] = self.physical_exponent & 0x0f;
        let [.., high, low] = self.lowest_aligned.0.to_be_bytes();
        data[14] = flag(self.provisioning_management, 7) | flag(self.unmapped_reads_zeros, 6) | high & 0x3f;
        data[15] = low;
        data
    }

    /// Reads the data of READ CAPACITY(16). `None` where they end too early, or a device has 2^64 blocks.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<Capacity> {
        let view = View(data);
        Some(Capacity {
            blocks: BlockCount(view.u64(0)?.checked_add(1)?),
            block_bytes: view.u32(8)?,
            physical_exponent: view.u8(13)? & 0x0f,
            provisioning_management: view.bit(14, 7),
            unmapped_reads_zeros: view.bit(14, 6),
            lowest_aligned: Lba(u64::from(view.u16(14)? & 0x3fff)),
        })
    }

    fn last(&self) -> Lba {
        Lba(self.blocks.0.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAPACITY: Capacity = Capacity {
        blocks: BlockCount(0x1_0000_0001),
        block_bytes: 512,
        physical_exponent: 3,
        provisioning_management: true,
        unmapped_reads_zeros: true,
        lowest_aligned: Lba(0x0107),
    };

    #[test]
    fn the_last_block_is_told_and_not_the_count() {
        let mut golden = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 0, 3, 0xc1, 0x07];
        golden.resize(32, 0);
        assert_eq!(CAPACITY.encode(), golden);
        assert_eq!(Capacity::decode(&golden), Some(CAPACITY));
    }

    #[test]
    fn a_unit_too_large_for_ten_bytes_says_so() {
        assert_eq!(CAPACITY.encode_10(), [0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0]);
        let fitting = Capacity { blocks: BlockCount(0x1_0000_0000), ..CAPACITY };
        assert_eq!(
            fitting.encode_10(),
            [0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0],
            "the largest that fits says so as well"
        );
        let small = Capacity { blocks: BlockCount(256), ..CAPACITY };
        assert_eq!(small.encode_10(), [0, 0, 0, 255, 0, 0, 2, 0]);
    }

    #[test]
    fn short_data_and_impossible_sizes_are_none() {
        assert_eq!(Capacity::decode(&CAPACITY.encode()[..15]), None);
        assert_eq!(Capacity::decode(&[0xff; 32]), None);
    }
}
