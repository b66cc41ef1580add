//! Random walks: texts that a constraint writes when the model has no opinion.

use std::sync::Arc;

use espalier_constraint::{Constraint, Matcher, TokenMask};

use super::following::bytes_of;
use super::random::Random;

/// A matcher somewhere in the middle of a text.
pub(crate) struct Walk {
    pub(crate) matcher: Matcher,
    pub(crate) tokens: Vec<u32>,
    /// The mask before each token, and the one after them all.
    pub(crate) masks: Vec<Arc<TokenMask>>,
}

impl Walk {
    /// Takes up to `n_steps` random tokens, and stops where the text has to end.
    pub(crate) fn random(constraint: &Constraint, n_steps: usize, random: &mut Random) -> Self {
        let mut matcher = constraint.matcher();
        let mask = matcher.compute_mask().expect("a mask");
        let mut walk = Self { matcher, tokens: Vec::new(), masks: vec![mask] };
        for _ in 0..n_steps {
            let Some(token) = walk.random_token(constraint, random) else { break };
            walk.push(token);
        }
        walk
    }

    /// The text so far.
    pub(crate) fn text(&self, constraint: &Constraint) -> Vec<u8> {
        bytes_of(constraint.vocabulary(), &self.tokens)
    }

    pub(crate) fn mask(&self) -> &Arc<TokenMask> {
        self.masks.last().expect("the first mask")
    }

    fn push(&mut self, token: u32) {
        self.matcher.accept_token(token).expect("a token of the mask is accepted");
        self.tokens.push(token);
        self.masks.push(self.matcher.compute_mask().expect("a mask"));
    }

    /// An allowed token that does not end the sequence; half of the time one of several bytes.
    fn random_token(&self, constraint: &Constraint, random: &mut Random) -> Option<u32> {
        let vocabulary = constraint.vocabulary();
        let length = |id: u32| vocabulary.token_bytes(id).map_or(0, <[u8]>::len);
        let allowed: Vec<u32> =
            self.mask().iter().filter(|id| !vocabulary.eos_ids().contains(id)).collect();
        let long: Vec<u32> = allowed.iter().copied().filter(|&id| length(id) > 1).collect();
        let candidates = if long.is_empty() || random.one_in(2) { allowed } else { long };
        (!candidates.is_empty()).then(|| *random.pick(&candidates))
    }
}
