//! Vocabularies of tokens that the input has.

use std::sync::Arc;

use espalier_constraint::{Constraint, JsonSchemaOptions, Vocabulary};

use super::input::Input;
use super::schemas::SCHEMAS;
use super::steps::follow;

const MAX_TOKENS: usize = 64;

/// Tokens after their lengths, ids that end a sequence and special ones, a constraint and steps.
pub fn vocabulary(data: &[u8]) {
    let mut input = Input::new(data);
    let n_tokens = input.below(MAX_TOKENS);
    let tokens: Vec<Vec<u8>> = (0..n_tokens).map(|_| token(&mut input)).collect();
    let mut ids = |n: usize| -> Vec<u32> {
        (0..input.below(n)).map(|_| input.below(MAX_TOKENS) as u32).collect()
    };
    let (eos_ids, special_ids) = (ids(4), ids(3));
    let Ok(vocabulary) = Vocabulary::new(tokens.clone(), &eos_ids, &special_ids) else { return };
    for (id, token) in (0..).zip(&tokens) {
        assert_eq!(vocabulary.token_bytes(id), Some(&token[..]));
    }
    let vocabulary = Arc::new(vocabulary);
    let schema = *input.pick(&SCHEMAS);
    let options = JsonSchemaOptions::matching();
    let constraint = if input.below(4) == 0 {
        Constraint::choice(&tokens, &vocabulary)
    } else {
        Constraint::json_schema(schema, &options, &vocabulary)
    };
    follow(&constraint.expect("they compile"), &mut input);
}

/// Bytes of the input, or of JSON.
fn token(input: &mut Input<'_>) -> Vec<u8> {
    let length = input.below(8);
    if input.below(2) == 0 {
        return input.bytes(length).to_vec();
    }
    (0..length).map(|_| *input.pick(b"{}[]\":, \\u0019.-eabn\xC3\xA9")).collect()
}
