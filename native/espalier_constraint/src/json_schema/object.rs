//! [`ObjectLeaf`]: the objects of one alternative.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::evaluated::Evaluated;
use super::expand::{Atom, Condition, Selector};
use super::goals::{GoalId, Goals, JsonType, Leaf};
use super::key_classes::{Class, ClassSet, KeyClasses, insert, no_class};
use super::language;
use super::schema::{Kind, Literal, Members, NodeId};
use crate::dfa::Dfa;
use crate::error::Error;
use crate::limits::limit;
use crate::literals::Literals;
use crate::meter::Quota;

/// The objects of one alternative.
#[derive(Debug)]
pub(crate) struct ObjectLeaf {
    /// The named properties in the order in which they are written.
    pub(crate) properties: Vec<Property>,
    pub(crate) by_name: FxHashMap<Arc<str>, u32>,
    /// Their indices in the order of their names, and these.
    pub(super) sorted: Vec<u32>,
    pub(super) names: Arc<Literals>,
    /// The keys without a name here.
    pub(crate) others: Arc<KeyClasses>,
    /// The goal of the value of such a key, by class.
    pub(crate) other_goals: Vec<GoalId>,
    pub(crate) min: u32,
    pub(crate) max: Option<u32>,
    pub(crate) clauses: Vec<Vec<KeyCondition>>,
    /// Numbers of members above this mean the same; 0 where the number doesn't matter.
    pub(super) counted_to: u32,
}

#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: Arc<str>,
    pub(crate) goal: GoalId,
    pub(crate) is_required: bool,
}

/// A condition of a clause; named properties by index. The easiest to meet come first.
#[derive(Debug)]
pub(crate) enum KeyCondition {
    Lacks(u32),
    AtMost(u32),
    Has(u32),
    Member(u32, Literal),
    /// Some member whose key is selected; its value satisfies this.
    Some(Selection, Literal),
    AtLeast(u32),
}

impl KeyCondition {
    /// How much it takes to meet it; properties that are required anyway take little.
    fn rank(&self, names: &[Arc<str>], required: &Names) -> u8 {
        let is_required = |index: u32| required.contains(&names[index as usize]);
        match self {
            Self::Lacks(_) => 0,
            Self::AtMost(_) => 1,
            Self::Has(index) | Self::Member(index, _) if is_required(*index) => 2,
            Self::Has(_) => 3,
            Self::Member(..) => 4,
            Self::Some(..) => 5,
            Self::AtLeast(_) => 6,
        }
    }
}

/// Some of the keys.
#[derive(Debug)]
pub(crate) struct Selection {
    /// By index of the named property.
    pub(crate) properties: Vec<bool>,
    pub(crate) classes: ClassSet,
}

impl ObjectLeaf {
    /// About how many bytes it takes beyond itself.
    pub(crate) fn memory(&self) -> usize {
        const PROPERTY_BYTES: usize = 64;
        let conditions = self.clauses.iter().flatten().count();
        (conditions + 1) * self.properties.len() * PROPERTY_BYTES
    }

    /// Whether only required properties and the goals of values matter.
    pub(crate) fn is_simple(&self) -> bool {
        self.counted_to == 0 && self.clauses.is_empty()
    }
}

impl ObjectLeaf {
    /// A key of the class that is none of those, and no named property.
    pub(crate) fn new_key(&self, class: Class, used: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut classes = no_class(self.other_goals.len());
        insert(&mut classes, class);
        self.key_after(&[], KeyClasses::START, &classes, used)
    }

