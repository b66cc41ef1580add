//! Regular expressions as automata.
//!
//! They are parsed by `regex-syntax`; patterns of ECMA 262, which have lookaround, are translated for it
//! ([`ecma`]). They become automata over letters, which are sets of characters ([`alphabet`], [`nfa`],
//! [`beside`]), and are determinised before they are spelled in bytes ([`determinise`]).

mod alphabet;
mod beside;
mod determinise;
mod ecma;
mod nfa;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::Hir;

use ecma::{Direction, Lookaround, Translation};

use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::{Limit, limit};
use crate::meter::Meter;

/// The syntax of a regular expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RegexSyntax {
    /// That of the `regex` crate, which has Unicode classes and inline flags, and no lookaround.
    #[default]
    Rust,
    /// That of ECMA 262 with the flag `u`, as JSON Schema has it: with lookaround and without flags.
    Ecma,
}

/// The automaton of the texts that match as a whole.
///
/// # Errors
/// [`Error::InvalidRegex`], [`Error::UnsupportedRegex`], or [`Error::LimitExceeded`].
pub(crate) fn compile_whole(
    pattern: &str,
    syntax: RegexSyntax,
    meter: &Meter,
) -> Result<Dfa, Error> {
    match syntax {
        RegexSyntax::Rust => compile(pattern, meter),
        RegexSyntax::Ecma => compile_ecma_with(pattern, true, meter),
    }
}

/// The automaton of the texts that match as a whole, in the syntax of the `regex` crate.
///
/// # Errors
/// [`Error::InvalidRegex`], [`Error::UnsupportedRegex`], or [`Error::LimitExceeded`].
pub(crate) fn compile(pattern: &str, meter: &Meter) -> Result<Dfa, Error> {
    check_length(pattern, meter)?;
    let (expression, looks) = (pattern.to_owned(), Vec::new());
    determinised(&Translation { expression, looks, is_whole: true }, pattern, meter)
}

/// The automaton of the texts in which an ECMA 262 pattern matches somewhere, as the keyword
/// `pattern` of JSON Schema means it.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_ecma(pattern: &str, meter: &Meter) -> Result<Dfa, Error> {
    compile_ecma_with(pattern, false, meter)
}

fn compile_ecma_with(pattern: &str, is_whole: bool, meter: &Meter) -> Result<Dfa, Error> {
    check_length(pattern, meter)?;
    let translation = Translation { is_whole, ..ecma::translate(pattern, meter)? };
    determinised(&translation, pattern, meter)
}

fn determinised(translation: &Translation, source: &str, meter: &Meter) -> Result<Dfa, Error> {
    determinise::determinise(&nfa::Nfa::new(translation, source, meter)?, meter)
}

/// Begins the group that stands for a lookahead. No expression of a caller has it.
const AHEAD: &str = "(?P<ahead>";

/// In an expression for [`compile_terminal`], that a character of the class comes next.
pub(crate) fn ahead(class: &str) -> String {
    format!("{AHEAD}{class})")
}

/// As [`compile`], for the terminal of a grammar: what comes [`ahead`] is a character of the same text.
///
/// # Errors
/// As [`compile`].
pub(crate) fn compile_terminal(pattern: &str, meter: &Meter) -> Result<Dfa, Error> {
    let mut parts = pattern.split(AHEAD);
    let mut expression = parts.next().unwrap_or_default().to_owned();
    let mut looks = Vec::new();
    for part in parts {
        let (class, rest) = part.split_once("])").unwrap_or_default();
        expression += &ecma::group_of(looks.len());
        expression += rest;
        let (direction, is_negated, expression) = (Direction::Ahead, false, format!("{class}]"));
        looks.push(Lookaround { direction, is_negated, expression });
    }
    check_length(pattern, meter)?;
    determinised(&Translation { expression, looks, is_whole: true }, pattern, meter)
}

/// Whether an expression can be parsed; errors tell of what it was made from.
///
/// # Errors
/// As [`compile`].
pub(crate) fn check(expression: &str, source: &str, meter: &Meter) -> Result<(), Error> {
    meter.spend(expression.len())?;
    parse(expression, source, meter).map(drop)
}

