//! Objects as they are exported.

use rustc_hash::FxHashMap;

use super::Lowering;
use crate::error::Error;
use crate::export::{Bytewise, EMPTY, Graph, NOTHING, NodeId};
use crate::json_schema::PropertyOrder;
use crate::json_schema::frame::{Named, ObjectProgress};
use crate::json_schema::goals::GoalId;
use crate::json_schema::key_classes::{Class, KeyClasses, MANY, contains, insert, no_class};
use crate::json_schema::keys::Key;
use crate::json_schema::object::{KeyCondition, ObjectLeaf};
use crate::json_schema::schema::Kind;
use crate::limits::limit;
use crate::literals::{Literals, Prefix};

/// Keys without a name that are so few are listed: which of them were read is kept in mind.
const MAX_LISTED: usize = 8;

/// How far an object is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Progress {
    /// In the order of the schema: the first so many are behind.
    n_behind: usize,
    /// In any order: those that are there, one bit each.
    seen: Box<[u64]>,
    /// The clauses that are met, one bit each.
    met: u64,
    n_members: u32,
    is_empty: bool,
    /// Of the keys without a name: which of the list are there; without a list 1 if some is.
    others: u64,
}

impl Progress {
    fn with_member(&self, leaf: &ObjectLeaf) -> Self {
        let n_members = (self.n_members + 1).min(leaf.counted_to);
        Self { n_members, is_empty: false, ..self.clone() }
    }
}

/// Keys without a name.
struct Others {
    keys: Vec<Other>,
    is_listed: bool,
}

struct Other {
    class: Class,
    goal: GoalId,
    key: NodeId,
}

/// The keys of a class but for some names.
struct KeysOfClass<'a> {
    classes: &'a KeyClasses,
    names: &'a Literals,
    class: Class,
}

impl Bytewise for KeysOfClass<'_> {
    type State = (u32, Option<Prefix>);

    fn start(&self) -> Self::State {
        (KeyClasses::START, (!self.names.is_empty()).then(|| self.names.start()))
    }

    fn step(&self, (state, prefix): &Self::State, byte: u8) -> Option<Self::State> {
        let prefix = prefix.and_then(|prefix| self.names.step(prefix, byte));
        Some((self.classes.step(*state, byte)?, prefix))
    }

    fn is_final(&self, (state, prefix): &Self::State) -> bool {
        self.classes.class_at(*state) == Some(self.class)
            && !prefix.is_some_and(|prefix| self.names.is_complete(prefix))
    }

    fn class(&self, byte: u8) -> u8 {
        if self.names.is_empty() { self.classes.byte_class(byte) } else { byte }
    }
}

