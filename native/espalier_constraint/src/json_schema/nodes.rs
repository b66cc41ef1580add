//! [`Nodes`]: the nodes of a schema, and those that are made of constants.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::canonical::canonical_literals;
use super::decimal::Decimal;
use super::json::Json;
use super::parse;
use super::schema::{Constants, Kind, Literal, Members, Node, NodeId, Types};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// Cloning is cheap: the nodes of the schema are shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    /// Those of the schema, once it was read.
    own: Arc<[Node]>,
    /// For each of those what stands for all that say the same.
    canonical: Arc<[Literal]>,
    /// Those that are being read, and later those of values that were met while reading a text.
    new: Vec<Node>,
    /// Their places, one after the other.
    places: Arc<str>,
    new_places: String,
    /// Values that were met while reading, in canonical spelling, each with what only it satisfies.
    values: FxHashMap<String, Literal>,
    /// What satisfies one of some literals.
    lists: FxHashMap<Vec<Literal>, Literal>,
    /// Whether a value is added that was met while reading.
    is_reading: bool,
    /// The bytes of all places.
    n_place_bytes: usize,
    /// The values of `enum` and `const`, and the bytes of the texts among them.
    n_members: usize,
    n_text_bytes: usize,
}

impl Nodes {
    pub(super) fn add(&mut self, pointer: &str, kind: Kind) -> Literal {
        self.n_place_bytes += pointer.len();
        let start = self.new_places.len();
        self.new_places.push_str(pointer);
        self.new.push(Node { place: start..self.new_places.len(), kind });
        Literal::of(self.len() as NodeId - 1)
    }

    /// Says something else with a node; not after [`share`](Self::share).
    pub(super) fn replace(&mut self, node: NodeId, kind: Kind) {
        self.new[node as usize].kind = kind;
    }

    /// The schema was read: its nodes are shared from here on.
    pub(super) fn share(&mut self, meter: &Meter) -> Result<(), Error> {
        self.canonical = canonical_literals(&self.new, meter)?.into();
        self.own = std::mem::take(&mut self.new).into();
        self.places = std::mem::take(&mut self.new_places).into();
        Ok(())
    }

    /// The place of a node; values that were met while reading have none.
    pub(super) fn pointer(&self, node: NodeId) -> &str {
        let places = if self.own.is_empty() { &self.new_places } else { &self.places[..] };
        places.get(self.get(node).place.clone()).unwrap_or_default()
    }

    /// What stands for all literals that say the same.
    pub(super) fn canonical(&self, literal: Literal) -> Literal {
        literal.among(&self.canonical)
    }

    pub(super) fn get(&self, node: NodeId) -> &Node {
        let index = node as usize;
        self.own.get(index).unwrap_or_else(|| &self.new[index - self.own.len()])
    }

    /// Whether there are too many.
    pub(super) fn check(&self, meter: &Meter) -> Result<(), Error> {
        limit!(meter.limits(), schema_nodes).check(self.len())?;
        limit!(meter.limits(), place_bytes).check(self.n_place_bytes)?;
        meter.spend(1)
    }

    /// Counts bytes that belong to the places of nodes.
    pub(super) fn add_place_bytes(&mut self, n_bytes: usize) {
        self.n_place_bytes += n_bytes;
    }

    /// About how many bytes the values take that were met while reading.
    pub(super) fn memory(&self) -> usize {
        const NODE_BYTES: usize = 150;
        self.new.len() * NODE_BYTES
    }

    pub(super) fn len(&self) -> usize {
        self.own.len() + self.new.len()
    }

    /// What only values equal to this one satisfy.
    pub(super) fn value(&mut self, value: &Json<'_>, meter: &Meter) -> Result<Literal, Error> {
        let mut spelling = String::new();
        spell(value, &mut spelling);
        if let Some(&literal) = self.values.get(&spelling) {
            return Ok(literal);
        }
        self.is_reading = true;
        let literal = self.constant(value, "", meter);
        self.is_reading = false;
        let literal = literal?;
        self.values.insert(spelling, literal);
        Ok(literal)
    }

