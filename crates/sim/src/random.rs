//! A host's randomness: a stream of its own for each life, drawn from the world's seed (R4).

use std::cell::RefCell;

use oarlock_block::Random;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng as _, SeedableRng as _};

use crate::choices::mix;
use crate::{HostIndex, Life};

/// Nonces and jitter of one life of one host. Not part of the world's [choices](crate::Choices): an exhaustive run
/// does not enumerate them.
pub struct SimRandom {
    generator: RefCell<Xoshiro256PlusPlus>,
}

impl SimRandom {
    pub(crate) fn new(seed: u64, host: HostIndex, life: Life, stream: u64) -> SimRandom {
        let seed = mix(seed, &[0x72, u64::from(host.0), u64::from(life.0), stream]);
        SimRandom { generator: RefCell::new(Xoshiro256PlusPlus::seed_from_u64(seed)) }
    }
}

impl Random for SimRandom {
    fn nonce(&self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    fn bits(&self) -> u64 {
        self.generator.borrow_mut().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_life_has_its_own_stream_and_the_seed_repeats_it() {
        let first = |seed, host, life| SimRandom::new(seed, HostIndex(host), Life(life), 0).nonce();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        let others = [first(1, 2, 4), first(1, 3, 3), first(2, 2, 3), first(1, 3, 2)];
        assert!(others.iter().all(|other| *other != first(1, 2, 3)));
    }
}
