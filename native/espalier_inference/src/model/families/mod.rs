//! The families of models: what each does differently, in a file of its own.
//!
//! A family turns the fields of a `config.json` into a [`Config`], which the layers follow. What a
//! GGUF file says is put into the same fields before ([`gguf`](super::gguf)).

mod gemma2;
mod gemma3;
mod llama;
mod mistral;
mod phi3;
mod qwen;
mod smollm3;
mod vision;

use super::config::Config;
use super::json_file::JsonFile;
use crate::error::Error;

/// An architecture of models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// The name in `config.json`.
    pub(crate) architecture: &'static str,
    /// How GGUF files have its models. Mistral's are Llama's there.
    pub(crate) gguf: Option<GgufFamily>,
    /// What stands before the names of its tensors in safetensors files.
    pub(crate) prefix: &'static str,
    /// Reads the fields, and refuses every one whose value would change the computation in a way that
    /// is not supported.
    pub(super) describe: fn(&JsonFile) -> Result<Config, Error>,
}

/// How GGUF files have the models of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GgufFamily {
    pub(crate) architecture: &'static str,
    /// Whether the two numbers that a rotary angle turns are side by side.
    pub(crate) pairs_neighbours: bool,
    /// The keys that only this family has.
    pub(crate) own_keys: &'static [&'static str],
}

/// All families that there are.
pub(crate) const FAMILIES: [Family; 10] = [
    llama::LLAMA,
    mistral::MISTRAL,
    qwen::QWEN2,
    qwen::QWEN3,
    smollm3::SMOLLM3,
    phi3::PHI3,
    gemma2::GEMMA2,
    gemma3::GEMMA3,
    vision::GEMMA3,
    vision::MISTRAL3,
];

/// Fails where the gates of the MLP go through another function.
fn expect_silu(file: &JsonFile) -> Result<(), Error> {
    file.expect("hidden_act", "\"silu\"", |value| value == "silu")
}
