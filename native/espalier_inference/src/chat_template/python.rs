//! What Python's values and Jinja's tests do, where the template engine does otherwise.

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, Output, State, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::{budget, operators};

pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.set_unknown_method_callback(call_method);
    environment.set_formatter(write);
    environment.add_filter("string", string);
    environment.add_filter("trim", trim);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", is_iterable);
}

fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match (value.kind(), value.as_str(), method) {
        (_, Some(text), _) => {
            take_made(value, text, method, args)?;
            match text_method(text, method, args)? {
                Some(result) => Ok(result),
                None => unknown_method_callback(state, value, method, args),
            }
        }
        (ValueKind::Seq, _, "index") => index_of(value, args),
        (ValueKind::Seq | ValueKind::Map, _, "copy") => {
            let () = from_args(args)?;
            Ok(value.clone())
        }
        _ => unknown_method_callback(state, value, method, args),
    }
}

/// Takes what a method of a text makes, of the budget.
fn take_made(value: &Value, text: &str, method: &str, args: &[Value]) -> Result<(), Error> {
    let asks = ["count", "endswith", "find", "index", "rfind", "startswith"].contains(&method);
    match (method, args) {
        ("replace", [old, new, ..]) => {
            operators::take_replaced(&[value.clone(), old.clone(), new.clone()])
        }
        ("join", [items, ..]) => operators::take_joined(items, text),
        ("format", _) => operators::take_formatted(text, args),
        ("split" | "rsplit" | "splitlines", _) => {
            let separator = args.first().and_then(Value::as_str);
            let n_parts = separator.filter(|it| !it.is_empty()).map_or_else(
                || text.chars().filter(|&char| is_space(char)).count(),
                |separator| text.matches(separator).count(),
            );
            budget::take(text.len() + (n_parts + 1) * size_of::<Value>())
        }
        _ if asks || method.starts_with("is") => Ok(()),
        _ => budget::take(text.len()),
    }
}

/// The result of a method that is done here.
fn text_method(text: &str, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let result = match method {
        "strip" => stripped(text, from_args::<(Option<&str>,)>(args)?.0, true, true).into(),
        "lstrip" => stripped(text, from_args::<(Option<&str>,)>(args)?.0, true, false).into(),
        "rstrip" => stripped(text, from_args::<(Option<&str>,)>(args)?.0, false, true).into(),
        "split" | "rsplit" => split(text, method == "rsplit", args)?,
        "splitlines" => lines(text, from_args::<(Option<bool>,)>(args)?.0).into_iter().collect(),
        "partition" | "rpartition" => {
            let (separator,): (&str,) = from_args(args)?;
            let found = match method {
                "partition" => text.split_once(separator),
                _ => text.rsplit_once(separator),
            };
            let parts = match (found, method) {
                (Some((before, after)), _) => [before, separator, after],
                (None, "partition") => [text, "", ""],
                (None, _) => ["", "", text],
            };
            parts.into_iter().collect()
        }
        "removeprefix" => {
            let (prefix,): (&str,) = from_args(args)?;
            text.strip_prefix(prefix).unwrap_or(text).into()
        }
        "removesuffix" => {
            let (suffix,): (&str,) = from_args(args)?;
            text.strip_suffix(suffix).unwrap_or(text).into()
        }
        "title" => {
            let () = from_args(args)?;
            title(text).into()
        }
        "isspace" => {
            let () = from_args(args)?;
            (!text.is_empty() && text.chars().all(is_space)).into()
        }
        "index" => {
            let (part,): (&str,) = from_args(args)?;
            let start = text.find(part).ok_or_else(|| failed("substring not found"))?;
            text[..start].chars().count().into()
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}

/// Python counts four control characters among white space that Unicode doesn't.
fn is_space(char: char) -> bool {
    char.is_whitespace() || matches!(char, '\u{1c}'..='\u{1f}')
}

fn stripped<'a>(text: &'a str, chars: Option<&str>, start: bool, end: bool) -> &'a str {
    let is_stripped = |char: char| chars.map_or(is_space(char), |chars| chars.contains(char));
    let text = if start { text.trim_start_matches(is_stripped) } else { text };
    if end { text.trim_end_matches(is_stripped) } else { text }
}

