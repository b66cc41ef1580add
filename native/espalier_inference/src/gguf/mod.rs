//! GGUF, the file format of llama.cpp: typed metadata, a table of tensors, and their numbers.
//!
//! - [`GgufFile`] is an open file. Its head is read when it is opened; tensors are read one by one.
//! - [`Metadata`] are its keys and values, read with typed errors.
//! - [`Blocks`] are the numbers of a tensor as the file has them, quantised or not.
//!
//! Versions 2 and 3 are read, little-endian. A file isn't mapped into memory: whoever truncates a
//! mapped file ends the process that reads it.

mod dequantize;
mod fault;
mod head;
mod input;
mod metadata;
mod tensor;
mod tensor_type;
#[cfg(test)]
pub(crate) mod test_file;
mod value;

use std::fmt::Display;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

pub(crate) use self::dequantize::Blocks;
use self::fault::Fault;
use self::head::Head;
pub(crate) use self::metadata::Metadata;
use self::tensor::TensorInfo;
pub(crate) use self::tensor_type::TensorType;
use crate::error::Error;

/// An open file whose head was read and fits its length.
#[derive(Debug)]
pub(crate) struct GgufFile {
    path: PathBuf,
    file: fs::File,
    metadata: Metadata,
    tensors: FxHashMap<String, TensorInfo>,
}

impl GgufFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let unreadable = |reason: String| Error::FileNotFound { path: path.to_owned(), reason };
        let metadata = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?;
        if !metadata.is_file() {
            return Err(unreadable("not a file".to_owned()));
        }
        let file = fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
        let Head { metadata, tensors } = Head::read(path, &file, metadata.len())?;
        Ok(Self { path: path.to_owned(), file, metadata, tensors })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The names of all tensors, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a tensor: numbers that are neighbours in the file are along the last dimension.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|tensor| &*tensor.shape)
    }

    /// The numbers of a tensor, which must have the given shape.
    pub(crate) fn blocks(&self, name: &str, shape: &[usize]) -> Result<Blocks, Error> {
        let expected = format!("shape {shape:?}");
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.invalid(name, &expected, "nothing"));
        };
        if tensor.shape != shape {
            return Err(self.invalid(name, &expected, &format!("shape {:?}", tensor.shape)));
        }
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

    pub(crate) fn invalid(&self, tensor: &str, expected: &str, got: &str) -> Error {
        Fault::new(expected, got).of_tensor(&self.path, tensor)
    }
}

#[cfg(test)]
mod tests;
