//! Vocabularies of merges over bytes, whose names are in GPT-2's map of bytes to characters.

use serde_json::{Value, json};
use tokenizers::models::bpe::{BPE, Merges};

use super::Described;
use super::pre_tokenizer::PreTokenizer;
use super::tokens::Tokens;
use crate::error::Error;
use crate::gguf::Metadata;

const MERGES: &str = "tokenizer.ggml.merges";

pub(super) fn describe(metadata: &Metadata, tokens: &Tokens<'_>) -> Result<Described, Error> {
    let pre_tokenizer = PreTokenizer::read(metadata)?;
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    let merges = BPE::builder()
        .vocab_and_merges(tokens.vocabulary(), merges(metadata)?)
        .ignore_merges(pre_tokenizer.whole_words);
    let mut cuts: Vec<Value> = pre_tokenizer.splits.iter().map(|regex| split(regex)).collect();
    cuts.push(byte_level.clone());
    let mut steps = json!({
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": cuts },
        "decoder": byte_level,
    });
    if pre_tokenizer.composes {
        steps["normalizer"] = json!({ "type": "NFC" });
    }
    Ok(Described { merges, steps, adds_bos: pre_tokenizer.adds_bos })
}

/// What matches and what is between matches become parts of their own.
fn split(regex: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false })
}

/// The pairs of texts that are merged, the most urgent ones first. A text may begin with a space, and
/// has none elsewhere.
fn merges(metadata: &Metadata) -> Result<Merges, Error> {
    let expected = "an array of two texts each, with a space between them";
    let merges = metadata.texts(MERGES)?.ok_or_else(|| metadata.invalid(MERGES, expected))?;
    let broken = |merge| metadata.mismatch(MERGES, expected, &format!("{merge:?}"));
    merges.iter().map(|merge| pair(merge).ok_or_else(|| broken(merge))).collect()
}

fn pair(merge: &str) -> Option<(String, String)> {
    let first = merge.chars().next()?.len_utf8();
    let (left, right) = merge[first..].split_once(' ')?;
    Some((merge[..first + left.len()].to_owned(), right.to_owned()))
}
