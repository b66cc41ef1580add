//! The shape of a model in a GGUF file: its family reads what the keys say ([`keys`](super::keys)), and
//! the tensors say the rest.

use super::keys::Keys;
use crate::error::Error;
use crate::gguf::{GgufFile, Metadata};
use crate::model::config::Config;
use crate::model::families::{FAMILIES, Family, GgufFamily};
use crate::model::rope::Scaling;

const ARCHITECTURE: &str = "general.architecture";

/// Divisors of the rotary frequencies, which llama.cpp's converter computes for Llama 3.1.
pub(super) const FREQUENCY_DIVISORS: &str = "rope_freqs.weight";

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
    let keys = Keys::new(file, gguf_family)?;
    let n_ids = n_ids(file, keys.size("embedding_length", None)?)?;
    let mut config = (family.describe)(&keys.fields(n_ids)?)?;
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
