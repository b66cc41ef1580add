//! [`SpacedTokens`]: the tokens that may follow between two parts of a JSON text, where white space may
//! stand.
//!
//! White space changes nothing there, so tokens count by what comes after it: a blank and a quote go on
//! as the quote does. Most tokens that begin with a blank are words, which never follow.

use crate::token_mask::TokenMask;
use crate::token_trie::TokenTrie;
use crate::vocabulary::Vocabulary;

#[derive(Debug)]
pub(crate) struct SpacedTokens {
    /// Those of white space alone.
    pub(crate) spaces: TokenMask,
    /// The others, by what comes after white space at their beginning.
    pub(crate) rests: TokenTrie,
    /// Those that may go on with a number that has begun.
    pub(crate) digits: TokenTrie,
}

/// What JSON takes for white space.
pub(crate) const SPACES: [u8; 4] = *b" \n\r\t";

impl SpacedTokens {
    pub(crate) fn new(vocabulary: &Vocabulary) -> Self {
        let mut spaces = TokenMask::none(vocabulary.n_ids());
        let (mut rests, mut digits) = (Vec::new(), Vec::new());
        for id in (0..vocabulary.n_ids() as u32).filter(|&id| !vocabulary.is_special(id)) {
            let token = vocabulary.token_bytes(id).unwrap_or_default();
            if token.first().is_some_and(|byte| b"0123456789.eE+-".contains(byte)) {
                digits.push((id, token));
            }
            let n_spaces = token.iter().take_while(|byte| SPACES.contains(byte)).count();
            match &token[n_spaces..] {
                [] if n_spaces > 0 => spaces.allow(id),
                rest if may_begin(rest) => rests.push((id, rest)),
                _ => {}
            }
        }
        let [rests, digits] = [rests, digits].map(|tokens| TokenTrie::new(tokens.into_iter()));
        Self { spaces, rests, digits }
    }
}

/// Whether some part of a JSON text begins so.
fn may_begin(text: &[u8]) -> bool {
    let is_word = |word: &[u8]| word.starts_with(text) || text.starts_with(word);
    match text.first() {
        Some(b't' | b'f' | b'n') => [&b"true"[..], b"false", b"null"].into_iter().any(is_word),
        Some(byte) => b"\"{}[],:-0123456789".contains(byte),
        None => false,
    }
}
