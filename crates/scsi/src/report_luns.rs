//! REPORT LUNS parameter data (SPC-5).

use crate::bytes::{View, length_u32};
use crate::lun::Lun;

/// The units of a target, as REPORT LUNS lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LunList {
    /// Their LUNs, in order.
    pub luns: Vec<Lun>,
}

impl LunList {
    /// The parameter data. LUN LIST LENGTH counts all, whatever the allocation length cuts off.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut data = length_u32(self.luns.len() * 8).to_be_bytes().to_vec();
        data.extend([0; 4]);
        data.extend(self.luns.iter().flat_map(|lun| lun.0));
        data
    }

    /// Reads the parameter data: the LUNs that came.
    #[must_use]
    pub fn decode(data: &[u8]) -> Option<LunList> {
        let length = View(data).u32(0)? as usize;
        let list = data.get(8..)?;
        let list = list.get(..length).unwrap_or(list);
        let luns = list.chunks_exact(8).filter_map(|lun| lun.try_into().ok()).map(Lun);
        Some(LunList { luns: luns.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_its_whole_length_and_reads_back_as_much_as_came() {
        let list = LunList { luns: vec![Lun::unit(0).unwrap(), Lun::unit(7).unwrap()] };
        let data = list.encode();
        assert_eq!(data, [0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]);
        assert_eq!(LunList::decode(&data).unwrap(), list);
        assert_eq!(LunList::decode(&data[..20]).unwrap().luns, list.luns[..1]);
        assert_eq!(LunList::decode(&data[..7]), None);
    }
}
