//! [`Meter`]: what the work of one call may cost, and whether it goes on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::limits::{Limit, Limits, limit};

/// Ends what runs in another thread.
///
/// A clone is the same handle. What was told to end stays so: each call needs a handle of its own
/// unless they are to end together.
///
/// ```
/// use std::sync::Arc;
/// use espalier_constraint::{Cancellation, Compiler, Error, RegexSyntax, Vocabulary};
///
/// let vocabulary = Arc::new(Vocabulary::new(vec![b"a".to_vec(), Vec::new()], &[1], &[])?);
/// let cancellation = Cancellation::default();
/// cancellation.cancel(); // from any thread
/// let compiled = Compiler::new(&vocabulary).cancellation(cancellation).regex("a", RegexSyntax::Rust);
/// assert_eq!(compiled.unwrap_err(), Error::Cancelled);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// The call ends soon, with [`Error::Cancelled`], unless it ends by itself before.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The fuel that is left to a call, with the limits of the constraint that it works for.
///
/// What loops over input spends from it, about one unit for a hundred instructions. Units are
/// counted and no time is measured, so that what is too much on one machine is too much on all. A
/// clone is the same meter; one thread uses it at a time.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limits: Limits,
    left: AtomicU64,
    /// What the fuel is for.
    fuel: Mutex<Fuel>,
}

#[derive(Debug)]
struct Fuel {
    limit: Limit,
    cancellation: Option<Cancellation>,
}

/// After about so many units it is asked whether the call was cancelled.
const CHECK_EVERY: u64 = 1 << 12;

impl Meter {
    /// A meter with the fuel for compiling.
    pub(crate) fn compiling(limits: Limits, cancellation: Option<Cancellation>) -> Self {
        let limit = limit!(limits, compile_fuel);
        let left = AtomicU64::new(limit.value as u64);
        Self(Arc::new(Inner { limits, left, fuel: Mutex::new(Fuel { limit, cancellation }) }))
    }

    /// A meter for what is known to end.
    pub(crate) fn unlimited() -> Self {
        Self::compiling(Limits { compile_fuel: usize::MAX, ..Limits::default() }, None)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Begins a call on a matcher.
    pub(crate) fn refill(&self, cancellation: Option<&Cancellation>) {
        let limit = limit!(self.limits(), mask_fuel);
        let fuel = Fuel { limit, cancellation: cancellation.cloned() };
        *self.0.fuel.lock().unwrap_or_else(PoisonError::into_inner) = fuel;
        self.0.left.store(limit.value as u64, Relaxed);
    }

    /// Begins a call that has the same fuel as the last one.
    pub(crate) fn restart(&self) {
        let fuel = self.0.fuel.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.left.store(fuel.limit.value as u64, Relaxed);
    }

    /// Spends fuel.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when there is none left, from then on until the next call;
    /// [`Error::Cancelled`].
    pub(crate) fn spend(&self, amount: usize) -> Result<(), Error> {
        let before = self.0.left.load(Relaxed);
        let left = before.saturating_sub(amount as u64);
        self.0.left.store(left, Relaxed);
        if left / CHECK_EVERY != before / CHECK_EVERY || left == 0 {
            return self.check();
        }
        Ok(())
    }

    /// How much is left.
    pub(crate) fn left(&self) -> usize {
        self.0.left.load(Relaxed) as usize
    }

    /// Whether all is spent: what was found out with the last of it may be wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.left.load(Relaxed) == 0
    }

    /// # Errors
    /// As [`spend`](Self::spend).
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fuel = self.0.fuel.lock().unwrap_or_else(PoisonError::into_inner);
        if fuel.cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
            self.0.left.store(0, Relaxed);
            return Err(Error::Cancelled);
        }
        if self.is_empty() { Err(fuel.limit.exceeded()) } else { Ok(()) }
    }
}

/// How much one piece of work may make, and the meter that it spends from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota<'a> {
    meter: &'a Meter,
    limit: Limit,
    /// What making one costs.
    cost: usize,
}

impl<'a> Quota<'a> {
    pub(crate) fn new(meter: &'a Meter, limit: Limit) -> Self {
        Self { meter, limit, cost: 1 }
    }

    /// The same, where making one costs so much.
    pub(crate) fn costing(self, cost: usize) -> Self {
        Self { cost, ..self }
    }

    /// Spends the fuel for making some, of which there are so many then.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] and [`Error::Cancelled`].
    pub(crate) fn spend(&self, n_made: usize, n_all: usize) -> Result<(), Error> {
        self.limit.check(n_all)?;
        self.meter.spend(n_made.saturating_mul(self.cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(compile_fuel: usize, mask_fuel: usize) -> (Meter, Cancellation) {
        let limits = Limits { compile_fuel, mask_fuel, ..Limits::default() };
        let cancellation = Cancellation::default();
        (Meter::compiling(limits, Some(cancellation.clone())), cancellation)
    }

    #[test]
    fn fuel_runs_out_and_comes_back_with_the_next_call() {
        let (meter, _) = meter(10, 20);
        let exceeded = |limit, value| Err(Error::LimitExceeded { limit, value, pointer: None });
        assert_eq!(meter.spend(9), Ok(()));
        assert_eq!(meter.spend(1), exceeded("compile_fuel", 10));
        assert_eq!(meter.spend(0), exceeded("compile_fuel", 10));
        meter.refill(None);
        assert_eq!(meter.spend(19), Ok(()));
        assert_eq!(meter.spend(usize::MAX), exceeded("mask_fuel", 20));
    }

    #[test]
    fn cancelling_ends_the_call() {
        let (meter, cancellation) = meter(1 << 20, 1 << 20);
        assert_eq!(meter.spend(1), Ok(()));
        cancellation.cancel();
        let n_spent = (0..=CHECK_EVERY).find(|_| meter.spend(1) == Err(Error::Cancelled));
        assert!(n_spent.is_some());
        assert_eq!(meter.spend(0), Err(Error::Cancelled));
        meter.refill(None);
        assert_eq!(meter.spend(1), Ok(()));
    }
}
