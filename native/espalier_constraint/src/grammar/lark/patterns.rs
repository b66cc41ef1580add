//! [`Patterns`]: terminals as regular expressions, each in one with all that it consists of.

use rustc_hash::{FxHashMap, FxHashSet};

use super::expression::{Body, Definitions, Expression, NameId};
use crate::error::Error;
use crate::grammar::pattern::{CharacterClass, literal};
use crate::grammar::rules::Place;
use crate::limits::limit;
use crate::meter::Meter;

/// The pattern of a terminal or of a part of it.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    tightness: Tightness,
    /// What it matches, if that is one text.
    pub(super) literal: Option<String>,
}

/// What may stand beside a pattern without changing its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tightness {
    /// Only the sign between alternatives.
    Alternatives,
    /// Other patterns, too.
    Sequence,
    /// Quantifiers, too.
    Atom,
}

/// The patterns of all terminals of a grammar.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    by_name: FxHashMap<NameId, Pattern>,
}

impl Patterns {
    /// # Errors
    /// [`Error::RecursiveTerminal`], [`Error::LimitExceeded`] and [`Error::Cancelled`].
    pub(super) fn new(definitions: &Definitions, meter: &Meter) -> Result<Self, Error> {
        let mut patterns = Self::default();
        for definition in &definitions.all {
            if definitions.is_terminal(definition.name) {
                patterns.make(definition.name, definitions, meter)?;
            }
        }
        Ok(patterns)
    }

    pub(super) fn of(&self, name: NameId) -> &Pattern {
        &self.by_name[&name]
    }

    /// Makes the pattern of a terminal after those of its parts.
    fn make(
        &mut self,
        name: NameId,
        definitions: &Definitions,
        meter: &Meter,
    ) -> Result<(), Error> {
        let (mut open, mut names) = (Vec::new(), FxHashSet::default());
        let mut next = Some(name).filter(|name| !self.by_name.contains_key(name));
        loop {
            if let Some(name) = next {
                names.insert(name);
                open.push((name, used(name, definitions)));
            }
            let Some((name, rest)) = open.last_mut() else { return Ok(()) };
            let (name, used) = (*name, rest.pop());
            meter.spend(1)?;
            next = used.map(|(name, _)| name).filter(|name| !self.by_name.contains_key(name));
            match used {
                Some((used, Place { line, column })) if names.contains(&used) => {
                    let name = definitions.name(used).to_owned();
                    return Err(Error::RecursiveTerminal { name, line, column });
                }
                Some(_) => {}
                None => {
                    let pattern = self.of_definition(name, definitions, meter)?;
                    self.by_name.insert(name, pattern);
                    names.remove(&name);
                    open.pop();
                }
            }
        }
    }

    fn of_definition(
        &self,
        name: NameId,
        definitions: &Definitions,
        meter: &Meter,
    ) -> Result<Pattern, Error> {
        let Some(definition) = definitions.definition(name) else {
            unreachable!("names are checked before");
        };
        let bodies = definition.bodies.iter().map(|&body| self.of_body(body, definitions, meter));
        Ok(alternatives(bodies.collect::<Result<_, _>>()?))
    }

    pub(super) fn of_body(
        &self,
        body: Body,
        definitions: &Definitions,
        meter: &Meter,
    ) -> Result<Pattern, Error> {
        let mut parts: Vec<Pattern> = Vec::new();
        let of_part =
            |parts: &mut [Pattern], id: u32| std::mem::take(&mut parts[(id - body.first) as usize]);
        for (_, expression) in definitions.parts(body) {
            let pattern = match expression {
                Expression::Literal { text, ignores_case, .. } => of_literal(text, *ignores_case),
                Expression::Range { first, last, .. } => range(*first, *last),
                Expression::Regex { pattern, .. } => Pattern::of(pattern.clone()),
                Expression::Name { name, .. } => self.of(*name).clone(),
                Expression::Sequence(ids) => {
                    let of: Vec<_> = ids.iter().map(|&id| of_part(&mut parts, id)).collect();
                    sequence(&of)
                }
                Expression::Choice(ids) => {
                    alternatives(ids.iter().map(|&id| of_part(&mut parts, id)).collect())
                }
                Expression::Repeat { of, min, max } => {
                    repeat(&of_part(&mut parts, *of), *min, *max)
                }
                Expression::Json { .. } | Expression::Template { .. } => {
                    unreachable!("they are refused in terminals")
                }
            };
            meter.spend(1 + pattern.text.len() / 16)?;
            limit!(meter.limits(), regex_bytes)
                .check(pattern.text.len())
                .map_err(|error| error.in_terminal(definitions.place(body)))?;
            parts.push(pattern);
        }
        Ok(parts.pop().unwrap_or_default())
    }
}

/// The terminals that a terminal consists of, with the places where they stand.
fn used(name: NameId, definitions: &Definitions) -> Vec<(NameId, Place)> {
    let bodies = definitions.definition(name).into_iter().flat_map(|definition| &definition.bodies);
    let parts = bodies.flat_map(|&body| definitions.parts(body));
    let used = parts.filter_map(|(_, expression)| match expression {
        Expression::Name { name, place } => Some((*name, *place)),
        _ => None,
    });
    used.collect()
}

impl Default for Pattern {
    /// That of the empty text.
    fn default() -> Self {
        Self { text: String::new(), tightness: Tightness::Alternatives, literal: None }
    }
}

impl Pattern {
    pub(super) fn of(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// The pattern where it has to be so tight.
    fn at_least(&self, tightness: Tightness) -> String {
        if self.tightness >= tightness { self.text.clone() } else { format!("(?:{})", self.text) }
    }
}

/// That of a text.
pub(super) fn of_literal(text: &str, ignores_case: bool) -> Pattern {
    if ignores_case {
        let text = format!("(?i:{})", literal(text));
        return Pattern { text, tightness: Tightness::Atom, literal: None };
    }
    let is_one = text.chars().count() == 1;
    let tightness = if is_one { Tightness::Atom } else { Tightness::Sequence };
    Pattern { text: literal(text), tightness, literal: Some(text.to_owned()) }
}

pub(super) fn range(first: char, last: char) -> Pattern {
    let mut class = CharacterClass::new(false);
    class.add_range(first, last);
    Pattern { text: class.pattern(), tightness: Tightness::Atom, literal: None }
}

fn sequence(patterns: &[Pattern]) -> Pattern {
    let text = patterns.iter().map(|pattern| pattern.at_least(Tightness::Sequence)).collect();
    Pattern { text, tightness: Tightness::Sequence, literal: None }
}

pub(super) fn alternatives(mut patterns: Vec<Pattern>) -> Pattern {
    if patterns.len() == 1 {
        return patterns.remove(0);
    }
    let texts: Vec<_> = patterns.into_iter().map(|pattern| pattern.text).collect();
    Pattern::of(texts.join("|"))
}

pub(super) fn repeat(of: &Pattern, min: u32, max: Option<u32>) -> Pattern {
    let quantifier = match (min, max) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (min, None) => format!("{{{min},}}"),
        (min, Some(max)) => format!("{{{min},{max}}}"),
    };
    let text = of.at_least(Tightness::Atom) + &quantifier;
    Pattern { text, tightness: Tightness::Sequence, literal: None }
}
