//! [`Q5K`]: integers of five bits, with scales and minima of six.

use super::format::{Format, PartScales};
use super::integers::Nibbles;
use super::q4_k::{Q4K, Scales, read_pairs};
use super::{BLOCK, N_GROUPS};

/// Integers from 0 to 31, of which 32 have a scale and a minimum, and 256 a scale of these.
pub(crate) enum Q5K {}

impl Format for Q5K {
    const N_INPUTS: usize = Q4K::N_INPUTS;
    const N_BYTES: usize = Q4K::N_BYTES + BLOCK;
    const BIAS: u8 = 0;
    const N_GROUPS: usize = N_GROUPS;

    type Integers = Nibbles<1>;
    type Scales = Scales;

    const NO_SCALES: Scales = Scales::NONE;

    fn read_integers(bytes: &[u8], integers: &mut [u8]) {
        // A byte holds the fifth bit of the same input in all parts.
        let (fifths, pairs) = bytes[Scales::N_BYTES..].split_at(BLOCK);
        read_pairs(pairs, integers);
        for (part, integers) in integers.chunks_exact_mut(BLOCK).enumerate() {
            for (integer, fifths) in integers.iter_mut().zip(fifths) {
                *integer |= ((fifths >> part) & 1) << 4;
            }
        }
    }

    fn read_scales(bytes: &[u8], scales: &mut Scales, output: usize) {
        scales.read(bytes, output);
    }

    #[inline(always)]
    fn scales(scales: &Scales, part: usize) -> PartScales<'_> {
        scales.part(part)
    }
}
