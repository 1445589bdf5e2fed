//! The parameter list of UNMAP (SBC-4, "UNMAP parameter list").

use oarlock_block::{BlockCount, Lba};

use crate::bytes::{View, length_u16};
use crate::sense::Sense;

/// The ranges that an UNMAP names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnmapList {
    /// The first block and the count of each, at most [`COUNT_MAX`](UnmapList::COUNT_MAX) of them.
    pub ranges: Vec<(Lba, BlockCount)>,
}

impl UnmapList {
    /// Ranges that 16 bits of length can hold.
    pub const COUNT_MAX: usize = (u16::MAX as usize - 6) / 16;

    /// Reads the list. An empty one asks for nothing, and so does one without descriptors. A descriptor that UNMAP BLOCK DESCRIPTOR DATA LENGTH
    /// cuts in two is left out, as SBC-4 wants it.
    ///
    /// # Errors
    /// PARAMETER LIST LENGTH ERROR where the list is shorter than its header, or than the descriptors that the header announces. INVALID
    /// FIELD IN PARAMETER LIST where UNMAP DATA LENGTH ends before them.
    pub fn decode(list: &[u8]) -> Result<UnmapList, Sense> {
        if list.is_empty() {
            return Ok(UnmapList { ranges: Vec::new() });
        }
        let view = View(list);
        let header = view.bytes(0, 8).and_then(|_| view.u16(0).zip(view.u16(2)));
        let (data_length, length) = header.ok_or(Sense::parameter_list_length())?;
        if usize::from(data_length) < 6 + usize::from(length) && length != 0 {
            return Err(Sense::invalid_parameter(0, None));
        }
        let descriptors = view.bytes(8, usize::from(length)).ok_or(Sense::parameter_list_length())?;
        let ranges = descriptors.chunks_exact(16).filter_map(|descriptor| {
            let view = View(descriptor);
            Some((Lba(view.u64(0)?), BlockCount(u64::from(view.u32(8)?))))
        });
        Ok(UnmapList { ranges: ranges.collect() })
    }

    /// The list, for an initiator.
    ///
    /// # Panics
    /// Where there are more than [`COUNT_MAX`](UnmapList::COUNT_MAX) ranges, or a count is beyond 32 bits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = self.ranges.len() * 16;
        let mut list = length_u16(6 + length).to_be_bytes().to_vec();
        list.extend(length_u16(length).to_be_bytes());
        list.extend([0; 4]);
        for (lba, count) in &self.ranges {
            let Ok(count) = u32::try_from(count.0) else {
                panic!("{} blocks in one unmap descriptor", count.0)
            };
            list.extend(lba.0.to_be_bytes());
            list.extend(count.to_be_bytes());
            list.extend([0; 4]);
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> UnmapList {
        UnmapList { ranges: vec![(Lba(0x0102_0304_0506), BlockCount(7)), (Lba(9), BlockCount(0))] }
    }

    #[test]
    fn a_list_stands_as_the_standard_lays_it_out_and_reads_back() {
        let list = two().encode();
        assert_eq!(list[..8], [0, 38, 0, 32, 0, 0, 0, 0]);
        assert_eq!(list[8..24], [0, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 7, 0, 0, 0, 0]);
        assert_eq!(UnmapList::decode(&list), Ok(two()));
    }

    #[test]
    fn nothing_is_asked_for_by_an_empty_list_and_by_one_without_descriptors() {
        let nothing = Ok(UnmapList { ranges: Vec::new() });
        assert_eq!(UnmapList::decode(&[]), nothing);
        assert_eq!(UnmapList::decode(&[0, 6, 0, 0, 0, 0, 0, 0]), nothing);
        assert_eq!(UnmapList::decode(&[0; 8]), nothing);
    }

    #[test]
    fn a_list_that_ends_within_what_it_announces_is_too_short() {
        let list = two().encode();
        for length in 1..list.len() {
            assert_eq!(UnmapList::decode(&list[..length]), Err(Sense::parameter_list_length()), "{length}");
        }
    }

    #[test]
    fn an_incomplete_last_descriptor_is_left_out() {
        let mut list = two().encode();
        list[3] = 31;
        assert_eq!(UnmapList::decode(&list).unwrap().ranges, two().ranges[..1]);
    }

    #[test]
    fn two_lengths_that_contradict_each_other_are_refused() {
        let mut list = two().encode();
        list[1] = 37;
        assert_eq!(UnmapList::decode(&list), Err(Sense::invalid_parameter(0, None)));
    }
}
