//! [`canonical_literals`]: statements that say the same, found before anything is made of them.
//!
//! Most schemas say the same in many places: that a value is a string, that an object has the members of
//! another one. What such places ask of a value is one goal, which is expanded once, and what follows
//! there is one state. Nodes are compared by what they say, each after those that it refers to (hash
//! consing); one that refers to itself says the same as no other.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::decimal::Decimal;
use super::number_range::Bound;
use super::schema::{Constants, Kind, Literal, Members, Node, NodeId, Types};
use crate::error::Error;
use crate::meter::Meter;

/// For each node the literal that stands for all that say the same.
pub(super) fn canonical_literals(nodes: &[Node], meter: &Meter) -> Result<Vec<Literal>, Error> {
    let ids = 0..nodes.len() as NodeId;
    let mut canonical: Vec<Literal> = ids.clone().map(Literal::of).collect();
    let mut is_entered = vec![false; nodes.len()];
    let mut known: FxHashMap<Statement<'_>, Literal> = FxHashMap::default();
    let mut tasks: Vec<Task<'_>> = ids.rev().map(Task::Enter).collect();
    while let Some(task) = tasks.pop() {
        match task {
            Task::Enter(node) => {
                if !std::mem::replace(&mut is_entered[node as usize], true) {
                    let statement = statement(&nodes[node as usize].kind);
                    meter.spend(1 + statement.len() / 4)?;
                    let children = statement.iter().filter_map(Part::node);
                    let children: SmallVec<[NodeId; 8]> = children.collect();
                    tasks.push(Task::Leave(node, statement));
                    tasks.extend(children.into_iter().map(Task::Enter));
                }
            }
            Task::Leave(node, mut statement) => {
                for part in &mut statement {
                    if let Part::Literal(literal) = part {
                        *literal = literal.among(&canonical);
                    }
                }
                canonical[node as usize] = match (&nodes[node as usize].kind, &statement[..]) {
                    (Kind::All(_) | Kind::Any(_) | Kind::One(_), &[_, Part::Literal(only)]) => only,
                    _ => *known.entry(statement).or_insert(Literal::of(node)),
                };
            }
        }
    }
    Ok(canonical)
}

enum Task<'a> {
    Enter(NodeId),
    /// What the node refers to is behind.
    Leave(NodeId, Statement<'a>),
}

/// What a node says, part by part.
type Statement<'a> = SmallVec<[Part<'a>; 4]>;

#[derive(PartialEq, Eq, Hash)]
enum Part<'a> {
    Kind(Discriminant<Kind>),
    Literal(Literal),
    Types(Types),
    Count(u32),
    Text(&'a [u8]),
    Decimal(&'a Decimal),
    Bound(&'a Bound),
    /// Of an automaton: those of equal patterns are one.
    Address(usize),
}

impl Part<'_> {
    fn node(&self) -> Option<NodeId> {
        match self {
            Self::Literal(literal) => Some(literal.node()),
            _ => None,
        }
    }
}

fn statement(kind: &Kind) -> Statement<'_> {
    let mut parts = Statement::new();
    parts.push(Part::Kind(discriminant(kind)));
    match kind {
        Kind::All(list) | Kind::Any(list) | Kind::One(list) => parts.extend(literals(list)),
        Kind::If { condition, then, otherwise } => {
            parts.extend([*condition, *then, *otherwise].map(Part::Literal));
        }
        Kind::Types(types) => parts.push(Part::Types(*types)),
        Kind::Constants(constants) => add_constants(constants, &mut parts),
        Kind::MultipleOf(divisor) => parts.push(Part::Decimal(divisor)),
        Kind::Lower(bound) | Kind::Upper(bound) => parts.push(Part::Bound(bound)),
        Kind::MinLength(count)
        | Kind::MaxLength(count)
        | Kind::MinItems(count)
        | Kind::MaxItems(count)
        | Kind::MinProperties(count)
        | Kind::MaxProperties(count) => parts.push(Part::Count(*count)),
        Kind::Pattern(dfa) => parts.push(Part::Address(Arc::as_ptr(dfa).addr())),
        Kind::Items { prefix, rest } => {
            parts.push(Part::Count(prefix.len() as u32));
            parts.extend(literals(prefix).chain(rest.map(Part::Literal)));
        }
        Kind::Contains { item, min, max, is_evaluated } => {
            parts.extend([Part::Literal(*item), Part::Count(*min)]);
            parts.push(Part::Count(u32::from(*is_evaluated)));
            parts.extend(max.map(Part::Count));
        }
        Kind::UnevaluatedItems { statements, item: unevaluated }
        | Kind::UnevaluatedProperties { statements, value: unevaluated } => {
            parts.push(Part::Literal(*unevaluated));
            parts.extend(literals(statements));
        }
        Kind::SpelledWhole | Kind::Unique => {}
        Kind::Required(name) => parts.push(Part::Text(name.as_bytes())),
        Kind::Members(members) => add_members(members, &mut parts),
        Kind::Names(literal) => parts.push(Part::Literal(*literal)),
        Kind::Dependent(name, literal) => {
            parts.extend([Part::Text(name.as_bytes()), Part::Literal(*literal)]);
        }
    }
    parts
}

fn literals(list: &[Literal]) -> impl Iterator<Item = Part<'_>> {
    list.iter().map(|literal| Part::Literal(*literal))
}

fn add_constants<'a>(constants: &'a Constants, parts: &mut Statement<'a>) {
    let words = [constants.null, constants.booleans[0], constants.booleans[1]];
    parts.extend(words.map(|word| Part::Count(u32::from(word))));
    parts.extend(constants.numbers.iter().map(Part::Decimal));
    parts.extend(constants.strings.iter().map(|text| Part::Text(text)));
    parts.extend(literals(&constants.containers));
}

fn add_members<'a>(members: &'a Members, parts: &mut Statement<'a>) {
    for (name, value) in &members.properties {
        parts.extend([Part::Text(name.as_bytes()), Part::Literal(*value)]);
    }
    for (dfa, value) in &members.patterns {
        parts.push(Part::Address(Arc::as_ptr(dfa).addr()));
        parts.push(Part::Literal(*value));
    }
    parts.extend(members.rest.map(Part::Literal));
}
