//! What the statements of an alternative leave of booleans, numbers and strings.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::NumberStyle;
use super::decimal::{Decimal, MAX_PLACES};
use super::language::{Language, Length};
use super::multiples::{Multiples, NoMultiples};
use super::number_range::{Bound, NumberRange};
use super::schema::{Constants, Kind, Literal, Schema, Types};
use crate::dfa::{DEAD, Dfa};
use crate::error::Error;
use crate::limits::{Limit, limit};
use crate::literals::Literals;
use crate::meter::Quota;

/// Automata of patterns that hold, or don't, together: of all that were asked for, and of their first ones.
pub(super) type Products = FxHashMap<Vec<(usize, bool)>, Arc<Dfa>>;

/// The booleans that satisfy the statements.
pub(super) fn booleans(schema: &Schema, literals: &[Literal]) -> Vec<&'static [u8]> {
    let is_allowed = |value: bool| {
        constants(schema, literals)
            .all(|(constants, is_negated)| constants.booleans[usize::from(value)] != is_negated)
    };
    let words = [(false, b"false".as_slice()), (true, b"true".as_slice())];
    words.into_iter().filter(|(value, _)| is_allowed(*value)).map(|(_, word)| word).collect()
}

/// Each value of `enum` and `const` with whether it is excluded.
fn constants<'a>(
    schema: &'a Schema,
    literals: &'a [Literal],
) -> impl Iterator<Item = (&'a Constants, bool)> {
    literals.iter().filter_map(|literal| match schema.kind(*literal) {
        Kind::Constants(constants) => Some((constants, literal.is_negated())),
        _ => None,
    })
}

/// The numbers that satisfy the statements, as ranges.
pub(super) fn numbers(
    schema: &Schema,
    literals: &[Literal],
    style: NumberStyle,
) -> Result<Vec<NumberRange>, Error> {
    let Some(mut range) = range(schema, literals, style)? else { return Ok(Vec::new()) };
    let all = || constants(schema, literals);
    if let Some((first, _)) = all().find(|(_, is_negated)| !is_negated) {
        schema.meter.spend(first.numbers.len() * (range.work() + literals.len() / 4))?;
        let values = first.numbers.iter().filter(|value| {
            range.contains(value)
                && all().all(|(constants, is_negated)| {
                    constants.numbers.binary_search(value).is_ok() != is_negated
                })
        });
        return Ok(values.map(|value| range.exactly(value.clone())).collect());
    }
    let mut excluded: Vec<_> = all().flat_map(|(constants, _)| &constants.numbers).collect();
    excluded.sort_unstable();
    excluded.dedup();
    let limits = schema.meter.limits();
    limit!(limits, excluded_numbers).check(excluded.len())?;
    let mut excluded: Vec<Decimal> =
        excluded.into_iter().filter(|value| range.contains(value)).cloned().collect();
    if range.is_integer || range.multiples.is_some() {
        if style == NumberStyle::Any {
            let is_far = |value: &mut Decimal| value.n_trailing_zeros().abs() > MAX_PLACES;
            range.left_out = excluded.extract_if(.., is_far).collect();
        } else {
            let places = limit!(limits, excluded_number_places);
            let is_near = |value: &Decimal| value.has_places_within(places.value as i64);
            if !excluded.iter().all(is_near) {
                return Err(places.exceeded());
            }
        }
    }
    // The range falls apart at each of the others.
    let mut ranges = Vec::new();
    for value in excluded {
        schema.meter.spend(range.work())?;
        let bound = Bound { value, is_exclusive: true };
        let mut below = range.clone();
        below.reduce_upper(bound.clone());
        ranges.extend(below.normalised());
        range.raise_lower(bound);
    }
    ranges.extend(range.normalised());
    Ok(ranges)
}

