//! [`KvCache`]: the keys and values of one sequence.

use crate::kernels::{PANEL, Panel};

/// Positions by which a cache grows: small enough to waste little, large enough to copy rarely.
const CHUNK: usize = 128;

/// The keys and values that attention has computed for the tokens of one sequence.
///
/// Each head of each layer has its own, in the order in which its queries read them. Memory grows
/// in chunks with the sequence; nothing is reserved for its maximum.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    layers: Vec<Vec<Head>>,
    n_heads: usize,
    head_size: usize,
}

/// The keys and values of one head in one layer.
#[derive(Debug, Default)]
pub(crate) struct Head {
    n_positions: usize,
    keys: Vec<Panel>,
    values: Vec<Panel>,
}

impl KvCache {
    /// An empty cache for a model of `n_layers` layers with `n_heads` heads of keys and values.
    pub(crate) fn new(n_layers: usize, n_heads: usize, head_size: usize) -> Self {
        let layer = || std::iter::repeat_with(Head::default).take(n_heads).collect();
        let layers = std::iter::repeat_with(layer).take(n_layers).collect();
        Self { layers, n_heads, head_size }
    }

    /// The number of positions that all layers hold.
    pub(crate) fn len(&self) -> usize {
        self.layers.len().checked_sub(1).map_or(0, |last| self.n_positions(last))
    }

    /// The memory that is reserved, in bytes. All heads have the same.
    pub(crate) fn n_bytes(&self) -> usize {
        let head = self.layers.first().and_then(|heads| heads.first());
        let n_panels = head.map_or(0, |head| head.keys.capacity() + head.values.capacity());
        self.layers.len() * self.n_heads * n_panels * size_of::<Panel>()
    }

    /// The numbers of layers, of heads, and of the numbers in a head.
    pub(crate) fn shape(&self) -> (usize, usize, usize) {
        (self.layers.len(), self.n_heads, self.head_size)
    }

    /// The number of positions that a layer holds.
    pub(crate) fn n_positions(&self, layer: usize) -> usize {
        self.layers.get(layer).and_then(|heads| heads.first()).map_or(0, |head| head.n_positions)
    }

    /// Appends rows, of all heads' keys and of all heads' values, to one layer. A step appends the
    /// same number to every layer, in order.
    pub(crate) fn append(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let row_size = self.row_size();
        for (keys, values) in keys.chunks_exact(row_size).zip(values.chunks_exact(row_size)) {
            let keys = keys.chunks_exact(self.head_size);
            let heads = self.layers[layer].iter_mut().zip(keys);
            for ((head, key), value) in heads.zip(values.chunks_exact(self.head_size)) {
                head.append(key, value);
            }
        }
    }

    /// The keys and values of one head in one layer.
    pub(crate) fn head(&self, layer: usize, head: usize) -> &Head {
        &self.layers[layer][head]
    }

    /// Numbers in the row of one position.
    pub(crate) fn row_size(&self) -> usize {
        self.n_heads * self.head_size
    }
}

impl Head {
    /// The keys of the first `n` positions, and of those that share a block with them: in blocks of
    /// [`PANEL`] positions, with a panel of positions for each number of a key.
    pub(crate) fn keys(&self, n: usize) -> &[Panel] {
        let size = self.keys.len() / self.n_positions.div_ceil(PANEL).max(1);
        &self.keys[..n.div_ceil(PANEL) * size]
    }

    /// The values of the first `n` positions, one after the other, filled with zeros to whole
    /// panels.
    pub(crate) fn values(&self, n: usize) -> &[Panel] {
        let size = self.values.len() / self.n_positions.max(1);
        &self.values[..n * size]
    }

    fn append(&mut self, key: &[f32], value: &[f32]) {
        let (block, lane) = (self.n_positions / PANEL * key.len(), self.n_positions % PANEL);
        if lane == 0 {
            reserve(&mut self.keys, key.len(), CHUNK / PANEL * key.len());
            self.keys.resize(block + key.len(), [0.0; PANEL]);
        }
        for (panel, &number) in self.keys[block..].iter_mut().zip(key) {
            panel[lane] = number;
        }
        let n_panels = value.len().div_ceil(PANEL);
        reserve(&mut self.values, n_panels, CHUNK * n_panels);
        for part in value.chunks(PANEL) {
            let mut panel = [0.0; PANEL];
            panel[..part.len()].copy_from_slice(part);
            self.values.push(panel);
        }
        self.n_positions += 1;
    }
}

/// Makes room for `n` more, by whole chunks.
fn reserve(all: &mut Vec<Panel>, n: usize, chunk: usize) {
    if all.capacity() - all.len() < n {
        all.reserve_exact(n.next_multiple_of(chunk));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_positions_in_order_over_chunks() {
        let mut cache = KvCache::new(2, 2, 2);
        for position in 0..3 * CHUNK {
            let at = position as f32;
            let (keys, values) = ([at, at + 0.1, at + 0.2, at + 0.3], [-at; 4]);
            cache.append(0, &keys, &values);
            assert_eq!(cache.len(), position, "counted only when the last layer has it");
            cache.append(1, &keys, &values);
        }
        assert_eq!(cache.len(), 3 * CHUNK);
        let head = cache.head(1, 1);
        let (keys, values) = (head.keys(199), head.values(199));
        assert_eq!((keys.len(), values.len()), (2 * 13, 199));
        assert_eq!((keys[2 * 12][6], keys[2 * 12 + 1][6]), (198.2, 198.3));
        assert_eq!(values[198][..3], [-198.0, -198.0, 0.0]);
    }
}
