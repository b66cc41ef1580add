//! `Espalier.Matcher`.

use std::sync::{Mutex, PoisonError};

use espalier_constraint::{Error, Matcher};
use rustler::{Binary, Encoder, Env, ResourceArc, Term};

use crate::atoms;
use crate::error::{Done, Fault};
use crate::guard;
use crate::packed::{self, Packed};
use crate::resources::{ConstraintRef, MatcherRef};
use crate::vocabulary::binary;

#[rustler::nif]
fn matcher_new(constraint: ResourceArc<ConstraintRef>) -> Result<ResourceArc<MatcherRef>, Fault> {
    guard::catch(|| Ok(ResourceArc::new(MatcherRef(Mutex::new(constraint.0.matcher()).into()))))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_compute_mask(
    env: Env<'_>,
    matcher: ResourceArc<MatcherRef>,
) -> Result<Binary<'_>, Fault> {
    let mask = locked(&matcher, |matcher| Ok(matcher.compute_mask()?))?;
    Ok(packed::words(env, &mask.to_words()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_accept_token(matcher: ResourceArc<MatcherRef>, token: u32) -> Done {
    locked(&matcher, |matcher| Ok(matcher.accept_token(token)?)).into()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_accept_tokens(matcher: ResourceArc<MatcherRef>, tokens: Packed) -> Done {
    let refused = |(index, error): (usize, Error)| Fault::from(error).with(atoms::index(), index);
    locked(&matcher, |matcher| matcher.accept_tokens(&tokens.0).map_err(refused)).into()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_accept_text(matcher: ResourceArc<MatcherRef>, text: Binary) -> Done {
    locked(&matcher, |matcher| Ok(matcher.accept_text(&text)?)).into()
}

/// Accepts a token and computes the mask after it.
#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_advance(
    env: Env<'_>,
    matcher: ResourceArc<MatcherRef>,
    token: u32,
) -> Result<Binary<'_>, Fault> {
    let mask = locked(&matcher, |matcher| {
        matcher.accept_token(token)?;
        Ok(matcher.compute_mask()?)
    })?;
    Ok(packed::words(env, &mask.to_words()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_validate_tokens(
    matcher: ResourceArc<MatcherRef>,
    tokens: Packed,
) -> Result<usize, Fault> {
    locked(&matcher, |matcher| Ok(matcher.validate_tokens(&tokens.0)?))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_rollback(matcher: ResourceArc<MatcherRef>, n_steps: usize) -> Done {
    locked(&matcher, |matcher| Ok(matcher.rollback(n_steps)?)).into()
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_reset(matcher: ResourceArc<MatcherRef>) -> Done {
    let reset = |matcher: &mut Matcher| {
        matcher.reset();
        Ok(())
    };
    locked(&matcher, reset).into()
}

/// Another matcher, which stands where this one does.
#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_fork(matcher: ResourceArc<MatcherRef>) -> Result<ResourceArc<MatcherRef>, Fault> {
    let fork = locked(&matcher, |matcher| Ok(matcher.clone()))?;
    Ok(ResourceArc::new(MatcherRef(Mutex::new(fork).into())))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_text(env: Env<'_>, matcher: ResourceArc<MatcherRef>) -> Result<Term<'_>, Fault> {
    let text = locked(&matcher, |matcher| Ok(matcher.text()))?;
    Ok(binary(env, &text).encode(env))
}

/// Whether the text may end here, must end here, and has ended.
#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_status(matcher: ResourceArc<MatcherRef>) -> Result<(bool, bool, bool), Fault> {
    locked(&matcher, |matcher| {
        Ok((matcher.is_accepting()?, matcher.must_stop()?, matcher.is_finished()))
    })
}

#[rustler::nif(schedule = "DirtyCpu")]
fn matcher_forced_tokens(matcher: ResourceArc<MatcherRef>) -> Result<Packed, Fault> {
    locked(&matcher, |matcher| Ok(Packed(matcher.forced_tokens()?)))
}

/// Runs the function on the matcher. When it panics the matcher is not to be used any more.
fn locked<T>(
    matcher: &MatcherRef,
    function: impl FnOnce(&mut Matcher) -> Result<T, Fault>,
) -> Result<T, Fault> {
    guard::catch(|| {
        let mut matcher = matcher.0.lock().map_err(poisoned)?;
        function(&mut matcher)
    })
}

fn poisoned<T>(_: PoisonError<T>) -> Fault {
    let message =
        "the matcher can't be used: an earlier call on it hit a bug in the native library";
    Fault::new(atoms::poisoned(), message, [])
}
