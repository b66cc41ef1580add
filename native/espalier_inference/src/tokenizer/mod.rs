//! [`Tokenizer`]: text to token ids and back, from a `tokenizer.json` file.

mod gguf;
mod spelling;
mod token_bytes;

use std::panic::{AssertUnwindSafe, catch_unwind};

use espalier_constraint::{Limits, Vocabulary};
use serde_json::Value;
use tokenizers::models::bpe::BpeBuilder;
use tokenizers::{
    AddedToken, DecoderWrapper, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper,
};

pub(crate) use self::gguf::GgufTokenizer;
use self::spelling::Spelling;
use self::token_bytes::TokenBytes;
#[cfg(test)]
pub(crate) use self::token_bytes::byte_of_character;
use crate::error::Error;

/// Vocabularies have fewer ids than this: far above any tokenizer. A list is laid out by id, so one
/// absurd id would cost its memory.
pub(crate) const MAX_IDS: usize = 1 << 22;

/// A Hugging Face tokenizer.
///
/// Byte-level vocabularies (GPT-2, Llama 3, Qwen) and SentencePiece-like ones (Llama 2, Mistral,
/// Gemma: `▁` for a space, `<0x0A>` for a byte) are supported.
///
/// ```
/// use espalier_constraint::Limits;
/// use espalier_inference::Tokenizer;
///
/// let json = r#"{
///   "version": "1.0",
///   "added_tokens": [{"id": 2, "content": "<|end|>", "special": true, "single_word": false,
///                     "lstrip": false, "rstrip": false, "normalized": false}],
///   "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
///   "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
///   "model": {"type": "BPE", "vocab": {"a": 0, "Ġ": 1}, "merges": []}
/// }"#;
/// let tokenizer = Tokenizer::from_json(json.as_bytes())?;
/// assert_eq!(tokenizer.encode("a a<|end|>")?, [0, 1, 0, 2]);
/// assert_eq!(tokenizer.decode(&[0, 1, 0, 2]), "a a");
/// let vocabulary = tokenizer.vocabulary(&["<|end|>".to_owned()], &Limits::default())?;
/// assert_eq!(vocabulary.token_bytes(1), Some(&b" "[..]));
/// # Ok::<(), espalier_inference::Error>(())
/// ```
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    token_bytes: TokenBytes,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`. Truncation and padding that it asks for are ignored.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] when it is not one, or of a kind whose tokens have no bytes of
    /// their own (`WordPiece`, for example).
    pub fn from_json(bytes: &[u8]) -> Result<Self, Error> {
        let json: Value = serde_json::from_slice(bytes).map_err(invalid)?;
        let token_bytes = TokenBytes::from_json(&json)?;
        let parsed = guarded(|| serde_json::from_value::<tokenizers::Tokenizer>(json));
        let mut inner = parsed.map_err(invalid)?.map_err(invalid)?;
        inner.with_truncation(None).map_err(invalid)?;
        inner.with_padding(None);
        Ok(Self { inner, token_bytes })
    }

    /// A tokenizer of merges, with the other steps that a `tokenizer.json` would have.
    fn from_merges(
        merges: BpeBuilder,
        steps: &Value,
        added_tokens: Vec<AddedToken>,
    ) -> Result<Self, Error> {
        let built = guarded(|| merges.build());
        let mut inner = tokenizers::Tokenizer::new(built.map_err(invalid)?.map_err(invalid)?);
        let normalizer: Option<NormalizerWrapper> =
            serde_json::from_value(steps["normalizer"].clone()).map_err(invalid)?;
        let pre_tokenizer: Option<PreTokenizerWrapper> =
            serde_json::from_value(steps["pre_tokenizer"].clone()).map_err(invalid)?;
        let decoder: Option<DecoderWrapper> =
            serde_json::from_value(steps["decoder"].clone()).map_err(invalid)?;
        inner.with_normalizer(normalizer).map_err(invalid)?;
        inner.with_pre_tokenizer(pre_tokenizer);
        inner.with_decoder(decoder);
        inner.add_tokens(added_tokens).map_err(invalid)?;
        Ok(Self { inner, token_bytes: TokenBytes::from_json(steps)? })
    }

    /// The ids of a text. The names of special tokens in it become those tokens (chat templates
    /// write them); none are added.
    ///
    /// # Errors
    /// [`Error::EncodingFailed`] when the tokenizer can't spell it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoded = guarded(|| self.inner.encode_fast(text, false));
        let failed = |detail: String| Error::EncodingFailed { detail };
        let encoding = encoded.map_err(failed)?.map_err(|error| failed(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The text of some ids, as the tokenizer writes it: without special tokens, unknown ids and
    /// the space that some tokenizers put at the start.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        guarded(|| self.inner.decode(ids, true)).ok().and_then(Result::ok).unwrap_or_default()
    }

    /// The id of a token by its name in the file.
    #[must_use]
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The bytes of all tokens, for constraints. The tokens in `eos_tokens` end a text.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] when there is no such token, and
    /// [`Error::Constraint`] when no token ends a text.
    pub fn vocabulary(&self, eos_tokens: &[String], limits: &Limits) -> Result<Vocabulary, Error> {
        let id = |token: &String| {
            let detail = format!("expected a token {token:?} to end a text, got: none");
            self.token_id(token).ok_or(Error::InvalidTokenizer { detail })
        };
        let eos_ids = eos_tokens.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        self.vocabulary_with_eos_ids(&eos_ids, limits)
    }

    pub(crate) fn vocabulary_with_eos_ids(
        &self,
        eos_ids: &[u32],
        limits: &Limits,
    ) -> Result<Vocabulary, Error> {
        let (tokens, special_ids) = self.tokens(eos_ids)?;
        let vocabulary = Vocabulary::with_limits(tokens, eos_ids, &special_ids, limits)?;
        let names = special_ids.iter().filter_map(|&id| Some((id, self.inner.id_to_token(id)?)));
        let vocabulary = vocabulary.with_special_names(names);
        let spelling = Spelling::new(&self.inner)?;
        Ok(vocabulary.with_tokenizer(move |text| spelling.encode(text)))
    }

    /// The bytes of each id, and the special ids, which have none.
    fn tokens(&self, eos_ids: &[u32]) -> Result<(Vec<Vec<u8>>, Vec<u32>), Error> {
        let by_name = self.inner.get_vocab(true);
        let n_ids = by_name.values().max().map_or(0, |&id| id as usize + 1);
        if n_ids > MAX_IDS {
            return Err(invalid(format!("expected ids below {MAX_IDS}, got: {}", n_ids - 1)));
        }
        let added = self.inner.get_added_tokens_decoder();
        let mut special_ids: Vec<u32> =
            added.iter().filter(|(_, token)| token.special).map(|(&id, _)| id).collect();
        special_ids.extend(self.unknown_id());
        special_ids.extend(eos_ids.iter().filter(|&&id| (id as usize) < n_ids));
        let mut tokens = vec![Vec::new(); n_ids];
        for (name, &id) in &by_name {
            tokens[id as usize] = match added.get(&id) {
                Some(token) => self.token_bytes.of_added(token),
                None => self.token_bytes.of(name),
            };
        }
        for &id in &special_ids {
            tokens[id as usize].clear();
        }
        Ok((tokens, special_ids))
    }

    /// The id that stands for text that can't be spelled.
    fn unknown_id(&self) -> Option<u32> {
        match self.inner.get_model() {
            ModelWrapper::BPE(bpe) => self.token_id(bpe.unk_token.as_deref()?),
            _ => None,
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn invalid(error: impl ToString) -> Error {
    Error::InvalidTokenizer { detail: error.to_string() }
}

/// Turns a panic into an error: the library has assertions that a broken file can reach.
fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| "the tokenizer library failed".to_owned())
}

#[cfg(test)]
mod tests;
