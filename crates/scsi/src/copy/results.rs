//! What RECEIVE COPY RESULTS tells of a copy (SPC-4).

use crate::bytes::{View, length_u16, length_u32, put};
use crate::sense::{Sense, SenseForm};
use crate::status::Status;

/// COPY MANAGER STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CopyManagerStatus {
    /// 00h: under way.
    InProgress = 0x00,
    /// 01h: done, without errors.
    Done = 0x01,
    /// 02h: over, with errors.
    Failed = 0x02,
}

/// The data of RECEIVE COPY STATUS(LID1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyStatus {
    /// HDD: held data of this copy were discarded.
    pub held_data_discarded: bool,
    /// COPY MANAGER STATUS.
    pub status: CopyManagerStatus,
    /// SEGMENTS PROCESSED.
    pub segments_processed: u16,
    /// TRANSFER COUNT, in bytes: told in the smallest unit that fits.
    pub bytes_transferred: u64,
}

/// TRANSFER COUNT UNITS 0 to 6 count in 1,024 to their power bytes.
const UNIT_LARGEST: u8 = 6;

impl CopyStatus {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (mut unit, mut count) = (0, self.bytes_transferred);
        while count > u64::from(u32::MAX) && unit < UNIT_LARGEST {
            (unit, count) = (unit + 1, count >> 10);
        }
        let mut data = vec![0, 0, 0, 8, u8::from(self.held_data_discarded) << 7 | self.status as u8];
        data.extend(self.segments_processed.to_be_bytes());
        data.push(unit);
        data.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
        data
    }

    /// Reads the parameter data; `None` where they are cut short, or in a status or unit that SPC-4 does not define.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<CopyStatus> {
        let view = View(data);
        let status = match view.u8(4)? & 0x7f {
            0 => CopyManagerStatus::InProgress,
            1 => CopyManagerStatus::Done,
            2 => CopyManagerStatus::Failed,
            _ => return None,
        };
        let unit = view.u8(7).filter(|unit| *unit <= UNIT_LARGEST)?;
        Some(CopyStatus {
            held_data_discarded: view.bit(4, 7),
            status,
            segments_processed: view.u16(5)?,
            bytes_transferred: u64::from(view.u32(8)?).checked_mul(1 << (10 * u32::from(unit)))?,
        })
    }
}

/// The data of RECEIVE COPY FAILURE DETAILS(LID1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyFailure {
    /// The status and the sense data that the copy ended with; `None` where it did not fail, or nothing is held of it.
    pub failure: Option<(Status, Sense)>,
}

impl CopyFailure {
    /// The parameter data.
    #[must_use]
    pub fn encode(&self, form: SenseForm) -> Vec<u8> {
        const FIXED: usize = 60;
        let Some((status, sense)) = self.failure else { return vec![0; 4] };
        let sense = sense.encode(form);
        let mut data = vec![0; FIXED];
        data[56] = status.0;
        put(&mut data, 58, &length_u16(sense.len()).to_be_bytes());
        data.extend(sense);
        let length = length_u32(data.len() - 4);
        put(&mut data, 0, &length.to_be_bytes());
        data
    }

    /// Reads the parameter data; `None` where they are cut short.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<CopyFailure> {
        let view = View(data);
        if view.u32(0)? == 0 {
            return Some(CopyFailure { failure: None });
        }
        let length = usize::from(view.u16(58)?);
        let sense = Sense::decode(view.bytes(60, length)?)?;
        Some(CopyFailure { failure: Some((Status(view.u8(56)?), sense)) })
    }
}
