//! [`Activity`]: what a served model has done and has to do, for those who watch it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Counts since the model was loaded, and sizes as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Forward passes over the batch.
    pub n_steps: u64,
    /// Sequences that these advanced, each counted once a step.
    pub n_advanced: u64,
    /// Tokens of prompts, as far as they were read or known.
    pub n_prompt_tokens: u64,
    /// Those of them that weren't read, as other prompts had begun with them.
    pub n_reused_tokens: u64,
    /// Tokens that were generated, with forced ones, and with those that a stop text cut off.
    pub n_tokens: u64,
    /// Tokens that constraints forced.
    pub n_forced_tokens: u64,
    /// The time of forward passes, summed over threads. A thread that waits for others in one may do
    /// their work meanwhile, which then counts for both.
    pub forward_time: Duration,
    /// The time of token masks, which are computed beside them, summed over threads in the same way.
    pub mask_time: Duration,
    /// Sequences in the batch.
    pub n_running: u64,
    /// Sequences that wait for a place in it.
    pub n_waiting: u64,
    /// Tokens in the KV caches of the batch; those that sequences share count for each.
    pub n_cached_tokens: u64,
    /// Bytes of all keys and values that are held, for the batch and for texts to come.
    pub n_cached_bytes: u64,
}

/// [`Activity`] as threads write it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) n_steps: Counter,
    pub(crate) n_advanced: Counter,
    pub(crate) n_prompt_tokens: Counter,
    pub(crate) n_reused_tokens: Counter,
    pub(crate) n_tokens: Counter,
    pub(crate) n_forced_tokens: Counter,
    forward_nanoseconds: Counter,
    mask_nanoseconds: Counter,
    pub(crate) n_running: Counter,
    pub(crate) n_waiting: Counter,
    pub(crate) n_cached_tokens: Counter,
    pub(crate) n_cached_bytes: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: usize) {
        self.0.store(n as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn time_forward<T>(&self, function: impl FnOnce() -> T) -> T {
        time(&self.forward_nanoseconds, function)
    }

    pub(crate) fn time_masks<T>(&self, function: impl FnOnce() -> T) -> T {
        time(&self.mask_nanoseconds, function)
    }

    pub(crate) fn read(&self) -> Activity {
        Activity {
            n_steps: self.n_steps.get(),
            n_advanced: self.n_advanced.get(),
            n_prompt_tokens: self.n_prompt_tokens.get(),
            n_reused_tokens: self.n_reused_tokens.get(),
            n_tokens: self.n_tokens.get(),
            n_forced_tokens: self.n_forced_tokens.get(),
            forward_time: Duration::from_nanos(self.forward_nanoseconds.get()),
            mask_time: Duration::from_nanos(self.mask_nanoseconds.get()),
            n_running: self.n_running.get(),
            n_waiting: self.n_waiting.get(),
            n_cached_tokens: self.n_cached_tokens.get(),
            n_cached_bytes: self.n_cached_bytes.get(),
        }
    }
}

fn time<T>(counter: &Counter, function: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = function();
    counter.add(start.elapsed().as_nanos() as usize);
    value
}
