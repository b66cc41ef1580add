//! How many bytes a short text of a goal takes; none when no value satisfies it.
//!
//! Emptiness and the shortest text are one question: a least fixed point over the goals that a
//! goal cannot do without (required members, items up to `minItems`). Starting from "no text", the
//! costs of all goals on that way go down until none changes, so that a schema whose recursion
//! never ends stays without a text.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Whitespace;
use super::array::{ArrayLeaf, ArrayProgress, Equal};
use super::frame::ObjectProgress;
use super::goals::{GoalId, Goals, JsonType, Leaf, LeafId};
use super::number::NumberPrefix;
use super::number_completion::shortest_suffix;
use super::object::ObjectLeaf;
use super::plan::{OpenObject, PlannedKey, Wanted};
use super::schema::{Kind, Literal};
use super::string::quote_into;
use crate::error::Error;
use crate::limits::limit;

/// What it costs to make up a key.
const KEY_MADE_UP: usize = 100;

/// What is known of the goals that were looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Costs {
    /// By goal.
    goals: Vec<Cost>,
    /// Of leaves whose cost depends on no goal.
    scalars: FxHashMap<LeafId, u64>,
}

/// What is known of the cost of a goal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cost {
    #[default]
    Unknown,
    /// So many bytes; none where no value satisfies the goal.
    Settled(Option<u64>),
}

impl Costs {
    fn get(&self, goal: GoalId) -> Cost {
        self.goals.get(goal as usize).copied().unwrap_or_default()
    }

    fn settle(&mut self, goal: GoalId, cost: Option<u64>) {
        let n_goals = self.goals.len().max(goal as usize + 1);
        self.goals.resize(n_goals, Cost::Unknown);
        self.goals[goal as usize] = Cost::Settled(cost);
    }
}

/// Goals whose costs are being settled together.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    costs: FxHashMap<GoalId, Option<u64>>,
    order: Vec<GoalId>,
    /// Whether some cost was asked for that is not settled.
    is_asked: bool,
}

/// Where costs of goals come from: what is settled, or what is known while settling.
pub(crate) enum Costing<'a> {
    Settled,
    Settling(&'a mut Pending),
}

impl Costing<'_> {
    /// The cost of a goal. While settling, a goal that is new joins those being settled.
    pub(crate) fn cost(&mut self, goals: &mut Goals, goal: GoalId) -> Result<Option<u64>, Error> {
        match self {
            Self::Settled => goals.cost(goal),
            Self::Settling(pending) => {
                if let Cost::Settled(cost) = goals.costs.get(goal) {
                    return Ok(cost);
                }
                pending.is_asked = true;
                Ok(*pending.costs.entry(goal).or_insert_with(|| {
                    pending.order.push(goal);
                    None
                }))
            }
        }
    }
}

impl Costing<'_> {
    /// Whether no value satisfies the goal, as far as that is known.
    pub(crate) fn is_certainly_impossible(
        &mut self,
        goals: &mut Goals,
        goal: GoalId,
    ) -> Result<bool, Error> {
        match self {
            Self::Settled => Ok(!goals.is_possible(goal)?),
            Self::Settling(_) => Ok(goals.costs.get(goal) == Cost::Settled(None)),
        }
    }
}

impl Goals {
    /// The bytes of a short text of a value that satisfies the goal; `None` when there is no
    /// such value.
    pub(crate) fn cost(&mut self, goal: GoalId) -> Result<Option<u64>, Error> {
        if let Cost::Settled(cost) = self.costs.get(goal) {
            return Ok(cost);
        }
        let mut pending = Pending {
            costs: FxHashMap::from_iter([(goal, None)]),
            order: vec![goal],
            is_asked: false,
        };
        loop {
            let n_goals = pending.order.len();
            let mut has_changed = false;
            for index in (0..n_goals).rev() {
                self.meter().spend(1)?;
                let goal = pending.order[index];
                let best = self.best_of(goal, &mut Costing::Settling(&mut pending))?;
                let (old, new) = (pending.costs[&goal], best.map(|(cost, _)| cost));
                // What is found later may be dearer: costs only go down.
                if new.is_some_and(|new| old.is_none_or(|old| new < old)) {
                    pending.costs.insert(goal, new);
                    has_changed = true;
                }
            }
            if !pending.is_asked || !has_changed && pending.order.len() == n_goals {
                break;
            }
        }
        for (&goal, &cost) in &pending.costs {
            self.costs.settle(goal, cost);
        }
        Ok(pending.costs[&goal])
    }

