//! The product of rows with a matrix of weights, most of the work of a forward pass.
//!
//! Weights are packed once, when a model is loaded: [`PANEL`] outputs lie side by side for each
//! input, so that the product reads them in order and every lane of a register is an output of its
//! own (the layout of the inner kernel in Goto and van de Geijn, "Anatomy of High-Performance
//! Matrix Multiplication", 2008). An output adds its terms from the first input to the last,
//! however many rows are computed together.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// The outputs that lie side by side in packed weights.
pub(crate) const PANEL: usize = 16;

/// The weights of [`PANEL`] outputs for one input.
type Weights = [f32; PANEL];

/// Products with fewer multiplications than this (some 4 µs) stay on one thread: sharing them
/// would cost more than it gains.
const MIN_PARALLEL_WORK: usize = 1 << 17;

/// Rows that one tile computes: with two registers for each, they fill those that a CPU has.
const MAX_ROWS: usize = 6;

/// Packs a row of `n_in` weights for each output. The last panel is filled with zeros.
pub(crate) fn pack(weights: &[f32], n_in: usize) -> Vec<f32> {
    let mut packed = Vec::with_capacity((weights.len() / n_in).next_multiple_of(PANEL) * n_in);
    for outputs in weights.chunks(PANEL * n_in) {
        for input in 0..n_in {
            let column = outputs.iter().skip(input).step_by(n_in).copied();
            packed.extend(column.chain(std::iter::repeat(0.0)).take(PANEL));
        }
    }
    packed
}

/// The weights of one output of a packed matrix, input by input.
pub(crate) fn unpack_row(packed: &[f32], n_in: usize, output: usize) -> impl Iterator<Item = f32> {
    let panel = &packed[output / PANEL * n_in * PANEL..][..n_in * PANEL];
    panel.iter().skip(output % PANEL).step_by(PANEL).copied()
}

/// `x[row] · w[out]` for all rows and outputs: `y[row * n_out + out]`.
///
/// `packed` is [`pack`]'s, for `n_out` outputs. The lengths of the slices must agree, or the
/// function panics. Large products are shared among the threads of the pool that the caller runs
/// in.
pub(crate) fn matmul(x: &[f32], packed: &[f32], n_in: usize, n_out: usize, y: &mut [f32]) {
    let (weights, []) = packed.as_chunks::<PANEL>() else { panic!("weights that aren't packed") };
    let n_rows = x.len() / n_in;
    assert_eq!(n_rows * n_out, y.len(), "shapes of a matrix product disagree");
    assert_eq!(n_out.div_ceil(PANEL) * n_in, weights.len(), "weights of another shape");
    let n_threads = rayon::current_num_threads();
    if n_threads == 1 || n_rows * packed.len() < MIN_PARALLEL_WORK {
        return matmul_on_this_thread(x, weights, n_in, n_out, y);
    }
    let n_part = n_out.div_ceil(PANEL).div_ceil(n_threads) * PANEL;
    let parts = weights.par_chunks(n_part / PANEL * n_in).enumerate().map(|(index, weights)| {
        let width = n_part.min(n_out - index * n_part);
        let mut part = vec![0.0; n_rows * width];
        matmul_on_this_thread(x, weights, n_in, width, &mut part);
        part
    });
    for (index, part) in parts.collect::<Vec<_>>().iter().enumerate() {
        let width = part.len() / n_rows;
        for (part, y) in part.chunks_exact(width).zip(y.chunks_exact_mut(n_out)) {
            y[index * n_part..][..width].copy_from_slice(part);
        }
    }
}

fn matmul_on_this_thread(x: &[f32], weights: &[Weights], n_in: usize, n_out: usize, y: &mut [f32]) {
    Arch::new().dispatch(Matmul { x, weights, n_in, n_out, y });
}

struct Matmul<'a> {
    x: &'a [f32],
    weights: &'a [Weights],
    n_in: usize,
    n_out: usize,
    y: &'a mut [f32],
}

impl WithSimd for Matmul<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            8 => self.tiles::<S, 2>(simd),
            4 => self.tiles::<S, 4>(simd),
            16 => self.tiles::<S, 1>(simd),
            _ => self.tiles::<S, PANEL>(simd),
        }
    }
}

