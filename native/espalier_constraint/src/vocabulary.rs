//! [`Vocabulary`]: the bytes of each token id.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use crate::character_set::CharacterSet;
use crate::error::Error;
use crate::limits::{Limits, limit};
use crate::sliced_tokens::SlicedTokens;
use crate::spaced_tokens::SpacedTokens;
use crate::string_tokens::{FreeBounds, StringTokens};
use crate::token_trie::TokenTrie;

/// The sets of tokens inside of strings that are kept; each takes about a bit for each token.
const MAX_FREE_TEXTS: usize = 256;

type Encode = dyn Fn(&[u8]) -> Option<Vec<u32>> + Send + Sync;

/// Token ids with their bytes, and which of them end a sequence.
///
/// Built once for a tokenizer and shared behind an `Arc`. Tokens need not be valid UTF-8 by
/// themselves, and several ids may have the same bytes.
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// The bytes of id `i` are `bytes[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    eos_ids: Vec<u32>,
    special_ids: Vec<u32>,
    trie: TokenTrie,
    /// By set of characters; made when they are asked for.
    sliced: [OnceLock<SlicedTokens>; CharacterSet::ALL.len()],
    /// Tokens inside of strings, by what may follow there; made as they are asked for.
    free_texts: Mutex<FxHashMap<FreeBounds, Arc<StringTokens>>>,
    spaced: OnceLock<SpacedTokens>,
    encode: Option<Box<Encode>>,
}

impl Vocabulary {
    /// A vocabulary of `tokens[id]`, the bytes of each id.
    ///
    /// An empty entry is an id without a text. It is never allowed, and neither are the special
    /// ids, whose text has no meaning as text. The ids in `eos_ids` are allowed exactly where the
    /// text may end.
    ///
    /// # Errors
    /// [`Error::InvalidVocabulary`] when no id ends a sequence, an id is outside of the list, or
    /// no token has a text; [`Error::LimitExceeded`].
    pub fn new(tokens: Vec<Vec<u8>>, eos_ids: &[u32], special_ids: &[u32]) -> Result<Self, Error> {
        Self::with_limits(tokens, eos_ids, special_ids, &Limits::default())
    }

