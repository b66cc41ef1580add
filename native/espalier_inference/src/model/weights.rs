//! [`Weights`]: the tensors of a model's safetensors files, as `f32`.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::files;
use super::json_file::JsonFile;
use super::matrix::Matrix;
use crate::error::Error;

/// One `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
pub(super) struct Weights {
    files: Vec<WeightFile>,
    device: Device,
}

struct WeightFile {
    path: PathBuf,
    tensors: BufferedSafetensors,
}

impl Weights {
    /// Reads the files of a model directory; no tensor is on the device yet.
    pub(super) fn read(directory: &Path, device: &Device) -> Result<Self, Error> {
        let index = directory.join("model.safetensors.index.json");
        let names = if index.exists() {
            shard_names(&JsonFile::read(&index)?)?
        } else {
            BTreeSet::from(["model.safetensors".to_owned()])
        };
        let files = names.iter().map(|name| WeightFile::read(directory.join(name)));
        Ok(Self { files: files.collect::<Result<_, _>>()?, device: device.clone() })
    }

    /// A tensor of the given shape, on the device.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let file = self.files.iter().find(|file| file.tensors.get(name).is_ok());
        file.unwrap_or(&self.files[0]).tensor(name, shape, &self.device)
    }

    /// A matrix with a row of `n_in` weights for each of `n_out` outputs.
    pub(super) fn matrix(&self, name: &str, n_out: usize, n_in: usize) -> Result<Matrix, Error> {
        let weights = self.tensor(name, &[n_out, n_in])?;
        let packed = Matrix::pack(&weights);
        packed.map_err(|error| Error::ComputationFailed { detail: error.to_string() })
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
        match BufferedSafetensors::new(files::read(&path)?) {
            Ok(tensors) => Ok(Self { path, tensors }),
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

    fn invalid(&self, tensor: &str, expected: &str, got: &str) -> Error {
        Error::InvalidWeights {
            path: self.path.clone(),
            tensor: tensor.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
        }
    }
}
