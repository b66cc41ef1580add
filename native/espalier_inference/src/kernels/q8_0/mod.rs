//! Matrices in eight bits: the format `Q8_0` of llama.cpp, packed for products with many rows.
//!
//! The weights of an output are divided into blocks of [`BLOCK`] inputs: integers of eight bits
//! with one scale. A product quantises its inputs in the same way ([`inputs`]), multiplies and adds
//! the integers of a block exactly, and adds the blocks of an output up as `f32`, from the first to
//! the last. So a row's result depends neither on the other rows nor on the kind of CPU.
//!
//! Side by side, as for `f32`, lie [`PANEL`] outputs, here with four inputs of each: what one
//! instruction of a CPU with products of bytes takes ([`x86`], [`neon`]).

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

mod inputs;
mod kernel;
mod portable;

use std::iter;
use std::ops::Range;

use half::f16;
use pulp::{Arch, Simd, WithSimd};

use self::inputs::InputBlock;
use self::kernel::{AnyKernel, Kernel, WithKernel};
use super::panel::{PANEL, Panel};
use super::parts::by_parts;

/// The weights of an output that share a scale.
const BLOCK: usize = 32;

/// The bytes of a block in files: its scale, then its integers.
const BLOCK_BYTES: usize = size_of::<f16>() + BLOCK;

/// Inputs of an output that lie side by side.
const GROUP: usize = 4;

/// The most rows that are computed together, for each of which the weights are read once: as many as
/// the registers of every CPU hold.
const TILE: usize = 4;

/// What is added to an integer where it is kept, because CPUs multiply bytes without a sign by
/// bytes with one.
const BIAS: u8 = 128;

/// A matrix of weights with a row of inputs' weights for each output.
pub(crate) struct Q8Matrix {
    n_in: usize,
    n_out: usize,
    /// The blocks of each panel, panel by panel.
    blocks: Vec<WeightBlock>,
    /// Their scales: apart, so that the integers of a group fill a line of the CPU's cache.
    scales: Vec<Scales>,
}

/// The scale of each output of a panel for one block of inputs.
type Scales = [f16; PANEL];

/// The integers of all outputs of a panel for one block of inputs.
#[derive(Clone)]
#[repr(align(64))]
struct WeightBlock {
    /// For each [`GROUP`] of inputs those of each output.
    groups: [[[u8; GROUP]; PANEL]; BLOCK / GROUP],
}

/// The blocks of one panel.
#[derive(Clone, Copy)]
struct WeightPanel<'a> {
    blocks: &'a [WeightBlock],
    scales: &'a [Scales],
}

impl Q8Matrix {
    /// The weights of an output that share a scale.
    pub(crate) const BLOCK: usize = BLOCK;

    /// Whether rows of so many weights can be divided into blocks.
    pub(crate) fn fits(n_in: usize) -> bool {
        n_in > 0 && n_in.is_multiple_of(BLOCK)
    }

    /// Quantises a row of `n_in` weights, a multiple of [`BLOCK`], for each output.
    pub(crate) fn quantise(weights: &[f32], n_in: usize) -> Self {
        let (blocks, _) = weights.as_chunks::<BLOCK>();
        let arch = Arch::new();
        Self::pack(n_in, blocks.iter().map(|weights| arch.dispatch(Nearest { weights })))
    }

    /// Takes over the blocks of a file, output by output: `None` where they aren't as many bytes as
    /// the matrix has, or `n_in` is no multiple of [`BLOCK`].
    pub(crate) fn from_blocks(bytes: &[u8], n_in: usize, n_out: usize) -> Option<Self> {
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        let n_blocks = n_out.checked_mul(n_in / BLOCK)?;
        if !Self::fits(n_in) || blocks.len() != n_blocks || !rest.is_empty() {
            return None;
        }
        let block = |bytes: &[u8; BLOCK_BYTES]| {
            let (scale, integers) = bytes.split_at(size_of::<f16>());
            let integer = |input: usize| integers[input] as i8;
            (f16::from_le_bytes([scale[0], scale[1]]), std::array::from_fn(integer))
        };
        Some(Self::pack(n_in, blocks.iter().map(block)))
    }

