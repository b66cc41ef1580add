//! How many different values a goal has, as far as an array without equal items needs to know.
//!
//! Numbers, words and listed strings are counted exactly. Arrays and objects are counted from the
//! values of what they consist of, so that what other statements exclude of them is counted, too:
//! then there may be fewer than that, never more.

use rustc_hash::FxHashSet;

use super::array::{ArrayLeaf, ArrayProgress, Equal};
use super::cost::Costing;
use super::goals::{GoalId, Goals, JsonType, Leaf};
use super::key_classes::{MANY, insert, no_class};
use super::language::Language;
use super::object::ObjectLeaf;
use super::schema::Literal;
use crate::error::Error;

/// Values below so many levels of containers count as many.
const MAX_DEPTH: u32 = 3;

/// Different values of some goals.
#[derive(Default)]
struct Counted {
    scalars: FxHashSet<Vec<u8>>,
    n_containers: usize,
}

impl Counted {
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
                        counted.scalars.extend(texts.iter().map(|text| [b"\"", text].concat()));
                    }
                    Leaf::String(_) => return Ok(false),
                    Leaf::Number(range) => match range.values_if_fewer(self.enough) {
                        Some(values) => {
                            counted.scalars.extend(values.into_iter().map(String::into_bytes));
                        }
                        None => return Ok(false),
                    },
                    Leaf::Array(array) => counted.n_containers += self.arrays(array, depth)?,
                    Leaf::Object(object) => counted.n_containers += self.objects(object, depth)?,
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