    /// What satisfies one of those.
    pub(super) fn any_of(&mut self, values: &[Literal]) -> Literal {
        if let Some(&literal) = self.lists.get(values) {
            return literal;
        }
        let literal = self.add("", Kind::Any(values.to_vec()));
        self.lists.insert(values.to_vec(), literal);
        literal
    }

    /// Forgets the values that were met while reading.
    pub(super) fn forget_values(&mut self) {
        self.new.clear();
        self.values.clear();
        self.lists.clear();
    }

    /// The values of `enum` or `const`, by type.
    pub(super) fn constants(
        &mut self,
        values: &[Json<'_>],
        pointer: &str,
        meter: &Meter,
    ) -> Result<Constants, Error> {
        let mut constants = Constants::default();
        for value in values {
            self.count_value(value, meter)?;
            match value {
                Json::Null => constants.null = true,
                Json::Bool(value) => constants.booleans[usize::from(*value)] = true,
                // What a text has is as long as it is.
                Json::Number(number) if self.is_reading => {
                    constants.numbers.push(Decimal::parse(number.as_str()));
                }
                Json::Number(_) => {
                    constants.numbers.push(parse::decimal_of(value, pointer, meter)?);
                }
                Json::String(text) => constants.strings.push(text.as_bytes().into()),
                Json::Array(_) | Json::Object(_) => {
                    constants.containers.push(self.container(value, pointer, meter)?);
                }
            }
        }
        constants.numbers.sort_unstable();
        constants.numbers.dedup();
        constants.strings.sort_unstable();
        constants.strings.dedup();
        Ok(constants)
    }

    /// Values of the schema are counted; those that were met while reading are as long as the text.
    fn count_value(&mut self, value: &Json<'_>, meter: &Meter) -> Result<(), Error> {
        let n_bytes = value.as_str().map_or(0, str::len);
        meter.spend(n_bytes / 16)?;
        if self.is_reading {
            return meter.spend(1);
        }
        self.n_members += 1;
        self.n_text_bytes += n_bytes;
        limit!(meter.limits(), enum_members).check(self.n_members)?;
        limit!(meter.limits(), enum_bytes).check(self.n_text_bytes)?;
        self.check(meter)
    }

    /// What only an array or an object equal to the value satisfies.
    fn container(
        &mut self,
        value: &Json<'_>,
        pointer: &str,
        meter: &Meter,
    ) -> Result<Literal, Error> {
        let mut statements = Vec::new();
        match value {
            Json::Array(items) => {
                let prefix = items.iter().map(|item| self.constant(item, pointer, meter));
                let prefix = prefix.collect::<Result<_, _>>()?;
                statements.extend([
                    Kind::Types(Types::ARRAY),
                    Kind::MinItems(items.len() as u32),
                    Kind::MaxItems(items.len() as u32),
                    Kind::Items { prefix, rest: None },
                ]);
            }
            Json::Object(members) => {
                statements.push(Kind::Types(Types::OBJECT));
                statements.push(Kind::MaxProperties(members.len() as u32));
                let mut properties = Vec::new();
                for (name, value) in members.iter() {
                    statements.push(Kind::Required(name.into()));
                    properties.push((name.into(), self.constant(value, pointer, meter)?));
                }
                statements.push(Kind::Members(Members::new(properties, Vec::new(), None)));
            }
            _ => {}
        }
        let statements = statements.into_iter().map(|kind| self.add(pointer, kind)).collect();
        Ok(self.add(pointer, Kind::All(statements)))
    }

    fn constant(
        &mut self,
        value: &Json<'_>,
        pointer: &str,
        meter: &Meter,
    ) -> Result<Literal, Error> {
        let constants = self.constants(std::slice::from_ref(value), pointer, meter)?;
        Ok(self.add(pointer, Kind::Constants(constants)))
    }
}

/// Appends a spelling that equal values share.
fn spell(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Number(number) => {
            let decimal = Decimal::parse(number.as_str());
            let digits = decimal.digits.iter().map(|digit| char::from(b'0' + digit));
            out.extend(decimal.is_negative.then_some('-'));
            out.extend(digits);
            out.push('e');
            out.push_str(&decimal.exponent.to_string());
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                spell(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in members {
                out.push_str(&Json::String(name.into()).to_string());
                out.push(':');
                spell(value, out);
                out.push(',');
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}
