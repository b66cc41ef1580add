//! The shape of a model, from the metadata of its GGUF file: its keys are put into the fields of a
//! `config.json`, which its family reads.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::gguf::{GgufFile, Metadata};
use crate::model::config::Config;
use crate::model::families::{FAMILIES, Family, GgufFamily};
use crate::model::json_file::JsonFile;
use crate::model::rope::Scaling;

const ARCHITECTURE: &str = "general.architecture";
const SPLIT: &str = "split.count";

/// Divisors of the rotary frequencies, which llama.cpp's converter computes for Llama 3.1.
pub(super) const FREQUENCY_DIVISORS: &str = "rope_freqs.weight";

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

pub(in crate::model) fn family(metadata: &Metadata) -> Result<(Family, GgufFamily), Error> {
    let name = metadata.text(ARCHITECTURE)?;
    let name = name.ok_or_else(|| metadata.invalid(ARCHITECTURE, "the name of an architecture"))?;
    let families = FAMILIES.into_iter().filter_map(|family| Some((family, family.gguf?)));
    families.clone().find(|(_, gguf)| gguf.architecture == name).ok_or_else(|| {
        let known = families.map(|(_, gguf)| gguf.architecture.to_owned()).collect();
        Error::UnsupportedArchitecture { got: name.to_owned(), known }
    })
}

/// Reads the sizes and constants, and refuses everything whose value would change the computation in a
/// way that is not supported.
pub(in crate::model) fn config(
    file: &GgufFile,
    family: Family,
    gguf_family: GgufFamily,
) -> Result<Config, Error> {
    let keys = Keys { metadata: file.metadata(), family: gguf_family };
    refuse_parts(file.metadata())?;
    keys.refuse_unknown()?;
    keys.refuse_unsupported()?;
    let mut config = (family.describe)(&keys.fields(file)?)?;
    keys.check_sizes(&config)?;
    read_divisors(file, &mut config)?;
    let has = |name: &str| file.shape(name).is_some();
    config.input_bias |= has("blk.0.attn_q.bias");
    config.output_bias = has("blk.0.attn_output.bias");
    config.mlp_bias = has("blk.0.ffn_gate.bias");
    config.tied_embedding = !has("output.weight");
    // The files have it added.
    config.norm_offset = 0.0;
    Ok(config)
}

