//! Matrices in few bits: the formats of llama.cpp, packed for products with many rows.
//!
//! The weights of an output are divided into blocks of inputs: small integers with scales that they
//! share ([`format`]). A product rounds its inputs to blocks of integers, too ([`inputs`]). It
//! multiplies and adds the integers of a block exactly, and adds the blocks of an output up as `f32`,
//! from the first to the last. So a row's result depends neither on the other rows nor on the kind
//! of CPU.
//!
//! Side by side, as for `f32`, lie [`PANEL`] outputs, here with four inputs of each: what one
//! instruction of a CPU with products of bytes takes ([`kernel`]).

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

mod format;
mod inputs;
mod integers;
mod kernel;
mod portable;
mod q4_0;
mod q4_k;
mod q5_k;
mod q6_k;
mod q8_0;

use std::iter;
use std::ops::Range;

use self::format::{Format, PartScales};
use self::inputs::InputBlock;
use self::integers::{Group, Integers};
use self::kernel::{AnyKernel, Kernel, WithKernel};
use self::q4_0::Q4_0;
use self::q4_k::Q4K;
use self::q5_k::Q5K;
use self::q6_k::Q6K;
pub(crate) use self::q8_0::Q8_0;
use super::panel::{PANEL, Panel};
use super::parts::by_parts;

/// Inputs that are rounded with one scale, and whose weights lie together.
const BLOCK: usize = 32;

/// Inputs of an output that lie side by side.
const GROUP_SIZE: usize = 4;

/// The groups of a block.
const N_GROUPS: usize = BLOCK / GROUP_SIZE;

/// The most rows that are computed together, for each of which the weights are read once: as many as
/// the registers of every CPU hold.
const TILE: usize = 4;

/// A matrix of weights with a row of inputs' weights for each output.
pub(crate) trait QuantisedMatrix: Send + Sync {
    /// The weights of one output, input by input.
    fn row(&self, output: usize) -> Vec<f32>;

    /// The memory of all weights.
    fn n_bytes(&self) -> usize;

    /// `x[row] · w[out]` for all rows and outputs: `y[row * n_out + out]`.
    ///
    /// The lengths of the slices must agree, or the function panics. Large products are shared among
    /// the threads of the pool that the caller runs in.
    fn product(&self, x: &[f32], y: &mut [f32]);
}

/// The formats of blocks in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockFormat {
    Q4_0,
    Q4K,
    Q5K,
    Q6K,
    Q8_0,
}

impl BlockFormat {
    /// Takes over the blocks of a file, output by output: `None` where they aren't as many bytes as
    /// the matrix has, or rows of `n_in` weights can't be divided into blocks.
    pub(crate) fn matrix(
        self,
        bytes: &[u8],
        n_in: usize,
        n_out: usize,
    ) -> Option<Box<dyn QuantisedMatrix>> {
        fn matrix<F: Format>(
            bytes: &[u8],
            n_in: usize,
            n_out: usize,
        ) -> Option<Box<dyn QuantisedMatrix>> {
            Some(Box::new(Packed::<F>::from_blocks(bytes, n_in, n_out)?))
        }
        match self {
            Self::Q4_0 => matrix::<Q4_0>(bytes, n_in, n_out),
            Self::Q4K => matrix::<Q4K>(bytes, n_in, n_out),
            Self::Q5K => matrix::<Q5K>(bytes, n_in, n_out),
            Self::Q6K => matrix::<Q6K>(bytes, n_in, n_out),
            Self::Q8_0 => matrix::<Q8_0>(bytes, n_in, n_out),
        }
    }
}

/// The matrix in one format.
pub(crate) struct Packed<F: Format> {
    n_in: usize,
    n_out: usize,
    /// For each panel its blocks of inputs.
    integers: Vec<F::Integers>,
    /// For each panel the scales of the format's own blocks.
    scales: Vec<F::Scales>,
}

/// A panel of such a matrix.
struct WeightPanel<'a, F: Format> {
    integers: &'a [F::Integers],
    scales: &'a [F::Scales],
}

impl<'a, F: Format> WeightPanel<'a, F> {
    /// Calls a function for each part of a block of inputs that has a scale of its own, with the
    /// block's number, the part's number in it, and the part's integers and scales.
    #[inline(always)]
    fn for_each_part(self, mut function: impl FnMut(usize, usize, &[Group], PartScales<'a>)) {
        let n_parts = N_GROUPS / F::N_GROUPS;
        let n_blocks = F::N_INPUTS / BLOCK;
        let mut space = [[[0; GROUP_SIZE]; PANEL]; N_GROUPS];
        for (index, scales) in self.scales.iter().enumerate() {
            for block in 0..n_blocks {
                let groups = self.integers[index * n_blocks + block].groups(&mut space);
                for part in 0..n_parts {
                    let groups = &groups[part * F::N_GROUPS..][..F::N_GROUPS];
                    let scales = F::scales(scales, block * n_parts + part);
                    function(index * n_blocks + block, part, groups, scales);
                }
            }
        }
    }
}

impl<F: Format> Packed<F> {
    /// Whether rows of so many weights can be divided into blocks.
    pub(crate) fn fits(n_in: usize) -> bool {
        n_in > 0 && n_in.is_multiple_of(F::N_INPUTS)
    }