    /// Whether some value satisfies the goal.
    pub(crate) fn is_possible(&mut self, goal: GoalId) -> Result<bool, Error> {
        Ok(self.cost(goal)?.is_some())
    }

    /// The alternatives of a goal for one type that some value satisfies.
    pub(crate) fn possible_alternatives(
        &mut self,
        goal: GoalId,
        json_type: JsonType,
    ) -> Result<Vec<LeafId>, Error> {
        let mut possible = Vec::new();
        for &leaf in self.alternatives(goal, json_type)?.iter() {
            self.meter().spend(1)?;
            if self.leaf_cost(leaf, &mut Costing::Settled)?.is_some() {
                possible.push(leaf);
            }
        }
        Ok(possible)
    }

    /// The cheapest alternative of a goal.
    pub(super) fn best_of(
        &mut self,
        goal: GoalId,
        costing: &mut Costing<'_>,
    ) -> Result<Option<(u64, LeafId)>, Error> {
        let mut best: Option<(u64, LeafId)> = None;
        for json_type in JsonType::ALL {
            for &leaf in self.alternatives(goal, json_type)?.iter() {
                self.meter().spend(1)?;
                let cost = self.leaf_cost(leaf, costing)?.map(|cost| (cost, leaf));
                best = [best, cost].into_iter().flatten().min();
            }
        }
        Ok(best)
    }

    fn leaf_cost(&mut self, id: LeafId, costing: &mut Costing<'_>) -> Result<Option<u64>, Error> {
        if let Some(&cost) = self.costs.scalars.get(&id) {
            return Ok(Some(cost));
        }
        let leaf = self.leaf(id).clone();
        match &*leaf {
            Leaf::Array(array) => self.array_cost(array, costing),
            Leaf::Object(object) => self.object_cost(object, costing),
            scalar => {
                let cost = self.scalar_cost(scalar)?;
                self.costs.scalars.insert(id, cost);
                Ok(Some(cost))
            }
        }
    }

    fn array_cost(
        &mut self,
        array: &ArrayLeaf,
        costing: &mut Costing<'_>,
    ) -> Result<Option<u64>, Error> {
        let start = array.start();
        // All are asked for, so that those being settled become known early.
        for &item in array.prefix.iter().take(array.min as usize) {
            self.meter().spend(1)?;
            costing.cost(self, item)?;
        }
        if !self.has_enough_values(array, &start, &[], costing)? {
            return Ok(None);
        }
        let plan = self.plan_array(array, &start, costing)?.map(|plan| plan.cost);
        if array.equal != Equal::Some {
            return Ok(plan);
        }
        let equal = self.equal_cost(array, costing)?;
        Ok(plan.zip(equal).map(|(plan, equal)| plan.saturating_add(2 * equal)))
    }

    fn object_cost(
        &mut self,
        leaf: &ObjectLeaf,
        costing: &mut Costing<'_>,
    ) -> Result<Option<u64>, Error> {
        let progress = leaf.start(self.options.property_order);
        if leaf.is_simple() {
            return self.missing_cost(leaf, &progress, costing);
        }
        let open = OpenObject { leaf, progress: &progress, others: &[] };
        Ok(self.plan_object(&open, Wanted::Cheapest, costing)?.map(|plan| plan.cost))
    }

