//! Statements on objects as clauses: lists of conditions, of each of which one must be met.
//!
//! Only what stays small that way becomes clauses: choices among required keys, dependencies,
//! conditions on single properties. The others become alternatives.

use super::expand::{Condition, Selector, truth};
use super::goals::JsonType;
use super::schema::{Kind, Literal, Members, NodeId, Schema};

type Clauses = Vec<Vec<Condition>>;

const MAX_DEPTH: usize = 8;
/// More clauses than this make more work than alternatives do.
const MAX_CLAUSES: usize = 6;
const MAX_EXCLUSIVE: usize = 8;
const MAX_CONDITIONS: usize = 256;

/// What a literal says of objects, if it is clauses; an empty clause can't be met.
pub(super) fn of_literal(schema: &Schema, literal: Literal) -> Option<Clauses> {
    clauses(schema, literal, 0)
}

/// Of several statements one holds.
pub(super) fn any(statements: Vec<Clauses>) -> Option<Clauses> {
    let mut product: Clauses = vec![Vec::new()];
    for clauses in statements {
        let mut next = Clauses::new();
        for before in &product {
            for clause in &clauses {
                let mut both = before.clone();
                both.extend(clause.iter().cloned());
                next.push(both);
            }
        }
        product = next;
        if product.len() > MAX_CLAUSES || product.iter().any(|clause| clause.len() > MAX_CONDITIONS)
        {
            return None;
        }
    }
    for clause in &mut product {
        clause.sort_unstable();
        clause.dedup();
    }
    product.retain(|clause| !is_always_met(clause));
    Some(product)
}

fn is_always_met(clause: &[Condition]) -> bool {
    clause.iter().any(|condition| match condition {
        Condition::Lacks(name) => clause.contains(&Condition::Has(name.clone())),
        Condition::AtLeast(0) => true,
        _ => false,
    })
}

fn clauses(schema: &Schema, literal: Literal, depth: usize) -> Option<Clauses> {
    if let Some(truth) = truth(schema, JsonType::Object, literal, depth) {
        return Some(if truth { Vec::new() } else { vec![Vec::new()] });
    }
    if depth > MAX_DEPTH || schema.meter.spend(1).is_err() {
        return None;
    }
    let of = |literal: Literal| clauses(schema, literal, depth + 1);
    let is_negated = literal.is_negated();
    let sign = |other: Literal| if is_negated { other.negated() } else { other };
    match schema.kind(literal) {
        Kind::All(list) if is_negated => {
            any(list.iter().map(|&other| of(sign(other))).collect::<Option<_>>()?)
        }
        Kind::Any(list) if !is_negated => {
            any(list.iter().map(|&other| of(other)).collect::<Option<_>>()?)
        }
        Kind::All(list) | Kind::Any(list) => all(list.iter().map(|&other| of(sign(other)))),
        Kind::One(list) if !is_negated && list.len() <= MAX_EXCLUSIVE => exactly_one(list, of),
        Kind::If { condition, then, otherwise } => all([
            any(vec![of(condition.negated())?, of(sign(*then))?]),
            any(vec![of(*condition)?, of(sign(*otherwise))?]),
        ]
        .into_iter()),
        Kind::Required(name) if is_negated => Some(unit(Condition::Lacks(name.clone()))),
        Kind::Required(name) => Some(unit(Condition::Has(name.clone()))),
        Kind::MinProperties(min) if is_negated => {
            Some(unit(Condition::AtMost(min.checked_sub(1)?)))
        }
        Kind::MinProperties(min) => Some(unit(Condition::AtLeast(*min))),
        Kind::MaxProperties(max) if is_negated => Some(unit(Condition::AtLeast(max + 1))),
        Kind::MaxProperties(max) => Some(unit(Condition::AtMost(*max))),
        Kind::Members(members) if is_negated => Some(vec![violated(literal.node(), members)]),
        Kind::Members(members) => respected(members),
        Kind::Names(name) if is_negated => Some(unit(Condition::Name(name.negated()))),
        Kind::Dependent(name, needed) if !is_negated => {
            any(vec![vec![vec![Condition::Lacks(name.clone())]], of(*needed)?])
        }
        Kind::Dependent(name, needed) => {
            all([Some(unit(Condition::Has(name.clone()))), of(needed.negated())].into_iter())
        }
        _ => None,
    }
}

fn unit(condition: Condition) -> Clauses {
    vec![vec![condition]]
}

fn all(statements: impl Iterator<Item = Option<Clauses>>) -> Option<Clauses> {
    let mut together = Clauses::new();
    for clauses in statements {
        together.extend(clauses?);
    }
    Some(together)
}

/// One holds, and of each two one doesn't.
fn exactly_one(list: &[Literal], of: impl Fn(Literal) -> Option<Clauses>) -> Option<Clauses> {
    let mut together = any(list.iter().map(|&one| of(one)).collect::<Option<_>>()?)?;
    for (index, one) in list.iter().enumerate() {
        for other in &list[index + 1..] {
            together.extend(any(vec![of(one.negated())?, of(other.negated())?])?);
        }
    }
    Some(together)
}

/// Some member is not as it should be.
fn violated(node: NodeId, members: &Members) -> Vec<Condition> {
    let properties = members.properties.iter();
    let properties =
        properties.map(|(name, value)| Condition::Member(name.clone(), value.negated()));
    let patterns = (0u32..).zip(&members.patterns);
    let patterns = patterns.map(|(index, (_, value))| {
        Condition::Some(Selector::Pattern(node, index), value.negated())
    });
    let rest = members.rest.iter();
    let rest = rest.map(|value| Condition::Some(Selector::Rest(node), value.negated()));
    let mut conditions: Vec<_> = properties.chain(patterns).chain(rest).collect();
    conditions.sort_unstable();
    conditions
}

/// Each property is absent or as it should be.
fn respected(members: &Members) -> Option<Clauses> {
    if !members.patterns.is_empty()
        || members.rest.is_some()
        || members.properties.len() > MAX_CLAUSES
    {
        return None;
    }
    let properties = members.properties.iter();
    Some(
        properties
            .map(|(name, value)| {
                vec![Condition::Lacks(name.clone()), Condition::Member(name.clone(), *value)]
            })
            .collect(),
    )
}
