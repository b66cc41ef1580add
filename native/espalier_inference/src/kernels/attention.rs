//! What one query gathers from the positions before it.

use pulp::{Arch, Simd, WithSimd};

use super::dots;

/// Scores computed together, to hide the latency of each addition.
const N_SCORES: usize = 8;

/// One query against the keys and values of all positions up to its own.
///
/// `keys` and `values` hold a row of `stride` numbers for each position; the head's part starts at
/// `offset` in each. `scores` is scratch space with one number for each position.
pub(crate) struct Attention<'a> {
    pub(crate) query: &'a [f32],
    pub(crate) keys: &'a [f32],
    pub(crate) values: &'a [f32],
    pub(crate) stride: usize,
    pub(crate) offset: usize,
    pub(crate) scores: &'a mut [f32],
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
        let Self { query, keys, values, stride, offset, scores, output } = self;
        let size = query.len();
        let scale = (size as f32).sqrt().recip();
        let key = |position: usize| &keys[position * stride + offset..][..size];
        let (groups, rest) = scores.as_chunks_mut::<N_SCORES>();
        let grouped = groups.len() * N_SCORES;
        for (group, scores) in groups.iter_mut().enumerate() {
            let keys = std::array::from_fn(|i| key(group * N_SCORES + i));
            *scores = dots(simd, query, keys).map(|score| score * scale);
        }
        for (i, score) in rest.iter_mut().enumerate() {
            let [dot] = dots(simd, query, [key(grouped + i)]);
            *score = dot * scale;
        }
        softmax(scores);
        output.fill(0.0);
        for (&weight, value) in scores.iter().zip(values.chunks_exact(stride)) {
            for (sum, &value) in output.iter_mut().zip(&value[offset..][..size]) {
                *sum += weight * value;
            }
        }
    }
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    let scale = 1.0 / sum;
    for score in scores {
        *score *= scale;
    }
}
