//! Llama: the computation that the other families change.

use super::{Family, GgufFamily, expect_silu};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;

pub(super) const LLAMA: Family = Family {
    architecture: "LlamaForCausalLM",
    gguf: Some(GgufFamily { architecture: "llama", pairs_neighbours: true, own_keys: &[] }),
    prefix: "",
    describe,
};

fn describe(file: &JsonFile) -> Result<Config, Error> {
    expect_silu(file)?;
    let mut config = Config::read(file)?;
    refuse_window(file, config.max_length)?;
    config.read_rope(file, 10_000.0)?;
    config.read_biases(file)?;
    Ok(config)
}

/// A window as long as the context is none.
fn refuse_window(file: &JsonFile, max_length: usize) -> Result<(), Error> {
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
