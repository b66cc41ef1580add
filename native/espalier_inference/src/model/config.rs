//! [`Config`]: what a forward pass computes, in terms that all families share.
//!
//! [`families`](super::families) turn the fields of a `config.json` into it, each in a file of its own.

use serde_json::Value;

use super::json_file::JsonFile;
use super::rope::Rope;
use crate::error::Error;

/// More layers than any model has, so that a list of them fits into memory.
const MAX_LAYERS: usize = 1 << 16;

/// Sizes and constants of the forward pass, checked against each other.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "the flags of `config.json` are independent")]
pub(crate) struct Config {
    /// Ids that the model has an embedding and a logit for.
    pub(crate) n_ids: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    /// What is different from layer to layer.
    pub(crate) layers: Vec<LayerKind>,
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_size: usize,
    /// The context in tokens: prompt and answer together.
    pub(crate) max_length: usize,
    pub(crate) norm_epsilon: f32,
    /// What is added to the weights of norms.
    pub(crate) norm_offset: f32,
    /// Whether the outputs of attention and MLP are normalized, too.
    pub(crate) output_norms: bool,
    /// The rotary angles that layers choose from.
    pub(crate) ropes: Vec<Rope>,
    /// What the products of queries and keys are multiplied by.
    pub(crate) attention_scale: f32,
    /// What keeps the products of queries and keys, once scaled, from growing.
    pub(crate) attention_cap: Option<f32>,
    /// The same for the logits.
    pub(crate) logit_cap: Option<f32>,
    /// What the embedding is multiplied by.
    pub(crate) embedding_scale: Option<f32>,
    pub(crate) activation: Activation,
    /// Whether the matrices of queries, keys and values are one in the files, and those of the MLP's
    /// inputs another.
    pub(crate) fused: bool,
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

/// What is different from layer to layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerKind {
    /// How many positions a row attends to, its own included; all before it without a window.
    pub(crate) window: Option<usize>,
    /// The index of the layer's rotary angles; without, its rows don't know their positions.
    pub(crate) rope: Option<usize>,
}

/// What the gates of an MLP go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Silu,
    /// The approximation of GELU by a hyperbolic tangent.
    GeluTanh,
}

impl Config {
    /// Reads what all families have in common. The rest is as the first Llama has it, but without
    /// rotary angles, which [`read_rope`](Self::read_rope) adds.
    pub(super) fn read(file: &JsonFile) -> Result<Self, Error> {
        file.expect("quantization_config", "nothing", |_| false)?;
        let hidden_size = file.size("hidden_size", None)?;
        let n_heads = file.size("num_attention_heads", None)?;
        let n_kv_heads = file.size("num_key_value_heads", Some(n_heads))?;
        if !n_heads.is_multiple_of(n_kv_heads) {
            let expected = format!("a divisor of num_attention_heads, {n_heads}");
            return Err(file.invalid("num_key_value_heads", &expected));
        }
        let n_layers = file.size("num_hidden_layers", None)?;
        if n_layers > MAX_LAYERS {
            return Err(file.invalid("num_hidden_layers", &format!("at most {MAX_LAYERS}")));
        }
        let head_size = head_size(file, hidden_size, n_heads)?;
        Ok(Self {
            n_ids: file.size("vocab_size", None)?,
            hidden_size,
            intermediate_size: file.size("intermediate_size", None)?,
            layers: vec![LayerKind { window: None, rope: Some(0) }; n_layers],
            n_heads,
            n_kv_heads,
            head_size,
            max_length: file.size("max_position_embeddings", Some(2048))?,
            norm_epsilon: file.positive("rms_norm_eps", Some(1e-6))?,
            norm_offset: 0.0,
            output_norms: false,
            ropes: Vec::new(),
            attention_scale: (head_size as f32).sqrt().recip(),
            attention_cap: None,
            logit_cap: None,
            embedding_scale: None,
            activation: Activation::Silu,
            fused: false,
            input_bias: false,
            output_bias: false,
            mlp_bias: false,
            query_key_norm: false,
            tied_embedding: file.flag("tie_word_embeddings", false)?,
        })
    }

    /// Reads the rotary angles of whole heads. Those of `YaRN` reach beyond the context that the file
    /// names.
    pub(super) fn read_rope(&mut self, file: &JsonFile, theta: f32) -> Result<(), Error> {
        let whole = |file: &JsonFile| {
            file.expect("partial_rotary_factor", "1", |value| value.as_f64() == Some(1.0))
        };
        whole(file)?;
        for name in ["rope_scaling", "rope_parameters"] {
            file.object(name)?.as_ref().map_or(Ok(()), whole)?;
        }
        let rope = Rope::read(file, self.head_size, theta, self.max_length)?;
        self.max_length = self.max_length.max(rope.reach());
        self.ropes = vec![rope];
        Ok(())
    }

    /// Reads whether the matrices of attention and MLP have biases.
    pub(super) fn read_biases(&mut self, file: &JsonFile) -> Result<(), Error> {
        self.input_bias = file.flag("attention_bias", false)?;
        self.output_bias = self.input_bias;
        self.mlp_bias = file.flag("mlp_bias", false)?;
        Ok(())
    }

    /// Gives a window to the layers that `layer_types` says slide, or else to those of the rule.
    /// Returns which layers those are.
    pub(super) fn set_windows(
        &mut self,
        file: &JsonFile,
        window: usize,
        rule: impl Fn(usize) -> bool,
    ) -> Result<Vec<bool>, Error> {
        let slides: Vec<bool> = match file.field("layer_types") {
            Some(types) => slides(types, self.layers.len()).ok_or_else(|| {
                let expected = format!(
                    "\"full_attention\" or \"sliding_attention\" for each of {} layers",
                    self.layers.len()
                );
                file.invalid("layer_types", &expected)
            })?,
            None => (0..self.layers.len()).map(rule).collect(),
        };
        // A window as long as the context is none.
        let window = Some(window).filter(|window| *window < self.max_length);
        for (layer, slides) in self.layers.iter_mut().zip(&slides) {
            layer.window = window.filter(|_| *slides);
        }
        Ok(slides)
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

/// Whether each layer slides.
fn slides(types: &Value, n_layers: usize) -> Option<Vec<bool>> {
    let types = types.as_array().filter(|types| types.len() == n_layers)?;
    let slides = types.iter().map(|kind| match kind.as_str()? {
        "sliding_attention" => Some(true),
        "full_attention" => Some(false),
        _ => None,
    });
    slides.collect()
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
