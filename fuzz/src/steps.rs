//! Steps of a matcher, with what has to hold at each.

use std::sync::{Arc, LazyLock};

use espalier_constraint::{Constraint, Error, Matcher, TokenMask, Vocabulary};

use super::input::Input;

const MAX_STEPS: usize = 24;

/// Tokens of several bytes, some of which split characters.
const TOKENS: [&[u8]; 36] = [
    b"{\"",
    b"\":",
    b",\"",
    b"\",\"",
    b"\"}",
    b"\":\"",
    b"\"]",
    b"],[",
    b"}}",
    b"[{\"",
    b": ",
    b", ",
    b" {",
    b"  ",
    b"\n ",
    b"\\\"",
    b"\\u00",
    b"\\n",
    b"00",
    b"12",
    b"-1",
    b"1.5",
    b"e+",
    b"true",
    b"null",
    b"ab",
    b"abc",
    b"aa",
    b"id",
    b"name",
    b"\xC3\xA9",
    b"\xF0\x9F",
    b"\x98\x80",
    b"a\xC3",
    b"\xA9\"",
    b"\"a\":1",
];

/// All bytes, some longer tokens, a special one and the end of a sequence.
pub(super) static VOCABULARY: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.extend(TOKENS.map(<[u8]>::to_vec));
    tokens.extend([b"<special>".to_vec(), Vec::new()]);
    let eos = tokens.len() as u32 - 1;
    Arc::new(Vocabulary::new(tokens, &[eos], &[eos - 1]).expect("a valid vocabulary"))
});

/// Accepts tokens and takes them back as the input says, and checks what holds everywhere.
pub(super) fn follow(constraint: &Constraint, input: &mut Input<'_>) {
    follow_with(constraint, input, check_text);
}

/// The same where tokens may be more than their bytes.
pub(super) fn follow_tokens(constraint: &Constraint, input: &mut Input<'_>) {
    follow_with(constraint, input, |_, _, _| {});
}

fn follow_with(
    constraint: &Constraint,
    input: &mut Input<'_>,
    check: impl Fn(&Constraint, &Matcher, &TokenMask),
) {
    let mut matcher = constraint.matcher();
    // The mask before each accepted token.
    let mut masks: Vec<Arc<TokenMask>> = Vec::new();
    for _ in 0..MAX_STEPS {
        let Some(mask) = checked_mask(constraint, &mut matcher) else { return };
        check(constraint, &matcher, &mask);
        if input.is_empty() {
            break;
        }
        let choice = input.byte();
        if choice < 32 {
            let n = input.below(masks.len() + 1);
            matcher.rollback(n).expect("so many were accepted");
            let before = masks.drain(masks.len() - n..).next();
            let Some(now) = known(matcher.compute_mask()) else { return };
            assert!(before.unwrap_or(mask) == now, "the mask is another one after rollback");
            continue;
        }
        let ids: Vec<u32> = mask.iter().collect();
        let token = match choice {
            32..64 => input.below(mask.n_ids()) as u32,
            _ if ids.is_empty() => break,
            _ => *input.pick(&ids),
        };
        match known(matcher.accept_token(token).map(|()| true).or_else(refusal)) {
            Some(true) => masks.push(mask),
            Some(false) => {}
            None => return,
        }
    }
    check_completion(&mut matcher);
}

/// The mask, after looking at each token.
fn checked_mask(constraint: &Constraint, matcher: &mut Matcher) -> Option<Arc<TokenMask>> {
    let mask = known(matcher.compute_mask())?;
    let vocabulary = constraint.vocabulary();
    for id in 0..vocabulary.n_ids() as u32 {
        let is_accepted = known(matcher.accept_token(id).map(|()| true).or_else(refusal))?;
        assert_eq!(mask.is_allowed(id), is_accepted, "mask and acceptance differ for token {id}");
        if is_accepted {
            matcher.rollback(1).expect("one was accepted");
        }
    }
    assert!(known(matcher.compute_mask())? == mask, "the mask is another one after rollback");
    if !matcher.is_finished() {
        let is_accepting = known(matcher.is_accepting())?;
        for &eos in vocabulary.eos_ids() {
            assert_eq!(mask.is_allowed(eos), is_accepting, "the text may end where it may not");
        }
        let has_bytes = Arc::ptr_eq(vocabulary, &VOCABULARY);
        assert!(mask.count() > 0 || !has_bytes, "a dead end");
    }
    Some(mask)
}

/// The bytes of the tokens lead where the tokens lead.
fn check_text(constraint: &Constraint, matcher: &Matcher, mask: &TokenMask) {
    if matcher.is_finished() {
        return;
    }
    let mut by_bytes = constraint.matcher();
    let read = known(by_bytes.accept_text(&matcher.text()).map(|()| by_bytes.compute_mask()));
    if let Some(Some(other)) = read.map(known) {
        assert!(*other == *mask, "tokens lead elsewhere than their bytes");
    }
}

/// The shortest completion is accepted, and ends the text.
fn check_completion(matcher: &mut Matcher) {
    if matcher.is_finished() {
        return;
    }
    let Some(completion) = known(matcher.shortest_completion()) else { return };
    match matcher.accept_tokens(&completion) {
        Err((_, Error::LimitExceeded { .. })) => return,
        accepted => assert_eq!(accepted, Ok(()), "the shortest completion is refused"),
    }
    let is_accepting = known(matcher.is_accepting());
    assert!(is_accepting != Some(false) || completion.is_empty(), "the completion doesn't end it");
}

/// A value, unless a limit was reached.
fn known<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::LimitExceeded { .. }) => None,
        Err(error) => panic!("an unexpected error: {error}"),
    }
}

/// A refused token is none that makes an error.
fn refusal(error: Error) -> Result<bool, Error> {
    match error {
        Error::TokenNotAllowed { .. } | Error::Finished => Ok(false),
        error => Err(error),
    }
}
