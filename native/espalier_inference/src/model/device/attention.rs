//! [`DeviceAttention`]: queries against the keys and values of their sequences.

use candle_core::{DType, Result, Tensor};

use super::views::{SequenceView, Views, WindowView};
use crate::kv_cache::LayerMemory;

/// The most scores that are computed at once, to bound their memory. Few enough in tests that these see parts.
const MAX_SCORES: usize = if cfg!(test) { 1 << 10 } else { 1 << 26 };

/// The attention of one layer.
pub(in crate::model) struct DeviceAttention {
    pub(in crate::model) layer: usize,
    /// How many positions a row attends to, its own included; all without a window.
    pub(in crate::model) window: Option<usize>,
    /// What scores are multiplied by.
    pub(in crate::model) scale: f32,
    /// What keeps scaled scores from growing.
    pub(in crate::model) cap: Option<f32>,
}

impl DeviceAttention {
    /// Writes the keys and values of a step's rows to the memory, and returns what each row attends to.
    /// Queries and keys are tensors of rows, heads and the numbers of a head, values of rows.
    pub(in crate::model) fn apply(
        &self,
        views: &Views,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<Tensor> {
        let memory = views.memory.layer(self.layer);
        let by_head = |x: &Tensor| x.transpose(0, 1)?.to_dtype(views.memory.dtype())?.contiguous();
        memory.keys.scatter_set(&views.new, &by_head(keys)?, 1)?;
        memory.values.scatter_set(&views.new, &by_head(&values.reshape(keys.shape())?)?, 1)?;
        let queries = (queries * f64::from(self.scale))?.to_dtype(views.memory.dtype())?;
        let sequences = views.sequences.iter().filter(|sequence| sequence.n_rows > 0);
        let attended = sequences.map(|sequence| self.attend(sequence, memory, &queries));
        Tensor::cat(&attended.collect::<Result<Vec<_>>>()?, 0)?.to_dtype(DType::F32)
    }

    /// What the rows of one sequence attend to.
    fn attend(
        &self,
        sequence: &SequenceView,
        memory: &LayerMemory,
        queries: &Tensor,
    ) -> Result<Tensor> {
        let view = sequence.window(self.window)?;
        let keys = memory.keys.index_select(&view.positions, 1)?;
        let values = memory.values.index_select(&view.positions, 1)?;
        let n_scores = queries.dim(1)? * keys.dim(1)?;
        let size = (MAX_SCORES / n_scores).max(1);
        let parts = (0..sequence.n_rows).step_by(size).map(|start| {
            let n_rows = size.min(sequence.n_rows - start);
            let queries = queries.narrow(0, sequence.first_row + start, n_rows)?;
            self.attend_part(view, start, &queries, &keys, &values)
        });
        Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
    }

    /// What some of its rows attend to, from the row at `start` on. The heads of queries that share a head
    /// of keys and values are rows of one product.
    fn attend_part(
        &self,
        view: &WindowView,
        start: usize,
        queries: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<Tensor> {
        let (n_rows, n_heads, head_size) = queries.dims3()?;
        let (n_shared, n, _) = keys.dims3()?;
        let queries = queries.reshape((n_rows, n_shared, n_heads / n_shared, head_size))?;
        let queries = queries.permute((1, 2, 0, 3))?.contiguous()?;
        let queries = queries.reshape((n_shared, (), head_size))?;
        let mut scores = queries.matmul(&keys.t()?)?.to_dtype(DType::F32)?;
        if let Some(cap) = self.cap.map(f64::from) {
            scores = ((scores / cap)?.tanh()? * cap)?;
        }
        if let Some(mask) = &view.mask {
            let mask = mask.narrow(0, start, n_rows)?;
            scores = scores.reshape((n_heads, n_rows, n))?.broadcast_add(&mask)?;
        }
        let scores = candle_nn::ops::softmax_last_dim(&scores.contiguous()?)?;
        let scores = scores.to_dtype(values.dtype())?.reshape((n_shared, (), n))?;
        let attended = scores.matmul(values)?;
        let attended = attended.reshape((n_shared, n_heads / n_shared, n_rows, head_size))?;
        attended.permute((2, 0, 1, 3))?.contiguous()?.reshape((n_rows, n_heads * head_size))
    }
}
