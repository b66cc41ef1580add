//! [`JsonTokens`]: the tokens that may follow between two parts of a JSON text, by what they begin.
//!
//! White space changes nothing there, so where it may stand tokens count by what comes after it: a blank
//! and a quote go on as the quote does. Most tokens that begin with a blank are words, which never follow.

use std::sync::Arc;

use crate::lexicon::Lexicon;
use crate::token_mask::TokenSet;
use crate::token_trie::TokenTrie;

#[derive(Debug)]
pub(crate) struct JsonTokens {
    /// Those of white space alone, where it is cut off.
    pub(crate) spaces: Arc<TokenSet>,
    /// Those that begin a string, by what comes after the quote.
    pub(crate) strings: Lexicon,
    /// Those that are the quote alone.
    pub(crate) quotes: Arc<TokenSet>,
    /// Those that begin a number.
    pub(crate) numbers: TokenTrie,
    /// All the others.
    pub(crate) others: TokenTrie,
}

/// What JSON takes for white space.
pub(crate) const SPACES: [u8; 4] = *b" \n\r\t";

impl JsonTokens {
    /// Of tokens with their ids. Without cutting off white space, it is left to the others.
    pub(crate) fn new<'a>(
        tokens: impl Iterator<Item = (u32, &'a [u8])>,
        n_ids: usize,
        cuts_spaces: bool,
    ) -> Self {
        let (mut spaces, mut quotes, mut strings) = (Vec::new(), Vec::new(), Vec::new());
        let (mut numbers, mut others) = (Vec::new(), Vec::new());
        for (id, token) in tokens {
            let n_spaces = token.iter().take_while(|byte| SPACES.contains(byte)).count();
            let cut = if cuts_spaces { n_spaces } else { 0 };
            match &token[cut..] {
                [] => spaces.extend((cut > 0).then_some(id)),
                [b'"'] => quotes.push(id),
                [b'"', text @ ..] => strings.push((id, text)),
                rest @ [b'-' | b'0'..=b'9', ..] => numbers.push((id, rest)),
                rest if may_begin(rest) => others.push((id, rest)),
                _ => {}
            }
        }
        let [spaces, quotes] = [spaces, quotes].map(|ids| Arc::new(TokenSet::new(ids, n_ids)));
        let [strings, numbers, others] =
            [strings, numbers, others].map(|tokens| TokenTrie::new(tokens.into_iter()));
        Self { spaces, strings: Lexicon::new(strings, n_ids), quotes, numbers, others }
    }
}

/// Whether some other part of a JSON text begins so.
fn may_begin(text: &[u8]) -> bool {
    let is_word = |word: &[u8]| word.starts_with(text) || text.starts_with(word);
    match text.first() {
        Some(b't' | b'f' | b'n') => [&b"true"[..], b"false", b"null"].into_iter().any(is_word),
        Some(byte) => b"{}[],: \n\r\t".contains(byte),
        None => false,
    }
}
