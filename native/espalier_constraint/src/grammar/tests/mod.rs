//! Grammars beside an independent recogniser.

mod errors;
mod hostile;
mod loops;
mod notation;
mod oracle;
mod random;
mod samples;
mod texts;

use std::sync::Arc;

use super::rules::Grammar;
use crate::compiler::Compiler;
use crate::constraint::Constraint;
use crate::error::Error;
use crate::json_schema::JsonSchemaOptions;
use crate::limits::Limits;
use crate::matcher::Matcher;
use crate::vocabulary::Vocabulary;

/// A constraint with the limits.
fn compile_with(
    grammar: Grammar,
    vocabulary: &Arc<Vocabulary>,
    limits: Limits,
) -> Result<Constraint, Error> {
    let options = JsonSchemaOptions::generating();
    Compiler::new(vocabulary).limits(limits).rules(grammar, options)
}

fn compile(grammar: &str, vocabulary: &Arc<Vocabulary>) -> Constraint {
    compile_with(notation::read(grammar), vocabulary, Limits::default()).unwrap()
}

/// All bytes, these texts, and an end.
fn vocabulary(texts: &[&str]) -> Arc<Vocabulary> {
    let bytes = (0..=255).map(|byte| vec![byte]);
    let texts = texts.iter().map(|text| text.as_bytes().to_vec());
    let tokens: Vec<_> = bytes.chain(texts).chain([Vec::new()]).collect();
    let end = (tokens.len() - 1) as u32;
    Arc::new(Vocabulary::new(tokens, &[end], &[]).unwrap())
}

/// Whether the text is accepted, and how many of its bytes are.
fn read(constraint: &Constraint, text: &[u8]) -> (bool, usize) {
    let mut matcher = constraint.matcher();
    match matcher.accept_text(text) {
        Ok(()) => (matcher.is_accepting().unwrap(), text.len()),
        Err(Error::TextNotAllowed { offset }) => (false, offset),
        Err(error) => panic!("{error}"),
    }
}

/// Compares the mask with a try of each token.
fn check_mask(matcher: &mut Matcher, vocabulary: &Vocabulary) {
    let mask = matcher.compute_mask().unwrap();
    for id in 0..vocabulary.n_ids() as u32 {
        let mut tried = matcher.clone();
        let is_accepted = match tried.accept_token(id) {
            Ok(()) => true,
            Err(Error::TokenNotAllowed { .. }) => false,
            Err(error) => panic!("{error}"),
        };
        let token = String::from_utf8_lossy(vocabulary.token_bytes(id).unwrap());
        assert_eq!(mask.is_allowed(id), is_accepted, "token {id} {token:?}");
    }
}

/// The text of a shortest completion.
fn completion(matcher: &mut Matcher, vocabulary: &Vocabulary) -> Vec<u8> {
    let tokens = matcher.shortest_completion().unwrap();
    tokens.iter().flat_map(|&token| vocabulary.token_bytes(token).unwrap()).copied().collect()
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}
