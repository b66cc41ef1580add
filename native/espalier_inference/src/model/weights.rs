//! [`Weights`]: the tensors of a model's safetensors files, as `f32`.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};

use super::files;
use super::json_file::JsonFile;
use crate::error::Error;

/// One `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
pub(crate) struct Weights {
    files: Vec<WeightFile>,
}

struct WeightFile {
    path: PathBuf,
    bytes: Vec<u8>,
    metadata: Metadata,
    /// Where the data starts, after the header.
    data_start: usize,
}

impl Weights {
    /// Reads the files of a model directory; no tensor is converted yet.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        let index = directory.join("model.safetensors.index.json");
        let names = if index.exists() {
            shard_names(&JsonFile::read(&index)?)?
        } else {
            BTreeSet::from(["model.safetensors".to_owned()])
        };
        let files = names.iter().map(|name| WeightFile::read(directory.join(name)));
        Ok(Self { files: files.collect::<Result<_, _>>()? })
    }

    /// A tensor of the given shape, row by row.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let found = self.files.iter().find_map(|file| Some((file, file.metadata.info(name)?)));
        let (file, info) = found
            .ok_or_else(|| self.files[0].invalid(name, &format!("shape {shape:?}"), "nothing"))?;
        if info.shape != shape {
            let got = format!("shape {:?}", info.shape);
            return Err(file.invalid(name, &format!("shape {shape:?}"), &got));
        }
        file.convert(name, info)
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
        match SafeTensors::read_metadata(&bytes) {
            // The header's length, 8 bytes, and the header itself come before the data.
            Ok((header, metadata)) => Ok(Self { path, bytes, metadata, data_start: header + 8 }),
            Err(error) => Err(Error::InvalidWeights {
                path,
                tensor: String::new(),
                expected: "a complete safetensors file".to_owned(),
                got: error.to_string(),
            }),
        }
    }

    fn convert(&self, name: &str, info: &TensorInfo) -> Result<Vec<f32>, Error> {
        let (start, end) = info.data_offsets;
        let data = &self.bytes[self.data_start + start..self.data_start + end];
        match info.dtype {
            Dtype::F32 => Ok(widen(data, f32::from_le_bytes)),
            Dtype::BF16 => Ok(widen(data, |bytes| bf16::from_le_bytes(bytes).to_f32())),
            Dtype::F16 => Ok(widen(data, |bytes| f16::from_le_bytes(bytes).to_f32())),
            other => Err(self.invalid(name, "type F32, BF16 or F16", &format!("type {other:?}"))),
        }
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

fn widen<const N: usize>(data: &[u8], convert: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    data.as_chunks::<N>().0.iter().map(|&bytes| convert(bytes)).collect()
}
