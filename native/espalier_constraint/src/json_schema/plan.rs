//! [`Plan`]s: with which members or items an open container can be completed.
//!
//! The required properties are given; which members meet the clauses is searched for, the cheapest
//! first; members that fill up to the least number come last. A container without a plan is a dead
//! end.

use super::array::{ArrayLeaf, ArrayProgress};
use super::cost::Costing;
use super::frame::ObjectProgress;
use super::goals::{GoalId, Goals};
use super::key_classes::{Class, KeyClasses, MANY, contains, insert, no_class};
use super::object::{KeyCondition, ObjectLeaf};
use super::schema::Literal;
use crate::error::Error;
use crate::limits::limit;
use rustc_hash::FxHashMap;

/// After so many tries the search takes a look at all clauses and goes on with the one that has the
/// fewest ways; and it is content with what it has found.
const MIN_TRIED: usize = 50;
/// About what a key takes beside its text: quotes, colon, comma.
const KEY_COST: u64 = 4;

/// Members that complete an object.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) members: Vec<(PlannedKey, GoalId)>,
    pub(crate) cost: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlannedKey {
    /// A named property.
    Named(u32),
    /// Any new key of a class.
    Other(Class),
}

/// An open object.
pub(crate) struct OpenObject<'a> {
    pub(crate) leaf: &'a ObjectLeaf,
    pub(crate) progress: &'a ObjectProgress,
    /// The keys without a name that were read.
    pub(crate) others: &'a [Vec<u8>],
}

/// A plan that is being made.
#[derive(Clone, Default)]
struct Draft {
    members: Vec<(PlannedKey, Vec<Literal>)>,
    lacking: Vec<u32>,
    min: u32,
    max: Option<u32>,
}

struct Search<'s, 'c> {
    goals: &'s mut Goals,
    costing: &'s mut Costing<'c>,
    object: &'s OpenObject<'s>,
    best: Option<Plan>,
    wanted: Wanted,
    n_tried: usize,
}

/// Which plan is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    First,
    Cheapest,
}

impl Goals {
    /// The cheapest plan that was found; none if there is none.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when none is found among those tried.
    pub(crate) fn plan_object(
        &mut self,
        object: &OpenObject<'_>,
        wanted: Wanted,
        costing: &mut Costing<'_>,
    ) -> Result<Option<Plan>, Error> {
        let mut draft = Draft { min: object.leaf.min, max: object.leaf.max, ..Draft::default() };
        let missing = object.leaf.missing(object.progress);
        draft.members.extend(missing.map(|index| (PlannedKey::Named(index), Vec::new())));
        let open: Vec<usize> =
            object.leaf.open_clauses(object.progress).map(|(index, _)| index).collect();
        let mut search = Search { goals: self, costing, object, best: None, wanted, n_tried: 0 };
        search.meet(&open, &draft)?;
        let Search { best, n_tried, .. } = search;
        if best.is_none() {
            limit!(self.meter().limits(), clause_choices).check(n_tried)?;
        }
        Ok(best)
    }
}

