//! [`Goals`]: what a value has to satisfy, expanded on demand and by type.
//!
//! A *goal* is a set of schemas that must all hold for one value. For a JSON type it is expanded
//! into *alternatives*: references, `allOf` and `anyOf` are pulled through until what is left of
//! each alternative is one [`Leaf`]: a set of strings, a range of numbers, the members of an
//! object, the items of an array. Fixing the type first drops most of the choices.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::JsonSchemaOptions;
use super::language::{Language, Length, MAX_PATTERN_LENGTH};
use super::number_range::NumberRange;
use super::schema::{Node, NodeId, Schema, Types};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::interner::Interner;
use crate::literals::Literals;

/// The alternatives that one goal may have for one type.
const MAX_ALTERNATIVES: usize = 4096;
/// The states that the automaton of several patterns together may have.
const MAX_PRODUCT_STATES: usize = 100_000;

/// Index of a goal.
pub(crate) type GoalId = u32;
/// Index of a [`Leaf`].
pub(crate) type LeafId = u32;

/// The JSON types, as their first bytes tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum JsonType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl JsonType {
    pub(crate) const ALL: [Self; 6] =
        [Self::Null, Self::Boolean, Self::Number, Self::String, Self::Array, Self::Object];

    fn is_allowed_by(self, types: Types) -> bool {
        types.contains(match self {
            Self::Null => Types::NULL,
            Self::Boolean => Types::BOOLEAN,
            Self::Number => Types::INTEGER,
            Self::String => Types::STRING,
            Self::Array => Types::ARRAY,
            Self::Object => Types::OBJECT,
        })
    }
}

/// One alternative of a goal for one type.
#[derive(Debug)]
pub(crate) enum Leaf {
    /// `null`, `true` or `false`.
    Word(&'static [u8]),
    Number(NumberRange),
    String(Language),
    Array(ArrayLeaf),
    Object(ObjectLeaf),
}

/// The arrays of one alternative.
#[derive(Debug)]
pub(crate) struct ArrayLeaf {
    /// The goals of the first items.
    pub(crate) prefix: Vec<GoalId>,
    /// The goal of each further item.
    pub(crate) rest: GoalId,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
}

impl ArrayLeaf {
    pub(crate) fn item(&self, index: u32) -> GoalId {
        self.prefix.get(index as usize).copied().unwrap_or(self.rest)
    }
}

/// The objects of one alternative.
#[derive(Debug)]
pub(crate) struct ObjectLeaf {
    /// The named properties in the order in which they are written.
    pub(crate) properties: Vec<Property>,
    pub(crate) by_name: FxHashMap<Arc<str>, u32>,
    /// The goal of each property without a name here.
    pub(crate) additional: GoalId,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    pub(crate) goal: GoalId,
    pub(crate) is_required: bool,
}

/// All goals of one schema that were met so far, with their expansions.
#[derive(Debug)]
pub(crate) struct Goals {
    pub(crate) schema: Schema,
    pub(crate) options: JsonSchemaOptions,
    /// The nodes of each goal, ascending.
    node_sets: Interner<Box<[NodeId]>>,
    leaves: Vec<Arc<Leaf>>,
    alternatives: FxHashMap<(GoalId, JsonType), Arc<[LeafId]>>,
    products: FxHashMap<Vec<usize>, Arc<Dfa>>,
    pub(super) costs: super::cost::Costs,
}

impl Goals {
    pub(crate) fn new(schema: Schema, options: JsonSchemaOptions) -> Self {
        Self {
            schema,
            options,
            node_sets: Interner::default(),
            leaves: Vec::new(),
            alternatives: FxHashMap::default(),
            products: FxHashMap::default(),
            costs: super::cost::Costs::default(),
        }
    }

    /// The goal that all of the schemas hold.
    pub(crate) fn goal(&mut self, mut nodes: Vec<NodeId>) -> GoalId {
        nodes.sort_unstable();
        nodes.dedup();
        self.node_sets.intern(nodes.into())
    }

    pub(crate) fn leaf(&self, leaf: LeafId) -> &Arc<Leaf> {
        &self.leaves[leaf as usize]
    }