/// The numbers that satisfy all but constants; `None` where none can.
fn range(
    schema: &Schema,
    literals: &[Literal],
    style: NumberStyle,
) -> Result<Option<NumberRange>, Error> {
    let mut range = NumberRange::default();
    let (mut of, mut not_of) = (Vec::new(), Vec::new());
    for literal in literals {
        match (schema.kind(*literal), literal.is_negated()) {
            (Kind::Lower(bound), false) => range.raise_lower(bound.clone()),
            (Kind::Upper(bound), false) => range.reduce_upper(bound.clone()),
            (Kind::Lower(bound), true) => range.reduce_upper(bound.opposite()),
            (Kind::Upper(bound), true) => range.raise_lower(bound.opposite()),
            (Kind::Types(types), is_negated) => {
                let types = if is_negated { types.complement() } else { *types };
                range.is_integer |= !types.intersects(Types::FRACTION);
                range.is_fraction |= !types.intersects(Types::INTEGER);
            }
            (Kind::SpelledWhole, is_negated) => {
                // Both at once leave nothing.
                let is_both = range.is_spelled_whole == Some(is_negated);
                range.is_integer |= is_both;
                range.is_fraction |= is_both;
                range.is_spelled_whole = Some(!is_negated);
            }
            (Kind::MultipleOf(number), false) => of.push(number.clone()),
            (Kind::MultipleOf(number), true) => not_of.push(number.clone()),
            _ => {}
        }
    }
    // In the plain style integers are spelled as such.
    range.is_fraction |= range.is_spelled_whole == Some(false) && style == NumberStyle::Plain;
    if of.is_empty() && not_of.is_empty() {
        return Ok(Some(range));
    }
    if range.is_integer || range.is_spelled_whole == Some(true) {
        of.push(Decimal::one());
    }
    if std::mem::take(&mut range.is_fraction) {
        not_of.push(Decimal::one());
    }
    match Multiples::new(&of, &not_of, &schema.meter) {
        Ok(multiples) => Ok(Some(NumberRange { multiples: Some(Arc::new(multiples)), ..range })),
        Err(NoMultiples::Unsatisfiable) => Ok(None),
        Err(NoMultiples::Error(error)) => Err(error),
    }
}

/// Whether constants are given, of which none satisfies the rest.
pub(super) fn has_no_constant_number(schema: &Schema, literals: &[Literal]) -> bool {
    let is_given = constants(schema, literals).any(|(_, is_negated)| !is_negated);
    let is_known =
        |ranges: Result<Vec<NumberRange>, Error>| ranges.is_ok_and(|ranges| ranges.is_empty());
    if is_given {
        is_known(numbers(schema, literals, NumberStyle::Any))
    } else {
        range(schema, literals, NumberStyle::Any)
            .is_ok_and(|range| range.and_then(NumberRange::normalised).is_none())
    }
}

/// As [`has_no_constant_number`]; small patterns are looked at, too.
pub(super) fn has_no_constant_string(schema: &Schema, literals: &[Literal]) -> bool {
    const SMALL: Limit = Limit { name: "states", value: 500 };
    let small = Quota::new(&schema.meter, SMALL);
    let length = length(schema, literals);
    let Ok(is_listed) = listed(schema, literals, length) else { return false };
    length.is_empty()
        || is_listed.as_ref().is_some_and(Literals::is_empty)
        || is_listed.is_none() && {
            let mut patterns = patterns(schema, literals).filter(|(_, is_negated)| !is_negated);
            let first = patterns.next().map(|(dfa, _)| (**dfa).clone());
            let both = first.and_then(|first| {
                patterns.try_fold(first, |both, (dfa, _)| both.intersection(dfa, small).ok())
            });
            both.is_some_and(|both| both.start() == DEAD)
        }
}

/// The strings that satisfy the statements; none if there are none.
pub(super) fn strings(
    schema: &Schema,
    literals: &[Literal],
    products: &mut Products,
) -> Result<Option<Language>, Error> {
    let length = length(schema, literals);
    if length.is_empty() {
        return Ok(None);
    }
    if let Some(texts) = listed(schema, literals, length)? {
        return Ok((!texts.is_empty()).then_some(Language::Literals(texts)));
    }
    let excluded = constants(schema, literals);
    let excluded =
        Literals::new(excluded.flat_map(|(constants, _)| constants.strings.clone()).collect());
    let Some(mut dfa) = product(schema, literals, products)? else {
        return Ok(Language::any(length, excluded));
    };
    let quota = product_quota(schema);
    if !excluded.is_empty() {
        let texts = Dfa::of_texts(&excluded, quota)?;
        dfa = Arc::new(dfa.difference(&texts, quota)?);
    }
    Language::pattern(dfa, length, &schema.meter)
}

