//! [`Ignored`]: what may stand between terminals.
//!
//! Lark ignores as much as it can, so a comment ends where its line does. What is ignored here can't tell what
//! comes behind it, but what comes behind a comment is known: a line end that is ignored, or one with which a
//! terminal begins, or the end of the text.

use super::expression::Definitions;
use super::patterns::{Pattern, Patterns, alternatives, repeat};
use crate::dfa::{DEAD, Dfa};
use crate::error::Error;
use crate::grammar::pattern::CharacterClass;
use crate::grammar::rules::Place;
use crate::meter::Meter;
use crate::regex;

#[derive(Debug, Default)]
pub(super) struct Ignored {
    /// Once or more often, behind which anything may come; if anything is ignored.
    pub(super) between: Option<String>,
    /// The same with a comment as the last: one of these, each with the bytes that may come behind it.
    pub(super) comments: Vec<(String, Vec<u8>)>,
    /// Where the first of what is ignored stands.
    pub(super) place: Place,
}

impl Ignored {
    /// # Errors
    /// [`Error::LimitExceeded`] and [`Error::Cancelled`].
    pub(super) fn new(
        definitions: &Definitions,
        patterns: &Patterns,
        meter: &Meter,
    ) -> Result<Self, Error> {
        let (mut closed, mut comments) = (Vec::new(), Vec::new());
        for &body in &definitions.ignored {
            let pattern = patterns.of_body(body, definitions, meter)?;
            let dfa = regex::compile_terminal(&pattern.text, meter)
                .map_err(|error| error.in_terminal(definitions.place(body)))?;
            match ends_of_comment(&dfa) {
                Some(ends) => comments.push((pattern, ends)),
                None => closed.push(pattern),
            }
        }
        let followed = comments.iter().filter(|(_, ends)| !ends.is_empty());
        closed.extend(followed.map(|(comment, ends)| Pattern::of(ahead(&comment.text, ends))));
        let between = (!closed.is_empty()).then(|| alternatives(closed));
        let any = between.as_ref().map_or(String::new(), |closed| repeat(closed, 0, None).text);
        let comments = comments.into_iter();
        let comments = comments.map(|(comment, ends)| (format!("{any}(?:{})", comment.text), ends));
        let comments = comments.collect();
        let place = definitions.ignored.first().map(|&body| definitions.place(body));
        let between = between.map(|closed| repeat(&closed, 1, None).text);
        Ok(Self { between, comments, place: place.unwrap_or_default() })
    }
}

/// The comment before one of the bytes.
pub(super) fn ahead(comment: &str, ends: &[u8]) -> String {
    let mut class = CharacterClass::new(false);
    for &byte in ends {
        class.add_range(byte.into(), byte.into());
    }
    format!("(?:{comment}){}", regex::ahead(&class.pattern()))
}

/// The bytes that end a text wherever it may end, if it goes on with all others that can be seen.
fn ends_of_comment(dfa: &Dfa) -> Option<Vec<u8>> {
    if dfa.start() == DEAD || dfa.is_accepting(dfa.start()) {
        return None;
    }
    let states = 0..dfa.n_states() as u32;
    let accepting: Vec<u32> = states.filter(|&state| dfa.is_accepting(state)).collect();
    let goes_on = |&state: &u32| {
        let next = |byte| dfa.step(state, byte).is_some_and(|next| dfa.is_accepting(next));
        (b'!'..=b'~').all(next)
    };
    let ends = |byte: &u8| accepting.iter().all(|&state| dfa.step(state, *byte).is_none());
    accepting.iter().all(goes_on).then(|| (0..0x80).filter(ends).collect())
}
