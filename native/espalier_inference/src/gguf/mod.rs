//! GGUF, the file format of llama.cpp: typed metadata, a table of tensors, and their numbers.
//!
//! - [`GgufFile`] is an open file, or several that a model was split into. Heads are read when they are
//!   opened; tensors are read one by one.
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
mod part;
mod split;
mod tensor;
mod tensor_type;
#[cfg(test)]
pub(crate) mod test_file;
mod value;

use std::path::Path;

pub(crate) use self::dequantize::Blocks;
use self::fault::Fault;
pub(crate) use self::metadata::Metadata;
use self::part::Part;
pub(crate) use self::split::first;
use self::tensor::TensorInfo;
pub(crate) use self::tensor_type::TensorType;
use crate::error::Error;

/// The open file of a model, or its files if it was split.
#[derive(Debug)]
pub(crate) struct GgufFile {
    /// It has the metadata.
    first: Part,
    others: Vec<Part>,
}

impl GgufFile {
    /// Opens a file, and those beside it that have the rest of a split model.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let first = Part::open(path)?;
        let others = split::others(&first)?;
        Ok(Self { first, others })
    }

    /// The first file.
    pub(crate) fn path(&self) -> &Path {
        &self.first.path
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.first.metadata
    }

    /// The names of all tensors, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.parts().flat_map(|part| part.tensors.keys().map(String::as_str))
    }

    /// The shape of a tensor: numbers that are neighbours in the file are along the last dimension.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensor(name).map(|(_, tensor)| &*tensor.shape)
    }

    /// The numbers of a tensor, which must have the given shape.
    pub(crate) fn blocks(&self, name: &str, shape: &[usize]) -> Result<Blocks, Error> {
        let expected = format!("shape {shape:?}");
        match self.tensor(name) {
            Some((part, tensor)) if tensor.shape == shape => part.blocks(name, tensor),
            Some((_, tensor)) => {
                Err(self.invalid(name, &expected, &format!("shape {:?}", tensor.shape)))
            }
            None => Err(self.invalid(name, &expected, "nothing")),
        }
    }

    pub(crate) fn invalid(&self, tensor: &str, expected: &str, got: &str) -> Error {
        let path = self.tensor(tensor).map_or(self.path(), |(part, _)| &part.path);
        Fault::new(expected, got).of_tensor(path, tensor)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn tensor(&self, name: &str) -> Option<(&Part, &TensorInfo)> {
        self.parts().find_map(|part| Some((part, part.tensors.get(name)?)))
    }
}

#[cfg(test)]
mod tests;