    /// A key of the classes that begins with what was read, up to the state, and is none of those
    /// used, nor a named property.
    ///
    /// Each text that is taken splits those that are left: they part from it at one of its bytes.
    pub(crate) fn key_after(
        &self,
        begun: &[u8],
        state: u32,
        classes: &ClassSet,
        used: &[Vec<u8>],
    ) -> Option<Vec<u8>> {
        let used: FxHashSet<&[u8]> = used.iter().map(Vec::as_slice).collect();
        let is_free = |key: &Vec<u8>| {
            let name = std::str::from_utf8(key);
            name.is_ok_and(|name| !self.by_name.contains_key(name)) && !used.contains(&key[..])
        };
        // Each text in the queue is the beginning of a key of its own, and half of them, at least, of one in
        // UTF-8: of so many one is free.
        let enough = 4 * (used.len() + self.properties.len()) + 1024;
        let mut n_begun = 1;
        let mut open = VecDeque::from([(begun.to_vec(), state)]);
        while let Some((prefix, state)) = open.pop_front() {
            let Some(suffix) = self.others.shortest_suffix(state, classes) else { continue };
            let mut key = prefix.clone();
            key.extend(&suffix);
            if is_free(&key) {
                return Some(key);
            }
            let mut at = state;
            for n in 0..=suffix.len() {
                for byte in (b'a'..=b'z').chain(0..b'a').chain(b'{'..=255) {
                    if n_begun < enough
                        && suffix.get(n) != Some(&byte)
                        && let Some(next) = self.others.step(at, byte)
                        && self.others.n_keys(next, classes) > 0
                    {
                        let mut other = prefix.clone();
                        other.extend(&suffix[..n]);
                        other.push(byte);
                        open.push_back((other, next));
                        n_begun += 1;
                    }
                }
                at = suffix.get(n).and_then(|&byte| self.others.step(at, byte)).unwrap_or(at);
            }
        }
        None
    }
}

/// What the atoms of one alternative say of objects, before names are numbered.
#[derive(Default)]
struct Facts {
    members: Vec<NodeId>,
    unevaluated: Vec<(Evaluated, Literal)>,
    names: Vec<Literal>,
    required: Names,
    forbidden: Names,
    /// More literals of the values of single properties.
    values: Vec<(Arc<str>, Literal)>,
    min: u32,
    max: Option<u32>,
    clauses: Vec<Vec<Condition>>,
}

/// Names, each once.
#[derive(Default)]
struct Names {
    in_order: Vec<Arc<str>>,
    all: FxHashSet<Arc<str>>,
}

impl Names {
    fn add(&mut self, name: &Arc<str>) {
        if self.all.insert(name.clone()) {
            self.in_order.push(name.clone());
        }
    }

    fn contains(&self, name: &Arc<str>) -> bool {
        self.all.contains(name)
    }

    fn len(&self) -> usize {
        self.in_order.len()
    }
}

impl Facts {
    /// The work of asking for each name what is said of it.
    fn work(&self, goals: &Goals) -> usize {
        let members = || self.members.iter().map(|&node| goals.members(node));
        let n_properties = members().map(|members| members.properties.len()).sum::<usize>();
        let n_patterns = members().map(|members| members.patterns.len()).sum::<usize>();
        let evaluated = self.all_evaluated();
        let n_evaluated = evaluated.map(|some| some.names.len() / 4 + some.patterns.len());
        let n_names = n_properties + self.required.len() + self.forbidden.len() + self.values.len();
        let n_conditions = self.clauses.iter().map(Vec::len).sum::<usize>();
        let of_name =
            self.members.len() + n_patterns + n_evaluated.sum::<usize>() + self.values.len() / 4;
        n_conditions + n_names * (1 + of_name) + n_conditions * n_names / 8
    }

    fn all_evaluated(&self) -> impl Iterator<Item = &Evaluated> {
        let of_selectors = self.clauses.iter().flatten().filter_map(|condition| match condition {
            Condition::Some(Selector::Unevaluated(evaluated), _) => Some(evaluated),
            _ => None,
        });
        self.unevaluated.iter().map(|(evaluated, _)| evaluated).chain(of_selectors)
    }

    fn require(&mut self, name: &Arc<str>) {
        self.required.add(name);
    }