    /// The alternatives of a goal for one type, those that no value satisfies included.
    pub(crate) fn alternatives(
        &mut self,
        goal: GoalId,
        json_type: JsonType,
    ) -> Result<Arc<[LeafId]>, Error> {
        if let Some(alternatives) = self.alternatives.get(&(goal, json_type)) {
            return Ok(alternatives.clone());
        }
        let mut leaves = Vec::new();
        for nodes in self.conjunctions(goal, json_type)? {
            for leaf in self.leaves_of(&nodes, json_type)? {
                self.leaves.push(Arc::new(leaf));
                leaves.push(self.leaves.len() as LeafId - 1);
            }
        }
        let leaves: Arc<[LeafId]> = leaves.into();
        self.alternatives.insert((goal, json_type), leaves.clone());
        Ok(leaves)
    }

    /// Pulls references, `allOf` and `anyOf` through: each set of nodes is one alternative, in
    /// which what the nodes themselves say must hold together.
    fn conjunctions(&self, goal: GoalId, json_type: JsonType) -> Result<Vec<Vec<NodeId>>, Error> {
        let start = self.node_sets.get(goal);
        let mut open = vec![Partial { todo: start.to_vec(), ..Partial::default() }];
        let mut closed: Vec<Vec<NodeId>> = Vec::new();
        while let Some(mut partial) = open.pop() {
            if !partial.take_what_must_hold(&self.schema, json_type) {
                continue;
            }
            match partial.choices.pop() {
                Some(choice) if choice.iter().any(|node| partial.nodes.contains(node)) => {
                    open.push(partial);
                }
                Some(choice) => {
                    let branches = choice.iter().rev();
                    open.extend(
                        branches.map(|&branch| Partial { todo: vec![branch], ..partial.clone() }),
                    );
                }
                None => {
                    partial.nodes.sort_unstable();
                    closed.push(partial.nodes);
                }
            }
            if open.len() + closed.len() > MAX_ALTERNATIVES {
                let pointer = start.first().map(|&node| self.schema.node(node).pointer.clone());
                return Err(Error::LimitExceeded {
                    limit: "alternatives",
                    value: MAX_ALTERNATIVES,
                    pointer,
                });
            }
        }
        drop_subsumed(&mut closed);
        Ok(closed)
    }

    fn leaves_of(&mut self, nodes: &[NodeId], json_type: JsonType) -> Result<Vec<Leaf>, Error> {
        Ok(match json_type {
            JsonType::Null => vec![Leaf::Word(b"null")],
            JsonType::Boolean => self.boolean_leaves(nodes),
            JsonType::Number => self.number_leaves(nodes),
            JsonType::String => self.string_leaf(nodes)?.into_iter().collect(),
            JsonType::Array => self.array_leaf(nodes).into_iter().collect(),
            JsonType::Object => vec![self.object_leaf(nodes)],
        })
    }

    fn boolean_leaves(&self, nodes: &[NodeId]) -> Vec<Leaf> {
        let is_allowed = |value: bool| {
            let mut constants = self.nodes(nodes).filter_map(|node| node.constants.as_ref());
            constants.all(|constants| constants.booleans[usize::from(value)])
        };
        let words = [(false, b"false".as_slice()), (true, b"true".as_slice())];
        words
            .into_iter()
            .filter(|(value, _)| is_allowed(*value))
            .map(|(_, word)| Leaf::Word(word))
            .collect()
    }

    fn number_leaves(&self, nodes: &[NodeId]) -> Vec<Leaf> {
        let mut range = NumberRange::default();
        for node in self.nodes(nodes) {
            node.number.lower.iter().for_each(|bound| range.raise_lower(bound.clone()));
            node.number.upper.iter().for_each(|bound| range.reduce_upper(bound.clone()));
            range.is_integer |= !node.types.contains(Types::NUMBER);
            range.is_spelled_whole |= node.number.is_spelled_whole;
        }
        let mut constants = self.nodes(nodes).filter_map(|node| node.constants.as_ref());
        let Some(first) = constants.next() else {
            return range.normalised().map(Leaf::Number).into_iter().collect();
        };
        let others: Vec<_> = constants.collect();
        let mut values: Vec<_> = (first.numbers.iter())
            .filter(|value| range.contains(value))
            .filter(|value| others.iter().all(|constants| constants.numbers.contains(value)))
            .cloned()
            .collect();
        values.sort_unstable();
        values.dedup();
        values.into_iter().map(|value| Leaf::Number(range.exactly(value))).collect()
    }

