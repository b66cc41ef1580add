//! [`LogitsProcessor`]: a function of the caller's between a model and the draw of a token.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::device::panic_message;
use crate::error::Error;

/// Changes the logits of the next token, before the constraint's mask and all steps of
/// [`Sampling`](crate::Sampling).
///
/// It is called wherever a token is sampled, in the section before the text, too; not for tokens that a
/// constraint forces. What the logits become can't break a constraint: of tokens that it doesn't allow
/// none is drawn. Those that are no numbers count as the lowest.
///
/// It runs on the model's thread, where all requests wait for it. A panic fails the request with
/// [`Error::LogitsProcessorFailed`], and no other one. The functions of several requests may be called at
/// once; of one request, they are not. A closure is one, too:
///
/// ```
/// use std::sync::Arc;
/// use espalier_inference::Request;
///
/// // Never the same token twice in a row.
/// let no_echo = |tokens: &[u32], logits: &mut [f32]| {
///     if let Some(&last) = tokens.last() {
///         logits[last as usize] = f32::NEG_INFINITY;
///     }
/// };
/// let request = Request { logits_processors: vec![Arc::new(no_echo)], ..Request::new(vec![1], 16) };
/// # assert_eq!(request.logits_processors.len(), 1);
/// ```
pub trait LogitsProcessor: Send + Sync {
    /// `tokens` are the ids of the prompt and of what was generated; `logits` has one for each id of the
    /// model, of which the last ones may have no token.
    fn process(&self, tokens: &[u32], logits: &mut [f32]);
}

impl<F: Fn(&[u32], &mut [f32]) + Send + Sync> LogitsProcessor for F {
    fn process(&self, tokens: &[u32], logits: &mut [f32]) {
        self(tokens, logits);
    }
}

impl fmt::Debug for dyn LogitsProcessor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LogitsProcessor")
    }
}

/// The logits as the processors leave them, one after the other.
pub(crate) fn processed<'a>(
    processors: &[Arc<dyn LogitsProcessor>],
    tokens: &[u32],
    logits: &'a [f32],
) -> Result<Cow<'a, [f32]>, Error> {
    if processors.is_empty() {
        return Ok(Cow::Borrowed(logits));
    }
    let mut logits = logits.to_vec();
    let process = || processors.iter().for_each(|processor| processor.process(tokens, &mut logits));
    match catch_unwind(AssertUnwindSafe(process)) {
        Ok(()) => Ok(Cow::Owned(logits)),
        Err(panic) => Err(Error::LogitsProcessorFailed { detail: panic_message(&*panic) }),
    }
}
