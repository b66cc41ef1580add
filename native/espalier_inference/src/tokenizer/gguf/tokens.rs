//! [`Tokens`]: the texts and types of all tokens of a GGUF file.

use rustc_hash::FxHashMap;
use tokenizers::models::bpe::Vocab;

use crate::error::Error;
use crate::gguf::Metadata;
use crate::tokenizer::MAX_IDS;

pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    Normal,
    /// Stands for text that can't be spelled.
    Unknown,
    /// Has no text of its own: the ends of texts and messages.
    Control,
    /// Is found in a text as it stands.
    UserDefined,
    /// Fills a hole between ids.
    Unused,
    /// A byte, by a name such as `<0x0A>`.
    Byte,
}

/// The tokens of a file, by id.
pub(super) struct Tokens<'a> {
    texts: &'a [String],
    types: Vec<TokenType>,
}

impl<'a> Tokens<'a> {
    pub(super) fn read(metadata: &'a Metadata) -> Result<Self, Error> {
        let missing = || metadata.invalid(TOKENS, "an array of texts");
        let texts = metadata.texts(TOKENS)?.ok_or_else(missing)?;
        if texts.len() > MAX_IDS {
            return Err(metadata.invalid(TOKENS, &format!("at most {MAX_IDS} tokens")));
        }
        let tokens = Self { texts, types: types(metadata, texts)? };
        tokens.refuse_twins(metadata)?;
        Ok(tokens)
    }

    /// All tokens that are used.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, TokenType, &'a str)> {
        let all = (0..).zip(&self.types).zip(self.texts);
        all.map(|((id, token_type), text)| (id, *token_type, &**text))
            .filter(|(_, token_type, _)| *token_type != TokenType::Unused)
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn text(&self, id: u32) -> &'a str {
        &self.texts[id as usize]
    }

    /// The ids by text.
    pub(super) fn vocabulary(&self) -> Vocab {
        self.iter().map(|(id, _, text)| (text.to_owned(), id)).collect()
    }

    /// The id that a key names.
    pub(super) fn id(&self, metadata: &Metadata, key: &str) -> Result<Option<u32>, Error> {
        let Some(id) = metadata.unsigned(key)? else { return Ok(None) };
        if id < self.len() as u64 {
            return Ok(Some(id as u32));
        }
        Err(metadata.invalid(key, &format!("the id of one of {} tokens", self.len())))
    }

    fn refuse_twins(&self, metadata: &Metadata) -> Result<(), Error> {
        let mut ids = FxHashMap::default();
        for (id, _, text) in self.iter() {
            if let Some(twin) = ids.insert(text, id) {
                let got = format!("{text:?} with the ids {twin} and {id}");
                return Err(metadata.mismatch(TOKENS, "each text once", &got));
            }
        }
        Ok(())
    }
}

/// The types of the tokens with these texts. One without a text is none.
fn types(metadata: &Metadata, texts: &[String]) -> Result<Vec<TokenType>, Error> {
    let of_text = |text: &String, token_type| match token_type {
        _ if text.is_empty() => TokenType::Unused,
        token_type => token_type,
    };
    let Some(numbers) = metadata.integers(TYPES)? else {
        return Ok(texts.iter().map(|text| of_text(text, TokenType::Normal)).collect());
    };
    if numbers.len() != texts.len() {
        return Err(metadata.invalid(TYPES, &format!("a type for each of {} tokens", texts.len())));
    }
    let types = numbers.iter().zip(texts).map(|(number, text)| {
        let token_type = match number {
            1 => TokenType::Normal,
            2 => TokenType::Unknown,
            3 => TokenType::Control,
            4 => TokenType::UserDefined,
            5 => TokenType::Unused,
            6 => TokenType::Byte,
            other => {
                return Err(metadata.mismatch(TYPES, "integers from 1 to 6", &other.to_string()));
            }
        };
        Ok(of_text(text, token_type))
    });
    types.collect()
}
