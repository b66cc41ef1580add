//! The steps between a model's logits and the draw of a token: pure functions on a list of
//! candidates.
//!
//! Whatever the logits hold (NaN and infinities from broken weights, too), no step empties a list
//! that had a candidate.

use std::cmp::Ordering;

use espalier_constraint::TokenMask;
use rustc_hash::FxHashMap;

use crate::sampling::Sampling;

/// A token that can come next. `score` is its logit first, and its weight (relative to the
/// likeliest token's, which is 1) after [`to_weights`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) id: u32,
    pub(crate) score: f32,
}

/// How often a token has occurred.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Occurrences {
    pub(crate) in_prompt: u32,
    pub(crate) in_text: u32,
}

/// The allowed tokens with their logits, by ascending id.
///
/// Without a mask all ids below `n_ids` are allowed. Logits that are no numbers are the lowest, so
/// that they are drawn only where there is nothing else.
pub(crate) fn candidates(logits: &[f32], n_ids: usize, mask: Option<&TokenMask>) -> Vec<Candidate> {
    let known = &logits[..n_ids.min(logits.len())];
    let candidate = |(id, &score): (u32, &f32)| Candidate { id, score: finite(score) };
    match mask {
        None => (0..).zip(known).map(candidate).collect(),
        Some(mask) => {
            let scored = mask.iter().filter_map(|id| Some((id, known.get(id as usize)?)));
            scored.map(candidate).collect()
        }
    }
}

fn finite(score: f32) -> f32 {
    if score.is_nan() { f32::MIN } else { score.clamp(f32::MIN, f32::MAX) }
}

/// Adds to the scores of some ids. The candidates are in the order of their ids.
pub(crate) fn bias(candidates: &mut [Candidate], biases: &[(u32, f32)]) {
    for (id, bias) in biases {
        if let Ok(index) = candidates.binary_search_by_key(id, |candidate| candidate.id) {
            candidates[index].score = finite(candidates[index].score + bias);
        }
    }
}

/// Repetition, presence and frequency penalty. The candidates are in the order of their ids.
pub(crate) fn penalize(
    candidates: &mut [Candidate],
    occurrences: &FxHashMap<u32, Occurrences>,
    sampling: &Sampling,
) {
    for (id, occurrences) in occurrences {
        let Ok(index) = candidates.binary_search_by_key(id, |candidate| candidate.id) else {
            continue;
        };
        let score = &mut candidates[index].score;
        let factor = sampling.repetition_penalty;
        *score = if *score > 0.0 { *score / factor } else { *score * factor };
        if occurrences.in_text > 0 {
            *score -= sampling.presence_penalty;
            *score -= sampling.frequency_penalty * occurrences.in_text as f32;
        }
        *score = finite(*score);
    }
}

/// The likeliest candidate; of several the one with the lowest id.
pub(crate) fn likeliest(candidates: &[Candidate]) -> Option<Candidate> {
    candidates.iter().copied().min_by(by_score)
}

/// Divides by the temperature, which is above zero, and turns logits to weights.
pub(crate) fn to_weights(candidates: &mut [Candidate], temperature: f32) {
    let Some(Candidate { score: max, .. }) = likeliest(candidates) else { return };
    for candidate in candidates {
        candidate.score = ((candidate.score - max) / temperature).exp();
    }
}

/// Keeps the `k` likeliest.
pub(crate) fn keep_top_k(candidates: &mut Vec<Candidate>, k: usize) {
    if k < candidates.len() {
        candidates.select_nth_unstable_by(k, by_score);
        candidates.truncate(k);
    }
}

/// Keeps the fewest of the likeliest whose share of all the weight is at least `p`.
pub(crate) fn keep_top_p(candidates: &mut Vec<Candidate>, p: f32) {
    if p >= 1.0 || candidates.is_empty() {
        return;
    }
    let wanted = f64::from(p) * total(candidates);
    let n_kept = nucleus(candidates, wanted);
    candidates.truncate(n_kept);
}

