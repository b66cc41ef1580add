//! [`TokenList`]: the bytes of each token id, and which ids are special.

use crate::error::Error;
use crate::limits::{Limits, limit};

/// Tokens by id, checked.
#[derive(Debug)]
pub(crate) struct TokenList {
    bytes: Vec<u8>,
    /// The bytes of id `i` are `bytes[ends[i - 1]..ends[i]]`.
    ends: Vec<usize>,
    eos_ids: Vec<u32>,
    /// Ascending, those that end a sequence included.
    special_ids: Vec<u32>,
}

impl TokenList {
    /// # Errors
    /// [`Error::InvalidVocabulary`] and [`Error::LimitExceeded`], see
    /// [`Vocabulary::new`](crate::Vocabulary::new).
    pub(crate) fn new(
        tokens: Vec<Vec<u8>>,
        eos_ids: &[u32],
        special_ids: &[u32],
        limits: &Limits,
    ) -> Result<Self, Error> {
        let mut special_ids = [eos_ids, special_ids].concat();
        special_ids.sort_unstable();
        special_ids.dedup();
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(tokens.len()));
        for token in tokens {
            bytes.extend(token);
            ends.push(bytes.len());
        }
        Self::checked((bytes, ends), eos_ids.to_vec(), special_ids, limits)
    }

    /// Of all bytes with their ends, and special ids in ascending order.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn checked(
        (bytes, ends): (Vec<u8>, Vec<usize>),
        eos_ids: Vec<u32>,
        special_ids: Vec<u32>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        check_size(&ends, limits)?;
        check_ids(ends.len(), &eos_ids, &special_ids)?;
        let tokens = Self { bytes, ends, eos_ids, special_ids };
        if tokens.ordinary().next().is_none() {
            return Err(invalid("no token has a text"));
        }
        Ok(tokens)
    }

    pub(crate) fn n_ids(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token, or `None` for an id outside of the list.
    pub(crate) fn bytes(&self, token: u32) -> Option<&[u8]> {
        let index = token as usize;
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }

    /// The ids that end a sequence.
    pub(crate) fn eos_ids(&self) -> &[u32] {
        &self.eos_ids
    }

    /// All special ids, ascending.
    pub(crate) fn special_ids(&self) -> &[u32] {
        &self.special_ids
    }

    pub(crate) fn is_special(&self, token: u32) -> bool {
        self.special_ids.binary_search(&token).is_ok()
    }

    /// The tokens that have a text and are not special.
    pub(crate) fn ordinary(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let ids = (0..self.n_ids() as u32).filter(|&id| !self.is_special(id));
        let tokens = ids.filter_map(|id| Some((id, self.bytes(id)?)));
        tokens.filter(|(_, bytes)| !bytes.is_empty())
    }
}

fn check_size(ends: &[usize], limits: &Limits) -> Result<(), Error> {
    limit!(limits, vocabulary_tokens).check(ends.len())?;
    let mut lengths = [0].iter().chain(ends).zip(ends).map(|(start, end)| end - start);
    lengths.try_for_each(|length| limit!(limits, token_bytes).check(length))?;
    limit!(limits, vocabulary_bytes).check(ends.last().copied().unwrap_or(0))
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
