//! The cases of `MaskBench`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tokenizer::Tokenizer;

/// A schema with instances.
pub struct Case {
    /// Its name.
    pub name: String,
    /// The text of the schema.
    pub schema: String,
    /// Values with whether they are valid.
    pub instances: Vec<(Value, bool)>,
}

/// A case with its instances cut into tokens.
#[derive(Serialize, Deserialize)]
pub struct TokenizedCase {
    /// Its name.
    pub name: String,
    /// The text of the schema.
    pub schema: String,
    /// The instances.
    pub texts: Vec<Text>,
}

/// An instance.
#[derive(Serialize, Deserialize)]
pub struct Text {
    /// Its text, as [`spaced`] writes it.
    pub tokens: Vec<u32>,
    /// Whether the value is valid.
    pub is_valid: bool,
}

impl Case {
    /// The case with its instances cut into tokens.
    #[must_use]
    pub fn tokenized(&self, tokenizer: &Tokenizer) -> TokenizedCase {
        let text = |(value, is_valid): &(Value, bool)| Text {
            tokens: tokenizer.encode(&spaced(value)),
            is_valid: *is_valid,
        };
        let texts = self.instances.iter().map(text).collect();
        TokenizedCase { name: self.name.clone(), schema: self.schema.clone(), texts }
    }
}

/// Reads a file with one case on each line: `name`, `schema`, and `tests` with `valid` and `data`.
///
/// # Errors
/// When it can't be read, or a line is no JSON.
pub fn read(path: &Path) -> Result<Vec<Case>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.lines().map(case).collect()
}

fn case(line: &str) -> Result<Case> {
    let case: Value = serde_json::from_str(line)?;
    let tests = case["tests"].as_array().cloned().unwrap_or_default();
    Ok(Case {
        name: case["name"].as_str().unwrap_or_default().to_owned(),
        schema: case["schema"].to_string(),
        instances: tests.into_iter().map(|test| instance(&test)).collect(),
    })
}

fn instance(test: &Value) -> (Value, bool) {
    (test["data"].clone(), test["valid"] == true)
}

/// The value as Python's `json.dumps` writes it, with all characters as they are.
#[must_use]
pub fn spaced(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Array(items) => format!("[{}]", joined(items.iter().map(spaced).collect())),
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), spaced(value))
            };
            format!("{{{}}}", joined(members.iter().map(member).collect()))
        }
        other => other.to_string(),
    }
}
