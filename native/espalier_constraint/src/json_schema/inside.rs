//! [`StringRest`]: the rest of a string value or of a key, walked without making states.

use std::sync::Arc;

use smallvec::SmallVec;

use super::EscapeStyle;
use super::goals::Leaf;
use super::key_classes::Class;
use super::keys::{KeyContent, Keys, OtherStates};
use super::language::{Language, Reading};
use super::machine::JsonMachine;
use super::state::{KeyReading, Place, State, StringReading};
use super::string::{Content, Decoder};
use crate::error::Error;
use crate::free_text::{Free, FreeBounds};
use crate::literals::Prefix;
use crate::machine::{Inside, Move};

/// The rest of a string, from a state on.
pub(crate) struct StringRest {
    decoder: Decoder,
    escapes: EscapeStyle,
    /// Whether it is part of an item that has to be known.
    is_recorded: bool,
    of: Of,
}

enum Of {
    Value(Vec<ValueReading>),
    Key(KeyRest),
}

/// A string value as one alternative reads it.
struct ValueReading {
    leaf: Arc<Leaf>,
    serves: u32,
    reading: Reading,
}

struct KeyRest {
    keys: Arc<Keys>,
    prefix: Option<Prefix>,
    others: OtherStates,
    /// What was read of the key before, where it may be another than the names.
    begun: Vec<u8>,
}

/// How far it was read.
#[derive(Clone)]
pub(crate) struct Position {
    decoder: Decoder,
    read: Read,
}

#[derive(Clone)]
enum Read {
    Value(Readings),
    Key { prefix: Option<Prefix>, others: OtherStates },
}

/// By alternative how it goes on, if it does.
type Readings = SmallVec<[Option<Reading>; 2]>;

/// What matters of a string that has ended.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// A value that serves these.
    Served(SmallVec<[u32; 4]>),
    /// A certain key.
    Key(Vec<u8>),
    /// Any other key of these classes.
    Classes(SmallVec<[Option<Class>; 2]>),
    /// The text as it is spelled.
    Exactly(Vec<u8>),
}

impl JsonMachine {
    /// The rest of the string that the state is inside of, if it is.
    #[expect(clippy::unnecessary_wraps, reason = "finding the keys may fail")]
    pub(super) fn string_rest(&mut self, state: &State) -> Result<Option<StringRest>, Error> {
        let (decoder, of) = match &state.place {
            Place::String { decoder, readings } => {
                let reading = |reading: &StringReading| ValueReading {
                    leaf: self.goals.leaf(reading.leaf).clone(),
                    serves: reading.serves,
                    reading: reading.reading,
                };
                (*decoder, Of::Value(readings.iter().map(reading).collect()))
            }
            Place::Key(KeyReading { decoder, prefix, others, text }) => {
                let keys = self.keys(state.stack)?;
                let begun = match (text, prefix) {
                    (Some(text), _) => self.texts.bytes(*text),
                    _ => Vec::new(),
                };
                let others = others.iter().copied().collect();
                (*decoder, Of::Key(KeyRest { keys, prefix: *prefix, others, begun }))
            }
            _ => return Ok(None),
        };
        let escapes = self.options().escapes;
        Ok(Some(StringRest { decoder, escapes, is_recorded: state.record.is_some(), of }))
    }
}

impl StringRest {
    fn end(&self, position: &Position, path: &[u8]) -> Option<End> {
        if self.is_recorded {
            return Some(End::Exactly(path.to_vec()));
        }
        match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => {
                let mut served: SmallVec<_> = values
                    .iter()
                    .zip(readings)
                    .filter(|(value, reading)| {
                        reading.is_some_and(|reading| value.language().is_accepting(reading))
                    })
                    .map(|(value, _)| value.serves)
                    .collect();
                served.dedup();
                (!served.is_empty()).then_some(End::Served(served))
            }
            (Of::Key(key), Read::Key { prefix, others }) => {
                if others.iter().all(Option::is_none) {
                    let name = prefix.and_then(|prefix| key.keys.names.complete(prefix))?;
                    return Some(End::Key(name.to_vec()));
                }
                let name = [&key.begun[..], &self.decoded(path)].concat();
                if key.keys.special.contains(&name) {
                    return Some(End::Key(name));
                }
                Some(End::Classes(key.classes(others)))
            }
            _ => None,
        }
    }

    /// What was read on the path, as far as it was decoded.
    fn decoded(&self, path: &[u8]) -> Vec<u8> {
        let is_plain = matches!(self.decoder, Decoder::Boundary | Decoder::Inside { .. });
        if is_plain && !path.contains(&b'\\') {
            return path.to_vec();
        }
        let (mut decoder, mut text) = (self.decoder, Collected(Vec::new()));
        for &byte in path {
            let Some((next, pushed)) = decoder.step(&text, byte, self.escapes) else { break };
            decoder = next;
            text = pushed.unwrap_or(text);
        }
        text.0
    }

    fn step_value(
        &self,
        values: &[ValueReading],
        (decoder, readings): (Decoder, &Readings),
        byte: u8,
    ) -> Option<Position> {
        let content = ValueContent { values, readings: readings.clone() };
        let (decoder, pushed) = decoder.step(&content, byte, self.escapes)?;
        let readings = pushed.unwrap_or(content).readings;
        Some(Position { decoder, read: Read::Value(readings) })
    }

    fn step_key(
        &self,
        key: &KeyRest,
        position: (Decoder, Option<Prefix>, &OtherStates),
        path: &[u8],
        byte: u8,
    ) -> Option<Position> {
        let (decoder, prefix, others) = position;
        let begun = || [&key.begun[..], &self.decoded(path)].concat();
        let content = KeyContent::new(&key.keys, &begun, prefix, others);
        let (decoder, pushed) = decoder.step(&content, byte, self.escapes)?;
        let KeyContent { prefix, others, .. } = pushed.unwrap_or(content);
        Some(Position { decoder, read: Read::Key { prefix, others } })
    }

    /// The bounds that all alternatives of a value have in common, where all characters may follow.
    fn free_bounds(&self, values: &[ValueReading]) -> Option<FreeBounds> {
        let mut bounds =
            values.iter().map(|value| value.language().free_bounds(value.reading));
        let (min, max) = bounds.next()??;
        let is_common = bounds.all(|other| other == Some((min, max)));
        is_common.then_some(FreeBounds { min, max, escapes: self.escapes })
    }
}

