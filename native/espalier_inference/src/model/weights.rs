//! [`Weights`]: the tensors of a model's safetensors files or of its GGUF file.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::compute::Compute;
use super::device::DeviceMatrix;
use super::files;
use super::gguf::GgufWeights;
use super::json_file::JsonFile;
use super::matrix::Matrix;
use super::quantization::Quantization;
use crate::error::Error;
use crate::gguf::{Blocks, TensorType};
use crate::kernels::BlockFormat;

/// Models of smaller files are not quantised unless they are asked to be: a CPU's caches hold them
/// as they are, and they have little to lose.
const MIN_QUANTISED_BYTES: usize = 1 << 24;

/// The weights of a model, by the names that safetensors files have for them.
pub(super) struct Weights {
    source: Source,
    compute: Compute,
    quantization: Quantization,
}

enum Source {
    /// One `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
    Safetensors(Vec<WeightFile>),
    Gguf(GgufWeights),
}

struct WeightFile {
    path: PathBuf,
    n_bytes: usize,
    tensors: BufferedSafetensors,
}

impl Weights {
    /// Reads the files of a model directory; no tensor is on a device yet.
    pub(super) fn read(
        directory: &Path,
        compute: &Compute,
        quantization: Quantization,
    ) -> Result<Self, Error> {
        let index = directory.join("model.safetensors.index.json");
        let names = if index.exists() {
            shard_names(&JsonFile::read(&index)?)?
        } else {
            BTreeSet::from(["model.safetensors".to_owned()])
        };
        let files = names.iter().map(|name| WeightFile::read(directory.join(name)));
        let source = Source::Safetensors(files.collect::<Result<_, _>>()?);
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
            Source::Safetensors(files) => {
                let tensor = file_of(files, name).tensor(name, shape)?;
                tensor.to_dtype(DType::F32)
            }
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
                let half = file_of(files, name).has_two_bytes(name) && is_large(files);
                let tensor = file_of(files, name).tensor(name, &[n_out, n_in])?;
                self.of_tensor(name, &tensor, half)
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
                let half = file_of(files, name).has_two_bytes(name) && is_large(files);
                let whole = file_of(files, name).tensor(name, &shape)?;
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
            Source::Safetensors(files) => file_of(files, name).path.clone(),
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

/// The file that has a tensor, or any where none has it.
fn file_of<'a>(files: &'a [WeightFile], name: &str) -> &'a WeightFile {
    let file = files.iter().find(|file| file.tensors.get(name).is_ok());
    file.unwrap_or(&files[0])
}

fn is_large(files: &[WeightFile]) -> bool {
    files.iter().map(|file| file.n_bytes).sum::<usize>() >= MIN_QUANTISED_BYTES
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(super) fn computation_failed(error: candle_core::Error) -> Error {
    Error::ComputationFailed { detail: error.to_string() }
}

/// The files of an index, which must lie beside it.
fn shard_names(index: &JsonFile) -> Result<BTreeSet<String>, Error> {
    let invalid = || index.invalid("weight_map", "an object of file names");
    let map = index.field("weight_map").and_then(|map| map.as_object()).ok_or_else(invalid)?;
    let names: Option<BTreeSet<String>> =
        map.values().map(|name| plain_file_name(name.as_str()?)).collect();
    names.filter(|names| !names.is_empty()).ok_or_else(invalid)
}

fn plain_file_name(name: &str) -> Option<String> {
    let mut components = Path::new(name).components();
    let plain =
        matches!((components.next(), components.next()), (Some(Component::Normal(_)), None));
    plain.then(|| name.to_owned())
}

impl WeightFile {
    fn read(path: PathBuf) -> Result<Self, Error> {
        let bytes = files::read(&path)?;
        let n_bytes = bytes.len();
        match BufferedSafetensors::new(bytes) {
            Ok(tensors) => Ok(Self { path, n_bytes, tensors }),
            Err(error) => Err(Error::InvalidWeights {
                path,
                tensor: String::new(),
                expected: "a complete safetensors file".to_owned(),
                got: error.to_string(),
            }),
        }
    }

    /// A tensor as the file has it, on the CPU.
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let expected = format!("shape {shape:?}");
        let view = self.tensors.get(name).map_err(|_| self.invalid(name, &expected, "nothing"))?;
        if view.shape() != shape {
            return Err(self.invalid(name, &expected, &format!("shape {:?}", view.shape())));
        }
        let Ok(DType::F32 | DType::BF16 | DType::F16) = DType::try_from(view.dtype()) else {
            let got = format!("type {:?}", view.dtype());
            return Err(self.invalid(name, "type F32, BF16 or F16", &got));
        };
        let tensor = self.tensors.load(name, &Device::Cpu);
        tensor.map_err(|error| self.invalid(name, "room in memory", &error.to_string()))
    }

    /// Whether a tensor has numbers of two bytes.
    fn has_two_bytes(&self, name: &str) -> bool {
        let dtype = self.tensors.get(name).map(|view| view.dtype());
        dtype.is_ok_and(|dtype| matches!(DType::try_from(dtype), Ok(DType::BF16 | DType::F16)))
    }

    fn invalid(&self, tensor: &str, expected: &str, got: &str) -> Error {
        Error::InvalidWeights {
            path: self.path.clone(),
            tensor: tensor.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        }
    }
}
