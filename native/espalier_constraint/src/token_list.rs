//! [`TokenList`]: the bytes of each token id, and which ids are special.

use crate::error::Error;
use crate::limits::{Limits, limit};

/// Tokens by id, checked.
#[derive(Debug)]
pub(crate) struct TokenList {
    slots: Box<[Slot]>,
    /// The bytes of those that are not in their slots.
    apart: Box<[u8]>,
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
        let (mut start, mut apart) = (0, Vec::new());
        let mut special = special_ids.iter().peekable();
        let slot = |(id, end)| {
            let token = &bytes[std::mem::replace(&mut start, end)..end];
            match special.next_if(|&&special| special == id) {
                Some(_) => Slot::special(token, &mut apart),
                None => Slot::new(token, &mut apart),
            }
        };
        let slots = (0..).zip(ends).map(slot).collect();
        let tokens = Self { slots, apart: apart.into(), eos_ids, special_ids };
        if tokens.ordinary().next().is_none() {
            return Err(invalid("no token has a text"));
        }
        Ok(tokens)
    }

    pub(crate) fn n_ids(&self) -> usize {
        self.slots.len()
    }

    /// The bytes of a token, or `None` for an id outside of the list.
    pub(crate) fn bytes(&self, token: u32) -> Option<&[u8]> {
        Some(self.slots.get(token as usize)?.bytes(&self.apart))
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
        matches!(self.slots.get(token as usize), Some(Slot::Special { .. }))
    }

    /// The tokens that have a text and are not special.
    pub(crate) fn ordinary(&self) -> impl Iterator<Item = (u32, &[u8])> {
        let ids = (0..self.n_ids() as u32).filter(|&id| !self.is_special(id));
        let tokens = ids.filter_map(|id| Some((id, self.bytes(id)?)));
        tokens.filter(|(_, bytes)| !bytes.is_empty())
    }
}

/// What a token is: nobody knows which comes next, and each look at memory takes long.
#[derive(Clone, Copy, Debug)]
#[repr(align(16))]
enum Slot {
    Short {
        length: u8,
        bytes: [u8; MAX_SHORT],
    },
    /// Where its bytes are among those that are not in slots.
    Long {
        start: u32,
        end: u32,
    },
    Special {
        start: u32,
        end: u32,
    },
}

const MAX_SHORT: usize = 14;

impl Slot {
    /// Of an ordinary token; `apart` holds the bytes that are not in slots.
    fn new(token: &[u8], apart: &mut Vec<u8>) -> Self {
        if token.len() > MAX_SHORT {
            let (start, end) = add(token, apart);
            return Self::Long { start, end };
        }
        let mut bytes = [0; MAX_SHORT];
        bytes[..token.len()].copy_from_slice(token);
        Self::Short { length: token.len() as u8, bytes }
    }

    fn special(token: &[u8], apart: &mut Vec<u8>) -> Self {
        let (start, end) = add(token, apart);
        Self::Special { start, end }
    }

    fn bytes<'a>(&'a self, apart: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Short { length, bytes } => &bytes[..usize::from(*length)],
            Self::Long { start, end } | Self::Special { start, end } => {
                &apart[*start as usize..*end as usize]
            }
        }
    }
}

/// Adds bytes to some; answers where they are.
fn add(bytes: &[u8], all: &mut Vec<u8>) -> (u32, u32) {
    let start = all.len() as u32;
    all.extend_from_slice(bytes);
    (start, all.len() as u32)
}

fn check_size(ends: &[usize], limits: &Limits) -> Result<(), Error> {
    limit!(limits, vocabulary_tokens).check(ends.len())?;
    let mut lengths = [0].iter().chain(ends).zip(ends).map(|(start, end)| end - start);
    lengths.try_for_each(|length| limit!(limits, token_bytes).check(length))?;
    let n_bytes = ends.last().copied().unwrap_or(0);
    if n_bytes > u32::MAX as usize {
        return Err(invalid("more bytes than fit 32 bits"));
    }
    limit!(limits, vocabulary_bytes).check(n_bytes)
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

    #[test]
    fn tokens_of_all_lengths_have_their_bytes() {
        let tokens: Vec<Vec<u8>> = (0..40u8).map(|n| (0..n).map(|at| n ^ at).collect()).collect();
        let list =
            TokenList::new(tokens.clone(), &[3, 30], &[0, 14, 39], &Limits::default()).unwrap();
        for (id, token) in (0..).zip(&tokens) {
            assert_eq!(list.bytes(id), Some(&token[..]));
            assert_eq!(list.is_special(id), [0, 3, 14, 30, 39].contains(&id), "{id}");
        }
        assert_eq!((list.bytes(40), list.is_special(40)), (None, false));
    }
}
