//! Feeds a text to a matcher, in bytes or in tokens, and tells where it was refused.

use espalier_constraint::{Constraint, Error, Matcher, Vocabulary};

use super::data::RejectedAt;

/// What became of a text: accepted, or refused at a place.
pub(crate) type Verdict = Result<(), RejectedAt>;

/// Feeds the whole text at once.
pub(crate) fn by_text(constraint: &Constraint, text: &[u8]) -> Verdict {
    let mut matcher = constraint.matcher();
    match matcher.accept_text(text) {
        Ok(()) => at_end(&mut matcher, constraint.vocabulary()),
        Err(Error::TextNotAllowed { offset }) => Err(RejectedAt::Byte(offset)),
        Err(other) => panic!("an unexpected error: {other}"),
    }
}

/// Feeds the text in tokens, checking each against the mask. `Err(Byte(offset))` is the offset of
/// the first refused token.
pub(crate) fn by_tokens(constraint: &Constraint, tokens: &[u32]) -> Verdict {
    let vocabulary = constraint.vocabulary().clone();
    let mut matcher = constraint.matcher();
    let mut offset = 0;
    for &token in tokens {
        let mask = matcher.compute_mask().expect("a mask");
        let accepted = matcher.accept_token(token);
        assert_eq!(
            mask.is_allowed(token),
            accepted.is_ok(),
            "mask and acceptance differ at offset {offset} for token {token}: {accepted:?}"
        );
        if accepted.is_err() {
            return Err(RejectedAt::Byte(offset));
        }
        assert!(
            mask.iter().all(|id| vocabulary.eos_ids().contains(&id) || !vocabulary.is_special(id))
        );
        offset += vocabulary.token_bytes(token).expect("a token").len();
    }
    at_end(&mut matcher, constraint.vocabulary())
}

fn at_end(matcher: &mut Matcher, vocabulary: &Vocabulary) -> Verdict {
    let accepting = matcher.is_accepting().expect("an answer");
    let must_stop = matcher.must_stop().expect("an answer");
    let mask = matcher.compute_mask().expect("a mask");
    assert!(accepting || !must_stop, "must stop where the text may not end");
    assert!(mask.count() > 0 || !has_all_bytes(vocabulary), "a dead end");
    if accepting { Ok(()) } else { Err(RejectedAt::End) }
}

/// Whether the vocabulary can spell every text: otherwise it may be at a loss.
fn has_all_bytes(vocabulary: &Vocabulary) -> bool {
    (0..=255).all(|byte| !tokens_at(vocabulary, &[byte]).is_empty())
}

/// Cuts the text into the longest tokens; `None` where some byte has no token.
pub(crate) fn cut_greedily(vocabulary: &Vocabulary, text: &[u8]) -> Option<Vec<u32>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (id, length) = longest_token(vocabulary, rest)?;
        tokens.push(id);
        rest = &rest[length..];
    }
    Some(tokens)
}

/// All tokens that are a prefix of the text and not special.
pub(crate) fn tokens_at(vocabulary: &Vocabulary, text: &[u8]) -> Vec<(u32, usize)> {
    (0..vocabulary.n_ids() as u32)
        .filter(|&id| !vocabulary.is_special(id))
        .map(|id| (id, vocabulary.token_bytes(id).expect("a token")))
        .filter(|(_, bytes)| !bytes.is_empty() && text.starts_with(bytes))
        .map(|(id, bytes)| (id, bytes.len()))
        .collect()
}

/// The ids of these tokens in a row.
pub(crate) fn bytes_of(vocabulary: &Vocabulary, tokens: &[u32]) -> Vec<u8> {
    tokens.iter().flat_map(|&id| vocabulary.token_bytes(id).expect("a token")).copied().collect()
}

fn longest_token(vocabulary: &Vocabulary, text: &[u8]) -> Option<(u32, usize)> {
    tokens_at(vocabulary, text)
        .into_iter()
        .max_by_key(|&(id, length)| (length, std::cmp::Reverse(id)))
}
