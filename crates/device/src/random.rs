//! Randomness from the operating system, anew for each number (R4).

use oarlock_block::Random;
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;

/// Attempts to fill a number; only a signal cuts one short.
const ATTEMPTS_MAX: usize = 64;

/// `getrandom(2)`: nothing is kept in memory, so a restored memory image repeats nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn nonce(&self) -> u128 {
        u128::from_le_bytes(bytes())
    }

    fn bits(&self) -> u64 {
        u64::from_le_bytes(bytes())
    }
}

/// # Panics
/// Where the kernel gives no randomness. A host without it must not write: two images could be one (I1).
fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    for _ in 0..ATTEMPTS_MAX {
        match rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty()) {
            // Up to 256 bytes come whole or not at all (getrandom(2)).
            Ok(length) if length == LENGTH => return bytes,
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => break,
        }
    }
    panic!("the kernel gives no random bytes (getrandom), and without them no image may be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_nonce_comes_twice() {
        let nonces: std::collections::HashSet<u128> = (0..1000).map(|_| OsRandom.nonce()).collect();
        assert_eq!(nonces.len(), 1000);
    }
}
