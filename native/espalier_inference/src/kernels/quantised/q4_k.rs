//! [`Q4K`]: integers of four bits, with scales and minima of six.

use half::f16;

use super::format::{Format, PartScales, ScalePanel, float_at};
use super::integers::Nibbles;
use super::{BLOCK, N_GROUPS, PANEL};

/// Parts of a block that have a scale and a minimum of their own.
const N_PARTS: usize = 8;

/// Integers from 0 to 15, of which 32 have a scale and a minimum, and 256 a scale of these.
pub(crate) enum Q4K {}

/// The scales of formats with minima.
#[derive(Clone)]
pub(crate) struct Scales {
    floats: [f16; PANEL],
    factors: [[i8; PANEL]; N_PARTS],
    minimum_floats: [f16; PANEL],
    minimum_factors: [[i8; PANEL]; N_PARTS],
}

impl Format for Q4K {
    const N_INPUTS: usize = N_PARTS * BLOCK;
    const N_BYTES: usize = Scales::N_BYTES + Self::N_INPUTS / 2;
    const BIAS: u8 = 0;
    const N_GROUPS: usize = N_GROUPS;

    type Integers = Nibbles<0>;
    type Scales = Scales;

    const NO_SCALES: Scales = Scales::NONE;

    fn read_integers(bytes: &[u8], integers: &mut [u8]) {
        read_pairs(&bytes[Scales::N_BYTES..], integers);
    }

    fn read_scales(bytes: &[u8], scales: &mut Scales, output: usize) {
        scales.read(bytes, output);
    }

    #[inline(always)]
    fn scales(scales: &Scales, part: usize) -> PartScales<'_> {
        scales.part(part)
    }
}

/// Reads four bits of each input: two neighbouring parts share their bytes.
pub(super) fn read_pairs(bytes: &[u8], integers: &mut [u8]) {
    for (parts, pairs) in integers.chunks_exact_mut(2 * BLOCK).zip(bytes.chunks_exact(BLOCK)) {
        let (first, second) = parts.split_at_mut(BLOCK);
        for ((first, second), pair) in first.iter_mut().zip(second).zip(pairs) {
            (*first, *second) = (pair & 0xf, pair >> 4);
        }
    }
}

impl Scales {
    pub(super) const N_BYTES: usize = 16;

    pub(super) const NONE: Self = Self {
        floats: [f16::ZERO; PANEL],
        factors: [[0; PANEL]; N_PARTS],
        minimum_floats: [f16::ZERO; PANEL],
        minimum_factors: [[0; PANEL]; N_PARTS],
    };

    /// Two floats, and twelve bytes of factors. Those of the first four parts are the low six bits of
    /// a byte each; the top two bits of these bytes belong to those of the last four, whose other
    /// bits are halves of a byte.
    pub(super) fn read(&mut self, bytes: &[u8], output: usize) {
        self.floats[output] = float_at(bytes, 0);
        self.minimum_floats[output] = float_at(bytes, 2);
        let factors = &bytes[4..Self::N_BYTES];
        for part in 0..4 {
            let (scale, minimum, both) = (factors[part], factors[part + 4], factors[part + 8]);
            self.factors[part][output] = (scale & 0x3f) as i8;
            self.minimum_factors[part][output] = (minimum & 0x3f) as i8;
            self.factors[part + 4][output] = ((both & 0xf) | (scale >> 6 << 4)) as i8;
            self.minimum_factors[part + 4][output] = ((both >> 4) | (minimum >> 6 << 4)) as i8;
        }
    }

    #[inline(always)]
    pub(super) fn part(&self, part: usize) -> PartScales<'_> {
        let (floats, factors) = (&self.floats, Some(&self.factors[part]));
        let minima =
            ScalePanel { floats: &self.minimum_floats, factors: Some(&self.minimum_factors[part]) };
        PartScales { scales: ScalePanel { floats, factors }, minima: Some(minima) }
    }
}
