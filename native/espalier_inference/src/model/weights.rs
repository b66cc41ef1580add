//! [`Weights`]: the tensors of a model's safetensors files or of its GGUF file.

use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};

use super::compute::Compute;
use super::device::DeviceMatrix;
use super::gguf::GgufWeights;
use super::matrix::Matrix;
use super::quantization::Quantization;
use super::safetensors_files::SafetensorsFiles;
use crate::error::Error;
use crate::gguf::{Blocks, TensorType};
use crate::kernels::BlockFormat;

/// The weights of a model, by the names that safetensors files have for them.
pub(super) struct Weights {
    source: Source,
    compute: Compute,
    quantization: Quantization,
}

enum Source {
    Safetensors(SafetensorsFiles),
    Gguf(GgufWeights),
}

impl Weights {
    /// Reads the files of a model directory, in which the prefix stands before all names; no tensor is on
    /// a device yet.
    pub(super) fn read(
        directory: &Path,
        prefix: &'static str,
        compute: &Compute,
        quantization: Quantization,
    ) -> Result<Self, Error> {
        let source = Source::Safetensors(SafetensorsFiles::read(directory, prefix)?);
        Ok(Self { source, compute: compute.clone(), quantization })
    }

    /// The weights in a GGUF file; no tensor is on a device yet.
    pub(super) fn from_gguf(
        weights: GgufWeights,
        compute: &Compute,
        quantization: Quantization,
    ) -> Self {
        Self { source: Source::Gguf(weights), compute: compute.clone(), quantization }
    }

