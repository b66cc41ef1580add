//! What Elixir holds references to. Immutable things need no lock.
//!
//! Each is declared safe to look at after a panic: what is immutable stays whole, and a matcher
//! that a panic left half changed is behind a poisoned mutex.

use std::panic::RefUnwindSafe;
use std::sync::{Arc, Mutex};

use espalier_constraint::{Constraint, Matcher, Vocabulary};
use rustler::Resource;

pub(crate) struct VocabularyRef(pub(crate) Arc<Vocabulary>);

#[rustler::resource_impl]
impl Resource for VocabularyRef {}

impl RefUnwindSafe for VocabularyRef {}

pub(crate) struct ConstraintRef(pub(crate) Constraint);

#[rustler::resource_impl]
impl Resource for ConstraintRef {}

impl RefUnwindSafe for ConstraintRef {}

/// Locked for the length of one call, on dirty schedulers only.
pub(crate) struct MatcherRef(pub(crate) Mutex<Matcher>);

#[rustler::resource_impl]
impl Resource for MatcherRef {}

impl RefUnwindSafe for MatcherRef {}