fn read_divisors(file: &GgufFile, config: &mut Config) -> Result<(), Error> {
    if file.shape(FREQUENCY_DIVISORS).is_none() {
        return Ok(());
    }
    let rope = &mut config.ropes[0];
    if !matches!(rope.scaling, Scaling::None) {
        return Err(file.invalid(FREQUENCY_DIVISORS, "no such tensor", "one beside other scaling"));
    }
    let divisors = file.blocks(FREQUENCY_DIVISORS, &[rope.size / 2])?.to_f32();
    if !divisors.iter().all(|divisor| divisor.is_finite() && *divisor > 0.0) {
        return Err(file.invalid(FREQUENCY_DIVISORS, "numbers above 0", "others"));
    }
    rope.scaling = Scaling::Divisors(divisors);
    Ok(())
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
    family: GgufFamily,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.family.architecture)
    }

    fn size(&self, name: &str, default: Option<usize>) -> Result<usize, Error> {
        self.metadata.size(&self.key(name), default)
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
        // A factor of 0 stands for none.
        for name in ["logit_scale", "residual_scale", "rope.scale_linear"] {
            if self.float(name)?.is_some_and(|factor| ![0.0, 1.0].contains(&factor)) {
                return Err(self.invalid(name, "1"));
            }
        }
        Ok(())
    }

    /// The fields that the keys stand for, and the names of the keys.
    fn fields(&self, file: &GgufFile) -> Result<JsonFile, Error> {
        let (mut fields, mut names) = (Map::new(), FxHashMap::default());
        for (name, field) in SIZES {
            names.insert(field.to_owned(), self.key(name));
            if let Some(size) = self.metadata.unsigned(&self.key(name))? {
                fields.insert(field.to_owned(), size.into());
            }
        }
        for (name, field) in NUMBERS {
            names.insert(field.to_owned(), self.key(name));
            if let Some(number) = self.positive(name)? {
                fields.insert(field.to_owned(), number.into());
            }
        }
        // What a `config.json` has a default for, but a GGUF file must have.
        self.size("context_length", None)?;
        self.metadata.positive(&self.key("attention.layer_norm_rms_epsilon"), None)?;
        let hidden_size = self.size("embedding_length", None)?;
        fields.insert("vocab_size".to_owned(), n_ids(file, hidden_size)?.into());
        // A window of 0 stands for none.
        if let Some(window) = fields.get_mut("sliding_window").filter(|window| **window == 0) {
            *window = Value::Null;
        }
        self.add_rotary_size(&mut fields, &mut names)?;
        self.add_scaling(file, &mut fields, &mut names)?;
        Ok(JsonFile::new(file.path(), fields, names))
    }

    fn add_rotary_size(
        &self,
        fields: &mut Map<String, Value>,
        names: &mut FxHashMap<String, String>,
    ) -> Result<(), Error> {
        const NAME: &str = "rope.dimension_count";
        let default =
            self.size("embedding_length", None)? / self.size("attention.head_count", None)?;
        let head_size = self.size("attention.key_length", Some(default.max(1)))?;
        let size = self.size(NAME, Some(head_size))?;
        if size != head_size {
            let part = size as f64 / head_size as f64;
            fields.insert("partial_rotary_factor".to_owned(), part.into());
        }
        names.insert("partial_rotary_factor".to_owned(), self.key(NAME));
        Ok(())
    }

    /// The scaling of the rotary angles, as an object of parameters.
    fn add_scaling(
        &self,
        file: &GgufFile,
        fields: &mut Map<String, Value>,
        names: &mut FxHashMap<String, String>,
    ) -> Result<(), Error> {
        let mut parameters = Map::new();
        let mut add = |field: &str, name: String, value: Option<Value>| {
            names.insert(format!("rope_scaling.{field}"), name);
            if let Some(value) = value {
                parameters.insert(field.to_owned(), value);
            }
        };
        let kind = self.metadata.text(&self.key("rope.scaling.type"))?;
        let kind = kind.filter(|kind| *kind != "none");
        let mut kind = (kind, self.key("rope.scaling.type"));
        for (tensor, field) in LONG_ROPE {
            let Some(shape) = file.shape(tensor) else { continue };
            let divisors = file.blocks(tensor, &[shape.iter().product()])?.to_f32();
            add(field, tensor.to_owned(), Some(divisors.into()));
            kind = (Some("longrope"), tensor.to_owned());
        }
        add("rope_type", kind.1, kind.0.map(Value::from));
        for (name, field, none) in [
            ("rope.scaling.factor", "factor", 0.0),
            ("rope.scaling.attn_factor", "attention_factor", 1.0),
        ] {
            let factor = self.float(name)?.filter(|factor| ![1.0, none].contains(factor));
            let is_known = matches!(
                (kind.0, field),
                (Some("linear" | "yarn"), "factor") | (Some("longrope"), "attention_factor")
            );
            if factor.is_some() && !is_known {
                return Err(self.invalid(name, "1"));
            }
            add(field, self.key(name), factor.map(Value::from));
        }
        for (name, field) in [
            ("rope.scaling.yarn_beta_fast", "beta_fast"),
            ("rope.scaling.yarn_beta_slow", "beta_slow"),
            ("rope.scaling.original_context_length", "original_max_position_embeddings"),
        ] {
            let original = name.ends_with("length");
            let value = if original {
                self.metadata.unsigned(&self.key(name))?.map(Value::from)
            } else {
                self.positive(name)?.map(Value::from)
            };
            add(field, self.key(name), value);
        }
        if kind.0.is_some() {
            fields.insert("rope_scaling".to_owned(), parameters.into());
        }
        Ok(())
    }

    /// Keys, values and rotary angles have heads of one size.
    fn check_sizes(&self, config: &Config) -> Result<(), Error> {
        let default = (config.hidden_size / config.n_heads).max(1);
        let head_size = config.head_size;
        if self.size("attention.value_length", Some(default))? != head_size {
            let expected = format!("{head_size}, the size of a head");
            return Err(self.invalid("attention.value_length", &expected));
        }
        Ok(())
    }
}