    /// What the required properties cost, where nothing else matters.
    fn missing_cost(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &ObjectProgress,
        costing: &mut Costing<'_>,
    ) -> Result<Option<u64>, Error> {
        let mut total = 2u64;
        let mut is_possible = true;
        self.meter().spend(leaf.properties.len())?;
        for index in leaf.missing(progress) {
            let property = &leaf.properties[index as usize];
            // All are asked for, so that those being settled become known early.
            match costing.cost(self, property.goal)? {
                Some(value) => {
                    let member = value.saturating_add(property.name.len() as u64 + 4);
                    total = total.saturating_add(member);
                }
                None => is_possible = false,
            }
        }
        Ok(is_possible.then_some(total))
    }

    fn scalar_cost(&self, leaf: &Leaf) -> Result<u64, Error> {
        if let Leaf::String(language) = leaf
            && self.check_length(language.least_length(language.start()) as u64).is_err()
        {
            return Ok(language.least_length(language.start()) as u64);
        }
        let mut text = Vec::new();
        self.write_scalar(leaf, &mut text)?;
        Ok(text.len() as u64)
    }

    fn write_scalar(&self, leaf: &Leaf, out: &mut Vec<u8>) -> Result<(), Error> {
        match leaf {
            Leaf::Word(word) => out.extend(*word),
            Leaf::Number(range) => {
                let start = NumberPrefix::start();
                let style = self.options.numbers;
                out.extend(shortest_suffix(&start, range, style, self.meter())?);
            }
            Leaf::String(language) => {
                quote_into(&language.shortest_suffix(language.start(), self.meter())?, out);
            }
            Leaf::Array(_) | Leaf::Object(_) => {}
        }
        Ok(())
    }

    /// Appends a short text of a goal.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when it would be longer than the limit.
    pub(crate) fn write_shortest(&mut self, goal: GoalId, out: &mut Vec<u8>) -> Result<(), Error> {
        let cost = self.cost(goal)?.unwrap_or(u64::MAX);
        self.check_length(cost)?;
        let mut tasks = vec![Task::Goal(goal)];
        while let Some(task) = tasks.pop() {
            self.check_length(out.len() as u64)?;
            self.meter().spend(1)?;
            match task {
                Task::Text(text) => out.extend(text),
                Task::Again(goal, n) => {
                    tasks.extend((n > 1).then_some(Task::Again(goal, n - 1)));
                    tasks.push(Task::Goal(goal));
                    out.extend(self.comma());
                }
                Task::Goal(goal) => {
                    let Some((_, leaf)) = self.best_of(goal, &mut Costing::Settled)? else {
                        continue;
                    };
                    let leaf = self.leaf(leaf).clone();
                    match &*leaf {
                        Leaf::Array(array) if array.knows_items() && array.min > 1 => {
                            out.push(b'[');
                            self.write_items(array, &array.start(), Vec::new(), true, out)?;
                        }
                        Leaf::Array(array) => {
                            out.push(b'[');
                            let plan =
                                self.plan_array(array, &array.start(), &mut Costing::Settled)?;
                            tasks.extend(item_tasks(
                                plan.map_or(Vec::new(), |plan| plan.items),
                                true,
                            ));
                        }
                        Leaf::Object(object) => {
                            out.push(b'{');
                            let progress = object.start(self.options.property_order);
                            let open =
                                OpenObject { leaf: object, progress: &progress, others: &[] };
                            tasks.extend(self.member_tasks(&open, true)?);
                        }
                        scalar => self.write_scalar(scalar, out)?,
                    }
                }
            }
        }
        Ok(())
    }

    /// Appends the items that an array can't do without, and its end, one by one, as it matters which
    /// they are. `values` are those that are there.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when too many such arrays are in each other. A schema whose arrays lead
    /// to themselves may have longer values where the shortest seem to be.
    pub(super) fn write_items(
        &mut self,
        array: &ArrayLeaf,
        progress: &ArrayProgress,
        values: Vec<Literal>,
        is_first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        limit!(self.meter().limits(), completion_depth).check(self.n_open_arrays + 1)?;
        self.n_open_arrays += 1;
        let written = self.write_known_items(array, progress, values, is_first, out);
        self.n_open_arrays -= 1;
        written
    }

