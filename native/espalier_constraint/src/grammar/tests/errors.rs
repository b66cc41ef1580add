//! What is told of a grammar, what is stored of it, and what happens when its states are forgotten.

use super::*;
use crate::source::UnusedRule;

fn error(grammar: &str) -> Error {
    let vocabulary = vocabulary(&[]);
    compile_with(notation::read(grammar), &vocabulary, Limits::default()).unwrap_err()
}

#[test]
fn a_grammar_without_texts_names_the_innermost_rule() {
    let empty = |rule: &str, line| Error::EmptyGrammar { rule: rule.to_owned(), line, column: 1 };
    assert_eq!(error("s = \"a\" s"), empty("s", 1));
    assert_eq!(error("s = \"a\" b | b\nb = c \"x\"\nc = \"(\" c \")\""), empty("c", 3));
    let never = "s = \"a\" b\nb = /[^\\x00-\\u{10FFFF}]/ | \"x\"{3,2}";
    assert_eq!(error(never), empty("b", 2));
}

#[test]
fn terminals_are_refused_with_their_place() {
    let is_at = |grammar, expected: fn(&Error) -> bool| match error(grammar) {
        Error::InvalidTerminal { error, line: 1, column: 1 } => expected(&error),
        _ => false,
    };
    assert!(is_at("s = /(/", |error| matches!(error, Error::InvalidRegex { .. })));
    assert!(is_at("s = \"a\"\nt = /(?=a)/", |error| matches!(
        error,
        Error::UnsupportedRegex { .. }
    )));
    assert!(is_at("s = %{%", |error| matches!(error, Error::InvalidJson { .. })));
    assert!(is_at("s = %false%", |error| matches!(error, Error::Unsatisfiable { .. })));
    assert!(is_at("s = /a{99999}{9999}/", |error| matches!(error, Error::LimitExceeded { .. })));
}

#[test]
fn rules_that_no_text_needs_are_told() {
    let grammar = "s = a | b d\na = \"a\"\nb = b \"x\"\nc = \"c\"\nd = \"d\"\ne = d{0,0}";
    let constraint = compile(grammar, &vocabulary(&[]));
    let unused = |name: &str, line, matches_nothing| UnusedRule {
        name: name.to_owned(),
        line,
        column: 1,
        pointer: None,
        matches_nothing,
    };
    let expected =
        [unused("b", 3, true), unused("c", 4, false), unused("d", 5, false), unused("e", 6, false)];
    assert_eq!(constraint.unused_rules(), expected);
    assert_eq!(read(&constraint, b"a"), (true, 1));
    assert_eq!(read(&constraint, b"x"), (false, 0));
}

#[test]
fn limits_are_named() {
    let vocabulary = vocabulary(&[]);
    let exceeded =
        |limits, grammar: &str| match compile_with(notation::read(grammar), &vocabulary, limits) {
            Err(Error::LimitExceeded { limit, .. }) => limit,
            other => panic!("{other:?}"),
        };
    let grammar = "s = a a\na = \"x\" | \"y\" a";
    assert_eq!(
        exceeded(Limits { grammar_rules: 1, ..Limits::default() }, grammar),
        "grammar_rules"
    );
    assert_eq!(
        exceeded(Limits { grammar_nodes: 5, ..Limits::default() }, grammar),
        "grammar_nodes"
    );
    assert_eq!(exceeded(Limits { compile_fuel: 5, ..Limits::default() }, grammar), "compile_fuel");
}

#[test]
fn states_that_were_forgotten_are_found_again() {
    let vocabulary = vocabulary(&["((", "))", "a)", "(a", "+(", "{\"a\":"]);
    let grammar = "s = s \"+\" t | t\nt = \"(\" s \")\" | /[a-z]+/ | j\n\
        j = %{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"integer\"}}}%";
    let limits = Limits { table_bytes: 20_000, ..Limits::default() };
    let small = compile_with(notation::read(grammar), &vocabulary, limits).unwrap();
    let large = compile(grammar, &vocabulary);
    let mut random = Random(7);
    for _ in 0..20 {
        let (mut one, mut other) = (small.matcher(), large.matcher());
        for _ in 0..40 {
            let mask = one.compute_mask().unwrap();
            assert_eq!(mask, other.compute_mask().unwrap());
            let allowed: Vec<u32> = mask.iter().collect();
            let token = *random.of(&allowed);
            one.accept_token(token).unwrap();
            other.accept_token(token).unwrap();
            if one.is_finished() {
                break;
            }
            assert_eq!(one.shortest_completion(), other.shortest_completion());
        }
    }
}

#[test]
fn what_is_stored_is_loaded_again() {
    let vocabulary = vocabulary(&["ab", "x, "]);
    for grammar in
        [samples::SQL, samples::JSON, samples::TAGS, "s = %{\"type\": \"number\"}% \"a\"{2,3}"]
    {
        let constraint = compile(grammar, &vocabulary);
        let bytes = constraint.to_bytes();
        let loaded = Constraint::from_bytes(&bytes, &vocabulary).unwrap();
        assert_eq!(loaded.kind(), crate::source::ConstraintKind::Grammar);
        assert_eq!(loaded.to_bytes(), bytes);
        let masks = [constraint, loaded].map(|constraint| constraint.matcher().compute_mask());
        assert_eq!(masks[0], masks[1]);
    }
}
