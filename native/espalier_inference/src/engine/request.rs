//! What goes into a served model and what comes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use espalier_constraint::{Constraint, Vocabulary};

use super::ModelInfo;
use super::worker::Command;
use crate::choice::Choice;
use crate::error::Error;
use crate::logits_processor::LogitsProcessor;
use crate::sampling::Sampling;

/// A text to generate.
#[derive(Clone, Debug)]
pub struct Request {
    /// The ids that the text continues; at least one.
    pub prompt: Vec<u32>,
    /// What the text must be, compiled for the model's vocabulary; any text without one.
    pub constraint: Option<Constraint>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// What changes the logits before that, one after the other.
    pub logits_processors: Vec<Arc<dyn LogitsProcessor>>,
    /// The most tokens that are generated, the end of the text not counted. At least 1; what
    /// exceeds the model's context is cut off.
    pub max_tokens: usize,
    /// A section before the text, if there is one.
    pub reasoning: Option<Reasoning>,
    /// Texts of which the first one ends the text before it, where that is complete.
    pub stop: Vec<String>,
    /// Whether each token comes in an event of its own, one that is sampled with its [`Choice`].
    pub traced: bool,
    /// Requests of a higher priority run before others that wait. 0 is the usual one.
    pub priority: i32,
    /// Who asks, by any number: the callers of those that wait with the same priority take turns.
    pub caller: u64,
}

/// A section before the text, in which a model thinks. It has begun with the prompt, and is no part of
/// the text: neither the constraint nor a stop text says anything about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// The most tokens of it. They are not among those of the text.
    pub max_tokens: usize,
    /// The tokens behind it. It ends where the model writes the first of them, or would end the text, or
    /// has written as many as it may.
    pub closing: Vec<u32>,
}

/// What happens to a request, in order. The last event is `Done` or `Failed`.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The model thinks.
    Reasoning {
        /// The ids, with those that end the section.
        ids: Vec<u32>,
        /// The bytes of those that don't, which can end inside of a UTF-8 character.
        text: Vec<u8>,
    },
    /// The text goes on.
    Tokens {
        /// The ids; one if the request is traced.
        ids: Vec<u32>,
        /// Their bytes, which can end inside of a UTF-8 character.
        text: Vec<u8>,
        /// Whether the constraint left no choice within `max_tokens`, so that nothing was sampled.
        forced: bool,
        /// How the token was chosen, if it was sampled and the request is traced.
        choice: Option<Choice>,
    },
    /// The text is complete.
    Done {
        /// Why it ended.
        finish_reason: FinishReason,
        /// The tokens of the prompt.
        n_prompt_tokens: usize,
        /// Those of them that weren't read, as another request had begun with the same ones.
        n_reused_tokens: usize,
        /// The tokens that were generated, with forced ones, and with those that a stop text cut off.
        n_tokens: usize,
        /// Those of them that the section before the text has.
        n_reasoning_tokens: usize,
        /// The tokens that the constraint forced.
        n_forced_tokens: usize,
        /// The forward passes that the request took part in.
        n_steps: usize,
    },
    /// The text can't be completed.
    Failed(Error),
}

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it, the constraint is complete, or a text was found that ends it.
    Stop,
    /// More than `max_tokens` would have been generated. Under a constraint the text is complete
    /// nevertheless: it was brought to a valid end in time.
    MaxTokens,
    /// It was cancelled.
    Cancelled,
}

/// A running request. Dropping it cancels nothing.
#[derive(Clone, Debug)]
pub struct Generation {
    cancelled: Arc<AtomicBool>,
    commands: Sender<Command>,
}

impl Generation {
    pub(crate) fn new(commands: Sender<Command>) -> Self {
        Self { cancelled: Arc::new(AtomicBool::new(false)), commands }
    }

    /// Ends the request at the next step, with [`FinishReason::Cancelled`].
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        // Where the thread has ended, so has the request.
        let _ = self.commands.send(Command::Wake);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

impl Request {
    /// A request for any text, of the likeliest tokens.
    #[must_use]
    pub fn new(prompt: Vec<u32>, max_tokens: usize) -> Self {
        let sampling = Sampling::default();
        Self {
            prompt,
            constraint: None,
            sampling,
            logits_processors: Vec::new(),
            max_tokens,
            reasoning: None,
            stop: Vec::new(),
            traced: false,
            priority: 0,
            caller: 0,
        }
    }

    /// The request, with as many tokens as fit into the model's context.
    pub(crate) fn checked(
        mut self,
        model: &ModelInfo,
        vocabulary: &Vocabulary,
    ) -> Result<Self, Error> {
        self.sampling.validate()?;
        let unknown = self.sampling.logit_bias.iter().find(|(id, _)| *id as usize >= model.n_ids);
        if let Some((id, _)) = unknown {
            let (option, expected) = ("logit_bias", "ids of the model's tokens");
            return Err(Error::InvalidOption { option, expected, got: id.to_string() });
        }
        self.check_prompt(model)?;
        if self.max_tokens == 0 {
            let (option, expected) = ("max_tokens", "an integer from 1");
            return Err(Error::InvalidOption { option, expected, got: "0".to_owned() });
        }
        if self.stop.iter().any(String::is_empty) {
            let (option, expected) = ("stop", "texts that are not empty");
            return Err(Error::InvalidOption { option, expected, got: "\"\"".to_owned() });
        }
        if let Some(constraint) = &self.constraint {
            check_vocabulary(constraint.vocabulary(), vocabulary)?;
        }
        let n_closing = self.reasoning.as_ref().map_or(0, |reasoning| reasoning.closing.len());
        let n_left = model.max_length - self.prompt.len() - n_closing;
        self.max_tokens = self.max_tokens.min(n_left);
        if let Some(reasoning) = &mut self.reasoning {
            reasoning.max_tokens = reasoning.max_tokens.min(n_left - self.max_tokens);
        }
        Ok(self)
    }

    fn check_prompt(&self, model: &ModelInfo) -> Result<(), Error> {
        if self.prompt.is_empty() {
            return Err(Error::PromptEmpty);
        }
        let closing = self.reasoning.as_ref().map_or(&[][..], |reasoning| &reasoning.closing);
        let n = self.prompt.len() + closing.len();
        if n >= model.max_length {
            return Err(Error::PromptTooLong { n, max: model.max_length });
        }
        match self.prompt.iter().chain(closing).find(|&&id| id as usize >= model.n_ids) {
            Some(&id) => Err(Error::UnknownToken { id, n_ids: model.n_ids }),
            None => Ok(()),
        }
    }
}

/// That the tokens of a constraint are those of the model.
fn check_vocabulary(own: &Vocabulary, model: &Vocabulary) -> Result<(), Error> {
    if std::ptr::eq(own, model) {
        return Ok(());
    }
    let differ = |expected, got| Err(Error::ForeignConstraint { expected, got });
    if own.n_ids() != model.n_ids() {
        return differ(format!("{} ids", model.n_ids()), format!("{} ids", own.n_ids()));
    }
    if own.eos_ids() != model.eos_ids() {
        let ends =
            |vocabulary: &Vocabulary| format!("end-of-sequence ids {:?}", vocabulary.eos_ids());
        return differ(ends(model), ends(own));
    }
    for id in 0..model.n_ids() as u32 {
        if own.token_bytes(id) != model.token_bytes(id) {
            let token = |vocabulary: &Vocabulary| {
                let bytes = vocabulary.token_bytes(id).unwrap_or_default();
                format!("{:?} for id {id}", String::from_utf8_lossy(bytes))
            };
            return differ(token(model), token(own));
        }
    }
    Ok(())
}
