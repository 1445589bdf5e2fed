//! A digest of 64 bits for what is compared a million times: the message of a line, what makes two facts one.
//!
//! Each step multiplies to 128 bits and folds the halves (as wyhash does). It is several times as fast as the standard library's
//! hash, and as steady from run to run. It keeps no enemy out: who makes two of his own lines collide has two lines counted as one.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

/// Odd, with about as many ones as zeros: digits of pi and of the golden ratio.
const STEP: u64 = 0x243f_6a88_85a3_08d3;
const FOLD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The digest of anything.
pub fn digest(what: &(impl Hash + ?Sized)) -> u64 {
    let mut digest = Digest(FOLD);
    what.hash(&mut digest);
    digest.finish()
}

/// Builds the hashers of maps whose keys are digests already, or are made from what was read: seeded anew for each map, so that nobody can
/// know which of his names collide.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Default for Seeded {
    fn default() -> Seeded {
        Seeded(RandomState::new().hash_one(FOLD))
    }
}

impl BuildHasher for Seeded {
    type Hasher = Digest;

    fn build_hasher(&self) -> Digest {
        Digest(self.0)
    }
}

/// A digest in the making.
#[derive(Debug)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Digest {
        Digest(FOLD)
    }
}

impl Digest {
    fn step(&mut self, word: u64) {
        let wide = u128::from(self.0 ^ word) * u128::from(STEP | 1);
        let [low, high] =
            [wide & u128::from(u64::MAX), wide >> 64].map(|half| u64::try_from(half).unwrap_or(0));
        self.0 = (low ^ high).wrapping_add(FOLD);
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.step(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.step(u64::from_le_bytes(word));
        }
        self.step(bytes.len() as u64);
    }

    fn write_u8(&mut self, value: u8) {
        self.step(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.step(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.step(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.step(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_differ_anywhere_have_different_digests() {
        let mut seen = HashSet::new();
        let line = "ScsiDeviceIO: 2651: Cmd(0x43be) 0x89 to dev naa.6";
        for end in 0..=line.len() {
            assert!(seen.insert(digest(&line[..end])), "{end}");
        }
        for number in 0..200_000_u64 {
            assert!(seen.insert(digest(&(number, "x"))), "{number}");
        }
        assert_eq!(digest(line), digest(&line.to_owned()));
    }
}
