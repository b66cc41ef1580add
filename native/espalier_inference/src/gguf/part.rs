//! [`Part`]: one file, with its head and where its tensors are.

use std::fmt::Display;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::dequantize::Blocks;
use super::fault::Fault;
use super::head::Head;
use super::metadata::Metadata;
use super::tensor::TensorInfo;
use crate::error::Error;

/// An open file whose head was read and fits its length.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
    pub(super) tensors: FxHashMap<String, TensorInfo>,
    file: fs::File,
}

impl Part {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::FileNotFound { path: path.to_owned(), reason };
        let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
        if !metadata.is_file() {
            return Err(unreadable("not a file".to_owned()));
        }
        let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let Head { metadata, tensors } = Head::read(path, &file, metadata.len())?;
        Ok(Self { path: path.to_owned(), metadata, tensors, file })
    }

    /// The numbers of a tensor.
    pub(super) fn blocks(&self, name: &str, tensor: &TensorInfo) -> Result<Blocks, Error> {
        let bytes = self.bytes(tensor).map_err(|fault| fault.of_tensor(&self.path, name))?;
        Ok(Blocks::new(tensor.tensor_type, bytes))
    }

    /// The file may have become shorter since it was opened.
    fn bytes(&self, tensor: &TensorInfo) -> Result<Vec<u8>, Fault> {
        let n_bytes = tensor.n_bytes as usize;
        let failed = |error: &dyn Display| Fault::new(format!("{n_bytes} bytes"), error);
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(n_bytes).map_err(|error| failed(&error))?;
        bytes.resize(n_bytes, 0);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(tensor.start)).map_err(|error| failed(&error))?;
        file.read_exact(&mut bytes).map_err(|error| failed(&error))?;
        Ok(bytes)
    }
}
