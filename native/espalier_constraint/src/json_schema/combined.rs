//! [`combined`]: the strings of a goal whose patterns are combined in more ways than can be looked at one by one.
//!
//! The operations on statements become operations on automata, and what each leaves is made as small as
//! possible. So "none of these, or all of those" is one language and not an alternative for each choice.

use std::sync::Arc;

use super::expand::truth;
use super::goals::JsonType;
use super::language::Language;
use super::scalar;
use super::schema::{Kind, Literal, Schema};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::Limit;
use crate::meter::Quota;
use crate::regex;

/// So few alternatives are fine as they are.
const FEW: usize = 32;
/// Automata with more states take longer than the alternatives do.
const MAX_STATES: Limit = Limit { name: "combined_states", value: 5_000 };
const MAX_DEPTH: usize = 32;
/// Within a choice lengths are automata, too.
const MAX_LENGTH: u32 = 256;

/// The strings that satisfy the literals, as one language or none at all, if the alternatives are many or
/// too many, and patterns and lengths are all that they speak of, and the automata stay small.
pub(super) fn combined<T>(
    schema: &Schema,
    literals: &[Literal],
    alternatives: &Result<Vec<T>, Error>,
) -> Result<Option<Vec<Language>>, Error> {
    let is_for_this = match alternatives {
        Ok(alternatives) => alternatives.len() > FEW,
        Err(error) => matches!(error, Error::LimitExceeded { limit: "alternatives", .. }),
    };
    if !is_for_this {
        return Ok(None);
    }
    let mut lengths = Vec::new();
    let mut open = literals.to_vec();
    let mut all = Dfa::any_text().clone();
    let algebra = Algebra { schema, quota: Quota::new(&schema.meter, MAX_STATES) };
    while let Some(literal) = open.pop() {
        match schema.kind(literal) {
            Kind::All(list) if !literal.is_negated() => open.extend(list),
            Kind::MinLength(_) | Kind::MaxLength(_) => lengths.push(literal),
            _ => match algebra.language(literal, 0).and_then(|dfa| algebra.both(&all, &dfa)) {
                Some(both) => all = both,
                None => return schema.meter.check().map(|()| None),
            },
        }
    }
    let length = scalar::length(schema, &lengths);
    let language = Language::pattern(Arc::new(all), length, &schema.meter)?;
    Ok(Some(language.into_iter().collect()))
}

/// What is made of automata is as small as possible; none where it is too large or something else is asked.
struct Algebra<'a> {
    schema: &'a Schema,
    quota: Quota<'a>,
}

impl Algebra<'_> {
    fn language(&self, literal: Literal, depth: usize) -> Option<Dfa> {
        let any = Dfa::any_text();
        if let Some(truth) = truth(self.schema, JsonType::String, literal, 0) {
            return if truth { Some(any.clone()) } else { self.nothing() };
        }
        if depth == MAX_DEPTH {
            return None;
        }
        let of = |other: &Literal| self.language(*other, depth + 1);
        let language = match self.schema.kind(literal) {
            Kind::Pattern(dfa) => (**dfa).clone(),
            Kind::MinLength(min) => self.characters(*min, &format!("{min},"))?,
            Kind::MaxLength(max) => self.characters(*max, &format!("0,{max}"))?,
            Kind::All(list) => {
                list.iter().try_fold(any.clone(), |all, other| self.both(&all, &of(other)?))?
            }
            Kind::Any(list) => {
                let none = self.nothing()?;
                list.iter().try_fold(none, |some, other| self.either(&some, &of(other)?))?
            }
            Kind::One(list) => {
                let nothing = self.nothing()?;
                let one = list.iter().try_fold((any.clone(), nothing), |(none, one), other| {
                    let other = of(other)?;
                    let first = self.both(&none, &other)?;
                    let still_one = self.without(&one, &other)?;
                    Some((self.without(&none, &other)?, self.either(&still_one, &first)?))
                });
                one?.1
            }
            Kind::If { condition, then, otherwise } => {
                let condition = of(condition)?;
                let then = self.both(&condition, &of(then)?)?;
                self.either(&then, &self.without(&of(otherwise)?, &condition)?)?
            }
            _ => return None,
        };
        if literal.is_negated() { self.without(any, &language) } else { Some(language) }
    }

    /// Texts of so many characters, where the bound is small.
    fn characters(&self, bound: u32, range: &str) -> Option<Dfa> {
        let expression = format!("(?s:.){{{range}}}");
        (bound <= MAX_LENGTH).then(|| regex::compile(&expression, &self.schema.meter))?.ok()
    }

    fn nothing(&self) -> Option<Dfa> {
        self.without(Dfa::any_text(), Dfa::any_text())
    }

    fn both(&self, a: &Dfa, b: &Dfa) -> Option<Dfa> {
        self.small(a.intersection(b, self.quota))
    }

    fn either(&self, a: &Dfa, b: &Dfa) -> Option<Dfa> {
        self.small(a.union(b, self.quota))
    }

    fn without(&self, a: &Dfa, b: &Dfa) -> Option<Dfa> {
        self.small(a.difference(b, self.quota))
    }

    fn small(&self, made: Result<Dfa, Error>) -> Option<Dfa> {
        let made = made.ok()?;
        // About what it costs to find states that are equal.
        self.schema.meter.spend(made.n_states() * made.n_classes() / 8).ok()?;
        Some(made.minimized())
    }
}
