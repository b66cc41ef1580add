//! [`DeviceMemory`]: the keys and values of all pages, as tensors on a device.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Result, Tensor, bail};

use super::PAGE;
use super::page::Shape;

/// Room for some pages, taken at once: a page is a slot in the tensors of each layer.
#[derive(Debug)]
pub(crate) struct DeviceMemory {
    shape: Shape,
    dtype: DType,
    device: Device,
    n_pages: usize,
    layers: Vec<LayerMemory>,
    /// The numbers of the slots that no page has.
    free: Mutex<Vec<u32>>,
}

/// What a layer has for all positions of all slots: heads, positions, and the numbers of a head.
#[derive(Debug)]
pub(crate) struct LayerMemory {
    pub(crate) keys: Tensor,
    pub(crate) values: Tensor,
}

/// The place of one page, as long as there is the page.
#[derive(Debug)]
pub(super) struct Slot {
    number: u32,
    memory: Arc<DeviceMemory>,
}

impl DeviceMemory {
    /// Takes room for so many pages on a device.
    pub(crate) fn new(
        shape: Shape,
        n_pages: usize,
        dtype: DType,
        device: &Device,
    ) -> Result<Arc<Self>> {
        if n_pages > u32::MAX as usize / PAGE {
            bail!("{n_pages} pages are more than there are numbers for");
        }
        let zeros =
            || Tensor::zeros((shape.n_heads, n_pages * PAGE, shape.head_size), dtype, device);
        let layer = |_| Ok(LayerMemory { keys: zeros()?, values: zeros()? });
        let layers = (0..shape.n_layers).map(layer).collect::<Result<_>>()?;
        let free = Mutex::new((0..n_pages as u32).rev().collect());
        Ok(Arc::new(Self { shape, dtype, device: device.clone(), n_pages, layers, free }))
    }

    /// The bytes of a page whose numbers are of that type.
    pub(crate) fn page_bytes(shape: Shape, dtype: DType) -> usize {
        2 * PAGE * shape.n_layers * shape.row_size() * dtype.size_in_bytes()
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) fn n_pages(&self) -> usize {
        self.n_pages
    }

    /// The type of all numbers.
    pub(crate) fn dtype(&self) -> DType {
        self.dtype
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    pub(crate) fn layer(&self, index: usize) -> &LayerMemory {
        &self.layers[index]
    }

    /// A slot that no page has, if there is any.
    pub(super) fn take(self: &Arc<Self>) -> Option<Slot> {
        let number = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        Some(Slot { number, memory: Arc::clone(self) })
    }
}

impl Slot {
    /// The index of a position of the page among those of all slots.
    pub(super) fn position(&self, at: usize) -> u32 {
        self.number * PAGE as u32 + at as u32
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.memory.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
    }
}
