//! The inputs of a product as integers.

use pulp::{Arch, Simd, WithSimd};

use super::format::Format;
use super::{BLOCK, GROUP_SIZE, N_GROUPS, TILE};

/// Some inputs of a row: integers from -127 to 127 with one scale.
#[derive(Clone, Copy)]
pub(super) struct InputBlock {
    /// The integers in groups as instructions take them: the first in the lowest byte.
    pub(super) groups: [i32; N_GROUPS],
    pub(super) scale: f32,
    /// The sum of the inputs, times minus one.
    pub(super) negative_sum: f32,
    /// What makes up for a bias of 128, whatever the weights are.
    offset: i32,
    /// The same for each half of the inputs.
    half_offsets: [i32; 2],
}

/// The nearest blocks to rows of inputs: the largest of a block is 127 times its scale.
///
/// [`TILE`] rows lie side by side, block by block, and then the next.
pub(super) fn round(x: &[f32], n_blocks: usize) -> Vec<InputBlock> {
    let (x, _) = x.as_chunks::<BLOCK>();
    Arch::new().dispatch(Round { x, n_blocks })
}

struct Round<'a> {
    x: &'a [[f32; BLOCK]],
    n_blocks: usize,
}

impl WithSimd for Round<'_> {
    type Output = Vec<InputBlock>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Vec<InputBlock> {
        let mut blocks = Vec::with_capacity(self.x.len());
        for tile in self.x.chunks(TILE * self.n_blocks) {
            for block in 0..self.n_blocks {
                for row in tile.chunks_exact(self.n_blocks) {
                    blocks.push(InputBlock::new(&row[block]));
                }
            }
        }
        blocks
    }
}

impl InputBlock {
    #[inline(always)]
    fn new(x: &[f32; BLOCK]) -> Self {
        /// Adding it rounds a number to an integer, which the lowest bits then hold.
        const ROUNDING: f32 = 12_582_912.0;
        let (scale, factor) = scale(x);
        let mut integers = [0; BLOCK];
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (x * factor + ROUNDING).to_bits() as i8;
        }
        let mut sums = [0; 2];
        for (sum, half) in sums.iter_mut().zip(integers.chunks_exact(BLOCK / 2)) {
            for &integer in half {
                *sum += i32::from(integer);
            }
        }
        let (groups, _) = integers.as_chunks::<GROUP_SIZE>();
        let group = |group: usize| i32::from_le_bytes(groups[group].map(|integer| integer as u8));
        let sum = sums[0] + sums[1];
        Self {
            groups: std::array::from_fn(group),
            scale,
            negative_sum: -sum as f32 * scale,
            offset: -128 * sum,
            half_offsets: [-128 * sums[0], -128 * sums[1]],
        }
    }

    /// What makes up for the bias of a format in that part of the block.
    #[inline(always)]
    pub(super) fn offset<F: Format>(&self, part: usize) -> i32 {
        if F::BIAS == 0 {
            return 0;
        }
        let offset = if F::N_GROUPS == N_GROUPS { self.offset } else { self.half_offsets[part] };
        offset >> F::BIAS.leading_zeros()
    }
}

/// What the integers of a block are multiplied by, and its inverse: the largest becomes 127.
#[inline(always)]
pub(super) fn scale(numbers: &[f32; BLOCK]) -> (f32, f32) {
    // Without their signs, the bits of numbers are ordered as the numbers are, with NaN on top: so
    // a block with a NaN has no scale, nor have its products.
    let mut highest = 0;
    for number in numbers {
        highest = highest.max(number.to_bits() & !(1 << 31));
    }
    let scale = f32::from_bits(highest) / 127.0;
    (scale, if scale == 0.0 { 0.0 } else { scale.recip() })
}
