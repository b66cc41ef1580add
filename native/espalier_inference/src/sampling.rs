//! [`Sampling`]: the options that say how a token is drawn.

use crate::error::Error;

/// How a token is drawn from the logits.
///
/// The steps come in this order: constraint mask, logit bias, penalties, temperature, top-k, top-p,
/// min-p, typical-p, draw with the request's own seed. The same seed gives the same text, whatever else the model is busy
/// with. The default draws from the unchanged distribution.
///
/// ```
/// use espalier_inference::Sampling;
///
/// let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
/// assert!(greedy.validate().is_ok());
/// assert!(Sampling { top_p: 0.0, ..greedy.clone() }.validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The divisor of the logits: 1 by default. 0 always takes the likeliest token.
    pub temperature: f32,
    /// Keeps this many of the likeliest tokens: all by default.
    pub top_k: Option<usize>,
    /// Keeps the fewest of the likeliest tokens whose probabilities add up to this: 1, all, by
    /// default.
    pub top_p: f32,
    /// Keeps the tokens at least this likely, relative to the likeliest: 0, all, by default.
    pub min_p: f32,
    /// Keeps the fewest tokens whose probabilities add up to this, those first whose surprise is
    /// nearest to what is expected: 1, all, by default. See Meister et al., "Locally Typical
    /// Sampling", 2022.
    pub typical_p: f32,
    /// Is added to the logits of some tokens, by their ids: none by default.
    pub logit_bias: Vec<(u32, f32)>,
    /// Divides the positive and multiplies the negative logits of all tokens of the prompt and of
    /// the text so far: 1, no change, by default.
    pub repetition_penalty: f32,
    /// Is subtracted from the logits of all tokens of the text so far: 0 by default.
    pub presence_penalty: f32,
    /// Is subtracted from the logits of the tokens of the text so far for each time they occur: 0
    /// by default.
    pub frequency_penalty: f32,
    /// The seed of the request's random numbers: 0 by default.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            typical_p: 1.0,
            logit_bias: Vec::new(),
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            seed: 0,
        }
    }
}

impl Sampling {
    /// Checks every option.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] names the first one that can't be used.
    pub fn validate(&self) -> Result<(), Error> {
        let above_zero = |value: f32| value.is_finite() && value > 0.0;
        let fraction = |value: f32| (0.0..=1.0).contains(&value);
        let penalty = |value: f32| (-100.0..=100.0).contains(&value);
        let options = [
            (
                "temperature",
                self.temperature,
                "a number from 0",
                self.temperature == 0.0 || above_zero(self.temperature),
            ),
            (
                "top_p",
                self.top_p,
                "a number above 0 and up to 1",
                fraction(self.top_p) && self.top_p > 0.0,
            ),
            (
                "typical_p",
                self.typical_p,
                "a number above 0 and up to 1",
                fraction(self.typical_p) && self.typical_p > 0.0,
            ),
            ("min_p", self.min_p, "a number from 0 to 1", fraction(self.min_p)),
            (
                "repetition_penalty",
                self.repetition_penalty,
                "a number above 0",
                above_zero(self.repetition_penalty),
            ),
            (
                "presence_penalty",
                self.presence_penalty,
                "a number from -100 to 100",
                penalty(self.presence_penalty),
            ),
            (
                "frequency_penalty",
                self.frequency_penalty,
                "a number from -100 to 100",
                penalty(self.frequency_penalty),
            ),
        ];
        if self.top_k == Some(0) {
            let (option, expected) = ("top_k", "an integer from 1");
            return Err(Error::InvalidOption { option, expected, got: "0".to_owned() });
        }
        if let Some((id, bias)) = self.logit_bias.iter().find(|(_, bias)| !penalty(*bias)) {
            let (option, expected) = ("logit_bias", "numbers from -100 to 100");
            return Err(Error::InvalidOption { option, expected, got: format!("{bias} for {id}") });
        }
        match options.into_iter().find(|(.., valid)| !valid) {
            Some((option, got, expected, _)) => {
                Err(Error::InvalidOption { option, expected, got: got.to_string() })
            }
            None => Ok(()),
        }
    }

    /// Whether the tokens so far change what comes next.
    #[expect(clippy::float_cmp, reason = "the neutral values are exact")]
    pub(crate) fn has_penalties(&self) -> bool {
        self.repetition_penalty != 1.0
            || self.presence_penalty != 0.0
            || self.frequency_penalty != 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refuses(option: &str, sampling: &Sampling) {
        match sampling.validate() {
            Err(Error::InvalidOption { option: named, .. }) => assert_eq!(named, option),
            other => panic!("expected an error about {option}, got: {other:?}"),
        }
    }

    #[test]
    fn refuses_what_has_no_meaning() {
        let default = Sampling::default();
        assert_eq!(default.validate(), Ok(()));
        for temperature in [-1.0, f32::NAN, f32::INFINITY] {
            refuses("temperature", &Sampling { temperature, ..default.clone() });
        }
        refuses("top_k", &Sampling { top_k: Some(0), ..default.clone() });
        refuses("top_p", &Sampling { top_p: 0.0, ..default.clone() });
        refuses("top_p", &Sampling { top_p: 1.5, ..default.clone() });
        refuses("typical_p", &Sampling { typical_p: 0.0, ..default.clone() });
        let logit_bias = vec![(0, 1.0), (1, f32::INFINITY)];
        refuses("logit_bias", &Sampling { logit_bias, ..default.clone() });
        refuses("min_p", &Sampling { min_p: -0.1, ..default.clone() });
        refuses("repetition_penalty", &Sampling { repetition_penalty: 0.0, ..default.clone() });
        refuses("presence_penalty", &Sampling { presence_penalty: f32::NAN, ..default.clone() });
        refuses("frequency_penalty", &Sampling { frequency_penalty: 1e9, ..default });
    }
}
