//! [`Automata`]: those of the patterns and formats that a schema names.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{format, pattern_cache};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::meter::Meter;

/// What an automaton was made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A pattern of ECMA 262.
    Pattern(String),
    /// The name of a format.
    Format(String),
}

/// The automata of a schema, each made once or loaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Automata {
    used: BTreeMap<Origin, Arc<Dfa>>,
    /// Those that were loaded and are not used yet; then none is made.
    loaded: Option<BTreeMap<Origin, Arc<Dfa>>>,
}

impl Automata {
    /// Those that belong to a schema, all of them.
    pub(crate) fn loaded(automata: BTreeMap<Origin, Arc<Dfa>>) -> Self {
        Self { used: BTreeMap::new(), loaded: Some(automata) }
    }

    /// Those that were asked for, by what they were made from.
    pub(crate) fn used(&self) -> &BTreeMap<Origin, Arc<Dfa>> {
        &self.used
    }

    /// Each that was loaded was asked for.
    pub(crate) fn check_all_used(&self) -> Result<(), Error> {
        match self.loaded.iter().flatten().next() {
            Some((origin, _)) => Err(wrong("none".to_owned(), format!("one for {origin:?}"))),
            None => Ok(()),
        }
    }

    /// The automaton of a pattern.
    pub(super) fn pattern(&mut self, pattern: &str, meter: &Meter) -> Result<Arc<Dfa>, Error> {
        let make = || pattern_cache::compiled(pattern, meter);
        self.get(Origin::Pattern(pattern.to_owned()), make)
    }

    /// The automaton of a format, if it is known.
    pub(super) fn format(&mut self, name: &str) -> Result<Option<Arc<Dfa>>, Error> {
        let Some(make) = format::automaton(name) else { return Ok(None) };
        self.get(Origin::Format(name.to_owned()), || Ok(make())).map(Some)
    }

    fn get(
        &mut self,
        origin: Origin,
        make: impl FnOnce() -> Result<Arc<Dfa>, Error>,
    ) -> Result<Arc<Dfa>, Error> {
        if let Some(dfa) = self.used.get(&origin) {
            return Ok(dfa.clone());
        }
        let dfa = match &mut self.loaded {
            Some(loaded) => {
                let wrong = || wrong(format!("one for {origin:?}"), "none".to_owned());
                loaded.remove(&origin).ok_or_else(wrong)?
            }
            None => make()?,
        };
        self.used.insert(origin, dfa.clone());
        Ok(dfa)
    }
}

fn wrong(expected: String, got: String) -> Error {
    Error::InvalidSerialized { what: "constraint", part: "automata", expected, got }
}
