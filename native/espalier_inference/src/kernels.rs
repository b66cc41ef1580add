//! Arithmetic on plain `f32` slices: the products that a forward pass is made of.
//!
//! A row's result never depends on how many other rows are computed with it: each dot product
//! adds its terms in the same order, whatever the blocking. So a sequence gets bit for bit the
//! same logits alone and in a batch, which a general matrix product (that switches kernels by
//! shape) doesn't give.

#![expect(
    clippy::inline_always,
    reason = "what isn't inlined into `with_simd` misses its CPU features"
)]

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Products with fewer multiplications than this (some 8 µs) stay on one thread: sharing them
/// would cost more than it gains.
const MIN_PARALLEL_WORK: usize = 1 << 17;

/// `x[row] · w[out]` for all rows and outputs: `y[row * n_out + out]`.
///
/// `w` holds `n_out` rows of `n_in` weights, as a linear layer is stored. The lengths of the
/// slices must agree with `n_in`, or the function panics. Large products are shared among the
/// threads of the pool that the caller runs in.
pub(crate) fn matmul(x: &[f32], w: &[f32], n_in: usize, y: &mut [f32]) {
    let (n_rows, n_out) = (x.len() / n_in, w.len() / n_in);
    assert_eq!(n_rows * n_out, y.len(), "shapes of a matrix product disagree");
    let n_threads = rayon::current_num_threads();
    if n_threads == 1 || n_rows * w.len() < MIN_PARALLEL_WORK {
        return matmul_on_this_thread(x, w, n_in, y);
    }
    let n_part = n_out.div_ceil(n_threads);
    let parts = w.par_chunks(n_part * n_in).map(|w| {
        let mut part = vec![0.0; n_rows * (w.len() / n_in)];
        matmul_on_this_thread(x, w, n_in, &mut part);
        part
    });
    for (index, part) in parts.collect::<Vec<_>>().iter().enumerate() {
        let width = part.len() / n_rows;
        for (part, y) in part.chunks_exact(width).zip(y.chunks_exact_mut(n_out)) {
            y[index * n_part..][..width].copy_from_slice(part);
        }
    }
}

fn matmul_on_this_thread(x: &[f32], w: &[f32], n_in: usize, y: &mut [f32]) {
    Arch::new().dispatch(Matmul { x, w, n_in, y });
}

struct Matmul<'a> {
    x: &'a [f32],
    w: &'a [f32],
    n_in: usize,
    y: &'a mut [f32],
}

impl WithSimd for Matmul<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { x, w, n_in, y } = self;
        let n_rows = x.len() / n_in;
        let blocked = n_rows - n_rows % 4;
        let (x_blocked, x_rest) = x.split_at(blocked * n_in);
        let (y_blocked, y_rest) = y.split_at_mut(blocked * (w.len() / n_in));
        tiles::<S, 4, 2>(simd, x_blocked, w, n_in, y_blocked);
        tiles::<S, 1, 8>(simd, x_rest, w, n_in, y_rest);
    }
}

/// Goes over the weights once, `OUTS` rows of them at a time, and over all rows for each.
///
/// The number of rows is a multiple of `ROWS`.
#[inline(always)]
fn tiles<S: Simd, const ROWS: usize, const OUTS: usize>(
    simd: S,
    x: &[f32],
    w: &[f32],
    n_in: usize,
    y: &mut [f32],
) {
    if x.is_empty() {
        return;
    }
    let n_out = w.len() / n_in;
    let blocked = n_out - n_out % OUTS;
    for out in (0..blocked).step_by(OUTS) {
        let weights = std::array::from_fn(|i| &w[(out + i) * n_in..][..n_in]);
        tile_column::<S, ROWS, OUTS>(simd, x, weights, out, n_out, y);
    }
    for out in blocked..n_out {
        tile_column::<S, ROWS, 1>(simd, x, [&w[out * n_in..][..n_in]], out, n_out, y);
    }
}

#[inline(always)]
fn tile_column<S: Simd, const ROWS: usize, const OUTS: usize>(
    simd: S,
    x: &[f32],
    weights: [&[f32]; OUTS],
    out: usize,
    n_out: usize,
    y: &mut [f32],
) {
    let n_in = weights[0].len();
    for row in (0..x.len() / n_in).step_by(ROWS) {
        let rows = std::array::from_fn(|i| &x[(row + i) * n_in..][..n_in]);
        let sums = dot_tile::<S, ROWS, OUTS>(simd, rows, weights);
        for (i, sums) in sums.iter().enumerate() {
            y[(row + i) * n_out + out..][..OUTS].copy_from_slice(sums);
        }
    }
}

