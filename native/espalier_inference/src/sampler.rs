//! [`Sampler`]: logits to a token id, with the request's own random numbers.

use espalier_constraint::TokenMask;
use rand_core::{RngCore, SeedableRng};
use rand_pcg::Pcg64;
use rustc_hash::FxHashMap;

use crate::logits::{self, Occurrences};
use crate::sampling::Sampling;

/// Draws the tokens of one sequence.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    /// PCG XSL RR 128/64: its numbers are the same on every machine and in every version.
    random: Pcg64,
    occurrences: FxHashMap<u32, Occurrences>,
}

impl Sampler {
    /// A sampler for a sequence that starts with `prompt`.
    pub(crate) fn new(sampling: Sampling, prompt: &[u32]) -> Self {
        let random = Pcg64::seed_from_u64(sampling.seed);
        let mut occurrences: FxHashMap<u32, Occurrences> = FxHashMap::default();
        if sampling.has_penalties() {
            for &id in prompt {
                occurrences.entry(id).or_default().in_prompt += 1;
            }
        }
        Self { sampling, random, occurrences }
    }

    /// Counts a token of the text, sampled or forced, for the penalties.
    pub(crate) fn record(&mut self, id: u32) {
        if self.sampling.has_penalties() {
            self.occurrences.entry(id).or_default().in_text += 1;
        }
    }

    /// Draws one of the tokens that the mask allows, or of all below `n_ids` without one; `None`
    /// where there are none.
    ///
    /// Uses one random number for a draw and none for a greedy choice.
    pub(crate) fn sample(
        &mut self,
        logits: &[f32],
        n_ids: usize,
        mask: Option<&TokenMask>,
    ) -> Option<u32> {
        let mut candidates = logits::candidates(logits, n_ids, mask);
        logits::bias(&mut candidates, &self.sampling.logit_bias);
        logits::penalize(&mut candidates, &self.occurrences, &self.sampling);
        if self.sampling.temperature == 0.0 {
            return logits::likeliest(&candidates).map(|candidate| candidate.id);
        }
        logits::to_weights(&mut candidates, self.sampling.temperature);
        if let Some(k) = self.sampling.top_k {
            logits::keep_top_k(&mut candidates, k);
        }
        logits::keep_top_p(&mut candidates, self.sampling.top_p);
        logits::keep_min_p(&mut candidates, self.sampling.min_p);
        logits::keep_typical_p(&mut candidates, self.sampling.typical_p);
        logits::draw(&mut candidates, self.next_point())
    }

    /// A number from 0 up to, but not 1, in steps of 2^-53.
    fn next_point(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(sampling: Sampling, logits: &[f32], n: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling, &[]);
        (0..n).map(|_| sampler.sample(logits, logits.len(), None).unwrap()).collect()
    }

    #[test]
    fn follows_the_distribution() {
        let logits = [0.1f32, 0.2, 0.7].map(f32::ln);
        let n = 20_000;
        let drawn = draws(Sampling::default(), &logits, n);
        for (id, expected) in [(0, 0.1), (1, 0.2), (2, 0.7)] {
            let share = drawn.iter().filter(|&&drawn| drawn == id).count() as f64 / n as f64;
            assert!((share - expected).abs() < 0.015, "{id}: {share}");
        }
    }

    #[test]
    fn temperature_sharpens_and_zero_is_greedy() {
        let logits = [1.0, 2.0, 0.0];
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(draws(greedy, &logits, 50), [1; 50]);
        let cold = Sampling { temperature: 1e-30, ..Sampling::default() };
        assert_eq!(draws(cold, &logits, 50), [1; 50]);
        let top_one = Sampling { top_k: Some(1), temperature: 5.0, ..Sampling::default() };
        assert_eq!(draws(top_one, &logits, 50), [1; 50]);
    }

    #[test]
    fn same_seed_same_draws() {
        let logits = [0.0; 100];
        let seeded = |seed| draws(Sampling { seed, ..Sampling::default() }, &logits, 20);
        assert_eq!(seeded(1), seeded(1));
        assert_ne!(seeded(1), seeded(2));
    }

    /// A text must not change with an update of a dependency.
    #[test]
    fn random_numbers_are_pinned() {
        let mut sampler = Sampler::new(Sampling { seed: 42, ..Sampling::default() }, &[]);
        for expected in [0.226_512, 0.239_106, 0.760_833, 0.527_839] {
            assert!((sampler.next_point() - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_bias_moves_choices() {
        let logits = [1.0, 2.0, 3.0];
        for (logit_bias, chosen) in
            [(vec![], 2), (vec![(2, -5.0)], 1), (vec![(0, 2.5)], 0), (vec![(9, 100.0)], 2)]
        {
            let sampling = Sampling { temperature: 0.0, logit_bias, ..Sampling::default() };
            assert_eq!(draws(sampling, &logits, 1), [chosen]);
        }
    }

    #[test]
    fn repeated_tokens_lose_to_others() {
        let sampling = Sampling { temperature: 0.0, frequency_penalty: 0.6, ..Sampling::default() };
        let mut sampler = Sampler::new(sampling, &[]);
        let mut drawn = Vec::new();
        for _ in 0..4 {
            let id = sampler.sample(&[1.0, 0.5], 2, None).unwrap();
            sampler.record(id);
            drawn.push(id);
        }
        assert_eq!(drawn, [0, 1, 0, 1]);
    }
}