    /// As [`new`](Self::new), with other than the default limits.
    ///
    /// # Errors
    /// As there.
    pub fn with_limits(
        tokens: Vec<Vec<u8>>,
        eos_ids: &[u32],
        special_ids: &[u32],
        limits: &Limits,
    ) -> Result<Self, Error> {
        check_size(&tokens, limits)?;
        check_ids(tokens.len(), eos_ids, special_ids)?;
        let mut special_ids = [eos_ids, special_ids].concat();
        special_ids.sort_unstable();
        special_ids.dedup();
        let ordinary = || {
            (0u32..)
                .zip(&tokens)
                .filter(|(id, _)| special_ids.binary_search(id).is_err())
                .map(|(id, bytes)| (id, &bytes[..]))
        };
        if ordinary().all(|(_, bytes)| bytes.is_empty()) {
            return Err(invalid("no token has a text"));
        }
        let trie = TokenTrie::new(ordinary());
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(tokens.len()));
        for token in tokens {
            bytes.extend(token);
            ends.push(bytes.len());
        }
        let eos_ids = eos_ids.to_vec();
        Ok(Self {
            bytes,
            ends,
            eos_ids,
            special_ids,
            trie,
            sliced: Default::default(),
            free_texts: Mutex::default(),
            spaced: OnceLock::new(),
            encode: None,
        })
    }

    /// Spells forced text as the tokenizer itself would; without it the longest token wins.
    ///
    /// `encode` gets bytes that need not be valid UTF-8, and may answer `None` for those that it
    /// can't spell.
    #[must_use]
    pub fn with_tokenizer(
        mut self,
        encode: impl Fn(&[u8]) -> Option<Vec<u32>> + Send + Sync + 'static,
    ) -> Self {
        self.encode = Some(Box::new(encode));
        self
    }

    /// The number of ids: they run from 0 to one less.
    #[must_use]
    pub fn n_ids(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token, or `None` for an id outside of the vocabulary.
    #[must_use]
    pub fn token_bytes(&self, token: u32) -> Option<&[u8]> {
        let index = token as usize;
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }

    /// The ids that end a sequence.
    #[must_use]
    pub fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    /// Whether the id is special: one that ends a sequence, or another that stands for no text.
    #[must_use]
    pub fn is_special(&self, token: u32) -> bool {
        self.special_ids.binary_search(&token).is_ok()
    }

    pub(crate) fn trie(&self) -> &TokenTrie {
        &self.trie
    }

    /// The tokens that consist of characters of a set, and the others.
    pub(crate) fn sliced(&self, characters: CharacterSet) -> &SlicedTokens {
        self.sliced[characters as usize].get_or_init(|| {
            let ids = 0..self.n_ids() as u32;
            let tokens = ids.filter(|&id| !self.is_special(id));
            let tokens = tokens.filter_map(|id| Some((id, self.token_bytes(id)?)));
            SlicedTokens::new(characters, self.n_ids(), tokens)
        })
    }

    /// The tokens that may follow between two parts of a JSON text.
    pub(crate) fn spaced(&self) -> &SpacedTokens {
        self.spaced.get_or_init(|| SpacedTokens::new(self))
    }

    /// The tokens that may follow inside of a string.
    pub(crate) fn free_text(&self, bounds: FreeBounds) -> Arc<StringTokens> {
        let longest = self.trie.depth();
        let (min, max) = (bounds.min.min(longest + 1), bounds.max.min(longest));
        let bounds = FreeBounds { min, max, ..bounds };
        let mut known = self.free_texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known.get(&bounds) {
            return text.clone();
        }
        let text = Arc::new(StringTokens::free(bounds, self));
        if known.len() >= MAX_FREE_TEXTS {
            known.clear();
        }
        known.insert(bounds, text.clone());
        text
    }

    /// Spells the text in tokens; `None` where some byte has no token.
    pub(crate) fn spell(&self, text: &[u8]) -> Option<Vec<u32>> {
        let canonical = self.encode.as_ref().and_then(|encode| encode(text));
        canonical.filter(|ids| self.spells(ids, text)).or_else(|| self.spell_greedily(text))
    }

    fn spells(&self, ids: &[u32], text: &[u8]) -> bool {
        let mut rest = text;
        for &id in ids {
            let token =
                self.token_bytes(id).filter(|token| !token.is_empty() && !self.is_special(id));
            match token.and_then(|token| rest.strip_prefix(token)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    fn spell_greedily(&self, mut text: &[u8]) -> Option<Vec<u32>> {
        let mut ids = Vec::new();
        while !text.is_empty() {
            let (id, length) = self.trie.longest_prefix(text)?;
            ids.push(id);
            text = &text[length..];
        }
        Some(ids)
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary")
            .field("n_ids", &self.n_ids())
            .field("eos_ids", &self.eos_ids)
            .finish_non_exhaustive()
    }
}

fn check_size(tokens: &[Vec<u8>], limits: &Limits) -> Result<(), Error> {
    limit!(limits, vocabulary_tokens).check(tokens.len())?;
    tokens.iter().try_for_each(|token| limit!(limits, token_bytes).check(token.len()))?;
    limit!(limits, vocabulary_bytes).check(tokens.iter().map(Vec::len).sum())
}

fn check_ids(n_ids: usize, eos_ids: &[u32], special_ids: &[u32]) -> Result<(), Error> {
    if eos_ids.is_empty() {
        return Err(invalid("no id ends a sequence"));
    }
    if n_ids > u32::MAX as usize {
        return Err(invalid("more ids than fit 32 bits"));
    }
    let outside = eos_ids.iter().chain(special_ids).find(|id| **id as usize >= n_ids);
    outside.map_or(Ok(()), |id| Err(invalid(&format!("id {id} is outside of the {n_ids} tokens"))))
}

fn invalid(message: &str) -> Error {
    Error::InvalidVocabulary { message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(tokens: &[&str]) -> Vocabulary {
        let tokens: Vec<Vec<u8>> = tokens.iter().map(|token| token.as_bytes().to_vec()).collect();
        Vocabulary::new(tokens, &[0], &[]).unwrap()
    }

    #[test]
    fn spells_with_the_longest_tokens_unless_a_tokenizer_is_given() {
        let tokens = ["", "a", "b", "ab"];
        assert_eq!(vocabulary(&tokens).spell(b"ab"), Some(vec![3]));
        assert_eq!(vocabulary(&tokens).spell(b"ac"), None);
        let with = |ids: Vec<u32>| vocabulary(&tokens).with_tokenizer(move |_| Some(ids.clone()));
        assert_eq!(with(vec![1, 2]).spell(b"ab"), Some(vec![1, 2]));
        assert_eq!(with(vec![2]).spell(b"ab"), Some(vec![3]), "a wrong spelling is not used");
    }

    #[test]
    fn refuses_ids_that_do_not_exist() {
        let tokens = || vec![b"a".to_vec(), Vec::new()];
        assert!(Vocabulary::new(tokens(), &[1], &[]).is_ok());
        assert!(Vocabulary::new(tokens(), &[], &[]).is_err());
        assert!(Vocabulary::new(tokens(), &[2], &[]).is_err());
        assert!(Vocabulary::new(vec![Vec::new()], &[0], &[]).is_err());
    }
}
