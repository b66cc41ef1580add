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
use super::schema::{Constants, Kind, Literal, Node, NodeId, Types};
use crate::error::Error;
use crate::meter::Meter;

/// For each node the literal that stands for all that say the same.
pub(super) fn canonical_literals(nodes: &[Node], meter: &Meter) -> Result<Vec<Literal>, Error> {
    let mut canonical: Vec<Literal> = (0..nodes.len() as NodeId).map(Literal::of).collect();
    let mut is_entered = vec![false; nodes.len()];
    let mut known: FxHashMap<Statement<'_>, Literal> = FxHashMap::default();
    known.reserve(nodes.len());
    let mut open = Vec::new();
    for root in 0..nodes.len() as NodeId {
        open.extend(Some(root).filter(|&root| !is_entered[root as usize]));
        while let Some(&node) = open.last() {
            let kind = &nodes[node as usize].kind;
            let statement = statement(kind, &canonical);
            if !std::mem::replace(&mut is_entered[node as usize], true) {
                meter.spend(1 + statement.len() / 4)?;
                // What it refers to comes first.
                let n_open = open.len();
                let children = statement.iter().filter_map(Part::node);
                open.extend(children.filter(|&child| !is_entered[child as usize]));
                if open.len() > n_open {
                    continue;
                }
            }
            open.pop();
            canonical[node as usize] = match (kind, &statement[..]) {
                (Kind::All(_) | Kind::Any(_) | Kind::One(_), &[_, Part::Literal(only)]) => only,
                _ => *known.entry(statement).or_insert(Literal::of(node)),
            };
        }
    }
    Ok(canonical)
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

fn statement<'a>(kind: &'a Kind, canonical: &[Literal]) -> Statement<'a> {
    let mut parts = Statement::new();
    let part = |literal: &Literal| Part::Literal(literal.among(canonical));
    parts.push(Part::Kind(discriminant(kind)));
    match kind {
        Kind::All(list) | Kind::Any(list) | Kind::One(list) => parts.extend(list.iter().map(part)),
        Kind::If { condition, then, otherwise } => {
            parts.extend([condition, then, otherwise].map(part));
        }
        Kind::Types(types) => parts.push(Part::Types(*types)),
        Kind::Constants(constants) => {
            add_constants(constants, &mut parts);
            parts.extend(constants.containers.iter().map(part));
        }
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
            parts.extend(prefix.iter().chain(rest).map(part));
        }
        Kind::Contains { item, min, max, is_evaluated } => {
            parts.extend([part(item), Part::Count(*min)]);
            parts.push(Part::Count(u32::from(*is_evaluated)));
            parts.extend(max.map(Part::Count));
        }
        Kind::UnevaluatedItems { statements, item: unevaluated }
        | Kind::UnevaluatedProperties { statements, value: unevaluated } => {
            parts.push(part(unevaluated));
            parts.extend(statements.iter().map(part));
        }
        Kind::SpelledWhole | Kind::Unique => {}
        Kind::Required(name) => parts.push(Part::Text(name.as_bytes())),
        Kind::Members(members) => {
            for (name, value) in &members.properties {
                parts.extend([Part::Text(name.as_bytes()), part(value)]);
            }
            for (dfa, value) in &members.patterns {
                parts.extend([Part::Address(Arc::as_ptr(dfa).addr()), part(value)]);
            }
            parts.extend(members.rest.iter().map(part));
        }
        Kind::Names(literal) => parts.push(part(literal)),
        Kind::Dependent(name, literal) => {
            parts.extend([Part::Text(name.as_bytes()), part(literal)]);
        }
    }
    parts
}

fn add_constants<'a>(constants: &'a Constants, parts: &mut Statement<'a>) {
    let words = [constants.null, constants.booleans[0], constants.booleans[1]];
    parts.extend(words.map(|word| Part::Count(u32::from(word))));
    parts.extend(constants.numbers.iter().map(Part::Decimal));
    parts.extend(constants.strings.iter().map(|text| Part::Text(text)));
}

#[cfg(test)]
mod tests {
    use super::super::JsonSchemaOptions;
    use super::super::automata::Automata;
    use super::super::schema::Schema;
    use super::*;

    /// Whether the schemas of the first two properties are one literal.
    fn are_one(schema: &str) -> bool {
        let options = JsonSchemaOptions::generating();
        let mut automata = Automata::default();
        let schema = Schema::parse(schema, &[], options, &mut automata, &Meter::unlimited());
        let schema = schema.unwrap();
        let members = (0..schema.nodes.len() as NodeId).find_map(|node| match schema.node(node) {
            Node { kind: Kind::Members(members), .. } => Some(members),
            _ => None,
        });
        let values: Vec<Literal> =
            members.unwrap().properties.iter().map(|(_, value)| *value).collect();
        schema.nodes.canonical(values[0]) == schema.nodes.canonical(values[1])
    }

    fn pair(first: &str, second: &str) -> String {
        format!(
            r#"{{"properties": {{"a": {first}, "b": {second}}}, "$defs": {{"s": {{"type": "string"}}}}}}"#
        )
    }

    #[test]
    fn schemas_that_say_the_same_are_one() {
        let object = r#"{"properties": {"x": {"type": "integer"}}, "required": ["x"]}"#;
        let described = r#"{"properties": {"x": {"title": "X", "type": "integer"}}, "required": ["x"], "default": {}}"#;
        for (first, second) in [
            (r#"{"type": "string"}"#, r#"{"description": "b", "type": "string"}"#),
            (r#"{"type": "string"}"#, r##"{"$ref": "#/$defs/s"}"##),
            (r#"{"enum": [1, "a", {"b": []}]}"#, r#"{"enum": [1.0, "a", {"b": []}]}"#),
            (r#"{"pattern": "^a+$"}"#, r#"{"pattern": "^a+$"}"#),
            (r#"{"allOf": [{"minimum": 1}]}"#, r#"{"minimum": 1}"#),
            (object, described),
        ] {
            assert!(are_one(&pair(first, second)), "{first} and {second}");
        }
    }

    #[test]
    fn schemas_that_say_something_else_are_not() {
        for (first, second) in [
            (r#"{"type": "string"}"#, r#"{"type": ["string", "null"]}"#),
            (r#"{"type": "string"}"#, r#"{"not": {"type": "string"}}"#),
            (r#"{"minLength": 2}"#, r#"{"maxLength": 2}"#),
            (r#"{"minimum": 2}"#, r#"{"exclusiveMinimum": 2}"#),
            (r#"{"pattern": "^a+$"}"#, r#"{"pattern": "^b+$"}"#),
            (r#"{"contains": {"const": 1}}"#, r#"{"contains": {"const": 1}, "maxContains": 1}"#),
            (r#"{"items": {"const": 1}}"#, r#"{"prefixItems": [{"const": 1}]}"#),
            (
                r#"{"anyOf": [{"minimum": 1}, {"type": "null"}]}"#,
                r#"{"oneOf": [{"minimum": 1}, {"type": "null"}]}"#,
            ),
            (r#"{"enum": ["a"]}"#, r#"{"enum": ["a", null]}"#),
            (r#"{"properties": {"x": {}, "y": {}}}"#, r#"{"properties": {"y": {}, "x": {}}}"#),
            (r#"{"required": ["x"]}"#, r#"{"required": ["y"]}"#),
        ] {
            assert!(!are_one(&pair(first, second)), "{first} and {second}");
        }
    }

    #[test]
    fn schemas_that_refer_to_themselves_end() {
        let list = r##"{"properties": {"next": {"$ref": "#/properties/a"}}}"##;
        are_one(&pair(list, list));
    }
}
