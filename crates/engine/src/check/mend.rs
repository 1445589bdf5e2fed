//! Mending: a block from which one bit rotted away proves its own content.
//!
//! CRC32C has a Hamming distance of at least 4 over blocks of this length (Koopman, "32-bit cyclic redundancy codes for
//! internet applications", 2002): if one flipped bit makes the checksum hold, no second one does, and what then stands
//! there is what was written. Torn blocks, zeros and strangers prove nothing, and are not guessed at.

use oarlock_format::{DecodeError, Place, Record, Stamped};

/// The record that stands in a block but for one bit.
pub(crate) fn mend<R: Record>(bytes: &[u8], place: &Place) -> Option<Stamped<R>> {
    if !matches!(oarlock_format::decode::<R>(bytes, place), Err(DecodeError::Checksum { .. })) {
        return None;
    }
    let mut tried = bytes.to_vec();
    for index in 0..tried.len() {
        for bit in 0..u8::BITS {
            tried[index] ^= 1 << bit;
            if let Ok(stamped) = oarlock_format::decode::<R>(&tried, place) {
                return Some(stamped);
            }
            tried[index] ^= 1 << bit;
        }
    }
    None
}
