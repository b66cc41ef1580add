//! A small random generator: the same seed gives the same numbers everywhere.

/// `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// How many cases to run: those that `ESPALIER_CASES` names, or the default.
pub(crate) fn n_cases(default: usize) -> u64 {
    let cases = std::env::var("ESPALIER_CASES").ok();
    cases.and_then(|cases| cases.parse().ok()).unwrap_or(default as u64)
}

/// The seeds to run: those from `ESPALIER_SEED` on, from 0 by default.
pub(crate) fn seeds(default: usize) -> std::ops::Range<u64> {
    let first = std::env::var("ESPALIER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    first..first + n_cases(default)
}
