//! [`JsonMachine`]: JSON text of one schema, read byte by byte.
//!
//! A state is a stack of open containers and a lexical part: inside a string, a number, a word,
//! or between them. Each place for a value asks for a list of goals; whatever is read there knows
//! for each of its alternatives which goal it serves. A value that ends says which goals it
//! satisfied, and the alternatives of its container that waited for others are dropped.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cost::Costing;
use super::frame::{Alternative, ArrayFrame, Frame, ObjectFrame, Progress, ReadItems};
use super::goals::{GoalId, Goals, JsonType, Leaf, LeafId};
use super::inside::{End, StringRest};
use super::keys::Keys;
use super::language::Language;
use super::number::NumberPrefix;
use super::number_rest::NumberRest;
use super::schema::Schema;
use super::state::{
    EMPTY_STACK, NumberReading, OPEN_STACK, Place, Record, Served, StackId, StackNode, State,
    StringReading, StringReadings,
};
use super::string::{Content, Decoder};
use super::texts::Texts;
use super::{JsonSchemaOptions, Whitespace};
use crate::error::Error;
use crate::interner::Interner;
use crate::json_tokens::SPACES;
use crate::machine::{Dependence, Machine, Part};
use crate::token_trie::Bytes;

/// Cloning one that has read nothing is cheap: what was read of the schema is shared.
#[derive(Clone, Debug)]
pub(crate) struct JsonMachine {
    pub(super) goals: Goals,
    root: GoalId,
    pub(super) stacks: Interner<Arc<StackNode>>,
    pub(super) goal_lists: Interner<Arc<Vec<GoalId>>>,
    pub(super) keys_by_stack: FxHashMap<StackId, Arc<Keys>>,
    /// About the memory of those.
    pub(super) n_key_bytes: usize,
    /// About the memory of the stacks beyond themselves.
    n_stack_bytes: usize,
    pub(super) texts: Texts,
    /// The text of the item that ends with this step, in an array without equal items.
    pub(super) item: Option<Record>,
    /// What was recorded before and with the byte of this step.
    before: Option<Record>,
    with: Option<Record>,
}

/// What a byte is where white space may stand.
enum Space {
    /// White space, after which the count is this.
    Skipped(u8),
    NotAllowed,
    None,
}

pub(super) type Step = Result<Option<State>, Error>;

impl JsonMachine {
    pub(crate) fn new(mut goals: Goals) -> Self {
        let root = goals.goal(vec![Schema::ROOT]);
        Self {
            goals,
            root,
            stacks: Interner::default(),
            goal_lists: Interner::default(),
            keys_by_stack: FxHashMap::default(),
            n_key_bytes: 0,
            n_stack_bytes: 0,
            texts: Texts::default(),
            item: None,
            before: None,
            with: None,
        }
    }

    /// # Errors
    /// [`Error::Unsatisfiable`] when no value satisfies the schema, with the place.
    pub(crate) fn check_satisfiable(mut self) -> Result<Self, Error> {
        if self.goals.is_possible(self.root)? {
            // The start state refers to the list of the root's goal.
            self.goal_lists.intern(vec![self.root]);
            return Ok(self);
        }
        let pointer = self.goals.unsatisfiable_place(Schema::ROOT)?;
        Err(Error::Unsatisfiable { pointer })
    }

    /// The places of keywords that JSON Schema doesn't know.
    pub(crate) fn unknown_keywords(&self) -> &Arc<[String]> {
        self.goals.schema.unknown_keywords()
    }

    pub(super) fn options(&self) -> JsonSchemaOptions {
        self.goals.options
    }

    pub(super) fn stack(&self, id: StackId) -> Option<&Arc<StackNode>> {
        (id < OPEN_STACK).then(|| self.stacks.get(id))
    }

    /// Whether the state is inside of an object or an array.
    pub(crate) fn is_enclosed(&self, state: &State) -> bool {
        self.stack(state.stack).is_some()
    }

