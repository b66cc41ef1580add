//! Regular expressions as automata.
//!
//! Those in the syntax of the `regex` crate go by way of `regex-automata`. Patterns of ECMA 262, which
//! have lookaround, are translated ([`ecma`]), become automata over letters, which are sets of
//! characters ([`alphabet`], [`nfa`]), and are determinised before they are spelled in bytes
//! ([`determinise`]).

mod alphabet;
mod determinise;
mod ecma;
mod nfa;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};

use crate::dfa::{Dfa, classes_of};
use crate::error::Error;

/// The memory, in bytes, that the automaton of one expression may take.
const MAX_AUTOMATON_BYTES: usize = 32 << 20;
/// The states that the automaton of one expression may have.
const MAX_STATES: usize = 200_000;

/// The automaton of the texts that match as a whole, in the syntax of the `regex` crate.
///
/// # Errors
/// [`Error::InvalidRegex`], [`Error::UnsupportedRegex`], or [`Error::LimitExceeded`] for an
/// automaton that is too large.
pub(crate) fn compile(pattern: &str) -> Result<Dfa, Error> {
    build(pattern, pattern)
}

/// The automaton of the texts in which an ECMA 262 pattern matches somewhere, as the keyword
/// `pattern` of JSON Schema means it.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_ecma(pattern: &str) -> Result<Dfa, Error> {
    let translation = ecma::translate(pattern)?;
    determinise::determinise(&nfa::Nfa::new(&translation, pattern)?)
}

fn build(expression: &str, source: &str) -> Result<Dfa, Error> {
    regex_syntax::parse(expression).map_err(|error| not_parsed(&error, source))?;
    let limits = thompson::Config::new().nfa_size_limit(Some(MAX_AUTOMATON_BYTES));
    let nfa = thompson::Compiler::new().configure(limits).build(expression);
    let nfa = nfa.map_err(|error| match error.size_limit() {
        Some(_) => too_large(),
        None => refused(source, &error.to_string()),
    })?;
    let dense = dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(StartKind::Anchored)
                .dfa_size_limit(Some(MAX_AUTOMATON_BYTES))
                .determinize_size_limit(Some(MAX_AUTOMATON_BYTES)),
        )
        .build_from_nfa(&nfa)
        .map_err(|error| {
            if error.is_size_limit_exceeded() {
                too_large()
            } else {
                refused(source, &error.to_string())
            }
        })?;
    explore(&dense).ok_or_else(too_large)
}

fn explore(dense: &dense::DFA<Vec<u32>>) -> Option<Dfa> {
    let anchored = start::Config::new().anchored(Anchored::Yes);
    let first = dense.start_state(&anchored).ok()?;
    let (classes, representatives) = classes_of(|byte| dense.byte_classes().get(byte));
    Dfa::explore(
        first,
        (classes, &representatives),
        MAX_STATES,
        |&state, byte| {
            let target = dense.next_state(state, byte);
            (!dense.is_dead_state(target)).then_some(target)
        },
        |&state| dense.is_match_state(dense.next_eoi_state(state)),
    )
    .ok()
}

fn refused(source: &str, message: &str) -> Error {
    let (pattern, message) = (source.to_owned(), message.to_owned());
    Error::UnsupportedRegex { pattern, message, pointer: None }
}

fn too_large() -> Error {
    limit("regex_automaton_bytes", MAX_AUTOMATON_BYTES)
}

fn limit(limit: &'static str, value: usize) -> Error {
    Error::LimitExceeded { limit, value, pointer: None }
}

