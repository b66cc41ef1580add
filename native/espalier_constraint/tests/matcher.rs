//! What a matcher promises, one behaviour a test.

mod support;

use std::sync::Arc;

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Matcher, Vocabulary};
use support::data;
use support::following;

fn matcher(schema: &str) -> Matcher {
    let vocabulary = data::read_vocabulary("boundaries");
    Constraint::json_schema(schema, &JsonSchemaOptions::generating(), &vocabulary)
        .unwrap()
        .matcher()
}

/// The ids of the single bytes of a text.
fn bytes(text: &str) -> Vec<u32> {
    text.bytes().map(u32::from).collect()
}

fn allowed(matcher: &mut Matcher) -> Vec<u32> {
    matcher.compute_mask().unwrap().iter().collect()
}

const EOS: u32 = 256;

#[test]
fn accept_tokens_stops_before_the_refused_one_and_keeps_the_others() {
    let mut matcher = matcher(r#"{"type": "integer"}"#);
    let (index, error) = matcher.accept_tokens(&bytes("12x4")).unwrap_err();
    assert_eq!(index, 2);
    assert!(matches!(error, Error::TokenNotAllowed { token: 120, .. }), "{error:?}");
    assert_eq!(matcher.n_accepted(), 2);
    assert!(matcher.is_accepting().unwrap());
}

#[test]
fn accept_text_is_all_or_nothing_and_one_unit_of_rollback() {
    let mut matcher = matcher(r#"{"type": "array", "items": {"type": "integer"}}"#);
    matcher.accept_token(u32::from(b'[')).unwrap();
    let before = allowed(&mut matcher);
    assert_eq!(matcher.accept_text(b"12,x"), Err(Error::TextNotAllowed { offset: 3 }));
    assert_eq!((matcher.n_accepted(), allowed(&mut matcher)), (1, before.clone()));
    matcher.accept_text(b"12,3]").unwrap();
    assert_eq!(matcher.n_accepted(), 2);
    assert!(matcher.must_stop().unwrap());
    matcher.rollback(1).unwrap();
    assert_eq!((matcher.n_accepted(), allowed(&mut matcher)), (1, before));
}

#[test]
fn validate_tokens_counts_and_changes_nothing() {
    let mut matcher = matcher(r#"{"enum": ["ab"]}"#);
    let before = allowed(&mut matcher);
    assert_eq!(matcher.validate_tokens(&bytes("\"ab\"")), Ok(4));
    assert_eq!(matcher.validate_tokens(&bytes("\"aab")), Ok(2));
    assert_eq!(matcher.validate_tokens(&bytes("x")), Ok(0));
    assert_eq!(matcher.validate_tokens(&[]), Ok(0));
    let beyond_the_end = [bytes("\"ab\""), vec![EOS, EOS]].concat();
    assert_eq!(matcher.validate_tokens(&beyond_the_end), Ok(5));
    assert_eq!((matcher.n_accepted(), allowed(&mut matcher)), (0, before));
}

#[test]
fn a_refused_token_is_named_and_changes_nothing() {
    let mut matcher = matcher(r#"{"type": "boolean"}"#);
    let before = allowed(&mut matcher);
    match matcher.accept_token(u32::from(b'x')) {
        Err(Error::TokenNotAllowed { token, bytes, n_allowed, .. }) => {
            assert_eq!((token, bytes.as_str(), n_allowed), (120, "x", before.len()));
        }
        other => panic!("{other:?}"),
    }
    let n_ids = data::read_vocabulary("boundaries").n_ids();
    let unknown = Error::UnknownToken { token: 100_000, vocabulary_size: n_ids };
    assert_eq!(matcher.accept_token(100_000), Err(unknown));
    assert!(matcher.accept_token(EOS).is_err(), "the end comes too early");
    assert_eq!((matcher.n_accepted(), allowed(&mut matcher)), (0, before));
}

#[test]
fn nothing_follows_the_end() {
    let mut matcher = matcher(r#"{"type": "integer"}"#);
    matcher.accept_text(b"1").unwrap();
    matcher.accept_token(EOS).unwrap();
    assert!(matcher.is_finished());
    assert!(allowed(&mut matcher).is_empty());
    assert_eq!(matcher.accept_token(u32::from(b'2')), Err(Error::Finished));
    assert_eq!(matcher.accept_token(EOS), Err(Error::Finished));
    assert!(matcher.accept_text(b"2").is_err());
    assert_eq!(matcher.forced_tokens(), Ok(vec![]));
    matcher.rollback(1).unwrap();
    assert!(!matcher.is_finished());
    matcher.accept_text(b"2").unwrap();
}

#[test]
fn rollback_goes_back_to_the_start_and_no_further() {
    let mut matcher = matcher(r#"{"type": "string"}"#);
    let start = allowed(&mut matcher);
    matcher.accept_tokens(&bytes("\"some text")).unwrap();
    let too_far = Error::RollbackTooFar { requested: 11, accepted: 10 };
    assert_eq!(matcher.rollback(11), Err(too_far));
    assert_eq!(matcher.n_accepted(), 10);
    matcher.rollback(0).unwrap();
    matcher.rollback(10).unwrap();
    assert_eq!((matcher.n_accepted(), allowed(&mut matcher)), (0, start));
}

#[test]
fn clones_go_their_own_ways() {
    let mut one = matcher(r#"{"enum": ["ab", "cd"]}"#);
    one.accept_text(b"\"").unwrap();
    let mut other = one.clone();
    one.accept_text(b"a").unwrap();
    other.accept_text(b"cd").unwrap();
    assert_eq!(
        allowed(&mut one),
        bytes("b").into_iter().chain(tokens(&["b\""])).collect::<Vec<_>>()
    );
    assert_eq!(allowed(&mut other), bytes("\""));
    assert_eq!((one.n_accepted(), other.n_accepted()), (2, 2));
}

/// The ids of these tokens of the vocabulary.
fn tokens(texts: &[&str]) -> Vec<u32> {
    let vocabulary = data::read_vocabulary("boundaries");
    let id = |text: &&str| {
        let longest = following::cut_greedily(&vocabulary, text.as_bytes()).unwrap();
        assert_eq!(longest.len(), 1, "{text} is a token");
        longest[0]
    };
    texts.iter().map(id).collect()
}

#[test]
fn each_id_that_ends_the_sequence_is_allowed_at_the_end() {
    let vocabulary = data::read_vocabulary("holes");
    let constraint = Constraint::choice(&["a"], &vocabulary).unwrap();
    for eos in [12, 13] {
        let mut matcher = constraint.matcher();
        assert!(matcher.accept_token(eos).is_err());
        matcher.accept_token(1).unwrap();
        assert_eq!(allowed(&mut matcher), [12, 13]);
        matcher.accept_token(eos).unwrap();
        assert!(matcher.is_finished());
    }
}

#[test]
fn ids_with_the_same_text_are_one_another() {
    let vocabulary = data::read_vocabulary("holes");
    let constraint = Constraint::choice(&["ab"], &vocabulary).unwrap();
    for a in [1, 3] {
        let mut matcher = constraint.matcher();
        assert_eq!(allowed(&mut matcher), [1, 3]);
        matcher.accept_tokens(&[a, 2]).unwrap();
        assert!(matcher.must_stop().unwrap());
    }
}

#[test]
fn special_ids_and_those_without_text_are_refused() {
    let vocabulary = data::read_vocabulary("holes");
    let schema = r#"{"type": "array", "items": {"enum": ["a", 1]}}"#;
    let constraint =
        Constraint::json_schema(schema, &JsonSchemaOptions::generating(), &vocabulary).unwrap();
    let mut matcher = constraint.matcher();
    matcher.accept_text(b"[").unwrap();
    for id in [0, 5, 8, 14, 15, 18] {
        assert!(matcher.accept_token(id).is_err(), "token {id}");
    }
}

#[test]
fn forced_tokens_are_spelled_as_the_tokenizer_does() {
    let tokens = || {
        let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        tokens.extend([b"".to_vec(), b"ab".to_vec(), b"bc".to_vec(), b"abc".to_vec()]);
        tokens
    };
    let forced = |vocabulary: Vocabulary| {
        let constraint = Constraint::choice(&["xabc"], &Arc::new(vocabulary)).unwrap();
        constraint.matcher().forced_tokens().unwrap()
    };
    let greedy = Vocabulary::new(tokens(), &[EOS], &[]).unwrap();
    assert_eq!(forced(greedy), [u32::from(b'x'), 259]);
    let spells =
        |text: &[u8]| (text == b"xabc").then(|| vec![u32::from(b'x'), u32::from(b'a'), 258]);
    let with_tokenizer = Vocabulary::new(tokens(), &[EOS], &[]).unwrap().with_tokenizer(spells);
    assert_eq!(forced(with_tokenizer), [u32::from(b'x'), u32::from(b'a'), 258]);
}

#[test]
fn the_shortest_completion_is_the_shortest_text() {
    let mut matcher = matcher(
        r#"{"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"]}"#,
    );
    let completion = matcher.shortest_completion().unwrap();
    let text = following::bytes_of(&data::read_vocabulary("boundaries"), &completion);
    assert_eq!(text.len(), r#"{"a":1}"#.len());
    assert!(completion.len() <= matcher.completion_bound().unwrap());
    matcher.accept_tokens(&completion).unwrap();
    assert_eq!(matcher.shortest_completion(), Ok(vec![]));
    assert_eq!(matcher.completion_bound(), Ok(0));
}

#[test]
fn threads_that_meet_in_one_constraint_see_the_same_masks() {
    let vocabulary = data::read_vocabulary("boundaries");
    let schema = r#"{"properties": {"a": {"type": "string", "pattern": "^[a-z]+$"}}}"#;
    let options = JsonSchemaOptions::matching();
    let compiled = Constraint::json_schema(schema, &options, &vocabulary).unwrap();
    let loaded = Constraint::from_bytes(&compiled.to_bytes(), &vocabulary).unwrap();
    let text = bytes(r#"{"a": "some", "b": [1, 2.5, {"c": null}]}"#);
    let masks = |constraint: &Constraint| -> Vec<Vec<u32>> {
        let mut matcher = constraint.matcher();
        let mut mask_after = |&token: &u32| {
            matcher.accept_token(token).unwrap();
            matcher.compute_mask().unwrap().to_words()
        };
        text.iter().map(&mut mask_after).collect()
    };
    let expected = masks(&Constraint::json_schema(schema, &options, &vocabulary).unwrap());
    for constraint in [&compiled, &loaded] {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| assert_eq!(masks(constraint), expected)));
            }
        });
    }
}

#[test]
fn a_key_that_was_read_does_not_come_again_in_another_spelling() {
    let schema = r#"{"patternProperties": {"^[a-f]$": {}}, "additionalProperties": false}"#;
    let vocabulary = data::read_vocabulary("boundaries");
    let constraint =
        Constraint::json_schema(schema, &JsonSchemaOptions::matching(), &vocabulary).unwrap();
    let mut matcher = constraint.matcher();
    matcher.accept_text(br#"{"b": 1, "\u006"#).unwrap();
    let digits = |matcher: &mut Matcher| allowed(matcher).into_iter().map(|id| id as u8 as char);
    assert_eq!(digits(&mut matcher).collect::<String>(), "13456");
}

#[test]
fn an_expression_ends_where_it_may_and_goes_on_where_a_longer_text_matches() {
    let tokens = ["blah", "1a", "2", "0", ""].map(|text| text.as_bytes().to_vec());
    let vocabulary = Arc::new(Vocabulary::new(tokens.into(), &[4], &[]).unwrap());
    let mut matcher = Constraint::regex("0|[1-9][0-9]{1,2}", &vocabulary).unwrap().matcher();
    assert_eq!(allowed(&mut matcher), [2, 3]);
    matcher.accept_token(2).unwrap();
    for refused in [0, 1, 4] {
        assert!(matches!(matcher.accept_token(refused), Err(Error::TokenNotAllowed { .. })));
        assert_eq!((allowed(&mut matcher), matcher.text()), (vec![2, 3], b"2".to_vec()));
    }
    matcher.accept_token(3).unwrap();
    assert_eq!(allowed(&mut matcher), [2, 3, 4], "it may end, and a digit may follow");
    matcher.reset();
    matcher.accept_tokens(&[3, 4]).unwrap();
    assert!(matcher.is_finished() && allowed(&mut matcher).is_empty());
    assert!((0..5).all(|id| matcher.accept_token(id) == Err(Error::Finished)));
}

#[test]
fn what_no_token_goes_on_with_must_stop() {
    let tokens = ["ab", "abc", ""].map(|token| token.as_bytes().to_vec()).to_vec();
    let vocabulary = Arc::new(Vocabulary::new(tokens, &[2], &[]).unwrap());
    let mut matcher = Constraint::regex("ab(c|)", &vocabulary).unwrap().matcher();
    assert!(!matcher.must_stop().unwrap());
    matcher.accept_token(0).unwrap();
    assert_eq!(allowed(&mut matcher), [2]);
    assert!(matcher.must_stop().unwrap());
}
