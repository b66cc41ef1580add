//! [`Rests`]: tokens by what they have after some point in them.

use std::sync::Arc;

use crate::token_mask::TokenSet;
use crate::token_trie::TokenTrie;

/// Tokens of which a part was read, by what comes after that.
#[derive(Debug, Default)]
pub(crate) struct Rests {
    /// Those that end there.
    pub(crate) ended: Arc<TokenSet>,
    /// The others.
    pub(crate) more: TokenTrie,
}

/// Rests that are collected.
#[derive(Debug, Default)]
pub(crate) struct RestsBuilder {
    ended: Vec<u32>,
    more: Vec<(u32, Box<[u8]>)>,
}

impl Rests {
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> {
        self.ended.iter().chain(self.more.ids().iter().copied())
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        size_of::<Self>() + self.ended.size_in_bytes() + self.more.size_in_bytes()
    }
}

impl RestsBuilder {
    pub(crate) fn add(&mut self, id: u32, rest: &[u8]) {
        if rest.is_empty() { self.ended.push(id) } else { self.more.push((id, rest.into())) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let ended = self.ended.iter().map(|&id| (id, &[][..]));
        ended.chain(self.more.iter().map(|(id, rest)| (*id, &rest[..])))
    }

    pub(crate) fn finish(&self) -> Rests {
        let more = TokenTrie::new(self.more.iter().map(|(id, rest)| (*id, &rest[..])));
        Rests { ended: Arc::new(TokenSet::of_few(self.ended.clone())), more }
    }

    pub(crate) fn len(&self) -> usize {
        self.ended.len() + self.more.len()
    }
}
