//! Regular expressions in both syntaxes.

use espalier_constraint::{Compiler, Constraint, JsonSchemaOptions, RegexSyntax};
use serde_json::json;

use super::input::Input;
use super::steps::{VOCABULARY, follow};

/// Whether the syntax is that of ECMA 262, a few steps, and a pattern.
pub fn regex(data: &[u8]) {
    let mut input = Input::new(data);
    let is_ecma = input.below(2) == 1;
    let steps = input.bytes(16);
    let Ok(pattern) = str::from_utf8(input.rest()) else { return };
    let constraint = if is_ecma {
        let schema = json!({"type": "string", "pattern": pattern}).to_string();
        Constraint::json_schema(&schema, &JsonSchemaOptions::matching(), &VOCABULARY)
    } else {
        Constraint::regex(pattern, &VOCABULARY)
    };
    if let Ok(constraint) = constraint {
        follow(&constraint, &mut Input::new(steps));
    }
}

/// A few steps, and a pattern of ECMA 262 for the whole text.
pub fn ecma_regex(data: &[u8]) {
    let mut input = Input::new(data);
    let steps = input.bytes(16);
    let Ok(pattern) = str::from_utf8(input.rest()) else { return };
    if let Ok(constraint) = Compiler::new(&VOCABULARY).regex(pattern, RegexSyntax::Ecma) {
        follow(&constraint, &mut Input::new(steps));
    }
}
