//! The parameter list of SANITIZE with OVERWRITE (SBC-4, "SANITIZE command").

use oarlock_block::BlockSize;

use crate::bytes::View;
use crate::sense::Sense;

/// What SANITIZE writes over everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanitizeOverwrite {
    /// INVERT: the pattern is inverted from pass to pass.
    pub invert: bool,
    /// OVERWRITE COUNT: passes, 1 to 31.
    pub passes: u8,
    /// INITIALIZATION PATTERN: at least a byte and at most a block, repeated to fill a block.
    pub pattern: Vec<u8>,
}

impl SanitizeOverwrite {
    /// Reads the list, which is as long as the CDB's PARAMETER LIST LENGTH.
    ///
    /// # Errors
    /// INVALID FIELD IN CDB where that length is below 5 bytes or beyond a block with its header; INVALID FIELD IN PARAMETER LIST where the
    /// count or the pattern's length is not to be had; PARAMETER LIST LENGTH ERROR where the list ends within the pattern.
    pub fn decode(list: &[u8], block_size: BlockSize) -> Result<SanitizeOverwrite, Sense> {
        const TEST: u8 = 0x60;
        let too_short = || Sense::invalid_cdb(7, None);
        if list.len() < 5 || list.len() > block_size.length() + 4 {
            return Err(too_short());
        }
        let view = View(list);
        let (first, length) = view.u8(0).zip(view.u16(2)).ok_or_else(too_short)?;
        if first & TEST != 0 {
            return Err(Sense::invalid_parameter(0, Some(6)));
        }
        let passes = first & 0x1f;
        if passes == 0 {
            return Err(Sense::invalid_parameter(0, Some(4)));
        }
        if length == 0 || usize::from(length) > block_size.length() {
            return Err(Sense::invalid_parameter(2, None));
        }
        let pattern = view.bytes(4, usize::from(length)).ok_or(Sense::parameter_list_length())?.to_vec();
        Ok(SanitizeOverwrite { invert: first & 0x80 != 0, passes, pattern })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(list: &[u8]) -> Result<SanitizeOverwrite, Sense> {
        SanitizeOverwrite::decode(list, BlockSize::B512)
    }

    #[test]
    fn a_pattern_of_up_to_a_block_is_taken() {
        let taken = decode(&[0x81, 0, 0, 2, 0xaa, 0x55]).unwrap();
        assert_eq!(taken, SanitizeOverwrite { invert: true, passes: 1, pattern: vec![0xaa, 0x55] });
        let mut block = vec![0x1f, 0, 2, 0];
        block.resize(516, 7);
        assert_eq!(decode(&block).unwrap().pattern, [7; 512]);
    }

    #[test]
    fn a_list_whose_length_no_pattern_can_have_is_an_invalid_field_of_the_cdb() {
        for length in [0, 1, 4, 517] {
            assert_eq!(decode(&vec![1; length]), Err(Sense::invalid_cdb(7, None)), "{length}");
        }
    }

    #[test]
    fn no_passes_no_pattern_and_too_long_a_pattern_are_refused() {
        assert_eq!(decode(&[0, 0, 0, 1, 0]), Err(Sense::invalid_parameter(0, Some(4))));
        assert_eq!(decode(&[1, 0, 0, 0, 0]), Err(Sense::invalid_parameter(2, None)));
        assert_eq!(decode(&[1, 0, 2, 1, 0]), Err(Sense::invalid_parameter(2, None)));
        assert_eq!(decode(&[0x21, 0, 0, 1, 0]), Err(Sense::invalid_parameter(0, Some(6))));
        assert_eq!(decode(&[1, 0, 0, 2, 0]), Err(Sense::parameter_list_length()));
    }
}