fn split(text: &str, from_end: bool, args: &[Value]) -> Result<Value, Error> {
    let (separator, n_splits): (Option<&str>, Option<i64>) = split_args(args)?;
    let n_splits = n_splits.and_then(|n| usize::try_from(n).ok());
    let n_parts = n_splits.map_or(usize::MAX, |n| n.saturating_add(1));
    let parts: Vec<&str> = match separator {
        Some("") => return Err(failed("empty separator")),
        Some(separator) if from_end => {
            let mut parts: Vec<&str> = text.rsplitn(n_parts, separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(n_parts, separator).collect(),
        None if from_end => words_from_end(text, n_parts),
        None => words(text, n_parts),
    };
    Ok(parts.into_iter().collect())
}

/// The arguments of `split`, by place or by name.
fn split_args(args: &[Value]) -> Result<(Option<&str>, Option<i64>), Error> {
    let (separator, n_splits, named): (Option<&Value>, Option<i64>, minijinja::value::Kwargs) =
        from_args(args)?;
    if let Some(n_splits) = named.get::<Option<i64>>("maxsplit")? {
        named.assert_all_used()?;
        return Ok((separator.and_then(Value::as_str), Some(n_splits)));
    }
    named.assert_all_used()?;
    match separator {
        Some(value) if value.is_none() => Ok((None, n_splits)),
        Some(value) => {
            let text = value.as_str().ok_or_else(|| failed("the separator is no text"))?;
            Ok((Some(text), n_splits))
        }
        None => Ok((None, n_splits)),
    }
}

fn words(text: &str, n_parts: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = if parts.len() + 1 == n_parts { None } else { rest.find(is_space) };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(word);
        rest = after.trim_start_matches(is_space);
    }
    parts
}

fn words_from_end(text: &str, n_parts: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        let space = if parts.len() + 1 == n_parts { None } else { rest.rfind(is_space) };
        let start = space.and_then(|at| Some(at + rest[at..].chars().next()?.len_utf8()));
        let (before, word) = rest.split_at(start.unwrap_or(0));
        parts.push(word);
        rest = before.trim_end_matches(is_space);
    }
    parts.reverse();
    parts
}

fn lines(text: &str, keep_ends: Option<bool>) -> Vec<&str> {
    let is_end = |char| matches!(char, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_end) {
        let n_bytes = match &rest[at..] {
            end if end.starts_with("\r\n") => 2,
            end => end.chars().next().map_or(0, char::len_utf8),
        };
        lines.push(&rest[..if keep_ends == Some(true) { at + n_bytes } else { at }]);
        rest = &rest[at + n_bytes..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// Each letter after none is large and each other small.
fn title(text: &str) -> String {
    let mut out = String::new();
    let mut after_letter = false;
    for char in text.chars() {
        if after_letter {
            out.extend(char.to_lowercase());
        } else {
            out.extend(char.to_uppercase());
        }
        after_letter = char.is_lowercase() || char.is_uppercase();
    }
    out
}

fn index_of(value: &Value, args: &[Value]) -> Result<Value, Error> {
    let (wanted,): (&Value,) = from_args(args)?;
    let index = value.try_iter()?.position(|item| item == *wanted);
    index.map(Value::from).ok_or_else(|| failed("the value is not in the list"))
}

fn trim(value: &Value, chars: Option<&str>) -> Result<String, Error> {
    Ok(stripped(&string(value)?, chars, true, true).to_owned())
}

/// What has a length and items: for Python also texts and mappings.
fn is_sequence(value: &Value) -> bool {
    use ValueKind::{Map, Seq, String, Undefined};
    matches!(value.kind(), Undefined | String | Seq | Map)
}

fn is_iterable(value: &Value) -> bool {
    match value.kind() {
        ValueKind::String => true,
        ValueKind::None => false,
        _ => value.try_iter().is_ok(),
    }
}

fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    budget::take_text(value)?;
    match float(value) {
        Some(float) => Ok(out.write_str(&float_text(float))?),
        None => escape_formatter(out, state, value),
    }
}

fn string(value: &Value) -> Result<String, Error> {
    budget::take_text(value)?;
    Ok(float(value).map_or_else(|| value.to_string(), float_text))
}

fn float(value: &Value) -> Option<f64> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    is_float.then(|| f64::try_from(value.clone()).ok()).flatten()
}

/// The shortest text that stands for the float; with an exponent where it is below 1e-4 or from 1e16.
pub(super) fn float_text(float: f64) -> String {
    if !float.is_finite() {
        return float.to_string().to_lowercase();
    }
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if float == 0.0 || (-4..16).contains(&exponent) {
        return format!("{float:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn failed(detail: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, detail.to_owned())
}
