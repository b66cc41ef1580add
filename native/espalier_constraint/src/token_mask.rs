//! [`TokenMask`]: which token ids are allowed next.

use std::sync::Arc;

use smallvec::SmallVec;

/// A set of token ids over a vocabulary.
///
/// Masks that are alike share what they have in common: a mask is the union of a few sets, which other
/// masks may have as well, without a few single ids. So most masks are some numbers, and not a bit for
/// each id. [`write_words`](Self::write_words) spells one out.
///
/// Bit `id % 32` of word `id / 32` stands for token `id`. Bits past the vocabulary are zero.
#[derive(Clone, Debug)]
pub struct TokenMask {
    parts: Parts,
    /// Ids of some part that are not allowed, in any order: more often written than looked through.
    without: Box<[u32]>,
    n_ids: usize,
}

type Parts = SmallVec<[Arc<TokenSet>; 4]>;

/// Some ids, in the form that takes less memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenSet {
    /// One bit for each id of the vocabulary.
    Dense(Box<[u32]>),
    /// Ascending.
    Sparse(Box<[u32]>),
}

/// So many ids are not worth sharing.
const FEW_IDS: usize = 24;

/// A mask that is being put together.
#[derive(Debug)]
pub(crate) struct MaskBuilder {
    parts: Parts,
    ids: Vec<u32>,
    without: Vec<u32>,
    n_ids: usize,
}

impl TokenMask {
    /// The mask over `n_ids` ids that allows none.
    #[must_use]
    pub fn none(n_ids: usize) -> Self {
        Self { parts: Parts::new(), without: Box::default(), n_ids }
    }

    /// Whether the id is allowed. Ids outside of the vocabulary never are.
    #[must_use]
    pub fn is_allowed(&self, token: u32) -> bool {
        self.parts.iter().any(|part| part.contains(token)) && !self.without.contains(&token)
    }

    /// The number of ids that the mask speaks of: the size of the vocabulary.
    #[must_use]
    pub fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// How many ids are allowed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.to_words().iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The allowed ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + use<> {
        self.to_words().into_iter().enumerate().flat_map(|(index, word)| {
            let set_bits =
                std::iter::successors(Some(word), |bits| Some(bits & bits.wrapping_sub(1)));
            (set_bits.take_while(|&bits| bits != 0))
                .map(move |bits| index as u32 * 32 + bits.trailing_zeros())
        })
    }

    /// The number of words that [`write_words`](Self::write_words) fills.
    #[must_use]
    pub fn n_words(&self) -> usize {
        self.n_ids.div_ceil(32)
    }

    /// Writes the mask into a buffer, least significant bit first. Words past the vocabulary become
    /// zero, so that a buffer for more logits than there are tokens allows none of the others.
    ///
    /// # Panics
    /// When the buffer has fewer words than [`n_words`](Self::n_words).
    pub fn write_words(&self, words: &mut [u32]) {
        assert!(words.len() >= self.n_words(), "a mask of {} words needs more room", words.len());
        let mut parts = self.parts.iter();
        // The first one is written over what was there.
        match parts.next().map(|part| &**part) {
            Some(TokenSet::Dense(bits)) => {
                words[..bits.len()].copy_from_slice(bits);
                words[bits.len()..].fill(0);
            }
            Some(TokenSet::Sparse(ids)) => {
                words.fill(0);
                set_bits(words, ids);
            }
            None => words.fill(0),
        }
        for part in parts {
            match &**part {
                TokenSet::Dense(bits) => {
                    words.iter_mut().zip(bits).for_each(|(word, bits)| *word |= bits);
                }
                TokenSet::Sparse(ids) => set_bits(words, ids),
            }
        }
        clear_bits(words, &self.without);
    }

    /// The words in a buffer of their own.
    #[must_use]
    pub fn to_words(&self) -> Vec<u32> {
        let mut words = vec![0; self.n_words()];
        self.write_words(&mut words);
        words
    }

    /// The mask as little-endian bytes: bit `id % 8` of byte `id / 8` stands for token `id`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_words().iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// The memory of what is its own; sets that it may share are counted where they are made.
    pub(crate) fn size_in_bytes(&self) -> usize {
        size_of::<Self>() + self.without.len() * 4
    }
}

impl PartialEq for TokenMask {
    fn eq(&self, other: &Self) -> bool {
        self.n_ids == other.n_ids && self.to_words() == other.to_words()
    }
}

impl Eq for TokenMask {}

pub(crate) fn set_bits(words: &mut [u32], ids: &[u32]) {
    for &id in ids {
        words[id as usize / 32] |= 1 << (id % 32);
    }
}

pub(crate) fn clear_bits(words: &mut [u32], ids: &[u32]) {
    for &id in ids {
        words[id as usize / 32] &= !(1 << (id % 32));
    }
}

/// The ids whose bits are set, ascending.
fn set_ids(words: &[u32]) -> impl Iterator<Item = u32> {
    let set = words.iter().enumerate().filter(|(_, word)| **word != 0);
    set.flat_map(|(index, &word)| {
        let bits = (0..32).filter(move |bit| word >> bit & 1 == 1);
        bits.map(move |bit| index as u32 * 32 + bit)
    })
}

