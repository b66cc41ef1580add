//! What `unevaluatedProperties` and `unevaluatedItems` don't speak of: keys and items that keywords
//! beside them, and in schemas that hold for the same value, have spoken of already.
//!
//! Which schemas hold is open before the value is read, so there is one alternative for each choice
//! among those that speak of something.

use std::sync::Arc;

use super::expand::{Atom, Condition, Part};
use super::goals::JsonType;
use super::schema::{Kind, Literal, NodeId, Schema};

/// How deep schemas are followed.
const MAX_DEPTH: usize = 200;

/// What schemas have spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Evaluated {
    pub(crate) names: Vec<Arc<str>>,
    /// Patterns of keys, by the statement on members and the index in it.
    pub(crate) patterns: Vec<(NodeId, u32)>,
    /// So many of the first items.
    pub(crate) n_items: u32,
    /// Items that satisfy one of these.
    pub(crate) items: Vec<Literal>,
    /// All members, or all items.
    pub(crate) all: bool,
}

/// What must hold for it, and what is spoken of then.
pub(super) type Choice = (Vec<Part>, Evaluated);

/// What statements that all hold speak of; none if there are too many choices.
pub(super) fn choices(
    schema: &Schema,
    json_type: JsonType,
    statements: &[Literal],
) -> Option<Vec<Choice>> {
    Walk { schema, json_type }.all(statements, 0)
}

/// Statements on values of one type, followed through the schema.
#[derive(Clone, Copy)]
struct Walk<'a> {
    schema: &'a Schema,
    json_type: JsonType,
}

impl Walk<'_> {
    fn all(self, statements: &[Literal], depth: usize) -> Option<Vec<Choice>> {
        let nothing = vec![(Vec::new(), Evaluated::default())];
        let mut statements = statements.iter();
        statements.try_fold(nothing, |before, &statement| {
            self.both(before, &self.of(statement, depth + 1)?)
        })
    }

    fn of(self, literal: Literal, depth: usize) -> Option<Vec<Choice>> {
        if depth > MAX_DEPTH || self.schema.meter.spend(1).is_err() {
            return None;
        }
        let nothing = || vec![(Vec::new(), Evaluated::default())];
        if literal.is_negated() {
            return Some(nothing());
        }
        let kind = self.schema.kind(literal);
        if kind.json_type().is_some_and(|other| other != self.json_type) {
            return Some(nothing());
        }
        let spoken = |evaluated: Evaluated| Some(vec![(Vec::new(), evaluated)]);
        match kind {
            Kind::All(list) => self.all(list, depth),
            Kind::Any(list) | Kind::One(list) => {
                list.iter().try_fold(nothing(), |before, &branch| {
                    self.both(before, &self.if_it_holds(branch, depth)?)
                })
            }
            Kind::If { condition, then, otherwise } => {
                let mut choices = with(*condition, self.all(&[*condition, *then], depth)?);
                choices.extend(with(condition.negated(), self.of(*otherwise, depth + 1)?));
                Some(choices)
            }
            Kind::Dependent(name, needed) => {
                let clause = |condition| vec![Part::Atom(Atom::Clause(vec![condition]))];
                let lacks = (clause(Condition::Lacks(name.clone())), Evaluated::default());
                let mut choices = self.of(*needed, depth + 1)?;
                for (parts, _) in &mut choices {
                    parts.extend(clause(Condition::Has(name.clone())));
                }
                choices.push(lacks);
                Some(choices)
            }
            Kind::Members(members) => spoken(Evaluated {
                names: members.properties.iter().map(|(name, _)| name.clone()).collect(),
                patterns: (0..members.patterns.len() as u32)
                    .map(|at| (literal.node(), at))
                    .collect(),
                all: members.rest.is_some(),
                ..Evaluated::default()
            }),
            Kind::Items { prefix, rest } => spoken(Evaluated {
                n_items: prefix.len() as u32,
                all: rest.is_some(),
                ..Evaluated::default()
            }),
            Kind::Contains { item, is_evaluated: true, .. } => {
                spoken(Evaluated { items: vec![*item], ..Evaluated::default() })
            }
            Kind::UnevaluatedProperties { .. } | Kind::UnevaluatedItems { .. } => {
                spoken(Evaluated { all: true, ..Evaluated::default() })
            }
            _ => Some(nothing()),
        }
    }

    /// A branch that may hold or not; one that speaks of nothing makes no difference.
    fn if_it_holds(self, branch: Literal, depth: usize) -> Option<Vec<Choice>> {
        let mut choices = self.of(branch, depth + 1)?;
        if choices.iter().all(|(_, evaluated)| *evaluated == Evaluated::default()) {
            return Some(vec![(Vec::new(), Evaluated::default())]);
        }
        choices = with(branch, choices);
        choices.push((vec![Part::Literal(branch.negated())], Evaluated::default()));
        Some(choices)
    }

    /// None if there are too many choices.
    fn both(self, one: Vec<Choice>, other: &[Choice]) -> Option<Vec<Choice>> {
        let n = one.len() * other.len();
        let meter = &self.schema.meter;
        if n > meter.limits().unevaluated_choices || meter.spend(n).is_err() {
            return None;
        }
        let pairs =
            one.into_iter().flat_map(|one| other.iter().map(move |other| (one.clone(), other)));
        Some(
            pairs
                .map(|((mut parts, mut evaluated), (more_parts, more))| {
                    parts.extend(more_parts.iter().cloned());
                    evaluated.names.extend(more.names.iter().cloned());
                    evaluated.patterns.extend(&more.patterns);
                    evaluated.items.extend(&more.items);
                    evaluated.n_items = evaluated.n_items.max(more.n_items);
                    evaluated.all |= more.all;
                    (parts, evaluated)
                })
                .collect(),
        )
    }
}

fn with(literal: Literal, mut choices: Vec<Choice>) -> Vec<Choice> {
    for (parts, _) in &mut choices {
        parts.push(Part::Literal(literal));
    }
    choices
}
