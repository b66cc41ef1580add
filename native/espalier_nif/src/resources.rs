//! What Elixir holds references to. Immutable things need no lock; the large ones are freed by the reaper.
//!
//! Each is declared safe to look at after a panic: what is immutable stays whole, and a matcher
//! that a panic left half changed is behind a poisoned mutex.

use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use espalier_constraint::{Cancellation, Constraint, Matcher, Vocabulary};
use espalier_inference::{Generation, Model};
use rustler::{Env, LocalPid, Monitor, Resource};

use crate::reaper::Reaped;

pub(crate) struct VocabularyRef(pub(crate) Reaped<Arc<Vocabulary>>);

#[rustler::resource_impl]
impl Resource for VocabularyRef {}

impl RefUnwindSafe for VocabularyRef {}

pub(crate) struct ConstraintRef(pub(crate) Reaped<Constraint>);

#[rustler::resource_impl]
impl Resource for ConstraintRef {}

impl RefUnwindSafe for ConstraintRef {}

/// A constraint that is being compiled. It is given up when the process that asked for it ends.
#[derive(Default)]
pub(crate) struct CompilationRef(pub(crate) Cancellation);

#[rustler::resource_impl]
impl Resource for CompilationRef {
    fn down<'a>(&'a self, _env: Env<'a>, _caller: LocalPid, _monitor: Monitor) {
        self.0.cancel();
    }
}

impl RefUnwindSafe for CompilationRef {}

/// Locked for the length of one call, on dirty schedulers only.
pub(crate) struct MatcherRef(pub(crate) Reaped<Mutex<Matcher>>);

#[rustler::resource_impl]
impl Resource for MatcherRef {}

impl RefUnwindSafe for MatcherRef {}

/// A served model. It stops when the process that loaded it ends.
pub(crate) struct ModelRef(pub(crate) Reaped<Model>);

#[rustler::resource_impl]
impl Resource for ModelRef {
    fn down<'a>(&'a self, _env: Env<'a>, _owner: LocalPid, _monitor: Monitor) {
        self.0.stop();
    }
}

impl RefUnwindSafe for ModelRef {}

/// A running generation. It is cancelled when the process that receives its messages ends.
///
/// The reference exists, and watches that process, before the generation does.
#[derive(Default)]
pub(crate) struct GenerationRef {
    running: OnceLock<Generation>,
    cancelled: AtomicBool,
}

#[rustler::resource_impl]
impl Resource for GenerationRef {
    fn down<'a>(&'a self, _env: Env<'a>, _caller: LocalPid, _monitor: Monitor) {
        self.cancel();
    }
}

impl RefUnwindSafe for GenerationRef {}

impl GenerationRef {
    pub(crate) fn set(&self, generation: Generation) {
        let generation = self.running.get_or_init(|| generation);
        if self.cancelled.load(Ordering::SeqCst) {
            generation.cancel();
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(generation) = self.running.get() {
            generation.cancel();
        }
    }
}