    /// By what the layers compute.
    pub(super) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// A tensor of the given shape, as `f32` and where the layers compute.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let tensor = match &self.source {
            Source::Safetensors(files) => files.tensor(name, shape)?.to_dtype(DType::F32),
            Source::Gguf(weights) => {
                let numbers = weights.blocks(name, shape)?.to_f32();
                Tensor::from_vec(numbers, shape, &Device::Cpu)
            }
        };
        let tensor = tensor.and_then(|tensor| tensor.to_device(self.compute.device()));
        tensor.map_err(computation_failed)
    }

    /// A matrix with a row of `n_in` weights for each of `n_out` outputs.
    pub(super) fn matrix(&self, name: &str, n_out: usize, n_in: usize) -> Result<Matrix, Error> {
        match &self.source {
            Source::Safetensors(files) => {
                let tensor = files.tensor(name, &[n_out, n_in])?;
                self.of_tensor(name, &tensor, files.is_half_of_large(name))
            }
            Source::Gguf(weights) => {
                self.of_blocks(name, &weights.blocks(name, &[n_out, n_in])?, n_out, n_in)
            }
        }
    }

    /// Matrices of so many outputs whose rows are those of one in the files, one after the other.
    pub(super) fn matrices<const N: usize>(
        &self,
        name: &str,
        sizes: [usize; N],
        n_in: usize,
    ) -> Result<[Matrix; N], Error> {
        let shape = [sizes.iter().sum(), n_in];
        let mut end = 0;
        let parts = sizes.into_iter().map(|size| {
            end += size;
            end - size..end
        });
        let matrices: Result<Vec<Matrix>, Error> = match &self.source {
            Source::Safetensors(files) => {
                let half = files.is_half_of_large(name);
                let whole = files.tensor(name, &shape)?;
                let part = |rows: Range<usize>| whole.narrow(0, rows.start, rows.len());
                let parts = parts.map(|rows| part(rows).map_err(computation_failed));
                parts.map(|part| self.of_tensor(name, &part?, half)).collect()
            }
            Source::Gguf(weights) => {
                let whole = weights.blocks(name, &shape)?;
                let part = |rows: Range<usize>| (rows.len(), whole.part(rows, shape[0]));
                parts.map(part).map(|(n, part)| self.of_blocks(name, &part, n, n_in)).collect()
            }
        };
        Ok(matrices?.try_into().unwrap_or_else(|_| unreachable!("there is a matrix for each size")))
    }

    fn of_tensor(&self, name: &str, weights: &Tensor, half: bool) -> Result<Matrix, Error> {
        let (_, n_in) = weights.dims2().map_err(computation_failed)?;
        if let Compute::Candle(device) = &self.compute {
            return self.of_tensor_on_device(name, weights, device);
        }
        let quantises = self.quantises(name, n_in, half)?;
        let make = if quantises { Matrix::quantise } else { Matrix::pack };
        weights.to_dtype(DType::F32).and_then(|weights| make(&weights)).map_err(computation_failed)
    }

    fn of_blocks(
        &self,
        name: &str,
        blocks: &Blocks,
        n_out: usize,
        n_in: usize,
    ) -> Result<Matrix, Error> {
        if let Compute::Candle(device) = &self.compute {
            return self.of_blocks_on_device(name, blocks, (n_out, n_in), device);
        }
        if let Some(matrix) = self.as_in_file(blocks, n_out, n_in) {
            return Ok(matrix);
        }
        let is_quantised = blocks.tensor_type().is_quantised();
        let quantises = self.quantises(name, n_in, is_quantised)?;
        let make = if quantises { Matrix::quantise_rows } else { Matrix::pack_rows };
        Ok(make(&blocks.to_f32(), n_in))
    }

    /// The matrix in the bits of its file, if it is to have them and there are kernels for them.
    fn as_in_file(&self, blocks: &Blocks, n_out: usize, n_in: usize) -> Option<Matrix> {
        let (format, bytes) = blocks.quantised()?;
        let stays = match self.quantization {
            Quantization::Automatic => true,
            Quantization::None => false,
            Quantization::Q8_0 => format == BlockFormat::Q8_0,
        };
        if stays { Matrix::from_blocks(format, bytes, n_out, n_in) } else { None }
    }

    /// In the bits of its file, unless the options say otherwise.
    fn of_tensor_on_device(
        &self,
        name: &str,
        weights: &Tensor,
        device: &Device,
    ) -> Result<Matrix, Error> {
        let (n_out, n_in) = weights.dims2().map_err(computation_failed)?;
        let matrix = if self.quantises(name, n_in, false)? {
            DeviceMatrix::quantise(weights, device)
        } else if self.quantization == Quantization::None {
            let weights = weights.to_dtype(DType::F32);
            weights.and_then(|weights| DeviceMatrix::floats(&weights, device))
        } else {
            DeviceMatrix::floats(weights, device)
        };
        let matrix = matrix.map_err(computation_failed)?;
        Ok(Matrix::on_device(matrix, n_out, n_in))
    }

    /// In the bits of its file, unless the options say otherwise.
    fn of_blocks_on_device(
        &self,
        name: &str,
        blocks: &Blocks,
        shape: (usize, usize),
        device: &Device,
    ) -> Result<Matrix, Error> {
        let stays = match self.quantization {
            Quantization::Automatic => true,
            Quantization::None => false,
            Quantization::Q8_0 => blocks.tensor_type() == TensorType::Q8_0,
        };
        if !stays {
            let weights = Tensor::from_vec(blocks.to_f32(), shape, &Device::Cpu);
            return self.of_tensor_on_device(name, &weights.map_err(computation_failed)?, device);
        }
        let matrix =
            DeviceMatrix::from_blocks(blocks, shape, device).map_err(computation_failed)?;
        Ok(Matrix::on_device(matrix, shape.0, shape.1))
    }

    /// Whether a matrix is to be quantised; `automatically` if that is left to us.
    fn quantises(&self, name: &str, n_in: usize, automatically: bool) -> Result<bool, Error> {
        let fits = Matrix::can_be_quantised(n_in);
        match self.quantization {
            Quantization::Automatic => Ok(fits && automatically),
            Quantization::None => Ok(false),
            Quantization::Q8_0 if fits => Ok(true),
            Quantization::Q8_0 => Err(Error::InvalidWeights {
                path: self.path(name),
                tensor: name.to_owned(),
                expected: "rows of a multiple of 32 weights".to_owned(),
                got: format!("rows of {n_in}, to be quantised"),
            }),
        }
    }

    /// The file that has a tensor.
    fn path(&self, name: &str) -> PathBuf {
        match &self.source {
            Source::Safetensors(files) => files.path(name).to_owned(),
            Source::Gguf(weights) => weights.path().to_owned(),
        }
    }

    /// Fails where a GGUF file has tensors that nothing has asked for.
    pub(super) fn refuse_unread(&self) -> Result<(), Error> {
        match &self.source {
            Source::Safetensors(_) => Ok(()),
            Source::Gguf(weights) => weights.refuse_unread(),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn computation_failed(error: candle_core::Error) -> Error {
    Error::ComputationFailed { detail: error.to_string() }
}
