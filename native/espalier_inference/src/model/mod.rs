//! Loading a model from its directory, as Hugging Face lays it out, or from a GGUF file.
//!
//! [`families`] says what each family of models does differently, one file for each. [`config`] has the
//! terms in which they say so, and [`transformer`] the forward pass that follows them.

mod add;
mod attention;
mod cached_attention;
mod compute;
mod config;
mod device;
mod families;
mod files;
mod gguf;
mod json_file;
mod layer;
mod linear;
mod matrix;
mod mlp;
mod norm;
mod quantization;
mod rope;
mod rotary;
mod safetensors_files;
mod slices;
mod step;
pub(crate) mod transformer;
mod weights;

use std::path::Path;
use std::sync::Arc;

use espalier_constraint::{Limits, Vocabulary};

pub(crate) use self::compute::Compute;
use self::config::Config;
use self::families::{FAMILIES, Family};
use self::gguf::GgufWeights;
use self::json_file::JsonFile;
pub use self::quantization::Quantization;
use self::transformer::Transformer;
use self::weights::Weights;
use crate::chat_template::{ChatTemplate, SpecialTokens};
use crate::error::Error;
use crate::gguf::GgufFile;
use crate::tokenizer::{GgufTokenizer, Tokenizer};

/// All that the files of a model say.
pub(crate) struct LoadedModel {
    pub(crate) architecture: &'static str,
    pub(crate) transformer: Transformer,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) chat_template: Option<ChatTemplate>,
}

impl LoadedModel {
    /// What is read to compute by our kernels.
    #[cfg(test)]
    pub(crate) fn read(path: &Path, quantization: Quantization) -> Result<Self, Error> {
        Self::load(path, quantization, &Compute::Kernels)
    }

    /// Reads a GGUF file, or a directory that has one or the files of Hugging Face.
    pub(crate) fn load(
        path: &Path,
        quantization: Quantization,
        compute: &Compute,
    ) -> Result<Self, Error> {
        match gguf::find(path)? {
            Some(file) => Self::read_gguf(&file, quantization, compute),
            None => Self::read_directory(path, quantization, compute),
        }
    }

    /// Reads `config.json`, `model.safetensors` (or its shards), `tokenizer.json`, and where they
    /// exist `generation_config.json`, `tokenizer_config.json` and `chat_template.jinja`.
    fn read_directory(
        directory: &Path,
        quantization: Quantization,
        compute: &Compute,
    ) -> Result<Self, Error> {
        let config = JsonFile::read(&directory.join("config.json"))?;
        let family = family(&config)?;
        let shape = (family.describe)(&config)?;
        let tokenizer = Tokenizer::from_json(&files::read(&directory.join("tokenizer.json"))?)?;
        let tokenizer_config = JsonFile::read_if_present(&directory.join("tokenizer_config.json"))?;
        let chat_template = chat_template(directory, &tokenizer_config)?;
        let eos_ids = eos_ids(directory, &config, &tokenizer_config, &tokenizer)?;
        let vocabulary = vocabulary(&tokenizer, &eos_ids, &shape)?;
        let weights = Weights::read(directory, family.prefix, compute, quantization)?;
        let transformer = Transformer::load(shape, &weights)?;
        let architecture = family.architecture;
        Ok(Self { architecture, transformer, tokenizer, vocabulary, chat_template })
    }

    fn read_gguf(
        path: &Path,
        quantization: Quantization,
        compute: &Compute,
    ) -> Result<Self, Error> {
        let file = GgufFile::open(path)?;
        let (family, gguf_family) = gguf::family(file.metadata())?;
        let shape = gguf::config(&file, family, gguf_family)?;
        let GgufTokenizer { tokenizer, eos_ids, bos_token, eos_token, adds_bos } =
            GgufTokenizer::read(file.metadata())?;
        let source = file.metadata().text("tokenizer.chat_template")?.map(str::to_owned);
        let chat_template = source
            .map(|source| {
                let tokens = vec![("bos_token", bos_token), ("eos_token", eos_token)];
                ChatTemplate::new(&source, tokens)
            })
            .transpose()?
            .map(|template| if adds_bos { template.with_bos() } else { template });
        let vocabulary = vocabulary(&tokenizer, &eos_ids, &shape)?;
        let weights = GgufWeights::new(file, &shape, gguf_family);
        let weights = Weights::from_gguf(weights, compute, quantization);
        let transformer = Transformer::load(shape, &weights)?;
        weights.refuse_unread()?;
        let architecture = family.architecture;
        Ok(Self { architecture, transformer, tokenizer, vocabulary, chat_template })
    }
}

