//! Zeros among data.

use oarlock_block::all_zero;

/// The pieces of `bytes`, cut at multiples of `grain` from `offset` on, of which neighbours of one kind are joined: where each begins in
/// `bytes`, how long it is, and whether it is zeros.
pub fn runs(offset: u64, bytes: &[u8], grain: usize) -> Vec<(usize, usize, bool)> {
    let mut found: Vec<(usize, usize, bool)> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let place = offset + at as u64;
        let behind = (place / grain as u64 + 1) * grain as u64 - place;
        let length = usize::try_from(behind).unwrap_or(grain).min(bytes.len() - at);
        let is_zero = all_zero(&bytes[at..at + length]);
        match found.last_mut() {
            Some(last) if last.2 == is_zero => last.1 += length,
            _ => found.push((at, length, is_zero)),
        }
        at += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_found_in_whole_pieces_of_the_disk() {
        let mut bytes = vec![0; 40];
        bytes[9] = 1;
        // Pieces of 8 from byte 4 of the disk on: 4, 8, 8, 8, 8, 4 bytes.
        assert_eq!(runs(4, &bytes, 8), [(0, 4, true), (4, 8, false), (12, 28, true)]);
        assert_eq!(runs(0, &[], 8), []);
    }
}