    fn write_known_items(
        &mut self,
        array: &ArrayLeaf,
        progress: &ArrayProgress,
        mut values: Vec<Literal>,
        mut is_first: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut progress = progress.clone();
        while !array.is_complete(&progress) {
            self.check_length(out.len() as u64)?;
            let Some((goal, next)) = self.cheapest_item(array, &progress, &values)? else { break };
            if !std::mem::take(&mut is_first) {
                out.extend(self.comma());
            }
            let start = out.len();
            self.write_shortest(goal, out)?;
            values.push(self.value_of(&out[start..])?);
            progress = next;
        }
        out.push(b']');
        Ok(())
    }

    fn cheapest_item(
        &mut self,
        array: &ArrayLeaf,
        progress: &ArrayProgress,
        values: &[Literal],
    ) -> Result<Option<(GoalId, ArrayProgress)>, Error> {
        let before = self.plan_array(array, progress, &mut Costing::Settled)?;
        let before = before.map_or(u64::MAX, |plan| plan.cost);
        let mut best: Option<((bool, bool, u64), GoalId, ArrayProgress)> = None;
        for (goal, next) in self.next_items(array, progress, values)? {
            let Some(cost) = self.cost(goal)? else { continue };
            let rest = self.plan_array(array, &next, &mut Costing::Settled)?;
            let Some(rest) = rest.map(|plan| plan.cost) else { continue };
            // Equal items come as soon as they can; and what leaves less to do comes first, as items
            // that may not be equal get dearer.
            let rank = (!next.has_equal, rest >= before, cost.saturating_add(rest));
            if best.as_ref().is_none_or(|(best, ..)| rank < *best) {
                best = Some((rank, goal, next));
            }
        }
        Ok(best.map(|(_, goal, next)| (goal, next)))
    }

