//! [`Goals`]: what a value has to satisfy, expanded on demand and by type.
//!
//! A *goal* is a set of literals, statements of the schema that must hold or must not, for one
//! value. For a JSON type it is expanded into *alternatives*, each one [`Leaf`]: a set of strings, a
//! range of numbers, the members of an object, the items of an array. Fixing the type first drops
//! most of the choices.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::JsonSchemaOptions;
use super::array::ArrayLeaf;
use super::combined::combined;
use super::cost::Costs;
use super::expand::{Atom, Disjoint, Expansion};
use super::key_classes::AllKeyClasses;
use super::language::Language;
use super::number_range::NumberRange;
use super::object::ObjectLeaf;
use super::scalar::{self, Products};
use super::schema::{Kind, Literal, Schema, Types};
use crate::error::Error;
use crate::interner::Interner;
use crate::meter::Meter;

/// Index of a goal.
pub(crate) type GoalId = u32;
/// Index of a [`Leaf`].
pub(crate) type LeafId = u32;

/// What it costs to begin with a goal.
const EXPANDED: usize = 10;

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

    pub(super) fn is_container(self) -> bool {
        matches!(self, Self::Array | Self::Object)
    }

    /// Whether all values of the type are of the types, or none.
    pub(super) fn truth_of(self, types: Types) -> Option<bool> {
        let own = match self {
            Self::Null => Types::NULL,
            Self::Boolean => Types::BOOLEAN,
            Self::Number => Types::NUMBER,
            Self::String => Types::STRING,
            Self::Array => Types::ARRAY,
            Self::Object => Types::OBJECT,
        };
        match (types.intersects(own), types.contains(own)) {
            (false, _) => Some(false),
            (_, true) => Some(true),
            _ => None,
        }
    }
}

