//! What an import does next: which range of the disk is written, and which is zeros.

use crate::error::ImageError;
use crate::extent::{Content, Extent};
use crate::limits::RANGE_LENGTH_MAX;
use crate::source::Source;

/// What a plan asks of an image.
pub trait Extents {
    fn size_bytes(&self) -> u64;
    fn extent_at(&mut self, offset: u64) -> Result<Extent, ImageError>;
}

impl Extents for Source {
    fn size_bytes(&self) -> u64 {
        Source::size_bytes(self)
    }

    fn extent_at(&mut self, offset: u64) -> Result<Extent, ImageError> {
        Source::extent_at(self, offset)
    }
}

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
    /// The extent that was asked for last. File systems may walk all of it to find its end, so it is asked for once.
    known: Extent,
}

impl Plan {
    /// A walk in pieces of `data_max` bytes, a multiple of `block`, as is the disk's size.
    pub fn new(disk_bytes: u64, block: u64, data_max: u64) -> Plan {
        assert!(
            disk_bytes.is_multiple_of(block) && data_max.is_multiple_of(block),
            "whole blocks of {block}"
        );
        let known = Extent { offset: 0, length: 0, content: Content::Hole };
        Plan { place: 0, disk_bytes, block, data_max, known }
    }

    /// The next range; `None` behind the last. A block that has data and zeros is data.
    pub fn next(&mut self, image: &mut impl Extents) -> Result<Option<Step>, ImageError> {
        let offset = self.place;
        if offset == self.disk_bytes {
            return Ok(None);
        }
        let (mut end, mut is_zero) = (self.disk_bytes, true);
        if offset < image.size_bytes() {
            if offset >= self.known.end() {
                self.known = image.extent_at(offset)?;
            }
            is_zero = self.known.content.is_zero();
            // Nothing but zeros follows the image's end.
            let is_last = is_zero && self.known.end() == image.size_bytes();
            end = if is_last { self.disk_bytes } else { self.known.end() };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An image of extents of these lengths, data and holes by turns, that counts how often it is asked.
    struct Stripes {
        lengths: Vec<u64>,
        asked: usize,
    }

    impl Extents for Stripes {
        fn size_bytes(&self) -> u64 {
            self.lengths.iter().sum()
        }

        fn extent_at(&mut self, offset: u64) -> Result<Extent, ImageError> {
            self.asked += 1;
            let (mut end, mut content) = (0, Content::Hole);
            for (number, length) in self.lengths.iter().enumerate() {
                content = if number.is_multiple_of(2) { Content::Data } else { Content::Hole };
                end += length;
                if end > offset {
                    break;
                }
            }
            Ok(Extent { offset, length: end - offset, content })
        }
    }

    fn steps(lengths: &[u64], disk_bytes: u64, block: u64, data_max: u64) -> (Vec<(u64, u64, bool)>, usize) {
        let mut image = Stripes { lengths: lengths.to_vec(), asked: 0 };
        let (mut plan, mut found) = (Plan::new(disk_bytes, block, data_max), Vec::new());
        while let Some(step) = plan.next(&mut image).unwrap() {
            found.push((step.offset, step.length, step.is_zero));
        }
        (found, image.asked)
    }

    #[test]
    fn each_extent_is_asked_for_once_however_many_pieces_it_makes() {
        let (found, asked) = steps(&[1 << 20, 1 << 40], (1 << 20) + (1 << 40), 512, 4096);
        assert_eq!(asked, 2);
        let data = found.iter().filter(|step| !step.2).count();
        assert_eq!((data, found.len() - data), (256, 512));
    }

    #[test]
    fn ends_are_whole_blocks_and_a_mixed_block_is_data() {
        let (found, _) = steps(&[100, 1000, 10, 3000], 4608, 512, 4096);
        let expected = [(0, 512, false), (512, 512, true), (1024, 512, false), (1536, 3072, true)];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_lies_behind_the_image_s_end_is_zeros() {
        assert_eq!(steps(&[700], 8192, 512, 4096).0, [(0, 1024, false), (1024, 7168, true)]);
        assert_eq!(steps(&[0, 700], 1024, 512, 4096).0, [(0, 1024, true)]);
        assert_eq!(steps(&[], 0, 512, 4096).0, []);
    }

    #[test]
    fn pieces_end_at_multiples_of_their_length() {
        let found = steps(&[0, 1024, 9000], 10_240, 512, 4096).0;
        assert_eq!(found, [(0, 1024, true), (1024, 3072, false), (4096, 4096, false), (8192, 2048, false)]);
    }
}