/// The dot products of each row with each column, in registers.
#[inline(always)]
fn dot_tile<S: Simd, const ROWS: usize, const OUTS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    weights: [&[f32]; OUTS],
) -> [[f32; OUTS]; ROWS] {
    let rows = rows.map(S::as_simd_f32s);
    let weights = weights.map(S::as_simd_f32s);
    let mut sums = [[simd.splat_f32s(0.0); OUTS]; ROWS];
    for chunk in 0..rows[0].0.len() {
        let weights = weights.map(|weight| weight.0[chunk]);
        for (row, sums) in rows.iter().zip(&mut sums) {
            let x = row.0[chunk];
            for (&weight, sum) in weights.iter().zip(sums) {
                *sum = simd.mul_add_f32s(x, weight, *sum);
            }
        }
    }
    let mut totals = [[0.0; OUTS]; ROWS];
    for ((totals, sums), row) in totals.iter_mut().zip(&sums).zip(rows) {
        for ((total, sum), weight) in totals.iter_mut().zip(sums).zip(weights) {
            *total = simd.reduce_sum_f32s(*sum) + tail(row.1, weight.1);
        }
    }
    totals
}

#[inline(always)]
fn tail(a: &[f32], b: &[f32]) -> f32 {
    let mut sum = 0.0;
    for (&a, &b) in a.iter().zip(b) {
        sum += a * b;
    }
    sum
}

/// The dot product of two slices of the same length.
#[inline(always)]
fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let [[sum]] = dot_tile(simd, [a], [b]);
    sum
}

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
        for (score, key) in scores.iter_mut().zip(keys.chunks_exact(stride)) {
            *score = dot(simd, query, &key[offset..][..size]) * scale;
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

/// `x / sqrt(mean(x²) + epsilon) * weight` for each row, into `y`.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], epsilon: f32, y: &mut [f32]) {
    Arch::new().dispatch(RmsNorm { x, weight, epsilon, y });
}

struct RmsNorm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
    y: &'a mut [f32],
}

impl WithSimd for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let size = self.weight.len();
        for (x, y) in self.x.chunks_exact(size).zip(self.y.chunks_exact_mut(size)) {
            let mean = dot(simd, x, x) / size as f32;
            let scale = (mean + self.epsilon).sqrt().recip();
            for ((y, &x), &weight) in y.iter_mut().zip(x).zip(self.weight) {
                *y = x * scale * weight;
            }
        }
    }
}

/// `silu(gate) * up`, into `gate`.
pub(crate) fn swiglu(gate: &mut [f32], up: &[f32]) {
    for (gate, &up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}

/// `x + y`, into `x`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn products_agree_with_the_plain_sum() {
        for (n_rows, n_in, n_out) in [(1, 1, 1), (1, 19, 11), (3, 8, 2), (7, 33, 17), (8, 64, 40)] {
            let (x, w) = (numbers(n_rows * n_in, 1), numbers(n_out * n_in, 2));
            let mut y = vec![0.0; n_rows * n_out];
            matmul(&x, &w, n_in, &mut y);
            for row in 0..n_rows {
                for out in 0..n_out {
                    let exact: f64 = (0..n_in)
                        .map(|i| f64::from(x[row * n_in + i]) * f64::from(w[out * n_in + i]))
                        .sum();
                    assert!((f64::from(y[row * n_out + out]) - exact).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let (n_in, n_out) = (96, 50);
        let (x, w) = (numbers(9 * n_in, 3), numbers(n_out * n_in, 4));
        let mut together = vec![0.0; 9 * n_out];
        matmul(&x, &w, n_in, &mut together);
        for (x, expected) in x.chunks(n_in).zip(together.chunks(n_out)) {
            let mut alone = vec![0.0; n_out];
            matmul(x, &w, n_in, &mut alone);
            assert_eq!(alone, expected);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let (n_in, n_out) = (256, 1001);
        let (x, w) = (numbers(5 * n_in, 5), numbers(n_out * n_in, 6));
        let (mut shared, mut alone) = (vec![0.0; 5 * n_out], vec![0.0; 5 * n_out]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| matmul(&x, &w, n_in, &mut shared));
        matmul_on_this_thread(&x, &w, n_in, &mut alone);
        assert_eq!(shared, alone);
    }
}