    /// A condition that must be met.
    fn add(&mut self, condition: Condition) {
        match condition {
            Condition::Has(name) => self.require(&name),
            Condition::Lacks(name) => self.forbidden.add(&name),
            Condition::Member(name, value) => {
                self.require(&name);
                self.values.push((name, value));
            }
            Condition::AtLeast(min) => self.min = self.min.max(min),
            Condition::AtMost(max) => self.reduce_max(max),
            other => self.clauses.push(vec![other]),
        }
    }

    fn reduce_max(&mut self, max: u32) {
        self.max = Some(self.max.map_or(max, |other| other.min(max)));
    }

    /// Takes out of the clauses what is decided. Answers false if one can't be met any more.
    fn simplify(&mut self) -> bool {
        loop {
            let before =
                (self.required.len(), self.forbidden.len(), self.values.len(), self.clauses.len());
            for mut clause in std::mem::take(&mut self.clauses) {
                if clause.iter().any(|condition| self.is_met(condition)) {
                    continue;
                }
                clause.retain(|condition| !self.is_hopeless(condition));
                match clause.len() {
                    0 => return false,
                    1 => clause.into_iter().for_each(|condition| self.add(condition)),
                    _ => self.clauses.push(clause),
                }
            }
            let after =
                (self.required.len(), self.forbidden.len(), self.values.len(), self.clauses.len());
            if before == after {
                return true;
            }
        }
    }

    fn is_met(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Has(name) => self.required.contains(name),
            Condition::Lacks(name) => self.forbidden.contains(name),
            Condition::AtLeast(n) => self.min >= *n,
            Condition::AtMost(n) => self.max.is_some_and(|max| max <= *n),
            Condition::Member(name, value) => {
                self.required.contains(name) && self.values.contains(&(name.clone(), *value))
            }
            Condition::Some(..) | Condition::Name(_) => false,
        }
    }

    fn is_hopeless(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Has(name) | Condition::Member(name, _) => self.forbidden.contains(name),
            Condition::Lacks(name) => self.required.contains(name),
            Condition::AtLeast(n) => self.max.is_some_and(|max| max < *n),
            Condition::AtMost(n) => self.min > *n,
            Condition::Some(..) | Condition::Name(_) => false,
        }
    }
}

impl Goals {
    /// The objects that satisfy the atoms; none when they contradict each other.
    pub(super) fn object_leaf(&mut self, atoms: &[Atom]) -> Result<Option<ObjectLeaf>, Error> {
        let Some(mut facts) = self.object_facts(atoms) else { return Ok(None) };
        if !facts.simplify() || facts.max.is_some_and(|max| max < facts.min) {
            return Ok(None);
        }
        limit!(self.meter().limits(), clauses).check(facts.clauses.len())?;
        self.meter().spend(facts.work(self))?;
        let names = self.names_in_order(&facts);
        let by_name: FxHashMap<Arc<str>, u32> = names.iter().cloned().zip(0..).collect();
        let patterns = self.key_patterns(&facts)?;
        let keys = self.key_language(&facts.names)?;
        let others = self.key_classes.get(&patterns.automata, keys.as_ref(), &self.schema.meter)?;
        let other_goals = self.other_goals(&facts, &patterns, &others);
        let clauses: Vec<Vec<KeyCondition>> = facts
            .clauses
            .iter()
            .map(|clause| {
                let mut clause = self.number_names(clause, &names, &by_name, &patterns, &others);
                clause.sort_by_key(|condition| condition.rank(&names, &facts.required));
                clause
            })
            .collect();
        let properties: Vec<Property> = names
            .iter()
            .map(|name| {
                let is_key = keys.as_ref().is_none_or(|keys| keys.accepts(name.as_bytes()));
                let goal = self.property_goal(&facts, name, is_key);
                Property { name: name.clone(), goal, is_required: facts.required.contains(name) }
            })
            .collect();
        let counted = clauses.iter().flatten().filter_map(|condition| match condition {
            KeyCondition::AtLeast(n) => Some(*n),
            KeyCondition::AtMost(n) => Some(n + 1),
            _ => None,
        });
        let counted_to =
            counted.max().unwrap_or(0).max(facts.min).max(facts.max.map_or(0, |max| max + 1));
        let Facts { min, max, .. } = facts;
        let mut sorted: Vec<u32> = (0..properties.len() as u32).collect();
        sorted.sort_unstable_by_key(|&index| &properties[index as usize].name);
        let sorted_names = sorted.iter().map(|&index| properties[index as usize].name.clone());
        let names = Arc::new(Literals::new(sorted_names.map(Arc::into).collect()));
        Ok(Some(ObjectLeaf {
            properties,
            by_name,
            sorted,
            names,
            others,
            other_goals,
            min,
            max,
            clauses,
            counted_to,
        }))
    }

