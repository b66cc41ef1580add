//! [`Q8_0`]: integers of eight bits and a scale for 32 of them.

use half::f16;
use pulp::{Arch, Simd, WithSimd};

use super::format::{Format, PartScales, ScalePanel, float_at};
use super::integers::Bytes;
use super::{BLOCK, N_GROUPS, PANEL, Packed, inputs};

/// Integers from -128 to 127, of which 32 have a scale.
pub(crate) enum Q8_0 {}

impl Format for Q8_0 {
    const N_INPUTS: usize = BLOCK;
    const N_BYTES: usize = 2 + BLOCK;
    const BIAS: u8 = 128;
    const N_GROUPS: usize = N_GROUPS;

    type Integers = Bytes;
    type Scales = [f16; PANEL];

    const NO_SCALES: Self::Scales = [f16::ZERO; PANEL];

    fn read_integers(bytes: &[u8], integers: &mut [u8]) {
        for (integer, &byte) in integers.iter_mut().zip(&bytes[2..]) {
            *integer = byte ^ Self::BIAS;
        }
    }

    fn read_scales(bytes: &[u8], scales: &mut Self::Scales, output: usize) {
        scales[output] = float_at(bytes, 0);
    }

    #[inline(always)]
    fn scales(scales: &Self::Scales, _part: usize) -> PartScales<'_> {
        PartScales { scales: ScalePanel { floats: scales, factors: None }, minima: None }
    }
}

impl Packed<Q8_0> {
    /// Rounds a row of `n_in` weights, which can be divided into blocks, for each output.
    pub(crate) fn quantise(weights: &[f32], n_in: usize) -> Self {
        let (blocks, _) = weights.as_chunks::<BLOCK>();
        let arch = Arch::new();
        let blocks = blocks.iter().map(|weights| arch.dispatch(Nearest { weights }));
        Self::pack(n_in, weights.len() / n_in, blocks)
    }
}

/// What finds the nearest block to some weights: the largest is 127 times its scale.
struct Nearest<'a> {
    weights: &'a [f32; BLOCK],
}

impl WithSimd for Nearest<'_> {
    type Output = [u8; Q8_0::N_BYTES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let (scale, factor) = inputs::scale(self.weights);
        let mut bytes = [0; Q8_0::N_BYTES];
        bytes[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
        for (byte, weight) in bytes[2..].iter_mut().zip(self.weights) {
            *byte = (weight * factor).round() as i32 as u8;
        }
        bytes
    }
}
