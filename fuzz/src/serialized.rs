//! Serialised constraints and vocabularies with a checksum that is right.

use std::sync::{Arc, LazyLock};

use espalier_constraint::{Constraint, JsonSchemaOptions, Vocabulary};
use xxhash_rust::xxh3::Xxh3;

use super::input::Input;
use super::schemas::SCHEMAS;
use super::steps::{VOCABULARY, follow};

const CHECKSUM_AT: usize = 19;
const HEADER_BYTES: usize = 27;

/// Edits to a constraint that was compiled, and steps.
pub fn serialized_constraint(data: &[u8]) {
    static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let schemas = SCHEMAS.iter().map(|schema| {
            Constraint::json_schema(schema, &JsonSchemaOptions::generating(), &VOCABULARY)
        });
        let others = [
            Constraint::choice(&["yes", "no", "nö"], &VOCABULARY),
            Constraint::regex("a+(?:b|é)?", &VOCABULARY),
            Constraint::regex("(?s:.)*x.{3}", &VOCABULARY),
        ];
        let all = schemas.chain(others);
        all.map(|constraint| constraint.expect("they compile").to_bytes()).collect()
    });
    let mut input = Input::new(data);
    let bytes = edited(&SAMPLES, &mut input);
    let Ok(constraint) = Constraint::from_bytes(&bytes, &VOCABULARY) else { return };
    follow(&constraint, &mut input);
    let again = Constraint::from_bytes(&constraint.to_bytes(), &VOCABULARY);
    assert!(again.is_ok(), "what was loaded can't be loaded again: {:?}", again.err());
}

/// Edits to a vocabulary, and steps.
pub fn serialized_vocabulary(data: &[u8]) {
    static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let tokens = ["", "a", "ab", "{\"", "é", "id", "1", "a", "\"", ""];
        let tokens = tokens.map(|token| token.as_bytes().to_vec()).into();
        let small = Vocabulary::new(tokens, &[0], &[7]).expect("a valid vocabulary");
        vec![VOCABULARY.to_bytes(), small.to_bytes()]
    });
    let mut input = Input::new(data);
    let bytes = edited(&SAMPLES, &mut input);
    let Ok(vocabulary) = Vocabulary::from_bytes(&bytes) else { return };
    assert!(vocabulary.to_bytes() == bytes, "what was loaded is written in another way");
    let schema = *input.pick(&SCHEMAS);
    let options = JsonSchemaOptions::matching();
    let constraint = Constraint::json_schema(schema, &options, &Arc::new(vocabulary));
    follow(&constraint.expect("they compile"), &mut input);
}

/// A sample after some edits behind its header, or its header with other bytes behind it.
fn edited(samples: &[Vec<u8>], input: &mut Input<'_>) -> Vec<u8> {
    let mut bytes = input.pick(samples).clone();
    for _ in 0..input.below(8) {
        let at = HEADER_BYTES + input.below(bytes.len() - HEADER_BYTES + 1);
        let kind = input.below(6);
        let end = bytes.len().min(at + [1, 4, 0, 1, 4, usize::MAX - at][kind]);
        let new = [1, 4, 4, 0, 0, 0][kind];
        bytes.splice(at..end, input.bytes(new).iter().copied());
    }
    seal(&mut bytes);
    bytes
}

fn seal(bytes: &mut [u8]) {
    let length = (bytes.len() - HEADER_BYTES) as u64;
    bytes[CHECKSUM_AT - 8..CHECKSUM_AT].copy_from_slice(&length.to_le_bytes());
    let mut hasher = Xxh3::new();
    hasher.update(&bytes[..CHECKSUM_AT]);
    hasher.update(&bytes[HEADER_BYTES..]);
    bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&hasher.digest().to_le_bytes());
}
