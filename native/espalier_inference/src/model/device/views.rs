//! [`Views`]: where the rows of a step are in the memory of a device.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, bail};

use crate::kv_cache::DeviceMemory;
use crate::model::transformer::Rows;

/// Where the rows of a step go, and what each sequence sees.
pub(in crate::model) struct Views {
    pub(super) memory: Arc<DeviceMemory>,
    /// For each number of each head's row the index of its position.
    pub(super) new: Tensor,
    pub(super) sequences: Vec<SequenceView>,
}

/// What the rows of one sequence see.
pub(super) struct SequenceView {
    pub(super) first_row: usize,
    pub(super) n_rows: usize,
    windows: Vec<WindowView>,
}

/// What they see in layers with one window.
pub(super) struct WindowView {
    window: Option<usize>,
    /// The indices of the positions that any of the rows sees.
    pub(super) positions: Tensor,
    /// What is added to the scores of each row, where not all rows see all of them.
    pub(super) mask: Option<Tensor>,
}

impl Views {
    /// The views of a batch, for layers with any of these windows.
    pub(in crate::model) fn new(batch: &[Rows<'_>], windows: &[Option<usize>]) -> Result<Self> {
        let memory = batch.first().and_then(|rows| rows.cache.device_memory());
        let Some(memory) = memory.map(Arc::clone) else { bail!("a cache is not on the device") };
        let device = memory.device().clone();
        let (mut sequences, mut new) = (Vec::new(), Vec::new());
        for rows in batch {
            if !rows.cache.device_memory().is_some_and(|other| Arc::ptr_eq(other, &memory)) {
                bail!("the caches of a batch are not on one device");
            }
            let (start, n_rows) = (rows.cache.len(), rows.tokens.len());
            let positions = rows.cache.device_positions(start + n_rows);
            let first_row = new.len();
            new.extend_from_slice(&positions[start..]);
            sequences.push(SequenceView::new(first_row, n_rows, positions, windows, &device)?);
        }
        let n_rows = new.len();
        let shape = memory.shape();
        let new = Tensor::from_vec(new, (1, n_rows, 1), &device)?;
        let new = new.broadcast_as((shape.n_heads, n_rows, shape.head_size))?.contiguous()?;
        Ok(Self { memory, new, sequences })
    }
}

impl SequenceView {
    fn new(
        first_row: usize,
        n_rows: usize,
        positions: Vec<u32>,
        windows: &[Option<usize>],
        device: &Device,
    ) -> Result<Self> {
        let n = positions.len();
        let positions = Tensor::from_vec(positions, n, device)?;
        let views = windows.iter().map(|&window| {
            // Of the first row, which is the one that sees farthest back.
            let end = n - n_rows + 1;
            let start = window.map_or(0, |window| end.saturating_sub(window));
            let positions = positions.narrow(0, start, n - start)?;
            let mask = (n_rows > 1).then(|| mask(n_rows, n - start, window, device)).transpose()?;
            Ok(WindowView { window, positions, mask })
        });
        let windows = views.collect::<Result<_>>()?;
        Ok(Self { first_row, n_rows, windows })
    }

    /// What is seen with a window.
    pub(super) fn window(&self, window: Option<usize>) -> Result<&WindowView> {
        let view = self.windows.iter().find(|view| view.window == window);
        view.ok_or_else(|| candle_core::Error::msg("a window that no layer has"))
    }
}

/// The last rows of `n` positions: 0 where a row sees a position, and what is below all scores elsewhere.
fn mask(n_rows: usize, n: usize, window: Option<usize>, device: &Device) -> Result<Tensor> {
    let number = |index: usize| {
        let (end, position) = (n - n_rows + index / n + 1, index % n);
        let start = window.map_or(0, |window| end.saturating_sub(window));
        if (start..end).contains(&position) { 0.0 } else { f32::NEG_INFINITY }
    };
    Tensor::from_vec((0..n_rows * n).map(number).collect(), (n_rows, n), device)
}
