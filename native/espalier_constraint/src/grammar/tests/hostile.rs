//! Grammars that were made to be too much: each ends soon, with a value or a typed error.

use std::thread;

use super::*;
use crate::grammar::rules::{Node, NodeId, Place};

/// A stack as small as a scheduler's.
const STACK: usize = 512 << 10;

/// What becomes of a grammar and a text: what was read of it, and an error if there was one.
type Outcome = (usize, Option<&'static str>);

/// Compiles a grammar, reads a text with masks at some places, and completes it.
fn outcome(grammar: Grammar, text: &[u8]) -> Outcome {
    let text = text.to_vec();
    let run = move || {
        let vocabulary = vocabulary(TOKENS);
        let mut n_read = 0;
        let result = read_all(grammar, &text, &vocabulary, &mut n_read);
        let limit = match result {
            Ok(()) => None,
            Err(Error::LimitExceeded { limit, .. }) => Some(limit),
            Err(error) => panic!("{error}"),
        };
        (n_read, limit)
    };
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap().join().unwrap()
}

/// How much is read in one call.
const CHUNK: usize = 200;

const TOKENS: &[&str] = &["aa", "aaaa", "((", "))", ", ", "x, x", "ab"];

fn read_all(
    grammar: Grammar,
    text: &[u8],
    vocabulary: &Arc<Vocabulary>,
    n_read: &mut usize,
) -> Result<(), Error> {
    // What a limit ends takes a fifth of the time that it may take.
    let limits = Limits { mask_fuel: 12_000_000, ..Limits::default() };
    let constraint = compile_with(grammar, vocabulary, limits)?;
    let mut matcher = constraint.matcher();
    for (index, part) in text.chunks(CHUNK).enumerate() {
        if index % 80 == 0 {
            matcher.compute_mask()?;
        }
        matcher.accept_text(part)?;
        *n_read += part.len();
    }
    matcher.compute_mask()?;
    matcher.is_accepting()?;
    matcher.shortest_completion()?;
    matcher.rollback(text.len().div_ceil(CHUNK))?;
    matcher.compute_mask()?;
    Ok(())
}

fn read(grammar: &str, text: &str) -> Outcome {
    outcome(notation::read(grammar), text.as_bytes())
}

/// A rule for each number up to `n`, with the last one as another.
fn rules(n: usize, body: impl Fn(usize) -> String, last: &str) -> Grammar {
    let rules = (0..n).map(|index| format!("r{index} = {}\n", body(index)));
    let mut grammar = Grammar::default();
    for index in 0..=n {
        grammar.declare(format!("r{index}"), Place { line: index + 1, column: 1 });
    }
    let mut add = |index: usize, text: &str| {
        // Names are numbers, so that they need not be searched.
        let choices: Vec<NodeId> = text
            .split('|')
            .map(|choice| {
                let parts = choice.split_whitespace().map(|part| {
                    let node = match part.strip_prefix('r') {
                        Some(number) => Node::Rule(number.parse().unwrap()),
                        None => Node::Literal(part.trim_matches('"').into()),
                    };
                    grammar.add(node)
                });
                let parts = parts.collect();
                grammar.add(Node::Sequence(parts))
            })
            .collect();
        let body = grammar.add(Node::Choice(choices));
        grammar.define(index as u32, body);
    };
    for (index, rule) in rules.enumerate() {
        add(index, rule.split_once(" = ").unwrap().1);
    }
    add(n, last);
    grammar
}

const MANY: usize = 100_000;

#[test]
fn long_texts_of_simple_recursion_are_read() {
    let all = |text: &str, n: usize| (n, text.repeat(n / text.len()));
    for (grammar, part) in [
        ("list = \"a\" list | \"a\"", "a"),
        ("list = list \"a\" | \"a\"", "a"),
        ("list = \"x\" \", \" list | \"x\"", "x, "),
        ("list = list list | \"a\"", "a"),
        ("list = /[a-z]+/ list | /[a-z]/", "a"),
        ("list = (/[a-z]+/ (\" \" | \"\")){0,}", "a"),
        ("list = empty list | \"a\" list | empty empty\nempty = \"\" | empty", "a"),
        ("a = b \"a\" | \"a\"\nb = a | b", "a"),
        ("list = \"a\"{0,} (\"b\" | other)\nother = \"a\" other | \"a\"", "a"),
    ] {
        let (n, text) = all(part, MANY);
        let n = n - n % part.len();
        assert_eq!(read(grammar, &text), (n, None), "{grammar}");
    }
}

#[test]
fn deep_texts_are_read() {
    assert_eq!(read("s = \"(\" s \")\" | \"x\"", &"(".repeat(MANY)), (MANY, None));
    assert_eq!(read("s = \"(\" s* \")\" ws\nws = \" \"*", &"(".repeat(MANY)), (MANY, None));
    let nested = ["(".repeat(MANY / 2), ")".repeat(MANY / 2)].concat();
    assert_eq!(read("s = \"(\" s \")\" | \"\"", &nested), (MANY, None));
}

#[test]
fn ambiguity_meets_a_limit_or_none() {
    for (grammar, n) in [
        ("s = s s s | \"a\"", 200),
        ("s = s s s s s s s | \"a\" | \"\"", 200),
        ("s = \"a\" s \"a\" | \"b\" s \"b\" | \"\"", 200),
        ("s = \"a\" s ws | \"a\"\nws = \" \"*", 200),
        ("s = (\"a\" | \"aa\"){1,200000}", 200),
        ("s = ((\"a\" | \"aa\"){1,200000} | s s){2,3000}", 0),
        ("s = a a a a a a a a s | \"\"\na = \"a\" | \"\" | a a", 200),
    ] {
        let (n_read, limit) = read(grammar, &"a".repeat(3000));
        assert!(
            n_read >= n && (limit.is_some() || n_read == 3000),
            "{grammar}: {n_read}, {limit:?}"
        );
    }
}

#[test]
fn large_counts_are_counted() {
    assert_eq!(read("s = \"a\"{90000,1000000}", &"a".repeat(MANY)), (MANY, None));
    assert_eq!(read("s = \"a\"{1000000,2000000}", "aaa"), (3, None));
    let nested = "s = (\"a\"{1000,1000}){1000,1000} s*";
    assert_eq!(read(nested, &"a".repeat(5000)), (5000, None));
    let nested = "s = ((\"a\"{1000,1000}){1000,1000}){1000,4000000000}";
    assert_eq!(read(nested, &"a".repeat(5000)), (5000, Some("completion_bytes")));
}

#[test]
fn many_rules_are_compiled() {
    let chain = rules(MANY, |index| format!("r{}", index + 1), "\"a\"");
    assert_eq!(outcome(chain, b"a"), (1, None));
    let sequences = rules(MANY, |index| format!("\"a\" r{}", index + 1), "\"a\"");
    assert_eq!(outcome(sequences, &b"a".repeat(MANY)), (MANY, None));
    let doubled = rules(200, |index| format!("r{0} r{0}", index + 1), "\"a\"");
    assert_eq!(outcome(doubled, b"aaa"), (3, Some("completion_bytes")));
    let levels = rules(MANY, |index| format!("r{0} | r{0} \"x\"", index + 1), "\"a\"");
    assert!(outcome(levels, b"a").1.is_some());
    let levels = rules(300, |index| format!("r{0} | r{1} \"x\" r{0}", index + 1, index), "\"a\"");
    assert_eq!(outcome(levels, b"axaxa"), (5, None));
    let empty = rules(3000, |index| format!("| r{0} r{0} r{0}", index + 1), "\"a\"|");
    assert_eq!(outcome(empty, b"aaaa").1, Some("mask_fuel"));
}

#[test]
fn nesting_has_no_bound_but_that_of_nodes() {
    let nested = |node: fn(NodeId) -> Node| {
        let mut grammar = Grammar::default();
        let rule = grammar.declare("s", Place::default());
        let mut body = grammar.add(Node::Literal(b"a".to_vec()));
        for _ in 0..150_000 {
            body = grammar.add(node(body));
        }
        grammar.define(rule, body);
        grammar
    };
    assert_eq!(outcome(nested(|of| Node::Sequence(vec![of])), b"a"), (1, None));
    assert_eq!(outcome(nested(|of| Node::Choice(vec![of])), b"a"), (1, None));
    outcome(nested(|of| Node::Sequence(vec![of, of])), b"aaa");
    outcome(nested(|of| Node::Choice(vec![of, of])), b"a");
    outcome(nested(|of| Node::Repeat { of, min: 0, max: None }), b"a");
    outcome(nested(|of| Node::Repeat { of, min: 1, max: Some(2) }), b"a");
}

#[test]
fn many_texts_are_one_choice() {
    let mut grammar = Grammar::default();
    let rule = grammar.declare("s", Place::default());
    let texts = (0..MANY).map(|n| grammar.add(Node::Literal(format!("a{n}").into_bytes())));
    let texts = texts.collect();
    let choice = grammar.add(Node::Choice(texts));
    let body = grammar.add(Node::Repeat { of: choice, min: 0, max: None });
    grammar.define(rule, body);
    assert_eq!(outcome(grammar, b"a1a22a333a4444a5").0, 16);
}
