//! Languages of decoded strings: a set of literals, or an automaton with bounds on the length.
//!
//! Lengths are counted in characters (Unicode code points), as JSON Schema does.

use std::cell::LazyCell;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::string::Characters;
use crate::dfa::{DEAD, Dfa, classes_of};
use crate::error::Error;
use crate::limits::limit;
use crate::literals::{Literals, Prefix};
use crate::meter::{Meter, Quota};
use crate::token_trie::Bytes;

/// What it costs to try all bytes at one place.
const TRY_ALL: usize = 16;

/// The strings that one alternative of a schema accepts.
#[derive(Debug)]
pub(crate) enum Language {
    /// A list of strings.
    Literals(Literals),
    /// All strings within the bounds but some.
    Any { length: Length, excluded: Literals },
    /// Strings that match a pattern, within the bounds.
    Pattern { dfa: Arc<Dfa>, length: Length, reach: LengthTable },
}

/// Bounds on the number of characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Length {
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

impl Length {
    pub(crate) fn contains(self, n_characters: usize) -> bool {
        n_characters >= self.min as usize && self.max.is_none_or(|max| n_characters <= max as usize)
    }

    pub(crate) fn reduce_max(&mut self, max: u32) {
        self.max = Some(self.max.map_or(max, |other| other.min(max)));
    }

    pub(crate) fn is_empty(self) -> bool {
        self.max.is_some_and(|max| max < self.min)
    }
}

/// How far a string of one [`Language`] has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Reading {
    place: Place,
    /// Characters that were begun, counted only as far as the bounds tell numbers apart; or [`FAR`].
    n_characters: u32,
}

/// In place of a number of characters that is far from all bounds.
const FAR: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Literals(Prefix),
    /// With what was read of the excluded strings, if some begin so.
    Any(Option<Prefix>),
    State(u32),
}

impl Language {
    /// The strings within the bounds but for some; `None` when there are none.
    pub(crate) fn any(length: Length, excluded: Literals) -> Option<Self> {
        let is_only_empty = length.max == Some(0) && excluded.contains(b"");
        (!length.is_empty() && !is_only_empty).then_some(Self::Any { length, excluded })
    }

    /// The strings that match the pattern within the bounds; `None` when there are none.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when the bounds are too large for the pattern.
    pub(crate) fn pattern(
        dfa: Arc<Dfa>,
        length: Length,
        meter: &Meter,
    ) -> Result<Option<Self>, Error> {
        if dfa.start() == DEAD || length.is_empty() {
            return Ok(None);
        }
        let reach = LengthTable::new(&dfa, length, meter)?;
        let is_empty = !reach.contains(dfa.start(), 0);
        Ok((!is_empty).then_some(Self::Pattern { dfa, length, reach }))
    }

    /// About how many bytes it takes beyond itself.
    pub(crate) fn memory(&self) -> usize {
        const TEXT_BYTES: usize = 32;
        match self {
            Self::Literals(texts) | Self::Any { excluded: texts, .. } => {
                texts.iter().map(|text| text.len() + TEXT_BYTES).sum()
            }
            Self::Pattern { reach, .. } => {
                reach.layers.iter().map(|layer| layer.states.len()).sum()
            }
        }
    }

    pub(crate) fn start(&self) -> Reading {
        let place = match self {
            Self::Literals(literals) => Place::Literals(literals.start()),
            Self::Any { excluded, .. } => {
                Place::Any((!excluded.is_empty()).then(|| excluded.start()))
            }
            Self::Pattern { dfa, .. } => Place::State(dfa.start()),
        };
        Reading { place, n_characters: 0 }
    }

