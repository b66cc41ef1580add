//! [`StringRest`]: the rest of a string value or of a key, walked without making states.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use super::EscapeStyle;
use super::goals::Leaf;
use super::key_classes::{Class, ClassSet};
use super::keys::{KeyContent, Keys, OtherKeys, OtherStates};
use super::language::{Language, Length, Reading};
use super::machine::{JsonMachine, Step};
use super::state::{KeyReading, Place, StackId, State, StringReading};
use super::string::{Characters, Content, Decoder};
use crate::dfa::{Dfa, classes_of};
use crate::error::Error;
use crate::lexicon::LexiconKind;
use crate::literals::Prefix;
use crate::machine::{Inside, Move, Special};
use crate::string_tokens::{FreeBounds, StringTokens};
use crate::token_trie::Bytes;
use crate::vocabulary::Vocabulary;

/// The rest of a string, from a state on.
#[derive(Debug)]
pub(crate) struct StringRest {
    stack: StackId,
    decoder: Decoder,
    escapes: EscapeStyle,
    /// Whether it is part of an item that has to be known.
    is_recorded: bool,
    of: Of,
}

#[derive(Debug)]
enum Of {
    Value(Vec<ValueReading>),
    Key(KeyRest),
}

/// A string value as one alternative reads it.
#[derive(Debug)]
struct ValueReading {
    leaf: Arc<Leaf>,
    serves: u32,
    reading: Reading,
}

#[derive(Debug)]
struct KeyRest {
    keys: Arc<Keys>,
    prefix: Option<Prefix>,
    others: OtherStates,
    /// What was read of the key before, where it may be another than the names.
    begun: Vec<u8>,
}

/// How far it was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    decoder: Decoder,
    read: Read,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Read {
    Value(Readings),
    Key { prefix: Option<Prefix>, others: OtherStates },
}

/// By alternative how it goes on, if it does.
type Readings = SmallVec<[Option<Reading>; 2]>;

/// The languages of a string: those of a value by alternative, or those of keys without a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Languages {
    Value(Vec<ByAddress<Leaf>>),
    Key(Vec<(ByAddress<Leaf>, ClassSet)>),
}

/// The languages of a string value each of which is that of an automaton, by alternative, whichever
/// schema names them; and how its characters may be spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PatternLanguages {
    automata: SmallVec<[(ByAddress<Dfa>, Length); 1]>,
    escapes: EscapeStyle,
}

/// What equals itself alone.
#[derive(Debug)]
pub(crate) struct ByAddress<T>(Arc<T>);

impl<T> Clone for ByAddress<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PartialEq for ByAddress<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for ByAddress<T> {}

impl<T> Hash for ByAddress<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// What matters of a string that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
                let begun = text.map_or(Vec::new(), |text| self.texts.bytes(text));
                self.goals.meter().spend(begun.len())?;
                let others = others.clone();
                (*decoder, Of::Key(KeyRest { keys, prefix: *prefix, others, begun }))
            }
            _ => return Ok(None),
        };
        let escapes = self.options().escapes;
        let (stack, is_recorded) = (state.stack, state.record.is_some());
        Ok(Some(StringRest { stack, decoder, escapes, is_recorded, of }))
    }
}

impl JsonMachine {
    /// The state behind a string that ends like that after the path; `None` where the text is recorded.
    pub(super) fn after_rest(&mut self, rest: &StringRest, end: &End, path: &[u8]) -> Option<Step> {
        if let Err(error) = self.goals.meter().spend(1 + path.len()) {
            return Some(Err(error));
        }
        let name = match (end, &rest.of) {
            (End::Served(served), _) => return Some(self.close(rest.stack, served)),
            (End::Key(name), _) => name,
            (End::Classes(_), Of::Key(key)) => &[&key.begun[..], &rest.decoded(path)].concat(),
            _ => return None,
        };
        Some(match std::str::from_utf8(name) {
            Ok(name) => self.close_key(rest.stack, name),
            Err(_) => Ok(None),
        })
    }
}

