//! [`Rules`]: a grammar as it is exported, whatever it was before.
//!
//! Nodes lie in an arena in which equal ones are one. A node comes after all that it is made of, so what is
//! asked of all nodes is found in their order, without recursion.

use rustc_hash::FxHashMap;

use super::set::CharacterSet;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// The number of a node.
pub(crate) type NodeId = u32;
/// The number of a rule.
pub(crate) type RuleId = u32;

/// What a text consists of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// No text at all, not even the empty one.
    Nothing,
    Text(Box<str>),
    /// One character of the set, which has several.
    Set(CharacterSet),
    Rule(RuleId),
    /// A token of a vocabulary that stands for no text, by its name.
    Special(Box<str>),
    /// A text that a lexer may take as a whole: what comes behind it can't lengthen it.
    Lexeme(NodeId),
    Sequence(Box<[NodeId]>),
    Choice(Box<[NodeId]>),
    Repeat {
        of: NodeId,
        min: u32,
        max: Option<u32>,
    },
}

/// A rule by its name.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) body: NodeId,
    /// Whether it counts as one within another where recursion has a bound.
    pub(crate) is_level: bool,
    /// Where the schema has it.
    pub(crate) pointer: String,
}

/// What is known of a node when it is made.
#[derive(Clone, Copy, Debug)]
struct Facts {
    /// About how many bytes its text takes, rules by their names.
    size: u64,
    /// How deep it is nested.
    height: u32,
}

/// Rules, the first of which is that of whole texts.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) all: Vec<Rule>,
    nodes: Vec<Node>,
    facts: Vec<Facts>,
    ids: FxHashMap<Node, NodeId>,
    /// How nodes may be named that get rules of their own.
    names: FxHashMap<NodeId, &'static str>,
    /// The bytes of all nodes beyond themselves.
    n_bytes: usize,
    /// Whether what a lexer takes as a whole is kept apart from the texts beside it.
    has_lexemes: bool,
}

pub(crate) const NOTHING: NodeId = 0;
pub(crate) const EMPTY: NodeId = 1;
/// The rule of whole texts.
pub(crate) const START: RuleId = 0;

/// About how many bytes the name of a rule takes.
const NAME: u64 = 8;

impl Rules {
    /// The rule of whole texts, which has no text yet.
    pub(crate) fn new(has_lexemes: bool) -> Self {
        let mut rules = Self {
            all: Vec::new(),
            nodes: Vec::new(),
            facts: Vec::new(),
            ids: FxHashMap::default(),
            names: FxHashMap::default(),
            n_bytes: 0,
            has_lexemes,
        };
        rules.add(Node::Nothing);
        rules.add(Node::Text("".into()));
        rules.declare("root", "");
        rules
    }

    /// A rule whose body comes later; until then it has no text.
    pub(crate) fn declare(&mut self, name: &str, pointer: &str) -> RuleId {
        let (name, pointer) = (name.to_owned(), pointer.to_owned());
        self.all.push(Rule { name, body: NOTHING, is_level: false, pointer });
        (self.all.len() - 1) as RuleId
    }

    pub(crate) fn define(&mut self, rule: RuleId, body: NodeId) {
        self.all[rule as usize].body = body;
    }

    pub(crate) fn body(&self, rule: RuleId) -> NodeId {
        self.all[rule as usize].body
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// # Errors
    /// [`Error::LimitExceeded`] when they are too many.
    pub(crate) fn check(&self, meter: &Meter) -> Result<(), Error> {
        const NODE_BYTES: usize = 64;
        limit!(meter.limits(), export_nodes).check(self.nodes.len() + self.n_bytes / NODE_BYTES)
    }

    pub(crate) fn size(&self, id: NodeId) -> u64 {
        self.facts[id as usize].size
    }

    pub(crate) fn height(&self, id: NodeId) -> u32 {
        self.facts[id as usize].height
    }

    /// How a node may be named that gets a rule of its own.
    pub(crate) fn suggest_name(&mut self, id: NodeId, name: &'static str) {
        self.names.entry(id).or_insert(name);
    }

    pub(crate) fn suggested_name(&self, id: NodeId) -> Option<&'static str> {
        self.names.get(&id).copied()
    }

    fn add(&mut self, node: Node) -> NodeId {
        if let Some(&known) = self.ids.get(&node) {
            return known;
        }
        let id = self.nodes.len() as NodeId;
        self.n_bytes += match &node {
            Node::Text(text) => text.len(),
            Node::Set(set) => 8 * set.ranges().len(),
            Node::Sequence(parts) | Node::Choice(parts) => 4 * parts.len(),
            _ => 0,
        };
        self.facts.push(self.facts_of(&node));
        self.ids.insert(node.clone(), id);
        self.nodes.push(node);
        id
    }