    fn object_facts(&self, atoms: &[Atom]) -> Option<Facts> {
        let mut facts = Facts::default();
        for atom in atoms {
            match atom {
                Atom::Is(literal) => match (self.schema.kind(*literal), literal.is_negated()) {
                    (Kind::Members(_), false) => facts.members.push(literal.node()),
                    (Kind::Names(names), false) => facts.names.push(*names),
                    (Kind::Required(name), false) => facts.require(name),
                    (Kind::MinProperties(n), false) => facts.min = facts.min.max(*n),
                    (Kind::MaxProperties(n), true) => facts.min = facts.min.max(n + 1),
                    (Kind::MaxProperties(n), false) => facts.reduce_max(*n),
                    (Kind::MinProperties(n), true) => facts.reduce_max(n.checked_sub(1)?),
                    _ => {}
                },
                Atom::Clause(clause) => match &clause[..] {
                    [condition] => facts.add(condition.clone()),
                    _ => facts.clauses.push(clause.clone()),
                },
                Atom::UnevaluatedProperties(evaluated, value) => {
                    facts.unevaluated.push((evaluated.clone(), *value));
                }
                _ => {}
            }
        }
        Some(facts)
    }

    fn members(&self, node: NodeId) -> &Members {
        match &self.schema.node(node).kind {
            Kind::Members(members) => members,
            _ => unreachable!("facts name statements on members"),
        }
    }

    /// A pattern of a statement on members.
    fn pattern(&self, (node, index): (NodeId, u32)) -> &Arc<Dfa> {
        &self.members(node).patterns[index as usize].0
    }

    /// Whether a key is not spoken of.
    fn is_unevaluated(&self, name: &str, evaluated: &Evaluated) -> bool {
        let mut patterns = evaluated.patterns.iter();
        evaluated.names.iter().all(|other| **other != *name)
            && !patterns.any(|&at| self.pattern(at).accepts(name.as_bytes()))
    }

    /// The names in the order in which they are written: as the schema has them, then required ones
    /// without a schema, then those that are only spoken of.
    fn names_in_order(&self, facts: &Facts) -> Vec<Arc<str>> {
        let properties = facts.members.iter().flat_map(|&node| &self.members(node).properties);
        let spoken_of = facts.clauses.iter().flatten().filter_map(|condition| match condition {
            Condition::Has(name) | Condition::Lacks(name) | Condition::Member(name, _) => {
                Some(name)
            }
            _ => None,
        });
        // A selector of the rest excludes the names of its own statement.
        let of_selectors = facts.clauses.iter().flatten().filter_map(|condition| match condition {
            Condition::Some(Selector::Rest(node), _) => Some(&self.members(*node).properties),
            _ => None,
        });
        let all = properties
            .map(|(name, _)| name)
            .chain(&facts.required.in_order)
            .chain(spoken_of)
            .chain(of_selectors.flatten().map(|(name, _)| name))
            .chain(facts.all_evaluated().flat_map(|evaluated| &evaluated.names))
            .chain(&facts.forbidden.in_order);
        let mut seen = FxHashSet::default();
        all.filter(|name| seen.insert(*name)).cloned().collect()
    }

