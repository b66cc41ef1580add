//! `SmolLM3`: Llama in which some layers don't know positions.

use serde_json::Value;

use super::{Family, GgufFamily, expect_silu};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;

pub(super) const SMOLLM3: Family = Family {
    architecture: "SmolLM3ForCausalLM",
    gguf: Some(GgufFamily { architecture: "smollm3", pairs_neighbours: true, own_keys: &[] }),
    prefix: "",
    describe,
};

fn describe(file: &JsonFile) -> Result<Config, Error> {
    expect_silu(file)?;
    let mut config = Config::read(file)?;
    config.read_rope(file, 2_000_000.0)?;
    config.read_biases(file)?;
    config.tied_embedding = file.flag("tie_word_embeddings", true)?;
    let have_angles = have_angles(file, config.layers.len())?;
    for (layer, has_angles) in config.layers.iter_mut().zip(&have_angles) {
        layer.rope = has_angles.then_some(0);
    }
    if file.flag("use_sliding_window", false)?
        && let Some(window) = file.size_or_null("sliding_window", None)?
    {
        config.set_windows(file, window, |layer| !have_angles[layer])?;
    }
    Ok(config)
}

/// Whether each layer has rotary angles: where `no_rope_layers` has a 1, or else in all layers but each
/// fourth.
fn have_angles(file: &JsonFile, n_layers: usize) -> Result<Vec<bool>, Error> {
    let Some(list) = file.field("no_rope_layers") else {
        let interval = file.size("no_rope_layer_interval", Some(4))?;
        return Ok((1..=n_layers).map(|number| !number.is_multiple_of(interval)).collect());
    };
    let flag = |value: &Value| match value.as_u64() {
        Some(0) => Some(false),
        Some(1) => Some(true),
        _ => None,
    };
    let flags = list.as_array().and_then(|list| list.iter().map(flag).collect::<Option<Vec<_>>>());
    flags.filter(|flags| flags.len() == n_layers).ok_or_else(|| {
        file.invalid("no_rope_layers", &format!("0 or 1 for each of {n_layers} layers"))
    })
}
