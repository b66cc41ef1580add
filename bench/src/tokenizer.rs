//! [`Tokenizer`]: a real vocabulary, and texts in its tokens.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use tiktoken_rs::{CoreBPE, cl100k_base, o200k_base};

/// A tokenizer with the bytes of its tokens.
pub struct Tokenizer {
    bpe: CoreBPE,
    /// What each id stands for.
    pub tokens: Tokens,
}

/// What each id of a vocabulary stands for.
#[derive(Serialize, Deserialize)]
pub struct Tokens {
    /// The bytes of each id; empty for ids that stand for no text.
    pub bytes: Vec<Vec<u8>>,
    /// The id that ends a sequence.
    pub eos: u32,
    /// Other ids that stand for no text.
    pub specials: Vec<u32>,
}

impl Tokenizer {
    /// `o200k_base` or `cl100k_base`.
    ///
    /// # Errors
    /// When the name is another.
    pub fn named(name: &str) -> Result<Self> {
        let bpe = match name {
            "o200k_base" => o200k_base()?,
            "cl100k_base" => cl100k_base()?,
            _ => bail!("a vocabulary is o200k_base or cl100k_base, not {name}"),
        };
        let id_of = |text: &str| bpe.encode_with_special_tokens(text)[0];
        let eos = id_of("<|endoftext|>");
        let specials: Vec<u32> = bpe.special_tokens().into_iter().map(id_of).collect();
        let end = specials.iter().copied().max().unwrap_or(eos) + 1;
        let bytes_of = |id: u32| {
            let is_text = !specials.contains(&id);
            is_text.then(|| bpe.decode_bytes(&[id]).ok()).flatten().unwrap_or_default()
        };
        let bytes = (0..end).map(bytes_of).collect();
        Ok(Self { bpe, tokens: Tokens { bytes, eos, specials } })
    }

    /// The text in tokens.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.bpe.encode_ordinary(text)
    }
}