    fn facts_of(&self, node: &Node) -> Facts {
        let of = |id: NodeId| self.facts[id as usize];
        let all = |parts: &[NodeId]| Facts {
            size: parts.iter().fold(2, |sum, &part| of(part).size.saturating_add(sum + 1)),
            height: parts.iter().map(|&part| of(part).height).max().unwrap_or(0) + 1,
        };
        match node {
            Node::Nothing => Facts { size: 0, height: 0 },
            Node::Text(text) => Facts { size: text.len() as u64, height: 0 },
            Node::Set(set) => Facts { size: 2 + 3 * set.ranges().len() as u64, height: 1 },
            Node::Rule(_) | Node::Special(_) => Facts { size: NAME, height: 0 },
            Node::Lexeme(of_lexeme) => of(*of_lexeme),
            Node::Sequence(parts) | Node::Choice(parts) => all(parts),
            Node::Repeat { of: one, .. } => {
                Facts { size: of(*one).size.saturating_add(3), height: of(*one).height + 1 }
            }
        }
    }

    pub(crate) fn rule(&mut self, rule: RuleId) -> NodeId {
        self.add(Node::Rule(rule))
    }

    pub(crate) fn special(&mut self, name: &str) -> NodeId {
        self.add(Node::Special(name.into()))
    }

    pub(crate) fn text(&mut self, text: &str) -> NodeId {
        self.add(Node::Text(text.into()))
    }

    pub(crate) fn set(&mut self, set: CharacterSet) -> NodeId {
        if set.is_empty() {
            return NOTHING;
        }
        match set.only() {
            Some(character) => self.text(character.encode_utf8(&mut [0; 4])),
            None => self.add(Node::Set(set)),
        }
    }

    pub(crate) fn lexeme(&mut self, of: NodeId) -> NodeId {
        match of {
            NOTHING | EMPTY => of,
            _ if !self.has_lexemes => of,
            _ if matches!(self.node(of), Node::Lexeme(_)) => of,
            _ => self.add(Node::Lexeme(of)),
        }
    }

    /// One after the other. Texts in a row are one.
    pub(crate) fn sequence(&mut self, parts: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat: Vec<NodeId> = Vec::new();
        let mut text = String::new();
        for part in parts {
            if part == NOTHING {
                return NOTHING;
            }
            for part in self.parts_of_sequence(part) {
                if let Node::Text(more) = self.node(part) {
                    text.push_str(more);
                } else {
                    self.end_text(&mut flat, &mut text);
                    self.append(&mut flat, part);
                }
            }
        }
        self.end_text(&mut flat, &mut text);
        match flat[..] {
            [] => EMPTY,
            [only] => only,
            _ => self.add(Node::Sequence(flat.into())),
        }
    }

    fn end_text(&mut self, flat: &mut Vec<NodeId>, text: &mut String) {
        if !text.is_empty() {
            flat.push(self.text(text));
            text.clear();
        }
    }

    /// Adds a part to a sequence, which is no text. Equal ones in a row are a repetition.
    fn append(&mut self, flat: &mut Vec<NodeId>, part: NodeId) {
        let Some(&last) = flat.last() else { return flat.push(part) };
        let (one, times) = self.times(last);
        let (other, more) = self.times(part);
        if one == other && !matches!(self.node(last), Node::Text(_)) {
            let max = times.1.zip(more.1).and_then(|(a, b)| a.checked_add(b));
            let min = times.0.checked_add(more.0);
            let is_exact = max.is_some() == (times.1.is_some() && more.1.is_some());
            if let Some(min) = min.filter(|_| is_exact) {
                flat.pop();
                let node = self.add(Node::Repeat { of: one, min, max });
                return flat.push(node);
            }
        }
        flat.push(part);
    }

    /// What a node repeats, and how often.
    fn times(&self, id: NodeId) -> (NodeId, (u32, Option<u32>)) {
        match *self.node(id) {
            Node::Repeat { of, min, max } => (of, (min, max)),
            _ => (id, (1, Some(1))),
        }
    }

    /// One of them. What comes first is tried first where that matters; the empty text is tried last.
    pub(crate) fn choice(&mut self, choices: impl IntoIterator<Item = NodeId>) -> NodeId {
        let mut flat: Vec<NodeId> = Vec::new();
        let mut seen = rustc_hash::FxHashSet::default();
        let mut has_empty = false;
        for choice in choices {
            match self.node(choice) {
                Node::Nothing => {}
                Node::Choice(inner) => {
                    for &choice in &inner.clone() {
                        self.add_choice(&mut flat, choice, &mut seen);
                    }
                }
                &Node::Repeat { of, min: 0, max: Some(1) } => {
                    has_empty = true;
                    match self.node(of).clone() {
                        Node::Choice(inner) => {
                            for &choice in &inner {
                                self.add_choice(&mut flat, choice, &mut seen);
                            }
                        }
                        _ => self.add_choice(&mut flat, of, &mut seen),
                    }
                }
                _ if choice == EMPTY => has_empty = true,
                _ => self.add_choice(&mut flat, choice, &mut seen),
            }
        }
        let choice = match flat[..] {
            [] if has_empty => EMPTY,
            [] => NOTHING,
            [only] => only,
            _ => self.add(Node::Choice(flat.into())),
        };
        if has_empty { self.repeat(choice, 0, Some(1)) } else { choice }
    }

