//! Zeros among bytes, looked for sixteen at a time: each record that is read is searched for what must be zero.

/// Whether there is nothing but zeros.
#[must_use]
pub fn all_zero(bytes: &[u8]) -> bool {
    // Sixteen at once, which the compiler turns into vector instructions.
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Where the first byte lies that is not zero.
#[must_use]
pub fn first_not_zero(bytes: &[u8]) -> Option<usize> {
    if all_zero(bytes) { None } else { bytes.iter().position(|byte| *byte != 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_anywhere_is_not_zero() {
        for length in [1, 15, 16, 17, 100] {
            let mut bytes = vec![0; length];
            assert!(all_zero(&bytes) && first_not_zero(&bytes).is_none());
            for at in 0..length {
                bytes[at] = 1;
                assert!(!all_zero(&bytes), "byte {at} of {length}");
                assert_eq!(first_not_zero(&bytes), Some(at), "of {length}");
                bytes[at] = 0;
            }
        }
        assert!(all_zero(&[]));
    }
}
