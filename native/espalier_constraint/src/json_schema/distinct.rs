//! How many different values a goal has, as far as an array without equal items needs to know.
//!
//! Numbers, words and listed strings are counted exactly. Arrays and objects are counted from the
//! values of what they consist of, so that what other statements exclude of them is counted, too:
//! then there may be fewer than that, never more.
//!
//! Where items are asked different things by their place, those of few values need one each: a
//! matching of places and values.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::array::{ArrayLeaf, ArrayProgress, Equal};
use super::cost::Costing;
use super::goals::{GoalId, Goals, JsonType, Leaf};
use super::key_classes::{MANY, insert, no_class};
use super::language::Language;
use super::matching::is_enough_for_each;
use super::object::ObjectLeaf;
use super::schema::Literal;
use super::string::quote_into;
use crate::error::Error;

/// Values below so many levels of containers count as many.
const MAX_DEPTH: u32 = 3;

/// Places of few values have fewer than this.
const MANY_VALUES: usize = 64;
/// So many places are looked at.
const MAX_PLACES: u32 = 64;

/// Different values of some goals.
#[derive(Default)]
struct Counted {
    scalars: FxHashSet<Vec<u8>>,
    n_containers: usize,
    /// One of the containers.
    container: Option<Arc<Leaf>>,
}

impl Counted {
    fn add(&mut self, n_containers: usize, leaf: &Arc<Leaf>) {
        self.n_containers += n_containers;
        self.container = self.container.take().or_else(|| (n_containers > 0).then(|| leaf.clone()));
    }

    fn n(&self) -> usize {
        self.scalars.len().saturating_add(self.n_containers)
    }
}

/// A count up to some number that is enough.
struct Count<'g, 'c, 'p> {
    goals: &'g mut Goals,
    costing: &'c mut Costing<'p>,
    enough: usize,
}

impl Goals {
    /// Whether there are still as many different values as items are needed. `values` are those read.
    pub(crate) fn has_enough_values(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
        costing: &mut Costing<'_>,
    ) -> Result<bool, Error> {
        let enough = leaf.min.saturating_sub(progress.n_items) as usize;
        if leaf.equal != Equal::None || enough < 2 && values.is_empty() {
            return Ok(true);
        }
        let excluded = leaf.excluded(values);
        let sets = self.sets_of_few(leaf, progress.n_items, values, costing)?;
        if !is_enough_for_each(&sets) {
            return Ok(false);
        }
        let end = leaf.min.min(leaf.prefix.len() as u32 + 1);
        let mut count = Count { goals: self, costing, enough };
        let (mut counted, mut seen) = (Counted::default(), FxHashSet::default());
        for index in progress.n_items.min(end.saturating_sub(1))..end {
            let goal = count.goals.goal_and(leaf.item(index), &excluded);
            if seen.insert(goal) && !count.add_values(goal, MAX_DEPTH, &mut counted)? {
                return Ok(true);
            }
        }
        Ok(counted.n() >= enough)
    }

    /// The values that the next item has to leave to those behind it.
    pub(super) fn values_left_to_later(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
    ) -> Result<Vec<Literal>, Error> {
        let sets = self.sets_of_few(leaf, progress.n_items + 1, values, &mut Costing::Settled)?;
        let all: BTreeSet<&Vec<u8>> = sets.iter().flatten().collect();
        let is_needed = |value: &&Vec<u8>| {
            let without =
                sets.iter().map(|set| set.iter().filter(|other| other != value).cloned().collect());
            !is_enough_for_each(&without.collect::<Vec<_>>())
        };
        let needed: Vec<&Vec<u8>> = all.into_iter().filter(is_needed).collect();
        needed.into_iter().map(|value| self.value_of(value)).collect()
    }

    /// The values of each required item from a place on that can have few, where places differ.
    fn sets_of_few(
        &mut self,
        leaf: &ArrayLeaf,
        from: u32,
        values: &[Literal],
        costing: &mut Costing<'_>,
    ) -> Result<Vec<FxHashSet<Vec<u8>>>, Error> {
        let mut sets = Vec::new();
        if leaf.equal != Equal::None || leaf.prefix.is_empty() {
            return Ok(sets);
        }
        let excluded = leaf.excluded(values);
        for index in from..leaf.min.min(from.saturating_add(MAX_PLACES)) {
            let goal = self.goal_and(leaf.item(index), &excluded);
            let mut count = Count { goals: self, costing, enough: MANY_VALUES };
            let mut counted = Counted::default();
            if !count.add_values(goal, MAX_DEPTH, &mut counted)? || counted.n_containers > 1 {
                continue;
            }
            if let Some(leaf) = counted.container {
                match count.only_text(&leaf, MAX_DEPTH)? {
                    Some(text) => counted.scalars.insert(text),
                    None => continue,
                };
            }
            sets.push(counted.scalars);
        }
        Ok(sets)
    }
}

