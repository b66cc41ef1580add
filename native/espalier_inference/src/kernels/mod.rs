//! Arithmetic on plain `f32` slices: the products that a forward pass is made of. Their weights are
//! `f32` numbers or quantised ones.
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
mod exp;
mod matmul;
mod panel;
mod parts;
mod quantised;

use pulp::{Arch, Simd, WithSimd};

pub(crate) use self::attention::Attention;
use self::exp::exp;
pub(crate) use self::matmul::{matmul, pack, unpack_row};
pub(crate) use self::panel::{PANEL, Panel};
pub(crate) use self::quantised::{BlockFormat, Packed, Q8_0, QuantisedMatrix};

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
            let mean = sum_of_squares(simd, x) / size as f32;
            let scale = (mean + self.epsilon).sqrt().recip();
            for ((y, &x), &weight) in y.iter_mut().zip(x).zip(self.weight) {
                *y = x * scale * weight;
            }
        }
    }
}

/// `silu(gate) * up`, into `gate`.
pub(crate) fn swiglu(gate: &mut [f32], up: &[f32]) {
    Arch::new().dispatch(SwiGlu { gate, up });
}

struct SwiGlu<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl WithSimd for SwiGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (gate, &up) in self.gate.iter_mut().zip(self.up) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
        }
    }
}

/// `gelu(gate) * up`, into `gate`, with the approximation by a hyperbolic tangent.
pub(crate) fn geglu(gate: &mut [f32], up: &[f32]) {
    Arch::new().dispatch(GeGlu { gate, up });
}

struct GeGlu<'a> {
    gate: &'a mut [f32],
    up: &'a [f32],
}

impl WithSimd for GeGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        const CUBIC: f32 = 0.044_715;
        // Half of one plus a tangent of x is a logistic function of 2x.
        let factor = -2.0 * std::f32::consts::FRAC_2_PI.sqrt();
        for (gate, &up) in self.gate.iter_mut().zip(self.up) {
            let x = *gate;
            *gate = x / (1.0 + exp(factor * (x + CUBIC * x * x * x))) * up;
        }
    }
}

/// `cap * tanh(x / cap)` for each number.
pub(crate) fn soft_cap(numbers: &mut [f32], cap: f32) {
    Arch::new().dispatch(SoftCap { numbers, cap });
}

struct SoftCap<'a> {
    numbers: &'a mut [f32],
    cap: f32,
}

impl WithSimd for SoftCap<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        exp::soft_cap(self.numbers, 1.0, self.cap);
    }
}

/// `x + y`, into `x`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, &y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// The sum of all squares.
#[inline(always)]
fn sum_of_squares<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (whole, rest) = S::as_simd_f32s(x);
    let mut sum = simd.splat_f32s(0.0);
    for &x in whole {
        sum = simd.mul_add_f32s(x, x, sum);
    }
    simd.reduce_sum_f32s(sum) + rest.iter().map(|x| x * x).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_and_caps_are_those_of_the_library() {
        let x: Vec<f32> = (-1000..=1000).map(|step| step as f32 / 40.0).collect();
        let up = numbers(x.len(), 4);
        let (mut silu, mut gelu, mut capped) = (x.clone(), x.clone(), x.clone());
        swiglu(&mut silu, &up);
        geglu(&mut gelu, &up);
        soft_cap(&mut capped, 5.0);
        for (index, (&x, &up)) in x.iter().zip(&up).enumerate() {
            let (x, up) = (f64::from(x), f64::from(up));
            let tangent =
                ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh();
            for (got, expected) in [
                (silu[index], x / (1.0 + (-x).exp()) * up),
                (gelu[index], 0.5 * x * (1.0 + tangent) * up),
                (capped[index], 5.0 * (x / 5.0).tanh()),
            ] {
                let error = (f64::from(got) - expected).abs();
                assert!(error < 1e-6 * (1.0 + x.abs()), "{x}: {got} and {expected}");
            }
        }
    }

    pub(super) fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }
}
