//! The shape of a model, from the metadata of its GGUF file.

use crate::error::Error;
use crate::gguf::{GgufFile, Metadata};
use crate::model::config::{Config, FAMILIES, Family};
use crate::model::rotary::{Rope, Scaling};

const ARCHITECTURE: &str = "general.architecture";
const SPLIT: &str = "split.count";

/// Divisors of the rotary frequencies, which llama.cpp's converter computes for Llama 3.1.
pub(super) const FREQUENCY_DIVISORS: &str = "rope_freqs.weight";

/// The keys of an architecture that are read or checked here, or change nothing that is computed. Any
/// other one is refused: without it, the model might be another.
const KNOWN: [&str; 28] = [
    "attention.causal",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_rms_epsilon",
    "attention.sliding_window",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "expert_count",
    "expert_used_count",
    "feed_forward_length",
    "logit_scale",
    "pooling_type",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.attn_factor",
    "rope.scaling.factor",
    "rope.scaling.finetuned",
    "rope.scaling.original_context_length",
    "rope.scaling.type",
    "rope.scaling.yarn_log_multiplier",
    "residual_scale",
    "tensor_data_layout",
    "use_parallel_residual",
    "vocab_size",
];

pub(in crate::model) fn family(metadata: &Metadata) -> Result<Family, Error> {
    let name = metadata.text(ARCHITECTURE)?;
    let name = name.ok_or_else(|| metadata.invalid(ARCHITECTURE, "the name of an architecture"))?;
    let family = FAMILIES.into_iter().find(|family| family.gguf_architecture == Some(name));
    family.ok_or_else(|| Error::UnsupportedArchitecture {
        got: name.to_owned(),
        known: FAMILIES
            .iter()
            .filter_map(|family| family.gguf_architecture)
            .map(str::to_owned)
            .collect(),
    })
}

/// Reads the sizes and constants, and refuses everything whose value would change the computation in a
/// way that is not supported.
pub(in crate::model) fn config(file: &GgufFile, family: Family) -> Result<Config, Error> {
    let keys = Keys {
        metadata: file.metadata(),
        architecture: family.gguf_architecture.unwrap_or_default(),
    };
    refuse_parts(file.metadata())?;
    keys.refuse_unknown()?;
    keys.refuse_unsupported()?;
    let hidden_size = keys.size("embedding_length", None)?;
    let n_heads = keys.size("attention.head_count", None)?;
    let n_kv_heads = keys.size("attention.head_count_kv", Some(n_heads))?;
    if !n_heads.is_multiple_of(n_kv_heads) {
        let expected = format!("a divisor of attention.head_count, {n_heads}");
        return Err(keys.invalid("attention.head_count_kv", &expected));
    }
    let head_size = keys.head_size(hidden_size, n_heads)?;
    let has = |name: &str| file.shape(name).is_some();
    Ok(Config {
        n_ids: n_ids(file, hidden_size)?,
        hidden_size,
        intermediate_size: keys.size("feed_forward_length", None)?,
        n_layers: keys.size("block_count", None)?,
        n_heads,
        n_kv_heads,
        head_size,
        max_length: keys.max_length()?,
        norm_epsilon: keys.positive("attention.layer_norm_rms_epsilon", None)?,
        rope: keys.rope(file, head_size)?,
        input_bias: family.always_has_input_bias() || has("blk.0.attn_q.bias"),
        output_bias: has("blk.0.attn_output.bias"),
        mlp_bias: has("blk.0.ffn_gate.bias"),
        query_key_norm: family.query_key_norm,
        tied_embedding: !has("output.weight"),
    })
}

fn refuse_parts(metadata: &Metadata) -> Result<(), Error> {
    match metadata.unsigned(SPLIT)? {
        None | Some(0 | 1) => Ok(()),
        Some(_) => {
            Err(metadata.invalid(SPLIT, "1, a model in one file: parts are to be merged first"))
        }
    }
}

/// The rows of the embedding. The key for their number is optional.
fn n_ids(file: &GgufFile, hidden_size: usize) -> Result<usize, Error> {
    let name = "token_embd.weight";
    match file.shape(name) {
        Some(&[n_ids, size]) if size == hidden_size => Ok(n_ids),
        other => {
            let expected = format!("rows of {hidden_size} numbers");
            let got =
                other.map_or_else(|| "nothing".to_owned(), |shape| format!("shape {shape:?}"));
            Err(file.invalid(name, &expected, &got))
        }
    }
}