    /// All patterns that keys are matched against.
    fn key_patterns(&mut self, facts: &Facts) -> Result<KeyPatterns, Error> {
        let mut patterns = KeyPatterns::default();
        let of_selectors = facts.clauses.iter().flatten().filter_map(|condition| match condition {
            Condition::Some(Selector::Pattern(node, _) | Selector::Rest(node), _) => Some(*node),
            _ => None,
        });
        let of_unevaluated = facts.all_evaluated().flat_map(|evaluated| &evaluated.patterns);
        let of_unevaluated = of_unevaluated.map(|(node, _)| *node);
        for node in facts.members.iter().copied().chain(of_selectors).chain(of_unevaluated) {
            self.members(node).patterns.iter().for_each(|(dfa, _)| patterns.add(dfa));
        }
        for condition in facts.clauses.iter().flatten() {
            if let Condition::Name(name) = condition
                && let Some(dfa) = self.key_language(&[*name])?
            {
                patterns.names.insert(*name, dfa.clone());
                patterns.add(&dfa);
            }
        }
        Ok(patterns)
    }

    /// The automaton of the keys that satisfy the literals as strings; none for all keys.
    fn key_language(&mut self, literals: &[Literal]) -> Result<Option<Arc<Dfa>>, Error> {
        if literals.is_empty() {
            return Ok(None);
        }
        let goal = self.goal(literals.to_vec());
        let leaves = self.alternatives(goal, JsonType::String)?;
        let leaves: Vec<Arc<Leaf>> = leaves.iter().map(|&leaf| self.leaf(leaf).clone()).collect();
        let languages: Vec<_> = leaves
            .iter()
            .filter_map(|leaf| match &**leaf {
                Leaf::String(language) => Some(language),
                _ => None,
            })
            .collect();
        let quota = Quota::new(self.meter(), limit!(self.meter().limits(), key_states));
        let dfa = language::union(&languages, quota)
            .map_err(|error| error.at(self.schema.pointer(literals[0])))?;
        Ok(Some(dfa))
    }

    fn property_goal(&mut self, facts: &Facts, name: &Arc<str>, is_key: bool) -> GoalId {
        let mut literals: Vec<Literal> = Vec::new();
        for &node in &facts.members {
            literals.extend(self.members(node).literals_of(name));
        }
        for (evaluated, value) in &facts.unevaluated {
            literals.extend(self.is_unevaluated(name, evaluated).then_some(*value));
        }
        literals.extend(
            facts.values.iter().filter(|(other, _)| other == name).map(|(_, value)| *value),
        );
        if !is_key || facts.forbidden.contains(name) {
            literals = vec![self.schema.nothing()];
        }
        self.goal(literals)
    }

    fn other_goals(
        &mut self,
        facts: &Facts,
        keys: &KeyPatterns,
        others: &KeyClasses,
    ) -> Vec<GoalId> {
        let classes = others.matched.iter();
        let literals: Vec<Vec<Literal>> = classes
            .map(|matched| {
                let mut literals = Vec::new();
                for &node in &facts.members {
                    let members = self.members(node);
                    let before = literals.len();
                    let hit =
                        members.patterns.iter().filter(|(dfa, _)| matched[keys.index_of(dfa)]);
                    literals.extend(hit.clone().map(|(_, value)| *value));
                    if literals.len() == before && hit.count() == 0 {
                        literals.extend(members.rest);
                    }
                }
                for (evaluated, value) in &facts.unevaluated {
                    let mut patterns = evaluated.patterns.iter();
                    let is_matched = patterns.any(|at| matched[keys.index_of(self.pattern(*at))]);
                    literals.extend((!is_matched).then_some(*value));
                }
                literals
            })
            .collect();
        literals.into_iter().map(|literals| self.goal(literals)).collect()
    }

