//! Reads `testdata/hostile/`; the README beside it defines the format.

use std::sync::Arc;

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use serde_json::Value;

use super::data;

/// A case, not written out yet.
pub(crate) struct Case {
    pub(crate) name: String,
    description: Value,
}

/// What must happen: nothing in particular, or a certain error.
pub(crate) struct Expected {
    kind: String,
    limit: Option<String>,
}

/// A text that a matcher reads.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    /// The error of reading it, or of the mask after it.
    pub(crate) error: Option<Expected>,
    /// The error of completing it.
    pub(crate) completion: Option<Expected>,
}

/// All cases, in the order of the files.
pub(crate) fn cases() -> Vec<Case> {
    let files = data::names("hostile").into_iter();
    let groups = files.map(|name| data::read_json(&format!("hostile/{name}.json")));
    let cases = groups.flat_map(|cases| cases.as_array().expect("an array of cases").clone());
    let cases = cases.map(|description| Case {
        name: description["name"].as_str().expect("a name").to_owned(),
        description,
    });
    cases.collect()
}

impl Case {
    /// The presets under which it is run.
    pub(crate) fn presets(&self) -> &'static [&'static str] {
        match self.description["options"].as_str() {
            Some("matching") => &["matching"],
            Some("generating") => &["generating"],
            _ if self.description.get("vocabulary").is_some() => &["generating"],
            _ if self.is_plain() => &["generating"],
            _ => &["generating", "matching"],
        }
    }

    /// Whether options make no difference.
    fn is_plain(&self) -> bool {
        ["regex", "choice", "grammar"].iter().any(|key| self.description.get(key).is_some())
    }

    pub(crate) fn vocabulary(&self) -> Result<Arc<Vocabulary>, Error> {
        let Some(description) = self.description.get("vocabulary") else {
            return Ok(data::read_vocabulary("boundaries"));
        };
        let mut tokens = Vec::new();
        for token in description["tokens"].as_array().expect("a list of tokens") {
            let n = token.get("token").and_then(|_| token["times"].as_u64()).unwrap_or(1);
            let bytes = generate(token.get("token").unwrap_or(token));
            tokens.extend(std::iter::repeat_n(bytes, n as usize));
        }
        let eos: Vec<u32> = serde_json::from_value(description["eos"].clone()).expect("ids");
        Ok(Arc::new(Vocabulary::new(tokens, &eos, &[])?))
    }

    pub(crate) fn compile(
        &self,
        options: JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Constraint, Error> {
        let text = |key: &str| {
            let bytes = self.description.get(key).map(generate)?;
            Some(String::from_utf8(bytes).expect("UTF-8"))
        };
        if let Some(pattern) = text("regex") {
            return Constraint::regex(&pattern, vocabulary);
        }
        if let Some(grammar) = text("grammar") {
            let options = data::grammar_options(&self.description);
            return Constraint::grammar(&grammar, &options, vocabulary);
        }
        if let Some(choice) = self.description.get("choice") {
            return Constraint::choice(&generate_list(choice), vocabulary);
        }
        let schema = self.description.get("schema").map(Value::to_string);
        let schema = schema.or_else(|| text("schema_text")).expect("a constraint");
        Constraint::json_schema(&schema, &options, vocabulary)
    }

    pub(crate) fn texts(&self) -> Vec<Text> {
        let start = [Value::from("")];
        let texts = self.description["texts"].as_array().map_or(&start[..], Vec::as_slice);
        let text = |text: &Value| Text {
            bytes: generate(text.get("text").unwrap_or(text)),
            error: expected(text.get("error")),
            completion: expected(text.get("completion")),
        };
        texts.iter().map(text).collect()
    }

    /// The error of compiling.
    pub(crate) fn error(&self) -> Option<Expected> {
        expected(self.description.get("error"))
    }
}

fn expected(error: Option<&Value>) -> Option<Expected> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    error.map(|error| Expected {
        kind: text(&error["kind"]).expect("a kind"),
        limit: text(&error["limit"]),
    })
}

impl Expected {
    /// Whether the error is the one that is expected, where one is.
    pub(crate) fn is(expected: Option<&Self>, error: Option<&Error>) -> bool {
        match (expected, error) {
            (None, None) => true,
            (Some(expected), Some(error)) => {
                let limit = data::limit_of(error);
                expected.kind == data::kind_of(error)
                    && expected.limit.as_deref().is_none_or(|expected| Some(expected) == limit)
            }
            _ => false,
        }
    }
}

/// The bytes that a generator describes.
fn generate(generator: &Value) -> Vec<u8> {
    match generator {
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(parts) => parts.iter().flat_map(generate).collect(),
        _ if generator.get("hex").is_some() => {
            data::bytes_of_hex(generator["hex"].as_str().expect("hexadecimal digits"))
        }
        _ if generator.get("repeat").is_some() => generate(&generator["repeat"])
            .repeat(generator["times"].as_u64().expect("times") as usize),
        _ => {
            let separator = generator["separator"].as_str().unwrap_or(",");
            generate_list(generator).join(separator).into_bytes()
        }
    }
}

/// The texts of a list of generators, or of one with numbers.
fn generate_list(generator: &Value) -> Vec<String> {
    let text = |generator: &Value| String::from_utf8(generate(generator)).expect("UTF-8");
    if let Some(texts) = generator.as_array() {
        return texts.iter().map(text).collect();
    }
    let template = text(&generator["each"]);
    let number = |key: &str| generator[key].as_u64().expect("a number");
    (number("from")..number("to")).map(|n| fill(&template, n)).collect()
}

/// The template with the number in place of `{n}`, and with a sum in place of `{n+1}` and so on.
fn fill(template: &str, n: u64) -> String {
    let mut parts = template.split("{n");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (more, rest) = part.split_once('}').expect("the end of a place for a number");
        let more = more.strip_prefix('+').map_or(0, |more| more.parse().expect("a number"));
        filled.push_str(&(n + more).to_string());
        filled.push_str(rest);
    }
    filled
}