    /// One more byte of valid UTF-8; `None` when no string of the language goes on like that.
    pub(crate) fn step(&self, reading: Reading, byte: u8) -> Option<Reading> {
        let begins_character = byte & 0xC0 != 0x80;
        let n_characters = reading.n_characters.saturating_add(u32::from(begins_character));
        match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => {
                let place = Place::Literals(literals.step(prefix, byte)?);
                Some(Reading { place, n_characters: 0 })
            }
            (Self::Any { length, excluded }, Place::Any(prefix)) => {
                let prefix = prefix.and_then(|prefix| excluded.step(prefix, byte));
                let n_characters = length.saturate(n_characters);
                let next = Reading { place: Place::Any(prefix), n_characters };
                let fits = length.max.is_none_or(|max| n_characters <= max);
                (fits && !self.is_certainly_excluded(next)).then_some(next)
            }
            (Self::Pattern { dfa, length, reach }, Place::State(state)) => {
                let state = dfa.step(state, byte)?;
                if n_characters == FAR {
                    return Some(Reading { place: Place::State(state), n_characters });
                }
                let n_characters = length.saturate(n_characters);
                let place = Place::State(state);
                reach.contains(state, n_characters).then_some(Reading { place, n_characters })
            }
            _ => None,
        }
    }

    /// Whether the string may end here.
    pub(crate) fn is_accepting(&self, reading: Reading) -> bool {
        match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => literals.is_complete(prefix),
            (Self::Any { length, excluded }, Place::Any(prefix)) => {
                length.contains(reading.n_characters as usize)
                    && !prefix.is_some_and(|prefix| excluded.is_complete(prefix))
            }
            (Self::Pattern { dfa, length, .. }, Place::State(state)) => {
                dfa.is_accepting(state)
                    && (reading.n_characters == FAR
                        || length.contains(reading.n_characters as usize))
            }
            _ => false,
        }
    }

    /// Whether what was read is an excluded string that can not go on.
    ///
    /// Where one more character may follow there are more continuations than excluded strings.
    fn is_certainly_excluded(&self, reading: Reading) -> bool {
        let (Self::Any { length, excluded }, Place::Any(Some(prefix))) = (self, reading.place)
        else {
            return false;
        };
        length.max.is_some_and(|max| reading.n_characters >= max) && excluded.is_complete(prefix)
    }

    /// The class of a byte: those that no reading tells apart.
    pub(crate) fn byte_class(&self, byte: u8) -> u8 {
        match self {
            Self::Pattern { dfa, .. } => dfa.class(byte),
            Self::Any { excluded, .. } if excluded.is_empty() => 0,
            Self::Any { .. } | Self::Literals(_) => byte,
        }
    }

    /// The same reading for at most so many characters more, when that brings it to no bound.
    pub(crate) fn far_from_bounds(&self, reading: Reading, longest: usize) -> Reading {
        let Self::Pattern { dfa, length, .. } = self else { return reading };
        let is_far = reading.n_characters == FAR
            || reading.n_characters >= length.min
                && length.max.is_none_or(|max| {
                    let left = (max - reading.n_characters) as usize;
                    left >= longest + dfa.greatest_distance() as usize
                });
        if is_far { Reading { n_characters: FAR, ..reading } } else { reading }
    }

    /// Of a pattern with a greatest length: how many characters may follow whatever that is, and how many
    /// at most. `None` where they may not be without.
    pub(crate) fn room(&self, reading: Reading) -> Option<(usize, usize)> {
        let Self::Pattern { dfa, length, .. } = self else { return None };
        let is_near = reading.n_characters != FAR && reading.n_characters >= length.min;
        let left = (length.max? - reading.n_characters) as usize;
        let free = left.checked_sub(dfa.greatest_distance() as usize)?;
        is_near.then_some((free, left))
    }

    /// Whether all texts of that length may follow, but for a few that may not end there.
    pub(crate) fn is_free(&self, reading: Reading, longest: usize) -> bool {
        match self {
            Self::Any { length, .. } => {
                let left = |max: u32| (max - reading.n_characters) as usize;
                length.max.is_none_or(|max| left(max) > longest)
            }
            Self::Literals(_) | Self::Pattern { .. } => false,
        }
    }

    /// The only bytes that may follow, where these are known to be few.
    pub(crate) fn next_bytes(&self, reading: Reading) -> Option<Bytes> {
        match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => literals.next_bytes(prefix),
            (Self::Pattern { dfa, .. }, Place::State(state)) => dfa.next_bytes(state),
            _ => None,
        }
    }

    /// The only characters that may follow, where these are known to be few.
    pub(crate) fn next_characters(&self, reading: Reading) -> Option<Characters> {
        match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => literals.next_characters(prefix),
            _ => None,
        }
    }

    /// What may follow up to the end, where that is a list.
    pub(crate) fn listed(&self, reading: Reading) -> Option<impl Iterator<Item = &[u8]>> {
        match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => Some(literals.suffixes(prefix)),
            _ => None,
        }
    }

    /// How many characters must and may follow, whichever they are; `None` when it matters which.
    pub(crate) fn free_bounds(&self, reading: Reading) -> Option<(usize, usize)> {
        let (Self::Any { length, .. }, Place::Any(None)) = (self, reading.place) else {
            return None;
        };
        let min = length.min.saturating_sub(reading.n_characters) as usize;
        let max = length.max.map_or(usize::MAX, |max| (max - reading.n_characters) as usize);
        Some((min, max))
    }

    /// How many bytes [`shortest_suffix`](Self::shortest_suffix) has at least, as far as that is seen
    /// at a glance.
    pub(crate) fn least_length(&self, reading: Reading) -> usize {
        match self {
            Self::Any { length, .. } | Self::Pattern { length, .. } => {
                length.min.saturating_sub(reading.n_characters) as usize
            }
            Self::Literals(_) => 0,
        }
    }

    /// A short text that completes the string, in UTF-8; without bounds on the length one of the
    /// shortest.
    pub(crate) fn shortest_suffix(
        &self,
        reading: Reading,
        meter: &Meter,
    ) -> Result<Vec<u8>, Error> {
        Ok(match (self, reading.place) {
            (Self::Literals(literals), Place::Literals(prefix)) => {
                literals.shortest_suffix(prefix).to_vec()
            }
            (Self::Pattern { dfa, length, .. }, Place::State(state))
                if *length == Length::default() =>
            {
                dfa.shortest_suffix(state)
            }
            (Self::Any { .. }, _) => self.fill(reading, meter)?,
            (Self::Pattern { dfa, .. }, _) => self.walk_suffix(dfa, reading, meter)?,
            (Self::Literals(_), _) => Vec::new(),
        })
    }

    /// Letters up to the least length, and on where the text would be an excluded one.
    fn fill(&self, mut reading: Reading, meter: &Meter) -> Result<Vec<u8>, Error> {
        let Place::Any(Some(_)) = reading.place else {
            return Ok(vec![b'a'; self.least_length(reading)]);
        };
        let mut suffix = Vec::new();
        while !self.is_accepting(reading) {
            let mut steps = PREFERRED_BYTES
                .chain(0..=255)
                .filter_map(|byte| Some((byte, self.step(reading, byte)?)));
            let Some((byte, next)) = steps.next() else {
                unreachable!("every step keeps a completion")
            };
            suffix.push(byte);
            limit!(meter.limits(), completion_bytes).check(suffix.len())?;
            meter.spend(TRY_ALL)?;
            reading = next;
        }
        Ok(suffix)
    }

    /// For patterns with bounds on the length: towards acceptance, as far as the bounds allow. In
    /// the end the bounds force it, or each step comes nearer.
    fn walk_suffix(
        &self,
        dfa: &Dfa,
        mut reading: Reading,
        meter: &Meter,
    ) -> Result<Vec<u8>, Error> {
        // One byte of each class.
        let mut seen = [false; 256];
        let is_new = |byte: &u8| !std::mem::replace(&mut seen[usize::from(dfa.class(*byte))], true);
        let tried: Vec<u8> = PREFERRED_BYTES.chain(0..=255).filter(is_new).collect();
        let mut suffix = Vec::new();
        while !self.is_accepting(reading) {
            let steps = tried.iter().filter_map(|&byte| Some((byte, self.step(reading, byte)?)));
            let nearest = steps.min_by_key(|(_, next)| match next.place {
                Place::State(state) => dfa.distance(state),
                _ => 0,
            });
            let Some((byte, next)) = nearest else { unreachable!("every step keeps a completion") };
            suffix.push(byte);
            limit!(meter.limits(), completion_bytes).check(suffix.len())?;
            meter.spend(TRY_ALL)?;
            reading = next;
        }
        Ok(suffix)
    }
}

