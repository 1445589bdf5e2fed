//! READ DEFECT DATA parameter data of a unit without defects (SBC-4).

use crate::bytes::flag;
use crate::command::ReadDefectData;

/// The parameter data: lists that were asked for are valid, empty, and in the format that was asked for.
#[must_use]
pub fn empty_defect_list(request: &ReadDefectData) -> Vec<u8> {
    let lists = flag(request.primary, 4) | flag(request.grown, 3) | request.format & 7;
    let length = if request.is_twelve { 8 } else { 4 };
    let mut data = vec![0; length];
    data[1] = lists;
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Operation, decode};

    fn answer(cdb: &[u8]) -> Vec<u8> {
        match decode(cdb).unwrap().operation {
            Operation::ReadDefectData(request) => empty_defect_list(&request),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_lists_and_the_format_are_those_that_were_asked_for() {
        assert_eq!(answer(&[0x37, 0, 0x1d, 0, 0, 0, 0, 0, 32, 0]), [0, 0x1d, 0, 0]);
        assert_eq!(answer(&[0xb7, 0x08, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0]), [0, 0x08, 0, 0, 0, 0, 0, 0]);
    }
}
