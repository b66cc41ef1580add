//! [`Spelling`]: forced text in the tokens that the tokenizer itself would choose.

use std::str;

use rustc_hash::FxHashMap;
use serde_json::Value;
use tokenizers::{AddedToken, NormalizerWrapper, PreTokenizerWrapper, Tokenizer};

use super::{guarded, invalid};
use crate::error::Error;

/// A tokenizer for the middle of a text: it adds no space at the start and knows no special tokens,
/// since what looks like one is text there.
pub(crate) struct Spelling {
    tokenizer: Tokenizer,
    /// Ids of added tokens in `tokenizer`, where they differ from those in the original.
    original_ids: FxHashMap<u32, u32>,
}

impl Spelling {
    pub(crate) fn new(original: &Tokenizer) -> Result<Self, Error> {
        let mut tokenizer = Tokenizer::new(original.get_model().clone());
        tokenizer.with_normalizer(normalizer(original)?).map_err(invalid)?;
        tokenizer.with_pre_tokenizer(pre_tokenizer(original)?);
        let mut original_ids = FxHashMap::default();
        let mut added: Vec<(u32, AddedToken)> = (original.get_added_tokens_decoder().into_iter())
            .filter(|(_, token)| !token.special)
            .collect();
        added.sort_unstable_by_key(|(id, _)| *id);
        for (original_id, token) in added {
            tokenizer.add_tokens([token.clone()]).map_err(invalid)?;
            if let Some(id) = tokenizer.token_to_id(&token.content) {
                original_ids.insert(id, original_id);
            }
        }
        Ok(Self { tokenizer, original_ids })
    }

    /// The ids of a text, or `None` where it isn't UTF-8 or can't be spelled.
    pub(crate) fn encode(&self, text: &[u8]) -> Option<Vec<u32>> {
        let text = str::from_utf8(text).ok()?;
        let encoding = guarded(|| self.tokenizer.encode_fast(text, false)).ok()?.ok()?;
        let original_id = |id: &u32| *self.original_ids.get(id).unwrap_or(id);
        Some(encoding.get_ids().iter().map(original_id).collect())
    }
}

/// The normalizer without what writes to the ends of a text.
fn normalizer(original: &Tokenizer) -> Result<Option<NormalizerWrapper>, Error> {
    let Some(normalizer) = original.get_normalizer() else { return Ok(None) };
    let json = serde_json::to_value(normalizer).map_err(invalid)?;
    if changes_ends(&json) {
        return Ok(None);
    }
    serde_json::from_value(without_ends(json, "normalizers")).map(Some).map_err(invalid)
}

/// The pre-tokenizer without a space at the start of a text.
fn pre_tokenizer(original: &Tokenizer) -> Result<Option<PreTokenizerWrapper>, Error> {
    let Some(pre_tokenizer) = original.get_pre_tokenizer() else { return Ok(None) };
    let json = serde_json::to_value(pre_tokenizer).map_err(invalid)?;
    serde_json::from_value(without_ends(json, "pretokenizers")).map(Some).map_err(invalid)
}

fn changes_ends(step: &Value) -> bool {
    matches!(step["type"].as_str(), Some("Prepend" | "Strip"))
}

fn without_ends(mut part: Value, list: &str) -> Value {
    if let Some(steps) = part.get_mut(list).and_then(Value::as_array_mut) {
        steps.retain(|step| !changes_ends(step));
        steps.iter_mut().for_each(without_prefix_space);
    }
    without_prefix_space(&mut part);
    part
}

fn without_prefix_space(step: &mut Value) {
    match step["type"].as_str() {
        Some("Metaspace") => step["prepend_scheme"] = "never".into(),
        Some("ByteLevel") => {}
        _ => return,
    }
    if let Some(prefix_space) = step.get_mut("add_prefix_space") {
        *prefix_space = false.into();
    }
}