    fn number_names(
        &self,
        clause: &[Condition],
        names: &[Arc<str>],
        by_name: &FxHashMap<Arc<str>, u32>,
        patterns: &KeyPatterns,
        others: &KeyClasses,
    ) -> Vec<KeyCondition> {
        let select = |property: &dyn Fn(&str) -> bool, class: &dyn Fn(&[bool]) -> bool| {
            let properties = names.iter().map(|name| property(name)).collect();
            let mut classes = no_class(others.matched.len());
            for (index, _) in (0..).zip(&others.matched).filter(|(_, matched)| class(matched)) {
                insert(&mut classes, index);
            }
            Selection { properties, classes }
        };
        let conditions = clause.iter().map(|condition| match condition {
            Condition::Lacks(name) => KeyCondition::Lacks(by_name[name]),
            Condition::Has(name) => KeyCondition::Has(by_name[name]),
            Condition::Member(name, value) => KeyCondition::Member(by_name[name], *value),
            Condition::AtMost(n) => KeyCondition::AtMost(*n),
            Condition::AtLeast(n) => KeyCondition::AtLeast(*n),
            Condition::Some(Selector::Pattern(node, index), value) => {
                let (dfa, _) = &self.members(*node).patterns[*index as usize];
                let at = patterns.index_of(dfa);
                let selection =
                    select(&|name| dfa.accepts(name.as_bytes()), &|matched| matched[at]);
                KeyCondition::Some(selection, *value)
            }
            Condition::Some(Selector::Rest(node), value) => {
                let members = self.members(*node);
                let at: Vec<usize> =
                    members.patterns.iter().map(|(dfa, _)| patterns.index_of(dfa)).collect();
                let selection = select(&|name| members.is_rest(name), &|matched| {
                    at.iter().all(|&at| !matched[at])
                });
                KeyCondition::Some(selection, *value)
            }
            Condition::Some(Selector::Unevaluated(evaluated), value) => {
                let at = evaluated.patterns.iter().map(|&at| patterns.index_of(self.pattern(at)));
                let at: Vec<usize> = at.collect();
                let selection = select(&|name| self.is_unevaluated(name, evaluated), &|matched| {
                    at.iter().all(|&at| !matched[at])
                });
                KeyCondition::Some(selection, *value)
            }
            Condition::Name(name) => {
                let dfa = &patterns.names[name];
                let at = patterns.index_of(dfa);
                let selection =
                    select(&|name| dfa.accepts(name.as_bytes()), &|matched| matched[at]);
                KeyCondition::Some(selection, self.schema.anything())
            }
        });
        conditions.collect()
    }
}

impl Members {
    /// What the value of a key has to satisfy.
    fn literals_of(&self, name: &str) -> Vec<Literal> {
        let named = self.value_of(name);
        let matching = self.patterns.iter().filter(|(dfa, _)| dfa.accepts(name.as_bytes()));
        let mut literals: Vec<Literal> =
            named.into_iter().chain(matching.map(|(_, value)| *value)).collect();
        if literals.is_empty() {
            literals.extend(self.rest);
        }
        literals
    }

    /// Whether a key has no name and matches no pattern here.
    fn is_rest(&self, name: &str) -> bool {
        self.value_of(name).is_none()
            && self.patterns.iter().all(|(dfa, _)| !dfa.accepts(name.as_bytes()))
    }
}

/// Automata that keys are matched against, each once.
#[derive(Default)]
struct KeyPatterns {
    automata: Vec<Arc<Dfa>>,
    index: FxHashMap<usize, usize>,
    /// Those of conditions on the key itself.
    names: FxHashMap<Literal, Arc<Dfa>>,
}

impl KeyPatterns {
    fn add(&mut self, dfa: &Arc<Dfa>) {
        let n = self.automata.len();
        if *self.index.entry(Arc::as_ptr(dfa) as usize).or_insert(n) == n {
            self.automata.push(dfa.clone());
        }
    }

    fn index_of(&self, dfa: &Arc<Dfa>) -> usize {
        self.index[&(Arc::as_ptr(dfa) as usize)]
    }
}
