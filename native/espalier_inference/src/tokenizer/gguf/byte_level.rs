//! Vocabularies of merges over bytes, whose names are in GPT-2's map of bytes to characters.

use serde_json::{Value, json};

use super::pre_tokenizer::PreTokenizer;
use super::tokens::Tokens;
use super::{Described, tokenizer_json};
use crate::error::Error;
use crate::gguf::Metadata;

const MERGES: &str = "tokenizer.ggml.merges";

pub(super) fn describe(metadata: &Metadata, tokens: &Tokens<'_>) -> Result<Described, Error> {
    let pre_tokenizer = PreTokenizer::read(metadata)?;
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false,
    });
    let model = json!({
        "type": "BPE",
        "vocab": tokens.vocabulary(),
        "merges": merges(metadata)?,
        "ignore_merges": pre_tokenizer.whole_words,
    });
    let splits = pre_tokenizer.splits.iter().map(|regex| split(regex));
    let mut steps: Vec<Value> = splits.collect();
    steps.push(byte_level.clone());
    let mut json = tokenizer_json(tokens, model);
    json["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": steps });
    json["decoder"] = byte_level;
    if pre_tokenizer.composes {
        json["normalizer"] = json!({ "type": "NFC" });
    }
    Ok(Described { json, adds_bos: pre_tokenizer.adds_bos })
}

/// What matches and what is between matches become parts of their own.
fn split(regex: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false })
}

/// The pairs of texts that are merged, the most urgent ones first. A text may begin with a space, and
/// has none elsewhere.
fn merges(metadata: &Metadata) -> Result<Vec<[&str; 2]>, Error> {
    let expected = "an array of two texts each, with a space between them";
    let merges = metadata.texts(MERGES)?.ok_or_else(|| metadata.invalid(MERGES, expected))?;
    let pair = |merge: &'_ String| -> Option<[usize; 2]> {
        let first = merge.chars().next()?.len_utf8();
        let space = first + merge[first..].find(' ')?;
        Some([space, space + 1])
    };
    let pairs = merges.iter().map(|merge| {
        let [end, start] = pair(merge)
            .ok_or_else(|| metadata.mismatch(MERGES, expected, &format!("{merge:?}")))?;
        Ok([&merge[..end], &merge[start..]])
    });
    pairs.collect()
}