/// The automaton of all strings of the languages.
pub(crate) fn union(languages: &[&Language], quota: Quota<'_>) -> Result<Arc<Dfa>, Error> {
    if let [Language::Pattern { dfa, length, .. }] = languages
        && *length == Length::default()
    {
        return Ok(dfa.clone());
    }
    let any = Dfa::any_text();
    let (classes, representatives) = classes_of(|byte| {
        let of_languages = languages.iter().map(|language| language.byte_class(byte));
        (any.class(byte), of_languages.collect::<Vec<_>>())
    });
    let start: Vec<Option<Reading>> =
        languages.iter().map(|language| Some(language.start())).collect();
    let union = Dfa::explore(
        (any.start(), start),
        (classes, &representatives),
        quota.costing(1 + languages.len() / 4),
        |(utf8, readings), byte| {
            let steps = languages.iter().zip(readings);
            let next: Vec<_> =
                steps.map(|(language, reading)| language.step((*reading)?, byte)).collect();
            let is_live = next.iter().any(Option::is_some);
            Some((any.step(*utf8, byte)?, is_live.then_some(next)?))
        },
        |(utf8, readings)| {
            let mut readings = languages.iter().zip(readings);
            Ok(any.is_accepting(*utf8)
                && readings.any(|(language, reading)| {
                    reading.is_some_and(|reading| language.is_accepting(reading))
                }))
        },
    );
    union.map(Arc::new)
}