impl StringRest {
    fn end(&self, position: &Position, path: &[u8]) -> Option<End> {
        if self.is_recorded {
            return Some(End::Exactly(path.to_vec()));
        }
        match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => served(values, readings),
            (Of::Key(key), Read::Key { prefix, others }) => {
                if others.iter().all(Option::is_none) {
                    let name = prefix.and_then(|prefix| key.keys.names.complete(prefix))?;
                    return Some(End::Key(name.to_vec()));
                }
                let name = [&key.begun[..], &self.decoded(path)].concat();
                if key.keys.special.iter().any(|keys| keys.contains(&name)) {
                    return Some(End::Key(name));
                }
                Some(End::Classes(key.classes(others)))
            }
            _ => None,
        }
    }

    fn step_value(
        &self,
        values: &[ValueReading],
        (decoder, readings): (Decoder, &Readings),
        byte: u8,
    ) -> Option<Position> {
        if decoder.stays_at(byte) {
            let readings = ValueContent::pushed(values, readings, byte)?;
            return Some(Position { decoder, read: Read::Value(readings) });
        }
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
        if decoder.stays_at(byte) && others.iter().all(Option::is_none) {
            let prefix = Some(key.keys.names.step(prefix?, byte)?);
            return Some(Position { decoder, read: Read::Key { prefix, others: others.clone() } });
        }
        let begun = || [&key.begun[..], &self.decoded(path)].concat();
        let content = KeyContent::new(&key.keys, &begun, prefix, others);
        let (decoder, pushed) = decoder.step(&content, byte, self.escapes)?;
        let KeyContent { prefix, others, .. } = pushed.unwrap_or(content);
        Some(Position { decoder, read: Read::Key { prefix, others } })
    }

    /// The only characters that may follow, or what is spelled at the position, where these are few.
    fn next_characters(&self, position: &Position) -> Option<Characters> {
        match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => {
                ValueContent::characters_after(values, readings)
            }
            (Of::Key(key), Read::Key { prefix: Some(prefix), others })
                if others.iter().all(Option::is_none) =>
            {
                key.keys.names.next_characters(*prefix)
            }
            _ => None,
        }
    }

    /// The same position for at most so many characters more, as far as that brings it to no bounds.
    fn far_from_bounds(&self, mut position: Position, longest: usize) -> Position {
        if let (Of::Value(values), Read::Value(readings)) = (&self.of, &mut position.read) {
            for (value, reading) in values.iter().zip(readings) {
                let far = |reading: Reading| value.language().far_from_bounds(reading, longest);
                *reading = reading.map(far);
            }
        }
        position
    }

    /// One more byte of a key, whichever names there are and whichever keys were read.
    fn shared_step_key(
        &self,
        key: &KeyRest,
        (decoder, others): (Decoder, &OtherStates),
        byte: u8,
    ) -> Move<Position, End> {
        let content = OtherContent { keys: &key.keys.others, states: others.clone() };
        match decoder.step(&content, byte, self.escapes) {
            None => Move::Refused,
            Some((decoder, pushed)) => {
                let OtherContent { states: others, .. } = pushed.unwrap_or(content);
                let read = Read::Key { prefix: None, others };
                Move::Stays(Position { decoder, read })
            }
        }
    }
}

