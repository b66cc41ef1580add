//! [`Q6K`]: integers of six bits, with scales of eight.

use half::f16;

use super::PANEL;
use super::format::{Format, PartScales, ScalePanel, float_at};
use super::integers::Nibbles;

/// Parts of a block that have a scale of their own.
const N_PARTS: usize = 16;

/// Inputs whose bits lie side by side in a file: their low ones in 64 bytes, their high ones in 32.
const N_TOGETHER: usize = 128;

/// Where the high bits, the factors and the scale of a block begin in a file.
const PLACES: (usize, usize, usize) = (128, 192, 208);

/// Integers from -32 to 31, of which 16 have a scale, and 256 a scale of these.
pub(crate) enum Q6K {}

#[derive(Clone)]
pub(crate) struct Scales {
    floats: [f16; PANEL],
    factors: [[i8; PANEL]; N_PARTS],
}

impl Format for Q6K {
    const N_INPUTS: usize = 2 * N_TOGETHER;
    const N_BYTES: usize = PLACES.2 + 2;
    const BIAS: u8 = 32;
    const N_GROUPS: usize = 4;

    type Integers = Nibbles<2>;
    type Scales = Scales;

    const NO_SCALES: Scales = Scales { floats: [f16::ZERO; PANEL], factors: [[0; PANEL]; N_PARTS] };

    fn read_integers(bytes: &[u8], integers: &mut [u8]) {
        let (low, high) = bytes.split_at(PLACES.0);
        let halves = integers.chunks_exact_mut(N_TOGETHER);
        for ((integers, low), high) in halves.zip(low.chunks_exact(64)).zip(high.chunks_exact(32)) {
            for (part, integers) in integers.chunks_exact_mut(32).enumerate() {
                let low = &low[part % 2 * 32..];
                for ((integer, low), high) in integers.iter_mut().zip(low).zip(high) {
                    *integer = ((low >> (part / 2 * 4)) & 0xf) | (((high >> (part * 2)) & 3) << 4);
                }
            }
        }
    }

    fn read_scales(bytes: &[u8], scales: &mut Scales, output: usize) {
        scales.floats[output] = float_at(bytes, PLACES.2);
        for (factors, &factor) in scales.factors.iter_mut().zip(&bytes[PLACES.1..PLACES.2]) {
            factors[output] = factor as i8;
        }
    }

    #[inline(always)]
    fn scales(scales: &Scales, part: usize) -> PartScales<'_> {
        let (floats, factors) = (&scales.floats, Some(&scales.factors[part]));
        PartScales { scales: ScalePanel { floats, factors }, minima: None }
    }
}
