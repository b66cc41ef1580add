//! A goal, pulled apart for one JSON type: references, `allOf`, `anyOf`, `oneOf`, `not` and `if` are
//! resolved until each alternative is a list of [`Atom`]s, statements on values of that type.
//!
//! Choices among statements on the members of an object are not pulled apart where they can stay
//! together as a *clause*: a list of conditions of which one must be met. They are decided as the
//! keys are read.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::evaluated::{self, Evaluated};
use super::goals::JsonType;
use super::schema::{Kind, Literal, NodeId, Schema};
use crate::error::Error;
use crate::limits::limit;

/// A statement on values of one type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Atom {
    /// A statement of the schema holds, or doesn't.
    Is(Literal),
    /// The array has an item with that index, which satisfies this.
    Item { index: u32, item: Literal },
    /// How many items from an index on satisfy this.
    Count { from: u32, item: Literal, min: u32, max: Option<u32> },
    /// Each item that is not spoken of satisfies this.
    UnevaluatedItems(Evaluated, Literal),
    /// Some item that is not spoken of doesn't satisfy this.
    SomeUnevaluatedItem(Evaluated, Literal),
    /// The value of each member that is not spoken of satisfies this.
    UnevaluatedProperties(Evaluated, Literal),
    /// One of the conditions on an object is met.
    Clause(Vec<Condition>),
}

impl Atom {
    /// The statement of the schema, if it is one.
    pub(super) fn literal(&self) -> Option<Literal> {
        match self {
            Self::Is(literal) => Some(*literal),
            _ => None,
        }
    }
}

/// A condition on an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Condition {
    Lacks(Arc<str>),
    AtMost(u32),
    Has(Arc<str>),
    /// The property is there and satisfies this.
    Member(Arc<str>, Literal),
    /// Some member whose key is selected satisfies this.
    Some(Selector, Literal),
    /// Some key satisfies this.
    Name(Literal),
    AtLeast(u32),
}

/// Keys, by what a statement on members says of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Selector {
    /// Those that match a pattern, by index.
    Pattern(NodeId, u32),
    /// Those that have no name and match no pattern.
    Rest(NodeId),
    /// Those that are not spoken of.
    Unevaluated(Evaluated),
}

/// What must hold together in one branch of a choice.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Literal),
    Atom(Atom),
}

/// Lists of parts, of which one must hold.
type Choice = Vec<Vec<Part>>;

/// What is remembered between expansions: whether two literals exclude each other for values of a
/// type that satisfy others.
pub(crate) type Disjoint = FxHashMap<(JsonType, Vec<Literal>), bool>;

/// The alternatives of a goal for a type: what is pulled apart in one place.
pub(crate) struct Expansion<'a> {
    schema: &'a Schema,
    json_type: JsonType,
    disjoint: &'a mut Disjoint,
}

/// An alternative that is being put together.
#[derive(Clone, Default)]
struct Partial {
    todo: Vec<Part>,
    seen: FxHashSet<Literal>,
    atoms: Vec<Atom>,
    choices: Vec<Choice>,
    /// The first statement of each branch that was taken.
    taken: Vec<Literal>,
}

impl<'a> Expansion<'a> {
    pub(crate) fn new(schema: &'a Schema, json_type: JsonType, disjoint: &'a mut Disjoint) -> Self {
        Self { schema, json_type, disjoint }
    }

    /// The alternatives, each with its atoms in ascending order.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when they are too many.
    pub(crate) fn alternatives(&mut self, goal: &[Literal]) -> Result<Vec<Vec<Atom>>, Error> {
        // Most types are ruled out at a glance.
        if goal.iter().any(|&literal| self.truth(literal) == Some(false)) {
            return Ok(Vec::new());
        }
        let todo = goal.iter().map(|&literal| Part::Literal(literal)).collect();
        let mut open = vec![Partial { todo, ..Partial::default() }];
        let mut closed: Vec<Vec<Atom>> = Vec::new();
        while let Some(mut partial) = open.pop() {
            if !self.take_what_must_hold(&mut partial)? {
                continue;
            }
            if let Some(choice) = partial.choices.pop() {
                let mut branches = partial.branches(choice);
                self.drop_contradictory(&mut branches, &partial);
                self.schema.meter.spend(branches.len() * (1 + partial.size() / 8))?;
                open.extend(branches.into_iter().rev().map(|branch| partial.with(branch)));
            } else {
                partial.atoms.sort_unstable();
                partial.atoms.dedup();
                closed.push(partial.atoms);
            }
            limit!(self.schema.meter.limits(), alternatives).check(open.len() + closed.len())?;
        }
        let n_compared = closed.len().min(MAX_COMPARED) * closed.len().min(MAX_COMPARED);
        self.schema.meter.spend(n_compared)?;
        drop_subsumed(&mut closed);
        Ok(closed)
    }

