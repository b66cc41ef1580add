//! What one query gathers from the positions before it.

use pulp::{Arch, Simd, WithSimd};

use super::exp::{exp, soft_cap};
use super::panel::{PANEL, Panel, numbers, registers, sums};

/// Panels of scores that are computed together, and positions whose values are added up apart: to
/// hide the latency of each addition.
const N_TOGETHER: usize = 4;

/// One query of a head against the keys and values of all positions up to its own.
pub(crate) struct Attention<'a> {
    pub(crate) query: &'a [f32],
    /// The keys in blocks of [`PANEL`] positions: for each number of a key, a panel of positions.
    pub(crate) keys: &'a [&'a [Panel]],
    /// The values in the same blocks: position by position, each of as many panels as it fills.
    pub(crate) values: &'a [&'a [Panel]],
    /// How many of the positions count.
    pub(crate) n_positions: usize,
    /// The positions from the first that are before the query's window: fewer than a panel.
    pub(crate) n_skipped: usize,
    /// What scores are multiplied by.
    pub(crate) scale: f32,
    /// What keeps scaled scores from growing.
    pub(crate) cap: Option<f32>,
    /// Scratch space for a panel of each block.
    pub(crate) scores: &'a mut [Panel],
    pub(crate) output: &'a mut [f32],
}

impl Attention<'_> {
    /// Writes the values, weighted by the softmax of the scaled scores, to `output`.
    pub(crate) fn run(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Attention<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.attend::<S, 1>(simd),
            8 => self.attend::<S, 2>(simd),
            4 => self.attend::<S, 4>(simd),
            _ => self.attend::<S, PANEL>(simd),
        }
    }
}

impl Attention<'_> {
    /// `N` is the number of registers that hold a panel.
    #[inline(always)]
    fn attend<S: Simd, const N: usize>(mut self, simd: S) {
        self.score::<S, N>(simd);
        let mut scale = self.scale;
        if let Some(cap) = self.cap {
            soft_cap(self.scores.as_flattened_mut(), scale, cap);
            scale = 1.0;
        }
        self.scores.as_flattened_mut()[..self.n_skipped].fill(f32::NEG_INFINITY);
        let factor = softmax(self.scores, self.n_positions, scale);
        let weights = &self.scores.as_flattened()[..self.n_positions];
        let n_panels = self.output.len().div_ceil(PANEL);
        for (panel, output) in self.output.chunks_mut(PANEL).enumerate() {
            let sums = weighted_sum::<S, N>(simd, weights, self.values, panel, n_panels);
            for (output, sum) in output.iter_mut().zip(sums) {
                *output = sum * factor;
            }
        }
    }

    /// The product of the query with each key.
    #[inline(always)]
    fn score<S: Simd, const N: usize>(&mut self, simd: S) {
        let (groups, rest) = self.scores.as_chunks_mut::<N_TOGETHER>();
        let n_grouped = groups.len() * N_TOGETHER;
        for (group, scores) in groups.iter_mut().enumerate() {
            let blocks = std::array::from_fn(|i| self.keys[group * N_TOGETHER + i]);
            [*scores] = sums::<S, N, 1, N_TOGETHER>(simd, [self.query], blocks);
        }
        for (i, scores) in rest.iter_mut().enumerate() {
            [[*scores]] = sums::<S, N, 1, 1>(simd, [self.query], [self.keys[n_grouped + i]]);
        }
    }
}

/// The exponentials of the first `n` scores after scaling, relative to the highest; returns the
/// factor that makes their sum one.
#[inline(always)]
fn softmax(scores: &mut [Panel], n: usize, scale: f32) -> f32 {
    scores.as_flattened_mut()[n..].fill(f32::NEG_INFINITY);
    let mut highest = [f32::NEG_INFINITY; PANEL];
    for scores in &*scores {
        for (highest, &score) in highest.iter_mut().zip(scores) {
            *highest = if score > *highest { score } else { *highest };
        }
    }
    let highest = highest.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; PANEL];
    for scores in scores {
        for (sum, score) in sums.iter_mut().zip(scores) {
            *score = exp((*score - highest) * scale);
            *sum += *score;
        }
    }
    sums.into_iter().sum::<f32>().recip()
}

/// One of the `n_panels` of each position's value, weighted and added up.
#[inline(always)]
fn weighted_sum<S: Simd, const N: usize>(
    simd: S,
    weights: &[f32],
    values: &[&[Panel]],
    panel: usize,
    n_panels: usize,
) -> Panel {
    let mut sums = [[simd.splat_f32s(0.0); N]; N_TOGETHER];
    for (weights, values) in weights.chunks(PANEL).zip(values) {
        let values = values[panel..].iter().step_by(n_panels);
        for (i, (&weight, value)) in weights.iter().zip(values).enumerate() {
            let weight = simd.splat_f32s(weight);
            for (sum, value) in sums[i % N_TOGETHER].iter_mut().zip(registers::<S, N>(value)) {
                *sum = simd.mul_add_f32s(weight, value, *sum);
            }
        }
    }
    let [mut total, others @ ..] = sums;
    for sums in others {
        for (total, sum) in total.iter_mut().zip(sums) {
            *total = simd.add_f32s(*total, sum);
        }
    }
    numbers::<S, N>(total)
}
