//! The keys of objects: which may come next, how they are read, and what they mean.

use std::sync::Arc;

use super::cost::Costing;
use super::frame::{Alternative, Frame, ObjectFrame, ObjectProgress, Progress};
use super::goals::{GoalId, Goals, Leaf, Meeting, Ways};
use super::key_classes::{ClassSet, KeyClasses, MANY, insert, no_class};
use super::machine::{JsonMachine, Step, at, index_of};
use super::object::{KeyCondition, ObjectLeaf};
use super::plan::{OpenObject, Wanted};
use super::schema::Literal;
use super::state::{KeyReading, Place, StackId, StackNode};
use super::string::{Characters, Content, Decoder};
use super::texts::Texts;
use crate::error::Error;
use crate::limits::limit;
use crate::literals::{Literals, Prefix};
use smallvec::SmallVec;

/// The keys that may come next in an object, for any of its alternatives.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(super) names: Literals,
    /// Keys without a name.
    pub(super) others: Vec<OtherKeys>,
    /// Keys that don't mean what others of their classes mean: those that some alternative has a name
    /// for, and those that were read.
    pub(super) special: SpecialKeys,
}

/// Lists of keys, of which some may be in several.
pub(super) type SpecialKeys = SmallVec<[Arc<Literals>; 2]>;

/// Keys of some classes of one leaf.
#[derive(Debug)]
pub(crate) struct OtherKeys {
    pub(super) leaf: Arc<Leaf>,
    pub(super) classes: ClassSet,
    /// Keys that are named or were read before.
    pub(super) used: Vec<Vec<u8>>,
}

/// What a key means for one alternative.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) goal: GoalId,
    pub(crate) progress: ObjectProgress,
}

/// A key that comes next.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Named(u32),
    Other(u32),
}

impl Goals {
    /// What a key means for an object, in each way in which the clauses may take it.
    ///
    /// `others` are the keys without a name that were read before; a key must be new.
    fn admit(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        key: Key,
        others: &[Vec<u8>],
    ) -> Result<Vec<Admitted>, Error> {
        if leaf.max.is_some_and(|max| progress.n_members >= max) {
            return Ok(Vec::new());
        }
        let (goal, index) = match key {
            Key::Named(index) => (leaf.properties[index as usize].goal, Some(index)),
            Key::Other(class) => (leaf.other_goals[class as usize], None),
        };
        let ways = self.ways(leaf, progress, key, goal)?;
        let mut admitted = Vec::new();
        for &(met, goal) in ways.iter() {
            let progress = leaf.after_member(progress, index, met);
            if self.can_be_completed(leaf, &progress, others)? {
                admitted.push(Admitted { goal, progress });
            }
        }
        Ok(admitted)
    }

    /// Parts into which the values of a key fall by the clauses that they meet, each as a goal.
    fn ways(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        key: Key,
        goal: GoalId,
    ) -> Result<Arc<Ways>, Error> {
        let values = self.values_that_meet(leaf, progress, key);
        if let Some(ways) = self.ways.get(&(goal, values.clone())) {
            return Ok(ways.clone());
        }
        let mut ways: Vec<(u64, GoalId)> =
            self.is_possible(goal)?.then_some((0, goal)).into_iter().collect();
        for &(value, clauses) in &values {
            let mut next = Vec::new();
            for (met, goal) in ways {
                let with = self.goal_and(goal, &[value]);
                let without = self.goal_and(goal, &[value.negated()]);
                match (self.is_possible(with)?, self.is_possible(without)?) {
                    (true, true) => next.extend([(met | clauses, with), (met, without)]),
                    (true, false) => next.push((met | clauses, goal)),
                    (false, true) => next.push((met, goal)),
                    (false, false) => {}
                }
            }
            ways = next;
            limit!(self.meter().limits(), member_choices).check(ways.len())?;
            self.meter().spend(1 + ways.len())?;
        }
        let ways: Arc<Ways> = ways.into();
        self.ways.insert((goal, values), ways.clone());
        Ok(ways)
    }

