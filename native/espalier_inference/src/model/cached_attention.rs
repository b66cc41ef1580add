//! [`CachedAttention`]: queries against the keys and values of their sequences.
//!
//! Sequences have caches of different lengths, so no tensor holds them all: each row goes over the
//! plain slices of its own cache.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::slices::slice;
use crate::kernels::{self, PANEL};
use crate::kv_cache::KvCache;

/// Score computations (tokens × positions × query size) below which attention stays on a thread.
const MIN_PARALLEL_WORK: usize = 1 << 18;

/// The most rows of a block.
const BLOCK: usize = 16;

/// Where a row of the flattened matrix belongs.
pub(super) struct Place {
    /// The index of its sequence in the batch.
    pub(super) sequence: usize,
    /// Its position in that sequence.
    pub(super) position: usize,
}

/// The operation on a tensor of rows, heads and the numbers of a head. It gives a tensor of rows.
pub(super) struct CachedAttention<'a> {
    pub(super) layer: usize,
    /// How many positions a row attends to, its own included; all without a window.
    pub(super) window: Option<usize>,
    /// What scores are multiplied by.
    pub(super) scale: f32,
    /// What keeps scaled scores from growing.
    pub(super) cap: Option<f32>,
    /// The places of the rows, whose keys and values the caches have already.
    pub(super) places: &'a [Place],
    pub(super) caches: &'a [&'a KvCache],
}

impl CustomOp1 for CachedAttention<'_> {
    fn name(&self) -> &'static str {
        "cached-attention"
    }

    fn cpu_fwd(&self, queries: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n_rows, n_heads, head_size) = layout.shape().dims3()?;
        let size = n_heads * head_size;
        let fit = self.places.iter().all(|place| self.fits(place, n_heads, head_size));
        if !fit || n_rows != self.places.len() || size == 0 {
            bail!("{}: queries of shape {:?} do not fit the caches", self.name(), layout.shape());
        }
        let queries = slice(queries, layout)?;
        let mut output = vec![0.0; queries.len()];
        let blocks = self.blocks(size, queries, &mut output);
        let n_positions = |place: &Place| self.window.unwrap_or(usize::MAX).min(place.position + 1);
        let work: usize = self.places.iter().map(|place| n_positions(place) * size).sum();
        if rayon::current_num_threads() == 1 || work < MIN_PARALLEL_WORK {
            for block in blocks {
                self.attend(block, n_heads, head_size);
            }
        } else {
            blocks.into_par_iter().for_each(|block| self.attend(block, n_heads, head_size));
        }
        Ok((CpuStorage::F32(output), Shape::from((n_rows, size))))
    }
}

/// Rows of one sequence that attend one after the other, head by head: so what they read of a head
/// stays in the cache of the CPU.
struct Block<'a> {
    places: &'a [Place],
    queries: &'a [f32],
    output: &'a mut [f32],
}

impl CachedAttention<'_> {
    /// Whether the cache of a row has all it attends to, in heads that its queries can share.
    fn fits(&self, place: &Place, n_heads: usize, head_size: usize) -> bool {
        self.caches.get(place.sequence).is_some_and(|cache| {
            let shape = cache.shape();
            head_size == shape.head_size
                && n_heads.checked_rem(shape.n_heads) == Some(0)
                && cache.n_positions(self.layer) > place.position
        })
    }

    fn blocks<'a>(
        &'a self,
        size: usize,
        mut queries: &'a [f32],
        mut output: &'a mut [f32],
    ) -> Vec<Block<'a>> {
        let runs = self.places.chunk_by(|a, b| a.sequence == b.sequence);
        let blocks = runs.flat_map(|run| run.chunks(BLOCK)).map(|places| {
            let (block_queries, block_output);
            (block_queries, queries) = queries.split_at(places.len() * size);
            (block_output, output) = std::mem::take(&mut output).split_at_mut(places.len() * size);
            Block { places, queries: block_queries, output: block_output }
        });
        blocks.collect()
    }

    /// Each group of query heads shares a head of keys and values.
    fn attend(&self, block: Block<'_>, n_heads: usize, head_size: usize) {
        let Block { places, queries, output } = block;
        let cache = self.caches[places[0].sequence];
        let n_sharing = n_heads / cache.shape().n_heads;
        let n_in_all = places.iter().map(|place| place.position + 1).max().unwrap_or(0);
        let mut scores = Vec::new();
        for head in 0..n_heads {
            let (keys, values) = cache.head(self.layer, head / n_sharing, n_in_all);
            for (row, place) in places.iter().enumerate() {
                let part = (row * n_heads + head) * head_size;
                let end = place.position + 1;
                let start = self.window.map_or(0, |window| end.saturating_sub(window));
                let first_panel = start / PANEL;
                let n_positions = end - first_panel * PANEL;
                scores.resize(n_positions.div_ceil(PANEL), [0.0; PANEL]);
                let attention = kernels::Attention {
                    query: &queries[part..][..head_size],
                    keys: &keys[first_panel..],
                    values: &values[first_panel..],
                    n_positions,
                    n_skipped: start % PANEL,
                    scale: self.scale,
                    cap: self.cap,
                    scores: &mut scores,
                    output: &mut output[part..][..head_size],
                };
                attention.run();
            }
        }
    }
}
