//! A [`Vocabulary`] as bytes: its tokens, and their order by bytes, so that none is sorted again.

use xxhash_rust::xxh3::xxh3_128;

use super::{Kind, Reader, Writer, open, seal};
use crate::error::Error;
use crate::limits::Limits;
use crate::token_list::TokenList;
use crate::token_trie::TokenTrie;
use crate::vocabulary::Vocabulary;

impl Vocabulary {
    /// The vocabulary as bytes, for [`from_bytes`](Self::from_bytes).
    ///
    /// What [`with_tokenizer`](Self::with_tokenizer) attached is a function and is left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.tokens_and_ids();
        out.ids(self.trie().ids());
        out.count(self.special_names().len());
        for (id, name) in self.special_names() {
            out.u32(*id);
            out.text(name.as_bytes());
        }
        seal(Kind::Vocabulary, &out.finish())
    }

    /// The vocabulary that [`to_bytes`](Self::to_bytes) wrote, in less time than it takes to make one.
    ///
    /// Where a tokenizer was attached, attach it again.
    ///
    /// ```
    /// use espalier_constraint::Vocabulary;
    ///
    /// let vocabulary = Vocabulary::new(vec![b"a".to_vec(), Vec::new()], &[1], &[])?;
    /// let loaded = Vocabulary::from_bytes(&vocabulary.to_bytes())?;
    /// assert_eq!(loaded.token_bytes(0), Some(&b"a"[..]));
    /// assert_eq!(loaded.fingerprint(), vocabulary.fingerprint());
    /// # Ok::<(), espalier_constraint::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidSerialized`] for bytes that are damaged or something else, and
    /// [`Error::InvalidVocabulary`] for ids that no vocabulary can have; [`Error::LimitExceeded`], by the
    /// default limits.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let mut input = open(Kind::Vocabulary, bytes)?;
        let n_ids = input.count(4, "tokens")?;
        let (mut ends, mut end) = (Vec::with_capacity(n_ids), 0usize);
        for _ in 0..n_ids {
            end = end.saturating_add(input.u32("tokens")? as usize);
            ends.push(end);
        }
        let bytes = input.bytes(end, "tokens")?.to_vec();
        let (eos_ids, special_ids) = (input.ids("eos_ids")?, input.ids("special_ids")?);
        let is_special = |id: &u32| special_ids.binary_search(id).is_ok();
        if !special_ids.is_sorted_by(|a, b| a < b) || !eos_ids.iter().all(is_special) {
            let expected = "ascending ids, with those that end a sequence";
            return Err(input.wrong("special_ids", expected, "others"));
        }
        let tokens = TokenList::checked((bytes, ends), eos_ids, special_ids, &Limits::default())?;
        let trie = read_trie(&tokens, &mut input)?;
        let n_names = input.count(8, "special_names")?;
        let name = |_| Ok((input.u32("special_names")?, input.utf8("special_names")?.to_owned()));
        let names: Vec<_> = (0..n_names).map(name).collect::<Result<_, Error>>()?;
        input.end()?;
        Ok(Self::with_trie(tokens, trie).with_special_names(names))
    }

    /// Tells vocabularies apart: a hash of the bytes of all ids, and of which ids are special and which
    /// end a sequence. It is the same on all machines.
    ///
    /// A constraint that is loaded from bytes must be given the vocabulary that it was compiled for, by
    /// this number.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        xxh3_128(&self.tokens_and_ids().finish())
    }

    fn tokens_and_ids(&self) -> Writer {
        let mut out = Writer::default();
        let tokens = || (0..self.n_ids() as u32).filter_map(|id| self.token_bytes(id));
        out.count(self.n_ids());
        tokens().for_each(|token| out.count(token.len()));
        tokens().for_each(|token| out.raw(token));
        out.ids(self.eos_ids());
        out.ids(self.tokens().special_ids());
        out
    }
}

/// The trie of the tokens that are no special ones, from their order.
fn read_trie(list: &TokenList, input: &mut Reader<'_>) -> Result<TokenTrie, Error> {
    let order = input.ids("order")?;
    let ids = order.iter().filter(|&&id| !list.is_special(id));
    let tokens = ids.filter_map(|&id| Some((list.bytes(id)?, id)));
    let tokens: Vec<_> = tokens.filter(|(bytes, _)| !bytes.is_empty()).collect();
    // Side by side, so that comparing neighbours reads memory in a row.
    let text: Vec<u8> = tokens.iter().flat_map(|(bytes, _)| *bytes).copied().collect();
    let mut rest = &text[..];
    let sorted = tokens.iter().map(|(bytes, id)| {
        let (bytes, after) = rest.split_at(bytes.len());
        rest = after;
        (bytes, *id)
    });
    let sorted: Vec<(&[u8], u32)> = sorted.collect();
    let n_ordinary = list.ordinary().count();
    if [sorted.len(), order.len()] != [n_ordinary; 2] || !sorted.is_sorted_by(|a, b| a < b) {
        return Err(input.wrong("order", "the ids of all tokens by their bytes", "another order"));
    }
    Ok(TokenTrie::of_sorted(&sorted))
}