impl Lowering<'_> {
    pub(super) fn object(&mut self, leaf: &ObjectLeaf, goal: GoalId) -> Result<NodeId, Error> {
        let others = self.others(leaf)?;
        self.refuse_what_repeated_keys_break(leaf, &others, goal)?;
        let first = Progress {
            n_behind: 0,
            seen: vec![0; leaf.properties.len().div_ceil(64)].into(),
            met: 0,
            n_members: 0,
            is_empty: true,
            others: 0,
        };
        let pivot = self.pivot(leaf);
        let may_be_empty = self.may_end_empty(leaf, &first);
        let mut graph = Graph::default();
        let mut states = vec![first.clone()];
        let mut ids = FxHashMap::from_iter([(first, 0u32)]);
        while let Some(progress) = states.get(graph.n_states()).cloned() {
            limit!(self.meter.limits(), export_states).check(states.len())?;
            self.rules.check(self.meter)?;
            let from = graph.add_state(!progress.is_empty && self.may_end(leaf, &progress));
            let mut steps = Vec::new();
            self.named_steps(leaf, &progress, pivot, &mut steps)?;
            self.other_steps(leaf, &others, &progress, goal, &mut steps)?;
            for (step, next) in steps {
                self.meter.spend(2)?;
                let to = *ids.entry(next).or_insert_with_key(|next| {
                    states.push(next.clone());
                    states.len() as u32 - 1
                });
                graph.add_step(from, step, to);
            }
        }
        let members = self.graph(&graph, "members", goal)?;
        Ok(self.enclosed(self.tokens.object, members, may_be_empty))
    }

    fn in_order(&self) -> bool {
        self.goals.options.property_order == PropertyOrder::Schema
    }

    /// A property that is always there: commas stand behind the members before it, and before those behind it.
    fn pivot(&self, leaf: &ObjectLeaf) -> Option<usize> {
        let required = leaf.properties.iter().position(|property| property.is_required);
        required.filter(|_| self.in_order())
    }

    /// The members with a name that may come next, and in the order of the schema that the next one doesn't.
    fn named_steps(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &Progress,
        pivot: Option<usize>,
        steps: &mut Vec<(NodeId, Progress)>,
    ) -> Result<(), Error> {
        if !self.in_order() {
            for index in 0..leaf.properties.len() {
                if !has(&progress.seen, index) {
                    self.named_step(leaf, progress, index, pivot, steps)?;
                }
            }
            return Ok(());
        }
        let index = progress.n_behind;
        let Some(property) = leaf.properties.get(index) else { return Ok(()) };
        self.named_step(leaf, progress, index, pivot, steps)?;
        if !property.is_required {
            let without = Progress {
                n_behind: index + 1,
                met: progress.met | lacking(leaf, index),
                ..progress.clone()
            };
            steps.push((EMPTY, without));
        }
        Ok(())
    }

    fn named_step(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &Progress,
        index: usize,
        pivot: Option<usize>,
        steps: &mut Vec<(NodeId, Progress)>,
    ) -> Result<(), Error> {
        let property = &leaf.properties[index];
        let (comma_before, comma_behind) = match pivot {
            Some(pivot) => (index > pivot, index < pivot),
            None => (!progress.is_empty, false),
        };
        let mut next = progress.with_member(leaf);
        if self.in_order() {
            next.n_behind = index + 1;
            // It makes no difference any more.
            next.is_empty = pivot.is_some_and(|pivot| index < pivot);
        } else {
            next.seen[index / 64] |= 1 << (index % 64);
        }
        let ways = self.ways(leaf, progress, Key::Named(index as u32), property.goal)?;
        if ways.is_empty() {
            return Ok(());
        }
        let key = self.quoted_text(&property.name);
        let key = self.rules.lexeme(key);
        for (met, goal) in ways {
            let member = self.member(key, goal, comma_before, comma_behind)?;
            steps.push((member, Progress { met: progress.met | met, ..next.clone() }));
        }
        Ok(())
    }

    fn member(
        &mut self,
        key: NodeId,
        goal: GoalId,
        comma_before: bool,
        comma_behind: bool,
    ) -> Result<NodeId, Error> {
        let value = self.value(goal)?;
        let comma = |is_there| if is_there { self.tokens.comma } else { EMPTY };
        let (before, behind) = (comma(comma_before), comma(comma_behind));
        Ok(self.rules.sequence([before, key, self.tokens.colon, value, behind]))
    }

    /// Which clauses a member may meet, and what its value has to satisfy then.
    fn ways(
        &mut self,
        leaf: &ObjectLeaf,
        progress: &Progress,
        key: Key,
        goal: GoalId,
    ) -> Result<Vec<(u64, GoalId)>, Error> {
        if leaf.max.is_some_and(|max| progress.n_members >= max) || !self.goals.is_possible(goal)? {
            return Ok(Vec::new());
        }
        let open = ObjectProgress { named: Named::Behind(0), n_members: 0, met: progress.met };
        let anything = self.goals.schema.anything();
        let mut ways = vec![(0, goal)];
        for (value, clauses) in self.goals.values_that_meet(leaf, &open, key) {
            if value == anything {
                for (met, _) in &mut ways {
                    *met |= clauses;
                }
                continue;
            }
            for (met, goal) in ways.clone() {
                let with = self.goals.goal_and(goal, &[value]);
                if self.goals.is_possible(with)? {
                    ways.push((met | clauses, with));
                }
            }
            limit!(self.meter.limits(), member_choices).check(ways.len())?;
        }
        Ok(ways)
    }

    fn other_steps(
        &mut self,
        leaf: &ObjectLeaf,
        others: &Others,
        progress: &Progress,
        object: GoalId,
        steps: &mut Vec<(NodeId, Progress)>,
    ) -> Result<(), Error> {
        if self.in_order() && progress.n_behind < leaf.properties.len() {
            return Ok(());
        }
        for (index, other) in others.keys.iter().enumerate() {
            if others.is_listed && progress.others >> index & 1 == 1 {
                continue;
            }
            let ways = self.ways(leaf, progress, Key::Other(other.class), other.goal)?;
            if ways.is_empty() {
                continue;
            }
            if !others.is_listed && !self.may_repeat_keys && progress.others == 1 {
                return Err(self.repeated_keys(object));
            }
            let mut next = progress.with_member(leaf);
            next.others |=
                if others.is_listed { 1 << index } else { u64::from(!self.may_repeat_keys) };
            for (met, goal) in ways {
                let member = self.member(other.key, goal, !progress.is_empty, false)?;
                steps.push((member, Progress { met: progress.met | met, ..next.clone() }));
            }
        }
        Ok(())
    }

    fn repeated_keys(&self, object: GoalId) -> Error {
        let is_rest = |kind: &Kind| match kind {
            Kind::Members(members) => members.rest.is_some() || !members.patterns.is_empty(),
            Kind::UnevaluatedProperties { .. } => true,
            _ => false,
        };
        let reason = "no grammar can say that keys without a name differ from each other; the option \
                      :repeated_keys with :allow takes texts in which they are equal, too";
        self.not_exportable(object, "additionalProperties", is_rest, reason)
    }

    /// A key that comes twice is one property, with the value that comes last. Where that could make a value
    /// that is none of the schema, texts with repeated keys can't be let through.
    fn refuse_what_repeated_keys_break(
        &self,
        leaf: &ObjectLeaf,
        others: &Others,
        goal: GoalId,
    ) -> Result<(), Error> {
        if !self.may_repeat_keys || others.is_listed || others.keys.is_empty() {
            return Ok(());
        }
        let n_required = leaf.properties.iter().filter(|property| property.is_required).count();
        // One other key is certainly another property.
        let most = n_required as u32 + 1;
        let anything = self.goals.schema.anything();
        let conditions = || leaf.clauses.iter().flatten();
        let counts = leaf.min > most
            || conditions()
                .any(|condition| matches!(condition, KeyCondition::AtLeast(n) if *n > most));
        if counts {
            let reason = "repeated keys are one property, so members can't be counted";
            let is_least = |kind: &Kind| matches!(kind, Kind::MinProperties(_));
            return Err(self.not_exportable(goal, "minProperties", is_least, reason));
        }
        let is_met_by_others = conditions().any(|condition| match condition {
            KeyCondition::Some(keys, value) => {
                *value != anything
                    && others.keys.iter().any(|other| contains(&keys.classes, other.class))
            }
            _ => false,
        });
        if is_met_by_others {
            let reason = "a repeated key could take back that some property satisfies a schema";
            return Err(self.not_exportable(goal, "not", |_| false, reason));
        }
        Ok(())
    }

    fn may_end_empty(&self, leaf: &ObjectLeaf, first: &Progress) -> bool {
        let n = leaf.properties.len();
        let mut end = first.clone();
        if self.in_order() {
            end.met = (0..n).fold(0, |met, index| met | lacking(leaf, index));
            end.n_behind = n;
        }
        leaf.properties.iter().all(|property| !property.is_required) && self.may_end(leaf, &end)
    }

    fn may_end(&self, leaf: &ObjectLeaf, progress: &Progress) -> bool {
        let in_order = self.in_order();
        let mut required =
            leaf.properties.iter().enumerate().filter(|(_, property)| property.is_required);
        let has_required = if in_order {
            progress.n_behind == leaf.properties.len()
        } else {
            required.all(|(index, _)| has(&progress.seen, index))
        };
        let is_met = |condition: &KeyCondition| match condition {
            KeyCondition::Lacks(index) => !in_order && !has(&progress.seen, *index as usize),
            KeyCondition::AtMost(n) => progress.n_members <= *n,
            KeyCondition::AtLeast(n) => progress.n_members >= *n,
            _ => false,
        };
        let clauses = leaf.clauses.iter().enumerate();
        has_required
            && progress.n_members >= leaf.min
            && clauses
                .filter(|(index, _)| progress.met >> index & 1 == 0)
                .all(|(_, clause)| clause.iter().any(is_met))
    }

    /// The keys without a name that some value may follow.
    fn others(&mut self, leaf: &ObjectLeaf) -> Result<Others, Error> {
        let mut classes = no_class(leaf.other_goals.len());
        let mut possible = Vec::new();
        for (class, &goal) in (0..).zip(&leaf.other_goals) {
            if self.goals.is_possible(goal)? {
                insert(&mut classes, class);
                possible.push((class, goal));
            }
        }
        let n_keys = leaf.others.n_keys(KeyClasses::START, &classes);
        let n_most = MAX_LISTED + leaf.properties.len();
        if n_keys != MANY && n_keys as usize <= n_most {
            return self.listed(leaf, &possible);
        }
        let mut keys = Vec::new();
        for (class, goal) in possible {
            let of_class = KeysOfClass { classes: &leaf.others, names: &leaf.names, class };
            let key = self.string_of(&of_class)?;
            if key != NOTHING {
                keys.push(Other { class, goal, key });
            }
        }
        Ok(Others { keys, is_listed: false })
    }

    /// Finitely many keys, one by one.
    fn listed(&mut self, leaf: &ObjectLeaf, possible: &[(Class, GoalId)]) -> Result<Others, Error> {
        let mut keys = Vec::new();
        let mut open = vec![(KeyClasses::START, Vec::new())];
        while let Some((state, key)) = open.pop() {
            self.meter.spend(16)?;
            let class = leaf.others.class_at(state);
            let found = possible.iter().find(|(possible, _)| Some(*possible) == class);
            if let (Some(&(class, goal)), Ok(name)) = (found, std::str::from_utf8(&key))
                && !leaf.by_name.contains_key(name)
            {
                let node = self.quoted_text(name);
                keys.push(Other { class, goal, key: self.rules.lexeme(node) });
            }
            let mut classes = no_class(leaf.other_goals.len());
            for (class, _) in possible {
                insert(&mut classes, *class);
            }
            for byte in (0..=255u8).rev() {
                if let Some(next) = leaf.others.step(state, byte)
                    && leaf.others.n_keys(next, &classes) > 0
                {
                    let mut longer = key.clone();
                    longer.push(byte);
                    open.push((next, longer));
                }
            }
        }
        let is_listed = keys.len() <= MAX_LISTED;
        Ok(Others { keys, is_listed })
    }
}

fn has(seen: &[u64], index: usize) -> bool {
    seen[index / 64] >> (index % 64) & 1 == 1
}

/// The clauses that are met where the property is absent.
fn lacking(leaf: &ObjectLeaf, index: usize) -> u64 {
    let is_met = |clause: &[KeyCondition]| {
        clause
            .iter()
            .any(|condition| matches!(condition, KeyCondition::Lacks(at) if *at as usize == index))
    };
    let met = leaf.clauses.iter().enumerate().filter(|(_, clause)| is_met(clause));
    met.fold(0, |met, (clause, _)| met | 1 << clause)
}