fn not_parsed(error: &regex_syntax::Error, source: &str) -> Error {
    use regex_syntax::ast::ErrorKind::{UnsupportedBackreference, UnsupportedLookAround};
    // The last line says what is wrong, those before it draw the place.
    let report = error.to_string();
    let message =
        report.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let (pattern, pointer) = (source.to_owned(), None);
    match error {
        regex_syntax::Error::Parse(error)
            if matches!(error.kind(), UnsupportedBackreference | UnsupportedLookAround) =>
        {
            Error::UnsupportedRegex { pattern, message, pointer }
        }
        _ => Error::InvalidRegex { pattern, message, pointer },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(dfa: &Dfa, text: &str) -> bool {
        let end = text.bytes().try_fold(dfa.start(), |state, byte| dfa.step(state, byte));
        end.is_some_and(|state| dfa.is_accepting(state))
    }

    #[test]
    fn matches_the_whole_text() {
        let dfa = compile("a|ab|b+").unwrap();
        for (text, expected) in
            [("a", true), ("ab", true), ("bbb", true), ("abb", false), ("", false)]
        {
            assert_eq!(accepts(&dfa, text), expected, "{text:?}");
        }
    }

    #[test]
    fn ecma_patterns_match_anywhere() {
        let anywhere = compile_ecma("b$").unwrap();
        assert!(accepts(&anywhere, "aab") && !accepts(&anywhere, "aba"));
        let digits = compile_ecma(r"^\d+$").unwrap();
        assert!(accepts(&digits, "12") && !accepts(&digits, "١٢"));
    }

    #[test]
    fn assertions_hold_where_they_stand() {
        for (pattern, accepted, refused) in [
            (r"^(?=.*\d)(?=.*[a-z]).{3,}$", vec!["a1b", "1😀z"], vec!["abc", "a1"]),
            ("^(?:(?!--).)*$", vec!["a-b-", ""], vec!["a--b"]),
            ("(?<=a|é)b", vec!["xéb", "ab"], vec!["b", "cb"]),
            ("(?<!a(?=b))b", vec!["b", "abb"], vec!["ab", "a"]),
            ("^(?=(?=a(?!b))ac?)..$", vec!["ac", "ad"], vec!["ab", "ca"]),
            ("(?<=(?<!b)a)c", vec!["ac", "cac"], vec!["bac", "c"]),
            (r"\ba\B", vec!["ab", "éab"], vec!["a", "bab", "aé"]),
        ] {
            let dfa = compile_ecma(pattern).unwrap();
            let wrong = |text: &&str| accepts(&dfa, text) != accepted.contains(text);
            assert_eq!(accepted.iter().chain(&refused).find(|text| wrong(text)), None, "{pattern}");
        }
    }

    #[test]
    fn counts_and_large_classes_take_few_states() {
        for (pattern, most) in [
            ("^.{1,2000}$", 21_000),
            (r"^(\p{L}| ){1,500}$", 150_000),
            ("a.{0,300}b", 4_000),
            ("^(?=.{1,300}$).*$", 4_000),
        ] {
            let n_states = compile_ecma(pattern).unwrap().n_states();
            assert!(n_states <= most, "{pattern} has {n_states} states");
        }
    }

    #[test]
    fn steps_are_refused_when_nothing_can_follow() {
        let dfa = compile("ab").unwrap();
        assert!(dfa.step(dfa.start(), b'b').is_none());
        assert_eq!(dfa.shortest_suffix(dfa.start()), b"ab");
    }

    #[test]
    fn too_large_expressions_are_refused() {
        for error in [
            compile("(?:a|b)*a(?:a|b){40}").unwrap_err(),
            compile_ecma("a[ab]{40}$").unwrap_err(),
            compile_ecma("(?:.{1000}){1,1001}").unwrap_err(),
            compile_ecma("a{99999999999}").unwrap_err(),
            compile_ecma(&"(?=a)".repeat(501)).unwrap_err(),
        ] {
            assert!(matches!(error, Error::LimitExceeded { .. }), "{error}");
        }
    }

    #[test]
    fn mistakes_are_told_from_what_is_not_supported() {
        assert!(matches!(compile("a("), Err(Error::InvalidRegex { .. })));
        assert!(matches!(compile("(?=a)"), Err(Error::UnsupportedRegex { .. })));
        assert!(matches!(compile_ecma("(a)\\1"), Err(Error::UnsupportedRegex { .. })));
        assert!(matches!(compile(r"\bä"), Err(Error::UnsupportedRegex { .. })));
    }
}
