//! [`ArrayLeaf`]: the arrays of one alternative, and what their next item may be.

use super::cost::Costing;
use super::expand::Atom;
use super::goals::{GoalId, Goals};
use super::json::Json;
use super::parse;
use super::schema::{Kind, Literal};
use crate::error::Error;
use crate::limits::limit;

/// The arrays of one alternative.
#[derive(Debug)]
pub(crate) struct ArrayLeaf {
    /// The goals of the first items.
    pub(crate) prefix: Vec<GoalId>,
    /// The goal of each further item.
    pub(crate) rest: GoalId,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
    pub(crate) counters: Vec<Counter>,
    pub(crate) equal: Equal,
}

/// Whether items may be equal to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Equal {
    Any,
    /// No two are.
    None,
    /// At least two are.
    Some,
}

/// So many of the items from an index on satisfy a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    pub(crate) from: u32,
    pub(crate) item: Literal,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

/// How far an array is filled, for one alternative; counted only as far as it makes a difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ArrayProgress {
    pub(crate) n_items: u32,
    /// By counter.
    pub(crate) counts: Box<[u32]>,
    /// Whether two equal items were read, where that is asked.
    pub(crate) has_equal: bool,
}

/// What it costs to look at two items together.
const PAIR: usize = 100;

impl ArrayLeaf {
    pub(crate) fn item(&self, index: u32) -> GoalId {
        self.prefix.get(index as usize).copied().unwrap_or(self.rest)
    }

    pub(crate) fn start(&self) -> ArrayProgress {
        let counts = vec![0; self.counters.len()].into();
        ArrayProgress { n_items: 0, counts, has_equal: false }
    }

    /// The end of the indices from one on that are worth a look: beyond the prefix all are alike, and
    /// two of them are enough.
    fn end_of_different(&self, first: u32) -> u32 {
        let end = first.max(self.prefix.len() as u32) + 2;
        self.max.map_or(end, |max| max.min(end))
    }

    /// Whether it matters which items were read.
    pub(super) fn knows_items(&self) -> bool {
        self.equal != Equal::Any
    }

    /// That an item equals none of those read, where that is asked.
    pub(super) fn excluded(&self, values: &[Literal]) -> Vec<Literal> {
        let values = values.iter().filter(|_| self.equal == Equal::None);
        values.map(|value| value.negated()).collect()
    }

    /// Whether the array may end.
    pub(crate) fn is_complete(&self, progress: &ArrayProgress) -> bool {
        progress.n_items >= self.min
            && self.has_counts(progress)
            && (self.equal != Equal::Some || progress.has_equal)
    }

    /// Whether there are enough items of each counter.
    pub(super) fn has_counts(&self, progress: &ArrayProgress) -> bool {
        self.counters.iter().zip(&progress.counts).all(|(counter, count)| *count >= counter.min)
    }

    /// From this index on all items are asked the same.
    pub(super) fn stable_from(&self) -> u32 {
        let from = self.counters.iter().map(|counter| counter.from).max().unwrap_or(0);
        from.max(self.prefix.len() as u32)
    }

    /// After one more item, with the counters that it counts in.
    fn after_item(&self, progress: &ArrayProgress, counted: &[usize]) -> ArrayProgress {
        let open = self.min.max(self.stable_from());
        let mut next = progress.clone();
        next.n_items = (next.n_items + 1).min(self.max.unwrap_or(open));
        for &index in counted {
            let counter = &self.counters[index];
            next.counts[index] = (next.counts[index] + 1).min(counter.max.unwrap_or(counter.min));
        }
        next
    }
}

impl Goals {
    /// Whether an open array has a plan.
    pub(super) fn array_can_be_completed(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
    ) -> Result<bool, Error> {
        // Without counters, what the leaf needs is possible, or it would not have been opened.
        let is_simple = leaf.counters.is_empty();
        Ok(is_simple || self.plan_array(leaf, progress, &mut Costing::Settled)?.is_some())
    }

