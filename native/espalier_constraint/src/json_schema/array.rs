//! [`ArrayLeaf`]: the arrays of one alternative, and what their next item may be.

use super::cost::Costing;
use super::expand::Atom;
use super::goals::{GoalId, Goals};
use super::schema::{Kind, Literal};
use crate::error::Error;

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
}

/// Counters that can go either way at one item, at most.
const MAX_OPEN_COUNTERS: usize = 6;

impl ArrayLeaf {
    pub(crate) fn item(&self, index: u32) -> GoalId {
        self.prefix.get(index as usize).copied().unwrap_or(self.rest)
    }

    pub(crate) fn start(&self) -> ArrayProgress {
        ArrayProgress { n_items: 0, counts: vec![0; self.counters.len()].into() }
    }

    /// Whether the array may end.
    pub(crate) fn is_complete(&self, progress: &ArrayProgress) -> bool {
        progress.n_items >= self.min && self.has_counts(progress)
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
        let (mut min, mut max) = (0, None::<u32>);
        let mut reduce = |to: u32| max = Some(max.map_or(to, |max| max.min(to)));
        let mut items: Vec<(&[Literal], Option<Literal>)> = Vec::new();
        let mut single: Vec<(u32, Literal)> = Vec::new();
        let mut counters: Vec<Counter> = Vec::new();
        for atom in atoms {
            match atom {
                Atom::Is(literal) => match (self.schema.kind(*literal), literal.is_negated()) {
                    (Kind::MinItems(n), false) => min = min.max(*n),
                    (Kind::MaxItems(n), true) => min = min.max(n + 1),
                    (Kind::MaxItems(n), false) => reduce(*n),
                    (Kind::MinItems(n), true) => reduce(n.checked_sub(1)?),
                    (Kind::Items { prefix, rest }, false) => items.push((prefix, *rest)),
                    _ => {}
                },
                Atom::Item { index, item } => {
                    min = min.max(index + 1);
                    single.push((*index, *item));
                }
                &Atom::Count { from, item, min, max } => {
                    add_counter(&mut counters, &Counter { from, item, min, max })?;
                }
                Atom::Clause(_) => {}
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
            of_all.chain(of_one).collect()
        };
        let prefix: Vec<Vec<Literal>> = (0..n_prefix).map(literals).collect();
        let rest = literals(usize::MAX);
        let prefix = prefix.into_iter().map(|literals| self.goal(literals)).collect();
        let rest = self.goal(rest);
        Some(ArrayLeaf { prefix, rest, min, max, counters })
    }

    /// What the next item may be: its goal, and the progress after it. A counter that needs more is
    /// tried with the item and without it; one that must not have more forbids it.
    pub(crate) fn next_items(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
    ) -> Result<Vec<(GoalId, ArrayProgress)>, Error> {
        if leaf.max.is_some_and(|max| progress.n_items >= max) {
            return Ok(Vec::new());
        }
        let goal = leaf.item(progress.n_items);
        let mut forced = Vec::new();
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
        if open.len() > MAX_OPEN_COUNTERS {
            let (limit, value) = ("open_counters", MAX_OPEN_COUNTERS);
            let pointer = Some(self.schema.pointer(leaf.counters[0].item).to_string());
            return Err(Error::LimitExceeded { limit, value, pointer });
        }
        let choices = (0..1usize << open.len()).rev();
        Ok(choices
            .map(|bits| {
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
                (self.goal_and(goal, &literals), leaf.after_item(progress, &counted))
            })
            .collect())
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