impl Search<'_, '_> {
    /// Tries all ways to meet the clauses, those with the fewest ways first.
    fn meet(&mut self, open: &[usize], draft: &Draft) -> Result<(), Error> {
        self.n_tried += 1;
        let n_members = draft.members.len() + draft.lacking.len();
        self.goals.meter().spend((1 + open.len()) * (1 + n_members))?;
        if self.is_over() || !self.is_hopeful(draft)? {
            return Ok(());
        }
        let mut unmet = Vec::new();
        for &clause in open {
            if !self.is_met(clause, draft)? {
                unmet.push(clause);
            }
        }
        let open = unmet;
        let (easy, hard): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|&&clause| self.absent(clause, draft).is_some());
        if hard.is_empty() {
            // Nothing is cheaper than what is left out, unless members are needed to fill up.
            let mut lacking = draft.clone();
            lacking.lacking.extend(easy.iter().filter_map(|&clause| self.absent(clause, draft)));
            if self.finish(&lacking)? || easy.is_empty() {
                return Ok(());
            }
        }
        let candidates = if hard.is_empty() { &easy } else { &hard };
        let rest = |clause: usize| {
            open.iter().copied().filter(|&other| other != clause).collect::<Vec<_>>()
        };
        if self.n_tried < MIN_TRIED {
            return self.try_ways(candidates[0], &rest(candidates[0]), draft);
        }
        let mut fewest: Option<(usize, Vec<Draft>)> = None;
        for &clause in candidates {
            let ways = self.hopeful_ways(clause, draft)?;
            if fewest.as_ref().is_none_or(|(_, fewest)| ways.len() < fewest.len()) {
                fewest = Some((clause, ways));
            }
        }
        let Some((clause, ways)) = fewest else { return Ok(()) };
        ways.into_iter().try_for_each(|way| self.meet(&rest(clause), &way))
    }

    fn try_ways(&mut self, clause: usize, rest: &[usize], draft: &Draft) -> Result<(), Error> {
        for condition in &self.object.leaf.clauses[clause] {
            for way in self.ways(condition, draft) {
                self.meet(rest, &way)?;
            }
        }
        Ok(())
    }

    /// Whether what is planned meets the clause, whatever the values will be.
    fn is_met(&mut self, clause: usize, draft: &Draft) -> Result<bool, Error> {
        for condition in &self.object.leaf.clauses[clause] {
            let is_met = match condition {
                KeyCondition::Lacks(index) => draft.lacking.contains(index),
                KeyCondition::Has(index) => draft.plans(PlannedKey::Named(*index)),
                KeyCondition::Member(index, value) => {
                    self.member_satisfies(PlannedKey::Named(*index), *value, draft)?
                }
                KeyCondition::AtMost(n) => draft.max.is_some_and(|max| max <= *n),
                KeyCondition::AtLeast(n) => draft.min >= *n,
                KeyCondition::Some(..) => false,
            };
            if is_met {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn member_satisfies(
        &mut self,
        key: PlannedKey,
        value: Literal,
        draft: &Draft,
    ) -> Result<bool, Error> {
        let Some((_, values)) = draft.members.iter().find(|(other, _)| *other == key) else {
            return Ok(false);
        };
        if values.contains(&value) {
            return Ok(true);
        }
        let without: Vec<Literal> = values.iter().copied().chain([value.negated()]).collect();
        let without = self.goals.goal_and(self.object.goal_of(key), &without);
        self.costing.is_certainly_impossible(self.goals, without)
    }

    fn is_over(&self) -> bool {
        let enough = if self.wanted == Wanted::First { 0 } else { MIN_TRIED };
        let most = self.goals.meter().limits().clause_choices;
        self.best.is_some() && self.n_tried > enough || self.n_tried > most
    }

    /// A property whose absence meets the clause, and that is neither there nor planned.
    fn absent(&self, clause: usize, draft: &Draft) -> Option<u32> {
        self.object.leaf.clauses[clause].iter().find_map(|condition| match condition {
            KeyCondition::Lacks(index) => {
                let is_absent =
                    !self.object.progress.has(*index) && !draft.plans(PlannedKey::Named(*index));
                is_absent.then_some(*index)
            }
            _ => None,
        })
    }

    fn hopeful_ways(&mut self, clause: usize, draft: &Draft) -> Result<Vec<Draft>, Error> {
        let mut ways = Vec::new();
        for condition in &self.object.leaf.clauses[clause] {
            for way in self.ways(condition, draft) {
                if self.is_hopeful(&way)? {
                    ways.push(way);
                }
            }
        }
        Ok(ways)
    }

    /// Whether the members are not too many, and the last ones changed are possible.
    fn is_hopeful(&mut self, draft: &Draft) -> Result<bool, Error> {
        let n_members = self.object.progress.n_members + draft.members.len() as u32;
        if draft.max.is_some_and(|max| max < n_members.max(draft.min)) {
            return Ok(false);
        }
        for (key, values) in &draft.members {
            let goal = self.goals.goal_and(self.object.goal_of(*key), values);
            if self.costing.cost(self.goals, goal)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Drafts in which the condition is met, too.
    fn ways(&self, condition: &KeyCondition, draft: &Draft) -> Vec<Draft> {
        let progress = self.object.progress;
        match condition {
            KeyCondition::Lacks(index) => {
                let is_possible = !progress.has(*index) && !draft.plans(PlannedKey::Named(*index));
                let mut next = draft.clone();
                next.lacking.push(*index);
                is_possible.then_some(next).into_iter().collect()
            }
            KeyCondition::AtMost(n) => {
                let max = Some(draft.max.map_or(*n, |max| max.min(*n)));
                vec![Draft { max, ..draft.clone() }]
            }
            KeyCondition::AtLeast(n) => {
                vec![Draft { min: draft.min.max(*n), ..draft.clone() }]
            }
            KeyCondition::Has(index) => self.with_named(*index, None, draft).into_iter().collect(),
            KeyCondition::Member(index, value) => {
                self.with_named(*index, Some(*value), draft).into_iter().collect()
            }
            KeyCondition::Some(keys, value) => {
                // Members that are planned anyway come first.
                let names = (0u32..).zip(&keys.properties).filter(|(_, selected)| **selected);
                let (mut planned, mut new): (Vec<Draft>, Vec<Draft>) = (Vec::new(), Vec::new());
                for (index, _) in names {
                    let list =
                        if draft.plans(PlannedKey::Named(index)) { &mut planned } else { &mut new };
                    list.extend(self.with_named(index, Some(*value), draft));
                }
                let classes = 0..self.object.leaf.other_goals.len() as Class;
                for class in classes.filter(|&class| contains(&keys.classes, class)) {
                    let at =
                        draft.members.iter().position(|(key, _)| *key == PlannedKey::Other(class));
                    if let Some(at) = at {
                        let mut next = draft.clone();
                        next.members[at].1.push(*value);
                        planned.push(next);
                    }
                    new.extend(self.with_other(class, *value, draft));
                }
                planned.append(&mut new);
                planned
            }
        }
    }

    fn with_named(&self, index: u32, value: Option<Literal>, draft: &Draft) -> Option<Draft> {
        let key = PlannedKey::Named(index);
        let mut next = draft.clone();
        if let Some((_, values)) = next.members.iter_mut().find(|(other, _)| *other == key) {
            values.extend(value);
            return Some(next);
        }
        let is_possible = self.object.progress.may_come(index) && !draft.lacking.contains(&index);
        next.members.push((key, value.into_iter().collect()));
        is_possible.then_some(next)
    }

    fn with_other(&self, class: Class, value: Literal, draft: &Draft) -> Option<Draft> {
        let n_planned =
            draft.members.iter().filter(|(key, _)| *key == PlannedKey::Other(class)).count();
        let mut next = draft.clone();
        next.members.push((PlannedKey::Other(class), vec![value]));
        (self.object.n_free(class) > n_planned as u32).then_some(next)
    }

    /// All clauses are met: are the goals possible, and the numbers right?
    fn finish(&mut self, draft: &Draft) -> Result<bool, Error> {
        let mut plan = Plan { members: Vec::new(), cost: 2 };
        self.goals.meter().spend(draft.members.len())?;
        for (key, values) in &draft.members {
            let base = self.object.goal_of(*key);
            let goal = self.goals.goal_and(base, values);
            let Some(cost) = self.costing.cost(self.goals, goal)? else { return Ok(false) };
            plan.add(*key, goal, self.object.key_cost(*key) + cost);
        }
        let n = self.object.progress.n_members + plan.members.len() as u32;
        if n < draft.min && !self.fill(&mut plan, draft, draft.min - n)? {
            return Ok(false);
        }
        let n = self.object.progress.n_members + plan.members.len() as u32;
        if draft.max.is_some_and(|max| n > max) {
            return Ok(false);
        }
        if self.best.as_ref().is_none_or(|best| plan.cost < best.cost) {
            plan.members.sort_unstable();
            self.best = Some(plan);
        }
        Ok(true)
    }

    /// Adds so many more members, the cheapest that are possible: a value that holds others of its
    /// own kind is never cheaper than what it ends with.
    fn fill(&mut self, plan: &mut Plan, draft: &Draft, mut n: u32) -> Result<bool, Error> {
        let mut fillers = self.fillers(plan, draft)?;
        fillers.sort_by_key(|filler| filler.0);
        for (cost, key, goal, n_free) in fillers {
            for _ in 0..n_free.min(n) {
                self.goals.check_length(plan.cost)?;
                self.goals.meter().spend(1)?;
                plan.add(key, goal, cost);
            }
            n -= n_free.min(n);
        }
        Ok(n == 0)
    }

    /// Members that can be added to a plan: what one costs, its key and goal, and how many there are.
    fn fillers(
        &mut self,
        plan: &Plan,
        draft: &Draft,
    ) -> Result<Vec<(u64, PlannedKey, GoalId, u32)>, Error> {
        let leaf = self.object.leaf;
        let n_planned =
            |key: PlannedKey| plan.members.iter().filter(|(other, _)| *other == key).count() as u32;
        let others = (0..leaf.other_goals.len() as Class).map(PlannedKey::Other);
        let named = (0..leaf.properties.len() as u32).map(PlannedKey::Named);
        let mut fillers = Vec::new();
        for key in others.chain(named) {
            self.goals.meter().spend(1 + plan.members.len() / 8)?;
            let n_keys = match key {
                PlannedKey::Other(class) => self.object.n_free(class),
                PlannedKey::Named(index) => u32::from(
                    self.object.progress.may_come(index) && !draft.lacking.contains(&index),
                ),
            };
            let n_free = n_keys.saturating_sub(n_planned(key));
            let goal = self.object.goal_of(key);
            if n_free > 0
                && let Some(cost) = self.costing.cost(self.goals, goal)?
            {
                fillers.push((self.object.key_cost(key) + cost, key, goal, n_free));
            }
        }
        Ok(fillers)
    }
}

impl Plan {
    fn add(&mut self, key: PlannedKey, goal: GoalId, cost: u64) {
        self.members.push((key, goal));
        self.cost = self.cost.saturating_add(cost);
    }
}

impl Draft {
    fn plans(&self, key: PlannedKey) -> bool {
        self.members.iter().any(|(other, _)| *other == key)
    }
}

impl OpenObject<'_> {
    fn goal_of(&self, key: PlannedKey) -> GoalId {
        match key {
            PlannedKey::Named(index) => self.leaf.properties[index as usize].goal,
            PlannedKey::Other(class) => self.leaf.other_goals[class as usize],
        }
    }

    fn key_cost(&self, key: PlannedKey) -> u64 {
        match key {
            PlannedKey::Named(index) => {
                KEY_COST + self.leaf.properties[index as usize].name.len() as u64
            }
            PlannedKey::Other(_) => KEY_COST,
        }
    }

    /// How many new keys of the class there are.
    fn n_free(&self, class: Class) -> u32 {
        let others = &self.leaf.others;
        let mut classes = no_class(self.leaf.other_goals.len());
        insert(&mut classes, class);
        let n = others.n_keys(KeyClasses::START, &classes);
        if n == MANY {
            return MANY;
        }
        let names = self.leaf.properties.iter().map(|property| property.name.as_bytes());
        let used = names.chain(self.others.iter().map(Vec::as_slice));
        let n_used = used.filter(|key| others.class_of(key) == Some(class)).count();
        n.saturating_sub(n_used as u32)
    }
}

/// For each progress of an array what it costs to get there, and the last step.
type Reached = FxHashMap<ArrayProgress, (u64, Option<(ArrayProgress, GoalId)>)>;

/// Items that complete an array: each goal with how many items it is for.
pub(crate) struct ItemPlan {
    pub(crate) items: Vec<(GoalId, u32)>,
    pub(crate) cost: u64,
}

impl Goals {
    /// A plan for an array: first the counters, then as many items as are missing.
    pub(crate) fn plan_array(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        costing: &mut Costing<'_>,
    ) -> Result<Option<ItemPlan>, Error> {
        let mut seen = Reached::from_iter([(progress.clone(), (0, None))]);
        let mut open = std::collections::BTreeSet::from([(0u64, progress.clone())]);
        while let Some((cost, at)) = open.pop_first() {
            let is_stable = leaf.min <= at.n_items || at.n_items >= leaf.stable_from();
            if leaf.has_counts(&at)
                && is_stable
                && let Some(fill) = self.fill_array(leaf, &at, costing)?
            {
                return Ok(Some(trace(&seen, at, cost, fill)));
            }
            for (goal, next) in self.next_items_by_counters(leaf, &at, &[])? {
                let Some(item) = costing.cost(self, goal)? else { continue };
                let total = cost.saturating_add(item).saturating_add(1);
                if seen.get(&next).is_none_or(|(known, _)| total < *known) {
                    seen.insert(next.clone(), (total, Some((at.clone(), goal))));
                    open.insert((total, next));
                }
            }
            limit!(self.meter().limits(), item_counts).check(seen.len())?;
            self.meter().spend(1)?;
        }
        Ok(None)
    }

    /// All counters have enough, and all further items are alike: as many as are missing.
    fn fill_array(
        &mut self,
        leaf: &ArrayLeaf,
        progress: &ArrayProgress,
        costing: &mut Costing<'_>,
    ) -> Result<Option<ItemPlan>, Error> {
        let mut plan = ItemPlan { items: Vec::new(), cost: 0 };
        let mut at = progress.clone();
        let mut n_missing = leaf.min.saturating_sub(at.n_items);
        while n_missing > 0 {
            self.meter().spend(1)?;
            let mut best: Option<(u64, GoalId, ArrayProgress)> = None;
            for (goal, next) in self.next_items_by_counters(leaf, &at, &[])? {
                if let Some(cost) = costing.cost(self, goal)?
                    && best.as_ref().is_none_or(|(other, ..)| cost < *other)
                {
                    best = Some((cost, goal, next));
                }
            }
            let Some((cost, goal, next)) = best else { return Ok(None) };
            // An item that changes no count can be repeated.
            let n = if next.counts == at.counts && at.n_items >= leaf.stable_from() {
                n_missing
            } else {
                1
            };
            plan.items.push((goal, n));
            plan.cost = plan.cost.saturating_add((cost + 1).saturating_mul(u64::from(n)));
            n_missing -= n;
            at = next;
        }
        Ok(Some(plan))
    }
}

fn trace(seen: &Reached, mut at: ArrayProgress, cost: u64, fill: ItemPlan) -> ItemPlan {
    let mut items = Vec::new();
    while let Some((before, goal)) = &seen[&at].1 {
        items.push((*goal, 1));
        at = before.clone();
    }
    items.reverse();
    items.extend(fill.items);
    ItemPlan { items, cost: cost.saturating_add(fill.cost).saturating_add(2) }
}
