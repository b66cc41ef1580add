//! Gemma 3: Gemma 2 with norms of queries and keys instead of caps, and with windows in five of six
//! layers, which have rotary angles of their own.

use super::gemma2::gemma;
use super::{Family, GgufFamily};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;
use crate::model::rope::Rope;

pub(super) const GEMMA3: Family = Family {
    architecture: "Gemma3ForCausalLM",
    gguf: Some(GgufFamily {
        architecture: "gemma3",
        pairs_neighbours: false,
        own_keys: &[
            "attention.sliding_window_pattern",
            "final_logit_softcapping",
            "rope.freq_base_swa",
        ],
    }),
    prefix: "",
    describe,
};

const LAYERS_OF_27B: usize = 62;

/// The indices of the angles of layers without a window, and of those with one.
const GLOBAL: usize = 0;
const LOCAL: usize = 1;

fn describe(file: &JsonFile) -> Result<Config, Error> {
    let mut config = gemma(file, LAYERS_OF_27B)?;
    config.query_key_norm = true;
    config.attention_cap = file.positive_or_null("attn_logit_softcapping", None)?;
    config.logit_cap = file.positive_or_null("final_logit_softcapping", None)?;
    read_ropes(file, &mut config)?;
    let window = file.size("sliding_window", None)?;
    let pattern = file.size("sliding_window_pattern", Some(6))?;
    let slides = config.set_windows(file, window, |layer| !(layer + 1).is_multiple_of(pattern))?;
    for (layer, slides) in config.layers.iter_mut().zip(slides) {
        layer.rope = Some(if slides { LOCAL } else { GLOBAL });
    }
    Ok(config)
}

/// Newer files have an object of parameters for each kind of layers.
fn read_ropes(file: &JsonFile, config: &mut Config) -> Result<(), Error> {
    config.read_rope(file, 1_000_000.0)?;
    let local = file.positive("rope_local_base_freq", Some(10_000.0))?;
    config.ropes.push(Rope::new(config.head_size, local));
    if let Some(kinds) = file.object("rope_parameters")? {
        for (index, name) in [(GLOBAL, "full_attention"), (LOCAL, "sliding_attention")] {
            if let Some(parameters) = kinds.object(name)? {
                config.ropes[index].apply(&parameters, config.max_length)?;
            }
        }
    }
    Ok(())
}
