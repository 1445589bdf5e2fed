//! Randomness as the engine sees it.

/// Where nonces and jitter come from: the operating system on a host (R4: for each attempt anew, for a restored memory
/// image repeats a seeded generator's), the seed in the simulator.
pub trait Random {
    /// 128 random bits, never to be seen again.
    fn nonce(&self) -> u128;

    /// 64 random bits for jitter.
    fn bits(&self) -> u64;

    /// A number below `bound`, or 0 where `bound` is 0. The bias of the modulus is harmless for jitter.
    fn below(&self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.bits() % bound }
    }
}
