//! Phi 3 and 4: Llama with fused matrices, a window in all layers, and angles that turn a part of each
//! head and have a divisor for each frequency (`LongRoPE`).

use serde_json::Value;

use super::{Family, GgufFamily, expect_silu};
use crate::error::Error;
use crate::model::config::Config;
use crate::model::json_file::JsonFile;
use crate::model::rope::{Kind, Rope, Scaling, kind, kind_field};

pub(super) const PHI3: Family = Family {
    architecture: "Phi3ForCausalLM",
    gguf: Some(GgufFamily { architecture: "phi3", pairs_neighbours: false, own_keys: &[] }),
    prefix: "",
    describe,
};

fn describe(file: &JsonFile) -> Result<Config, Error> {
    expect_silu(file)?;
    file.expect("attention_bias", "false", |value| value == false)?;
    let mut config = Config::read(file)?;
    config.fused = true;
    config.ropes = vec![rope(file, &config)?];
    if let Some(window) = file.size_or_null("sliding_window", None)? {
        config.set_windows(file, window, |_| true)?;
    }
    Ok(config)
}

fn rope(file: &JsonFile, config: &Config) -> Result<Rope, Error> {
    let theta = file.positive("rope_theta", Some(10_000.0))?;
    let mut rope = Rope::new(rotary_size(file, config.head_size)?, theta);
    for name in ["rope_scaling", "rope_parameters"] {
        let Some(parameters) = file.object(name)? else { continue };
        rope.theta = parameters.positive("rope_theta", Some(rope.theta))?;
        if parameters.field("partial_rotary_factor").is_some() {
            rope.size = rotary_size(&parameters, config.head_size)?;
        }
        match kind(&parameters) {
            Kind::Named("default") | Kind::Absent => {}
            // Older files call it "su".
            Kind::Named("longrope" | "su") => scale(&mut rope, file, &parameters, config)?,
            Kind::Named(_) | Kind::Unclear => {
                let expected = "\"default\" or \"longrope\"";
                return Err(parameters.invalid(kind_field(&parameters), expected));
            }
        }
    }
    Ok(rope)
}

/// How many numbers of a head are turned.
fn rotary_size(file: &JsonFile, head_size: usize) -> Result<usize, Error> {
    const NAME: &str = "partial_rotary_factor";
    let size = head_size as f32 * file.positive(NAME, Some(1.0))?;
    let rounded = size.round() as usize;
    let fits = (size - size.round()).abs() < 1e-3
        && rounded.is_multiple_of(2)
        && (2..=head_size).contains(&rounded);
    if fits {
        return Ok(rounded);
    }
    Err(file.invalid(NAME, &format!("a part of {head_size} numbers that are pairs")))
}

/// Divides the frequencies by the long factors, or by the short ones in models whose context is not
/// longer than before. All tokens have the same, so that what was read of a sequence stays valid as it
/// grows.
fn scale(
    rope: &mut Rope,
    file: &JsonFile,
    parameters: &JsonFile,
    config: &Config,
) -> Result<(), Error> {
    const ORIGINAL: &str = "original_max_position_embeddings";
    let original = file.size(ORIGINAL, Some(4096))?;
    let original = parameters.size(ORIGINAL, Some(original))?;
    let length = config.max_length as f32 / original as f32;
    let factor = parameters.positive("factor", Some(length))?;
    let magnitude =
        if factor > 1.0 { (1.0 + factor.ln() / (original as f32).ln()).sqrt() } else { 1.0 };
    rope.magnitude = parameters.positive("attention_factor", Some(magnitude))?;
    let short = divisors(parameters, "short_factor", rope.size / 2)?;
    let long = divisors(parameters, "long_factor", rope.size / 2)?;
    let is_longer = config.max_length > original;
    rope.scaling = Scaling::Divisors(if is_longer { long } else { short });
    Ok(())
}

fn divisors(parameters: &JsonFile, name: &str, n: usize) -> Result<Vec<f32>, Error> {
    let number = |value: &Value| {
        let number = value.as_f64()? as f32;
        (number.is_finite() && number > 0.0).then_some(number)
    };
    let numbers = parameters.field(name).and_then(Value::as_array);
    let numbers =
        numbers.and_then(|numbers| numbers.iter().map(number).collect::<Option<Vec<_>>>());
    numbers
        .filter(|numbers| numbers.len() == n)
        .ok_or_else(|| parameters.invalid(name, &format!("{n} numbers above 0")))
}
