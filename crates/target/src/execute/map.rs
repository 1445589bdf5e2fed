//! What a unit has mapped: GET LBA STATUS, and UNMAP's list (SBC-4).

use oarlock_block::{BlockCount, Lba};
use oarlock_scsi::{AdditionalSense, GetLbaStatus, Sense, check_range};

use super::{Reply, Work};
use crate::task::{Outcome, Stop};

/// Descriptors of one answer.
const DESCRIPTORS_MAX: usize = 64;

impl Work {
    pub(super) async fn get_lba_status(&self, status: GetLbaStatus) -> Outcome<Reply> {
        check_range(status.lba, BlockCount(1), self.unit.blocks())?;
        let room = (status.allocation_length as usize).saturating_sub(8) / 16;
        let block = u64::from(self.unit.block_size().bytes());
        let size = self.unit.geometry().size().0;
        let mut at = status.lba.byte_offset(self.unit.block_size());
        let mut list = Vec::new();
        while at < size && list.len() < room.clamp(1, DESCRIPTORS_MAX) * 16 {
            let region = self.unit.medium.region(at).map_err(|_| {
                Stop::from(Sense::new(oarlock_scsi::SenseKey::MediumError, AdditionalSense::UNRECOVERED_READ_ERROR))
            })?;
            // A block that has a byte of data is mapped as a whole.
            let end = if region.has_data { region.end_byte.next_multiple_of(block) } else { region.end_byte / block * block };
            let is_mapped = region.has_data || end <= at || !self.unit.traits.is_thin;
            let end = end.max(at + block).min(size);
            let count = ((end - at) / block).min(u64::from(u32::MAX));
            list.extend_from_slice(&(at / block).to_be_bytes());
            list.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
            list.extend_from_slice(&[u8::from(!is_mapped), 0, 0, 0]);
            at += count * block;
        }
        let length = u32::try_from(list.len() + 4).unwrap_or(u32::MAX);
        let mut data = length.to_be_bytes().to_vec();
        data.extend_from_slice(&[0; 4]);
        data.extend_from_slice(&list);
        Ok(Reply::bytes(data, status.allocation_length))
    }
}

/// The descriptors of an UNMAP parameter list.
pub(super) fn unmap_descriptors(list: &[u8]) -> Outcome<Vec<(Lba, BlockCount)>> {
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let Some((header, rest)) = list.split_first_chunk::<8>() else {
        return Err(Sense::parameter_list_length().into());
    };
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let rest = rest.get(..length).unwrap_or(rest);
    Ok(rest.as_chunks::<16>().0.iter().map(|descriptor| {
        let [l0, l1, l2, l3, l4, l5, l6, l7, c0, c1, c2, c3, ..] = *descriptor;
        let lba = Lba(u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]));
        (lba, BlockCount(u64::from(u32::from_be_bytes([c0, c1, c2, c3]))))
    }).collect())
}
