//! Arrays as they are exported.

use rustc_hash::FxHashMap;

use super::Lowering;
use crate::error::Error;
use crate::export::{EMPTY, Graph, NOTHING, NodeId};
use crate::json_schema::NumberStyle;
use crate::json_schema::array::{ArrayLeaf, Equal};
use crate::json_schema::goals::{GoalId, JsonType, Leaf};
use crate::json_schema::language::Language;
use crate::json_schema::schema::{Kind, Literal};
use crate::json_schema::string::quote_into;
use crate::limits::limit;

/// So many different values of items may be kept in mind.
const MAX_VALUES: usize = 10;

impl Lowering<'_> {
    pub(super) fn array(&mut self, leaf: &ArrayLeaf, goal: GoalId) -> Result<NodeId, Error> {
        match leaf.equal {
            Equal::Any if leaf.counters.is_empty() => self.plain_array(leaf),
            Equal::Any | Equal::None => self.counting_array(leaf, goal),
            Equal::Some => {
                let reason = "that two items are equal can't be written";
                let is_unique = |kind: &Kind| matches!(kind, Kind::Unique);
                Err(self.not_exportable(goal, "uniqueItems", is_unique, reason))
            }
        }
    }

    fn plain_array(&mut self, leaf: &ArrayLeaf) -> Result<NodeId, Error> {
        let n_prefix = leaf.prefix.len() as u32;
        let comma = self.tokens.comma;
        let mut rest = if leaf.max.is_some_and(|max| max <= n_prefix) {
            EMPTY
        } else {
            let item = self.value(leaf.rest)?;
            let further = self.rules.sequence([comma, item]);
            let max = leaf.max.map(|max| max - n_prefix);
            let min = leaf.min.saturating_sub(n_prefix);
            if n_prefix > 0 {
                self.rules.repeat(further, min, max)
            } else {
                let others =
                    self.rules.repeat(further, min.saturating_sub(1), max.map(|max| max - 1));
                self.rules.sequence([item, others])
            }
        };
        for (index, &goal) in (0..n_prefix).zip(&leaf.prefix).rev() {
            self.meter.spend(1)?;
            let before = if index == 0 { EMPTY } else { comma };
            let item = self.value(goal)?;
            rest = self.rules.sequence([before, item, rest]);
            if index > 0 && index >= leaf.min {
                rest = self.rules.optional(rest);
            }
        }
        Ok(self.enclosed(self.tokens.array, rest, leaf.min == 0))
    }

    /// Items are read one by one, with what they count for, and which values there were.
    fn counting_array(&mut self, leaf: &ArrayLeaf, array: GoalId) -> Result<NodeId, Error> {
        if leaf.equal == Equal::None {
            self.refuse_many_values(leaf, array)?;
        }
        let first = (leaf.start(), Vec::<Literal>::new(), true);
        let may_be_empty = leaf.is_complete(&first.0);
        let mut graph = Graph::default();
        let mut states = vec![first.clone()];
        let mut ids = FxHashMap::from_iter([(first, 0u32)]);
        while let Some((progress, values, is_empty)) = states.get(graph.n_states()).cloned() {
            limit!(self.meter.limits(), export_states).check(states.len())?;
            self.rules.check(self.meter)?;
            let from = graph.add_state(!is_empty && leaf.is_complete(&progress));
            let comma = if is_empty { EMPTY } else { self.tokens.comma };
            for (goal, after) in self.goals.next_items(leaf, &progress, &values)? {
                self.meter.spend(2)?;
                let items = if leaf.equal == Equal::None {
                    self.values_of(goal, &values)?
                } else {
                    vec![(self.value(goal)?, values.clone())]
                };
                for (item, values) in items {
                    let step = self.rules.sequence([comma, item]);
                    if step == NOTHING {
                        continue;
                    }
                    let to =
                        *ids.entry((after.clone(), values, false)).or_insert_with_key(|next| {
                            states.push(next.clone());
                            states.len() as u32 - 1
                        });
                    graph.add_step(from, step, to);
                }
            }
        }
        let items = self.graph(&graph, "items", array)?;
        Ok(self.enclosed(self.tokens.array, items, may_be_empty))
    }

    fn refuse_many_values(&mut self, leaf: &ArrayLeaf, array: GoalId) -> Result<(), Error> {
        let mut all: Vec<String> = Vec::new();
        for goal in leaf.prefix.iter().copied().chain([leaf.rest]) {
            let few = self.listed_values(goal)?;
            all.extend(few.unwrap_or(vec![String::new(); MAX_VALUES + 1]));
            if all.len() <= MAX_VALUES {
                continue;
            }
            all.sort_unstable();
            all.dedup();
            if all.len() > MAX_VALUES || all.contains(&String::new()) {
                let is_unique = |kind: &Kind| matches!(kind, Kind::Unique);
                let reason =
                    format!("items can be told to differ if they are {MAX_VALUES} values at most");
                return Err(self.not_exportable(array, "uniqueItems", is_unique, &reason));
            }
        }
        Ok(())
    }

    /// The values of an item, each with all values that were there then.
    fn values_of(
        &mut self,
        goal: GoalId,
        before: &[Literal],
    ) -> Result<Vec<(NodeId, Vec<Literal>)>, Error> {
        let mut values = Vec::new();
        for text in self.listed_values(goal)?.unwrap_or_default() {
            let value = self.goals.value_of(text.as_bytes())?;
            let only = self.goals.goal(vec![value]);
            let mut all = before.to_vec();
            all.push(value);
            all.sort_unstable();
            values.push((self.value(only)?, all));
        }
        Ok(values)
    }

    /// The values of a goal, if they are few, as JSON.
    fn listed_values(&mut self, goal: GoalId) -> Result<Option<Vec<String>>, Error> {
        let mut values = Vec::new();
        for json_type in JsonType::ALL {
            for leaf in self.goals.possible_alternatives(goal, json_type)? {
                let found = match &**self.goals.leaf(leaf) {
                    Leaf::Word(word) => Some(vec![String::from_utf8_lossy(word).into_owned()]),
                    Leaf::Number(range) if self.goals.options.numbers == NumberStyle::Plain => {
                        range.values_if_fewer(MAX_VALUES + 1)
                    }
                    Leaf::String(Language::Literals(texts)) => {
                        let few = texts.iter().take(MAX_VALUES + 1);
                        Some(few.map(quoted).collect())
                    }
                    _ => None,
                };
                let Some(found) = found else { return Ok(None) };
                values.extend(found);
            }
        }
        Ok(Some(values))
    }
}

fn quoted(text: &[u8]) -> String {
    let mut quoted = Vec::new();
    quote_into(text, &mut quoted);
    String::from_utf8_lossy(&quoted).into_owned()
}
