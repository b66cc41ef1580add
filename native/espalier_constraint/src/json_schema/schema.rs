//! [`Schema`]: JSON Schema as nodes, each with one statement.
//!
//! A schema with several keywords is a node that says that all of their nodes hold. So each
//! statement can be denied by itself.

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::JsonSchemaOptions;
use super::automata::Automata;
use super::decimal::Decimal;
use super::nodes::Nodes;
use super::number_range::Bound;
use super::parse;
use crate::dfa::Dfa;
use crate::error::Error;
use crate::meter::Meter;

/// Index of a [`Node`].
pub(crate) type NodeId = u32;

/// A node that must hold, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Literal(u32);

impl Literal {
    /// The node holds.
    pub(crate) fn of(node: NodeId) -> Self {
        Self(node << 1)
    }

    pub(crate) fn node(self) -> NodeId {
        self.0 >> 1
    }

    pub(crate) fn is_negated(self) -> bool {
        self.0 & 1 == 1
    }

    /// The opposite.
    pub(crate) fn negated(self) -> Self {
        Self(self.0 ^ 1)
    }

    /// The one that stands for it, where `canonical` has one for each node.
    pub(super) fn among(self, canonical: &[Self]) -> Self {
        canonical.get(self.node() as usize).map_or(self, |other| Self(other.0 ^ self.0 & 1))
    }
}

/// One statement, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Where its place is among those of all nodes.
    pub(super) place: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a node says of a value. What it says of one type holds for values of any other type.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    All(Vec<Literal>),
    Any(Vec<Literal>),
    /// Exactly one.
    One(Vec<Literal>),
    If {
        condition: Literal,
        then: Literal,
        otherwise: Literal,
    },
    Types(Types),
    /// One of some values.
    Constants(Constants),
    MultipleOf(Decimal),
    Lower(Bound),
    Upper(Bound),
    /// An integer has no fraction and no exponent: in draft 4 `1.0` is none.
    SpelledWhole,
    MinLength(u32),
    MaxLength(u32),
    Pattern(Arc<Dfa>),
    MinItems(u32),
    MaxItems(u32),
    /// The first items, and each further one.
    Items {
        prefix: Vec<Literal>,
        rest: Option<Literal>,
    },
    /// How many items satisfy it.
    Contains {
        item: Literal,
        min: u32,
        max: Option<u32>,
        /// Whether such an item counts as evaluated.
        is_evaluated: bool,
    },
    /// Each item that the statements don't speak of.
    UnevaluatedItems {
        statements: Vec<Literal>,
        item: Literal,
    },
    /// No two items are equal.
    Unique,
    Required(Arc<str>),
    MinProperties(u32),
    MaxProperties(u32),
    Members(Members),
    /// What each key, as a string, satisfies.
    Names(Literal),
    /// The value of each member that the statements don't speak of.
    UnevaluatedProperties {
        statements: Vec<Literal>,
        value: Literal,
    },
    /// If the property is there, the object satisfies this, too.
    Dependent(Arc<str>, Literal),
}

/// What the values of an object satisfy, by key.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    /// In the order of the schema.
    pub(crate) properties: Vec<(Arc<str>, Literal)>,
    pub(crate) patterns: Vec<(Arc<Dfa>, Literal)>,
    /// Of keys that are none of those and match none of these.
    pub(crate) rest: Option<Literal>,
    by_name: FxHashMap<Arc<str>, Literal>,
}

impl Members {
    pub(super) fn new(
        properties: Vec<(Arc<str>, Literal)>,
        patterns: Vec<(Arc<Dfa>, Literal)>,
        rest: Option<Literal>,
    ) -> Self {
        let by_name = properties.iter().cloned().collect();
        Self { properties, patterns, rest, by_name }
    }

    /// What the value of a named property satisfies.
    pub(super) fn value_of(&self, name: &str) -> Option<Literal> {
        self.by_name.get(name).copied()
    }
}

/// The values of `enum` or `const`, by type. Arrays and objects are nodes of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Constants {
    pub(crate) null: bool,
    pub(crate) booleans: [bool; 2],
    /// Ascending.
    pub(crate) numbers: Vec<Decimal>,
    /// Ascending.
    pub(crate) strings: Vec<Arc<[u8]>>,
    pub(crate) containers: Vec<Literal>,
}

/// The types of a value, as JSON Schema counts them, with numbers in two parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Types(u8);

