//! [`SlicedTokens`]: the tokens that consist of characters of one set, and all others.

use crate::character_set::CharacterSet;
use crate::token_mask::TokenMask;
use crate::token_trie::TokenTrie;

/// The tokens that are whole characters of a set and nothing else, by their number of characters.
///
/// In free text nearly all tokens are such; a mask takes them in one step and tries the others.
#[derive(Debug)]
pub(crate) struct SlicedTokens {
    /// For each length that occurs, in characters and ascending: the tokens up to that length.
    up_to: Vec<(usize, TokenMask)>,
    /// Each with its length, in ascending order.
    by_length: Vec<(usize, u32)>,
    /// All the other tokens.
    pub(crate) others: TokenTrie,
    n_ids: usize,
}

impl SlicedTokens {
    pub(crate) fn new<'a>(
        characters: CharacterSet,
        n_ids: usize,
        tokens: impl Iterator<Item = (u32, &'a [u8])>,
    ) -> Self {
        let mut by_length: Vec<(usize, u32)> = Vec::new();
        let mut others = Vec::new();
        for (id, bytes) in tokens {
            match characters.n_characters(bytes) {
                Some(length) => by_length.push((length, id)),
                None => others.push((id, bytes)),
            }
        }
        by_length.sort_unstable();
        let mut up_to: Vec<(usize, TokenMask)> = Vec::new();
        for same_length in by_length.chunk_by(|a, b| a.0 == b.0) {
            let mut mask =
                up_to.last().map_or_else(|| TokenMask::none(n_ids), |(_, mask)| mask.clone());
            for &(_, id) in same_length {
                mask.allow(id);
            }
            up_to.push((same_length[0].0, mask));
        }
        Self { up_to, by_length, others: TokenTrie::new(others.into_iter()), n_ids }
    }

    /// The tokens of at most `n_characters` characters.
    pub(crate) fn up_to(&self, n_characters: usize) -> TokenMask {
        let after = self.up_to.partition_point(|(length, _)| *length <= n_characters);
        let mask = after.checked_sub(1).map(|index| self.up_to[index].1.clone());
        mask.unwrap_or_else(|| TokenMask::none(self.n_ids))
    }

    /// The tokens of more characters.
    pub(crate) fn beyond(&self, n_characters: usize) -> impl ExactSizeIterator<Item = u32> {
        let first = self.by_length.partition_point(|(length, _)| *length <= n_characters);
        self.by_length[first..].iter().map(|(_, id)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_tokens_by_length() {
        let tokens = ["", "a", "é", "ab", "\"", "a\n"];
        let tokens = (0..).zip(tokens.map(str::as_bytes));
        let sliced = SlicedTokens::new(CharacterSet::Plain, 6, tokens);
        let allowed = |n| sliced.up_to(n).iter().collect::<Vec<_>>();
        assert!(allowed(0).is_empty());
        assert_eq!(allowed(1), [1, 2]);
        assert_eq!(allowed(usize::MAX), [1, 2, 3]);
        assert_eq!(sliced.beyond(1).collect::<Vec<_>>(), [3]);
    }
}
