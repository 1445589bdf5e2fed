//! Addresses and sizes as types: a block number is not a count is not a byte length.

use std::fmt;

/// A logical block address: the index of a block from the start of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lba(pub u64);

impl Lba {
    /// The address `count` blocks further on.
    ///
    /// # Panics
    /// When the sum passes 2^64: an address that no device has is a programmer's error.
    #[must_use]
    pub fn plus(self, count: BlockCount) -> Lba {
        Lba(self.0.checked_add(count.0).expect_address())
    }

    /// The byte at which this block starts.
    ///
    /// # Panics
    /// When the offset passes 2^64 bytes.
    #[must_use]
    pub fn byte_offset(self, block_size: BlockSize) -> u64 {
        self.0.checked_mul(u64::from(block_size.bytes())).expect_address()
    }
}

impl fmt::Display for Lba {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// A number of logical blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockCount(pub u64);

impl BlockCount {
    /// The length of this many blocks in bytes.
    ///
    /// # Panics
    /// When the length passes 2^64 bytes.
    #[must_use]
    pub fn bytes(self, block_size: BlockSize) -> ByteCount {
        ByteCount(self.0.checked_mul(u64::from(block_size.bytes())).expect_address())
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// Whole blocks that fit into this many bytes.
    #[must_use]
    pub fn whole_blocks(self, block_size: BlockSize) -> BlockCount {
        BlockCount(self.0 / u64::from(block_size.bytes()))
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 4] =
            [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        for (size, unit) in UNITS {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(formatter, "{} {unit}", self.0 / size);
            }
        }
        write!(formatter, "{} bytes", self.0)
    }
}

/// The size of a logical block: 512 or 4,096 bytes, as the device has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockSize {
    /// 512 bytes.
    B512,
    /// 4,096 bytes.
    B4096,
}

impl BlockSize {
    /// The largest block that any device here has: what a buffer for one block must hold at most.
    pub const LARGEST: usize = 4096;

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        match self {
            BlockSize::B512 => 512,
            BlockSize::B4096 => 4096,
        }
    }

    /// The size in bytes, as the length of a slice.
    #[must_use]
    pub const fn length(self) -> usize {
        self.bytes() as usize
    }

    /// The block size of that many bytes, where Oarlock supports it.
    #[must_use]
    pub const fn from_bytes(bytes: u32) -> Option<BlockSize> {
        match bytes {
            512 => Some(BlockSize::B512),
            4096 => Some(BlockSize::B4096),
            _ => None,
        }
    }
}

/// Address arithmetic that passed 2^64: the caller asked for what no device can have.
trait ExpectAddress {
    fn expect_address(self) -> u64;
}

impl ExpectAddress for Option<u64> {
    fn expect_address(self) -> u64 {
        match self {
            Some(value) => value,
            None => panic!("an address on the device passes 2^64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_starts_where_the_blocks_before_it_end() {
        assert_eq!(Lba(3).byte_offset(BlockSize::B512), 1536);
        assert_eq!(Lba(3).plus(BlockCount(2)), Lba(5));
        assert_eq!(BlockCount(2).bytes(BlockSize::B4096), ByteCount(8192));
    }

    #[test]
    fn a_size_is_shown_in_the_largest_unit_that_divides_it() {
        assert_eq!(ByteCount(8 << 30).to_string(), "8 GiB");
        assert_eq!(ByteCount(1536).to_string(), "1536 bytes");
    }

    #[test]
    #[should_panic(expected = "passes 2^64")]
    fn an_address_never_wraps() {
        let _ = Lba(u64::MAX).plus(BlockCount(1));
    }
}