/// Brings the likeliest to the front, in order, and counts how many of them reach the weight.
/// Vocabularies are large and nuclei are small, so only a part is sorted.
fn nucleus(candidates: &mut [Candidate], wanted: f64) -> usize {
    let mut n_sorted = 64;
    loop {
        n_sorted = n_sorted.min(candidates.len());
        if n_sorted < candidates.len() {
            candidates.select_nth_unstable_by(n_sorted, by_score);
        }
        candidates[..n_sorted].sort_unstable_by(by_score);
        let mut sum = 0.0;
        let reaches = |candidate: &Candidate| {
            sum += f64::from(candidate.score);
            sum >= wanted
        };
        if let Some(last) = candidates[..n_sorted].iter().position(reaches) {
            return last + 1;
        }
        if n_sorted == candidates.len() {
            return n_sorted;
        }
        n_sorted *= 4;
    }
}

/// Keeps those at least `p` times as likely as the likeliest.
pub(crate) fn keep_min_p(candidates: &mut Vec<Candidate>, p: f32) {
    let max = likeliest(candidates).map_or(0.0, |candidate| candidate.score);
    candidates.retain(|candidate| candidate.score >= p * max);
}

/// Keeps the fewest candidates whose share of all the weight is at least `p`, those first whose
/// surprise, the negative logarithm of a probability, is nearest to its mean.
pub(crate) fn keep_typical_p(candidates: &mut Vec<Candidate>, p: f32) {
    let sum = total(candidates);
    if p >= 1.0 || sum <= 0.0 {
        return;
    }
    let probability = |candidate: &Candidate| f64::from(candidate.score) / sum;
    let surprise = |candidate: &Candidate| -probability(candidate).ln();
    let possible = candidates.iter().filter(|candidate| candidate.score > 0.0);
    let mean: f64 = possible.map(|candidate| probability(candidate) * surprise(candidate)).sum();
    let distance = |candidate: &Candidate| (surprise(candidate) - mean).abs();
    candidates.sort_by(|a, b| distance(a).total_cmp(&distance(b)).then(a.id.cmp(&b.id)));
    let mut share = 0.0;
    let enough = candidates.iter().position(|candidate| {
        share += probability(candidate);
        share >= f64::from(p)
    });
    candidates.truncate(enough.map_or(candidates.len(), |last| last + 1));
}

/// The candidate at a point from 0 to 1 of the whole weight.
pub(crate) fn draw(candidates: &mut [Candidate], point: f64) -> Option<u32> {
    candidates.sort_unstable_by_key(|candidate| candidate.id);
    let mut rest = point * total(candidates);
    for candidate in &*candidates {
        rest -= f64::from(candidate.score);
        if rest < 0.0 {
            return Some(candidate.id);
        }
    }
    likeliest(candidates).map(|candidate| candidate.id)
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates.iter().map(|candidate| f64::from(candidate.score)).sum()
}

