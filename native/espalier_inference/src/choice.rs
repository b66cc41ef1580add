//! [`Choice`]: what a model thought of a token that was sampled, and of others.

use espalier_constraint::TokenMask;

/// How many of the likeliest tokens a choice names.
const N_ALTERNATIVES: usize = 5;

/// How a token was chosen. Probabilities are the model's own, over all tokens: before
/// logits processors, the mask, penalties and temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The probability of the token that was sampled.
    pub probability: f64,
    /// The probability of all allowed tokens together.
    pub allowed_probability: f64,
    /// How many tokens the constraint allowed.
    pub n_allowed: usize,
    /// The likeliest tokens, allowed or not, the likeliest first.
    pub alternatives: Vec<Alternative>,
}

/// A token that could have been sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alternative {
    /// Its id.
    pub id: u32,
    /// Its probability.
    pub probability: f64,
    /// Whether the constraint allowed it.
    pub is_allowed: bool,
}

impl Choice {
    /// The choice of `id` among the logits of the ids below `n_ids`.
    pub(crate) fn new(logits: &[f32], n_ids: usize, mask: Option<&TokenMask>, id: u32) -> Self {
        let logits = &logits[..n_ids.min(logits.len())];
        let max = logits.iter().copied().filter(|logit| logit.is_finite()).fold(f32::MIN, f32::max);
        let weight = |logit: f32| {
            if logit.is_nan() { 0.0 } else { f64::from((logit - max).min(0.0)).exp() }
        };
        let total: f64 = logits.iter().copied().map(weight).sum();
        let probability = |id: u32| {
            let logit = logits.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY);
            if total > 0.0 { weight(logit) / total } else { 0.0 }
        };
        let is_allowed = |id| mask.is_none_or(|mask| mask.is_allowed(id));
        let alternative =
            |id| Alternative { id, probability: probability(id), is_allowed: is_allowed(id) };
        Self {
            probability: probability(id),
            allowed_probability: mask.map_or(1.0, |mask| mask.iter().map(probability).sum()),
            n_allowed: mask.map_or(logits.len(), TokenMask::count),
            alternatives: likeliest(logits).into_iter().map(alternative).collect(),
        }
    }
}

/// The ids of the largest logits, of equal ones the lower id first.
fn likeliest(logits: &[f32]) -> Vec<u32> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(N_ALTERNATIVES + 1);
    for (&logit, id) in logits.iter().zip(0..).filter(|(logit, _)| !logit.is_nan()) {
        let place = best.partition_point(|&(other, _)| other >= logit);
        if place < N_ALTERNATIVES {
            best.insert(place, (logit, id));
            best.truncate(N_ALTERNATIVES);
        }
    }
    best.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use espalier_constraint::{Constraint, Vocabulary};

    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn tells_probabilities_before_and_within_the_mask() {
        let logits = [0.1f32, 0.2, 0.4, 0.3].map(f32::ln);
        let tokens = ["a", "b", "c", ""].map(|token| token.as_bytes().to_vec());
        let vocabulary = Vocabulary::new(tokens.to_vec(), &[3], &[]).unwrap();
        let constraint = Constraint::regex("[ab]", &vocabulary.into()).unwrap();
        let mask = constraint.matcher().compute_mask().unwrap();
        let choice = Choice::new(&logits, 4, Some(&mask), 1);
        assert!(close(choice.probability, 0.2) && close(choice.allowed_probability, 0.3));
        assert_eq!(choice.n_allowed, 2);
        let ids: Vec<_> = choice.alternatives.iter().map(|a| (a.id, a.is_allowed)).collect();
        assert_eq!(ids, [(2, false), (3, false), (1, true), (0, true)]);
        assert!(close(choice.alternatives[0].probability, 0.4));
    }

    #[test]
    fn names_the_likeliest_of_many_and_the_lower_id_of_equals() {
        let mut logits = vec![0.0; 1000];
        (logits[700], logits[10]) = (2.0, 1.0);
        let choice = Choice::new(&logits, 1000, None, 700);
        let ids: Vec<_> = choice.alternatives.iter().map(|alternative| alternative.id).collect();
        assert_eq!(ids, [700, 10, 0, 1, 2]);
        assert_eq!((choice.n_allowed, choice.allowed_probability), (1000, 1.0));
    }

    #[test]
    fn stands_broken_logits() {
        let choice = Choice::new(&[f32::NAN, f32::NEG_INFINITY, 1.0], 3, None, 2);
        assert!(close(choice.probability, 1.0));
        let choice = Choice::new(&[f32::NAN; 3], 3, None, 2);
        assert_eq!((choice.probability, choice.alternatives.len()), (0.0, 0));
        let choice = Choice::new(&[f32::INFINITY, 0.0], 2, None, 0);
        assert!(choice.probability.is_finite());
    }
}
