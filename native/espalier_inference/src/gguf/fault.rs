//! [`Fault`]: what is wrong with a part of a file, before it is said which part.

use std::path::Path;

use crate::error::Error;

/// What was expected in a place, and what was there.
#[derive(Debug)]
pub(super) struct Fault {
    expected: String,
    got: String,
}

impl Fault {
    #[expect(clippy::needless_pass_by_value, reason = "calls are easier to read")]
    pub(super) fn new(expected: impl ToString, got: impl ToString) -> Self {
        Self { expected: expected.to_string(), got: got.to_string() }
    }

    /// The error for a key of the metadata.
    pub(super) fn of_key(self, path: &Path, key: &str) -> Error {
        let Self { expected, got } = self;
        Error::InvalidConfig { path: path.to_owned(), field: key.to_owned(), expected, got }
    }

    /// The error for a tensor, or for the file as a whole where the name is empty.
    pub(super) fn of_tensor(self, path: &Path, tensor: &str) -> Error {
        let Self { expected, got } = self;
        Error::InvalidWeights { path: path.to_owned(), tensor: tensor.to_owned(), expected, got }
    }
}