    /// Neighbours that are single characters become a set.
    fn add_choice(
        &mut self,
        flat: &mut Vec<NodeId>,
        choice: NodeId,
        seen: &mut rustc_hash::FxHashSet<NodeId>,
    ) {
        let last = flat.last().and_then(|&last| self.set_of(last));
        if let (Some(before), Some(set)) = (last, self.set_of(choice)) {
            flat.pop();
            let both = self.set(before.union(&set));
            seen.insert(both);
            flat.push(both);
        } else if seen.insert(choice) {
            flat.push(choice);
        }
    }

    /// The characters of a node of single ones.
    pub(crate) fn set_of(&self, id: NodeId) -> Option<CharacterSet> {
        match self.node(id) {
            Node::Set(set) => Some(set.clone()),
            Node::Text(text) => {
                let mut characters = text.chars();
                let first = characters.next()?;
                characters.next().is_none().then(|| CharacterSet::single(first))
            }
            _ => None,
        }
    }

    pub(crate) fn optional(&mut self, of: NodeId) -> NodeId {
        self.choice([of, EMPTY])
    }

    pub(crate) fn star(&mut self, of: NodeId) -> NodeId {
        self.repeat(of, 0, None)
    }

    /// As many times, as often as possible where that matters.
    pub(crate) fn repeat(&mut self, of: NodeId, min: u32, max: Option<u32>) -> NodeId {
        let inner = if let Node::Repeat { of, min, max } = *self.node(of) {
            Some((of, min, max))
        } else {
            None
        };
        match (inner, min, max) {
            _ if of == EMPTY || max == Some(0) => EMPTY,
            _ if of == NOTHING => {
                if min == 0 {
                    EMPTY
                } else {
                    NOTHING
                }
            }
            (_, 1, Some(1)) => of,
            (Some((of, 0 | 1, most)), 0, Some(1)) => {
                self.add(Node::Repeat { of, min: 0, max: most })
            }
            (Some((of, 0 | 1, _)), 0, None) | (Some((of, 0, _)), _, None) => {
                self.add(Node::Repeat { of, min: 0, max: None })
            }
            (Some((of, 1, None)), _, None) => self.add(Node::Repeat { of, min, max: None }),
            _ => self.add(Node::Repeat { of, min, max }),
        }
    }

    /// The parts of a node, in their order; rules have none.
    pub(crate) fn parts(&self, id: NodeId) -> &[NodeId] {
        match self.node(id) {
            Node::Nothing | Node::Text(_) | Node::Set(_) | Node::Rule(_) | Node::Special(_) => &[],
            Node::Lexeme(of) | Node::Repeat { of, .. } => std::slice::from_ref(of),
            Node::Sequence(parts) | Node::Choice(parts) => parts,
        }
    }

    pub(crate) fn is_text(&self, id: NodeId) -> bool {
        matches!(self.node(id), Node::Text(_))
    }

    /// The parts of a sequence, or the node.
    pub(crate) fn parts_of_sequence(&self, id: NodeId) -> Vec<NodeId> {
        match self.node(id) {
            Node::Sequence(parts) => parts.to_vec(),
            _ => vec![id],
        }
    }

    /// What two parts have in common at their beginnings, or at their ends, and the rest of each.
    pub(crate) fn common(
        &mut self,
        one: NodeId,
        other: NodeId,
        is_beginning: bool,
    ) -> Option<(NodeId, NodeId, NodeId)> {
        if one == other {
            return Some((one, EMPTY, EMPTY));
        }
        let (Node::Text(a), Node::Text(b)) = (self.node(one), self.node(other)) else {
            return None;
        };
        let (a, b) = (a.clone(), b.clone());
        let is_same = |(a, b): &(char, char)| a == b;
        let n: usize = if is_beginning {
            a.chars().zip(b.chars()).take_while(is_same).map(|(a, _)| a.len_utf8()).sum()
        } else {
            a.chars()
                .rev()
                .zip(b.chars().rev())
                .take_while(is_same)
                .map(|(a, _)| a.len_utf8())
                .sum()
        };
        if n == 0 {
            return None;
        }
        let [(common, a), (_, b)] = [&a, &b].map(|text| {
            if is_beginning {
                text.split_at(n)
            } else {
                let (rest, common) = text.split_at(text.len() - n);
                (common, rest)
            }
        });
        Some((self.text(common), self.text(a), self.text(b)))
    }
}
