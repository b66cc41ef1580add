//! Whether statements contradict each other, where that is seen without much work.
//!
//! It finds what tells the branches of `oneOf` apart: a type, a constant, a required property or
//! item with one of those. "Not certain" may still be a contradiction.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::expand::truth;
use super::goals::JsonType;
use super::scalar;
use super::schema::{Kind, Literal, Schema};

const MAX_DEPTH: usize = 3;

/// Whether no value of the type satisfies all of the literals, as far as can be seen.
pub(super) fn is_certain(schema: &Schema, json_type: JsonType, literals: &[Literal]) -> bool {
    contradict(schema, json_type, literals, 0)
}

fn contradict(schema: &Schema, json_type: JsonType, literals: &[Literal], depth: usize) -> bool {
    let Some(facts) = facts(schema, json_type, literals) else { return true };
    match json_type {
        JsonType::Null => false,
        JsonType::Boolean => scalar::booleans(schema, &facts).is_empty(),
        JsonType::Number => scalar::has_no_constant_number(schema, &facts),
        JsonType::String => scalar::has_no_constant_string(schema, &facts),
        JsonType::Array => items_contradict(schema, &facts, depth),
        JsonType::Object => members_contradict(schema, &facts, depth),
    }
}

/// The statements on the type that certainly hold; none if some can't.
fn facts(schema: &Schema, json_type: JsonType, literals: &[Literal]) -> Option<Vec<Literal>> {
    let mut todo = literals.to_vec();
    let mut seen = FxHashSet::default();
    let mut facts = Vec::new();
    while let Some(literal) = todo.pop() {
        // What is not certain is answered where there is nothing left to find out with.
        if schema.meter.spend(1).is_err() {
            return Some(Vec::new());
        }
        if !seen.insert(literal) {
            continue;
        }
        if seen.contains(&literal.negated()) || truth(schema, json_type, literal, 0) == Some(false)
        {
            return None;
        }
        match (schema.kind(literal), literal.is_negated()) {
            (Kind::All(list), false) => todo.extend(list),
            (Kind::Any(list), true) => todo.extend(list.iter().map(|other| other.negated())),
            (Kind::Any(list) | Kind::One(list), false) if list.len() == 1 => todo.extend(list),
            (Kind::All(_) | Kind::Any(_) | Kind::One(_) | Kind::If { .. }, _) => {}
            _ => facts.push(literal),
        }
    }
    Some(facts)
}

fn value_contradicts(schema: &Schema, literals: &[Literal], depth: usize) -> bool {
    depth < MAX_DEPTH
        && JsonType::ALL.iter().all(|&json_type| contradict(schema, json_type, literals, depth + 1))
}

fn members_contradict(schema: &Schema, facts: &[Literal], depth: usize) -> bool {
    let mut values: BTreeMap<&str, Vec<Literal>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| !fact.is_negated()) {
        if let Kind::Required(name) = schema.kind(*fact) {
            values.entry(name).or_default();
        }
    }
    for fact in facts {
        if schema.meter.spend(1).is_err() {
            return false;
        }
        match (schema.kind(*fact), fact.is_negated()) {
            (Kind::Required(name), true) if values.contains_key(&**name) => return true,
            (Kind::MaxProperties(max), false) if values.len() > *max as usize => return true,
            (Kind::Members(members), false) => {
                if schema.meter.spend(values.len()).is_err() {
                    return false;
                }
                for (name, values) in &mut values {
                    let n_before = values.len();
                    values.extend(members.value_of(name));
                    let is_other = values.len() == n_before && members.patterns.is_empty();
                    values.extend(members.rest.filter(|_| is_other));
                }
            }
            _ => {}
        }
    }
    values.values().any(|values| !values.is_empty() && value_contradicts(schema, values, depth))
}

fn items_contradict(schema: &Schema, facts: &[Literal], depth: usize) -> bool {
    const MAX_ITEMS: u32 = 8;
    let (mut min, mut max) = (0, u32::MAX);
    for fact in facts {
        match (schema.kind(*fact), fact.is_negated()) {
            (Kind::MinItems(n), false) => min = min.max(*n),
            (Kind::MaxItems(n), false) => max = max.min(*n),
            (Kind::MinItems(n), true) => max = max.min(n.saturating_sub(1)),
            (Kind::MaxItems(n), true) => min = min.max(n + 1),
            _ => {}
        }
    }
    min > max
        || (0..min.min(MAX_ITEMS) as usize).any(|index| {
            let items = facts.iter().filter(|fact| !fact.is_negated());
            let items: Vec<Literal> = items
                .filter_map(|fact| match schema.kind(*fact) {
                    Kind::Items { prefix, rest } => prefix.get(index).copied().or(*rest),
                    _ => None,
                })
                .collect();
            items.len() > 1 && value_contradicts(schema, &items, depth)
        })
}