    /// Appends what completes an open array, and its end.
    pub(super) fn write_tasks(&mut self, tasks: Vec<Task>, out: &mut Vec<u8>) -> Result<(), Error> {
        for task in tasks.into_iter().rev() {
            self.check_length(out.len() as u64)?;
            self.meter().spend(1)?;
            match task {
                Task::Text(text) => out.extend(text),
                Task::Goal(goal) => self.write_shortest(goal, out)?,
                Task::Again(goal, n) => {
                    for _ in 0..n {
                        self.check_length(out.len() as u64)?;
                        self.meter().spend(1)?;
                        out.extend(self.comma());
                        self.write_shortest(goal, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The members that an open object can't do without and its end, the last first.
    pub(super) fn member_tasks(
        &mut self,
        object: &OpenObject<'_>,
        mut is_first: bool,
    ) -> Result<Vec<Task>, Error> {
        let plan = self.plan_object(object, Wanted::Cheapest, &mut Costing::Settled)?;
        let mut tasks = Vec::new();
        let mut others = object.others.to_vec();
        for (key, goal) in plan.map_or(Vec::new(), |plan| plan.members) {
            let mut text =
                if std::mem::take(&mut is_first) { Vec::new() } else { self.comma().to_vec() };
            match key {
                PlannedKey::Named(index) => self
                    .write_key(object.leaf.properties[index as usize].name.as_bytes(), &mut text),
                PlannedKey::Other(class) => {
                    self.meter().spend(KEY_MADE_UP + 70 * others.len())?;
                    let new = object.leaf.new_key(class, &others).unwrap_or_default();
                    self.write_key(&new, &mut text);
                    others.push(new);
                }
            }
            tasks.extend([Task::Text(text), Task::Goal(goal)]);
        }
        tasks.push(Task::Text(b"}".to_vec()));
        tasks.reverse();
        Ok(tasks)
    }

    /// What stands between two members or items.
    pub(crate) fn comma(&self) -> &'static [u8] {
        if self.options.whitespace == Whitespace::Spaced { b", " } else { b"," }
    }

    /// What stands between a key and its value.
    pub(crate) fn colon(&self) -> &'static [u8] {
        if self.options.whitespace == Whitespace::Spaced { b": " } else { b":" }
    }

    /// Appends a key with its quotes and the colon.
    fn write_key(&self, name: &[u8], out: &mut Vec<u8>) {
        quote_into(name, out);
        out.extend(self.colon());
    }

    /// The place of the innermost schema that no value satisfies, for one that nothing satisfies.
    pub(crate) fn unsatisfiable_place(&mut self, root: Literal) -> Result<String, Error> {
        let mut seen = FxHashSet::default();
        let mut at = root;
        'deeper: loop {
            seen.insert(at);
            for part in self.parts_needed(at)? {
                self.meter().spend(1)?;
                let goal = self.goal(vec![part]);
                if !seen.contains(&part) && !self.is_possible(goal)? {
                    at = part;
                    continue 'deeper;
                }
            }
            return Ok(self.schema.pointer(at).to_string());
        }
    }

    /// What can't be satisfied if one of these can't: parts of the schema and, of values that it
    /// needs, their schemas.
    fn parts_needed(&self, literal: Literal) -> Result<Vec<Literal>, Error> {
        let Kind::All(statements) = self.schema.kind(literal) else { return Ok(Vec::new()) };
        if literal.is_negated() {
            return Ok(Vec::new());
        }
        let kinds = || {
            statements
                .iter()
                .filter(|part| !part.is_negated())
                .map(|part| (part, self.schema.kind(*part)))
        };
        let flat = || {
            kinds().flat_map(|(_, kind)| match kind {
                Kind::All(list) => list.iter().map(|part| self.schema.kind(*part)).collect(),
                kind => vec![kind],
            })
        };
        let mut parts: Vec<Literal> = kinds()
            .filter(|(_, kind)| matches!(kind, Kind::All(_)))
            .map(|(part, _)| *part)
            .collect();
        let n_items =
            flat().map(|kind| if let Kind::MinItems(n) = kind { *n } else { 0 }).max().unwrap_or(0);
        let mut required = FxHashSet::default();
        for kind in flat() {
            self.meter().spend(1)?;
            if let Kind::Required(name) = kind {
                required.insert(name);
            }
        }
        for kind in flat() {
            match kind {
                Kind::Members(members) => {
                    let needed = members.properties.iter();
                    let needed = needed.filter(|(name, _)| required.contains(name));
                    parts.extend(needed.map(|(_, value)| *value));
                }
                Kind::Items { prefix, rest } => {
                    parts.extend(prefix.iter().take(n_items as usize));
                    parts.extend(rest.filter(|_| n_items as usize > prefix.len()));
                }
                _ => {}
            }
        }
        Ok(parts)
    }

    /// # Errors
    /// [`Error::LimitExceeded`] for a text that is too long to be made up.
    pub(super) fn check_length(&self, n_bytes: u64) -> Result<(), Error> {
        let n_bytes = usize::try_from(n_bytes).unwrap_or(usize::MAX);
        limit!(self.meter().limits(), completion_bytes).check(n_bytes)
    }
}

/// What is still to be written.
pub(super) enum Task {
    Text(Vec<u8>),
    Goal(GoalId),
    /// So many more items, each after a comma.
    Again(GoalId, u32),
}

/// The items and the end of an array, the last first.
pub(super) fn item_tasks(items: Vec<(GoalId, u32)>, mut is_first: bool) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (goal, n) in items {
        let n = if std::mem::take(&mut is_first) {
            tasks.push(Task::Goal(goal));
            n - 1
        } else {
            n
        };
        tasks.extend((n > 0).then_some(Task::Again(goal, n)));
    }
    tasks.push(Task::Text(b"]".to_vec()));
    tasks.reverse();
    tasks
}
