//! [`Config`]: the shape of a Llama-like model, from its `config.json`.

use super::json_file::JsonFile;
use crate::error::Error;

/// Sizes and constants of the forward pass, checked against each other.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// Ids that the model has an embedding and a logit for.
    pub(crate) n_ids: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) n_layers: usize,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_size: usize,
    /// The context in tokens: prompt and answer together.
    pub(crate) max_length: usize,
    pub(crate) norm_epsilon: f32,
    pub(crate) rope_theta: f32,
    pub(crate) attention_bias: bool,
    pub(crate) mlp_bias: bool,
    /// Whether the logits come from the embedding's own weights.
    pub(crate) tied_embedding: bool,
}

impl Config {
    /// Reads the fields, and refuses every one whose value would change the computation in a way
    /// that is not supported.
    pub(crate) fn from_json(file: &JsonFile) -> Result<Self, Error> {
        refuse_unsupported(file)?;
        let hidden_size = file.size("hidden_size", None)?;
        let n_heads = file.size("num_attention_heads", None)?;
        let n_kv_heads = file.size("num_key_value_heads", Some(n_heads))?;
        if !n_heads.is_multiple_of(n_kv_heads) {
            let expected = format!("a divisor of num_attention_heads, {n_heads}");
            return Err(file.invalid("num_key_value_heads", &expected));
        }
        let head_size = head_size(file, hidden_size, n_heads)?;
        let max_length = file.size("max_position_embeddings", Some(2048))?;
        refuse_sliding_window(file, max_length)?;
        Ok(Self {
            n_ids: file.size("vocab_size", None)?,
            hidden_size,
            intermediate_size: file.size("intermediate_size", None)?,
            n_layers: file.size("num_hidden_layers", None)?,
            n_heads,
            n_kv_heads,
            head_size,
            max_length,
            norm_epsilon: file.positive("rms_norm_eps", 1e-6)?,
            rope_theta: rope_theta(file)?,
            attention_bias: file.flag("attention_bias", false)?,
            mlp_bias: file.flag("mlp_bias", false)?,
            tied_embedding: file.flag("tie_word_embeddings", false)?,
        })
    }

    /// Numbers in the queries of one token.
    pub(crate) fn query_size(&self) -> usize {
        self.n_heads * self.head_size
    }

    /// Numbers in the keys, or the values, of one token.
    pub(crate) fn kv_size(&self) -> usize {
        self.n_kv_heads * self.head_size
    }
}

fn refuse_unsupported(file: &JsonFile) -> Result<(), Error> {
    file.expect("hidden_act", "\"silu\"", |value| value == "silu")?;
    file.expect("quantization_config", "nothing", |_| false)?;
    file.expect("partial_rotary_factor", "1", |value| value.as_f64() == Some(1.0))
}

/// A window as long as the context is none.
fn refuse_sliding_window(file: &JsonFile, max_length: usize) -> Result<(), Error> {
    if !file.flag("use_sliding_window", true)? {
        return Ok(());
    }
    file.expect("sliding_window", "no window shorter than the context", |value| {
        value.as_u64().is_some_and(|window| window >= max_length as u64)
    })
}

fn head_size(file: &JsonFile, hidden_size: usize, n_heads: usize) -> Result<usize, Error> {
    let explicit = file.field("head_dim").is_some();
    if !explicit && !hidden_size.is_multiple_of(n_heads) {
        let expected = format!("a divisor of hidden_size, {hidden_size}");
        return Err(file.invalid("num_attention_heads", &expected));
    }
    let head_size = file.size("head_dim", Some(hidden_size / n_heads))?;
    if head_size.is_multiple_of(2) {
        Ok(head_size)
    } else {
        Err(file.invalid("head_dim", "an even number"))
    }
}

/// The base of the rotary angles: a field of its own in older files, in `rope_parameters` in newer
/// ones. Scaled angles are refused: unscaled they would give a subtly different model.
fn rope_theta(file: &JsonFile) -> Result<f32, Error> {
    let mut theta = file.positive("rope_theta", 10_000.0)?;
    for name in ["rope_scaling", "rope_parameters"] {
        let Some(rope) = file.object(name)? else { continue };
        for kind in ["rope_type", "type"] {
            rope.expect(kind, "\"default\"", |value| value == "default")?;
        }
        rope.expect("partial_rotary_factor", "1", |value| value.as_f64() == Some(1.0))?;
        rope.expect("factor", "1", |value| value.as_f64() == Some(1.0))?;
        theta = rope.positive("rope_theta", theta)?;
    }
    Ok(theta)
}
