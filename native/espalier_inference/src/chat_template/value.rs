//! JSON as values of the template engine. Keys keep their order.

use minijinja::value::Value;
use serde_json::{Number, Value as Json};

use crate::error::Error;

pub(super) fn value(json: &Json) -> Result<Value, Error> {
    match json {
        Json::Null => Ok(Value::from(())),
        Json::Bool(flag) => Ok(Value::from(*flag)),
        Json::Number(given) => number(given),
        Json::String(text) => Ok(Value::from(text.as_str())),
        Json::Array(items) => list(items),
        Json::Object(members) => {
            let members = members.iter().map(|(key, json)| Ok((key.as_str(), value(json)?)));
            Ok(Value::from_pairs(members.collect::<Result<Vec<_>, Error>>()?))
        }
    }
}

pub(super) fn list(items: &[Json]) -> Result<Value, Error> {
    items.iter().map(value).collect()
}

/// A number is what Python reads: an integer, or a float where there is a fraction or an exponent.
fn number(number: &Number) -> Result<Value, Error> {
    let text = number.as_str();
    if text.contains(['.', 'e', 'E']) {
        return Ok(Value::from(number.as_f64().unwrap_or(f64::INFINITY)));
    }
    let integer = text.parse::<i128>();
    integer.map(Value::from).map_err(|_| {
        let shown: String = text.chars().take(50).collect();
        let detail = format!("expected integers of at most 38 digits, got: {shown}");
        Error::InvalidChatTemplate { detail }
    })
}
