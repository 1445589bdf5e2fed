//! GET LBA STATUS parameter data (SBC-4).

use oarlock_block::{BlockCount, Lba};

use crate::bytes::{View, length_u32};

/// PROVISIONING STATUS: whether blocks have room of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LbaStatus {
    /// 0h: mapped, or not told.
    Mapped,
    /// 1h: deallocated.
    Deallocated,
    /// 2h: anchored: without data, with room.
    Anchored,
}

/// The status of some ranges, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LbaStatusList {
    /// The first block, the count and the status of each; the first one begins at, or before, the block that was asked about.
    pub ranges: Vec<(Lba, u32, LbaStatus)>,
}

impl LbaStatusList {
    /// The descriptors that an allocation length has room for, at least one: more need not be looked up.
    #[must_use]
    pub const fn room(allocation_length: u32) -> usize {
        let room = allocation_length.saturating_sub(8) as usize / 16;
        if room == 0 { 1 } else { room }
    }

    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = length_u32(4 + self.ranges.len() * 16).to_be_bytes().to_vec();
        data.extend([0; 4]);
        for (lba, count, status) in &self.ranges {
            data.extend(lba.0.to_be_bytes());
            data.extend(count.to_be_bytes());
            let status = match status {
                LbaStatus::Mapped => 0,
                LbaStatus::Deallocated => 1,
                LbaStatus::Anchored => 2,
            };
            data.extend([status, 0, 0, 0]);
        }
        data
    }

    /// Reads the parameter data, up to a descriptor that is cut short. A status that SBC-4 does not define counts as mapped.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<LbaStatusList> {
        let length = (View(data).u32(0)? as usize).checked_sub(4)?;
        let list = data.get(8..)?;
        let list = list.get(..length).unwrap_or(list);
        let ranges = list.chunks_exact(16).filter_map(|descriptor| {
            let view = View(descriptor);
            let status = match view.u8(12)? & 0x0f {
                1 => LbaStatus::Deallocated,
                2 => LbaStatus::Anchored,
                _ => LbaStatus::Mapped,
            };
            Some((Lba(view.u64(0)?), view.u32(8)?, status))
        });
        Some(LbaStatusList { ranges: ranges.collect() })
    }

    /// The blocks that the list covers from `lba` on.
    #[must_use]
    pub fn covered_from(&self, lba: Lba) -> BlockCount {
        let end =
            self.ranges.last().map_or(lba.0, |(start, count, _)| start.0.saturating_add(u64::from(*count)));
        BlockCount(end.saturating_sub(lba.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_stand_as_the_standard_lays_them_out_and_read_back() {
        let list = LbaStatusList {
            ranges: vec![(Lba(8), 4, LbaStatus::Mapped), (Lba(12), 0x0102, LbaStatus::Deallocated)],
        };
        let data = list.encode();
        assert_eq!(data[..8], [0, 0, 0, 36, 0, 0, 0, 0]);
        assert_eq!(data[24..], [0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 1, 2, 1, 0, 0, 0]);
        assert_eq!(LbaStatusList::decode(&data), Some(list.clone()));
        assert_eq!(LbaStatusList::decode(&data[..39]).unwrap().ranges, list.ranges[..1]);
        assert_eq!(list.covered_from(Lba(10)), BlockCount(12 + 0x0102 - 10));
    }

    #[test]
    fn room_is_counted_in_whole_descriptors_and_never_none() {
        assert_eq!([0, 24, 39, 40].map(LbaStatusList::room), [1, 1, 1, 2]);
    }
}
