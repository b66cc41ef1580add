//! [`CachedAttention`]: queries against the keys and values of their sequences.
//!
//! Sequences have caches of different lengths, so no tensor holds them all: each row goes over the
//! plain slices of its own cache.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, bail};
use rayon::prelude::*;

use super::slices::slice;
use crate::kernels;
use crate::kv_cache::KvCache;

/// Score computations (tokens × positions × query size) below which attention stays on a thread.
const MIN_PARALLEL_WORK: usize = 1 << 18;

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
        let fit = self.places.iter().all(|place| self.fits(place, size, head_size));
        if !fit || n_rows != self.places.len() || size == 0 {
            bail!("{}: queries of shape {:?} do not fit the caches", self.name(), layout.shape());
        }
        let queries = slice(queries, layout)?;
        let mut output = vec![0.0; queries.len()];
        let run = |((output, query), place): ((&mut [f32], &[f32]), &Place)| {
            self.attend(place, query, head_size, output);
        };
        let work: usize = self.places.iter().map(|place| (place.position + 1) * size).sum();
        if rayon::current_num_threads() == 1 || work < MIN_PARALLEL_WORK {
            let rows = output.chunks_exact_mut(size).zip(queries.chunks_exact(size));
            rows.zip(self.places).for_each(run);
        } else {
            let rows = output.par_chunks_exact_mut(size).zip(queries.par_chunks_exact(size));
            rows.zip(self.places).for_each(run);
        }
        Ok((CpuStorage::F32(output), Shape::from((n_rows, size))))
    }
}

impl CachedAttention<'_> {
    /// Whether the cache of a row has all it attends to, in heads that its queries can share.
    fn fits(&self, place: &Place, size: usize, head_size: usize) -> bool {
        let cache = self.caches.get(place.sequence).filter(|cache| cache.row_size() > 0);
        cache.is_some_and(|cache| {
            cache.row_size().is_multiple_of(head_size)
                && size.is_multiple_of(cache.row_size())
                && cache.n_rows(self.layer) > place.position
        })
    }

    /// All heads of one row: each group of query heads shares a head of keys and values.
    fn attend(&self, place: &Place, query: &[f32], head_size: usize, output: &mut [f32]) {
        let cache = self.caches[place.sequence];
        let (keys, values) = cache.rows(self.layer, place.position + 1);
        let mut scores = vec![0.0; place.position + 1];
        let (stride, n_shared) = (cache.row_size(), query.len() / cache.row_size());
        let heads = query.chunks_exact(head_size).zip(output.chunks_exact_mut(head_size));
        for (head, (query, output)) in heads.enumerate() {
            let offset = head / n_shared * head_size;
            let scores = &mut scores[..];
            kernels::Attention { query, keys, values, stride, offset, scores, output }.run();
        }
    }
}
