//! [`Weights`]: the tensors of a model's safetensors files, as `f32`.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::files;
use super::json_file::JsonFile;
use super::matrix::Matrix;
use super::quantization::Quantization;
use crate::error::Error;
use crate::kernels::Q8Matrix;

/// Models of smaller files are not quantised unless they are asked to be: a CPU's caches hold them
/// as they are, and they have little to lose.
const MIN_QUANTISED_BYTES: usize = 1 << 24;

/// One `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
pub(super) struct Weights {
    files: Vec<WeightFile>,
    device: Device,
    quantization: Quantization,
}

struct WeightFile {
    path: PathBuf,
    n_bytes: usize,
    tensors: BufferedSafetensors,
}

impl Weights {
    /// Reads the files of a model directory; no tensor is on the device yet.
    pub(super) fn read(
        directory: &Path,
        device: &Device,
        quantization: Quantization,
    ) -> Result<Self, Error> {
        let index = directory.join("model.safetensors.index.json");
        let names = if index.exists() {
            shard_names(&JsonFile::read(&index)?)?
        } else {
            BTreeSet::from(["model.safetensors".to_owned()])
        };
        let files = names.iter().map(|name| WeightFile::read(directory.join(name)));
        let files = files.collect::<Result<_, _>>()?;
        Ok(Self { files, device: device.clone(), quantization })
    }

    /// A tensor of the given shape, on the device.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        self.file(name).tensor(name, shape, &self.device)
    }

    /// A matrix with a row of `n_in` weights for each of `n_out` outputs.
    pub(super) fn matrix(&self, name: &str, n_out: usize, n_in: usize) -> Result<Matrix, Error> {
        let file = self.file(name);
        let weights = file.tensor(name, &[n_out, n_in], &self.device)?;
        let make = if self.quantises(file, name, n_in)? { Matrix::quantise } else { Matrix::pack };
        make(&weights).map_err(|error| Error::ComputationFailed { detail: error.to_string() })
    }

    /// Whether a matrix of the file is to be quantised.
    fn quantises(&self, file: &WeightFile, name: &str, n_in: usize) -> Result<bool, Error> {
        let fits = Q8Matrix::fits(n_in);
        match self.quantization {
            Quantization::Automatic => Ok(fits && file.has_two_bytes(name) && self.is_large()),
            Quantization::None => Ok(false),
            Quantization::Q8_0 if fits => Ok(true),
            Quantization::Q8_0 => {
                let expected = format!("rows of a multiple of {} weights", Q8Matrix::BLOCK);
                Err(file.invalid(name, &expected, &format!("rows of {n_in}, to be quantised")))
            }
        }
    }

    fn is_large(&self) -> bool {
        self.files.iter().map(|file| file.n_bytes).sum::<usize>() >= MIN_QUANTISED_BYTES
    }

    /// The file that has a tensor, or any where none has it.
    fn file(&self, name: &str) -> &WeightFile {
        let file = self.files.iter().find(|file| file.tensors.get(name).is_ok());
        file.unwrap_or(&self.files[0])
    }
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

    fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor, Error> {
        let expected = format!("shape {shape:?}");
        let view = self.tensors.get(name).map_err(|_| self.invalid(name, &expected, "nothing"))?;
        if view.shape() != shape {
            return Err(self.invalid(name, &expected, &format!("shape {:?}", view.shape())));
        }
        let Ok(DType::F32 | DType::BF16 | DType::F16) = DType::try_from(view.dtype()) else {
            let got = format!("type {:?}", view.dtype());
            return Err(self.invalid(name, "type F32, BF16 or F16", &got));
        };
        let tensor = self.tensors.load(name, device);
        let tensor = tensor.and_then(|tensor| tensor.to_dtype(DType::F32));
        tensor.map_err(|error| self.invalid(name, "room on the device", &error.to_string()))
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
