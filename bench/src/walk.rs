//! One case through one engine: is it passed, and how long does each mask take?

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};

use crate::cases::TokenizedCase;
use crate::clock;
use crate::engine::{Compiled, Engine, Sequence};

/// What became of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// All valid instances are accepted, all invalid ones refused.
    Passed,
    /// The schema is refused, or reading was given up.
    Refused,
    /// A valid instance is refused.
    ValidRefused,
    /// An invalid instance is accepted.
    InvalidAccepted,
}

/// What was measured of one case, in microseconds of processor time.
#[derive(Serialize, Deserialize)]
pub struct Outcome {
    /// What became of it.
    pub verdict: Verdict,
    /// From the schema's text to the first mask, if it came to that.
    pub first_mask: Option<f64>,
    /// Each further mask, with the token before it.
    pub masks: Vec<f64>,
    /// The same masks again: another walk along the same texts with the same constraint. Only of a
    /// case that is passed.
    pub second_walk: Vec<f64>,
    /// Everything up to the second walk together.
    pub total: f64,
    /// The most memory that it took, in MiB, where that is known.
    pub memory: Option<f64>,
}

impl Outcome {
    /// A case that was refused after so many microseconds.
    #[must_use]
    pub fn refused(total: f64) -> Self {
        let (masks, second_walk) = (Vec::new(), Vec::new());
        Self {
            verdict: Verdict::Refused,
            first_mask: None,
            masks,
            second_walk,
            total,
            memory: None,
        }
    }
}

/// Compiles the case, reads its texts, and reads them once more if it is passed.
pub fn outcome(engine: &dyn Engine, case: &TokenizedCase) -> Outcome {
    let mut outcome = Outcome::refused(0.0);
    let (total, compiled) = clock::measured(|| {
        let compiled = first_mask(engine, &case.schema, &mut outcome)?;
        outcome.verdict = verdict(&*compiled, case, &mut outcome.masks)?;
        Ok::<_, anyhow::Error>(compiled)
    });
    outcome.total = total;
    if let Ok(compiled) = compiled
        && outcome.verdict == Verdict::Passed
        && verdict(&*compiled, case, &mut outcome.second_walk).is_err()
    {
        outcome.verdict = Verdict::Refused;
    }
    outcome
}

fn first_mask(
    engine: &dyn Engine,
    schema: &str,
    outcome: &mut Outcome,
) -> Result<Box<dyn Compiled>> {
    let first = || -> Result<Box<dyn Compiled>> {
        let compiled = engine.compile(schema)?;
        compiled.sequence().compute_mask()?;
        Ok(compiled)
    };
    let (time, compiled) = clock::measured(|| quietly(first));
    let compiled = compiled?;
    outcome.first_mask = Some(time);
    Ok(compiled)
}

/// # Errors
/// When the engine gives up at an instance.
fn verdict(compiled: &dyn Compiled, case: &TokenizedCase, times: &mut Vec<f64>) -> Result<Verdict> {
    let mut verdict = Verdict::Passed;
    for text in &case.texts {
        let is_accepted = quietly(|| accepts(&mut *compiled.sequence(), &text.tokens, times))?;
        if is_accepted != text.is_valid {
            verdict = if text.is_valid { Verdict::ValidRefused } else { Verdict::InvalidAccepted };
        }
    }
    Ok(verdict)
}

/// Whether the text is accepted to its end.
fn accepts(sequence: &mut dyn Sequence, tokens: &[u32], times: &mut Vec<f64>) -> Result<bool> {
    sequence.compute_mask()?;
    for &token in tokens {
        if !sequence.is_allowed(token) {
            return Ok(false);
        }
        let (time, next) = clock::measured(|| {
            sequence.accept(token)?;
            sequence.compute_mask()
        });
        next?;
        times.push(time);
    }
    Ok(sequence.may_end())
}

/// A panic is an error like others.
fn quietly<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(anyhow!("panic")))
}
