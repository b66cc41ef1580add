//! Qwen 2, whose queries, keys and values have biases, and Qwen 3, which has norms of queries and keys
//! instead. Both can have windows from some layer on.

use super::{Family, GgufFamily, expect_silu};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;

pub(super) const QWEN2: Family = Family {
    architecture: "Qwen2ForCausalLM",
    gguf: Some(GgufFamily { architecture: "qwen2", pairs_neighbours: false, own_keys: &[] }),
    prefix: "",
    describe: describe_qwen2,
};

pub(super) const QWEN3: Family = Family {
    architecture: "Qwen3ForCausalLM",
    gguf: Some(GgufFamily { architecture: "qwen3", pairs_neighbours: false, own_keys: &[] }),
    prefix: "",
    describe: describe_qwen3,
};

fn describe_qwen2(file: &JsonFile) -> Result<Config, Error> {
    let mut config = describe(file)?;
    config.input_bias = true;
    Ok(config)
}

fn describe_qwen3(file: &JsonFile) -> Result<Config, Error> {
    let mut config = describe(file)?;
    config.read_biases(file)?;
    config.query_key_norm = true;
    Ok(config)
}

fn describe(file: &JsonFile) -> Result<Config, Error> {
    expect_silu(file)?;
    let mut config = Config::read(file)?;
    config.read_rope(file, 10_000.0)?;
    if file.flag("use_sliding_window", false)? {
        let first = file.size_or_zero("max_window_layers", 28)?;
        if let Some(window) = file.size_or_null("sliding_window", Some(4096))? {
            config.set_windows(file, window, |layer| layer >= first)?;
        }
    }
    Ok(config)
}
