//! [`Guide`]: how a text goes on and when it ends, from its constraint and the tokens that are left.

use std::sync::Arc;

use espalier_constraint::{Matcher, TokenMask};

use super::request::{FinishReason, Reasoning};
use crate::error::Error;

/// What a sampled token, or the start, leads to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Advance {
    /// The token as it was sampled, if it is one of the section before the text.
    pub(crate) reasoning: Option<u32>,
    /// What ends that section.
    pub(crate) closing: Vec<u32>,
    /// The token as it was sampled, unless it ends the text or had to be taken back.
    pub(crate) sampled: Option<u32>,
    /// The tokens that follow without a choice.
    pub(crate) forced: Vec<u32>,
    /// Why the text ends here, if it does.
    pub(crate) finish: Option<FinishReason>,
}

/// Follows one text.
///
/// With a constraint, the shortest completion of the text always fits into the tokens that are
/// left: a token that would leave too few is taken back, and the text is completed instead.
pub(crate) struct Guide {
    /// The section before the text, until it has ended; `max_tokens` are those that are left.
    reasoning: Option<Reasoning>,
    matcher: Option<Matcher>,
    n_tokens: usize,
    max_tokens: usize,
}

impl Guide {
    pub(crate) fn new(
        reasoning: Option<Reasoning>,
        matcher: Option<Matcher>,
        max_tokens: usize,
    ) -> Self {
        Self { reasoning, matcher, n_tokens: 0, max_tokens }
    }

    /// The tokens allowed next; `None` if all are.
    pub(crate) fn compute_mask(&mut self) -> Result<Option<Arc<TokenMask>>, Error> {
        if self.reasoning.is_some() {
            return Ok(None);
        }
        Ok(self.matcher.as_mut().map(Matcher::compute_mask).transpose()?)
    }

    /// What a token is as text under the constraint, which may name special ones.
    pub(crate) fn token_text(&self, id: u32) -> Option<&[u8]> {
        let matcher = self.matcher.as_ref().filter(|_| self.reasoning.is_none())?;
        Some(matcher.token_text(id))
    }

    /// What is forced before anything was sampled. Fails where no valid text fits.
    pub(crate) fn start(&mut self) -> Result<Advance, Error> {
        if !self.completion_fits()? {
            return Err(self.truncated());
        }
        match self.reasoning.take_if(|reasoning| reasoning.max_tokens == 0) {
            Some(Reasoning { closing, .. }) => {
                self.advance_forced(Advance { closing, ..Advance::default() })
            }
            None if self.reasoning.is_some() => Ok(Advance::default()),
            None => self.advance_forced(Advance::default()),
        }
    }

    /// Accepts a sampled token that the mask allows.
    pub(crate) fn accept(&mut self, id: u32, is_eos: bool) -> Result<Advance, Error> {
        if let Some(reasoning) = self.reasoning.take() {
            return self.reason(reasoning, id, is_eos);
        }
        if let Some(matcher) = &mut self.matcher {
            matcher.accept_token(id)?;
        }
        if is_eos {
            return Ok(Advance { finish: Some(FinishReason::Stop), ..Advance::default() });
        }
        self.n_tokens += 1;
        if self.completion_fits()? {
            self.advance_forced(Advance { sampled: Some(id), ..Advance::default() })
        } else {
            self.complete_instead(1, Advance::default())
        }
    }

    /// A token of the section before the text. What would end the whole text ends the section.
    fn reason(
        &mut self,
        mut reasoning: Reasoning,
        id: u32,
        is_eos: bool,
    ) -> Result<Advance, Error> {
        reasoning.max_tokens -= 1;
        let is_end = is_eos || reasoning.closing.first() == Some(&id);
        let sampled = Some(id).filter(|_| !is_end);
        if !is_end && reasoning.max_tokens > 0 {
            self.reasoning = Some(reasoning);
            return Ok(Advance { reasoning: sampled, ..Advance::default() });
        }
        let closing = reasoning.closing;
        self.advance_forced(Advance { reasoning: sampled, closing, ..Advance::default() })
    }

    /// Appends what the constraint forces, as often as it does.
    fn advance_forced(&mut self, mut advance: Advance) -> Result<Advance, Error> {
        while let Some(matcher) = &mut self.matcher {
            let forced = matcher.forced_tokens()?;
            if forced.is_empty() {
                break;
            }
            matcher.accept_tokens(&forced).map_err(|(_, error)| error)?;
            self.n_tokens += forced.len();
            if !self.completion_fits()? {
                return self.complete_instead(forced.len(), advance);
            }
            advance.forced.extend(forced);
        }
        advance.finish = self.finish()?;
        Ok(advance)
    }

    /// Takes back the last tokens and appends the shortest completion from there, which fits.
    fn complete_instead(&mut self, n_back: usize, mut advance: Advance) -> Result<Advance, Error> {
        let Some(matcher) = &mut self.matcher else { return Ok(advance) };
        matcher.rollback(n_back)?;
        let completion = matcher.shortest_completion()?;
        self.n_tokens = self.n_tokens - n_back + completion.len();
        if self.n_tokens > self.max_tokens {
            return Err(self.truncated());
        }
        matcher.accept_tokens(&completion).map_err(|(_, error)| error)?;
        advance.forced.extend(completion);
        advance.finish = Some(FinishReason::MaxTokens);
        Ok(advance)
    }

    /// Whether the text can be completed with the tokens that are left. The bound costs less than
    /// the completion, and is enough nearly always.
    fn completion_fits(&mut self) -> Result<bool, Error> {
        let Some(n_left) = self.max_tokens.checked_sub(self.n_tokens) else { return Ok(false) };
        let Some(matcher) = &mut self.matcher else { return Ok(true) };
        Ok(matcher.completion_bound()? <= n_left || matcher.shortest_completion()?.len() <= n_left)
    }

    fn finish(&mut self) -> Result<Option<FinishReason>, Error> {
        if let Some(matcher) = &mut self.matcher
            && matcher.must_stop()?
        {
            return Ok(Some(FinishReason::Stop));
        }
        // A text whose completion fits into no tokens is complete.
        Ok((self.n_tokens == self.max_tokens).then_some(FinishReason::MaxTokens))
    }

    fn truncated(&self) -> Error {
        Error::Truncated { max_tokens: self.max_tokens, partial: Vec::new() }
    }
}
