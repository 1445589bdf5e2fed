//! What an import does next: which range of the disk is written, and which is zeros.

use crate::error::ImageError;
use crate::limits::RANGE_LENGTH_MAX;
use crate::source::Source;

/// The next range of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub offset: u64,
    pub length: u64,
    /// Whether it is zeros without having been read.
    pub is_zero: bool,
}

/// A walk over an image, from the disk's beginning to its end, in ranges whose ends are multiples of the disk's blocks.
#[derive(Debug)]
pub struct Plan {
    place: u64,
    disk_bytes: u64,
    block: u64,
    data_max: u64,
}

impl Plan {
    /// A walk in pieces of `data_max` bytes, a multiple of `block`, as is the disk's size.
    pub fn new(disk_bytes: u64, block: u64, data_max: u64) -> Plan {
        assert!(
            disk_bytes.is_multiple_of(block) && data_max.is_multiple_of(block),
            "whole blocks of {block}"
        );
        Plan { place: 0, disk_bytes, block, data_max }
    }

    /// The next range; `None` behind the last. A block that has data and zeros is data.
    pub fn next(&mut self, source: &mut Source) -> Result<Option<Step>, ImageError> {
        let offset = self.place;
        if offset == self.disk_bytes {
            return Ok(None);
        }
        let (mut end, mut is_zero) = (self.disk_bytes, true);
        if offset < source.size_bytes() {
            let extent = source.extent_at(offset)?;
            is_zero = extent.content.is_zero();
            // Nothing but zeros follows the image's end.
            end = if is_zero && extent.end() == source.size_bytes() { self.disk_bytes } else { extent.end() };
        }
        if is_zero && end - end % self.block > offset {
            end = (end - end % self.block).min(offset + RANGE_LENGTH_MAX);
        } else {
            is_zero = false;
            // Pieces end at multiples of their length, so that the disk's clusters are written whole.
            let piece_end = offset - offset % self.data_max + self.data_max;
            end = end.next_multiple_of(self.block).min(piece_end).min(self.disk_bytes);
        }
        self.place = end;
        Ok(Some(Step { offset, length: end - offset, is_zero }))
    }
}
