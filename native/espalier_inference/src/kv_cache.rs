//! [`KvCache`]: the keys and values of one sequence.

/// Positions by which a cache grows: small enough to waste little, large enough to copy rarely.
const CHUNK: usize = 128;

/// The keys and values that attention has computed for the tokens of one sequence.
///
/// Each layer holds a row of `row_size` numbers (all key-value heads side by side) for each
/// position. Memory grows in chunks with the sequence; nothing is reserved for its maximum.
#[derive(Debug, Default)]
pub(crate) struct KvCache {
    layers: Vec<Layer>,
    row_size: usize,
}

#[derive(Debug, Default)]
struct Layer {
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl KvCache {
    /// An empty cache for a model of `n_layers` layers.
    pub(crate) fn new(n_layers: usize, row_size: usize) -> Self {
        Self { layers: std::iter::repeat_with(Layer::default).take(n_layers).collect(), row_size }
    }

    /// The number of positions that all layers hold.
    pub(crate) fn len(&self) -> usize {
        self.layers.len().checked_sub(1).map_or(0, |last| self.n_rows(last))
    }

    /// Whether the cache is one for a model of that many layers and such rows.
    pub(crate) fn has_shape(&self, n_layers: usize, row_size: usize) -> bool {
        self.layers.len() == n_layers && self.row_size == row_size
    }

    /// The number of positions that a layer holds.
    pub(crate) fn n_rows(&self, layer: usize) -> usize {
        self.layers.get(layer).map_or(0, |layer| layer.keys.len() / self.row_size)
    }

    /// Appends rows to one layer. A step appends the same number to every layer, in order.
    pub(crate) fn append(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let chunk = CHUNK * self.row_size;
        let layer = &mut self.layers[layer];
        for (all, rows) in [(&mut layer.keys, keys), (&mut layer.values, values)] {
            if all.capacity() - all.len() < rows.len() {
                all.reserve_exact(rows.len().next_multiple_of(chunk));
            }
            all.extend_from_slice(rows);
        }
    }

    /// The keys and the values of the first `n` positions of a layer.
    pub(crate) fn rows(&self, layer: usize, n: usize) -> (&[f32], &[f32]) {
        let layer = &self.layers[layer];
        (&layer.keys[..n * self.row_size], &layer.values[..n * self.row_size])
    }

    /// Numbers in the row of one position.
    pub(crate) fn row_size(&self) -> usize {
        self.row_size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_rows_in_order_over_chunks() {
        let mut cache = KvCache::new(2, 2);
        for position in 0..3 * CHUNK {
            let at = position as f32;
            cache.append(0, &[at, at], &[-at, -at]);
            assert_eq!(cache.len(), position, "counted only when the last layer has it");
            cache.append(1, &[at, at], &[-at, -at]);
        }
        assert_eq!(cache.len(), 3 * CHUNK);
        let (keys, values) = cache.rows(1, 200);
        assert_eq!((keys.len(), keys[398], values[399]), (400, 199.0, -199.0));
    }
}