impl KeyRest {
    /// The keys without a name of which some may follow.
    fn live_others(&self) -> impl Iterator<Item = &OtherKeys> {
        let others = self.keys.others.iter().zip(&self.others);
        others.filter(|(_, state)| state.is_some()).map(|(keys, _)| keys)
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
    type Languages = Languages;

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

    fn is_proxy(&self) -> bool {
        match &self.of {
            Of::Value(_) => self.is_recorded,
            Of::Key(key) => !key.others.is_empty(),
        }
    }

    fn enclosing(&self) -> Option<u32> {
        (!self.is_recorded).then_some(self.stack)
    }

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

    fn is_free(&self, longest: usize) -> bool {
        self.decoder == Decoder::Boundary
            && match &self.of {
                Of::Value(values) => {
                    values.iter().any(|value| value.language().is_free(value.reading, longest))
                }
                Of::Key(key) => key.live_others().any(OtherKeys::is_everything),
            }
    }

    fn free_bounds(&self) -> Option<FreeBounds> {
        let (min, max) = match &self.of {
            _ if self.decoder != Decoder::Boundary => return None,
            Of::Value(values) => {
                let mut bounds =
                    values.iter().map(|value| value.language().free_bounds(value.reading));
                let first = bounds.next()??;
                bounds.all(|other| other == Some(first)).then_some(first)?
            }
            Of::Key(key) => {
                let mut others = key.live_others();
                (others.next().is_some_and(OtherKeys::is_everything)
                    && others.all(OtherKeys::is_everything))
                .then_some((0, usize::MAX))?
            }
        };
        Some(FreeBounds { min, max, escapes: self.escapes })
    }

    fn shared_tokens(
        &self,
        kind: LexiconKind,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringTokens>> {
        let Of::Value(values) = &self.of else { return None };
        let automaton = |value: &ValueReading| match value.language() {
            Language::Pattern { dfa, length, .. } => Some((ByAddress(dfa.clone()), *length)),
            _ => None,
        };
        let automata = values.iter().map(automaton).collect::<Option<_>>()?;
        let languages = PatternLanguages { automata, escapes: self.escapes };
        Some(vocabulary.string_tables().tokens(&languages, self, kind, vocabulary))
    }

    fn languages(&self) -> Option<Languages> {
        match &self.of {
            Of::Value(values) => {
                // A list of strings is walked as quickly as it is looked up.
                let is_list =
                    values.iter().all(|value| matches!(value.language(), Language::Literals(_)));
                let leaves = values.iter().map(|value| ByAddress(value.leaf.clone()));
                (!is_list).then(|| Languages::Value(leaves.collect()))
            }
            Of::Key(key) => {
                if key.keys.others.iter().any(|keys| keys.used.len() > MOST_USED as usize) {
                    return None;
                }
                let leaf = |keys: &OtherKeys| ByAddress(keys.leaf.clone());
                let others = key.keys.others.iter();
                let others: Vec<_> =
                    others.map(|keys| (leaf(keys), keys.classes.clone())).collect();
                (!key.others.iter().all(Option::is_none)).then_some(Languages::Key(others))
            }
        }
    }

    fn shared_start(&self, longest: usize) -> Position {
        match self.start() {
            Position { decoder, read: Read::Key { others, .. } } => {
                Position { decoder, read: Read::Key { prefix: None, others } }
            }
            start => self.far_from_bounds(start, longest),
        }
    }

    fn byte_classes(&self) -> ([u8; 256], usize) {
        let of_content = |byte: u8| -> SmallVec<[u8; 4]> {
            match &self.of {
                Of::Value(values) => {
                    values.iter().map(|value| value.language().byte_class(byte)).collect()
                }
                Of::Key(key) => {
                    let others = key.keys.others.iter();
                    others.map(|keys| keys.object().others.byte_class(byte)).collect()
                }
            }
        };
        let (classes, representatives) =
            classes_of(|byte| (Decoder::byte_class(byte), of_content(byte)));
        (classes, representatives.len())
    }

    fn room(&self) -> Option<(usize, usize)> {
        match &self.of {
            Of::Value(values) => match &values[..] {
                [value] => value.language().room(value.reading),
                _ => None,
            },
            Of::Key(_) => None,
        }
    }

    fn is_doubtful(&self, position: &Position) -> bool {
        let (Of::Key(key), Read::Key { others, .. }) = (&self.of, &position.read) else {
            return false;
        };
        let mut states = key.keys.others.iter().zip(others);
        !states.any(|(keys, state)| state.is_some_and(|at| keys.n_keys(at) > MOST_USED))
    }

    fn is_escape(&self, position: &Position) -> bool {
        position.decoder.is_escape()
    }

    fn is_boundary(&self, position: &Position) -> bool {
        position.decoder == Decoder::Boundary
    }

    fn shared_step(&self, position: &Position, byte: u8, longest: usize) -> Move<Position, End> {
        let decoder = position.decoder;
        let ends = decoder == Decoder::Boundary && byte == b'"';
        match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) if ends => {
                // What each alternative serves is not known to all who share this.
                let accepting: SmallVec<_> = (0u32..)
                    .zip(accepting(values, readings))
                    .filter_map(|(index, accepts)| accepts.then_some(index))
                    .collect();
                let ends = !accepting.is_empty();
                if ends { Move::Ends(End::Served(accepting)) } else { Move::Refused }
            }
            (Of::Value(values), Read::Value(readings)) => {
                let next = self.step_value(values, (decoder, readings), byte);
                let next = next.map(|next| self.far_from_bounds(next, longest));
                next.map_or(Move::Refused, Move::Stays)
            }
            (Of::Key(key), Read::Key { others, .. }) if ends => {
                Move::Ends(End::Classes(key.classes(others)))
            }
            (Of::Key(key), Read::Key { others, .. }) => {
                self.shared_step_key(key, (decoder, others), byte)
            }
            _ => Move::Refused,
        }
    }

