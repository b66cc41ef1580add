//! Token ids as binaries: little-endian, four bytes each.
//!
//! A list of ids is taken as well, where a caller has one.

use rustler::{Binary, Decoder, Encoder, Env, Error, NewBinary, NifResult, Term};

/// Token ids on their way across; a binary of another length is a bad argument.
pub(crate) struct Packed(pub(crate) Vec<u32>);

impl<'a> Decoder<'a> for Packed {
    fn decode(term: Term<'a>) -> NifResult<Self> {
        if term.is_list() {
            return Ok(Self(term.decode()?));
        }
        let bytes: Binary = term.decode()?;
        let (ids, rest) = bytes.as_chunks();
        if rest.is_empty() {
            Ok(Self(ids.iter().map(|id| u32::from_le_bytes(*id)).collect()))
        } else {
            Err(Error::BadArg)
        }
    }
}

impl Encoder for Packed {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        words(env, &self.0).encode(env)
    }
}

/// A binary of the words, each little-endian.
pub(crate) fn words<'a>(env: Env<'a>, words: &[u32]) -> Binary<'a> {
    let mut binary = NewBinary::new(env, words.len() * 4);
    let (chunks, _) = binary.as_mut_slice().as_chunks_mut();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    binary.into()
}
