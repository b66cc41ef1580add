//! The inputs of a product in eight bits.

use pulp::{Arch, Simd, WithSimd};

use super::{BIAS, BLOCK, GROUP, TILE};

/// Some inputs of a row: integers with one scale.
#[derive(Clone, Copy)]
pub(super) struct InputBlock {
    /// The integers in groups as instructions take them: the first in the lowest byte.
    pub(super) groups: [i32; BLOCK / GROUP],
    /// What makes up for the bias of the weights, whatever they are.
    pub(super) offset: i32,
    pub(super) scale: f32,
}

/// The nearest blocks to rows of inputs: the largest of a block is 127 times its scale.
///
/// [`TILE`] rows lie side by side, block by block, and then the next.
pub(super) fn quantise(x: &[f32], n_blocks: usize) -> Vec<InputBlock> {
    let (x, _) = x.as_chunks::<BLOCK>();
    Arch::new().dispatch(Quantise { x, n_blocks })
}

struct Quantise<'a> {
    x: &'a [[f32; BLOCK]],
    n_blocks: usize,
}

impl WithSimd for Quantise<'_> {
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
        let mut sum = 0;
        for (integer, x) in integers.iter_mut().zip(x) {
            *integer = (x * factor + ROUNDING).to_bits() as i8;
            sum += i32::from(*integer);
        }
        let (groups, _) = integers.as_chunks::<GROUP>();
        let group = |group: usize| i32::from_le_bytes(groups[group].map(|integer| integer as u8));
        Self { groups: std::array::from_fn(group), offset: -i32::from(BIAS) * sum, scale }
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
