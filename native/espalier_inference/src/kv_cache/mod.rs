//! The keys and values that attention has computed, in pages.
//!
//! - `page` holds those of [`PAGE`] positions, of all layers and heads.
//! - [`DeviceMemory`] has the numbers of pages that are on a device.
//! - [`KvCache`] has the pages of one sequence; the full ones can be those of other sequences, too.
//! - [`Pool`] gives pages out, up to a bound in bytes.
//! - `prefixes` knows the full pages by the tokens that they were computed from, so that a text which
//!   begins as another one did isn't read again.

mod device_memory;
mod page;
mod pool;
mod prefixes;

use std::sync::Arc;

pub(crate) use self::device_memory::{DeviceMemory, LayerMemory};
use self::page::Page;
pub(crate) use self::page::Shape;
pub(crate) use self::pool::Pool;
use self::prefixes::{Prefix, PrefixId};
use crate::kernels::{PANEL, Panel};

/// The positions of a page.
pub(crate) const PAGE: usize = PANEL;

/// The keys and values of one sequence.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    shape: Shape,
    /// The memory of all pages, if they are on a device.
    device_memory: Option<Arc<DeviceMemory>>,
    pages: Vec<Arc<Page>>,
    /// The positions that each layer holds. A step appends the same number to all, in order.
    n_positions: Vec<usize>,
    /// The text of the first pages, as far as the pool knows it.
    prefix: Prefix,
}

impl KvCache {
    /// An empty cache for a model of that shape.
    pub(crate) fn new(shape: Shape) -> Self {
        let n_positions = vec![0; shape.n_layers];
        let prefix = Prefix::default();
        Self { shape, device_memory: None, pages: Vec::new(), n_positions, prefix }
    }

    /// An empty cache whose pages are in that memory.
    pub(crate) fn on_device(memory: &Arc<DeviceMemory>) -> Self {
        Self { device_memory: Some(Arc::clone(memory)), ..Self::new(memory.shape()) }
    }

    /// The shape of the model that it is for.
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// The memory of its pages, if they are on a device.
    pub(crate) fn device_memory(&self) -> Option<&Arc<DeviceMemory>> {
        self.device_memory.as_ref()
    }

    /// The indices in that memory of the first `n` positions, for which there are pages.
    pub(crate) fn device_positions(&self, n: usize) -> Vec<u32> {
        let slots = self.pages.iter().filter_map(|page| page.slot.as_ref());
        slots.flat_map(|slot| (0..PAGE).map(|at| slot.position(at))).take(n).collect()
    }

    /// Counts positions of one layer that were written to the memory of a device.
    pub(crate) fn advance(&mut self, layer: usize, n: usize) {
        self.n_positions[layer] += n;
    }

    /// The number of positions that all layers hold.
    pub(crate) fn len(&self) -> usize {
        self.n_positions.last().copied().unwrap_or(0)
    }

    /// The number of positions that a layer holds.
    pub(crate) fn n_positions(&self, layer: usize) -> usize {
        self.n_positions.get(layer).copied().unwrap_or(0)
    }

    /// The number of positions that there are pages for.
    pub(crate) fn capacity(&self) -> usize {
        self.pages.len() * PAGE
    }

    /// The page that is read next, or that is half read, if the tokens that there are fill it.
    pub(crate) fn next_page(&self, tokens: &[u32]) -> Option<NextPage> {
        let n_pages = self.len() / PAGE;
        let page = tokens.get(n_pages * PAGE..)?.first_chunk()?;
        (self.prefix.id().n_pages == n_pages).then_some(NextPage(self.prefix.id(), *page))
    }

    /// Whether all pages are full.
    pub(crate) fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Appends rows, of all heads' keys and of all heads' values, to one layer. There must be room for
    /// them.
    pub(crate) fn append(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let size = self.shape.row_size();
        for (keys, values) in keys.chunks_exact(size).zip(values.chunks_exact(size)) {
            let position = self.n_positions[layer];
            // A page that others have, too, is full.
            let page = Arc::get_mut(&mut self.pages[position / PAGE]);
            debug_assert!(page.is_some(), "a page is written while others have it");
            if let Some(page) = page {
                page.write(self.shape, layer, position % PAGE, keys, values);
            }
            self.n_positions[layer] += 1;
        }
    }

    /// What one head of a layer has for the first `n` positions, page by page: the keys, with a panel
    /// of positions for each number of a key, and the values, one position after the other and each
    /// filled to whole panels. The last page can have more positions.
    pub(crate) fn head(
        &self,
        layer: usize,
        head: usize,
        n: usize,
    ) -> (Vec<&[Panel]>, Vec<&[Panel]>) {
        let pages = &self.pages[..n.div_ceil(PAGE)];
        pages.iter().map(|page| page.head(self.shape, layer, head)).unzip()
    }
}

/// The tokens of a page, and those before it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct NextPage(PrefixId, [u32; PAGE]);

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { n_layers: 2, n_heads: 2, head_size: 2 };

    #[test]
    fn keeps_positions_in_order_over_pages() {
        let mut pool = Pool::new(SHAPE, 20 * SHAPE.page_bytes());
        let mut cache = KvCache::new(SHAPE);
        for position in 0..300 {
            assert!(pool.reserve(&mut cache, position + 1));
            let at = position as f32;
            let (keys, values) = ([at, at + 0.1, at + 0.2, at + 0.3], [-at; 4]);
            cache.append(0, &keys, &values);
            assert_eq!(cache.len(), position, "counted only when the last layer has it");
            cache.append(1, &keys, &values);
        }
        assert_eq!((cache.len(), cache.capacity()), (300, 304));
        let (keys, values) = cache.head(1, 1, 199);
        assert_eq!((keys.len(), values.len()), (13, 13));
        assert_eq!((keys[12][0][6], keys[12][1][6]), (198.2, 198.3));
        assert_eq!(values[12][6][..3], [-198.0, -198.0, 0.0]);
    }
}
