//! Reading the files of a model directory.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// The bytes of a regular file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::FileNotFound { path: path.to_owned(), reason };
    let metadata = fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !metadata.is_file() {
        return Err(failed("not a file".to_owned()));
    }
    fs::read(path).map_err(|error| failed(error.to_string()))
}
