//! JSON Schemas: any text, texts that reach far into the engine, and a few that are walked along.

use espalier_constraint::{
    Constraint, EscapeStyle, FormatMode, JsonSchemaOptions, NumberStyle, PropertyOrder, Whitespace,
};

use super::input::Input;
use super::schema_trees::schema;
use super::steps::{VOCABULARY, follow};

/// Options, and any text as a schema.
pub fn schema_text(data: &[u8]) {
    let mut input = Input::new(data);
    let options = options(&mut input);
    if let Ok(schema) = str::from_utf8(input.rest()) {
        compile_and_follow(schema, options, &mut Input::new(data));
    }
}

/// Options, a schema as a row of choices, and steps.
pub fn schema_tree(data: &[u8]) {
    let mut input = Input::new(data);
    let options = options(&mut input);
    let schema = schema(&mut input).to_string();
    compile_and_follow(&schema, options, &mut input);
}

/// One of [`SCHEMAS`], and many steps.
pub fn tokens(data: &[u8]) {
    let mut input = Input::new(data);
    let schema = *input.pick(&SCHEMAS);
    let options = options(&mut input);
    compile_and_follow(schema, options, &mut input);
}

fn compile_and_follow(schema: &str, options: JsonSchemaOptions, input: &mut Input<'_>) {
    if let Ok(constraint) = Constraint::json_schema(schema, &options, &VOCABULARY) {
        follow(&constraint, input);
    }
}

fn options(input: &mut Input<'_>) -> JsonSchemaOptions {
    let bits = input.byte();
    let is = |bit: u8| bits >> bit & 1 == 1;
    JsonSchemaOptions {
        whitespace: match bits & 3 {
            0 => Whitespace::Compact,
            1 => Whitespace::Any,
            2 => Whitespace::Spaced,
            _ => Whitespace::Max(2),
        },
        property_order: if is(2) { PropertyOrder::Any } else { PropertyOrder::Schema },
        numbers: if is(3) { NumberStyle::Any } else { NumberStyle::Plain },
        escapes: if is(4) { EscapeStyle::Any } else { EscapeStyle::Minimal },
        format: if is(5) { FormatMode::Ignore } else { FormatMode::Assert },
    }
}

/// Each of another kind.
pub(super) const SCHEMAS: [&str; 24] = [
    "true",
    r#"{"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id", "name"], "additionalProperties": false}"#,
    r#"{"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1, "maxProperties": 2}"#,
    r#"{"type": "object", "patternProperties": {"^a": {"type": "integer"}, "b$": {"minimum": 3}}, "propertyNames": {"maxLength": 3}}"#,
    r#"{"type": "object", "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"b": {"required": ["name"]}}, "unevaluatedProperties": false, "properties": {"a": true, "b": true}, "anyOf": [{"properties": {"name": {"const": 1}}}, {"properties": {"id": {"const": 2}}}]}"#,
    r#"{"oneOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"const": 1}}, "required": ["b"]}], "type": "object"}"#,
    r#"{"type": "object", "if": {"properties": {"a": {"type": "string"}}}, "then": {"required": ["b"]}, "else": {"required": ["c"]}, "required": ["a"]}"#,
    r#"{"type": "array", "items": {"type": "integer", "minimum": -5, "maximum": 120}, "minItems": 1, "maxItems": 3}"#,
    r#"{"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "items": false}"#,
    r#"{"type": "array", "contains": {"type": "integer"}, "minContains": 2, "maxContains": 3}"#,
    r#"{"type": "array", "uniqueItems": true, "items": {"enum": [0, 1, "a", "ab", [], null]}, "minItems": 2}"#,
    r#"{"type": "array", "uniqueItems": true, "items": {"type": "object", "properties": {"a": {"type": "boolean"}}}, "maxItems": 4}"#,
    r##"{"$defs": {"list": {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"$ref": "#/$defs/list"}}, "required": ["a"]}]}}, "$ref": "#/$defs/list"}"##,
    r#"{"type": "string", "pattern": "^(a|b\"|é)+$"}"#,
    r#"{"type": "string", "pattern": "^(?=.*1)(?!.*aa)[a1]{2,5}$"}"#,
    r#"{"type": "string", "minLength": 2, "maxLength": 3, "not": {"enum": ["ab", "abc", "aa"]}}"#,
    r#"{"type": "string", "format": "date-time"}"#,
    r#"{"anyOf": [{"type": "string", "format": "email"}, {"type": "string", "format": "ipv6"}]}"#,
    r#"{"enum": ["a", "ab", "é", "😀", 1, 1.5, -0.0, {"a": [1, null]}, true]}"#,
    r#"{"type": "number", "exclusiveMinimum": -1.5, "maximum": 1e3, "multipleOf": 0.25}"#,
    r#"{"type": "integer", "multipleOf": 7, "not": {"multipleOf": 3}}"#,
    r#"{"type": ["number", "string"], "minimum": 1e-3, "maxLength": 2, "not": {"const": 12}}"#,
    r#"{"not": {"type": "object", "required": ["a"]}, "type": ["object", "null"], "minProperties": 1}"#,
    r#"{"allOf": [{"properties": {"a": {"minLength": 1}}}, {"properties": {"a": {"maxLength": 2}}}], "anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"}"#,
];
