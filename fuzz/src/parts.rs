//! Texts made of parts, told as JSON.

use espalier_constraint::{Compiler, Constraint, Error, JsonSchemaOptions, Limits};
use serde_json::{Value, json};

use super::input::Input;
use super::steps::{VOCABULARY, follow_tokens};

const MAX_DEPTH: usize = 4;
const TEXTS: [&str; 8] = ["a", "b", "ab", "<a>", "</a>", "\"", "é", ""];
const PATTERNS: [&str; 8] =
    ["[0-9]+", "a*", "(ab|a)?b", "\\w", "é|[^a]", "", "(?:a{2,3}){2}", "$a"];
const SCHEMAS: [&str; 4] = [
    "{\"type\": \"integer\"}",
    "{\"enum\": [\"a\", 1]}",
    "{\"required\": [\"a\"]}",
    "{\"type\": 1}",
];
const GRAMMARS: [(&str, &str); 6] = [
    ("lark", "start: start \"a\" | \"b\""),
    ("lark", "start: (x | \"(\" start \")\")*\nx: /[ab]+/\n%ignore \" \""),
    ("lark", "start: %json {\"type\": \"boolean\"} start | \"1\""),
    ("gbnf", "root ::= \"a\" root \"b\" | [0-9]{1,3}"),
    ("gbnf", "root ::= root root | \"a\" | \"\""),
    ("gbnf", "root ::= \"a\" root"),
];

/// Any JSON or a tree of parts as a row of choices, and steps.
pub fn parts(data: &[u8]) {
    let mut input = Input::new(data);
    let is_text = input.below(4) == 3;
    let steps = input.bytes(24);
    let parts = if is_text {
        let Ok(text) = str::from_utf8(input.rest()) else { return };
        text.to_owned()
    } else {
        part(&mut input, MAX_DEPTH).to_string()
    };
    let mut limits = Limits::default();
    limits.compile_fuel = 5_000_000;
    limits.mask_fuel = 5_000_000;
    let compiler = Compiler::new(&VOCABULARY).limits(limits);
    if let Ok(constraint) = compiler.parts(&parts, &JsonSchemaOptions::generating()) {
        follow_tokens(&constraint, &mut Input::new(steps));
        check_captures(&constraint, &mut Input::new(steps));
    }
}

fn part(input: &mut Input<'_>, depth: usize) -> Value {
    let kinds = if depth == 0 { 6 } else { 10 };
    match input.below(kinds) {
        0 => json!({"literal": input.pick(&TEXTS)}),
        1 => {
            let syntax = input.pick(&["rust", "ecma"]);
            json!({"regex": input.pick(&PATTERNS), "syntax": syntax})
        }
        2 => json!({"json_schema": input.pick(&SCHEMAS)}),
        3 => until(input),
        4 => {
            let (syntax, text) = input.pick(&GRAMMARS);
            json!({"grammar": text, "syntax": syntax})
        }
        5 => json!({"special_token": input.pick(&TEXTS)}),
        6 => json!({"sequence": some(input, depth - 1)}),
        7 => json!({"choice": some(input, depth - 1)}),
        8 => {
            let min = input.below(3);
            let max = (input.below(2) == 1).then(|| min + input.below(3));
            json!({"repeat": part(input, depth - 1), "min": min, "max": max})
        }
        _ => json!({"capture": "name", "of": part(input, depth - 1)}),
    }
}

fn some(input: &mut Input<'_>, depth: usize) -> Vec<Value> {
    (0..input.below(4)).map(|_| part(input, depth)).collect()
}

fn until(input: &mut Input<'_>) -> Value {
    let stops: Vec<&str> = (0..input.below(3)).map(|_| *input.pick(&TEXTS[..7])).collect();
    let end = (!stops.is_empty() && input.below(2) == 1).then(|| input.below(stops.len()));
    let max_tokens = (input.below(2) == 1).then(|| input.below(4));
    json!({"until": stops, "end": end, "max_tokens": max_tokens})
}

/// What tokens made a text of is read again as a whole.
fn check_captures(constraint: &Constraint, input: &mut Input<'_>) {
    let mut matcher = constraint.matcher();
    let written = (|| {
        while !input.is_empty() {
            let mask = matcher.compute_mask()?;
            let ids: Vec<u32> = mask.iter().collect();
            if matcher.is_finished() {
                break;
            }
            matcher.accept_token(*input.pick(&ids))?;
        }
        let completion = matcher.shortest_completion()?;
        matcher.accept_tokens(&completion).map_err(|(_, error)| error)
    })();
    match written.and_then(|()| constraint.captures(&matcher.text())) {
        Ok(found) => assert!(found.is_some(), "no text of its parts: {:?}", matcher.text()),
        Err(Error::LimitExceeded { .. }) => {}
        Err(error) => panic!("an unexpected error: {error}"),
    }
}
