//! Masks where many tokens go through the loop of a terminal.

use std::sync::Arc;

use super::check_mask;
use crate::constraint::Constraint;
use crate::grammar::GrammarOptions;
use crate::matcher::Matcher;
use crate::vocabulary::Vocabulary;

/// All texts of three parts at most; some of them cut a character.
fn vocabulary() -> Arc<Vocabulary> {
    let parts: [&[u8]; 9] = [b"a", b"b", b"x", b"1", b" ", b"(", b")", "é".as_bytes(), b"\xC3"];
    let mut texts = vec![Vec::new()];
    for n_before in [0, 1, 10] {
        for before in n_before..texts.len() {
            for part in parts {
                let text = [&texts[before], part].concat();
                texts.push(text);
            }
        }
    }
    let tokens: Vec<_> =
        (0..=255).map(|byte| vec![byte]).chain(texts).chain([Vec::new()]).collect();
    let end = (tokens.len() - 1) as u32;
    Arc::new(Vocabulary::new(tokens, &[end], &[]).unwrap())
}

/// Each token leads where its bytes lead.
fn check_steps(matcher: &mut Matcher, vocabulary: &Vocabulary) {
    for id in matcher.compute_mask().unwrap().iter() {
        let [mut at_once, mut by_bytes] = [matcher.clone(), matcher.clone()];
        at_once.accept_token(id).unwrap();
        let bytes = vocabulary.token_bytes(id).unwrap();
        for byte in bytes {
            by_bytes.accept_text(&[*byte]).unwrap();
        }
        if !bytes.is_empty() {
            let token = String::from_utf8_lossy(bytes);
            assert_eq!(at_once.compute_mask(), by_bytes.compute_mask(), "token {id} {token:?}");
        }
    }
}

#[test]
fn masks_are_those_of_a_try_of_each_token() {
    let vocabulary = vocabulary();
    let grammars = [
        // A name may be cut where the next one begins, or not.
        ("start: NAME (\"(\" NAME \")\")*\nNAME: /[a-z]+/\n%ignore \" \"", "ab (x )"),
        ("start: NAME (\"ax\" \"(\" NAME)*\nNAME: /[a-z]+/", "abax(x"),
        ("start: \"(\" TEXT \")\" \"x\"*\nTEXT: /[^()]+/", "(é1)xx"),
        ("start: TEXT (\"é\" TEXT)* \"(\"\nTEXT: /[^(]+/", "aéx("),
        ("start: (NAME | NUMBER) (\" \" start)?\nNAME: /[a-zé][a-z1é]*/\nNUMBER: /1+/", "1 aé1 x"),
        ("start: NAME \"1\"* \"(\" start? \")\"\nNAME: /[a-z1]+/", "a1(b11())"),
        ("start: TEXT (\" \" TEXT)*\nTEXT: /x[^x]*x/", "xaé1x xx"),
    ];
    for (grammar, text) in grammars {
        let constraint =
            Constraint::grammar(grammar, &GrammarOptions::lark(), &vocabulary).unwrap();
        let mut matcher = constraint.matcher();
        check_mask(&mut matcher, &vocabulary);
        check_steps(&mut matcher, &vocabulary);
        for byte in text.as_bytes() {
            matcher.accept_text(&[*byte]).unwrap();
            check_mask(&mut matcher, &vocabulary);
            check_steps(&mut matcher, &vocabulary);
        }
        assert!(matcher.is_accepting().unwrap(), "{grammar}");
    }
}