    fn string_leaf(&mut self, nodes: &[NodeId]) -> Result<Option<Leaf>, Error> {
        let mut length = Length::default();
        for node in self.nodes(nodes) {
            length.min = length.min.max(node.length.min);
            length.max = [length.max, node.length.max].into_iter().flatten().min();
        }
        if let Some(literals) = self.literals(nodes, length) {
            return Ok((!literals.is_empty()).then_some(Leaf::String(Language::Literals(literals))));
        }
        if length.is_empty() {
            return Ok(None);
        }
        let Some(dfa) = self.product(nodes)? else {
            return Ok(Some(Leaf::String(Language::Any(length))));
        };
        let language = Language::pattern(dfa, length);
        let language =
            language.map_err(|_| self.limit("pattern_length", MAX_PATTERN_LENGTH, nodes))?;
        Ok(language.map(Leaf::String))
    }

    /// The strings of `enum` and `const` that satisfy all the rest.
    fn literals(&self, nodes: &[NodeId], length: Length) -> Option<Literals> {
        let mut constants = self.nodes(nodes).filter_map(|node| node.constants.as_ref());
        let first = constants.next()?;
        let others: Vec<Literals> =
            constants.map(|constants| Literals::new(constants.strings.clone())).collect();
        let patterns: Vec<&Arc<Dfa>> = self.nodes(nodes).flat_map(|node| &node.patterns).collect();
        let n_characters = |text: &[u8]| text.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
        let strings = first.strings.iter().filter(|text| {
            length.contains(n_characters(text))
                && others.iter().all(|literals| literals.contains(text))
                && patterns.iter().all(|dfa| dfa.accepts(text))
        });
        Some(Literals::new(strings.cloned().collect()))
    }

    /// The automaton of all patterns together, if there are any.
    fn product(&mut self, nodes: &[NodeId]) -> Result<Option<Arc<Dfa>>, Error> {
        let mut patterns: Vec<Arc<Dfa>> =
            self.nodes(nodes).flat_map(|node| node.patterns.clone()).collect();
        patterns.sort_unstable_by_key(|dfa| Arc::as_ptr(dfa) as usize);
        patterns.dedup_by_key(|dfa| Arc::as_ptr(dfa) as usize);
        let key: Vec<usize> = patterns.iter().map(|dfa| Arc::as_ptr(dfa) as usize).collect();
        if let Some(product) = self.products.get(&key) {
            return Ok(Some(product.clone()));
        }
        let mut patterns = patterns.into_iter();
        let Some(mut product) = patterns.next() else { return Ok(None) };
        for dfa in patterns {
            let together = product.intersection(&dfa, MAX_PRODUCT_STATES);
            product = Arc::new(
                together.map_err(|_| self.limit("product_states", MAX_PRODUCT_STATES, nodes))?,
            );
        }
        self.products.insert(key, product.clone());
        Ok(Some(product))
    }

    fn array_leaf(&mut self, nodes: &[NodeId]) -> Option<Leaf> {
        let arrays = || self.nodes(nodes).map(|node| &node.array);
        let min = arrays().map(|array| array.min).max().unwrap_or(0);
        let max = arrays().filter_map(|array| array.max).min();
        let n_prefix = arrays().map(|array| array.prefix.len()).max().unwrap_or(0);
        let n_prefix = n_prefix.min(max.map_or(usize::MAX, |max| max as usize));
        let item = |index: usize| -> Vec<NodeId> {
            arrays().filter_map(|array| array.prefix.get(index).copied().or(array.items)).collect()
        };
        let prefix: Vec<Vec<NodeId>> = (0..n_prefix).map(item).collect();
        let rest = item(usize::MAX);
        let prefix = prefix.into_iter().map(|nodes| self.goal(nodes)).collect();
        let rest = self.goal(rest);
        let is_empty = max.is_some_and(|max| max < min);
        (!is_empty).then_some(Leaf::Array(ArrayLeaf { prefix, rest, min, max }))
    }

    fn object_leaf(&mut self, nodes: &[NodeId]) -> Leaf {
        let (names, additional) = self.property_nodes(nodes);
        let additional = self.goal(additional);
        let mut leaf =
            ObjectLeaf { properties: Vec::new(), by_name: FxHashMap::default(), additional };
        for (name, nodes, is_required) in names {
            let goal = self.goal(nodes);
            leaf.by_name.insert(name.clone(), leaf.properties.len() as u32);
            leaf.properties.push(Property { name, goal, is_required });
        }
        Leaf::Object(leaf)
    }