    fn shared_push(&self, position: &Position, character: u8, longest: usize) -> Option<Position> {
        let read = match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => {
                let content = ValueContent { values, readings: readings.clone() };
                Read::Value(content.push(character)?.readings)
            }
            (Of::Key(key), Read::Key { others, .. }) => {
                let content = OtherContent { keys: &key.keys.others, states: others.clone() };
                Read::Key { prefix: None, others: content.push(character)?.states }
            }
            _ => return None,
        };
        let decoder = Decoder::Boundary;
        Some(self.far_from_bounds(Position { decoder, read }, longest))
    }

    fn escapes(&self) -> EscapeStyle {
        self.escapes
    }

    fn listed(&self) -> Option<Vec<&[u8]>> {
        if self.is_recorded || self.decoder != Decoder::Boundary {
            return None;
        }
        match &self.of {
            Of::Value(values) => {
                let lists = values.iter().map(|value| value.language().listed(value.reading));
                Some(lists.collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
            }
            Of::Key(key) if key.others.iter().all(Option::is_none) => {
                Some(key.keys.names.suffixes(key.prefix?).collect())
            }
            Of::Key(_) => None,
        }
    }

    fn special(&self) -> Special<'_> {
        match &self.of {
            Of::Value(_) => Special::default(),
            Of::Key(key) => Special { begun: &key.begun, texts: &key.keys.special },
        }
    }

    fn named(&self) -> Option<Self> {
        let Of::Key(key) = &self.of else { return None };
        // Where all keys may follow, so may those with a name.
        if key.live_others().any(OtherKeys::is_everything) {
            return None;
        }
        let others = key.others.iter().map(|_| None).collect();
        let (keys, begun) = (key.keys.clone(), key.begun.clone());
        let of = Of::Key(KeyRest { keys, others, begun, prefix: Some(key.prefix?) });
        Some(Self { of, ..*self })
    }

    fn next_bytes(&self, position: &Position) -> Option<Bytes> {
        if position.decoder.is_escape() {
            return position.decoder.next_bytes(self.next_characters(position).as_deref());
        }
        let mut bytes = Bytes::new();
        match (&self.of, &position.read) {
            (Of::Value(values), Read::Value(readings)) => {
                let live = values.iter().zip(readings).filter_map(|(value, reading)| {
                    reading.map(|reading| (value.language(), reading))
                });
                for (language, reading) in live.clone() {
                    bytes.extend(language.next_bytes(reading)?);
                }
                let may_end =
                    live.clone().any(|(language, reading)| language.is_accepting(reading));
                Some(and_signs(bytes, may_end))
            }
            (Of::Key(key), Read::Key { prefix: Some(prefix), others })
                if others.iter().all(Option::is_none) =>
            {
                let names = &key.keys.names;
                Some(and_signs(names.next_bytes(*prefix)?, names.is_complete(*prefix)))
            }
            _ => None,
        }
    }
}

/// The quote and the backslash, which are no characters of a text.
fn and_signs(mut bytes: Bytes, may_end: bool) -> Bytes {
    bytes.extend(may_end.then_some(b'"'));
    bytes.push(b'\\');
    bytes
}

/// What a value serves that ends here, if it may.
fn served(values: &[ValueReading], readings: &Readings) -> Option<End> {
    let accepting = values.iter().zip(accepting(values, readings));
    let accepting = accepting.filter(|(_, accepts)| *accepts);
    let mut served: SmallVec<_> = accepting.map(|(value, _)| value.serves).collect();
    served.dedup();
    (!served.is_empty()).then_some(End::Served(served))
}

/// For each alternative whether the value may end here.
fn accepting(values: &[ValueReading], readings: &Readings) -> impl Iterator<Item = bool> {
    values.iter().zip(readings).map(|(value, reading)| {
        reading.is_some_and(|reading| value.language().is_accepting(reading))
    })
}

/// A string value, read by all of its alternatives at once.
struct ValueContent<'a> {
    values: &'a [ValueReading],
    readings: Readings,
}

impl ValueContent<'_> {
    fn characters_after(values: &[ValueReading], readings: &Readings) -> Option<Characters> {
        let mut characters = Characters::new();
        for (value, reading) in values.iter().zip(readings) {
            let Some(reading) = reading else { continue };
            characters.extend(value.language().next_characters(*reading)?);
        }
        Some(characters)
    }

    fn pushed(values: &[ValueReading], readings: &Readings, byte: u8) -> Option<Readings> {
        let steps = values.iter().zip(readings);
        let readings: Readings =
            steps.map(|(value, reading)| value.language().step((*reading)?, byte)).collect();
        readings.iter().any(Option::is_some).then_some(readings)
    }
}

impl Content for ValueContent<'_> {
    fn push(&self, byte: u8) -> Option<Self> {
        let readings = Self::pushed(self.values, &self.readings, byte)?;
        Some(Self { values: self.values, readings })
    }

    fn next_characters(&self) -> Option<Characters> {
        Self::characters_after(self.values, &self.readings)
    }
}

/// As long as no more keys were read, of more than so many there is a new one.
const MOST_USED: u32 = 256;

/// Keys without a name, of which so many are allowed that some are new.
struct OtherContent<'a> {
    keys: &'a [OtherKeys],
    states: OtherStates,
}

impl Content for OtherContent<'_> {
    fn push(&self, byte: u8) -> Option<Self> {
        let states = self.keys.iter().zip(&self.states).map(|(keys, state)| {
            let next = state.and_then(|at| keys.object().others.step(at, byte));
            next.filter(|&at| keys.n_keys(at) > 0)
        });
        let states: OtherStates = states.collect();
        states.iter().any(Option::is_some).then_some(Self { keys: self.keys, states })
    }
}

/// The text itself.
struct Collected(Vec<u8>);

impl Content for Collected {
    fn push(&self, byte: u8) -> Option<Self> {
        Some(Self([&self.0[..], &[byte]].concat()))
    }
}
