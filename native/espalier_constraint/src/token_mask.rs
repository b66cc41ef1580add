//! [`TokenMask`]: which token ids are allowed next.

/// A set of token ids, one bit for each id of the vocabulary.
///
/// Bit `id % 32` of word `id / 32` stands for token `id`. Bits past the vocabulary are zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMask {
    words: Box<[u32]>,
    n_ids: usize,
}

impl TokenMask {
    /// The mask over `n_ids` ids that allows none.
    #[must_use]
    pub fn none(n_ids: usize) -> Self {
        Self { words: vec![0; n_ids.div_ceil(32)].into(), n_ids }
    }

    /// Whether the id is allowed. Ids outside of the vocabulary never are.
    #[must_use]
    pub fn is_allowed(&self, token: u32) -> bool {
        (self.words.get(token as usize / 32)).is_some_and(|word| word >> (token % 32) & 1 == 1)
    }

    /// The number of ids that the mask speaks of: the size of the vocabulary.
    #[must_use]
    pub fn n_ids(&self) -> usize {
        self.n_ids
    }

    /// How many ids are allowed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The allowed ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let set_bits =
                std::iter::successors(Some(word), |bits| Some(bits & bits.wrapping_sub(1)));
            (set_bits.take_while(|&bits| bits != 0))
                .map(move |bits| index as u32 * 32 + bits.trailing_zeros())
        })
    }

    /// The words, least significant bit first.
    #[must_use]
    pub fn as_words(&self) -> &[u32] {
        &self.words
    }

    /// The mask as little-endian bytes: bit `id % 8` of byte `id / 8` stands for token `id`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    pub(crate) fn allow(&mut self, token: u32) {
        self.words[token as usize / 32] |= 1 << (token % 32);
    }

    pub(crate) fn set(&mut self, token: u32, is_allowed: bool) {
        let word = &mut self.words[token as usize / 32];
        *word = *word & !(1 << (token % 32)) | u32::from(is_allowed) << (token % 32);
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        self.words.len() * 4 + size_of::<Self>()
    }
}