    /// What the value of a key may satisfy, each with the clauses that it then meets.
    pub(super) fn values_that_meet(
        &self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        key: Key,
    ) -> Meeting {
        let mut values = Meeting::new();
        for (clause, conditions) in leaf.open_clauses(progress) {
            for value in conditions.iter().filter_map(|condition| met_with(condition, key, self)) {
                match values.iter_mut().find(|(other, _)| *other == value) {
                    Some((_, clauses)) => *clauses |= 1 << clause,
                    None => values.push((value, 1 << clause)),
                }
            }
        }
        values
    }

    /// Whether an open object has a plan.
    fn can_be_completed(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        others: &[Vec<u8>],
    ) -> Result<bool, Error> {
        if leaf.is_simple() {
            return Ok(true);
        }
        self.meter().spend(others.len())?;
        let open = OpenObject { leaf, progress, others };
        Ok(self.plan_object(&open, Wanted::First, &mut Costing::Settled)?.is_some())
    }

    /// What a key means for an object, if it may come next.
    fn admit_name(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        name: &str,
        others: &[Vec<u8>],
    ) -> Result<Vec<Admitted>, Error> {
        if let Some(&index) = leaf.by_name.get(name) {
            return if leaf.is_next(progress)(index) {
                self.admit(leaf, progress, Key::Named(index), others)
            } else {
                Ok(Vec::new())
            };
        }
        let is_new = !others.iter().any(|other| other == name.as_bytes());
        match leaf.others.class_of(name.as_bytes()) {
            Some(class) if is_new && leaf.may_be_other(progress) => {
                let mut others = others.to_vec();
                others.push(name.as_bytes().to_vec());
                self.admit(leaf, progress, Key::Other(class), &others)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The names that may come next for an object, ascending.
    fn next_names(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        others: &[Vec<u8>],
    ) -> Result<Vec<Arc<[u8]>>, Error> {
        let mut names = Vec::with_capacity(leaf.properties.len());
        self.meter().spend(leaf.properties.len() / 4)?;
        let is_next = leaf.is_next(progress);
        for &index in leaf.sorted.iter().filter(|&&index| is_next(index)) {
            self.meter().spend(1)?;
            let property = &leaf.properties[index as usize];
            let may_come = if leaf.is_simple() {
                self.is_possible(property.goal)?
            } else {
                !self.admit(leaf, progress, Key::Named(index), others)?.is_empty()
            };
            if may_come {
                names.push(property.name.clone().into());
            }
        }
        Ok(names)
    }

    /// The classes of keys without a name that may come next for an object; none if none may.
    fn next_classes(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        others: &[Vec<u8>],
    ) -> Result<Option<ClassSet>, Error> {
        let mut classes = no_class(leaf.other_goals.len());
        let mut is_empty = true;
        if leaf.may_be_other(progress) {
            for class in 0..leaf.other_goals.len() as u32 {
                if !self.admit(leaf, progress, Key::Other(class), others)?.is_empty() {
                    insert(&mut classes, class);
                    is_empty = false;
                }
            }
        }
        Ok((!is_empty).then_some(classes))
    }
}

/// What the value of the key has to satisfy to meet the condition, if it can.
fn met_with(condition: &KeyCondition, key: Key, goals: &Goals) -> Option<Literal> {
    match (condition, key) {
        (KeyCondition::Has(index), Key::Named(named)) => {
            (*index == named).then(|| goals.schema.anything())
        }
        (KeyCondition::Member(index, value), Key::Named(named)) => {
            (*index == named).then_some(*value)
        }
        (KeyCondition::Some(keys, value), Key::Named(named)) => {
            keys.properties[named as usize].then_some(*value)
        }
        (KeyCondition::Some(keys, value), Key::Other(class)) => {
            super::key_classes::contains(&keys.classes, class).then_some(*value)
        }
        _ => None,
    }
}

impl JsonMachine {
    /// The keys that may come next in the object on top of the stack.
    pub(super) fn keys(&mut self, stack: StackId) -> Result<Arc<Keys>, Error> {
        if let Some(keys) = self.keys_by_stack.get(&stack) {
            return Ok(keys.clone());
        }
        let node = self.stacks.get(stack).clone();
        let mut names: Vec<Arc<[u8]>> = Vec::new();
        let mut others: Vec<OtherKeys> = Vec::new();
        let read = self.unnamed_keys(&node);
        self.goals.meter().spend(10 * read.len())?;
        for alternative in node.frame.alternatives() {
            let leaf = self.goals.leaf(alternative.leaf).clone();
            let (Leaf::Object(object), Progress::Object(progress)) =
                (&*leaf, &alternative.progress)
            else {
                continue;
            };
            names.extend(self.goals.next_names(object, progress, &read)?);
            let Some(classes) = self.goals.next_classes(object, progress, &read)? else { continue };
            let is_known = others
                .iter()
                .any(|other| Arc::ptr_eq(&other.leaf, &leaf) && other.classes == classes);
            if !is_known && let Some(keys) = OtherKeys::new(leaf.clone(), classes, &read) {
                others.push(keys);
            }
        }
        let special =
            if others.is_empty() { SpecialKeys::new() } else { self.special_keys(&node, read) };
        let names = Literals::new(names);
        let keys = Arc::new(Keys { names, others, special });
        self.remember_keys(stack, &keys);
        Ok(keys)
    }

    /// Keys are remembered up to so many bytes; then all are forgotten and found again.
    fn remember_keys(&mut self, stack: StackId, keys: &Arc<Keys>) {
        const MAX_BYTES: usize = 16 << 20;
        if self.n_key_bytes > MAX_BYTES {
            self.keys_by_stack.clear();
            self.n_key_bytes = 0;
        }
        self.n_key_bytes += keys.memory();
        self.keys_by_stack.insert(stack, keys.clone());
    }

    /// The keys that some alternative of an object has a name for, and those that were read.
    fn special_keys(&self, node: &StackNode, read: Vec<Vec<u8>>) -> SpecialKeys {
        let mut special = SpecialKeys::new();
        for alternative in node.frame.alternatives() {
            if let Leaf::Object(object) = &**self.goals.leaf(alternative.leaf)
                && !special.iter().any(|names| Arc::ptr_eq(names, &object.names))
            {
                special.push(object.names.clone());
            }
        }
        if !read.is_empty() {
            special.push(Arc::new(Literals::new(read.into_iter().map(Vec::into).collect())));
        }
        special
    }

    /// The keys without a name that were read in the object.
    pub(super) fn unnamed_keys(&self, node: &StackNode) -> Vec<Vec<u8>> {
        match &node.frame {
            Frame::Object(object) => {
                object.unnamed.iter().map(|&text| self.texts.bytes(text)).collect()
            }
            Frame::Array(_) => Vec::new(),
        }
    }

    pub(super) fn begin_key(&mut self, stack: StackId) -> Step {
        let keys = self.keys(stack)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let prefix = (!keys.names.is_empty()).then(|| keys.names.start());
        let others: OtherStates = keys.others.iter().map(|_| Some(KeyClasses::START)).collect();
        let text = (!others.is_empty()).then_some(Texts::EMPTY);
        at(stack, Place::Key(KeyReading { decoder: Decoder::Boundary, prefix, others, text }))
    }

    pub(super) fn step_key(&mut self, stack: StackId, key: &KeyReading, byte: u8) -> Step {
        let keys = self.keys(stack)?;
        if key.decoder == Decoder::Boundary && byte == b'"' {
            return match self.key_text(&keys, key) {
                Some(name) => self.close_key(stack, &name),
                None => Ok(None),
            };
        }
        let begun = || key.text.map_or(Vec::new(), |text| self.texts.bytes(text));
        let content = KeyContent::new(&keys, &begun, key.prefix, &key.others);
        let Some((decoder, pushed)) = key.decoder.step(&content, byte, self.options().escapes)
        else {
            return Ok(None);
        };
        let KeyContent { prefix, others, pushed, n_pushed, .. } = pushed.unwrap_or(content);
        let mut text = key.text;
        for &byte in &pushed[..n_pushed] {
            text = text.map(|text| self.texts.extended(text, byte));
        }
        let text = text.filter(|_| others.iter().any(Option::is_some));
        at(stack, Place::Key(KeyReading { decoder, prefix, others, text }))
    }

    /// The key that was read, if it can end here at all.
    fn key_text(&self, keys: &Keys, key: &KeyReading) -> Option<String> {
        let bytes = match key.text {
            Some(text) => self.texts.bytes(text),
            None => keys.names.complete(key.prefix?)?.to_vec(),
        };
        String::from_utf8(bytes).ok()
    }

    pub(super) fn close_key(&mut self, stack: StackId, name: &str) -> Step {
        let place = self.after_key(stack, name)?;
        match place {
            Some((stack, goals)) => at(stack, Place::Colon { goals, space: 0 }),
            None => Ok(None),
        }
    }

    /// The object with its alternatives waiting for the value of the key, and the goals of that.
    pub(super) fn after_key(
        &mut self,
        stack: StackId,
        name: &str,
    ) -> Result<Option<(StackId, u32)>, Error> {
        self.goals.meter().spend(name.len())?;
        let node = self.stacks.get(stack).clone();
        let Frame::Object(object) = &node.frame else { return Ok(None) };
        let read = self.unnamed_keys(&node);
        self.goals.meter().spend(5 * read.len())?;
        let mut goals = Vec::new();
        let mut alternatives = Vec::new();
        let mut is_unnamed = false;
        for alternative in &object.alternatives {
            let leaf = self.goals.leaf(alternative.leaf).clone();
            let (Leaf::Object(object), Progress::Object(progress)) =
                (&*leaf, &alternative.progress)
            else {
                continue;
            };
            for admitted in self.goals.admit_name(object, progress, name, &read)? {
                let waits_for = index_of(&mut goals, admitted.goal);
                is_unnamed |= !object.by_name.contains_key(name);
                let progress = Progress::Object(admitted.progress);
                alternatives.push(Alternative { progress, waits_for, ..*alternative });
            }
        }
        if alternatives.is_empty() {
            return Ok(None);
        }
        let mut unnamed = object.unnamed.clone();
        let text = name.bytes().fold(Texts::EMPTY, |text, byte| self.texts.extended(text, byte));
        if let (Err(index), true) = (unnamed.binary_search(&text), is_unnamed) {
            unnamed.insert(index, text);
        }
        let frame = Frame::Object(ObjectFrame { alternatives, unnamed });
        let stack = self.push(node.parent, frame);
        Ok(Some((stack, self.goal_lists.intern(goals))))
    }
}

impl Keys {
    /// About how many bytes it takes.
    fn memory(&self) -> usize {
        const TEXT_BYTES: usize = 32;
        let used = self.others.iter().flat_map(|others| &others.used).map(Vec::as_slice);
        // Names are those of the leaves.
        let names = self.names.iter().count() * size_of::<Arc<[u8]>>();
        size_of::<Self>() + names + used.map(|text| text.len() + TEXT_BYTES).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.others.is_empty()
    }
}

impl OtherKeys {
    /// None if all keys of the classes are used.
    fn new(leaf: Arc<Leaf>, classes: ClassSet, read: &[Vec<u8>]) -> Option<Self> {
        let mut keys = Self { leaf, classes, used: Vec::new() };
        let object = keys.object();
        let names = object.properties.iter().map(|property| property.name.as_bytes().to_vec());
        let is_of_class = |key: &Vec<u8>| {
            let class = object.others.class_of(key);
            class.is_some_and(|class| super::key_classes::contains(&keys.classes, class))
        };
        let used = if object.others.is_everything() {
            Vec::new()
        } else {
            names.chain(read.to_vec()).filter(is_of_class).collect()
        };
        keys.used = used;
        keys.is_live(KeyClasses::START, Vec::new).then_some(keys)
    }

    pub(super) fn object(&self) -> &ObjectLeaf {
        match &*self.leaf {
            Leaf::Object(object) => object,
            _ => unreachable!("only objects have keys"),
        }
    }

    /// Whether all keys are of one class.
    pub(super) fn is_everything(&self) -> bool {
        self.object().others.is_everything()
    }

    /// How many keys begin with what led to the state, those that are used included.
    pub(super) fn n_keys(&self, state: u32) -> u32 {
        self.object().others.n_keys(state, &self.classes)
    }

    /// Whether some key that is not used begins with what was read, up to the state.
    pub(super) fn is_live(&self, state: u32, begun: impl Fn() -> Vec<u8>) -> bool {
        let n_keys = self.n_keys(state);
        if n_keys == MANY || n_keys == 0 {
            return n_keys > 0;
        }
        let begun = begun();
        n_keys as usize > self.used.iter().filter(|key| key.starts_with(&begun)).count()
    }
}

/// A key: one of the names, or any other where that is allowed.
pub(super) struct KeyContent<'a, F> {
    keys: &'a Keys,
    /// What was read of the key before.
    begun: &'a F,
    pub(super) prefix: Option<Prefix>,
    pub(super) others: OtherStates,
    /// The bytes of the character that is being pushed.
    pushed: [u8; 4],
    n_pushed: usize,
}

/// For each of the [`OtherKeys`] how a key goes on, if it does.
pub(super) type OtherStates = SmallVec<[Option<u32>; 2]>;

impl<'a, F: Fn() -> Vec<u8>> KeyContent<'a, F> {
    pub(super) fn new(
        keys: &'a Keys,
        begun: &'a F,
        prefix: Option<Prefix>,
        others: &[Option<u32>],
    ) -> Self {
        Self { keys, begun, prefix, others: others.into(), pushed: [0; 4], n_pushed: 0 }
    }
}

impl<F: Fn() -> Vec<u8>> Content for KeyContent<'_, F> {
    fn goes_on(&self) -> Option<bool> {
        let others = || self.keys.others.iter().zip(&self.others);
        if others().any(|(keys, state)| state.is_some() && keys.is_everything()) {
            return Some(true);
        }
        let has_name = self.prefix.is_some_and(|prefix| self.keys.names.goes_on(prefix));
        (has_name || others().all(|(_, state)| state.is_none())).then_some(has_name)
    }

    fn next_characters(&self) -> Option<Characters> {
        let has_others = self.others.iter().any(Option::is_some);
        self.keys.names.next_characters(self.prefix.filter(|_| !has_others)?)
    }

    fn push(&self, byte: u8) -> Option<Self> {
        let prefix = self.prefix.and_then(|prefix| self.keys.names.step(prefix, byte));
        let (mut pushed, n_pushed) = (self.pushed, self.n_pushed + 1);
        *pushed.get_mut(self.n_pushed)? = byte;
        let begun = || [&(self.begun)()[..], &pushed[..n_pushed]].concat();
        let mut others = self.others.clone();
        for (state, keys) in others.iter_mut().zip(&self.keys.others) {
            *state = state
                .and_then(|at| keys.object().others.step(at, byte))
                .filter(|&at| keys.is_live(at, begun));
        }
        let goes_on = prefix.is_some() || others.iter().any(Option::is_some);
        goes_on.then_some(Self { prefix, others, pushed, n_pushed, ..*self })
    }
}
