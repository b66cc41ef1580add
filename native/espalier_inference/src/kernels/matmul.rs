//! The product of rows with a matrix of weights, most of the work of a forward pass.
//!
//! Weights are packed once, when a model is loaded: [`PANEL`] outputs lie side by side for each
//! input, so that the product reads them in order and every lane of a register is an output of its
//! own (the layout of the inner kernel in Goto and van de Geijn, "Anatomy of High-Performance
//! Matrix Multiplication", 2008). An output adds its terms from the first input to the last,
//! however many rows are computed together.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::panel::{PANEL, Panel, sums};
use super::parts::by_parts;

/// The panels whose weights are read once for all rows.
const GROUP: usize = 4;

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
    by_parts(n_in, n_out, y, |panels, y| {
        let weights = &weights[panels.start * n_in..panels.end * n_in];
        Arch::new().dispatch(Matmul { x, weights, n_in, n_out: y.len() / n_rows, y });
    });
}

struct Matmul<'a> {
    x: &'a [f32],
    weights: &'a [Panel],
    n_in: usize,
    n_out: usize,
    y: &'a mut [f32],
}

impl WithSimd for Matmul<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many sums as the registers hold beside the weights and one number of a row.
        match S::F32_LANES {
            16 => self.groups::<S, 1, 8, 2>(simd),
            8 => self.groups::<S, 2, 6, 1>(simd),
            4 => self.groups::<S, 4, 6, 1>(simd),
            _ => self.groups::<S, PANEL, 1, 1>(simd),
        }
    }
}

impl Matmul<'_> {
    /// Goes over the weights once, a group of panels at a time that stays in the cache, and over
    /// all rows for each, in tiles of `ROWS` rows and `PANELS` panels of `N` registers.
    ///
    /// The fewer rows are left, the more panels are computed together: enough sums must be under
    /// way to hide the latency of each addition.
    #[inline(always)]
    fn groups<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(mut self, simd: S) {
        let (n_rows, n_panels) = (self.x.len() / self.n_in, self.weights.len() / self.n_in);
        for start in (0..n_panels).step_by(GROUP) {
            let panels = start..n_panels.min(start + GROUP);
            let mut row = 0;
            while row + ROWS <= n_rows {
                self.tiles::<S, N, ROWS, PANELS>(simd, row, panels.clone());
                row += ROWS;
            }
            while row + 4 <= n_rows {
                self.tiles::<S, N, 4, PANELS>(simd, row, panels.clone());
                row += 4;
            }
            while row + 2 <= n_rows {
                self.tiles::<S, N, 2, 2>(simd, row, panels.clone());
                row += 2;
            }
            while row < n_rows {
                self.tiles::<S, N, 1, GROUP>(simd, row, panels.clone());
                row += 1;
            }
        }
    }

    /// The outputs of some panels for `ROWS` rows from `row` on.
    #[inline(always)]
    fn tiles<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(
        &mut self,
        simd: S,
        row: usize,
        panels: Range<usize>,
    ) {
        let mut panel = panels.start;
        while panel + PANELS <= panels.end {
            self.tile::<S, N, ROWS, PANELS>(simd, row, panel);
            panel += PANELS;
        }
        while panel < panels.end {
            self.tile::<S, N, ROWS, 1>(simd, row, panel);
            panel += 1;
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
    fn no_rows_have_no_products() {
        assert!(product(&[], &numbers(64, 8), 32).is_empty());
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
