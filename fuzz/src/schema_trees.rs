//! Schemas as rows of choices, so that what is tried is mostly a schema.

use serde_json::{Map, Value, json};

use super::input::Input;

const MAX_DEPTH: usize = 4;

const KEYS: [&str; 6] = ["a", "b", "ab", "", "é", "$ref"];
const STRINGS: [&str; 7] = ["", "a", "ab", "é", "😀", "\"\\", "2024-02-29"];
const NUMBERS: [&str; 15] = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "0.5",
    "0.1",
    "1.0",
    "1e2",
    "-2.5",
    "100",
    "1e400",
    "0.001",
    "12345678901234567890",
];
const COUNTS: [&str; 8] = ["0", "1", "2", "3", "5", "1.0", "100", "1e20"];
const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
const FORMATS: [&str; 9] =
    ["date", "time", "uuid", "ipv4", "ipv6", "email", "json-pointer", "duration", "none"];
const PIECES: [&str; 26] = [
    "a", "b", ".", "é", "\\d", "\\w", "[ab]", "[^a]", "\"", "(", ")", "(?:", "(?=", "(?!", "(?<=",
    "(?<!", "|", "*", "+", "?", "{2}", "{0,3}", "^", "$", "\\b", "\\p{L}",
];
const REFERENCES: [&str; 7] =
    ["#", "#/$defs/a", "#/$defs/b", "#a", "#/properties/a", "d:x", "#/items"];
const DRAFTS: [&str; 5] = [
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "https://json-schema.org/draft/2020-12/schema",
];

/// A whole schema, perhaps with a draft and definitions.
pub(super) fn schema(input: &mut Input<'_>) -> Value {
    let shape = input.byte();
    let mut schema = subschema(input, 0);
    if let Some(members) = schema.as_object_mut() {
        if shape & 1 == 1 {
            members.insert("$defs".into(), object(input, 1));
        }
        if shape & 2 == 2 {
            members.insert("$schema".into(), (*input.pick(&DRAFTS)).into());
        }
    }
    schema
}

fn subschema(input: &mut Input<'_>, depth: usize) -> Value {
    if depth >= MAX_DEPTH || input.is_empty() {
        return Value::Bool(input.below(4) != 1);
    }
    let mut members = Map::new();
    for _ in 0..=input.below(4) {
        let (keyword, value) = keyword(input, depth);
        members.insert(keyword.into(), value);
    }
    Value::Object(members)
}

fn keyword(input: &mut Input<'_>, depth: usize) -> (&'static str, Value) {
    let index = input.below(KEYWORDS.len());
    let (name, kind) = KEYWORDS[index];
    let value = match kind {
        Kind::Schema => subschema(input, depth + 1),
        Kind::Schemas => list(input, |input| subschema(input, depth + 1)),
        Kind::Object => object(input, depth + 1),
        Kind::Patterns => {
            let members =
                (0..=input.below(2)).map(|_| (pattern(input), subschema(input, depth + 1)));
            Value::Object(members.collect())
        }
        Kind::Keys => list(input, |input| (*input.pick(&KEYS)).into()),
        Kind::Dependencies => {
            let lists = (0..=input.below(2)).map(|_| {
                let key = (*input.pick(&KEYS)).to_owned();
                (key, list(input, |input| (*input.pick(&KEYS)).into()))
            });
            Value::Object(lists.collect())
        }
        Kind::Type => list(input, |input| (*input.pick(&TYPES)).into()),
        Kind::Number => number(input.pick::<&str>(&NUMBERS)),
        Kind::Count => number(input.pick::<&str>(&COUNTS)),
        Kind::Pattern => pattern(input).into(),
        Kind::Format => (*input.pick(&FORMATS)).into(),
        Kind::Reference => (*input.pick(&REFERENCES)).into(),
        Kind::Value => value(input, 0),
        Kind::Values => list(input, |input| value(input, 0)),
        Kind::Flag => Value::Bool(input.below(3) != 1),
    };
    (name, value)
}

#[derive(Clone, Copy)]
enum Kind {
    Schema,
    Schemas,
    Object,
    Patterns,
    Keys,
    Dependencies,
    Type,
    Number,
    Count,
    Pattern,
    Format,
    Reference,
    Value,
    Values,
    Flag,
}

const KEYWORDS: [(&str, Kind); 44] = [
    ("type", Kind::Type),
    ("properties", Kind::Object),
    ("items", Kind::Schema),
    ("anyOf", Kind::Schemas),
    ("allOf", Kind::Schemas),
    ("oneOf", Kind::Schemas),
    ("not", Kind::Schema),
    ("if", Kind::Schema),
    ("then", Kind::Schema),
    ("else", Kind::Schema),
    ("enum", Kind::Values),
    ("const", Kind::Value),
    ("required", Kind::Keys),
    ("additionalProperties", Kind::Schema),
    ("patternProperties", Kind::Patterns),
    ("propertyNames", Kind::Schema),
    ("minProperties", Kind::Count),
    ("maxProperties", Kind::Count),
    ("dependentRequired", Kind::Dependencies),
    ("dependentSchemas", Kind::Object),
    ("dependencies", Kind::Object),
    ("unevaluatedProperties", Kind::Schema),
    ("unevaluatedItems", Kind::Schema),
    ("prefixItems", Kind::Schemas),
    ("additionalItems", Kind::Schema),
    ("contains", Kind::Schema),
    ("minContains", Kind::Count),
    ("maxContains", Kind::Count),
    ("minItems", Kind::Count),
    ("maxItems", Kind::Count),
    ("uniqueItems", Kind::Flag),
    ("minLength", Kind::Count),
    ("maxLength", Kind::Count),
    ("pattern", Kind::Pattern),
    ("format", Kind::Format),
    ("minimum", Kind::Number),
    ("maximum", Kind::Number),
    ("exclusiveMinimum", Kind::Number),
    ("exclusiveMaximum", Kind::Number),
    ("multipleOf", Kind::Number),
    ("$ref", Kind::Reference),
    ("$dynamicRef", Kind::Reference),
    ("$dynamicAnchor", Kind::Format),
    ("$id", Kind::Reference),
];

fn list(input: &mut Input<'_>, mut item: impl FnMut(&mut Input<'_>) -> Value) -> Value {
    (0..=input.below(3)).map(|_| item(input)).collect()
}

fn object(input: &mut Input<'_>, depth: usize) -> Value {
    let members = (0..=input.below(3))
        .map(|_| ((*input.pick(&KEYS)).to_owned(), subschema(input, depth)))
        .collect();
    Value::Object(members)
}

fn pattern(input: &mut Input<'_>) -> String {
    (0..=input.below(8)).map(|_| *input.pick(&PIECES)).collect()
}

fn number(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn value(input: &mut Input<'_>, depth: usize) -> Value {
    match input.below(8) {
        0 | 1 => (*input.pick(&STRINGS)).into(),
        2 | 3 => number(input.pick::<&str>(&NUMBERS)),
        4 => Value::Null,
        5 => Value::Bool(input.below(2) == 0),
        6 if depth < 2 => list(input, |input| value(input, depth + 1)),
        7 if depth < 2 => {
            let key = *input.pick(&KEYS);
            json!({key: value(input, depth + 1)})
        }
        _ => json!([]),
    }
}