    fn from_blocks(bytes: &[u8], n_in: usize, n_out: usize) -> Option<Self> {
        let n_blocks = n_out.checked_mul(n_in / F::N_INPUTS)?;
        let fits = Self::fits(n_in) && n_blocks.checked_mul(F::N_BYTES) == Some(bytes.len());
        fits.then(|| Self::pack(n_in, n_out, bytes.chunks_exact(F::N_BYTES)))
    }

    fn pack(n_in: usize, n_out: usize, blocks: impl Iterator<Item: AsRef<[u8]>>) -> Self {
        let (n_panels, n_blocks) = (n_out.div_ceil(PANEL), n_in / F::N_INPUTS);
        let mut integers = vec![F::Integers::filled(F::BIAS); n_panels * n_in / BLOCK];
        let mut scales = vec![F::NO_SCALES; n_panels * n_blocks];
        let mut block_integers = vec![0; F::N_INPUTS];
        for (index, bytes) in blocks.enumerate() {
            let (output, block) = (index / n_blocks, index % n_blocks);
            let (block, lane) = (output / PANEL * n_blocks + block, output % PANEL);
            let start = block * F::N_INPUTS / BLOCK;
            F::read_scales(bytes.as_ref(), &mut scales[block], lane);
            F::read_integers(bytes.as_ref(), &mut block_integers);
            let (parts, _) = block_integers.as_chunks();
            for (packed, part) in integers[start..].iter_mut().zip(parts) {
                packed.set(lane, part);
            }
        }
        Self { n_in, n_out, integers, scales }
    }

    fn panel(&self, index: usize) -> WeightPanel<'_, F> {
        let (n_blocks, n_scales) = (self.n_in / BLOCK, self.n_in / F::N_INPUTS);
        WeightPanel {
            integers: &self.integers[index * n_blocks..][..n_blocks],
            scales: &self.scales[index * n_scales..][..n_scales],
        }
    }
}

impl<F: Format> QuantisedMatrix for Packed<F> {
    fn row(&self, output: usize) -> Vec<f32> {
        portable::weights(self.panel(output / PANEL), output % PANEL)
    }

    fn n_bytes(&self) -> usize {
        size_of_val(&self.integers[..]) + size_of_val(&self.scales[..])
    }

    fn product(&self, x: &[f32], y: &mut [f32]) {
        let n_rows = x.len() / self.n_in;
        assert_eq!(n_rows * self.n_out, y.len(), "shapes of a matrix product disagree");
        let kernel = AnyKernel::best();
        let x = inputs::round(x, self.n_in / BLOCK);
        by_parts(self.n_in, self.n_out, y, |panels, y| {
            kernel.run(Product { matrix: self, x: &x, panels, y });
        });
    }
}

/// The outputs of some panels for all rows, on one thread.
struct Product<'a, F: Format> {
    matrix: &'a Packed<F>,
    x: &'a [InputBlock],
    panels: Range<usize>,
    /// Row by row, the outputs of these panels.
    y: &'a mut [f32],
}

impl<F: Format> WithKernel for Product<'_, F> {
    /// Goes over the weights once, a panel at a time that stays in the cache, and over all rows for
    /// each.
    fn with_kernel(mut self, kernel: impl Kernel) {
        for panel in self.panels.clone() {
            for row in (0..self.n_rows()).step_by(TILE) {
                match self.n_rows() - row {
                    1 => self.tile::<1>(kernel, row, panel),
                    2 => self.tile::<2>(kernel, row, panel),
                    3 => self.tile::<3>(kernel, row, panel),
                    _ => self.tile::<TILE>(kernel, row, panel),
                }
            }
        }
    }
}

impl<F: Format> Product<'_, F> {
    fn tile<const ROWS: usize>(&mut self, kernel: impl Kernel, row: usize, panel: usize) {
        let n_blocks = self.matrix.n_in / BLOCK;
        let (inputs, _) = self.x[row * n_blocks..][..ROWS * n_blocks].as_chunks();
        let sums: [Panel; ROWS] = kernel.tile(self.matrix.panel(panel), inputs);
        let (width, start) = (self.y.len() / self.n_rows(), (panel - self.panels.start) * PANEL);
        for (y, sums) in self.y.chunks_exact_mut(width).skip(row).zip(sums) {
            iter::zip(&mut y[start..], sums).for_each(|(y, sum)| *y = sum);
        }
    }

    fn n_rows(&self) -> usize {
        self.x.len() * BLOCK / self.matrix.n_in
    }
}

#[cfg(test)]
mod tests;
