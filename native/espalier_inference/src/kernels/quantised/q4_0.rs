//! [`Q4_0`]: integers of four bits and a scale for 32 of them.

use half::f16;

use super::format::{Format, PartScales, ScalePanel, float_at};
use super::integers::Nibbles;
use super::{BLOCK, N_GROUPS, PANEL};

/// Integers from -8 to 7, of which 32 have a scale.
pub(crate) enum Q4_0 {}

impl Format for Q4_0 {
    const N_INPUTS: usize = BLOCK;
    const N_BYTES: usize = 2 + BLOCK / 2;
    const BIAS: u8 = 8;
    const N_GROUPS: usize = N_GROUPS;

    type Integers = Nibbles<0>;
    type Scales = [f16; PANEL];

    const NO_SCALES: Self::Scales = [f16::ZERO; PANEL];

    fn read_integers(bytes: &[u8], integers: &mut [u8]) {
        let (first, second) = integers.split_at_mut(BLOCK / 2);
        for ((first, second), pair) in first.iter_mut().zip(second).zip(&bytes[2..]) {
            (*first, *second) = (pair & 0xf, pair >> 4);
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
