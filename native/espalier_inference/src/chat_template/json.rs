//! The filter `tojson`, as `transformers` has it: `json.dumps` of Python without ASCII escapes.

use std::fmt::Write;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::budget;
use super::python::float_text;

/// Values may be nested so deep; Python's limit is near.
const MAX_DEPTH: usize = 500;

/// The longest integer has 39 digits and a sign.
const MAX_WORD_BYTES: usize = 40;

/// The arguments may be given by name, and all but `sort_keys` by place.
#[expect(clippy::needless_pass_by_value, reason = "the engine passes it so")]
pub(super) fn tojson(
    value: &Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    separators: Option<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let argument = |name, placed: Option<Value>| -> Result<Option<Value>, Error> {
        Ok(placed.or(named.get::<Option<Value>>(name)?).filter(|value| !value.is_none()))
    };
    let is_set = |value: Option<Value>| value.is_some_and(|value| value.is_true());
    let ascii = is_set(argument("ensure_ascii", ensure_ascii)?);
    let sorted = is_set(argument("sort_keys", None)?);
    let indent = argument("indent", indent)?.map(|value| indentation(&value)).transpose()?;
    let item_separator = if indent.is_some() { "," } else { ", " };
    let (item_separator, key_separator) = match argument("separators", separators)? {
        Some(given) => separator_texts(&given)?,
        None => (item_separator.to_owned(), ": ".to_owned()),
    };
    named.assert_all_used()?;
    let mut writer =
        Writer { out: String::new(), ascii, sorted, indent, item_separator, key_separator };
    writer.value(value, 0)?;
    Ok(writer.out)
}

/// The text that a level is indented by: itself, or so many spaces.
fn indentation(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let n = value.as_i64().ok_or_else(|| refused("indent is no integer and no text"))?;
    Ok(" ".repeat(n.clamp(0, 1000) as usize))
}

fn separator_texts(value: &Value) -> Result<(String, String), Error> {
    let texts: Vec<Value> = value.try_iter()?.collect();
    match texts.as_slice() {
        [item, key] if item.as_str().is_some() && key.as_str().is_some() => {
            Ok((item.to_string(), key.to_string()))
        }
        _ => Err(refused("separators are no two texts")),
    }
}

struct Writer {
    out: String,
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(refused("the value is nested too deep"));
        }
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number_text(value)),
            ValueKind::String => return self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => return self.items(value, depth),
            ValueKind::Map => return self.members(value, depth),
            kind => return Err(refused(&format!("{kind} has no JSON"))),
        }
        Ok(())
    }

    fn items(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.out.push('[');
        let mut n_items = 0;
        for item in value.try_iter()? {
            self.begin_item(n_items, depth + 1)?;
            self.value(&item, depth + 1)?;
            n_items += 1;
        }
        self.end(n_items, depth)?;
        self.out.push(']');
        Ok(())
    }

    fn members(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sorted {
            keys.sort();
        }
        self.out.push('{');
        for (index, key) in keys.iter().enumerate() {
            self.begin_item(index, depth + 1)?;
            self.key(key)?;
            self.out.push_str(&self.key_separator);
            self.value(&value.get_item(key)?, depth + 1)?;
        }
        self.end(keys.len(), depth)?;
        self.out.push('}');
        Ok(())
    }

    fn begin_item(&mut self, index: usize, depth: usize) -> Result<(), Error> {
        // A pair of brackets, a number or a word is no longer.
        budget::take(self.item_separator.len() + self.key_separator.len() + MAX_WORD_BYTES)?;
        if index > 0 {
            self.out.push_str(&self.item_separator);
        }
        self.new_line(depth)
    }

    fn end(&mut self, n_items: usize, depth: usize) -> Result<(), Error> {
        if n_items > 0 { self.new_line(depth) } else { Ok(()) }
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Error> {
        if let Some(indent) = &self.indent {
            budget::take(1 + indent.len().saturating_mul(depth))?;
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(indent.as_str(), depth));
        }
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), Error> {
        match key.kind() {
            ValueKind::String => return self.text(key.as_str().unwrap_or_default()),
            ValueKind::None => self.out.push_str("\"null\""),
            ValueKind::Bool if key.is_true() => self.out.push_str("\"true\""),
            ValueKind::Bool => self.out.push_str("\"false\""),
            ValueKind::Number => return self.text(&number_text(key)),
            kind => return Err(refused(&format!("{kind} is no key of JSON"))),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        let start = self.out.len();
        self.out.push('"');
        for char in text.chars() {
            match char {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..=' ' if char != ' ' => self.escape(char),
                '\u{7f}'.. if self.ascii => self.escape(char),
                char => self.out.push(char),
            }
        }
        self.out.push('"');
        budget::take(self.out.len() - start)
    }

    fn escape(&mut self, char: char) {
        for unit in char.encode_utf16(&mut [0; 2]) {
            let _ = write!(self.out, "\\u{unit:04x}");
        }
    }
}

fn number_text(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    match f64::try_from(value.clone()) {
        Ok(float) if float.is_nan() => "NaN".to_owned(),
        Ok(float) if float.is_infinite() && float > 0.0 => "Infinity".to_owned(),
        Ok(float) if float.is_infinite() => "-Infinity".to_owned(),
        Ok(float) => float_text(float),
        Err(_) => value.to_string(),
    }
}

fn refused(detail: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {detail}"))
}
