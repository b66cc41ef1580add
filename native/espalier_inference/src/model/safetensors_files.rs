//! [`SafetensorsFiles`]: the tensors of a directory as Hugging Face lays it out.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use candle_core::safetensors::BufferedSafetensors;
use candle_core::{DType, Device, Tensor};

use super::files;
use super::json_file::JsonFile;
use crate::error::Error;

/// Models of smaller files are not quantised unless they are asked to be: a CPU's caches hold them
/// as they are, and they have little to lose.
const MIN_QUANTISED_BYTES: usize = 1 << 24;

/// One `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
pub(super) struct SafetensorsFiles {
    files: Vec<WeightFile>,
    /// What stands before the names of all tensors.
    prefix: &'static str,
}

struct WeightFile {
    path: PathBuf,
    n_bytes: usize,
    tensors: BufferedSafetensors,
}

impl SafetensorsFiles {
    /// Reads the files of a directory.
    pub(super) fn read(directory: &Path, prefix: &'static str) -> Result<Self, Error> {
        let index = directory.join("model.safetensors.index.json");
        let names = if index.exists() {
            shard_names(&JsonFile::read(&index)?)?
        } else {
            BTreeSet::from(["model.safetensors".to_owned()])
        };
        let files = names.iter().map(|name| WeightFile::read(directory.join(name)));
        Ok(Self { files: files.collect::<Result<_, _>>()?, prefix })
    }

    /// A tensor as the files have it, on the CPU.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let name = self.name(name);
        self.file_of(&name).tensor(&name, shape)
    }

    /// Whether a tensor has numbers of two bytes, and the model is not a small one.
    pub(super) fn is_half_of_large(&self, name: &str) -> bool {
        let name = self.name(name);
        let n_bytes: usize = self.files.iter().map(|file| file.n_bytes).sum();
        n_bytes >= MIN_QUANTISED_BYTES && self.file_of(&name).has_two_bytes(&name)
    }

    /// The file that has a tensor.
    pub(super) fn path(&self, name: &str) -> &Path {
        &self.file_of(&self.name(name)).path
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The file that has a tensor, or any where none has it.
    fn file_of(&self, name: &str) -> &WeightFile {
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
