//! [`Schema`]: the text of a JSON Schema, checked and laid out as nodes.

use std::sync::Arc;

use super::decimal::Decimal;
use super::language::Length;
use super::number_range::NumberRange;
use super::parse;
use crate::dfa::Dfa;
use crate::error::Error;

/// Index of a [`Node`].
pub(crate) type NodeId = u32;

/// A schema and all schemas that it refers to.
#[derive(Debug)]
pub(crate) struct Schema {
    nodes: Vec<Node>,
}

/// One schema, with what each of its keywords says.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) pointer: String,
    pub(crate) types: Types,
    pub(crate) constants: Option<Constants>,
    /// Schemas that hold for the same value: `$ref` and `allOf`.
    pub(crate) all_of: Vec<NodeId>,
    /// Of each list, one schema must hold for the same value.
    pub(crate) any_of: Vec<Vec<NodeId>>,
    pub(crate) number: NumberRange,
    pub(crate) length: Length,
    pub(crate) patterns: Vec<Arc<Dfa>>,
    pub(crate) object: ObjectKeywords,
    pub(crate) array: ArrayKeywords,
}

/// What a node says of objects.
#[derive(Debug, Default)]
pub(crate) struct ObjectKeywords {
    /// In the order of the schema.
    pub(crate) properties: Vec<(Arc<str>, NodeId)>,
    pub(crate) required: Vec<Arc<str>>,
    pub(crate) additional: Option<NodeId>,
}

/// What a node says of arrays.
#[derive(Debug, Default)]
pub(crate) struct ArrayKeywords {
    pub(crate) prefix: Vec<NodeId>,
    pub(crate) items: Option<NodeId>,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

/// The values of `enum` or `const`, by type. Arrays and objects are nodes of their own.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    pub(crate) null: bool,
    pub(crate) booleans: [bool; 2],
    pub(crate) numbers: Vec<Decimal>,
    pub(crate) strings: Vec<Box<[u8]>>,
    pub(crate) containers: Vec<NodeId>,
}

/// The types of a value, as JSON Schema counts them, with numbers in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    pub(crate) const NUMBER: Self = Self(4 | 8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    pub(super) const NONE: Self = Self(0);
    const ALL: Self = Self(127);

    pub(crate) fn contains(self, types: Self) -> bool {
        self.0 & types.0 == types.0
    }

    pub(super) fn or(self, types: Self) -> Self {
        Self(self.0 | types.0)
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => return None,
        })
    }
}

impl Default for Types {
    fn default() -> Self {
        Self::ALL
    }
}

impl Schema {
    /// Reads and checks the text of a schema.
    ///
    /// # Errors
    /// [`Error::InvalidJson`], [`Error::InvalidSchema`], [`Error::UnsupportedKeyword`] and those
    /// of patterns, each with the place.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let schema = Self { nodes: parse::read_nodes(text)? };
        schema.refuse_loops()?;
        Ok(schema)
    }

    /// The node of the whole schema.
    pub(crate) const ROOT: NodeId = 0;

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// A schema that leads back to itself without going into a value says nothing.
    fn refuse_loops(&self) -> Result<(), Error> {
        let mut is_done = vec![false; self.nodes.len()];
        let mut is_open = vec![false; self.nodes.len()];
        for root in 0..self.nodes.len() as NodeId {
            let mut stack = vec![(root, 0)];
            while let Some((id, next)) = stack.pop() {
                let node = self.node(id);
                if next == 0 && is_done[id as usize] {
                    continue;
                }
                is_open[id as usize] = true;
                match node.all_of.iter().chain(node.any_of.iter().flatten()).nth(next) {
                    Some(&child) if is_open[child as usize] => {
                        return Err(parse::loop_at(&node.pointer));
                    }
                    Some(&child) => stack.extend([(id, next + 1), (child, 0)]),
                    None => {
                        is_open[id as usize] = false;
                        is_done[id as usize] = true;
                    }
                }
            }
        }
        Ok(())
    }
}
