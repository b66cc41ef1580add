//! [`Metadata`]: the keys and values of a file, read key by key with typed errors.

use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::fault::Fault;
use super::value::{Scalar, Value};
use crate::error::Error;

/// Sizes are at most this: far above any model, and products of a few of them don't overflow.
const MAX_SIZE: u64 = 1 << 28;

/// The keys and values of a file.
#[derive(Debug)]
pub(crate) struct Metadata {
    path: PathBuf,
    values: FxHashMap<String, Value>,
}

impl Metadata {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), values: FxHashMap::default() }
    }

    pub(super) fn insert(&mut self, key: String, value: Value) -> Result<(), Error> {
        match self.values.entry(key) {
            Entry::Occupied(entry) => {
                let fault = Fault::new("each key once", "a second one");
                Err(fault.of_key(&self.path, entry.key()))
            }
            Entry::Vacant(entry) => {
                entry.insert(value);
                Ok(())
            }
        }
    }

    /// All keys, in no order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(key, "a text")),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Option<&[String]>, Error> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Texts(texts)) => Ok(Some(texts)),
            Some(_) => Err(self.invalid(key, "an array of texts")),
        }
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Scalar(Scalar::Bool(flag))) => Ok(Some(*flag)),
            Some(_) => Err(self.invalid(key, "true or false")),
        }
    }

    /// An integer that isn't negative, of any width.
    pub(crate) fn unsigned(&self, key: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.values.get(key) else { return Ok(None) };
        let number = match value {
            Value::Scalar(Scalar::Unsigned(number)) => Some(*number),
            Value::Scalar(Scalar::Signed(number)) => u64::try_from(*number).ok(),
            _ => None,
        };
        number.map(Some).ok_or_else(|| self.invalid(key, "an integer from 0"))
    }

    /// A size, from 1.
    pub(crate) fn size(&self, key: &str, default: Option<usize>) -> Result<usize, Error> {
        match (self.unsigned(key)?, default) {
            (Some(size @ 1..=MAX_SIZE), _) => Ok(size as usize),
            (None, Some(default)) => Ok(default),
            _ => Err(self.invalid(key, "an integer from 1 to 2^28")),
        }
    }

    pub(crate) fn float(&self, key: &str) -> Result<Option<f32>, Error> {
        match self.values.get(key) {
            None => Ok(None),
            Some(Value::Scalar(Scalar::Float(number))) => Ok(Some(*number as f32)),
            Some(_) => Err(self.invalid(key, "a number with a fraction")),
        }
    }

    /// A number above zero.
    pub(crate) fn positive(&self, key: &str, default: Option<f32>) -> Result<f32, Error> {
        (self.float(key)?.or(default))
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| self.invalid(key, "a number above 0"))
    }

    pub(crate) fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, Error> {
        self.scalars(key, "an array of integers", |scalar| match scalar {
            Scalar::Unsigned(number) => i64::try_from(number).ok(),
            Scalar::Signed(number) => Some(number),
            _ => None,
        })
    }

    pub(crate) fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, Error> {
        self.scalars(key, "an array of numbers", |scalar| match scalar {
            Scalar::Float(number) => Some(number as f32),
            _ => None,
        })
    }

    fn scalars<T>(
        &self,
        key: &str,
        expected: &str,
        convert: impl Fn(Scalar) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        let converted = match self.values.get(key) {
            None => return Ok(None),
            Some(Value::Scalars(scalars)) => scalars.iter().map(convert).collect(),
            Some(_) => None,
        };
        converted.map(Some).ok_or_else(|| self.invalid(key, expected))
    }

    /// The error for a key whose value isn't what is expected, or that is missing.
    pub(crate) fn invalid(&self, key: &str, expected: &str) -> Error {
        let got = self.values.get(key).map_or_else(|| "nothing".to_owned(), shortened);
        self.mismatch(key, expected, &got)
    }

    /// The error for something in the value of a key.
    pub(crate) fn mismatch(&self, key: &str, expected: &str, got: &str) -> Error {
        Fault::new(expected, got).of_key(&self.path, key)
    }
}

fn shortened(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 80;
    match value {
        Value::Scalar(Scalar::Unsigned(number)) => number.to_string(),
        Value::Scalar(Scalar::Signed(number)) => number.to_string(),
        Value::Scalar(Scalar::Float(number)) => number.to_string(),
        Value::Scalar(Scalar::Bool(flag)) => flag.to_string(),
        Value::Text(text) => match text.char_indices().nth(MAX_CHARACTERS) {
            Some((end, _)) => format!("{:?}…", &text[..end]),
            None => format!("{text:?}"),
        },
        Value::Scalars(scalars) => format!("an array of {} numbers", scalars.iter().count()),
        Value::Texts(texts) => format!("an array of {} texts", texts.len()),
        Value::Nested => "an array of arrays".to_owned(),
    }
}
