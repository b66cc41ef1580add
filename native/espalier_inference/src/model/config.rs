//! [`Config`]: the shape of a Llama-like model, from its `config.json`.

use serde_json::Value;

use super::json_file::JsonFile;
use super::rotary::{Llama3Scaling, Rope, Scaling};
use crate::error::Error;

/// An architecture whose forward pass is Llama's, with what it adds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// The name in `config.json`.
    pub(crate) architecture: &'static str,
    /// The name in GGUF files. Mistral's models are Llama's there.
    pub(crate) gguf_architecture: Option<&'static str>,
    /// Whether GGUF files have the two numbers that a rotary angle turns side by side.
    pub(crate) gguf_pairs_neighbours: bool,
    biases: Biases,
    /// Whether the queries and keys of each head are normalized.
    pub(crate) query_key_norm: bool,
}

#[derive(Clone, Copy, Debug)]
enum Biases {
    /// Where `attention_bias` and `mlp_bias` say so.
    Configured,
    /// For queries, keys and values.
    QueryKeyValue,
    Nowhere,
}

/// All families that there are.
pub(crate) const FAMILIES: [Family; 4] = [
    Family {
        architecture: "LlamaForCausalLM",
        gguf_architecture: Some("llama"),
        gguf_pairs_neighbours: true,
        biases: Biases::Configured,
        query_key_norm: false,
    },
    Family {
        architecture: "MistralForCausalLM",
        gguf_architecture: None,
        gguf_pairs_neighbours: true,
        biases: Biases::Nowhere,
        query_key_norm: false,
    },
    Family {
        architecture: "Qwen2ForCausalLM",
        gguf_architecture: Some("qwen2"),
        gguf_pairs_neighbours: false,
        biases: Biases::QueryKeyValue,
        query_key_norm: false,
    },
    Family {
        architecture: "Qwen3ForCausalLM",
        gguf_architecture: Some("qwen3"),
        gguf_pairs_neighbours: false,
        biases: Biases::Configured,
        query_key_norm: true,
    },
];

/// Sizes and constants of the forward pass, checked against each other.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of `config.json` are independent")]
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
    pub(crate) rope: Rope,
    /// Biases of queries, keys and values.
    pub(crate) input_bias: bool,
    /// Bias of the attention's output.
    pub(crate) output_bias: bool,
    pub(crate) mlp_bias: bool,
    /// Whether the queries and keys of each head are normalized.
    pub(crate) query_key_norm: bool,
    /// Whether the logits come from the embedding's own weights.
    pub(crate) tied_embedding: bool,
}

impl Family {
    /// Whether queries, keys and values have biases in all models.
    pub(crate) fn always_has_input_bias(self) -> bool {
        matches!(self.biases, Biases::QueryKeyValue)
    }
}

impl Config {
    /// Reads the fields, and refuses every one whose value would change the computation in a way
    /// that is not supported.
    pub(crate) fn from_json(file: &JsonFile, family: Family) -> Result<Self, Error> {
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
        let (input_bias, output_bias, mlp_bias) = biases(file, family)?;
        Ok(Self {
            n_ids: file.size("vocab_size", None)?,
            hidden_size,
            intermediate_size: file.size("intermediate_size", None)?,
            n_layers: file.size("num_hidden_layers", None)?,
            n_heads,
            n_kv_heads,
            head_size,
            max_length,
            norm_epsilon: file.positive("rms_norm_eps", Some(1e-6))?,
            rope: rope(file)?,
            input_bias,
            output_bias,
            mlp_bias,
            query_key_norm: family.query_key_norm,
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

/// Biases of queries, keys and values, of the attention's output, and of the MLP.
fn biases(file: &JsonFile, family: Family) -> Result<(bool, bool, bool), Error> {
    match family.biases {
        Biases::Configured => {
            let attention = file.flag("attention_bias", false)?;
            Ok((attention, attention, file.flag("mlp_bias", false)?))
        }
        Biases::QueryKeyValue => Ok((true, false, false)),
        Biases::Nowhere => Ok((false, false, false)),
    }
}

/// A window as long as the context is none.
fn refuse_sliding_window(file: &JsonFile, max_length: usize) -> Result<(), Error> {
    file.expect("layer_types", "\"full_attention\" only", |types| {
        types.as_array().is_some_and(|types| types.iter().all(|kind| kind == "full_attention"))
    })?;
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

/// The rotary angles: their base is a field of its own in older files, and in `rope_parameters` in
/// newer ones. Unknown ways to scale them are refused: unscaled, the model would be another.
fn rope(file: &JsonFile) -> Result<Rope, Error> {
    let mut rope = Rope { theta: file.positive("rope_theta", Some(10_000.0))?, scaling: None };
    for name in ["rope_scaling", "rope_parameters"] {
        let Some(parameters) = file.object(name)? else { continue };
        parameters.expect("partial_rotary_factor", "1", |value| value.as_f64() == Some(1.0))?;
        rope.theta = parameters.positive("rope_theta", Some(rope.theta))?;
        let kind = ["rope_type", "type"].into_iter().find(|kind| parameters.field(kind).is_some());
        match kind.and_then(|kind| parameters.field(kind)).and_then(Value::as_str) {
            Some("llama3") => rope.scaling = Some(scaling(&parameters)?),
            Some("default") => {}
            None if kind.is_none() && parameters.field("factor").is_none() => {}
            _ => {
                let expected = "\"default\" or \"llama3\"";
                return Err(parameters.invalid(kind.unwrap_or("rope_type"), expected));
            }
        }
    }
    Ok(rope)
}

fn scaling(parameters: &JsonFile) -> Result<Scaling, Error> {
    let scaling = Llama3Scaling {
        factor: parameters.positive("factor", None)?,
        low_frequency_factor: parameters.positive("low_freq_factor", None)?,
        high_frequency_factor: parameters.positive("high_freq_factor", None)?,
        original_length: parameters.positive("original_max_position_embeddings", None)?,
    };
    if scaling.low_frequency_factor < scaling.high_frequency_factor {
        Ok(Scaling::Llama3(scaling))
    } else {
        Err(parameters.invalid("high_freq_factor", "a number above low_freq_factor"))
    }
}
