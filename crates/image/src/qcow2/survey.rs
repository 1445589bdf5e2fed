//! A look at all tables of an image before anything of it is used: how much data there are, and whether the tables can be true.

use super::entry::Mapping;
use super::fault::Qcow2Fault;
use super::reader::{Qcow2Reader, Unit};
use crate::storage::Storage;

/// Units between two questions whether to go on.
const UNITS_AT_ONCE: u32 = 1 << 16;

/// What all tables say together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Bytes of the disk that are data.
    pub data_bytes: u64,
    /// Bytes of the file that tables and clusters claim.
    claimed_bytes: u64,
}

impl Census {
    fn count<S: Storage>(
        &mut self,
        image: &mut Qcow2Reader<S>,
        place: u64,
        unit: &Unit,
    ) -> Result<(), Qcow2Fault> {
        let header = *image.header();
        if unit.has_table && place.is_multiple_of(1 << header.l2_bits()) {
            self.claimed_bytes += header.cluster_length();
        }
        match unit.mapping {
            Mapping::At(_) => self.claimed_bytes += unit.end - place,
            // Of compressed ones several may share a place; that their tables have a place of their own bounds their number.
            Mapping::Compressed { .. } | Mapping::Hole | Mapping::Zeros => {}
        }
        if !image.content(place, unit)?.is_zero() {
            self.data_bytes += unit.end - place;
        }
        // The last cluster may reach beyond the file's end.
        let room = image.file_length().saturating_add(header.cluster_length());
        if self.claimed_bytes > room {
            return Err(Qcow2Fault::Overlap { length: image.file_length() });
        }
        Ok(())
    }
}

impl<S: Storage> Qcow2Reader<S> {
    /// Walks all tables. In a sound image each cluster of the file belongs to one place; more claims than the file has room for are an
    /// overlap, and without this bound a file of some megabytes could name exabytes. `None` where `goes_on` ended it.
    pub(crate) fn survey(&mut self, goes_on: &mut dyn FnMut() -> bool) -> Result<Option<Census>, Qcow2Fault> {
        let (mut census, mut place, mut units) = (Census::default(), 0, 0);
        while place < self.header().size_bytes {
            if units == UNITS_AT_ONCE {
                units = 0;
                if !goes_on() {
                    return Ok(None);
                }
            }
            units += 1;
            let unit = self.unit_at(place)?;
            census.count(self, place, &unit)?;
            place = unit.end;
        }
        Ok(Some(census))
    }
}
