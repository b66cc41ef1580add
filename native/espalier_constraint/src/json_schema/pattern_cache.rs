//! [`compiled`]: automata of patterns, made once per process as long as they are in use.
//!
//! Schemas share patterns more often than not, and an automaton takes longer to make than all the rest
//! of a schema. What one costs is spent whether it is there or not, so that fuel does not depend on what
//! was compiled before.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::dfa::Dfa;
use crate::error::Error;
use crate::generations::Generations;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::regex;

/// The automata that are kept may take so many bytes.
const MAX_BYTES: usize = 16 << 20;

#[derive(Clone, Debug)]
struct Compiled {
    dfa: Arc<Dfa>,
    /// The fuel that it took.
    spent: usize,
    /// Those that it was made within.
    limits: Limits,
}

static COMPILED: LazyLock<Mutex<Generations<String, Compiled>>> =
    LazyLock::new(|| Mutex::new(Generations::new(MAX_BYTES)));

/// The automaton of a pattern of ECMA 262.
///
/// # Errors
/// As [`regex::compile_ecma`].
pub(super) fn compiled(pattern: &str, meter: &Meter) -> Result<Arc<Dfa>, Error> {
    let all = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all().get(pattern).filter(|known| known.limits == *meter.limits()) {
        meter.spend(known.spent)?;
        return Ok(known.dfa.clone());
    }
    let before = meter.left();
    let dfa = Arc::new(regex::compile_ecma(pattern, meter)?);
    let (spent, limits) = (before - meter.left(), meter.limits().clone());
    let n_bytes = dfa.memory() + pattern.len() + size_of::<Compiled>();
    all().insert(pattern.to_owned(), Compiled { dfa: dfa.clone(), spent, limits }, n_bytes);
    Ok(dfa)
}