    /// Answers false when no value of the type satisfies it.
    fn take_what_must_hold(&mut self, partial: &mut Partial) -> Result<bool, Error> {
        while let Some(part) = partial.todo.pop() {
            self.schema.meter.spend(1)?;
            match part {
                Part::Atom(atom) => partial.atoms.push(atom),
                Part::Literal(literal) if partial.seen.contains(&literal) => {}
                Part::Literal(literal) if partial.seen.contains(&literal.negated()) => {
                    return Ok(false);
                }
                Part::Literal(literal) => {
                    partial.seen.insert(literal);
                    let kind = self.schema.kind(literal);
                    let is_unevaluated = matches!(
                        kind,
                        Kind::UnevaluatedItems { .. } | Kind::UnevaluatedProperties { .. }
                    ) && self.truth(literal).is_none();
                    let is_possible = if is_unevaluated {
                        let branches = self.unevaluated(literal, kind)?;
                        self.choose(branches, partial)
                    } else {
                        self.take(literal, partial)
                    };
                    if !is_possible {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn take(&mut self, literal: Literal, partial: &mut Partial) -> bool {
        let schema = self.schema;
        if let Some(truth) = self.truth(literal) {
            return truth;
        }
        let is_negated = literal.is_negated();
        let sign = |literal: &Literal| if is_negated { literal.negated() } else { *literal };
        match schema.kind(literal) {
            Kind::All(all) if !is_negated => partial.require(all.iter().copied()),
            Kind::Any(any) if is_negated => {
                partial.require(any.iter().map(|other| other.negated()));
            }
            Kind::All(list) | Kind::Any(list) => {
                let branches = list.iter().map(|other| vec![Part::Literal(sign(other))]).collect();
                return self.choose(branches, partial);
            }
            Kind::One(list) => {
                if let Some(clauses) = self.clauses_of(literal) {
                    return partial.add_clauses(clauses);
                }
                let required = partial.required(schema);
                let branches = self.exactly_one(list, is_negated, &required);
                return self.choose(branches, partial);
            }
            Kind::If { condition, then, otherwise } => {
                if let Some(clauses) = self.clauses_of(literal) {
                    return partial.add_clauses(clauses);
                }
                let branch = |condition: Literal, then: &Literal| {
                    vec![Part::Literal(condition), Part::Literal(sign(then))]
                };
                let branches =
                    vec![branch(*condition, then), branch(condition.negated(), otherwise)];
                return self.choose(branches, partial);
            }
            Kind::Constants(constants) if self.json_type.is_container() => {
                let equal = constants.containers.iter();
                if is_negated {
                    partial.require(equal.map(|other| other.negated()));
                } else {
                    return self
                        .choose(equal.map(|other| vec![Part::Literal(*other)]).collect(), partial);
                }
            }
            kind => match self.assertion(literal, kind) {
                Some(branches) => return self.choose(branches, partial),
                None => partial.atoms.push(Atom::Is(literal)),
            },
        }
        true
    }

    /// The branches of an assertion on this type; none if it is an atom by itself.
    fn assertion(&self, literal: Literal, kind: &Kind) -> Option<Choice> {
        let part = |literal: Literal| vec![Part::Literal(literal)];
        let atom = |atom: Atom| vec![Part::Atom(atom)];
        match (kind, literal.is_negated()) {
            (Kind::Items { prefix, rest }, true) => {
                let items = (0u32..).zip(prefix);
                let items =
                    items.map(|(index, item)| atom(Atom::Item { index, item: item.negated() }));
                let from = prefix.len() as u32;
                let rest = rest.iter().map(|item| {
                    atom(Atom::Count { from, item: item.negated(), min: 1, max: None })
                });
                Some(items.chain(rest).collect())
            }
            (&Kind::Contains { item, min, max, .. }, false) => {
                Some(vec![atom(Atom::Count { from: 0, item, min, max })])
            }
            (&Kind::Contains { item, min, max, .. }, true) => {
                let fewer = min.checked_sub(1).map(|max| (0, Some(max)));
                let more = max.map(|max| (max + 1, None));
                let ranges = fewer.into_iter().chain(more);
                Some(
                    ranges
                        .map(|(min, max)| atom(Atom::Count { from: 0, item, min, max }))
                        .collect(),
                )
            }
            (Kind::Dependent(name, needed), false) => {
                let lacks = atom(Atom::Clause(vec![Condition::Lacks(name.clone())]));
                Some(vec![lacks, part(*needed)])
            }
            (Kind::Dependent(name, needed), true) => {
                let has = Part::Atom(Atom::Clause(vec![Condition::Has(name.clone())]));
                Some(vec![vec![has, Part::Literal(needed.negated())]])
            }
            (Kind::Members(_) | Kind::Names(_) | Kind::Required(_), true) => {
                let mut clauses = self.clauses_of(literal)?;
                Some(vec![atom(Atom::Clause(clauses.pop()?))])
            }
            _ => None,
        }
    }

    /// One branch for each choice among schemas that speak of something.
    fn unevaluated(&self, literal: Literal, kind: &Kind) -> Result<Choice, Error> {
        let (statements, value) = match kind {
            Kind::UnevaluatedItems { statements, item } => (statements, *item),
            Kind::UnevaluatedProperties { statements, value } => (statements, *value),
            _ => return Ok(Choice::new()),
        };
        let choices =
            evaluated::choices(self.schema, self.json_type, statements).ok_or_else(|| {
                let limit = limit!(self.schema.meter.limits(), unevaluated_choices);
                self.schema.meter.check().err().unwrap_or(limit.exceeded())
            })?;
        let is_items = self.json_type == JsonType::Array;
        let mut branches = Choice::new();
        for (mut parts, evaluated) in choices {
            let is_all = evaluated.all;
            let atom = match (literal.is_negated(), is_items) {
                (true, _) if is_all => continue,
                (true, true) => Atom::SomeUnevaluatedItem(evaluated, value),
                (true, false) => {
                    let selector = Selector::Unevaluated(evaluated);
                    Atom::Clause(vec![Condition::Some(selector, value.negated())])
                }
                (false, true) => Atom::UnevaluatedItems(evaluated, value),
                (false, false) => Atom::UnevaluatedProperties(evaluated, value),
            };
            parts.extend((!is_all).then_some(Part::Atom(atom)));
            branches.push(parts);
        }
        Ok(branches)
    }

    /// Adds a choice, as clauses where that is possible. Answers false if no branch can hold.
    fn choose(&mut self, mut branches: Choice, partial: &mut Partial) -> bool {
        branches.retain_mut(|branch| {
            let is_possible = branch.iter().all(|part| self.truth_of_part(part) != Some(false));
            branch.retain(|part| self.truth_of_part(part) != Some(true));
            is_possible
        });
        if branches.iter().any(Vec::is_empty) {
            return true;
        }
        if branches.len() <= 1 {
            let only = branches.pop();
            partial.todo.extend(only.iter().flatten().cloned());
            return only.is_some();
        }
        if self.json_type == JsonType::Object
            && let Some(clauses) = self.clauses_of_choice(&branches)
        {
            return partial.add_clauses(clauses);
        }
        partial.choices.push(branches);
        true
    }

    /// One holds and the others don't; that they don't is left out where it is certain, also of values
    /// that have the required properties.
    fn exactly_one(&mut self, list: &[Literal], is_negated: bool, required: &[Literal]) -> Choice {
        let mut branches = Choice::new();
        if is_negated {
            branches.push(list.iter().map(|other| Part::Literal(other.negated())).collect());
        }
        for (index, &one) in list.iter().enumerate() {
            if self.truth(one) == Some(false) {
                continue;
            }
            if is_negated {
                let others = list[index + 1..]
                    .iter()
                    .filter(|&&other| !self.are_disjoint(one, other, required));
                let pairs: Vec<_> =
                    others.map(|&other| vec![Part::Literal(one), Part::Literal(other)]).collect();
                branches.extend(pairs);
                continue;
            }
            let mut branch = vec![Part::Literal(one)];
            for (other_index, &other) in list.iter().enumerate() {
                if other_index != index && !self.are_disjoint(one, other, required) {
                    branch.push(Part::Literal(other.negated()));
                }
            }
            branches.push(branch);
        }
        branches
    }

    /// Drops branches that certainly exclude one that was taken: most choices are by the same property.
    fn drop_contradictory(&mut self, branches: &mut Choice, partial: &Partial) {
        if branches.len() < 2 || partial.taken.is_empty() {
            return;
        }
        let required = partial.required(self.schema);
        branches.retain(|branch| {
            !first_statement(branch).is_some_and(|first| {
                partial.taken.iter().any(|&taken| self.are_disjoint(taken, first, &required))
            })
        });
    }

    fn are_disjoint(&mut self, a: Literal, b: Literal, required: &[Literal]) -> bool {
        let key = (self.json_type, [&[a.min(b), a.max(b)], required].concat());
        if let Some(&known) = self.disjoint.get(&key) {
            return known;
        }
        let _ = self.schema.meter.spend(COMPARED);
        let answer = super::contradiction::is_certain(self.schema, self.json_type, &key.1);
        if !self.schema.meter.is_empty() {
            self.disjoint.insert(key, answer);
        }
        answer
    }

    /// Whether all values of the type satisfy it, or none, where that is seen at a glance.
    fn truth(&self, literal: Literal) -> Option<bool> {
        truth(self.schema, self.json_type, literal, 0)
    }

    fn truth_of_part(&self, part: &Part) -> Option<bool> {
        match part {
            Part::Literal(literal) => self.truth(*literal),
            Part::Atom(_) => None,
        }
    }

    fn clauses_of(&self, literal: Literal) -> Option<Vec<Vec<Condition>>> {
        if self.json_type != JsonType::Object {
            return None;
        }
        super::clauses::of_literal(self.schema, literal)
    }

    fn clauses_of_choice(&self, branches: &Choice) -> Option<Vec<Vec<Condition>>> {
        let branches = branches.iter().map(|branch| {
            let mut all = Vec::new();
            for part in branch {
                match part {
                    Part::Literal(literal) => {
                        all.extend(super::clauses::of_literal(self.schema, *literal)?);
                    }
                    Part::Atom(Atom::Clause(clause)) => all.push(clause.clone()),
                    Part::Atom(_) => return None,
                }
            }
            Some(all)
        });
        super::clauses::any(branches.collect::<Option<Vec<_>>>()?)
    }
}

/// Whether all values of the type satisfy it, or none, where that is seen at a glance.
pub(super) fn truth(
    schema: &Schema,
    json_type: JsonType,
    literal: Literal,
    depth: usize,
) -> Option<bool> {
    const MAX_DEPTH: usize = 6;
    const MAX_WIDTH: usize = 64;
    if schema.meter.spend(1).is_err() {
        return None;
    }
    let of = |other: Literal| truth(schema, json_type, other, depth + 1);
    let truth = match schema.kind(literal) {
        Kind::All(list) | Kind::Any(list) if depth < MAX_DEPTH && list.len() <= MAX_WIDTH => {
            let is_all = matches!(schema.kind(literal), Kind::All(_));
            // The first that decides it decides it; otherwise it is open if any is.
            let mut truths = list.iter().map(|&other| of(other));
            let so_far = truths.try_fold(Some(is_all), |so_far, truth| match truth {
                Some(truth) if truth != is_all => Err(truth),
                Some(_) => Ok(so_far),
                None => Ok(None),
            });
            so_far.unwrap_or_else(Some)
        }
        Kind::Types(types) => json_type.truth_of(*types),
        Kind::Constants(constants) => match json_type {
            JsonType::Null => Some(constants.null),
            JsonType::Boolean if constants.booleans == [true; 2] => Some(true),
            JsonType::Boolean if constants.booleans == [false; 2] => Some(false),
            JsonType::Number if constants.numbers.is_empty() => Some(false),
            JsonType::String if constants.strings.is_empty() => Some(false),
            JsonType::Array | JsonType::Object if constants.containers.is_empty() => Some(false),
            _ => None,
        },
        kind => match kind.json_type() {
            Some(other) if other != json_type => Some(true),
            _ => None,
        },
    };
    truth.map(|truth| truth != literal.is_negated())
}

impl Partial {
    /// How much there is to copy.
    fn size(&self) -> usize {
        let choices = self.choices.iter().flatten().map(Vec::len).sum::<usize>();
        self.todo.len() + self.seen.len() + self.atoms.len() + choices
    }

    fn with(&self, branch: Vec<Part>) -> Self {
        let mut with = self.clone();
        with.taken.extend(first_statement(&branch));
        with.todo = branch;
        with
    }

    fn require(&mut self, literals: impl Iterator<Item = Literal>) {
        self.todo.extend(literals.map(Part::Literal));
    }

    /// The statements, known so far, that a property is required; ascending.
    fn required(&self, schema: &Schema) -> Vec<Literal> {
        let parts = self.todo.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(*literal),
            Part::Atom(_) => None,
        });
        let mut open: Vec<Literal> = parts.collect();
        let mut required: Vec<Literal> = self.seen.iter().copied().collect();
        while let Some(literal) = open.pop() {
            match schema.kind(literal) {
                Kind::All(all) if !literal.is_negated() => open.extend(all),
                _ => required.push(literal),
            }
        }
        required.retain(|literal| {
            !literal.is_negated() && matches!(schema.kind(*literal), Kind::Required(_))
        });
        required.sort_unstable();
        required.dedup();
        required
    }

    /// Answers false when one of them can't be met.
    fn add_clauses(&mut self, clauses: Vec<Vec<Condition>>) -> bool {
        let is_possible = clauses.iter().all(|clause| !clause.is_empty());
        self.atoms.extend(clauses.into_iter().map(Atom::Clause));
        is_possible
    }

    /// The branches that what is known leaves open; an empty one if one of them holds already.
    fn branches(&self, choice: Choice) -> Choice {
        let holds = |part: &Part| match part {
            Part::Literal(literal) => self.seen.contains(literal),
            Part::Atom(atom) => self.atoms.contains(atom),
        };
        if choice.iter().any(|branch| branch.iter().all(holds)) {
            return vec![Vec::new()];
        }
        let fails = |part: &Part| matches!(part, Part::Literal(literal) if self.seen.contains(&literal.negated()));
        choice.into_iter().filter(|branch| !branch.iter().any(fails)).collect()
    }
}

/// What tells a branch from the others, unless that is what it denies.
fn first_statement(branch: &[Part]) -> Option<Literal> {
    match branch.first() {
        Some(Part::Literal(literal)) if !literal.is_negated() => Some(*literal),
        _ => None,
    }
}

/// What it costs to begin with two branches that may exclude each other.
const COMPARED: usize = 200;
/// Of more alternatives than that it is not asked.
const MAX_COMPARED: usize = 200;

/// What satisfies all atoms of an alternative also satisfies any part of them: an alternative
/// that has all atoms of another adds nothing.
fn drop_subsumed(alternatives: &mut Vec<Vec<Atom>>) {
    alternatives.sort_unstable();
    alternatives.dedup();
    if alternatives.len() > MAX_COMPARED {
        return;
    }
    let contains =
        |all: &[Atom], part: &[Atom]| part.iter().all(|atom| all.binary_search(atom).is_ok());
    let is_kept: Vec<bool> = (0..alternatives.len())
        .map(|index| {
            let this = &alternatives[index];
            !alternatives.iter().enumerate().any(|(other, part)| {
                other != index && part.len() < this.len() && contains(this, part)
            })
        })
        .collect();
    let mut keep = is_kept.into_iter();
    alternatives.retain(|_| keep.next().unwrap_or(true));
}