/// The vocabulary of a model, which has a logit for each id.
fn vocabulary(
    tokenizer: &Tokenizer,
    eos_ids: &[u32],
    shape: &Config,
) -> Result<Arc<Vocabulary>, Error> {
    let vocabulary = tokenizer.vocabulary_with_eos_ids(eos_ids, &Limits::default())?;
    if vocabulary.n_ids() > shape.n_ids {
        let (n_ids, n_logits) = (vocabulary.n_ids(), shape.n_ids);
        return Err(Error::VocabularyMismatch { n_ids, n_logits });
    }
    Ok(Arc::new(vocabulary))
}

fn family(config: &JsonFile) -> Result<Family, Error> {
    let expected = "a list with the name of an architecture";
    let name = config.field("architectures").and_then(|names| names.get(0)?.as_str());
    let name = name.ok_or_else(|| config.invalid("architectures", expected))?;
    let family = FAMILIES.into_iter().find(|family| family.architecture == name);
    family.ok_or_else(|| Error::UnsupportedArchitecture {
        got: name.to_owned(),
        known: FAMILIES.map(|family| family.architecture.to_owned()).to_vec(),
    })
}

/// The ids that end a text: the configurations name them by number, the tokenizer's by text.
fn eos_ids(
    directory: &Path,
    config: &JsonFile,
    tokenizer_config: &JsonFile,
    tokenizer: &Tokenizer,
) -> Result<Vec<u32>, Error> {
    let generation = JsonFile::read_if_present(&directory.join("generation_config.json"))?;
    let mut ids = generation.token_ids("eos_token_id")?;
    ids.extend(config.token_ids("eos_token_id")?);
    let named = tokenizer_config.token_text("eos_token");
    ids.extend(named.and_then(|text| tokenizer.token_id(text)));
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// The template in a file of its own, or else the one in the tokenizer's configuration.
fn chat_template(directory: &Path, config: &JsonFile) -> Result<Option<ChatTemplate>, Error> {
    let path = directory.join("chat_template.jinja");
    let source = if path.exists() {
        let text = String::from_utf8(files::read(&path)?);
        Some(text.map_err(|error| Error::InvalidChatTemplate { detail: error.to_string() })?)
    } else {
        template_in_config(config)?
    };
    source.map(|source| ChatTemplate::new(&source, special_tokens(config))).transpose()
}

/// The special tokens that the tokenizer's configuration names. A template has no other ones.
fn special_tokens(config: &JsonFile) -> SpecialTokens {
    let names = [
        "bos_token",
        "eos_token",
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    ];
    let named = |name| Some((name, config.token_text(name)?.to_owned()));
    names.into_iter().filter_map(named).collect()
}

/// One template as a text, or a list of named ones, of which "default" is meant.
fn template_in_config(config: &JsonFile) -> Result<Option<String>, Error> {
    let Some(value) = config.field("chat_template") else { return Ok(None) };
    if let Some(source) = value.as_str() {
        return Ok(Some(source.to_owned()));
    }
    let named = value.as_array().and_then(|templates| {
        let default = templates.iter().find(|template| template["name"] == "default")?;
        default["template"].as_str()
    });
    match named {
        Some(source) => Ok(Some(source.to_owned())),
        None => {
            Err(config.invalid("chat_template", "a text, or a list with one named \"default\""))
        }
    }
}

#[cfg(test)]
mod tests;