pub(super) fn length(schema: &Schema, literals: &[Literal]) -> Length {
    let mut length = Length::default();
    for literal in literals {
        match (schema.kind(*literal), literal.is_negated()) {
            (Kind::MinLength(min), false) => length.min = length.min.max(*min),
            (Kind::MaxLength(max), true) => length.min = length.min.max(max + 1),
            (Kind::MaxLength(max), false) => length.reduce_max(*max),
            (Kind::MinLength(min), true) => match min.checked_sub(1) {
                Some(max) => length.reduce_max(max),
                None => return Length { min: 1, max: Some(0) },
            },
            _ => {}
        }
    }
    length
}

/// The strings of `enum` and `const` that satisfy all the rest, if some are given.
fn listed(
    schema: &Schema,
    literals: &[Literal],
    length: Length,
) -> Result<Option<Literals>, Error> {
    let all = || constants(schema, literals);
    let Some((first, _)) = all().find(|(_, is_negated)| !is_negated) else { return Ok(None) };
    schema.meter.spend(first.strings.len() * (1 + literals.len() / 4))?;
    let n_characters = |text: &[u8]| text.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
    let texts = first.strings.iter().filter(|text| {
        length.contains(n_characters(text))
            && all().all(|(constants, is_negated)| {
                constants.strings.binary_search(text).is_ok() != is_negated
            })
            && patterns(schema, literals).all(|(dfa, is_negated)| dfa.accepts(text) != is_negated)
    });
    Ok(Some(Literals::new(texts.cloned().collect())))
}

fn patterns<'a>(
    schema: &'a Schema,
    literals: &'a [Literal],
) -> impl Iterator<Item = (&'a Arc<Dfa>, bool)> {
    literals.iter().filter_map(|literal| match schema.kind(*literal) {
        Kind::Pattern(dfa) => Some((dfa, literal.is_negated())),
        _ => None,
    })
}

/// The automaton of all patterns together, if there are any.
fn product(
    schema: &Schema,
    literals: &[Literal],
    products: &mut Products,
) -> Result<Option<Arc<Dfa>>, Error> {
    let mut patterns: Vec<(&Arc<Dfa>, bool)> = patterns(schema, literals).collect();
    // Those that hold come first, the small ones before: what they leave is often small. The order
    // decides whether a limit is reached, so nothing that differs from run to run may be part of it.
    patterns.sort_by_key(|(dfa, is_negated)| (*is_negated, dfa.n_states()));
    let key_of = |(dfa, is_negated): &(&Arc<Dfa>, bool)| (Arc::as_ptr(dfa) as usize, *is_negated);
    let mut seen = FxHashSet::default();
    patterns.retain(|pattern| seen.insert(key_of(pattern)));
    let key: Vec<(usize, bool)> = patterns.iter().map(key_of).collect();
    let quota = product_quota(schema);
    let mut all: Option<Arc<Dfa>> = None;
    for (index, (dfa, is_negated)) in patterns.into_iter().enumerate() {
        // Many that are asked for begin alike.
        let first = &key[..=index];
        if let Some(product) = products.get(first) {
            all = Some(product.clone());
            continue;
        }
        let combined = match all {
            None if !is_negated => dfa.clone(),
            None => Arc::new(Dfa::any_text().difference(dfa, quota)?),
            Some(all) if is_negated => Arc::new(all.difference(dfa, quota)?),
            Some(all) => Arc::new(all.intersection(dfa, quota)?),
        };
        products.insert(first.to_vec(), combined.clone());
        all = Some(combined);
    }
    Ok(all)
}

fn product_quota(schema: &Schema) -> Quota<'_> {
    Quota::new(&schema.meter, limit!(schema.meter.limits(), product_states))
}