/// Likeliest first, equal ones by their ids: an order without ties.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "what sorting asks for")]
fn by_score(a: &Candidate, b: &Candidate) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scores: &[f32]) -> Vec<Candidate> {
        (0..).zip(scores).map(|(id, &score)| Candidate { id, score }).collect()
    }

    fn ids(candidates: &[Candidate]) -> Vec<u32> {
        let mut ids: Vec<u32> = candidates.iter().map(|candidate| candidate.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_bias_stays_finite_and_leaves_others_alone() {
        let mut candidates = list(&[1.0, f32::MAX, f32::MIN]);
        bias(&mut candidates, &[(0, -100.0), (1, 100.0), (2, -100.0), (7, 1.0)]);
        assert_eq!(candidates, list(&[-99.0, f32::MAX, f32::MIN]));
    }

    #[test]
    fn ids_beyond_the_vocabulary_are_no_candidates() {
        assert_eq!(ids(&candidates(&[1.0, 2.0, 9.0], 2, None)), [0, 1]);
        assert_eq!(ids(&candidates(&[1.0], 2, None)), [0]);
    }

    #[test]
    fn broken_logits_come_last() {
        let broken = [f32::NAN, f32::NEG_INFINITY, -5.0, f32::INFINITY];
        let candidates = candidates(&broken, 4, None);
        assert_eq!(likeliest(&candidates).unwrap().id, 3);
        assert_eq!(likeliest(&candidates[..3]).unwrap().id, 2);
        let mut worst = candidates[..2].to_vec();
        to_weights(&mut worst, 0.1);
        assert_eq!(worst, list(&[1.0, 1.0]));
    }

    #[test]
    fn penalties_follow_their_definitions() {
        let seen = |in_prompt, in_text| Occurrences { in_prompt, in_text };
        let occurrences = FxHashMap::from_iter([(0, seen(1, 0)), (1, seen(0, 3)), (7, seen(1, 1))]);
        let sampling = Sampling {
            repetition_penalty: 2.0,
            presence_penalty: 0.5,
            frequency_penalty: 0.25,
            ..Sampling::default()
        };
        let mut candidates = list(&[4.0, -4.0, 4.0]);
        penalize(&mut candidates, &occurrences, &sampling);
        assert_eq!(candidates, list(&[2.0, -8.0 - 0.5 - 0.75, 4.0]));
    }

    #[test]
    fn top_k_keeps_the_likeliest_and_the_lower_id_of_equals() {
        let mut candidates = list(&[1.0, 3.0, 2.0, 2.0]);
        keep_top_k(&mut candidates, 2);
        assert_eq!(ids(&candidates), [1, 2]);
        keep_top_k(&mut candidates, 9);
        assert_eq!(ids(&candidates), [1, 2]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        for (p, kept) in [(0.3, &[1][..]), (0.5, &[1]), (0.51, &[1, 2]), (0.99, &[0, 1, 2])] {
            let mut candidates = list(&[2.0, 5.0, 3.0]);
            keep_top_p(&mut candidates, p);
            assert_eq!(ids(&candidates), kept, "top_p {p}");
        }
    }

    #[test]
    fn top_p_finds_large_nuclei() {
        let mut candidates = list(&[1.0; 1000]);
        keep_top_p(&mut candidates, 0.5);
        assert_eq!(ids(&candidates), (0..500).collect::<Vec<u32>>());
    }

    #[test]
    fn min_p_is_relative_to_the_likeliest() {
        let mut candidates = list(&[0.1, 0.5, 0.05, 0.04]);
        keep_min_p(&mut candidates, 0.1);
        assert_eq!(ids(&candidates), [0, 1, 2]);
        keep_min_p(&mut candidates, 1.0);
        assert_eq!(ids(&candidates), [1]);
    }

    #[test]
    fn typical_p_keeps_what_is_about_as_surprising_as_expected() {
        // Surprises are 0.69, 1.20, 1.90 and 3.00, and 1.14 are expected.
        let scores = [0.5, 0.3, 0.15, 0.05];
        for (p, kept) in [
            (0.2, &[1][..]),
            (0.31, &[0, 1]),
            (0.81, &[0, 1, 2]),
            (0.96, &[0, 1, 2, 3]),
            (1.0, &[0, 1, 2, 3]),
        ] {
            let mut candidates = list(&scores);
            keep_typical_p(&mut candidates, p);
            assert_eq!(ids(&candidates), kept, "typical_p {p}");
        }
        let mut candidates = list(&[1.0, 0.0, 0.0]);
        keep_typical_p(&mut candidates, 0.5);
        assert_eq!(ids(&candidates), [0]);
    }

    #[test]
    fn draws_by_weight() {
        let mut candidates = list(&[1.0, 2.0, 0.0, 1.0]);
        for (point, id) in [(0.0, 0), (0.24, 0), (0.26, 1), (0.74, 1), (0.76, 3), (1.0, 1)] {
            assert_eq!(draw(&mut candidates, point), Some(id), "at {point}");
        }
        assert_eq!(draw(&mut [], 0.5), None);
    }
}
