//! [`Rope`]: which rotary angles a model was trained with.

use std::f32::consts::{PI, TAU};

use serde_json::Value;

use super::json_file::JsonFile;
use crate::error::Error;

/// Which angles a model was trained with.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    /// How many numbers of a head are turned, from its first.
    pub(crate) size: usize,
    /// The base of the frequencies.
    pub(crate) theta: f32,
    pub(crate) scaling: Scaling,
    /// What the turned numbers are multiplied by.
    pub(crate) magnitude: f32,
}

/// How a model reaches longer contexts than its frequencies were made for.
#[derive(Clone, Debug)]
pub(crate) enum Scaling {
    None,
    /// What all frequencies are divided by.
    Linear(f32),
    Llama3(Llama3Scaling),
    Yarn(YarnScaling),
    /// What each frequency is divided by.
    Divisors(Vec<f32>),
}

/// The way of Llama 3.1: low frequencies are divided, high ones kept, and those between interpolated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Llama3Scaling {
    pub(crate) factor: f32,
    pub(crate) low_frequency_factor: f32,
    pub(crate) high_frequency_factor: f32,
    /// The context of the model before scaling, in tokens.
    pub(crate) original_length: f32,
}

/// `YaRN`: the same, but the frequencies between are interpolated by their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct YarnScaling {
    pub(crate) factor: f32,
    /// The turns in the original context from which frequencies are kept.
    pub(crate) fast_turns: f32,
    /// The turns up to which they are divided.
    pub(crate) slow_turns: f32,
    /// The context of the model before scaling, in tokens.
    pub(crate) original_length: f32,
}

impl Rope {
    /// The angles without scaling.
    pub(crate) fn new(size: usize, theta: f32) -> Self {
        Self { size, theta, scaling: Scaling::None, magnitude: 1.0 }
    }

    /// Reads the angles: their base is a field of its own in older files, and in `rope_parameters` in
    /// newer ones. Unknown ways to scale them are refused: unscaled, the model would be another.
    pub(crate) fn read(
        file: &JsonFile,
        size: usize,
        theta: f32,
        max_length: usize,
    ) -> Result<Self, Error> {
        let mut rope = Self::new(size, file.positive("rope_theta", Some(theta))?);
        for name in ["rope_scaling", "rope_parameters"] {
            if let Some(parameters) = file.object(name)? {
                rope.apply(&parameters, max_length)?;
            }
        }
        Ok(rope)
    }

    /// Changes the angles to what an object of parameters says.
    pub(crate) fn apply(&mut self, parameters: &JsonFile, max_length: usize) -> Result<(), Error> {
        self.theta = parameters.positive("rope_theta", Some(self.theta))?;
        match kind(parameters) {
            Kind::Named("default") | Kind::Absent => {}
            Kind::Named("linear") => {
                self.scaling = Scaling::Linear(parameters.positive("factor", None)?);
            }
            Kind::Named("llama3") => self.scaling = llama3(parameters)?,
            Kind::Named("yarn") => {
                let yarn = yarn(parameters, max_length)?;
                let magnitude = if yarn.factor > 1.0 { 0.1 * yarn.factor.ln() + 1.0 } else { 1.0 };
                self.magnitude = parameters.positive("attention_factor", Some(magnitude))?;
                self.scaling = Scaling::Yarn(yarn);
            }
            Kind::Named(_) | Kind::Unclear => {
                let expected = "\"default\", \"linear\", \"llama3\" or \"yarn\"";
                return Err(parameters.invalid(kind_field(parameters), expected));
            }
        }
        Ok(())
    }

    /// The context that the angles were scaled to, where they say so themselves.
    pub(crate) fn reach(&self) -> usize {
        match self.scaling {
            Scaling::Yarn(yarn) => (yarn.factor * yarn.original_length) as usize,
            _ => 0,
        }
    }

    /// The turns of each pair of numbers from one position to the next, in radians.
    pub(crate) fn frequencies(&self) -> Vec<f32> {
        let scaled = |pair: usize| {
            let frequency = self.theta.powf(-((2 * pair) as f32) / self.size as f32);
            match &self.scaling {
                Scaling::None => frequency,
                Scaling::Linear(factor) => frequency / factor,
                Scaling::Llama3(scaling) => scaling.apply(frequency),
                Scaling::Yarn(scaling) => scaling.apply(frequency, pair, self),
                Scaling::Divisors(divisors) => frequency / divisors[pair],
            }
        };
        (0..self.size / 2).map(scaled).collect()
    }
}

/// The way to scale that parameters name.
pub(super) enum Kind<'a> {
    Named(&'a str),
    /// There is none, and nothing to scale by.
    Absent,
    Unclear,
}

pub(super) fn kind(parameters: &JsonFile) -> Kind<'_> {
    match parameters.field(kind_field(parameters)) {
        Some(Value::String(name)) => Kind::Named(name),
        None if parameters.field("factor").is_none() => Kind::Absent,
        _ => Kind::Unclear,
    }
}

/// The field that names the way to scale; older files call it `type`.
pub(super) fn kind_field(parameters: &JsonFile) -> &'static str {
    let older = parameters.field("rope_type").is_none() && parameters.field("type").is_some();
    if older { "type" } else { "rope_type" }
}

fn llama3(parameters: &JsonFile) -> Result<Scaling, Error> {
    let scaling = Llama3Scaling {
        factor: parameters.positive("factor", None)?,
        low_frequency_factor: parameters.positive("low_freq_factor", None)?,
        high_frequency_factor: parameters.positive("high_freq_factor", None)?,
        original_length: parameters.positive("original_max_position_embeddings", None)?,
    };
    if scaling.low_frequency_factor < scaling.high_frequency_factor {
        Ok(Scaling::Llama3(scaling))
    } else {
        Err(parameters.invalid("high_freq_factor", "a number above low_freq_factor"))
    }
}

fn yarn(parameters: &JsonFile, max_length: usize) -> Result<YarnScaling, Error> {
    for name in ["mscale", "mscale_all_dim"] {
        parameters.expect(name, "nothing", |_| false)?;
    }
    parameters.expect("truncate", "true", |value| value == true)?;
    let original_length = max_length as f32;
    Ok(YarnScaling {
        factor: parameters.positive("factor", None)?,
        fast_turns: parameters.positive("beta_fast", Some(32.0))?,
        slow_turns: parameters.positive("beta_slow", Some(1.0))?,
        original_length: parameters
            .positive("original_max_position_embeddings", Some(original_length))?,
    })
}

impl Llama3Scaling {
    fn apply(self, frequency: f32) -> f32 {
        let wavelengths = self.original_length * frequency / TAU;
        let (low, high) = (self.low_frequency_factor, self.high_frequency_factor);
        let kept = ((wavelengths - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 - kept) * frequency / self.factor + kept * frequency
    }
}

impl YarnScaling {
    fn apply(self, frequency: f32, pair: usize, rope: &Rope) -> f32 {
        let pair_with = |turns: f32| {
            let position = (self.original_length / (turns * 2.0 * PI)).ln() / rope.theta.ln();
            rope.size as f32 * position / 2.0
        };
        let first = pair_with(self.fast_turns).floor().max(0.0);
        let last = pair_with(self.slow_turns).ceil().min((rope.size - 1) as f32);
        let last = if (last - first).abs() < 0.001 { last + 0.001 } else { last };
        let divided = ((pair as f32 - first) / (last - first)).clamp(0.0, 1.0);
        divided * frequency / self.factor + (1.0 - divided) * frequency
    }
}
