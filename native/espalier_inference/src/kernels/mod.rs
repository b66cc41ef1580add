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

mod attention;
mod matmul;

use pulp::{Arch, Simd, WithSimd};

pub(crate) use self::attention::Attention;
pub(crate) use self::matmul::{PANEL, matmul, pack, unpack_row};

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
            let [sum] = dots(simd, x, [x]);
            let scale = (sum / size as f32 + self.epsilon).sqrt().recip();
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

/// The dot products of a slice with others of the same length.
#[inline(always)]
fn dots<S: Simd, const N: usize>(simd: S, x: &[f32], others: [&[f32]; N]) -> [f32; N] {
    let (x, x_rest) = S::as_simd_f32s(x);
    let others = others.map(|other| S::as_simd_f32s(other));
    let others_whole = others.map(|(whole, _)| &whole[..x.len()]);
    let mut sums = [simd.splat_f32s(0.0); N];
    for (i, &x) in x.iter().enumerate() {
        for (sum, other) in sums.iter_mut().zip(others_whole) {
            *sum = simd.mul_add_f32s(x, other[i], *sum);
        }
    }
    std::array::from_fn(|n| {
        let rest = x_rest.iter().zip(others[n].1).map(|(x, y)| x * y);
        simd.reduce_sum_f32s(sums[n]) + rest.sum::<f32>()
    })
}

#[cfg(test)]
mod tests {
    pub(super) fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }
}