    fn pack(n_in: usize, blocks: impl ExactSizeIterator<Item = (f16, [i8; BLOCK])>) -> Self {
        let n_blocks = n_in / BLOCK;
        let n_out = blocks.len() / n_blocks;
        let n_packed = n_out.div_ceil(PANEL) * n_blocks;
        let mut packed = vec![WeightBlock { groups: [[[BIAS; GROUP]; PANEL]; _] }; n_packed];
        let mut scales = vec![[f16::ZERO; PANEL]; n_packed];
        for (index, (scale, integers)) in blocks.enumerate() {
            let (output, block) = (index / n_blocks, index % n_blocks);
            let (block, lane) = (output / PANEL * n_blocks + block, output % PANEL);
            scales[block][lane] = scale;
            let (groups, _) = integers.as_chunks::<GROUP>();
            for (outputs, group) in packed[block].groups.iter_mut().zip(groups) {
                outputs[lane] = group.map(|integer| integer as u8 ^ BIAS);
            }
        }
        Self { n_in, n_out, blocks: packed, scales }
    }

    pub(crate) fn n_in(&self) -> usize {
        self.n_in
    }

    pub(crate) fn n_out(&self) -> usize {
        self.n_out
    }

    /// The weights of one output, input by input.
    pub(crate) fn row(&self, output: usize) -> impl Iterator<Item = f32> {
        let (panel, lane) = (self.panel(output / PANEL), output % PANEL);
        panel.blocks.iter().zip(panel.scales).flat_map(move |(block, scales)| {
            let scale = scales[lane].to_f32();
            let integers = block.groups.iter().flat_map(move |outputs| outputs[lane]);
            integers.map(move |integer| f32::from((integer ^ BIAS) as i8) * scale)
        })
    }

    /// `x[row] · w[out]` for all rows and outputs: `y[row * n_out + out]`.
    ///
    /// The lengths of the slices must agree, or the function panics. Large products are shared among
    /// the threads of the pool that the caller runs in.
    pub(crate) fn product(&self, x: &[f32], y: &mut [f32]) {
        let n_rows = x.len() / self.n_in;
        assert_eq!(n_rows * self.n_out, y.len(), "shapes of a matrix product disagree");
        let kernel = AnyKernel::best();
        let x = inputs::quantise(x, self.n_blocks());
        by_parts(self.n_in, self.n_out, y, |panels, y| {
            kernel.run(Product { matrix: self, x: &x, panels, y });
        });
    }

    fn n_blocks(&self) -> usize {
        self.n_in / BLOCK
    }

    fn panel(&self, index: usize) -> WeightPanel<'_> {
        let (start, n_blocks) = (index * self.n_blocks(), self.n_blocks());
        let blocks = &self.blocks[start..][..n_blocks];
        WeightPanel { blocks, scales: &self.scales[start..][..n_blocks] }
    }
}

/// What finds the nearest block to some weights: the largest is 127 times its scale.
struct Nearest<'a> {
    weights: &'a [f32; BLOCK],
}

impl WithSimd for Nearest<'_> {
    type Output = (f16, [i8; BLOCK]);

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Self::Output {
        let (scale, factor) = inputs::scale(self.weights);
        let mut integers = [0; BLOCK];
        for (integer, weight) in integers.iter_mut().zip(self.weights) {
            *integer = (weight * factor).round() as i32 as i8;
        }
        (f16::from_f32(scale), integers)
    }
}

/// The outputs of some panels for all rows, on one thread.
struct Product<'a> {
    matrix: &'a Q8Matrix,
    x: &'a [InputBlock],
    panels: Range<usize>,
    /// Row by row, the outputs of these panels.
    y: &'a mut [f32],
}

impl WithKernel for Product<'_> {
    /// Goes over the weights once, a panel at a time that stays in the cache, and over all rows for
    /// each.
    fn with_kernel(mut self, kernel: impl Kernel) {
        let n_rows = self.x.len() / self.matrix.n_blocks();
        for panel in self.panels.clone() {
            for row in (0..n_rows).step_by(TILE) {
                match n_rows - row {
                    1 => self.tile::<1>(kernel, row, panel),
                    2 => self.tile::<2>(kernel, row, panel),
                    3 => self.tile::<3>(kernel, row, panel),
                    _ => self.tile::<TILE>(kernel, row, panel),
                }
            }
        }
    }
}

impl Product<'_> {
    fn tile<const ROWS: usize>(&mut self, kernel: impl Kernel, row: usize, panel: usize) {
        let (n_blocks, n_rows) = (self.matrix.n_blocks(), self.x.len() / self.matrix.n_blocks());
        let (inputs, _) = self.x[row * n_blocks..][..ROWS * n_blocks].as_chunks();
        let sums: [Panel; ROWS] = kernel.tile(self.matrix.panel(panel), inputs);
        let (width, start) = (self.y.len() / n_rows, (panel - self.panels.start) * PANEL);
        for (y, sums) in self.y.chunks_exact_mut(width).skip(row).zip(sums) {
            iter::zip(&mut y[start..], sums).for_each(|(y, sum)| *y = sum);
        }
    }
}

#[cfg(test)]
mod tests;
