//! [`JsonFile`]: a JSON file of a model, read field by field with typed errors.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::files;
use crate::error::Error;

/// Sizes in a configuration are at most this: far above any model, and products of a few of them
/// don't overflow.
const MAX_SIZE: u64 = 1 << 28;

/// A JSON object in a file of the model.
#[derive(Debug)]
pub(crate) struct JsonFile {
    path: PathBuf,
    /// What errors put in front of a field's name: the object that it is in.
    prefix: String,
    fields: Map<String, Value>,
    /// What errors call fields that have another name in the file.
    names: Rc<FxHashMap<String, String>>,
}

impl JsonFile {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(path, &files::read(path)?)
    }

    /// The file, or an empty object where there is none.
    pub(crate) fn read_if_present(path: &Path) -> Result<Self, Error> {
        if path.exists() {
            Self::read(path)
        } else {
            Ok(Self::new(path, Map::new(), FxHashMap::default()))
        }
    }

    /// What another file says in these fields, and what it calls them.
    pub(crate) fn new(
        path: &Path,
        fields: Map<String, Value>,
        names: FxHashMap<String, String>,
    ) -> Self {
        Self { path: path.to_owned(), prefix: String::new(), fields, names: Rc::new(names) }
    }

    /// The object with what else these fields are where it doesn't say.
    pub(crate) fn with_defaults(mut self, defaults: &Value) -> Self {
        for (name, value) in defaults.as_object().into_iter().flatten() {
            self.fields.entry(name).or_insert_with(|| value.clone());
        }
        self
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let invalid = |got| Error::InvalidConfig {
            path: path.to_owned(),
            field: String::new(),
            expected: "a JSON object".to_owned(),
            got,
        };
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self::new(path, fields, FxHashMap::default())),
            Ok(other) => Err(invalid(shortened(&other))),
            Err(error) => Err(invalid(error.to_string())),
        }
    }

    /// The value of a field; `null` counts as absent.
    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A size, from 1.
    pub(crate) fn size(&self, name: &str, default: Option<usize>) -> Result<usize, Error> {
        let expected = "an integer from 1 to 2^28";
        match (self.field(name), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.invalid(name, expected)),
            (Some(value), _) => (value.as_u64())
                .filter(|size| (1..=MAX_SIZE).contains(size))
                .map(|size| size as usize)
                .ok_or_else(|| self.invalid(name, expected)),
        }
    }

    /// An integer from zero.
    pub(crate) fn size_or_zero(&self, name: &str, default: usize) -> Result<usize, Error> {
        let is_zero = self.field(name).is_some_and(|value| value.as_u64() == Some(0));
        if is_zero { Ok(0) } else { self.size(name, Some(default)) }
    }

    /// A size, or nothing for `null`; the default is for an absent field.
    pub(crate) fn size_or_null(
        &self,
        name: &str,
        default: Option<usize>,
    ) -> Result<Option<usize>, Error> {
        match self.fields.get(name) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(_) => self.size(name, None).map(Some),
        }
    }

    /// The same for a number above zero.
    pub(crate) fn positive_or_null(
        &self,
        name: &str,
        default: Option<f32>,
    ) -> Result<Option<f32>, Error> {
        match self.fields.get(name) {
            None => Ok(default),
            Some(Value::Null) => Ok(None),
            Some(_) => self.positive(name, None).map(Some),
        }
    }

    /// A number above zero.
    pub(crate) fn positive(&self, name: &str, default: Option<f32>) -> Result<f32, Error> {
        let value = match (self.field(name), default) {
            (None, Some(default)) => return Ok(default),
            (value, _) => value,
        };
        (value.and_then(Value::as_f64))
            .map(|number| number as f32)
            .filter(|number| number.is_finite() && *number > 0.0)
            .ok_or_else(|| self.invalid(name, "a number above 0"))
    }

    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, Error> {
        let Some(value) = self.field(name) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.invalid(name, "true or false"))
    }

    /// A field that is an object of its own; its errors name it in front of its fields.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, Error> {
        match self.field(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => {
                let prefix = format!("{}{name}.", self.prefix);
                let (path, names) = (self.path.clone(), Rc::clone(&self.names));
                Ok(Some(Self { path, prefix, fields: fields.clone(), names }))
            }
            Some(_) => Err(self.invalid(name, "an object")),
        }
    }

    /// Token ids: an integer, a list of them, or nothing.
    pub(crate) fn token_ids(&self, name: &str) -> Result<Vec<u32>, Error> {
        let id = |value: &Value| {
            (value.as_u64().and_then(|id| u32::try_from(id).ok()))
                .ok_or_else(|| self.invalid(name, "a token id or a list of them"))
        };
        match self.field(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => values.iter().map(id).collect(),
            Some(value) => Ok(vec![id(value)?]),
        }
    }

    /// A token's text, spelled as a string or as an object with its `content`.
    pub(crate) fn token_text(&self, name: &str) -> Option<&str> {
        let value = self.field(name)?;
        value.as_str().or_else(|| value.get("content")?.as_str())
    }

    /// Fails where a field has a value that changes the computation in a way that isn't supported.
    pub(crate) fn expect(
        &self,
        name: &str,
        expected: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<(), Error> {
        match self.field(name) {
            Some(value) if !holds(value) => Err(self.invalid(name, expected)),
            _ => Ok(()),
        }
    }

    pub(crate) fn invalid(&self, field: &str, expected: &str) -> Error {
        let name = format!("{}{field}", self.prefix);
        Error::InvalidConfig {
            path: self.path.clone(),
            field: self.names.get(&name).cloned().unwrap_or(name),
            expected: expected.to_owned(),
            got: self.fields.get(field).map_or_else(|| "nothing".to_owned(), shortened),
        }
    }
}

fn shortened(value: &Value) -> String {
    const MAX_CHARACTERS: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
