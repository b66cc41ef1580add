//! Gemma 2: norms before and after attention and MLP, whose weights are differences from one; a scaled
//! embedding; capped products and logits; a window in every other layer.

use super::{Family, GgufFamily};
use crate::error::Error;
use crate::model::config::{Activation, Config};
use crate::model::json_file::JsonFile;

pub(super) const GEMMA2: Family = Family {
    architecture: "Gemma2ForCausalLM",
    gguf: Some(GgufFamily {
        architecture: "gemma2",
        pairs_neighbours: false,
        own_keys: &["attn_logit_softcapping", "final_logit_softcapping"],
    }),
    prefix: "",
    describe,
};

/// The layers of the largest model. Its queries are scaled by another size than that of its heads, and
/// GGUF files don't say so.
const LAYERS_OF_27B: usize = 46;

fn describe(file: &JsonFile) -> Result<Config, Error> {
    let mut config = gemma(file, LAYERS_OF_27B)?;
    config.read_rope(file, 10_000.0)?;
    config.attention_cap = file.positive_or_null("attn_logit_softcapping", Some(50.0))?;
    config.logit_cap = file.positive_or_null("final_logit_softcapping", Some(30.0))?;
    let window = file.size("sliding_window", Some(4096))?;
    config.set_windows(file, window, |layer| layer.is_multiple_of(2))?;
    Ok(config)
}

/// What Gemma 2 and Gemma 3 have in common.
pub(super) fn gemma(file: &JsonFile, layers_of_27b: usize) -> Result<Config, Error> {
    let name =
        ["hidden_activation", "hidden_act"].into_iter().find(|name| file.field(name).is_some());
    if let Some(name) = name {
        file.expect(name, "\"gelu_pytorch_tanh\"", |value| value == "gelu_pytorch_tanh")?;
    }
    file.expect("use_bidirectional_attention", "false", |value| value == false)?;
    let mut config = Config::read(file)?;
    config.read_biases(file)?;
    config.activation = Activation::GeluTanh;
    config.norm_offset = 1.0;
    config.output_norms = true;
    config.embedding_scale = Some((config.hidden_size as f32).sqrt());
    config.tied_embedding = file.flag("tie_word_embeddings", true)?;
    let is_27b = config.layers.len() == layers_of_27b;
    let size = if is_27b { config.hidden_size / config.n_heads } else { config.head_size };
    let size = file.positive("query_pre_attn_scalar", Some(size as f32))?;
    config.attention_scale = size.sqrt().recip();
    Ok(config)
}
