//! Products whose outputs are divided among threads.

use std::ops::Range;

use rayon::prelude::*;

use super::panel::PANEL;

/// Products with fewer multiplications than this, of fewer weights than that, stay on one thread (some
/// 30 µs): sharing them would cost more than it gains. A single row takes longer for each, as its
/// weights have to be read.
const MIN_PARALLEL_WORK: usize = 1 << 20;
const MIN_PARALLEL_WEIGHTS: usize = 1 << 19;

/// Fills the rows of `y`, each of `n_out` outputs, by calls of `compute` for some panels of outputs:
/// it gets the range of panels and the rows of their outputs alone, one row at least.
///
/// `n_in` multiplications make an output. Where they are many in all, the threads of the pool that
/// the caller runs in have a part each.
pub(super) fn by_parts(
    n_in: usize,
    n_out: usize,
    y: &mut [f32],
    compute: impl Fn(Range<usize>, &mut [f32]) + Sync,
) {
    if y.is_empty() {
        return;
    }
    let (n_rows, n_panels) = (y.len() / n_out, n_out.div_ceil(PANEL));
    let n_threads = rayon::current_num_threads();
    let n_weights = n_panels * PANEL * n_in;
    let is_small = n_weights < MIN_PARALLEL_WEIGHTS && n_weights * n_rows < MIN_PARALLEL_WORK;
    if n_threads == 1 || is_small {
        return compute(0..n_panels, y);
    }
    let n_part = n_panels.div_ceil(n_threads);
    let starts: Vec<usize> = (0..n_panels).step_by(n_part).collect();
    let parts = starts.into_par_iter().map(|start| {
        let panels = start..n_panels.min(start + n_part);
        let width = n_out.min(panels.end * PANEL) - start * PANEL;
        let mut part = vec![0.0; n_rows * width];
        compute(panels, &mut part);
        (start * PANEL, width, part)
    });
    for (output, width, part) in parts.collect::<Vec<_>>() {
        for (part, y) in part.chunks_exact(width).zip(y.chunks_exact_mut(n_out)) {
            y[output..][..width].copy_from_slice(part);
        }
    }
}