/// Tried first, so that what is made up is readable where that is possible.
const PREFERRED_BYTES: std::ops::RangeInclusive<u8> = b'a'..=b'z';

impl Length {
    /// Numbers that the bounds don't tell apart become equal.
    fn saturate(self, n_characters: u32) -> u32 {
        if self.max.is_some() { n_characters } else { n_characters.min(self.min) }
    }
}

/// For each number of characters read: the states from which the bounds can still be met.
///
/// With an upper bound, the layer of `max` characters holds the accepting states, and each layer
/// below it those that lead there by one more character, and down to `min` the accepting ones
/// too. Without an upper bound, all states are in the layer of `min` characters. Equal neighbours
/// are stored once, and where layers begin to repeat they are not computed again.
#[derive(Debug)]
pub(crate) struct LengthTable {
    /// The most characters that may be read, or that are counted.
    top: u32,
    /// In descending order; each holds for the numbers from its `from` up to the one before.
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    from: u32,
    states: Vec<bool>,
}

impl LengthTable {
    fn new(dfa: &Dfa, length: Length, meter: &Meter) -> Result<Self, Error> {
        let targets = LazyCell::new(|| Targets::new(dfa));
        let mut layers: Vec<Layer> = Vec::new();
        let top = length.max.unwrap_or(length.min);
        let mut from = top;
        loop {
            let above = layers.last().map(|layer| &layer.states[..]);
            let states = match above {
                None if length.max.is_none() => vec![true; dfa.n_states()],
                above => targets.layer(dfa, from >= length.min, above),
            };
            match layers.last_mut() {
                Some(last) if last.states == states => {
                    from = if from >= length.min { length.min } else { 0 };
                    last.from = from;
                }
                _ => layers.push(Layer { from, states }),
            }
            limit!(meter.limits(), pattern_lengths).check(layers.len())?;
            limit!(meter.limits(), pattern_length_bytes).check(layers.len() * dfa.n_states())?;
            meter.spend(1 + dfa.n_states() / 4)?;
            if from == 0 {
                return Ok(Self { top, layers });
            }
            from -= 1;
        }
    }

    fn contains(&self, state: u32, n_characters: u32) -> bool {
        let index = self.layers.partition_point(|layer| layer.from > n_characters);
        n_characters <= self.top && self.layers[index].states[state as usize]
    }
}

