//! [`Nodes`]: the nodes of a schema, and those that are made of constants.

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::parse;
use super::schema::{Constants, Kind, Literal, Members, Node, NodeId, Types};
use crate::error::Error;

#[derive(Debug, Default)]
pub(crate) struct Nodes {
    all: Vec<Node>,
    /// Values that were met while reading, in canonical spelling, each with what only it satisfies.
    values: FxHashMap<String, Literal>,
    /// What one of some of those satisfies.
    lists: FxHashMap<Vec<Literal>, Literal>,
    /// How many nodes there were before the first of those.
    n_own: usize,
}

impl Nodes {
    pub(super) fn add(&mut self, pointer: &str, kind: Kind) -> Literal {
        self.all.push(Node { pointer: pointer.into(), kind });
        Literal::of(self.all.len() as NodeId - 1)
    }

    pub(super) fn replace(&mut self, node: NodeId, kind: Kind) {
        self.all[node as usize].kind = kind;
    }

    pub(super) fn get(&self, node: NodeId) -> &Node {
        &self.all[node as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// What only values equal to this one satisfy.
    pub(super) fn value(&mut self, value: &Value) -> Result<Literal, Error> {
        if self.values.is_empty() {
            self.n_own = self.all.len();
        }
        let mut spelling = String::new();
        spell(value, &mut spelling)?;
        if let Some(&literal) = self.values.get(&spelling) {
            return Ok(literal);
        }
        let literal = self.constant(value, "")?;
        self.values.insert(spelling, literal);
        Ok(literal)
    }

    /// What only values equal to one of those satisfy.
    pub(super) fn one_of_values(&mut self, values: &[Literal]) -> Literal {
        if let Some(&literal) = self.lists.get(values) {
            return literal;
        }
        let literal = self.add("", Kind::Any(values.to_vec()));
        self.lists.insert(values.to_vec(), literal);
        literal
    }

    /// Forgets the values that were met while reading.
    pub(super) fn forget_values(&mut self) {
        if !self.values.is_empty() {
            self.all.truncate(self.n_own);
            self.values.clear();
            self.lists.clear();
        }
    }

    /// The values of `enum` or `const`, by type.
    pub(super) fn constants(
        &mut self,
        values: &[Value],
        pointer: &str,
    ) -> Result<Constants, Error> {
        let mut constants = Constants::default();
        for value in values {
            match value {
                Value::Null => constants.null = true,
                Value::Bool(value) => constants.booleans[usize::from(*value)] = true,
                Value::Number(_) => constants.numbers.push(parse::decimal_of(value, pointer)?),
                Value::String(text) => constants.strings.push(text.as_bytes().into()),
                Value::Array(_) | Value::Object(_) => {
                    constants.containers.push(self.container(value, pointer)?);
                }
            }
        }
        constants.numbers.sort_unstable();
        constants.numbers.dedup();
        constants.strings.sort_unstable();
        constants.strings.dedup();
        Ok(constants)
    }

    /// What only an array or an object equal to the value satisfies.
    fn container(&mut self, value: &Value, pointer: &str) -> Result<Literal, Error> {
        let mut statements = Vec::new();
        match value {
            Value::Array(items) => {
                let prefix = items.iter().map(|item| self.constant(item, pointer));
                let prefix = prefix.collect::<Result<_, _>>()?;
                statements.extend([
                    Kind::Types(Types::ARRAY),
                    Kind::MinItems(items.len() as u32),
                    Kind::MaxItems(items.len() as u32),
                    Kind::Items { prefix, rest: None },
                ]);
            }
            Value::Object(members) => {
                statements.push(Kind::Types(Types::OBJECT));
                statements.push(Kind::MaxProperties(members.len() as u32));
                let mut properties = Vec::new();
                for (name, value) in members {
                    statements.push(Kind::Required(name.as_str().into()));
                    properties.push((name.as_str().into(), self.constant(value, pointer)?));
                }
                statements.push(Kind::Members(Members { properties, ..Members::default() }));
            }
            _ => {}
        }
        let statements = statements.into_iter().map(|kind| self.add(pointer, kind)).collect();
        Ok(self.add(pointer, Kind::All(statements)))
    }

    fn constant(&mut self, value: &Value, pointer: &str) -> Result<Literal, Error> {
        let constants = self.constants(std::slice::from_ref(value), pointer)?;
        Ok(self.add(pointer, Kind::Constants(constants)))
    }
}

/// Appends a spelling that equal values share.
fn spell(value: &Value, out: &mut String) -> Result<(), Error> {
    match value {
        Value::Number(_) => {
            let decimal = parse::decimal_of(value, "")?;
            let digits = decimal.digits.iter().map(|digit| char::from(b'0' + digit));
            out.extend(decimal.is_negative.then_some('-'));
            out.extend(digits);
            out.push('e');
            out.push_str(&decimal.exponent.to_string());
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                spell(item, out)?;
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                spell(value, out)?;
                out.push(',');
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
    Ok(())
}
