//! The Block Limits page (B0h) and the Block Device Characteristics page (B1h) of SBC-4.

use super::{content, page, with_header};
use crate::bytes::{View, flag, put};

/// The Block Limits page. All counts are in blocks; 0 says that there is no limit, or that nothing is told, unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockLimits {
    /// WSNZ: a WRITE SAME of 0 blocks is refused.
    pub write_same_non_zero: bool,
    /// MAXIMUM COMPARE AND WRITE LENGTH; 0 says that the command is not supported.
    pub compare_and_write_max: u8,
    /// OPTIMAL TRANSFER LENGTH GRANULARITY.
    pub transfer_granularity: u16,
    /// MAXIMUM TRANSFER LENGTH.
    pub transfer_max: u32,
    /// OPTIMAL TRANSFER LENGTH.
    pub transfer_optimal: u32,
    /// MAXIMUM PREFETCH LENGTH.
    pub prefetch_max: u32,
    /// MAXIMUM UNMAP LBA COUNT; 0 says that UNMAP is not supported, FFFF_FFFFh that there is no limit.
    pub unmap_blocks_max: u32,
    /// MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT, of the same meanings.
    pub unmap_descriptors_max: u32,
    /// OPTIMAL UNMAP GRANULARITY.
    pub unmap_granularity: u32,
    /// UNMAP GRANULARITY ALIGNMENT, where UGAVALID says that there is one; of 31 bits.
    pub unmap_alignment: Option<u32>,
    /// MAXIMUM WRITE SAME LENGTH.
    pub write_same_max: u64,
    /// MAXIMUM ATOMIC TRANSFER LENGTH; 0 says that nothing is told.
    pub atomic_max: u32,
    /// ATOMIC ALIGNMENT.
    pub atomic_alignment: u32,
    /// ATOMIC TRANSFER LENGTH GRANULARITY.
    pub atomic_granularity: u32,
    /// MAXIMUM ATOMIC TRANSFER LENGTH WITH ATOMIC BOUNDARY.
    pub atomic_max_with_boundary: u32,
    /// MAXIMUM ATOMIC BOUNDARY SIZE; 0 says that an atomic write has no boundary.
    pub atomic_boundary_max: u32,
}

impl BlockLimits {
    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        const UGAVALID: u32 = 1 << 31;
        let mut data = [0; 60];
        data[0] = flag(self.write_same_non_zero, 0);
        data[1] = self.compare_and_write_max;
        put(&mut data, 2, &self.transfer_granularity.to_be_bytes());
        let alignment = self.unmap_alignment.map_or(0, |blocks| UGAVALID | blocks);
        for (at, field) in [
            (4, self.transfer_max),
            (8, self.transfer_optimal),
            (12, self.prefetch_max),
            (16, self.unmap_blocks_max),
            (20, self.unmap_descriptors_max),
            (24, self.unmap_granularity),
            (28, alignment),
            (40, self.atomic_max),
            (44, self.atomic_alignment),
            (48, self.atomic_granularity),
            (52, self.atomic_max_with_boundary),
            (56, self.atomic_boundary_max),
        ] {
            put(&mut data, at, &field.to_be_bytes());
        }
        put(&mut data, 32, &self.write_same_max.to_be_bytes());
        with_header(page::BLOCK_LIMITS, &data)
    }

    /// Reads the page. Fields beyond its end, as in the shorter page of SBC-2, are zero.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<BlockLimits> {
        let view = View(content(bytes, page::BLOCK_LIMITS)?);
        let number = |at| view.u32(at).unwrap_or(0);
        Some(BlockLimits {
            write_same_non_zero: view.bit(0, 0),
            compare_and_write_max: view.u8(1).unwrap_or(0),
            transfer_granularity: view.u16(2).unwrap_or(0),
            transfer_max: number(4),
            transfer_optimal: number(8),
            prefetch_max: number(12),
            unmap_blocks_max: number(16),
            unmap_descriptors_max: number(20),
            unmap_granularity: number(24),
            unmap_alignment: view.bit(28, 7).then(|| number(28) & !(1 << 31)),
            write_same_max: view.u64(32).unwrap_or(0),
            atomic_max: number(40),
            atomic_alignment: number(44),
            atomic_granularity: number(48),
            atomic_max_with_boundary: number(52),
            atomic_boundary_max: number(56),
        })
    }
}

/// The Block Device Characteristics page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockCharacteristics {
    /// MEDIUM ROTATION RATE: 0001h of a medium that does not rotate, 0 where nothing is told.
    pub rotation_rate: u16,
    /// WABEREQ, two bits: what a read finds in blocks that SANITIZE erased, before they are written. 01b: some data, and no error.
    pub after_block_erase: u8,
    /// NOMINAL FORM FACTOR, four bits; 0 where nothing is told.
    pub form_factor: u8,
    /// FUAB: FUA and SYNCHRONIZE CACHE reach stable storage, and nothing less.
    pub fua_reaches_medium: bool,
    /// VBULS: VERIFY with BYTCHK 00b of unmapped blocks succeeds.
    pub verifies_unmapped: bool,
}

impl BlockCharacteristics {
    /// MEDIUM ROTATION RATE of a medium that does not rotate.
    pub const NON_ROTATING: u16 = 0x0001;

    /// The page.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = [0; 60];
        put(&mut data, 0, &self.rotation_rate.to_be_bytes());
        data[3] = (self.after_block_erase & 3) << 6 | self.form_factor & 0x0f;
        data[4] = flag(self.fua_reaches_medium, 1) | flag(self.verifies_unmapped, 0);
        with_header(page::BLOCK_CHARACTERISTICS, &data)
    }

    /// Reads the page; fields beyond its end are zero.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<BlockCharacteristics> {
        let view = View(content(bytes, page::BLOCK_CHARACTERISTICS)?);
        let third = view.u8(3).unwrap_or(0);
        Some(BlockCharacteristics {
            rotation_rate: view.u16(0).unwrap_or(0),
            after_block_erase: third >> 6,
            form_factor: third & 0x0f,
            fua_reaches_medium: view.bit(4, 1),
            verifies_unmapped: view.bit(4, 0),
        })
    }
}
