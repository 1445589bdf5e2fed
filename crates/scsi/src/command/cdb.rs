//! A CDB whose length and reserved bits are checked already.

use oarlock_block::{BlockCount, Lba};

/// The bytes of a CDB, as long as its command has them. What lies beyond the end reads as zero, so that a reader needs no error path of
/// its own.
#[derive(Clone, Copy)]
pub(crate) struct Cdb<'a>(pub(super) &'a [u8]);

impl Cdb<'_> {
    pub(crate) fn u8(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn u16(self, at: usize) -> u16 {
        u16::from_be_bytes(self.array(at))
    }

    pub(crate) fn u32(self, at: usize) -> u32 {
        u32::from_be_bytes(self.array(at))
    }

    pub(crate) fn u64(self, at: usize) -> u64 {
        u64::from_be_bytes(self.array(at))
    }

    pub(crate) fn bit(self, at: usize, bit: u8) -> bool {
        self.u8(at) >> bit & 1 == 1
    }

    /// The field of `width` bits whose lowest is `low`.
    pub(crate) fn bits(self, at: usize, low: u8, width: u8) -> u8 {
        self.u8(at) >> low & ((1 << width) - 1)
    }

    pub(crate) fn lba32(self) -> Lba {
        Lba(u64::from(self.u32(2)))
    }

    pub(crate) fn lba64(self) -> Lba {
        Lba(self.u64(2))
    }

    pub(crate) fn count16(self, at: usize) -> BlockCount {
        BlockCount(u64::from(self.u16(at)))
    }

    pub(crate) fn count32(self, at: usize) -> BlockCount {
        BlockCount(u64::from(self.u32(at)))
    }

    fn array<const N: usize>(self, at: usize) -> [u8; N] {
        std::array::from_fn(|index| self.u8(at + index))
    }
}
