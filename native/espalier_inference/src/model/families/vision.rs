//! Models that see, of which the part that reads and writes text is used: Gemma 3 from 4B on, and Mistral
//! Small 3.1. Without images they are the models of that part.

use serde_json::json;

use super::{Family, gemma3, mistral};
use crate::error::Error;
use crate::model::json_file::JsonFile;

pub(super) const GEMMA3: Family = Family {
    architecture: "Gemma3ForConditionalGeneration",
    gguf: None,
    prefix: PREFIX,
    describe: |file| (gemma3::GEMMA3.describe)(&gemma3_text(file)?),
};

pub(super) const MISTRAL3: Family = Family {
    architecture: "Mistral3ForConditionalGeneration",
    gguf: None,
    prefix: PREFIX,
    describe: |file| (mistral::MISTRAL.describe)(&text(file)?),
};

const PREFIX: &str = "language_model.";

/// What the file says of the part for text.
fn text(file: &JsonFile) -> Result<JsonFile, Error> {
    const NAME: &str = "text_config";
    file.expect("quantization_config", "nothing", |_| false)?;
    file.object(NAME)?.ok_or_else(|| file.invalid(NAME, "an object"))
}

/// Published files leave out what is as in the 4B model, or as `transformers` has it without a file.
fn gemma3_text(file: &JsonFile) -> Result<JsonFile, Error> {
    Ok(text(file)?.with_defaults(&json!({
        "vocab_size": 262_208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "max_position_embeddings": 131_072,
        "query_pre_attn_scalar": 256,
        "sliding_window": 4096,
    })))
}
