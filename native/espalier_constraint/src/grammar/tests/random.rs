//! Random small grammars, with all short texts.

use std::collections::BTreeSet;

use super::*;
use crate::grammar::regular::JOINS;
use crate::grammar::rules::{Node, NodeId, Place, RuleId, Terminal};

const N_RULES: usize = 4;
const MAX_LENGTH: usize = 7;

fn random_node(grammar: &mut Grammar, random: &mut Random, depth: usize) -> NodeId {
    let kind = if depth == 0 { random.below(6) } else { random.below(13) };
    let node = match kind {
        0..=1 => Node::Literal(random.of(&["a", "b", "ab", "ba", ""]).as_bytes().to_vec()),
        2 => {
            let pattern = *random.of(&[
                "a*",
                "[ab]+",
                "ab|ba",
                "",
                "a?b",
                "(?:ab)*",
                "b{2}",
                "[^\\x00-\\u{10FFFF}]",
            ]);
            let (pattern, place) = (pattern.to_owned(), Place::default());
            return grammar.add_terminal(Terminal::Regex { pattern, place });
        }
        3..=5 => Node::Rule(random.below(N_RULES) as RuleId),
        6..=8 => {
            let n = random.below(4);
            Node::Sequence((0..n).map(|_| random_node(grammar, random, depth - 1)).collect())
        }
        9..=10 => {
            let n = 1 + random.below(3);
            Node::Choice((0..n).map(|_| random_node(grammar, random, depth - 1)).collect())
        }
        _ => {
            let of = random_node(grammar, random, depth - 1);
            let min = random.below(3) as u32;
            let max = (random.below(2) == 0).then(|| min + random.below(3) as u32);
            Node::Repeat { of, min, max }
        }
    };
    grammar.add(node)
}

fn random_grammar(random: &mut Random) -> Grammar {
    let mut grammar = Grammar::default();
    for rule in 0..N_RULES {
        grammar.declare(format!("r{rule}"), Place { line: rule + 1, column: 1 });
    }
    for rule in 0..N_RULES {
        let body = random_node(&mut grammar, random, 3);
        grammar.define(rule as RuleId, body);
    }
    grammar
}

fn all_texts() -> Vec<Vec<u8>> {
    let of_length = |length: usize| {
        (0..1usize << length)
            .map(move |bits| (0..length).map(|at| b"ab"[bits >> at & 1]).collect::<Vec<u8>>())
    };
    (0..=MAX_LENGTH).flat_map(of_length).collect()
}

/// Compares one grammar; answers whether some text matches.
fn check(grammar: &Grammar, vocabulary: &Arc<Vocabulary>, random: &mut Random) -> bool {
    let texts = all_texts();
    let oracle = oracle::Oracle::new(grammar);
    let accepted: BTreeSet<&Vec<u8>> = texts.iter().filter(|text| oracle.accepts(text)).collect();
    let constraint = match compile_with(grammar.clone(), vocabulary, Limits::default()) {
        Ok(constraint) => constraint,
        Err(Error::EmptyGrammar { .. }) => {
            assert!(accepted.is_empty(), "{grammar:?}");
            return false;
        }
        Err(error) => panic!("{error}"),
    };
    for text in &texts {
        let (is_accepted, n_read) = read(&constraint, text);
        assert_eq!(is_accepted, accepted.contains(text), "{text:?} in {grammar:?}");
        let is_prefix =
            |other: &&&Vec<u8>| other.starts_with(&text[..(n_read + 1).min(text.len())]);
        if n_read < text.len() {
            assert_eq!(accepted.iter().find(is_prefix), None, "{text:?} in {grammar:?}");
            continue;
        }
        let mut matcher = constraint.matcher();
        matcher.accept_text(text).unwrap();
        let completion = completion(&mut matcher, vocabulary);
        let whole = [&text[..], &completion].concat();
        assert!(
            whole.len() > 100 || oracle.accepts(&whole),
            "{text:?} with {whole:?} in {grammar:?}"
        );
        if random.below(20) == 0 {
            check_mask(&mut matcher, vocabulary);
        }
    }
    true
}

#[test]
fn random_grammars_accept_what_an_independent_recogniser_accepts() {
    let tokens = all_texts().into_iter().filter(|text| (1..=4).contains(&text.len()));
    let tokens: Vec<_> = tokens.chain([b"c".to_vec(), Vec::new()]).collect();
    let end = (tokens.len() - 1) as u32;
    let vocabulary = Arc::new(Vocabulary::new(tokens, &[end], &[]).unwrap());
    let mut random = Random(0x9E37_79B9);
    let n_grammars = std::env::var("ESPALIER_GRAMMARS").map_or(1500, |n| n.parse().unwrap());
    let n_some = (0..n_grammars).filter(|_| {
        let grammar = random_grammar(&mut random);
        JOINS.set(random.below(3) == 0);
        check(&grammar, &vocabulary, &mut random)
    });
    assert!(n_some.count() > n_grammars / 2);
}