impl Count<'_, '_, '_> {
    /// Adds the values of a goal. Answers false when there are enough.
    fn add_values(
        &mut self,
        goal: GoalId,
        depth: u32,
        counted: &mut Counted,
    ) -> Result<bool, Error> {
        for json_type in JsonType::ALL {
            let leaves = self.goals.alternatives(goal, json_type)?;
            if json_type.is_container()
                && (leaves.is_empty() || !self.is_possible(goal, json_type)?)
            {
                continue;
            }
            for &leaf in leaves.iter() {
                let leaf = self.goals.leaf(leaf).clone();
                match &*leaf {
                    Leaf::Word(word) => drop(counted.scalars.insert(word.to_vec())),
                    Leaf::String(Language::Literals(texts)) => {
                        counted.scalars.extend(texts.iter().map(json_text));
                    }
                    Leaf::String(_) => return Ok(false),
                    Leaf::Number(range) => match range.values_if_fewer(self.enough) {
                        Some(values) => {
                            counted.scalars.extend(values.into_iter().map(String::into_bytes));
                        }
                        None => return Ok(false),
                    },
                    Leaf::Array(array) => counted.add(self.arrays(array, depth)?, &leaf),
                    Leaf::Object(object) => counted.add(self.objects(object, depth)?, &leaf),
                }
                if counted.n() >= self.enough {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether values of the type, an array or an object, satisfy the goal, as far as that is known.
    fn is_possible(&mut self, goal: GoalId, json_type: JsonType) -> Result<bool, Error> {
        let schema = &self.goals.schema;
        let of_type = if json_type == JsonType::Array { schema.arrays() } else { schema.objects() };
        let goal = self.goals.goal_and(goal, &[of_type]);
        Ok(self.costing.cost(self.goals, goal)?.is_some())
    }

    fn values(&mut self, goal: GoalId, depth: u32) -> Result<usize, Error> {
        if self.costing.cost(self.goals, goal)?.is_none() {
            return Ok(0);
        }
        let mut counted = Counted::default();
        let has_few = depth > 0 && self.add_values(goal, depth - 1, &mut counted)?;
        Ok(if has_few { counted.n() } else { self.enough })
    }

    /// The text of a container that is the only one of its leaf, if its parts are the only ones of
    /// theirs as far as can be seen; equal containers have equal texts.
    fn only_text(&mut self, leaf: &Leaf, depth: u32) -> Result<Option<Vec<u8>>, Error> {
        let mut parts: Vec<(Vec<u8>, GoalId)> = match leaf {
            Leaf::Array(array) if array.min <= MAX_PLACES => {
                (0..array.min).map(|index| (Vec::new(), array.item(index))).collect()
            }
            Leaf::Object(object) => {
                let required = object.properties.iter().filter(|property| property.is_required);
                let key = |name: &str| [&json_text(name.as_bytes())[..], b":"].concat();
                required.map(|property| (key(&property.name), property.goal)).collect()
            }
            _ => return Ok(None),
        };
        if matches!(leaf, Leaf::Object(_)) {
            parts.sort_unstable();
        }
        let mut texts = Vec::new();
        for (key, goal) in parts {
            let Some(value) = self.only_value(goal, depth)? else { return Ok(None) };
            texts.push([key, value].concat());
        }
        let joined = texts.join(&b","[..]);
        let (open, close) =
            if matches!(leaf, Leaf::Array(_)) { (b"[", b"]") } else { (b"{", b"}") };
        Ok(Some([&open[..], &joined, close].concat()))
    }

    /// The text of the only value of a goal, if it has only one as far as can be seen.
    fn only_value(&mut self, goal: GoalId, depth: u32) -> Result<Option<Vec<u8>>, Error> {
        let mut counted = Counted::default();
        if depth == 0 || !self.add_values(goal, depth - 1, &mut counted)? || counted.n() != 1 {
            return Ok(None);
        }
        match counted.container {
            Some(leaf) => self.only_text(&leaf, depth - 1),
            None => Ok(counted.scalars.into_iter().next()),
        }
    }

    fn arrays(&mut self, leaf: &ArrayLeaf, depth: u32) -> Result<usize, Error> {
        let (mut n, mut of_length) = (0, 1);
        let end = leaf.max.unwrap_or(u32::MAX);
        for index in 0..leaf.prefix.len() as u32 {
            n += if index >= leaf.min { of_length } else { 0 };
            if n >= self.enough || index >= end || of_length == 0 {
                return Ok(n);
            }
            of_length *= self.values(leaf.item(index), depth)?;
            of_length = of_length.min(self.enough);
        }
        let of_rest = self.values(leaf.rest, depth)?;
        let first = leaf.prefix.len() as u32;
        for index in first..=end {
            let is_one = index >= leaf.min;
            n += if is_one { of_length } else { 0 };
            // Where each further item multiplies by one, or there are enough, only the end matters.
            let is_steady = of_rest == 1 || of_length >= self.enough || of_length == 0;
            if is_steady && !is_one {
                let n_lengths = (end - leaf.min.min(end)) as usize + 1;
                return Ok(of_length.saturating_mul(n_lengths));
            }
            if n >= self.enough || of_length == 0 {
                break;
            }
            of_length = of_length.saturating_mul(of_rest).min(self.enough);
        }
        Ok(n)
    }

    fn objects(&mut self, leaf: &ObjectLeaf, depth: u32) -> Result<usize, Error> {
        let mut n = 1;
        let mut n_required = 0;
        for property in leaf.properties.iter().filter(|property| property.is_required) {
            n_required += 1;
            n = self.values(property.goal, depth)?.saturating_mul(n).min(self.enough);
        }
        if n == 0 || leaf.max.is_some_and(|max| max <= n_required) {
            return Ok(n);
        }
        for property in leaf.properties.iter().filter(|property| !property.is_required) {
            if n >= self.enough {
                return Ok(n);
            }
            n = self.values(property.goal, depth)?.saturating_add(1).saturating_mul(n);
        }
        for (class, &goal) in leaf.other_goals.iter().enumerate() {
            let mut classes = no_class(leaf.other_goals.len());
            insert(&mut classes, class as u32);
            let n_keys = leaf.others.n_keys(0, &classes);
            for _ in 0..n_keys {
                if n >= self.enough {
                    return Ok(n);
                }
                match self.values(goal, depth)? {
                    0 => break,
                    _ if n_keys == MANY => return Ok(self.enough),
                    of_value => n = of_value.saturating_add(1).saturating_mul(n),
                }
            }
        }
        Ok(n)
    }
}

/// The string as a JSON text.
fn json_text(string: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    quote_into(string, &mut text);
    text
}
