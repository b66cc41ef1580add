//! [`DeviceMatrix`]: weights on a device.

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{DType, Device, Result, Tensor};

use crate::gguf::{Blocks, TensorType};

/// A matrix of weights with a row of inputs' weights for each output.
pub(in crate::model) enum DeviceMatrix {
    /// Numbers of two or four bytes.
    Floats(Tensor),
    /// Blocks of small integers, as GGUF files have them.
    Blocks(Box<QTensor>),
}

impl DeviceMatrix {
    /// Puts weights that are on the CPU on the device.
    pub(in crate::model) fn floats(weights: &Tensor, device: &Device) -> Result<Self> {
        // A part of a tensor would take all of it along.
        weights.force_contiguous()?.to_device(device).map(Self::Floats)
    }

    /// Rounds weights that are on the CPU to `Q8_0`, and puts them on the device.
    pub(in crate::model) fn quantise(weights: &Tensor, device: &Device) -> Result<Self> {
        let weights = weights.force_contiguous()?;
        QTensor::quantize_onto(&weights, GgmlDType::Q8_0, device)
            .map(|weights| Self::Blocks(Box::new(weights)))
    }

    /// Takes over the numbers of a file as they are.
    pub(in crate::model) fn from_blocks(
        blocks: &Blocks,
        shape: (usize, usize),
        device: &Device,
    ) -> Result<Self> {
        let floats =
            |dtype| Tensor::from_raw_buffer(blocks.bytes(), dtype, &[shape.0, shape.1], device);
        let dtype = match blocks.tensor_type() {
            TensorType::F32 => return floats(DType::F32).map(Self::Floats),
            TensorType::F16 => return floats(DType::F16).map(Self::Floats),
            TensorType::Bf16 => return floats(DType::BF16).map(Self::Floats),
            TensorType::Q4_0 => GgmlDType::Q4_0,
            TensorType::Q4_1 => GgmlDType::Q4_1,
            TensorType::Q5_0 => GgmlDType::Q5_0,
            TensorType::Q5_1 => GgmlDType::Q5_1,
            TensorType::Q8_0 => GgmlDType::Q8_0,
            TensorType::Q4K => GgmlDType::Q4K,
            TensorType::Q5K => GgmlDType::Q5K,
            TensorType::Q6K => GgmlDType::Q6K,
        };
        let storage = QStorage::from_data(blocks.bytes().into(), device, dtype)?;
        QTensor::new(storage, shape).map(|weights| Self::Blocks(Box::new(weights)))
    }

    /// The products of some rows of inputs with each output's weights, row by row.
    pub(in crate::model) fn product(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Floats(weights) => {
                x.to_dtype(weights.dtype())?.matmul(&weights.t()?)?.to_dtype(DType::F32)
            }
            Self::Blocks(weights) => x.contiguous()?.apply_op1_no_bwd(&**weights),
        }
    }

    /// The weights of some outputs, row by row.
    pub(in crate::model) fn rows(&self, outputs: &[u32]) -> Result<Tensor> {
        match self {
            Self::Floats(weights) => {
                let outputs = Tensor::new(outputs, weights.device())?;
                weights.index_select(&outputs, 0)?.to_dtype(DType::F32)
            }
            Self::Blocks(weights) => weights.embedding(&Tensor::new(outputs, &Device::Cpu)?),
        }
    }

    /// The type of keys and values beside such weights.
    pub(in crate::model) fn cache_dtype(&self) -> DType {
        match self {
            Self::Floats(weights) => weights.dtype(),
            Self::Blocks(_) => DType::F16,
        }
    }

    /// The memory of the weights.
    pub(in crate::model) fn n_bytes(&self) -> usize {
        match self {
            Self::Floats(weights) => weights.elem_count() * weights.dtype().size_in_bytes(),
            Self::Blocks(weights) => weights.storage_size_in_bytes(),
        }
    }
}