    /// The arrays that satisfy the atoms; none when their bounds contradict each other.
    pub(super) fn array_leaf(&mut self, atoms: &[Atom]) -> Option<ArrayLeaf> {
        let (unevaluated, some_unevaluated) = self.unevaluated_items(atoms);
        let mut equal = Equal::Any;
        let (mut min, mut max) = (0, None::<u32>);
        let mut reduce = |to: u32| max = Some(max.map_or(to, |max| max.min(to)));
        let mut items: Vec<(&[Literal], Option<Literal>)> = Vec::new();
        let mut single: Vec<(u32, Literal)> = Vec::new();
        let mut counters: Vec<Counter> = Vec::new();
        for counter in some_unevaluated {
            add_counter(&mut counters, &counter)?;
        }
        for atom in atoms {
            match atom {
                Atom::Is(literal) => match (self.schema.kind(*literal), literal.is_negated()) {
                    (Kind::MinItems(n), false) => min = min.max(*n),
                    (Kind::MaxItems(n), true) => min = min.max(n + 1),
                    (Kind::MaxItems(n), false) => reduce(*n),
                    (Kind::MinItems(n), true) => reduce(n.checked_sub(1)?),
                    (Kind::Items { prefix, rest }, false) => items.push((prefix, *rest)),
                    (Kind::Unique, is_negated) => {
                        let other = if is_negated { Equal::Some } else { Equal::None };
                        if equal != Equal::Any && equal != other {
                            return None;
                        }
                        equal = other;
                    }
                    _ => {}
                },
                Atom::Item { index, item } => {
                    min = min.max(index + 1);
                    single.push((*index, *item));
                }
                &Atom::Count { from, item, min, max } => {
                    add_counter(&mut counters, &Counter { from, item, min, max })?;
                }
                Atom::UnevaluatedItems(..)
                | Atom::SomeUnevaluatedItem(..)
                | Atom::UnevaluatedProperties(..)
                | Atom::Clause(_) => {}
            }
        }
        if max.is_some_and(|max| max < min) {
            return None;
        }
        let n_prefix = items.iter().map(|(prefix, _)| prefix.len()).max().unwrap_or(0);
        let n_prefix =
            single.iter().map(|(index, _)| *index as usize + 1).fold(n_prefix, usize::max);
        let n_prefix = n_prefix.min(max.map_or(usize::MAX, |max| max as usize));
        let literals = |index: usize| -> Vec<Literal> {
            let of_all =
                items.iter().filter_map(|(prefix, rest)| prefix.get(index).copied().or(*rest));
            let of_one =
                single.iter().filter(|(at, _)| *at as usize == index).map(|(_, item)| *item);
            let of_rest = unevaluated.iter().filter(|(from, _)| index >= *from as usize);
            of_all.chain(of_one).chain(of_rest.map(|(_, item)| *item)).collect()
        };
        let prefix: Vec<Vec<Literal>> = (0..n_prefix).map(literals).collect();
        let rest = literals(usize::MAX);
        let prefix = prefix.into_iter().map(|literals| self.goal(literals)).collect();
        let rest = self.goal(rest);
        match equal {
            Equal::None if max.is_some_and(|max| max < 2) => equal = Equal::Any,
            Equal::Some => min = min.max(2),
            _ => {}
        }
        let is_possible = max.is_none_or(|max| min <= max);
        is_possible.then_some(ArrayLeaf { prefix, rest, min, max, counters, equal })
    }

    /// What items are asked that are not spoken of, each from an index on, and how many of them. What
    /// speaks of items by what they are allows those, too.
    fn unevaluated_items(&mut self, atoms: &[Atom]) -> (Vec<(u32, Literal)>, Vec<Counter>) {
        let (mut each, mut some) = (Vec::new(), Vec::new());
        for atom in atoms {
            let (Atom::UnevaluatedItems(evaluated, item)
            | Atom::SomeUnevaluatedItem(evaluated, item)) = atom
            else {
                continue;
            };
            let allowed = [evaluated.items.as_slice(), &[*item]].concat();
            let (from, item) = (evaluated.n_items, self.schema.nodes.any_of(&allowed));
            if let Atom::UnevaluatedItems(..) = atom {
                each.push((from, item));
            } else {
                some.push(Counter { from, item: item.negated(), min: 1, max: None });
            }
        }
        (each, some)
    }

    /// What only values equal to that of the text satisfy.
    pub(super) fn value_of(&mut self, text: &[u8]) -> Result<Literal, Error> {
        let nesting = limit!(self.meter().limits(), item_nesting);
        nesting.check(parse::json_nesting(text))?;
        self.meter().spend(1 + text.len() / 16)?;
        let text = str::from_utf8(text).map_err(|_| nesting.exceeded())?;
        let value = Json::read(text).map_err(|_| nesting.exceeded())?;
        let meter = self.meter().clone();
        self.schema.nodes.value(&value, &meter)
    }

    /// What the next item may be: its goal, and the progress after it. A counter that needs more is
    /// tried with the item and without it; one that must not have more forbids it.
    pub(crate) fn next_items(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
    ) -> Result<Vec<(GoalId, ArrayProgress)>, Error> {
        if leaf.equal == Equal::Some && !progress.has_equal {
            return self.next_items_before_equal(leaf, progress, values);
        }
        let mut next = self.next_items_by_counters(leaf, progress, values)?;
        let left = self.values_left_to_later(leaf, progress, values)?;
        let left: Vec<Literal> = left.into_iter().map(Literal::negated).collect();
        for (goal, _) in &mut next {
            *goal = self.goal_and(*goal, &left);
        }
        Ok(next)
    }

