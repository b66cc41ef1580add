//! [`Keys`]: what the metadata of a GGUF file says about a model, put into the fields that its
//! `config.json` would have.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::gguf::{GgufFile, Metadata};
use crate::model::config::Config;
use crate::model::families::GgufFamily;
use crate::model::json_file::JsonFile;

/// The divisors of `LongRoPE`, and the fields that have them.
pub(super) const LONG_ROPE: [(&str, &str); 2] =
    [("rope_factors_long.weight", "long_factor"), ("rope_factors_short.weight", "short_factor")];

/// The keys that are integers, and their fields.
const SIZES: [(&str, &str); 9] = [
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.sliding_window", "sliding_window"),
    ("attention.sliding_window_pattern", "sliding_window_pattern"),
    ("block_count", "num_hidden_layers"),
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
];

/// The keys that are numbers above zero, and their fields.
const NUMBERS: [(&str, &str); 5] = [
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attn_logit_softcapping", "attn_logit_softcapping"),
    ("final_logit_softcapping", "final_logit_softcapping"),
    ("rope.freq_base", "rope_theta"),
    ("rope.freq_base_swa", "rope_local_base_freq"),
];

/// The keys of an architecture that are read or checked here, or change nothing that is computed. Any
/// other one is refused: without it, the model might be another.
const KNOWN: [&str; 30] = [
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
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_log_multiplier",
    "residual_scale",
    "tensor_data_layout",
    "use_parallel_residual",
    "vocab_size",
];

/// The keys of an architecture, whose name is in front of each.
pub(super) struct Keys<'a> {
    file: &'a GgufFile,
    metadata: &'a Metadata,
    family: GgufFamily,
}

/// Fields with their values, and the names of the keys that they stand for.
#[derive(Default)]
struct Fields {
    values: Map<String, Value>,
    names: FxHashMap<String, String>,
}

impl Fields {
    fn add(&mut self, field: &str, name: String, value: Option<impl Into<Value>>) {
        self.names.insert(field.to_owned(), name);
        if let Some(value) = value {
            self.values.insert(field.to_owned(), value.into());
        }
    }

    /// Adds an object of other fields.
    fn add_object(&mut self, field: &str, object: Self) {
        self.values.insert(field.to_owned(), object.values.into());
        let names = object.names.into_iter();
        self.names.extend(names.map(|(inner, name)| (format!("{field}.{inner}"), name)));
    }
}

impl<'a> Keys<'a> {
    /// The keys of a file, all of which are known. Those that have no field don't change anything.
    pub(super) fn new(file: &'a GgufFile, family: GgufFamily) -> Result<Self, Error> {
        let keys = Self { file, metadata: file.metadata(), family };
        keys.refuse_unknown()?;
        keys.refuse_unsupported()?;
        Ok(keys)
    }

    /// The fields, of a model for so many ids.
    pub(super) fn fields(&self, n_ids: usize) -> Result<JsonFile, Error> {
        // What a `config.json` has a default for, but a GGUF file must have.
        self.size("context_length", None)?;
        self.metadata.positive(&self.key("attention.layer_norm_rms_epsilon"), None)?;
        let mut fields = Fields::default();
        for (name, field) in SIZES {
            let size = self.metadata.unsigned(&self.key(name))?;
            fields.add(field, self.key(name), size);
        }
        for (name, field) in NUMBERS {
            fields.add(field, self.key(name), self.positive(name)?);
        }
        fields.values.insert("vocab_size".to_owned(), n_ids.into());
        // A window of 0 stands for none.
        if let Some(window) = fields.values.get_mut("sliding_window").filter(|size| **size == 0) {
            *window = Value::Null;
        }
        let name = self.key("rope.dimension_count");
        fields.add("partial_rotary_factor", name, self.rotated_part()?);
        if let Some(scaling) = self.scaling()? {
            fields.add_object("rope_scaling", scaling);
        }
        Ok(JsonFile::new(self.file.path(), fields.values, fields.names))
    }

    /// Fails where the values of a head are not as many as its keys.
    pub(super) fn check_sizes(&self, config: &Config) -> Result<(), Error> {
        const NAME: &str = "attention.value_length";
        let default = (config.hidden_size / config.n_heads).max(1);
        if self.size(NAME, Some(default))? != config.head_size {
            let expected = format!("{}, the size of a head", config.head_size);
            return Err(self.invalid(NAME, &expected));
        }
        Ok(())
    }

