//! [`GgufTokenizer`]: the tokenizer that the metadata of a GGUF file describes.
//!
//! It becomes what a `tokenizer.json` of the same model says, so that texts have the same ids.
//!
//! - `tokens` reads the list of tokens with their types.
//! - `byte_level` makes vocabularies of merges over bytes (`gpt2`: Llama 3, Qwen), with the ways
//!   to cut a text of `pre_tokenizer`.
//! - `sentence_piece` makes those of scores (`llama`: Llama 2, Mistral).

mod byte_level;
mod pre_tokenizer;
mod sentence_piece;
mod tokens;

use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::models::bpe::BpeBuilder;

use self::tokens::{TokenType, Tokens};
use super::Tokenizer;
use crate::error::Error;
use crate::gguf::Metadata;

const MODEL: &str = "tokenizer.ggml.model";
const BOS: &str = "tokenizer.ggml.bos_token_id";
const ADD_BOS: &str = "tokenizer.ggml.add_bos_token";

/// The keys of tokens that end a text, the one that always does first.
const ENDS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// Control tokens that end a text wherever a vocabulary has them. Most files name one id, and models for
/// chats end their answers with another than texts.
const NAMES_OF_ENDS: [&str; 9] = [
    "</s>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
];

/// A tokenizer, and what a model's metadata says about how texts begin and end.
pub(crate) struct GgufTokenizer {
    pub(crate) tokenizer: Tokenizer,
    pub(crate) eos_ids: Vec<u32>,
    /// The text of the token that texts begin with, or an empty one.
    pub(crate) bos_token: String,
    /// The text of the token that texts end with, or an empty one.
    pub(crate) eos_token: String,
    /// Whether prompts begin with `bos_token`.
    pub(crate) adds_bos: bool,
}

/// What the metadata says about tokens.
struct Described {
    merges: BpeBuilder,
    /// The other steps, as a `tokenizer.json` has them.
    steps: Value,
    /// Whether prompts begin with the first token, where the file doesn't say.
    adds_bos: bool,
}

impl GgufTokenizer {
    pub(crate) fn read(metadata: &Metadata) -> Result<Self, Error> {
        let tokens = Tokens::read(metadata)?;
        let Described { merges, steps, adds_bos } = match metadata.text(MODEL)? {
            Some("gpt2") => byte_level::describe(metadata, &tokens)?,
            Some("llama") => sentence_piece::describe(metadata, &tokens)?,
            _ => return Err(metadata.invalid(MODEL, "\"gpt2\" or \"llama\"")),
        };
        let bos = tokens.id(metadata, BOS)?;
        let adds_bos = metadata.flag(ADD_BOS)?.unwrap_or(adds_bos && bos.is_some());
        if adds_bos && bos.is_none() {
            return Err(metadata.invalid(BOS, "the id of a token, which is to be added"));
        }
        let eos = tokens.id(metadata, ENDS[0])?;
        let text = |id: Option<u32>| id.map_or("", |id| tokens.text(id)).to_owned();
        Ok(Self {
            tokenizer: Tokenizer::from_merges(merges, &steps, added_tokens(&tokens))?,
            eos_ids: eos_ids(metadata, &tokens)?,
            bos_token: text(bos),
            eos_token: text(eos),
            adds_bos,
        })
    }
}

fn eos_ids(metadata: &Metadata, tokens: &Tokens<'_>) -> Result<Vec<u32>, Error> {
    let mut ids = Vec::new();
    for key in ENDS {
        ids.extend(tokens.id(metadata, key)?);
    }
    let control = tokens.iter().filter(|(_, token_type, _)| *token_type == TokenType::Control);
    let ends = control.filter(|(_, _, text)| NAMES_OF_ENDS.contains(text));
    ids.extend(ends.map(|(id, ..)| id));
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Tokens that are found in a text as they stand, before anything else is.
fn added_tokens(tokens: &Tokens<'_>) -> Vec<AddedToken> {
    let added = tokens.iter().filter_map(|(_, token_type, text)| {
        let special = match token_type {
            TokenType::Control | TokenType::Unknown => true,
            TokenType::UserDefined => false,
            _ => return None,
        };
        Some(AddedToken::from(text, special).normalized(false))
    });
    added.collect()
}

#[cfg(test)]
mod tests;