/// The keys of an architecture, whose name is in front of each.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'a str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn size(&self, name: &str, default: Option<usize>) -> Result<usize, Error> {
        self.metadata.size(&self.key(name), default)
    }

    fn positive(&self, name: &str, default: Option<f32>) -> Result<f32, Error> {
        self.metadata.positive(&self.key(name), default)
    }

    fn invalid(&self, name: &str, expected: &str) -> Error {
        self.metadata.invalid(&self.key(name), expected)
    }

    fn refuse_unknown(&self) -> Result<(), Error> {
        let names = self.metadata.keys().filter_map(|key| {
            key.strip_prefix(self.architecture).and_then(|rest| rest.strip_prefix('.'))
        });
        match names.filter(|name| !KNOWN.contains(name)).min() {
            Some(name) => Err(self.invalid(name, "no such key, as its meaning is not known")),
            None => Ok(()),
        }
    }

    fn refuse_unsupported(&self) -> Result<(), Error> {
        for name in ["expert_count", "expert_used_count"] {
            if self.metadata.unsigned(&self.key(name))?.is_some_and(|n| n != 0) {
                return Err(self.invalid(name, "0"));
            }
        }
        for (name, expected) in [("attention.causal", true), ("use_parallel_residual", false)] {
            if self.metadata.flag(&self.key(name))?.is_some_and(|flag| flag != expected) {
                return Err(self.invalid(name, if expected { "true" } else { "false" }));
            }
        }
        let kind = self.metadata.text(&self.key("rope.scaling.type"))?;
        if kind.is_some_and(|kind| kind != "none") {
            return Err(self.invalid("rope.scaling.type", "\"none\""));
        }
        // A factor of 0 stands for none.
        for (name, none) in [
            ("logit_scale", 0.0),
            ("residual_scale", 0.0),
            ("rope.scale_linear", 0.0),
            ("rope.scaling.factor", 0.0),
            ("rope.scaling.attn_factor", 1.0),
        ] {
            let factor = self.metadata.float(&self.key(name))?;
            if factor.is_some_and(|factor| ![1.0, none].contains(&factor)) {
                return Err(self.invalid(name, "1"));
            }
        }
        Ok(())
    }

    /// Keys, values and rotary angles have heads of one size.
    fn head_size(&self, hidden_size: usize, n_heads: usize) -> Result<usize, Error> {
        let explicit = self.metadata.contains(&self.key("attention.key_length"));
        if !explicit && !hidden_size.is_multiple_of(n_heads) {
            let expected = format!("a divisor of embedding_length, {hidden_size}");
            return Err(self.invalid("attention.head_count", &expected));
        }
        let default = (hidden_size / n_heads).max(1);
        let head_size = self.size("attention.key_length", Some(default))?;
        if !head_size.is_multiple_of(2) {
            return Err(self.invalid("attention.key_length", "an even number"));
        }
        for (name, default) in
            [("attention.value_length", default), ("rope.dimension_count", head_size)]
        {
            if self.size(name, Some(default))? != head_size {
                return Err(self.invalid(name, &format!("{head_size}, the size of a head")));
            }
        }
        Ok(head_size)
    }

    /// A window as long as the context is none.
    fn max_length(&self) -> Result<usize, Error> {
        let max_length = self.size("context_length", None)?;
        let window = self.metadata.unsigned(&self.key("attention.sliding_window"))?;
        if window.is_some_and(|window| window != 0 && window < max_length as u64) {
            return Err(
                self.invalid("attention.sliding_window", "no window shorter than the context")
            );
        }
        Ok(max_length)
    }

    fn rope(&self, file: &GgufFile, head_size: usize) -> Result<Rope, Error> {
        let theta = self.positive("rope.freq_base", Some(10_000.0))?;
        if file.shape(FREQUENCY_DIVISORS).is_none() {
            return Ok(Rope { theta, scaling: None });
        }
        let divisors = file.blocks(FREQUENCY_DIVISORS, &[head_size / 2])?.to_f32();
        if !divisors.iter().all(|divisor| divisor.is_finite() && *divisor > 0.0) {
            return Err(file.invalid(FREQUENCY_DIVISORS, "numbers above 0", "others"));
        }
        Ok(Rope { theta, scaling: Some(Scaling::Divisors(divisors)) })
    }
}