    pub(super) fn size(&self, name: &str, default: Option<usize>) -> Result<usize, Error> {
        self.metadata.size(&self.key(name), default)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.family.architecture)
    }

    fn float(&self, name: &str) -> Result<Option<f32>, Error> {
        self.metadata.float(&self.key(name))
    }

    /// A number above zero, if there is one.
    fn positive(&self, name: &str) -> Result<Option<f32>, Error> {
        let key = self.key(name);
        let present = self.metadata.contains(&key);
        present.then(|| self.metadata.positive(&key, None)).transpose()
    }

    fn invalid(&self, name: &str, expected: &str) -> Error {
        self.metadata.invalid(&self.key(name), expected)
    }

    fn refuse_unknown(&self) -> Result<(), Error> {
        let names = self.metadata.keys().filter_map(|key| {
            key.strip_prefix(self.family.architecture).and_then(|rest| rest.strip_prefix('.'))
        });
        let is_known = |name: &&str| KNOWN.contains(name) || self.family.own_keys.contains(name);
        match names.filter(|name| !is_known(name)).min() {
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
        let multiplier = "rope.scaling.yarn_log_multiplier";
        if self.float(multiplier)?.is_some_and(|multiplier| multiplier != 0.0) {
            return Err(self.invalid(multiplier, "0"));
        }
        ["logit_scale", "residual_scale", "rope.scale_linear"]
            .into_iter()
            .try_for_each(|name| self.refuse_factor(name))
    }

    /// Fails where a factor changes anything. One of 0 stands for none.
    fn refuse_factor(&self, name: &str) -> Result<(), Error> {
        match self.float(name)? {
            Some(factor) if ![0.0, 1.0].contains(&factor) => Err(self.invalid(name, "1")),
            _ => Ok(()),
        }
    }

    /// How much of a head is rotated, if not all of it.
    fn rotated_part(&self) -> Result<Option<f64>, Error> {
        let hidden_size = self.size("embedding_length", None)?;
        let default = (hidden_size / self.size("attention.head_count", None)?).max(1);
        let head_size = self.size("attention.key_length", Some(default))?;
        let size = self.size("rope.dimension_count", Some(head_size))?;
        Ok((size != head_size).then(|| size as f64 / head_size as f64))
    }

    /// How the rotary angles are scaled. The divisors of `LongRoPE` are tensors.
    fn scaling(&self) -> Result<Option<Fields>, Error> {
        const TYPE: &str = "rope.scaling.type";
        let mut fields = Fields::default();
        let kind = self.metadata.text(&self.key(TYPE))?.filter(|kind| *kind != "none");
        let mut kind = kind.map(|kind| (kind, self.key(TYPE)));
        for (tensor, field) in LONG_ROPE {
            let Some(shape) = self.file.shape(tensor) else { continue };
            let divisors = self.file.blocks(tensor, &[shape.iter().product()])?.to_f32();
            fields.add(field, tensor.to_owned(), Some(divisors));
            kind = Some(("longrope", tensor.to_owned()));
        }
        let (factor, attention_factor) = match &kind {
            Some(("linear" | "yarn", _)) => (true, false),
            Some(("longrope", _)) => (false, true),
            _ => (false, false),
        };
        for (name, field, is_used) in [
            ("rope.scaling.factor", "factor", factor),
            ("rope.scaling.attn_factor", "attention_factor", attention_factor),
        ] {
            if is_used {
                fields.add(field, self.key(name), self.positive(name)?);
            } else {
                self.refuse_factor(name)?;
            }
        }
        let Some((kind, name)) = kind else { return Ok(None) };
        fields.add("rope_type", name, Some(kind));
        for (name, field) in [
            ("rope.scaling.yarn_beta_fast", "beta_fast"),
            ("rope.scaling.yarn_beta_slow", "beta_slow"),
        ] {
            fields.add(field, self.key(name), self.positive(name)?);
        }
        let name = self.key("rope.scaling.original_context_length");
        let original = self.metadata.unsigned(&name)?;
        fields.add("original_max_position_embeddings", name, original);
        Ok(Some(fields))
    }
}