    fn step_place(&mut self, state: &State, byte: u8) -> Step {
        let stack = state.stack;
        match &state.place {
            Place::Value { goals, space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::Value { goals: *goals, space }),
                Space::NotAllowed => Ok(None),
                Space::None => self.begin_value(stack, *goals, byte),
            },
            Place::Word { word, n_read, served } => {
                self.step_word(stack, word, *n_read, served, byte)
            }
            Place::Number(readings) => self.step_number(stack, readings, byte),
            Place::String { decoder, readings } => {
                self.step_string(stack, *decoder, readings, byte)
            }
            Place::Open { space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::Open { space }),
                Space::NotAllowed => Ok(None),
                Space::None => self.step_open(stack, byte),
            },
            Place::NextKey { space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::NextKey { space }),
                Space::None if byte == b'"' => self.begin_key(stack),
                _ => Ok(None),
            },
            Place::Key(key) => self.step_key(stack, key, byte),
            Place::Colon { goals, space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::Colon { goals: *goals, space }),
                Space::None if byte == b':' => {
                    at(stack, Place::Value { goals: *goals, space: self.space_after_separator() })
                }
                _ => Ok(None),
            },
            Place::After { space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::After { space }),
                Space::NotAllowed => Ok(None),
                Space::None => self.step_after(stack, byte),
            },
            Place::End { space } => match self.skip_space(*space, byte) {
                Space::Skipped(space) => at(stack, Place::End { space }),
                _ => Ok(None),
            },
            Place::Left { .. } => Ok(None),
        }
    }

    /// `space` is the number of white space characters read here, where there is a limit; with
    /// [`Whitespace::Spaced`] it is 1 where a space must still come.
    fn skip_space(&self, space: u8, byte: u8) -> Space {
        let is_space = SPACES.contains(&byte);
        match self.options().whitespace {
            Whitespace::Spaced if space == 1 && byte == b' ' => Space::Skipped(0),
            Whitespace::Spaced if space == 1 => Space::NotAllowed,
            Whitespace::Any if is_space => Space::Skipped(0),
            Whitespace::Max(max) if is_space && space < max => Space::Skipped(space + 1),
            _ if is_space => Space::NotAllowed,
            _ => Space::None,
        }
    }

    /// Whether something other than white space may come.
    pub(super) fn may_begin(&self, space: u8) -> bool {
        !(self.options().whitespace == Whitespace::Spaced && space == 1)
    }

    fn space_after_separator(&self) -> u8 {
        u8::from(self.options().whitespace == Whitespace::Spaced)
    }

    fn begin_value(&mut self, stack: StackId, goals: u32, byte: u8) -> Step {
        let goals = self.goal_lists.get(goals).clone();
        match byte {
            b'n' => self.begin_word(stack, &goals, JsonType::Null, byte),
            b't' | b'f' => self.begin_word(stack, &goals, JsonType::Boolean, byte),
            b'-' | b'0'..=b'9' => {
                let leaves = self.serving(&goals, JsonType::Number)?;
                let prefix = NumberPrefix::start();
                let readings = leaves.into_iter();
                let readings: Vec<_> = readings
                    .map(|(serves, leaf)| NumberReading { serves, leaf, prefix: prefix.clone() })
                    .collect();
                self.step_number(stack, &readings, byte)
            }
            b'"' => {
                let leaves = self.serving(&goals, JsonType::String)?;
                let readings: StringReadings = (leaves.into_iter())
                    .map(|(serves, leaf)| {
                        let reading = self.language(leaf).start();
                        StringReading { serves, leaf, reading }
                    })
                    .collect();
                if readings.is_empty() {
                    return Ok(None);
                }
                at(stack, Place::String { decoder: Decoder::Boundary, readings })
            }
            b'[' => self.open(stack, &goals, JsonType::Array),
            b'{' => self.open(stack, &goals, JsonType::Object),
            _ => Ok(None),
        }
    }

    /// The alternatives of one type, each with the goal of the list that it serves.
    pub(super) fn serving(
        &mut self,
        goals: &[GoalId],
        json_type: JsonType,
    ) -> Result<Vec<(u32, LeafId)>, Error> {
        let mut serving = Vec::new();
        for (index, &goal) in goals.iter().enumerate() {
            let leaves = self.goals.possible_alternatives(goal, json_type)?;
            serving.extend(leaves.into_iter().map(|leaf| (index as u32, leaf)));
        }
        Ok(serving)
    }

    fn begin_word(
        &mut self,
        stack: StackId,
        goals: &[GoalId],
        json_type: JsonType,
        byte: u8,
    ) -> Step {
        let mut served = Served::new();
        let mut found: &'static [u8] = b"";
        for (serves, leaf) in self.serving(goals, json_type)? {
            if let Leaf::Word(word) = **self.goals.leaf(leaf)
                && word[0] == byte
            {
                found = word;
                served.push(serves);
            }
        }
        served.dedup();
        if served.is_empty() {
            return Ok(None);
        }
        at(stack, Place::Word { word: found, n_read: 1, served })
    }

    fn step_word(
        &mut self,
        stack: StackId,
        word: &'static [u8],
        n_read: u8,
        served: &[u32],
        byte: u8,
    ) -> Step {
        if word[usize::from(n_read)] != byte {
            return Ok(None);
        }
        let n_read = n_read + 1;
        if usize::from(n_read) == word.len() {
            return self.close(stack, served);
        }
        at(stack, Place::Word { word, n_read, served: served.into() })
    }

    fn step_number(&mut self, stack: StackId, readings: &[NumberReading], byte: u8) -> Step {
        let style = self.options().numbers;
        let mut next: Vec<NumberReading> = Vec::new();
        let mut served = Served::new();
        for reading in readings {
            let Leaf::Number(range) = &**self.goals.leaf(reading.leaf) else { continue };
            if let Some(prefix) = reading.prefix.step(byte, range, style) {
                next.push(NumberReading { prefix, ..*reading });
            }
            if reading.prefix.is_complete(range, style) {
                served.push(reading.serves);
            }
        }
        if !next.is_empty() {
            return at(stack, Place::Number(next));
        }
        served.dedup();
        if served.is_empty() {
            return Ok(None);
        }
        // The number ended before this byte.
        self.item = self.before;
        let after = self.close(stack, &served)?;
        self.item = self.with;
        after.map_or(Ok(None), |after| self.step_place(&after, byte))
    }

    fn step_string(
        &mut self,
        stack: StackId,
        decoder: Decoder,
        readings: &[StringReading],
        byte: u8,
    ) -> Step {
        if decoder == Decoder::Boundary && byte == b'"' {
            let accepting = readings
                .iter()
                .filter(|reading| self.language(reading.leaf).is_accepting(reading.reading));
            let mut served: Served = accepting.map(|reading| reading.serves).collect();
            served.dedup();
            return if served.is_empty() { Ok(None) } else { self.close(stack, &served) };
        }
        let content = StringContent { goals: &self.goals, readings: readings.into() };
        let Some((decoder, pushed)) = decoder.step(&content, byte, self.options().escapes) else {
            return Ok(None);
        };
        let readings = pushed.unwrap_or(content).readings;
        at(stack, Place::String { decoder, readings })
    }

    fn open(&mut self, stack: StackId, goals: &[GoalId], json_type: JsonType) -> Step {
        let alternatives: Vec<Alternative> = (self.serving(goals, json_type)?.into_iter())
            .map(|(serves, leaf)| Alternative::new(serves, leaf, &self.goals))
            .collect();
        if alternatives.is_empty() {
            return Ok(None);
        }
        let frame = match json_type {
            JsonType::Array => {
                let is_unique = alternatives.iter().any(|alternative| {
                    matches!(&**self.goals.leaf(alternative.leaf), Leaf::Array(array) if array.knows_items())
                });
                let read = is_unique.then(ReadItems::default);
                Frame::Array(ArrayFrame { alternatives, read })
            }
            _ => Frame::Object(ObjectFrame { alternatives, unnamed: Vec::new() }),
        };
        let stack = self.push(stack, frame);
        at(stack, Place::Open { space: 0 })
    }

    fn step_open(&mut self, stack: StackId, byte: u8) -> Step {
        let node = self.stacks.get(stack).clone();
        match (&node.frame, byte) {
            (Frame::Object(_), b'}') | (Frame::Array(_), b']') => self.close_container(&node),
            (Frame::Object(_), b'"') => self.begin_key(stack),
            (Frame::Array(_), _) => match self.next_item(&node, self.before)? {
                Some((stack, goals)) => self.begin_value(stack, goals, byte),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// The goals of the first item of an array that was just opened, if one may come.
    pub(super) fn first_item(&mut self, state: &State) -> Result<Option<u32>, Error> {
        let node = self.stacks.get(state.stack).clone();
        Ok(self.next_item(&node, state.record)?.map(|(_, goals)| goals))
    }

    fn step_after(&mut self, stack: StackId, byte: u8) -> Step {
        let node = self.stacks.get(stack).clone();
        match (&node.frame, byte) {
            (Frame::Object(_), b'}') | (Frame::Array(_), b']') => self.close_container(&node),
            (Frame::Object(_), b',') => {
                let keys = self.keys(stack)?;
                let space = self.space_after_separator();
                if keys.is_empty() { Ok(None) } else { at(stack, Place::NextKey { space }) }
            }
            (Frame::Array(_), b',') => {
                let space = self.space_after_separator();
                match self.next_item(&node, self.with)? {
                    Some((stack, goals)) => at(stack, Place::Value { goals, space }),
                    None => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    fn close_container(&mut self, node: &StackNode) -> Step {
        let complete = node
            .frame
            .alternatives()
            .iter()
            .filter(|alternative| alternative.is_complete(&self.goals));
        let mut served: Served = complete.map(|alternative| alternative.serves).collect();
        served.sort_unstable();
        served.dedup();
        if served.is_empty() { Ok(None) } else { self.close(node.parent, &served) }
    }

    /// A value has ended and satisfies the goals that are served, ascending.
    pub(super) fn close(&mut self, stack: StackId, served: &[u32]) -> Step {
        if stack == EMPTY_STACK {
            return at(stack, Place::End { space: 0 });
        }
        if stack == OPEN_STACK {
            return at(stack, Place::Left { served: served.into() });
        }
        let node = self.stacks.get(stack).clone();
        let survivors = node.frame.alternatives().iter();
        let survivors =
            survivors.filter(|alternative| served.binary_search(&alternative.waits_for).is_ok());
        let survivors: Vec<Alternative> = survivors
            .map(|alternative| Alternative { waits_for: 0, ..alternative.clone() })
            .collect();
        if survivors.is_empty() {
            return Ok(None);
        }
        let read = self.read_items(&node)?;
        let stack = self.replace_alternatives(&node, survivors, read);
        at(stack, Place::After { space: 0 })
    }

    /// The state with what was recorded, where something is.
    pub(super) fn recorded(&self, state: State, record: Option<Record>) -> State {
        let is_recorded = self.stack(state.stack).is_some_and(|node| node.is_recorded);
        State { record: is_recorded.then(|| record.unwrap_or_default()), ..state }
    }

    /// The items of an array without equal items, with the one that has just ended.
    fn read_items(&mut self, node: &StackNode) -> Result<Option<ReadItems>, Error> {
        let Frame::Array(ArrayFrame { read: Some(read), .. }) = &node.frame else {
            return Ok(None);
        };
        let text = self.item.map_or(Vec::new(), |record| self.texts.bytes(record.text));
        let mut read = read.clone();
        let value = self.goals.value_of(&text[read.item_start as usize..])?;
        if let Err(index) = read.values.binary_search(&value) {
            read.values.insert(index, value);
        }
        Ok(Some(read))
    }

    fn replace_alternatives(
        &mut self,
        node: &StackNode,
        mut alternatives: Vec<Alternative>,
        read: Option<ReadItems>,
    ) -> StackId {
        if alternatives.len() > 1 {
            let mut seen = rustc_hash::FxHashSet::default();
            alternatives.retain(|alternative| seen.insert(alternative.clone()));
        }
        let frame = match &node.frame {
            Frame::Array(_) => Frame::Array(ArrayFrame { alternatives, read }),
            Frame::Object(object) => {
                Frame::Object(ObjectFrame { alternatives, unnamed: object.unnamed.clone() })
            }
        };
        self.push(node.parent, frame)
    }

    /// A container on top of the stack.
    pub(super) fn push(&mut self, parent: StackId, frame: Frame) -> StackId {
        let is_unique = matches!(&frame, Frame::Array(array) if array.read.is_some());
        let is_recorded = is_unique || self.stack(parent).is_some_and(|parent| parent.is_recorded);
        let (n_stacks, n_bytes) = (self.stacks.len(), frame.memory());
        let stack = self.stacks.intern(StackNode { parent, frame, is_recorded });
        self.n_stack_bytes += if self.stacks.len() > n_stacks { n_bytes } else { 0 };
        stack
    }

    /// The array with its alternatives waiting for one more item, and the goals of that.
    fn next_item(
        &mut self,
        node: &StackNode,
        record: Option<Record>,
    ) -> Result<Option<(StackId, u32)>, Error> {
        let mut goals = Vec::new();
        let mut waiting = Vec::new();
        let Frame::Array(frame) = &node.frame else { return Ok(None) };
        let values = frame.read.as_ref().map_or(&[][..], |read| &read.values);
        for alternative in &frame.alternatives {
            let leaf = self.goals.leaf(alternative.leaf).clone();
            let (Leaf::Array(array), Progress::Array(progress)) = (&*leaf, &alternative.progress)
            else {
                continue;
            };
            if !self.goals.has_enough_values(array, progress, values, &mut Costing::Settled)? {
                continue;
            }
            for (goal, progress) in self.goals.next_items(array, progress, values)? {
                let is_possible = self.goals.is_possible(goal)?
                    && self.goals.array_can_be_completed(array, &progress)?;
                if is_possible {
                    let waits_for = index_of(&mut goals, goal);
                    let progress = Progress::Array(progress);
                    waiting.push(Alternative { progress, waits_for, ..*alternative });
                }
            }
        }
        if waiting.is_empty() {
            return Ok(None);
        }
        let item_start = record.map_or(0, |record| record.length);
        let read = frame.read.clone().map(|read| ReadItems { item_start, ..read });
        let stack = self.replace_alternatives(node, waiting, read);
        Ok(Some((stack, self.goal_lists.intern(goals))))
    }

    pub(super) fn language(&self, leaf: LeafId) -> &Language {
        language(&self.goals, leaf)
    }
}

impl JsonMachine {
    /// About the work of a step beyond a single one: that of each alternative.
    fn work_at(&self, state: &State) -> usize {
        let of_place = match &state.place {
            Place::Number(readings) => {
                let work = |reading: &NumberReading| match &**self.goals.leaf(reading.leaf) {
                    Leaf::Number(range) => range.work(),
                    _ => 0,
                };
                readings.iter().map(work).sum()
            }
            Place::String { readings, .. } => readings.len(),
            Place::Word { served, .. } => served.len() / 8,
            Place::Key(key) => key.others.len(),
            Place::Value { goals, .. } | Place::Colon { goals, .. } => {
                return self.goal_lists.get(*goals).len();
            }
            Place::Open { .. }
            | Place::NextKey { .. }
            | Place::After { .. }
            | Place::End { .. }
            | Place::Left { .. } => 0,
        };
        of_place + self.stack(state.stack).map_or(0, |node| node.frame.alternatives().len() / 4)
    }

    /// Whether the state is in an object whose keys without a name are all alike.
    fn has_endless_keys(&self, state: &State) -> bool {
        let Some(node) = self.stack(state.stack) else { return false };
        let mut alternatives = node.frame.alternatives().iter();
        alternatives.all(|alternative| match &**self.goals.leaf(alternative.leaf) {
            Leaf::Object(object) => object.others.is_everything(),
            _ => false,
        })
    }

    /// Whether the state is in an array that knows its items and asks different things of them.
    fn has_positions(&self, state: &State) -> bool {
        let Some(Frame::Array(array)) = self.stack(state.stack).map(|node| &node.frame) else {
            return false;
        };
        array.alternatives.iter().any(|alternative| match &**self.goals.leaf(alternative.leaf) {
            Leaf::Array(leaf) => !leaf.prefix.is_empty(),
            _ => false,
        })
    }
}

impl Machine for JsonMachine {
    type State = State;
    type Inside = StringRest;

    fn start(&self) -> State {
        let place = Place::Value { goals: 0, space: 0 };
        State { stack: EMPTY_STACK, place, record: None }
    }

    fn next_bytes(&self, state: &State) -> Option<Bytes> {
        let is_array = || matches!(self.stack(state.stack)?.frame, Frame::Array(_)).then_some(());
        let mut bytes = Bytes::from_slice(match state.place {
            Place::Colon { .. } => b":",
            Place::NextKey { .. } => b"\"",
            Place::After { .. } if is_array().is_some() => b",]",
            Place::After { .. } => b",}",
            Place::Open { .. } if is_array().is_none() => b"\"}",
            Place::End { .. } => b"",
            Place::Word { word, n_read, .. } => {
                return Some(Bytes::from_slice(&word[n_read.into()..][..1]));
            }
            _ => return None,
        });
        bytes.extend(SPACES);
        Some(bytes)
    }

    fn step(&mut self, state: &State, byte: u8) -> Step {
        self.before = state.record;
        // White space between two parts changes nothing.
        let is_recorded = !SPACES.contains(&byte) || self.is_inside(state);
        self.with = state.record.map(|record| {
            if is_recorded {
                let text = self.texts.extended(record.text, byte);
                Record { text, length: record.length + 1 }
            } else {
                record
            }
        });
        self.item = self.with;
        self.goals.meter().spend(1 + self.work_at(state))?;
        let next = self.step_place(state, byte)?;
        Ok(next.map(|next| self.recorded(next, self.with)))
    }

    fn memory_of(&self, state: &State) -> usize {
        state.memory()
    }

    fn is_accepting(&self, state: &State) -> bool {
        match &state.place {
            Place::End { .. } => true,
            Place::Number(readings) if state.stack == EMPTY_STACK => readings.iter().any(|reading| {
                let style = self.options().numbers;
                matches!(&**self.goals.leaf(reading.leaf), Leaf::Number(range) if reading.prefix.is_complete(range, style))
            }),
            _ => false,
        }
    }

    fn is_inside(&self, state: &State) -> bool {
        matches!(state.place, Place::String { .. } | Place::Key(_))
    }

    fn inside(&mut self, state: &State) -> Result<Option<StringRest>, Error> {
        self.string_rest(state)
    }

    fn after_string(&mut self, inside: &StringRest, end: &End, path: &[u8]) -> Option<Step> {
        self.after_rest(inside, end, path)
    }

    fn number(&mut self, state: &State) -> Result<Option<NumberRest>, Error> {
        self.number_rest(state)
    }

    fn after_number(&mut self, state: &State) -> Step {
        JsonMachine::after_number(self, state)
    }

    fn part(&self, state: &State) -> Part {
        match state.place {
            Place::Number(_) => Part::Number,
            Place::Word { .. } | Place::String { .. } | Place::Key(_) | Place::Left { .. } => {
                Part::Other
            }
            _ => Part::Between { takes_spaces: self.options().whitespace == Whitespace::Any },
        }
    }

    fn apart(&self, state: &State) -> Option<State> {
        let is_before = matches!(state.place, Place::Value { .. } | Place::Colon { .. });
        let is_apart = is_before && state.record.is_none();
        is_apart.then(|| State { stack: OPEN_STACK, ..state.clone() })
    }

    fn is_left(&self, state: &State) -> bool {
        matches!(state.place, Place::Left { .. })
    }

    fn is_apart_number(&self, state: &State) -> bool {
        matches!(state.place, Place::Number(_)) && state.stack == OPEN_STACK
    }

    fn leave(&mut self, before: &State, left: &State) -> Step {
        let Place::Left { served } = &left.place else { return Ok(None) };
        self.goals.meter().spend(1 + self.work_at(before))?;
        self.close(before.stack, served)
    }

    fn dependence(&self, state: &State, byte: u8) -> Dependence {
        let depends = match &state.place {
            // No key comes twice, but of endlessly many there is another one.
            Place::NextKey { .. } if byte == b'"' && self.has_endless_keys(state) => {
                return Dependence::Beyond;
            }
            Place::NextKey { .. } => byte == b'"',
            // What the next item may be can depend on which one it is.
            Place::After { .. } => {
                byte == b',' && state.record.is_some() && self.has_positions(state)
            }
            // No item comes twice, or one has to.
            Place::Value { .. } => state.record.is_some() && !SPACES.contains(&byte),
            _ => false,
        };
        if depends { Dependence::All } else { Dependence::None }
    }

    fn completion(&mut self, state: &State) -> Result<Vec<u8>, Error> {
        self.complete(state)
    }

    fn memory(&self) -> usize {
        const STACK_BYTES: usize = 200;
        const TEXT_BYTES: usize = 32;
        (self.stacks.len() + self.goal_lists.len()) * STACK_BYTES
            + self.texts.len() * TEXT_BYTES
            + self.n_stack_bytes
            + self.n_key_bytes
            + self.goals.memory()
    }

    fn forget_states(&mut self) {
        self.stacks.clear();
        self.goal_lists.clear();
        self.keys_by_stack.clear();
        self.n_key_bytes = 0;
        self.n_stack_bytes = 0;
        self.texts.clear();
        self.goals.forget();
        self.root = self.goals.goal(vec![Schema::ROOT]);
        self.goal_lists.intern(vec![self.root]);
    }
}

/// A string value, read by all of its alternatives at once.
struct StringContent<'a> {
    goals: &'a Goals,
    readings: StringReadings,
}

impl Content for StringContent<'_> {
    fn push(&self, byte: u8) -> Option<Self> {
        let readings: StringReadings = (self.readings.iter())
            .filter_map(|reading| {
                let next = language(self.goals, reading.leaf).step(reading.reading, byte)?;
                Some(StringReading { reading: next, ..*reading })
            })
            .collect();
        (!readings.is_empty()).then_some(Self { goals: self.goals, readings })
    }
}

fn language(goals: &Goals, leaf: LeafId) -> &Language {
    match &**goals.leaf(leaf) {
        Leaf::String(language) => language,
        _ => unreachable!("a string is only read for string leaves"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends the steps, which all may fail")]
pub(super) fn at(stack: StackId, place: Place) -> Step {
    Ok(Some(State { stack, place, record: None }))
}

/// The place of the goal in the list, at its end if it is new.
pub(super) fn index_of(goals: &mut Vec<GoalId>, goal: GoalId) -> u32 {
    let index = goals.iter().position(|&other| other == goal).unwrap_or_else(|| {
        goals.push(goal);
        goals.len() - 1
    });
    index as u32
}