impl Default for TokenSet {
    fn default() -> Self {
        Self::Sparse(Box::default())
    }
}

impl TokenSet {
    /// Ids of a vocabulary, in any order.
    pub(crate) fn new(ids: Vec<u32>, n_ids: usize) -> Self {
        if ids.len() * 32 > n_ids {
            let mut words = vec![0; n_ids.div_ceil(32)];
            set_bits(&mut words, &ids);
            return Self::Dense(words.into());
        }
        Self::of_few(ids)
    }

    /// Not many ids, in any order.
    pub(crate) fn of_few(mut ids: Vec<u32>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Sparse(ids.into())
    }

    /// The ids of which the bits are set, so many of them.
    pub(crate) fn of_words(words: Vec<u32>, n_set: usize) -> Self {
        if n_set >= words.len() {
            return Self::Dense(words.into());
        }
        Self::Sparse(set_ids(&words).collect())
    }

    /// All but some, which are in ascending order.
    pub(crate) fn without(&self, ids: &[u32]) -> Self {
        match self {
            Self::Dense(words) => {
                let mut words = words.clone();
                clear_bits(&mut words, ids);
                Self::Dense(words)
            }
            Self::Sparse(own) => {
                let is_left = |id: &u32| ids.binary_search(id).is_err();
                Self::Sparse(own.iter().copied().filter(is_left).collect())
            }
        }
    }

    /// The ids in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        let (words, ids) = match self {
            Self::Dense(words) => (&words[..], &[][..]),
            Self::Sparse(ids) => (&[][..], &ids[..]),
        };
        set_ids(words).chain(ids.iter().copied())
    }

    pub(crate) fn contains(&self, token: u32) -> bool {
        match self {
            Self::Dense(words) => {
                words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
            }
            Self::Sparse(ids) => ids.binary_search(&token).is_ok(),
        }
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        let (Self::Dense(words) | Self::Sparse(words)) = self;
        size_of::<Self>() + 16 + words.len() * 4
    }
}

impl MaskBuilder {
    /// No ids yet, of so many.
    pub(crate) fn new(n_ids: usize) -> Self {
        const MOST_IDS: usize = 256;
        Self { parts: Parts::new(), ids: Vec::with_capacity(MOST_IDS), without: Vec::new(), n_ids }
    }

    /// Allows what another mask allows.
    pub(crate) fn add_mask(&mut self, mask: &TokenMask) {
        mask.parts.iter().for_each(|part| self.add_part(part));
        self.without.extend_from_slice(&mask.without);
    }

    pub(crate) fn add_part(&mut self, part: &Arc<TokenSet>) {
        match &**part {
            TokenSet::Sparse(ids) if ids.len() <= FEW_IDS => self.allow_all(ids),
            _ => self.parts.push(part.clone()),
        }
    }

    pub(crate) fn allow_all(&mut self, tokens: &[u32]) {
        self.ids.extend_from_slice(tokens);
    }

    /// Refuses ids, whatever the parts say.
    pub(crate) fn refuse_all(&mut self, tokens: &[u32]) {
        self.without.extend_from_slice(tokens);
    }

    /// Decides about an id, whatever the parts say.
    pub(crate) fn set(&mut self, token: u32, is_allowed: bool) {
        if is_allowed { self.ids.push(token) } else { self.without.push(token) }
    }

    /// The mask, and the memory that it takes beyond what it shares.
    pub(crate) fn finish(mut self) -> (TokenMask, usize) {
        let mut n_bytes = 0;
        if !self.ids.is_empty() {
            let own = TokenSet::new(self.ids, self.n_ids);
            n_bytes += own.size_in_bytes();
            self.parts.push(Arc::new(own));
        }
        let (parts, n_ids) = (self.parts, self.n_ids);
        let mask = TokenMask { parts, without: self.without.into(), n_ids };
        n_bytes += mask.size_in_bytes();
        (mask, n_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_the_union_of_its_parts_without_some() {
        let part = |ids: &[u32]| Arc::new(TokenSet::new(ids.to_vec(), 100));
        let mut builder = MaskBuilder::new(100);
        builder.add_part(&part(&(0..50).collect::<Vec<_>>()));
        builder.add_part(&part(&[99, 70]));
        builder.allow_all(&[60]);
        builder.set(0, false);
        builder.set(61, true);
        let (mask, _) = builder.finish();
        let expected: Vec<u32> = (1..50).chain([60, 61, 70, 99]).collect();
        assert_eq!(mask.iter().collect::<Vec<_>>(), expected);
        assert_eq!(mask.count(), expected.len());
        assert!((0..200).all(|id| mask.is_allowed(id) == expected.contains(&id)));
        let mut words = [u32::MAX; 6];
        mask.write_words(&mut words);
        assert_eq!((&words[..4], &words[4..]), (&mask.to_words()[..], &[0, 0][..]));
    }
}