impl Kind {
    /// The type that it says something of, if that is one.
    pub(super) fn json_type(&self) -> Option<JsonType> {
        Some(match self {
            Self::Lower(_) | Self::Upper(_) | Self::MultipleOf(_) | Self::SpelledWhole => {
                JsonType::Number
            }
            Self::MinLength(_) | Self::MaxLength(_) | Self::Pattern(_) => JsonType::String,
            Self::MinItems(_)
            | Self::MaxItems(_)
            | Self::Items { .. }
            | Self::Contains { .. }
            | Self::UnevaluatedItems { .. }
            | Self::Unique => JsonType::Array,
            Self::Required(_)
            | Self::MinProperties(_)
            | Self::MaxProperties(_)
            | Self::Members(_)
            | Self::Names(_)
            | Self::UnevaluatedProperties { .. }
            | Self::Dependent(..) => JsonType::Object,
            Self::All(_)
            | Self::Any(_)
            | Self::One(_)
            | Self::If { .. }
            | Self::Types(_)
            | Self::Constants(_) => return None,
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
    Object(Box<ObjectLeaf>),
}

impl Leaf {
    /// About how many bytes it takes beyond itself.
    fn memory(&self) -> usize {
        match self {
            Self::Word(_) | Self::Number(_) => 0,
            Self::String(language) => language.memory(),
            Self::Array(array) => array.prefix.len() * size_of::<GoalId>(),
            Self::Object(object) => object.memory(),
        }
    }
}

/// Literals of a value, each with the clauses that it meets, one bit each.
pub(super) type Meeting = Vec<(Literal, u64)>;

/// Parts of the values of a goal: the clauses that each meets, one bit each, and its goal.
pub(super) type Ways = [(u64, GoalId)];

/// All goals of one schema that were met so far, with their expansions.
#[derive(Clone, Debug)]
pub(crate) struct Goals {
    pub(crate) schema: Schema,
    pub(crate) options: JsonSchemaOptions,
    /// The literals of each goal, ascending.
    literals: Interner<Arc<Vec<Literal>>>,
    n_literals: usize,
    leaves: Vec<Arc<Leaf>>,
    /// About the memory of the leaves beyond themselves.
    n_leaf_bytes: usize,
    /// By goal and type, as far as they were asked for.
    alternatives: Vec<[Option<Arc<[LeafId]>>; JsonType::ALL.len()]>,
    no_leaves: Arc<[LeafId]>,
    disjoint: Disjoint,
    products: Products,
    pub(super) key_classes: AllKeyClasses,
    /// For a goal and literals, with the clauses that each meets: into which parts its values fall.
    pub(super) ways: FxHashMap<(GoalId, Meeting), Arc<Ways>>,
    pub(super) costs: Costs,
    /// Arrays, each in the one before, whose items are being made up one by one.
    pub(super) n_open_arrays: usize,
}

impl Goals {
    pub(crate) fn new(schema: Schema, options: JsonSchemaOptions) -> Self {
        Self {
            schema,
            options,
            literals: Interner::default(),
            n_literals: 0,
            leaves: Vec::new(),
            n_leaf_bytes: 0,
            alternatives: Vec::new(),
            no_leaves: Arc::new([]),
            disjoint: Disjoint::default(),
            products: Products::default(),
            key_classes: AllKeyClasses::default(),
            ways: FxHashMap::default(),
            costs: Costs::default(),
            n_open_arrays: 0,
        }
    }

    pub(super) fn meter(&self) -> &Meter {
        &self.schema.meter
    }

    /// The goal that all of the literals hold.
    pub(crate) fn goal(&mut self, mut literals: Vec<Literal>) -> GoalId {
        for literal in &mut literals {
            *literal = self.schema.nodes.canonical(*literal);
        }
        literals.sort_unstable();
        literals.dedup();
        let (n_goals, n_literals) = (self.literals.len(), literals.len());
        let goal = self.literals.intern(literals);
        self.n_literals += if self.literals.len() > n_goals { n_literals } else { 0 };
        goal
    }

    pub(super) fn literals_of(&self, goal: GoalId) -> &[Literal] {
        self.literals.get(goal)
    }

    /// The goal with more literals.
    pub(crate) fn goal_and(&mut self, goal: GoalId, more: &[Literal]) -> GoalId {
        if more.is_empty() {
            return goal;
        }
        let literals = self.literals.get(goal).iter().chain(more).copied().collect();
        self.goal(literals)
    }

    /// About how many bytes all of it takes.
    pub(crate) fn memory(&self) -> usize {
        const GOAL_BYTES: usize = 250;
        const LEAF_BYTES: usize = 600;
        self.literals.len() * GOAL_BYTES
            + self.n_literals * size_of::<Literal>()
            + self.leaves.len() * LEAF_BYTES
            + self.n_leaf_bytes
            + self.key_classes.memory()
            + self.schema.nodes.memory()
    }

    /// Forgets all goals and leaves, and values that were met while reading.
    pub(crate) fn forget(&mut self) {
        self.schema.nodes.forget_values();
        self.literals.clear();
        self.n_literals = 0;
        self.leaves.clear();
        self.n_leaf_bytes = 0;
        self.alternatives.clear();
        self.products.clear();
        self.key_classes = AllKeyClasses::default();
        self.ways.clear();
        self.costs = Costs::default();
        self.disjoint.clear();
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
        let of_goal = self.alternatives.get(goal as usize);
        if let Some(alternatives) = of_goal.and_then(|types| types[json_type as usize].as_ref()) {
            return Ok(alternatives.clone());
        }
        self.meter().spend(EXPANDED)?;
        let literals = self.literals.get(goal).clone();
        let conjunctions =
            Expansion::new(&self.schema, json_type, &mut self.disjoint).alternatives(&literals);
        let found = self.leaves_of_all(&literals, conjunctions, json_type);
        let first = self.leaves.len() as LeafId;
        for leaf in found.map_err(|error| self.placed(error, &literals))? {
            self.meter().spend(1)?;
            self.n_leaf_bytes += leaf.memory();
            self.leaves.push(Arc::new(leaf));
        }
        let leaves: Vec<LeafId> = (first..self.leaves.len() as LeafId).collect();
        let leaves = if leaves.is_empty() { self.no_leaves.clone() } else { leaves.into() };
        let n_goals = self.alternatives.len().max(goal as usize + 1);
        self.alternatives.resize_with(n_goals, Default::default);
        self.alternatives[goal as usize][json_type as usize] = Some(leaves.clone());
        Ok(leaves)
    }

    /// The error at the place of a goal.
    fn placed(&self, error: Error, literals: &[Literal]) -> Error {
        match literals.first() {
            Some(&literal) => error.at(self.schema.pointer(literal)),
            None => error,
        }
    }

    fn leaves_of_all(
        &mut self,
        literals: &[Literal],
        conjunctions: Result<Vec<Vec<Atom>>, Error>,
        json_type: JsonType,
    ) -> Result<Vec<Leaf>, Error> {
        if json_type == JsonType::String
            && let Some(languages) = combined(&self.schema, literals, &conjunctions)?
        {
            return Ok(languages.into_iter().map(Leaf::String).collect());
        }
        let mut leaves = Vec::new();
        for atoms in conjunctions? {
            leaves.extend(self.leaves_of(&atoms, json_type)?);
        }
        Ok(leaves)
    }

    fn leaves_of(&mut self, atoms: &[Atom], json_type: JsonType) -> Result<Vec<Leaf>, Error> {
        let literals = || atoms.iter().filter_map(Atom::literal).collect::<Vec<_>>();
        Ok(match json_type {
            JsonType::Null => vec![Leaf::Word(b"null")],
            JsonType::Boolean => {
                let words = scalar::booleans(&self.schema, &literals());
                words.into_iter().map(Leaf::Word).collect()
            }
            JsonType::Number => {
                let ranges = scalar::numbers(&self.schema, &literals(), self.options.numbers)?;
                ranges.into_iter().map(Leaf::Number).collect()
            }
            JsonType::String => {
                let language = scalar::strings(&self.schema, &literals(), &mut self.products)?;
                language.into_iter().map(Leaf::String).collect()
            }
            JsonType::Array => self.array_leaf(atoms).into_iter().map(Leaf::Array).collect(),
            JsonType::Object => {
                let leaf = self.object_leaf(atoms)?;
                leaf.map(|leaf| Leaf::Object(Box::new(leaf))).into_iter().collect()
            }
        })
    }
}
