//! Models in GGUF files: their shape, their weights, and which file it is.

mod config;
mod keys;
mod names;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod tests;
mod weights;

use std::fs;
use std::path::{Path, PathBuf};

pub(super) use self::config::{config, family};
pub(super) use self::weights::GgufWeights;
use crate::error::Error;
use crate::gguf;

/// The file to read, where a path is that of one, or of a directory with one and without safetensors.
pub(super) fn find(path: &Path) -> Result<Option<PathBuf>, Error> {
    if path.is_file() {
        return Ok(Some(path.to_owned()));
    }
    let has = |name: &str| path.join(name).exists();
    if has("model.safetensors") || has("model.safetensors.index.json") {
        return Ok(None);
    }
    let Ok(entries) = fs::read_dir(path) else { return Ok(None) };
    let files = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "gguf"))
        // It is read with the first file of its model.
        .filter(|file| !gguf::first(file).is_some_and(|first| first.exists()))
        .collect();
    match (files.pop(), files.len()) {
        (Some(_), 1..) => {
            let n_files = files.len() + 1;
            let reason =
                format!("expected one GGUF file, got: {n_files}, of which one is to be named");
            Err(Error::FileNotFound { path: path.to_owned(), reason })
        }
        (file, _) => Ok(file),
    }
}