    /// The names in order, each with the schemas of its value; and those of all other values.
    #[expect(clippy::type_complexity, reason = "it is named right below, where it is used")]
    fn property_nodes(
        &self,
        nodes: &[NodeId],
    ) -> (Vec<(Arc<str>, Vec<NodeId>, bool)>, Vec<NodeId>) {
        let objects: Vec<_> = self.nodes(nodes).map(|node| &node.object).collect();
        let additional: Vec<NodeId> =
            objects.iter().filter_map(|object| object.additional).collect();
        let mut index: FxHashMap<Arc<str>, usize> = FxHashMap::default();
        let mut names: Vec<(Arc<str>, Vec<NodeId>, bool)> = Vec::new();
        let properties = objects
            .iter()
            .flat_map(|object| object.properties.iter().map(|(name, _)| (name, false)));
        let required =
            objects.iter().flat_map(|object| object.required.iter().map(|name| (name, true)));
        for (name, is_required) in properties.chain(required) {
            let at = *index.entry(name.clone()).or_insert(names.len());
            if at == names.len() {
                names.push((name.clone(), Vec::new(), false));
            }
            names[at].2 |= is_required;
        }
        for object in &objects {
            let mut is_named = vec![false; names.len()];
            for (name, node) in &object.properties {
                is_named[index[name]] = true;
                names[index[name]].1.push(*node);
            }
            let unnamed = names.iter_mut().zip(is_named).filter(|(_, is_named)| !is_named);
            unnamed.for_each(|((_, nodes, _), _)| nodes.extend(object.additional));
        }
        (names, additional)
    }

    fn nodes<'a>(&'a self, nodes: &'a [NodeId]) -> impl Iterator<Item = &'a Node> {
        nodes.iter().map(|&node| self.schema.node(node))
    }

    fn limit(&self, limit: &'static str, value: usize, nodes: &[NodeId]) -> Error {
        let pointer = nodes.first().map(|&node| self.schema.node(node).pointer.clone());
        Error::LimitExceeded { limit, value, pointer }
    }
}

/// An alternative that is being put together.
#[derive(Clone, Default)]
struct Partial<'a> {
    /// Nodes that must hold and were not looked at.
    todo: Vec<NodeId>,
    /// Nodes that must hold.
    nodes: Vec<NodeId>,
    /// Lists of which one node must hold.
    choices: Vec<&'a [NodeId]>,
}

impl<'a> Partial<'a> {
    /// Answers false when no value of the type satisfies the nodes.
    fn take_what_must_hold(&mut self, schema: &'a Schema, json_type: JsonType) -> bool {
        while let Some(id) = self.todo.pop() {
            if self.nodes.contains(&id) {
                continue;
            }
            self.nodes.push(id);
            let node = schema.node(id);
            if !json_type.is_allowed_by(node.types) {
                return false;
            }
            self.todo.extend(&node.all_of);
            self.choices.extend(node.any_of.iter().map(Vec::as_slice));
            if let Some(constants) = &node.constants {
                match json_type {
                    JsonType::Null if !constants.null => return false,
                    JsonType::Array | JsonType::Object => self.choices.push(&constants.containers),
                    _ => {}
                }
            }
        }
        true
    }
}

/// What satisfies all nodes of an alternative also satisfies any part of them: an alternative
/// that has all nodes of another adds nothing.
fn drop_subsumed(alternatives: &mut Vec<Vec<NodeId>>) {
    const MAX_COMPARED: usize = 64;
    if alternatives.len() > MAX_COMPARED {
        return;
    }
    let contains =
        |all: &[NodeId], part: &[NodeId]| part.iter().all(|node| all.binary_search(node).is_ok());
    let is_kept: Vec<bool> = (0..alternatives.len())
        .map(|index| {
            let this = &alternatives[index];
            !alternatives.iter().enumerate().any(|(other, part)| {
                other != index && contains(this, part) && (part.len() < this.len() || other < index)
            })
        })
        .collect();
    let mut keep = is_kept.into_iter();
    alternatives.retain(|_| keep.next().unwrap_or(true));
}