impl Types {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    /// Numbers that are no integers.
    pub(crate) const FRACTION: Self = Self(8);
    pub(crate) const NUMBER: Self = Self(4 | 8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    pub(super) const NONE: Self = Self(0);

    pub(crate) fn intersects(self, types: Self) -> bool {
        self.0 & types.0 != 0
    }

    pub(crate) fn contains(self, types: Self) -> bool {
        self.0 & types.0 == types.0
    }

    pub(super) fn or(self, types: Self) -> Self {
        Self(self.0 | types.0)
    }

    /// All others.
    pub(crate) fn complement(self) -> Self {
        Self(!self.0 & 127)
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

/// A schema and all schemas that it refers to. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(super) nodes: Nodes,
    anything: Literal,
    arrays: Literal,
    objects: Literal,
    unknown: Arc<[String]>,
    /// What all work on it spends from.
    pub(super) meter: Meter,
}

impl Schema {
    /// Reads and checks the text of a schema. `others` are the texts of documents that it may refer
    /// to, by URI.
    ///
    /// # Errors
    /// [`Error::InvalidJson`], [`Error::InvalidSchema`], [`Error::UnsupportedKeyword`] and those
    /// of patterns, each with the place.
    pub(crate) fn parse(
        text: &str,
        others: &[(&str, &str)],
        options: JsonSchemaOptions,
        automata: &mut Automata,
        meter: &Meter,
    ) -> Result<Self, Error> {
        let read = parse::read_nodes(text, others, options.format, automata, meter)?;
        let parse::Parsed { mut nodes, unknown } = read;
        let anything = nodes.add("", Kind::All(Vec::new()));
        let arrays = nodes.add("", Kind::Types(Types::ARRAY));
        let objects = nodes.add("", Kind::Types(Types::OBJECT));
        nodes.share(meter)?;
        let (unknown, meter) = (unknown.into(), meter.clone());
        let schema = Self { nodes, anything, arrays, objects, unknown, meter };
        schema.refuse_loops()?;
        Ok(schema)
    }

    /// The whole schema holds.
    pub(crate) const ROOT: Literal = Literal(0);

    /// The places of keywords that JSON Schema doesn't know, and that therefore state nothing.
    pub(crate) fn unknown_keywords(&self) -> &Arc<[String]> {
        &self.unknown
    }

    /// What every value satisfies.
    pub(crate) fn anything(&self) -> Literal {
        self.anything
    }

    /// What all arrays satisfy, and nothing else.
    pub(super) fn arrays(&self) -> Literal {
        self.arrays
    }

    /// What all objects satisfy, and nothing else.
    pub(super) fn objects(&self) -> Literal {
        self.objects
    }

    /// What no value satisfies.
    pub(crate) fn nothing(&self) -> Literal {
        self.anything.negated()
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id)
    }

    pub(crate) fn kind(&self, literal: Literal) -> &Kind {
        &self.node(literal.node()).kind
    }

    pub(crate) fn pointer(&self, literal: Literal) -> &str {
        self.nodes.pointer(literal.node())
    }

    /// A schema that leads back to itself without going into a value says nothing.
    fn refuse_loops(&self) -> Result<(), Error> {
        #[derive(Clone, Copy, PartialEq)]
        enum Visit {
            New,
            Open,
            Done,
        }
        let mut visits = vec![Visit::New; self.nodes.len()];
        let mut stack = Vec::new();
        for root in 0..self.nodes.len() as NodeId {
            stack.push((root, 0));
            while let Some((id, next)) = stack.pop() {
                self.meter.spend(1)?;
                let visit = &mut visits[id as usize];
                if next == 0 && *visit == Visit::Done {
                    continue;
                }
                let child = self.node(id).kind.nth_in_place(next);
                *visit = if child.is_some() { Visit::Open } else { Visit::Done };
                let Some(child) = child else { continue };
                if visits[child.node() as usize] == Visit::Open {
                    return Err(parse::loop_at(self.nodes.pointer(id)));
                }
                stack.extend([(id, next + 1), (child.node(), 0)]);
            }
        }
        Ok(())
    }
}

impl Kind {
    /// Of the literals that speak of the same value, the one with that index.
    pub(super) fn nth_in_place(&self, index: usize) -> Option<Literal> {
        match self {
            Self::All(literals) | Self::Any(literals) | Self::One(literals) => {
                literals.get(index).copied()
            }
            Self::If { condition, then, otherwise } => {
                [*condition, *then, *otherwise].get(index).copied()
            }
            Self::UnevaluatedItems { statements, .. }
            | Self::UnevaluatedProperties { statements, .. } => statements.get(index).copied(),
            Self::Dependent(_, literal) => (index == 0).then_some(*literal),
            _ => None,
        }
    }
}
