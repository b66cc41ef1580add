//! [`compiled`]: automata of patterns, kept for the process as long as they are asked for now and then.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(limits: Limits) -> Meter {
        Meter::compiling(limits, None)
    }

    #[test]
    fn a_known_pattern_costs_and_is_limited_as_a_new_one() {
        let pattern = "^(?:made for this test: [a-f0-9]{4,8})+$";
        let spent = || {
            let meter = meter(Limits::default());
            let dfa = compiled(pattern, &meter).unwrap();
            (Limits::default().compile_fuel - meter.left(), dfa)
        };
        let ((cost, new), (again, known)) = (spent(), spent());
        assert!(cost > 0 && cost == again && Arc::ptr_eq(&new, &known));
        let exceeded = |limits: Limits| match compiled(pattern, &meter(limits)) {
            Err(Error::LimitExceeded { limit, .. }) => limit,
            other => panic!("{other:?}"),
        };
        assert_eq!(exceeded(Limits { regex_states: 3, ..Limits::default() }), "regex_states");
        assert_eq!(exceeded(Limits { compile_fuel: cost, ..Limits::default() }), "compile_fuel");
        // It is known within these limits now, and was not within those before.
        let limits = Limits { compile_fuel: cost + 1, ..Limits::default() };
        assert!(compiled(pattern, &meter(limits.clone())).is_ok());
        assert!(compiled(pattern, &meter(limits)).is_ok());
    }
}
