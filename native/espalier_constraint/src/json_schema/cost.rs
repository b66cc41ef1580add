//! How many bytes the shortest text of a goal takes; none when no value satisfies it.
//!
//! Emptiness and the shortest text are one question: a least fixed point over the goals that a
//! goal cannot do without (required members, items up to `minItems`). Starting from "no text", the
//! costs of all goals on that way go down until none changes, so that a schema whose recursion
//! never ends stays without a text.

use super::Whitespace;
use super::goals::{ArrayLeaf, GoalId, Goals, JsonType, Leaf, LeafId, ObjectLeaf};
use super::number::{NumberPrefix, shortest_suffix};
use super::schema::NodeId;
use super::string::escape_into;
use crate::error::Error;
use rustc_hash::{FxHashMap, FxHashSet};

/// The texts that are made up to complete a value may have so many bytes.
pub(crate) const MAX_COMPLETION_BYTES: u64 = 1 << 22;

/// What is known of the goals that were looked at.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    goals: FxHashMap<GoalId, Option<u64>>,
    leaves: FxHashMap<LeafId, Option<u64>>,
}

/// The costs of the goals that are being settled.
type Tentative = FxHashMap<GoalId, Option<u64>>;

impl Goals {
    /// The bytes of the shortest text of a value that satisfies the goal; `None` when there is no
    /// such value.
    pub(crate) fn cost(&mut self, goal: GoalId) -> Result<Option<u64>, Error> {
        if let Some(&cost) = self.costs.goals.get(&goal) {
            return Ok(cost);
        }
        let order = self.goals_needed_by(goal)?;
        let mut costs: Tentative = order.iter().map(|&goal| (goal, None)).collect();
        loop {
            let mut has_changed = false;
            for &goal in order.iter().rev() {
                let best = self.best_of(goal, &costs)?.map(|(cost, _)| cost);
                has_changed |= costs.insert(goal, best) != Some(best);
            }
            if !has_changed {
                break;
            }
        }
        let cost = costs[&goal];
        self.costs.goals.extend(costs);
        Ok(cost)
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
            if self.leaf_cost(leaf)?.is_some() {
                possible.push(leaf);
            }
        }
        Ok(possible)
    }

    /// Appends the shortest text of a goal.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when it would be longer than [`MAX_COMPLETION_BYTES`].
    pub(crate) fn write_shortest(&mut self, goal: GoalId, out: &mut Vec<u8>) -> Result<(), Error> {
        enum Task {
            Text(Vec<u8>),
            Goal(GoalId),
        }
        check_length(self.cost(goal)?.unwrap_or(u64::MAX))?;
        let mut tasks = vec![Task::Goal(goal)];
        while let Some(task) = tasks.pop() {
            let goal = match task {
                Task::Text(text) => {
                    out.extend(text);
                    continue;
                }
                Task::Goal(goal) => goal,
            };
            let none = Tentative::default();
            let Some((_, leaf)) = self.best_of(goal, &none)? else { continue };
            let leaf = self.leaf(leaf).clone();
            match &*leaf {
                Leaf::Array(array) => {
                    tasks.push(Task::Text(b"]".to_vec()));
                    for index in (0..array.min).rev() {
                        let separator = if index == 0 { b"[" } else { self.comma() };
                        tasks.extend([
                            Task::Goal(array.item(index)),
                            Task::Text(separator.to_vec()),
                        ]);
                    }
                    if array.min == 0 {
                        tasks.push(Task::Text(b"[".to_vec()));
                    }
                }
                Leaf::Object(object) => {
                    tasks.push(Task::Text(b"}".to_vec()));
                    let required: Vec<_> =
                        object.properties.iter().filter(|property| property.is_required).collect();
                    for (index, property) in required.iter().enumerate().rev() {
                        let mut key =
                            if index == 0 { b"{".to_vec() } else { self.comma().to_vec() };
                        self.write_key(&property.name, &mut key);
                        tasks.extend([Task::Goal(property.goal), Task::Text(key)]);
                    }
                    if required.is_empty() {
                        tasks.push(Task::Text(b"{".to_vec()));
                    }
                }
                scalar => self.write_scalar(scalar, out),
            }
        }
        Ok(())
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
    pub(crate) fn write_key(&self, name: &str, out: &mut Vec<u8>) {
        out.push(b'"');
        escape_into(name.as_bytes(), out);
        out.push(b'"');
        out.extend(self.colon());
    }

    /// The place of the innermost schema that no value satisfies, for a goal of one schema.
    pub(crate) fn unsatisfiable_place(&mut self, node: NodeId) -> Result<String, Error> {
        let mut seen = FxHashSet::default();
        let mut at = node;
        'deeper: loop {
            seen.insert(at);
            let node = self.schema.node(at);
            let required = node.object.required.iter();
            let members: Vec<NodeId> = required
                .filter_map(|name| {
                    node.object
                        .properties
                        .iter()
                        .find(|(other, _)| other == name)
                        .map(|(_, id)| *id)
                })
                .collect();
            let n_items = node.array.min.min(node.array.prefix.len() as u32 + 1);
            let items = (0..n_items as usize)
                .filter_map(|index| node.array.prefix.get(index).copied().or(node.array.items));
            let parts: Vec<NodeId> =
                node.all_of.iter().copied().chain(members).chain(items).collect();
            for part in parts {
                let goal = self.goal(vec![part]);
                if !seen.contains(&part) && !self.is_possible(goal)? {
                    at = part;
                    continue 'deeper;
                }
            }
            return Ok(self.schema.node(at).pointer.clone());
        }
    }

    /// The goal and all goals that its values can't do without, each once.
    fn goals_needed_by(&mut self, goal: GoalId) -> Result<Vec<GoalId>, Error> {
        let mut order = vec![goal];
        let mut seen = FxHashSet::from_iter([goal]);
        let mut index = 0;
        while let Some(&goal) = order.get(index) {
            index += 1;
            for json_type in JsonType::ALL {
                for &leaf in self.alternatives(goal, json_type)?.iter() {
                    let needed = needed_by(self.leaf(leaf));
                    order.extend(needed.into_iter().filter(|&goal| {
                        !self.costs.goals.contains_key(&goal) && seen.insert(goal)
                    }));
                }
            }
        }
        Ok(order)
    }

    fn best_of(&mut self, goal: GoalId, costs: &Tentative) -> Result<Option<(u64, LeafId)>, Error> {
        let mut best: Option<(u64, LeafId)> = None;
        for json_type in JsonType::ALL {
            for &leaf in self.alternatives(goal, json_type)?.iter() {
                let cost = self.tentative_leaf_cost(leaf, costs).map(|cost| (cost, leaf));
                best = [best, cost].into_iter().flatten().min();
            }
        }
        Ok(best)
    }

    fn leaf_cost(&mut self, leaf: LeafId) -> Result<Option<u64>, Error> {
        for goal in needed_by(self.leaf(leaf)) {
            self.cost(goal)?;
        }
        Ok(self.tentative_leaf_cost(leaf, &Tentative::default()))
    }

    fn tentative_leaf_cost(&mut self, id: LeafId, costs: &Tentative) -> Option<u64> {
        let leaf = self.leaf(id).clone();
        match &*leaf {
            Leaf::Array(array) => self.array_cost(array, costs),
            Leaf::Object(object) => self.object_cost(object, costs),
            scalar => {
                if let Some(&cost) = self.costs.leaves.get(&id) {
                    return cost;
                }
                let cost = Some(self.scalar_cost(scalar));
                self.costs.leaves.insert(id, cost);
                cost
            }
        }
    }

    fn array_cost(&self, array: &ArrayLeaf, costs: &Tentative) -> Option<u64> {
        Some(self.items_cost(array, 0, costs)?.saturating_add(2))
    }

    /// The bytes of the items that an array can't do without, from an index on, with the commas.
    fn items_cost(&self, array: &ArrayLeaf, first: u32, costs: &Tentative) -> Option<u64> {
        let n_prefix = array.min.min(array.prefix.len() as u32);
        let mut total = 0u64;
        for index in first..n_prefix {
            total = total.saturating_add(self.known_cost(array.item(index), costs)?);
        }
        let n_rest = u64::from(array.min.saturating_sub(n_prefix.max(first)));
        if n_rest > 0 {
            let rest = self.known_cost(array.rest, costs)?;
            total = total.saturating_add(rest.saturating_mul(n_rest));
        }
        let n_commas = array.min.saturating_sub(first.max(1));
        Some(total.saturating_add(u64::from(n_commas) * self.comma().len() as u64))
    }

    /// # Errors
    /// [`Error::LimitExceeded`] when the items that are missing are too long to be made up.
    pub(crate) fn check_missing_items(&self, array: &ArrayLeaf, n_read: u32) -> Result<(), Error> {
        let cost = self.items_cost(array, n_read, &Tentative::default());
        check_length(cost.unwrap_or(u64::MAX))
    }

    fn scalar_cost(&self, leaf: &Leaf) -> u64 {
        if let Leaf::String(language) = leaf
            && check_length(language.least_length(language.start()) as u64).is_err()
        {
            return language.least_length(language.start()) as u64;
        }
        let mut text = Vec::new();
        self.write_scalar(leaf, &mut text);
        text.len() as u64
    }

    fn object_cost(&self, object: &ObjectLeaf, costs: &Tentative) -> Option<u64> {
        let mut total = 2u64;
        let mut separator = 0;
        for property in object.properties.iter().filter(|property| property.is_required) {
            let mut key = Vec::new();
            self.write_key(&property.name, &mut key);
            let value = self.known_cost(property.goal, costs)?;
            total = total.saturating_add(value).saturating_add((key.len() + separator) as u64);
            separator = self.comma().len();
        }
        Some(total)
    }

    fn known_cost(&self, goal: GoalId, costs: &Tentative) -> Option<u64> {
        *costs.get(&goal).or_else(|| self.costs.goals.get(&goal))?
    }

    fn write_scalar(&self, leaf: &Leaf, out: &mut Vec<u8>) {
        match leaf {
            Leaf::Word(word) => out.extend(*word),
            Leaf::Number(range) => {
                out.extend(shortest_suffix(&NumberPrefix::start(), range, self.options.numbers));
            }
            Leaf::String(language) => {
                out.push(b'"');
                escape_into(&language.shortest_suffix(language.start()), out);
                out.push(b'"');
            }
            Leaf::Array(_) | Leaf::Object(_) => {}
        }
    }
}

/// # Errors
/// [`Error::LimitExceeded`] for a text that is too long to be made up.
pub(crate) fn check_length(n_bytes: u64) -> Result<(), Error> {
    if n_bytes <= MAX_COMPLETION_BYTES {
        return Ok(());
    }
    let (limit, value) = ("completion_bytes", MAX_COMPLETION_BYTES as usize);
    Err(Error::LimitExceeded { limit, value, pointer: None })
}

/// The goals that the values of an alternative can't do without.
fn needed_by(leaf: &Leaf) -> Vec<GoalId> {
    match leaf {
        Leaf::Array(array) => {
            let n_items = array.min.min(array.prefix.len() as u32 + 1);
            (0..n_items).map(|index| array.item(index)).collect()
        }
        Leaf::Object(object) => {
            let required = object.properties.iter().filter(|property| property.is_required);
            required.map(|property| property.goal).collect()
        }
        _ => Vec::new(),
    }
}