impl KeyRest {
    /// Whether a key may go on with any characters.
    fn is_free(&self) -> bool {
        let mut others = self.keys.others.iter().zip(&self.others);
        others.any(|(keys, state)| state.is_some() && keys.object().others.is_everything())
    }

    /// Whether all that matters of a key is whether it is a special one.
    fn is_unclassified(&self) -> bool {
        let mut others = self.keys.others.iter().zip(&self.others);
        others.all(|(keys, state)| state.is_some() && keys.object().others.is_everything())
    }

    fn classes(&self, others: &OtherStates) -> SmallVec<[Option<Class>; 2]> {
        let classes = self.keys.others.iter().zip(others);
        classes.map(|(keys, state)| keys.object().others.class_at((*state)?)).collect()
    }
}

impl ValueReading {
    fn language(&self) -> &Language {
        match &*self.leaf {
            Leaf::String(language) => language,
            _ => unreachable!("a string is only read for string leaves"),
        }
    }
}

impl Inside for StringRest {
    type Position = Position;
    type End = End;

    fn start(&self) -> Position {
        let read = match &self.of {
            Of::Value(values) => {
                Read::Value(values.iter().map(|value| Some(value.reading)).collect())
            }
            Of::Key(key) => Read::Key { prefix: key.prefix, others: key.others.clone() },
        };
        Position { decoder: self.decoder, read }
    }

    fn step(&self, position: &Position, path: &[u8], byte: u8) -> Move<Position, End> {
        let decoder = position.decoder;
        if decoder == Decoder::Boundary && byte == b'"' {
            return self.end(position, path).map_or(Move::Refused, Move::Ends);
        }
        let next = match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => {
                self.step_value(values, (decoder, readings), byte)
            }
            (Of::Key(key), Read::Key { prefix, others }) => {
                self.step_key(key, (decoder, *prefix, others), path, byte)
            }
            _ => None,
        };
        next.map_or(Move::Refused, Move::Stays)
    }

    fn is_proxy(end: &End) -> bool {
        matches!(end, End::Classes(_))
    }

    fn free(&self) -> Option<Free<'_>> {
        if self.decoder != Decoder::Boundary {
            return None;
        }
        match &self.of {
            Of::Value(values) => {
                let bounds = self.free_bounds(values)?;
                Some(Free { bounds, begun: &[], special: None, is_proxy: self.is_recorded })
            }
            Of::Key(key) if key.is_free() && key.is_unclassified() => {
                let bounds = FreeBounds { min: 0, max: usize::MAX, escapes: self.escapes };
                let special = Some(&key.keys.special);
                Some(Free { bounds, begun: &key.begun, special, is_proxy: true })
            }
            Of::Key(_) => None,
        }
    }

    fn free_characters(&self) -> Option<usize> {
        if self.decoder != Decoder::Boundary {
            return None;
        }
        match &self.of {
            Of::Value(values) => {
                let free = |value: &ValueReading| {
                    Some(value.language().free_bounds(value.reading)?.1)
                };
                // A bound on one alternative is none on others, which may take longer texts.
                values.iter().map(free).reduce(|a, b| match (a, b) {
                    (Some(usize::MAX), _) | (_, Some(usize::MAX)) => Some(usize::MAX),
                    (a, b) => a.zip(b).map(|(a, b)| a.max(b)),
                })?
            }
            Of::Key(key) => key.is_free().then_some(usize::MAX),
        }
    }
}

/// A string value, read by all of its alternatives at once.
struct ValueContent<'a> {
    values: &'a [ValueReading],
    readings: Readings,
}

impl Content for ValueContent<'_> {
    fn push(&self, byte: u8) -> Option<Self> {
        let steps = self.values.iter().zip(&self.readings);
        let readings: Readings =
            steps.map(|(value, reading)| value.language().step((*reading)?, byte)).collect();
        let goes_on = readings.iter().any(Option::is_some);
        goes_on.then_some(Self { values: self.values, readings })
    }
}

/// The text itself.
struct Collected(Vec<u8>);

impl Content for Collected {
    fn push(&self, byte: u8) -> Option<Self> {
        Some(Self([&self.0[..], &[byte]].concat()))
    }
}