impl Matmul<'_> {
    /// `N` is the number of registers that hold a panel's outputs. The fewer rows are left, the
    /// more panels are computed together: enough sums must be under way to hide the latency of
    /// each addition.
    #[inline(always)]
    fn tiles<S: Simd, const N: usize>(mut self, simd: S) {
        let n_rows = self.x.len() / self.n_in;
        let full = n_rows - n_rows % MAX_ROWS;
        self.rows::<S, N, MAX_ROWS, 1>(simd, 0, full);
        match n_rows - full {
            0 => {}
            1 => self.rows::<S, N, 1, 4>(simd, full, n_rows),
            2 => self.rows::<S, N, 2, 2>(simd, full, n_rows),
            3 => self.rows::<S, N, 3, 2>(simd, full, n_rows),
            4 => self.rows::<S, N, 4, 1>(simd, full, n_rows),
            _ => self.rows::<S, N, 5, 1>(simd, full, n_rows),
        }
    }

    /// Computes the rows from `start` on, `ROWS` at a time: goes over the weights once, and over
    /// all these rows for each group of panels.
    #[inline(always)]
    fn rows<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(
        &mut self,
        simd: S,
        start: usize,
        end: usize,
    ) {
        let panels = self.weights.chunks_exact(self.n_in);
        let grouped = panels.len() - panels.len() % PANELS;
        for panel in (0..grouped).step_by(PANELS) {
            for row in (start..end).step_by(ROWS) {
                self.tile::<S, N, ROWS, PANELS>(simd, row, panel);
            }
        }
        for panel in grouped..panels.len() {
            for row in (start..end).step_by(ROWS) {
                self.tile::<S, N, ROWS, 1>(simd, row, panel);
            }
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(
        &mut self,
        simd: S,
        row: usize,
        panel: usize,
    ) {
        let Self { x, weights, n_in, n_out, .. } = *self;
        let rows = std::array::from_fn(|i| &x[(row + i) * n_in..][..n_in]);
        let panels = std::array::from_fn(|i| &weights[(panel + i) * n_in..][..n_in]);
        let sums = sums::<S, N, ROWS, PANELS>(simd, rows, panels);
        for (i, sums) in sums.iter().enumerate() {
            let sums = sums.as_flattened();
            let start = panel * PANEL;
            let width = sums.len().min(n_out - start);
            self.y[(row + i) * n_out + start..][..width].copy_from_slice(&sums[..width]);
        }
    }
}

/// The outputs of each row for each panel, summed up in registers.
#[inline(always)]
fn sums<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panels: [&[Weights]; PANELS],
) -> [[[f32; PANEL]; PANELS]; ROWS] {
    let n_in = rows[0].len();
    let (rows, panels) = (rows.map(|row| &row[..n_in]), panels.map(|panel| &panel[..n_in]));
    let mut sums = [[[simd.splat_f32s(0.0); N]; PANELS]; ROWS];
    for input in 0..n_in {
        let weights = panels.map(|panel| registers::<S, N>(&panel[input]));
        for (row, sums) in rows.iter().zip(&mut sums) {
            let x = simd.splat_f32s(row[input]);
            for (sums, weights) in sums.as_flattened_mut().iter_mut().zip(weights.as_flattened()) {
                *sums = simd.mul_add_f32s(x, *weights, *sums);
            }
        }
    }
    sums.map(|sums| sums.map(|sums| numbers::<S, N>(sums)))
}

#[inline(always)]
fn registers<S: Simd, const N: usize>(numbers: &[f32; PANEL]) -> [S::f32s; N] {
    let (registers, _) = S::as_simd_f32s(numbers);
    std::array::from_fn(|i| registers[i])
}

#[inline(always)]
fn numbers<S: Simd, const N: usize>(registers: [S::f32s; N]) -> [f32; PANEL] {
    let mut numbers = [0.0; PANEL];
    S::as_mut_simd_f32s(&mut numbers).0.copy_from_slice(&registers);
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::tests::numbers;
    use super::*;

    fn product(x: &[f32], w: &[f32], n_in: usize) -> Vec<f32> {
        let n_out = w.len() / n_in;
        let mut y = vec![0.0; x.len() / n_in * n_out];
        matmul(x, &pack(w, n_in), n_in, n_out, &mut y);
        y
    }

    #[test]
    fn products_agree_with_the_plain_sum() {
        for (n_rows, n_in, n_out) in
            [(1, 1, 1), (1, 19, 11), (2, 8, 65), (3, 8, 33), (10, 33, 17), (11, 64, 40)]
        {
            let (x, w) = (numbers(n_rows * n_in, 1), numbers(n_out * n_in, 2));
            let y = product(&x, &w, n_in);
            for (row, y) in x.chunks(n_in).zip(y.chunks(n_out)) {
                for (w, y) in w.chunks(n_in).zip(y) {
                    let terms = row.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w));
                    assert!((f64::from(*y) - terms.sum::<f64>()).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_others() {
        let (n_in, n_out) = (96, 50);
        let (x, w) = (numbers(11 * n_in, 3), numbers(n_out * n_in, 4));
        let together = product(&x, &w, n_in);
        for n_rows in 1..=11 {
            assert_eq!(product(&x[..n_rows * n_in], &w, n_in), together[..n_rows * n_out]);
        }
    }

    #[test]
    fn threads_change_nothing() {
        let (n_in, n_out) = (256, 1001);
        let (x, w) = (numbers(5 * n_in, 5), numbers(n_out * n_in, 6));
        let shared = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            pool.install(|| product(&x, &w, n_in))
        };
        assert_eq!(shared(3), shared(1));
    }

    #[test]
    fn packed_rows_are_found_again() {
        let (n_in, w) = (7, numbers(7 * 37, 7));
        let packed = pack(&w, n_in);
        for (output, expected) in w.chunks(n_in).enumerate() {
            assert!(unpack_row(&packed, n_in, output).eq(expected.iter().copied()));
        }
    }
}
