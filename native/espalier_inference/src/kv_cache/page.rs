//! [`Page`]: the keys and values of some positions.

use std::sync::Arc;

use super::PAGE;
use super::device_memory::Slot;
use crate::kernels::{PANEL, Panel};

/// What determines the size of a position's keys and values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) n_layers: usize,
    /// Heads of keys and values in a layer.
    pub(crate) n_heads: usize,
    /// The numbers of a key, and of a value.
    pub(crate) head_size: usize,
}

impl Shape {
    /// The numbers in a layer's keys of one position, as in its values.
    pub(crate) fn row_size(self) -> usize {
        self.n_heads * self.head_size
    }

    /// The bytes of a page.
    pub(crate) fn page_bytes(self) -> usize {
        self.n_layers * self.n_heads * self.head_panels() * size_of::<Panel>()
    }

    /// The panels of one head in a page.
    fn head_panels(self) -> usize {
        self.head_size + PAGE * self.value_panels()
    }

    /// The panels of one value.
    fn value_panels(self) -> usize {
        self.head_size.div_ceil(PANEL)
    }
}

/// The keys and values of [`PAGE`] positions, layer by layer and head by head.
#[derive(Debug)]
pub(super) struct Page {
    /// None for a page on a device.
    panels: Vec<Panel>,
    /// The place of a page on a device.
    pub(super) slot: Option<Slot>,
    /// One for each page that there is.
    _counted: Arc<()>,
}

impl Page {
    pub(super) fn new(shape: Shape, counted: Arc<()>) -> Self {
        let n_panels = shape.n_layers * shape.n_heads * shape.head_panels();
        Self { panels: vec![[0.0; PANEL]; n_panels], slot: None, _counted: counted }
    }

    pub(super) fn on_device(slot: Slot, counted: Arc<()>) -> Self {
        Self { panels: Vec::new(), slot: Some(slot), _counted: counted }
    }

    /// The keys and the values of one head.
    pub(super) fn head(&self, shape: Shape, layer: usize, head: usize) -> (&[Panel], &[Panel]) {
        let n_panels = shape.head_panels();
        let start = (layer * shape.n_heads + head) * n_panels;
        self.panels[start..][..n_panels].split_at(shape.head_size)
    }

    /// Sets all heads' keys and values of one layer at one of the positions.
    pub(super) fn write(
        &mut self,
        shape: Shape,
        layer: usize,
        at: usize,
        keys: &[f32],
        values: &[f32],
    ) {
        let size = shape.n_heads * shape.head_panels();
        let heads = self.panels[layer * size..][..size].chunks_exact_mut(shape.head_panels());
        let keys = keys.chunks_exact(shape.head_size);
        for ((head, key), value) in heads.zip(keys).zip(values.chunks_exact(shape.head_size)) {
            let (head_keys, head_values) = head.split_at_mut(shape.head_size);
            for (panel, &number) in head_keys.iter_mut().zip(key) {
                panel[at] = number;
            }
            let n_panels = shape.value_panels();
            let panels = &mut head_values[at * n_panels..][..n_panels];
            panels.as_flattened_mut()[..value.len()].copy_from_slice(value);
        }
    }
}