/// Where each state leads by a byte that begins a character, and by one that goes on with it.
struct Targets {
    beginning: Vec<Vec<u32>>,
    continuing: Vec<Vec<u32>>,
}

impl Targets {
    fn new(dfa: &Dfa) -> Self {
        let targets = |bytes: fn(u8) -> bool| -> Vec<Vec<u32>> {
            // One byte of each class.
            let bytes = (0..=255u8).filter(|&byte| bytes(byte));
            let by_class: FxHashMap<u8, u8> = bytes.map(|byte| (dfa.class(byte), byte)).collect();
            (0..dfa.n_states() as u32)
                .map(|state| {
                    let steps = by_class.values().filter_map(|&byte| dfa.step(state, byte));
                    let mut targets: Vec<u32> = steps.collect();
                    targets.sort_unstable();
                    targets.dedup();
                    targets
                })
                .collect()
        };
        Self {
            beginning: targets(|byte| byte & 0xC0 != 0x80),
            continuing: targets(|byte| byte & 0xC0 == 0x80),
        }
    }

    /// The states that may accept at once, or lead to the layer above by one more character.
    fn layer(&self, dfa: &Dfa, may_accept: bool, above: Option<&[bool]>) -> Vec<bool> {
        let leads =
            |targets: &[u32], layer: &[bool]| targets.iter().any(|&target| layer[target as usize]);
        let mut layer: Vec<bool> = (0u32..)
            .zip(&self.beginning)
            .map(|(state, targets)| {
                may_accept && dfa.is_accepting(state)
                    || above.is_some_and(|above| leads(targets, above))
            })
            .collect();
        // A character has at most three bytes after its first.
        for _ in 0..3 {
            for (state, targets) in self.continuing.iter().enumerate() {
                layer[state] = layer[state] || leads(targets, &layer);
            }
        }
        layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex;

    fn language(pattern: &str, min: u32, max: Option<u32>) -> Option<Language> {
        let meter = Meter::unlimited();
        let dfa = Arc::new(regex::compile(pattern, &meter).unwrap());
        Language::pattern(dfa, Length { min, max }, &meter).unwrap()
    }

    fn accepts(language: &Language, text: &str) -> bool {
        let end =
            text.bytes().try_fold(language.start(), |reading, byte| language.step(reading, byte));
        end.is_some_and(|reading| language.is_accepting(reading))
    }

    #[test]
    fn lengths_cut_a_pattern_exactly() {
        let pairs = language("(?:ab)*", 3, Some(6)).unwrap();
        for (text, expected) in
            [("ab", false), ("abab", true), ("ababab", true), ("abababab", false)]
        {
            assert_eq!(accepts(&pairs, text), expected, "{text}");
        }
        assert!(language("(?:ab)*", 3, Some(3)).is_none());
        assert!(language("a{5}", 0, Some(4)).is_none());
    }

    #[test]
    fn a_step_is_refused_when_the_bounds_can_not_be_met() {
        let language = language("a+b?|c+", 2, Some(2)).unwrap();
        let after = |text: &str| {
            text.bytes().try_fold(language.start(), |at, byte| language.step(at, byte))
        };
        assert!(after("ab").is_some() && after("aa").is_some() && after("aaa").is_none());
        let open = super::tests::language("a|b+", 2, None).unwrap();
        assert!(open.step(open.start(), b'a').is_none(), "only one a can come");
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        let language = language("(?s:.)*", 2, Some(2)).unwrap();
        assert!(
            accepts(&language, "é😀") && !accepts(&language, "é") && !accepts(&language, "abc")
        );
        let suffix = language.shortest_suffix(language.start(), &Meter::unlimited());
        assert_eq!(suffix.unwrap(), b"aa");
    }

    #[test]
    fn large_bounds_take_few_layers() {
        let Some(Language::Pattern { reach, .. }) =
            language("[a-z]{0,5}[0-9]*", 10, Some(1_000_000))
        else {
            panic!("some text fits");
        };
        assert!(reach.layers.len() < 50, "{}", reach.layers.len());
    }
}
