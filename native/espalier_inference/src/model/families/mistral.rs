//! Mistral: Llama with a window in all layers, in its first models, and without biases.

use super::{Family, expect_silu};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;

pub(super) const MISTRAL: Family =
    Family { architecture: "MistralForCausalLM", gguf: None, prefix: "", describe };

fn describe(file: &JsonFile) -> Result<Config, Error> {
    expect_silu(file)?;
    let mut config = Config::read(file)?;
    config.read_rope(file, 10_000.0)?;
    if let Some(window) = file.size_or_null("sliding_window", Some(4096))? {
        config.set_windows(file, window, |_| true)?;
    }
    Ok(config)
}