fn check_length(pattern: &str, meter: &Meter) -> Result<(), Error> {
    limit!(meter.limits(), regex_bytes).check(pattern.len())?;
    meter.spend(pattern.len())
}

/// Parses an expression; errors tell of its source.
fn parse(expression: &str, source: &str, meter: &Meter) -> Result<Hir, Error> {
    let nesting = limit!(meter.limits(), regex_nesting);
    let mut parser = ParserBuilder::new().nest_limit(nesting.value as u32).build();
    parser.parse(expression).map_err(|error| not_parsed(&error, (expression, source), nesting))
}

fn refused(source: &str, message: &str) -> Error {
    let (pattern, message) = (source.to_owned(), message.to_owned());
    Error::UnsupportedRegex { pattern, message, pointer: None }
}

fn not_parsed(
    error: &regex_syntax::Error,
    (expression, source): (&str, &str),
    nesting: Limit,
) -> Error {
    use regex_syntax::ast::ErrorKind::{
        NestLimitExceeded, UnsupportedBackreference, UnsupportedLookAround,
    };
    let (message, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        other => (other.to_string(), None),
    };
    // What was translated has other places.
    let place = span.filter(|_| expression == source);
    let place = place.map(|span| expression[..span.start.offset].chars().count() + 1);
    let place = place.map_or(String::new(), |place| format!(", at character {place}"));
    let message = message + &place;
    let (pattern, pointer) = (source.to_owned(), None);
    match error {
        regex_syntax::Error::Parse(error) if matches!(error.kind(), NestLimitExceeded(_)) => {
            nesting.exceeded()
        }
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

    fn compile(pattern: &str) -> Result<Dfa, Error> {
        super::compile(pattern, &Meter::unlimited())
    }

    fn compile_ecma(pattern: &str) -> Result<Dfa, Error> {
        super::compile_ecma(pattern, &Meter::unlimited())
    }

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
    fn a_whole_is_not_broken_up() {
        for pattern in ["a)|(?:b", "(a"] {
            assert!(matches!(compile(pattern), Err(Error::InvalidRegex { .. })), "{pattern}");
        }
        let dfa = compile("(?x) (?P<look0>a)|b # (").unwrap();
        assert!(accepts(&dfa, "a") && accepts(&dfa, "b") && !accepts(&dfa, "ab"));
    }

    #[test]
    fn ecma_patterns_match_anywhere() {
        let anywhere = compile_ecma("b$").unwrap();
        assert!(accepts(&anywhere, "aab") && !accepts(&anywhere, "aba"));
        let digits = compile_ecma(r"^\d+$").unwrap();
        assert!(accepts(&digits, "12") && !accepts(&digits, "١٢"));
    }

    #[test]
    fn ecma_patterns_match_as_a_whole_where_that_is_asked() {
        let whole = |pattern| compile_whole(pattern, RegexSyntax::Ecma, &Meter::unlimited());
        let branches = whole("a|b(?=c)|bc").unwrap();
        for (text, expected) in [("a", true), ("bc", true), ("b", false), ("xa", false)] {
            assert_eq!(accepts(&branches, text), expected, "{text:?}");
        }
        // With a group around it, it would be another pattern.
        for pattern in ["a)|(?:b", "(a"] {
            let Err(Error::InvalidRegex { pattern: named, .. }) = whole(pattern) else {
                panic!("{pattern} is invalid");
            };
            assert_eq!(named, pattern);
        }
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
    fn what_comes_next_belongs_to_the_text() {
        let pattern = format!("(?:[ \\n]+|#[^\\n]*{})+", ahead("[\\n]"));
        let dfa = compile_terminal(&pattern, &Meter::unlimited()).unwrap();
        for (text, expected) in
            [(" ", true), ("#a\n", true), (" #\n#b\n ", true), ("#a", false), ("# ", false)]
        {
            assert_eq!(accepts(&dfa, text), expected, "{text:?}");
        }
        assert!(!accepts(&dfa, "") && !accepts(&dfa, "#a\nb"));
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
        let told = compile(r"é(a)\1").unwrap_err().to_string();
        assert!(told.ends_with("backreferences are not supported, at character 5"), "{told}");
        assert!(matches!(compile_ecma("(a)\\1"), Err(Error::UnsupportedRegex { .. })));
    }
}
