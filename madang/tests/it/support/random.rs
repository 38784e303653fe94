//! Chance that can be had again.

use std::hash::{BuildHasher, RandomState};

/// The seed of a random test: from `MADANG_TEST_SEED`, or by chance. It is printed, for the replay of a run that failed.
#[allow(clippy::print_stdout)]
pub(crate) fn seed() -> u64 {
    let given = std::env::var("MADANG_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(())).max(1);
    println!("MADANG_TEST_SEED={seed}");
    seed
}

/// Numbers by chance: Marsaglia's xorshift of 64 bits.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// From a seed that it prints: see [`seed`].
    pub(crate) fn new() -> Random {
        Random(seed())
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}