    pub(super) fn next_items_by_counters(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
    ) -> Result<Vec<(GoalId, ArrayProgress)>, Error> {
        if leaf.max.is_some_and(|max| progress.n_items >= max) {
            return Ok(Vec::new());
        }
        let goal = leaf.item(progress.n_items);
        let mut forced = leaf.excluded(values);
        let mut open = Vec::new();
        for (index, counter) in leaf.counters.iter().enumerate() {
            let count = progress.counts[index];
            match counter.max {
                _ if progress.n_items < counter.from => {}
                Some(max) if count >= max => forced.push(counter.item.negated()),
                None if count >= counter.min => {}
                _ => open.push(index),
            }
        }
        let counters = limit!(self.meter().limits(), open_counters).check(open.len());
        counters.map_err(|error| match leaf.counters.first() {
            Some(counter) => error.at(self.schema.pointer(counter.item)),
            None => error,
        })?;
        self.meter().spend((forced.len() / 8 + 1) << open.len())?;
        let mut next = Vec::new();
        for bits in (0..1usize << open.len()).rev() {
            let counted: Vec<usize> =
                (0..open.len()).filter(|at| bits >> at & 1 == 1).map(|at| open[at]).collect();
            let mut literals = forced.clone();
            for &index in &open {
                let Counter { item, max, .. } = leaf.counters[index];
                if counted.contains(&index) {
                    literals.push(item);
                } else if max.is_some() {
                    literals.push(item.negated());
                }
            }
            next.push((self.goal_and(goal, &literals), leaf.after_item(progress, &counted)));
        }
        Ok(next)
    }

    /// As [`next_items`](Self::next_items), for an array in which two items have to be equal and none
    /// are: this one equals one that was read, or will equal a later one, or has no part in it.
    fn next_items_before_equal(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
    ) -> Result<Vec<(GoalId, ArrayProgress)>, Error> {
        let index = progress.n_items;
        let may_be_later = self.equal_items(leaf, index + 1, values)?.is_some();
        let mut next = Vec::new();
        for (goal, after) in self.next_items_by_counters(leaf, progress, values)? {
            if !values.is_empty() {
                let one_of_them = self.schema.nodes.any_of(values);
                let after = ArrayProgress { has_equal: true, ..after.clone() };
                next.push((self.goal_and(goal, &[one_of_them]), after));
            }
            if may_be_later {
                next.push((goal, after));
                continue;
            }
            for later in index + 1..leaf.end_of_different(index + 1) {
                next.push((self.both(goal, leaf.item(later)), after.clone()));
            }
        }
        Ok(next)
    }

    /// For an array in which two items have to be equal: the indices of two, from an index on, that can
    /// be, or that of one that can equal an item read. None if there are none.
    pub(super) fn equal_items(
        &mut self,
        leaf: &ArrayLeaf,
        first: u32,
        values: &[Literal],
    ) -> Result<Option<(Option<u32>, u32)>, Error> {
        let end = leaf.end_of_different(first);
        if !values.is_empty() {
            let one_of_them = self.schema.nodes.any_of(values);
            for index in first..end {
                let goal = self.goal_and(leaf.item(index), &[one_of_them]);
                if self.is_possible(goal)? {
                    return Ok(Some((None, index)));
                }
            }
        }
        for second in first..end {
            for index in first..second {
                self.meter().spend(PAIR)?;
                let both = self.both(leaf.item(index), leaf.item(second));
                if self.is_possible(both)? {
                    return Ok(Some((Some(index), second)));
                }
            }
        }
        Ok(None)
    }

    /// The cheapest value that two items can share; none if there is none.
    pub(super) fn equal_cost(
        &mut self,
        leaf: &ArrayLeaf,
        costing: &mut Costing<'_>,
    ) -> Result<Option<u64>, Error> {
        let mut best = None;
        for second in 0..leaf.end_of_different(0) {
            for first in 0..second {
                self.meter().spend(PAIR)?;
                let both = self.both(leaf.item(first), leaf.item(second));
                best = [best, costing.cost(self, both)?].into_iter().flatten().min();
            }
        }
        Ok(best)
    }

    /// What satisfies both goals.
    pub(super) fn both(&mut self, one: GoalId, other: GoalId) -> GoalId {
        let literals = self.literals_of(other).to_vec();
        self.goal_and(one, &literals)
    }
}

/// None when the bounds of counters of the same items contradict each other.
fn add_counter(counters: &mut Vec<Counter>, new: &Counter) -> Option<()> {
    let is_same = |old: &Counter| old.from == new.from && old.item == new.item;
    let index = counters.iter().position(is_same).unwrap_or(counters.len());
    if index == counters.len() {
        counters.push(new.clone());
    }
    let merged = &mut counters[index];
    merged.min = merged.min.max(new.min);
    merged.max = [merged.max, new.max].into_iter().flatten().min();
    merged.max.is_none_or(|max| merged.min <= max).then_some(())
}
