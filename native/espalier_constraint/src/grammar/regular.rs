//! [`Regular`]: parts of rules that are one terminal, because no rule within them leads to itself.
//!
//! What a grammar spells sign by sign becomes one automaton: a state of it says more about tokens than many
//! small ones do. What many places share stays by itself where it takes any text of many characters, as names
//! and strings do, so that it is found out once which tokens stay in it.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lexeme::Pattern;
use super::rules::{Grammar, Node, NodeId, RuleId, TerminalId};
use crate::dfa::{Dfa, classes_of};
use crate::error::Error;
use crate::limits::Limit;
use crate::meter::{Meter, Quota};

/// The states of an automaton before it is made deterministic.
const MAX_SIZE: u32 = 400;
/// The states of an automaton.
const MAX_STATES: usize = 400;
/// In a state that others share, so many bytes are many.
const MANY_BYTES: usize = 20;

/// Which parts of a grammar are regular.
#[derive(Debug)]
pub(crate) struct Regular<'a> {
    grammar: &'a Grammar,
    meter: &'a Meter,
    /// The automata of the terminals that are in use, but for schemas.
    patterns: &'a FxHashMap<TerminalId, Arc<Pattern>>,
    /// By node: how many states its automaton has before it is made deterministic, if it may be a part of
    /// others. None while that is not known.
    sizes: Vec<Option<Size>>,
    /// How many nodes are that rule or terminal.
    rule_uses: Vec<u32>,
    terminal_uses: Vec<u32>,
}

/// How nodes become one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Join {
    /// One after the other.
    Sequence,
    /// One of them.
    Choice,
}

/// How many states; none where a node is a terminal of its own or no terminal.
type Size = Option<u32>;

impl<'a> Regular<'a> {
    /// Sizes are found for all nodes that the start leads to.
    pub(crate) fn new(
        (grammar, start): (&'a Grammar, RuleId),
        patterns: &'a FxHashMap<TerminalId, Arc<Pattern>>,
        meter: &'a Meter,
    ) -> Result<Self, Error> {
        let mut regular = Self {
            grammar,
            meter,
            patterns,
            sizes: vec![None; grammar.nodes.len()],
            rule_uses: vec![0; grammar.rules.len()],
            terminal_uses: vec![0; grammar.terminals.len()],
        };
        for node in &grammar.nodes {
            match node {
                Node::Rule(rule) => regular.rule_uses[*rule as usize] += 1,
                Node::Terminal(terminal) => regular.terminal_uses[*terminal as usize] += 1,
                _ => {}
            }
        }
        regular.find_sizes(start)?;
        Ok(regular)
    }

    /// How many of the first nodes may be parts of one terminal.
    pub(crate) fn n_parts(&self, nodes: &[NodeId]) -> usize {
        let mut sum = 0u32;
        let sizes = nodes.iter().map_while(|&node| self.sizes[node as usize].flatten());
        let sums = sizes.map_while(|size| {
            sum += size;
            (sum <= MAX_SIZE).then_some(())
        });
        sums.count()
    }

    /// Whether the node may be a part of a larger terminal.
    pub(crate) fn is_part(&self, node: NodeId) -> bool {
        self.sizes[node as usize].flatten().is_some()
    }

    /// Children before parents. What leads to itself stays without a size on the way, and so do its parents.
    fn find_sizes(&mut self, start: RuleId) -> Result<(), Error> {
        let start = self.grammar.rules[start as usize].body;
        let mut is_open = vec![false; self.grammar.nodes.len()];
        let mut open = vec![(start, 0)];
        is_open[start as usize] = true;
        while let Some((node, next)) = open.last_mut() {
            self.meter.spend(1)?;
            let (node, index) = (*node, *next);
            *next += 1;
            if let Some(child) = self.child(node, index) {
                if !std::mem::replace(&mut is_open[child as usize], true) {
                    open.push((child, 0));
                }
                continue;
            }
            open.pop();
            self.sizes[node as usize] = Some(self.size(node)?);
        }
        Ok(())
    }

    /// The child of a node with the index, as far as there are children.
    fn child(&self, node: NodeId, index: usize) -> Option<NodeId> {
        match &self.grammar.nodes[node as usize] {
            Node::Literal(_) | Node::Terminal(_) => None,
            Node::Rule(rule) => (index == 0).then(|| self.grammar.rules[*rule as usize].body),
            Node::Sequence(parts) | Node::Choice(parts) => parts.get(index).copied(),
            Node::Repeat { of, .. } => (index == 0).then_some(*of),
        }
    }

    fn size(&self, node: NodeId) -> Result<Size, Error> {
        let of = |node: NodeId| self.sizes[node as usize].flatten();
        let size = match &self.grammar.nodes[node as usize] {
            Node::Literal(text) => Some(text.len() as u32 + 1),
            Node::Terminal(terminal) => self.patterns.get(terminal).and_then(|pattern| {
                if pattern.bound().is_some() {
                    return None;
                }
                let is_shared = self.terminal_uses[*terminal as usize] > 1;
                let is_part = !is_shared || !pattern.takes_many();
                is_part.then_some(pattern.dfa().n_states() as u32)
            }),
            Node::Rule(rule) => return self.rule_size(*rule),
            Node::Sequence(parts) | Node::Choice(parts) => {
                parts.iter().try_fold(1u32, |sum, &part| sum.checked_add(of(part)?))
            }
            Node::Repeat { of: part, min, max } => {
                let n_copies = max.unwrap_or(*min).max(1);
                of(*part).and_then(|size| size.checked_mul(n_copies)?.checked_add(1))
            }
        };
        Ok(size.filter(|&size| size <= MAX_SIZE && joins()))
    }

    /// A rule that is used in several places is a part of all if that costs little.
    fn rule_size(&self, rule: RuleId) -> Result<Size, Error> {
        let body = self.grammar.rules[rule as usize].body;
        let Some(size) = self.sizes[body as usize].flatten() else { return Ok(None) };
        if self.rule_uses[rule as usize] > 1 {
            let pattern = self.automaton(Join::Sequence, &[body])?;
            if pattern.is_none_or(|pattern| pattern.takes_many()) {
                return Ok(None);
            }
        }
        Ok(Some(size))
    }

    /// One automaton for some nodes; `None` where it is too large.
    pub(crate) fn automaton(&self, join: Join, nodes: &[NodeId]) -> Result<Option<Pattern>, Error> {
        let sizes = nodes.iter().map(|&node| self.sizes[node as usize].flatten());
        let Some(_) = sizes.sum::<Option<u32>>().filter(|&size| size <= MAX_SIZE) else {
            return Ok(None);
        };
        let mut builder = Builder { regular: self, states: vec![State::Joint(Vec::new())] };
        let start = match join {
            Join::Sequence => builder.sequence(nodes, Builder::END),
            Join::Choice => builder.choice(nodes, Builder::END),
        };
        let states = builder.states;
        let class = |byte: u8| {
            let classes = states.iter().map(move |state| match state {
                State::Byte(expected, _) => u8::from(byte == *expected),
                State::Inside { pattern, at: 0, .. } => pattern.dfa().class(byte),
                State::Joint(_) | State::Inside { .. } => 0,
            });
            classes.collect::<Vec<u8>>()
        };
        let (classes, representatives) = classes_of(class);
        let limit = Limit { name: "", value: MAX_STATES };
        let explored = Dfa::explore(
            reached(&states, [start]),
            (classes, &representatives),
            Quota::new(self.meter, limit).costing(2),
            |at: &Vec<u32>, byte| {
                let next = at.iter().filter_map(|&at| states[at as usize].step(byte));
                Some(reached(&states, next)).filter(|next| !next.is_empty())
            },
            |at| Ok(at.contains(&Builder::END)),
        );
        match explored {
            Ok(dfa) => Ok(Some(Pattern::new(dfa.minimized()))),
            Err(Error::LimitExceeded { limit: "", .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether parts become one terminal: always, but in tests of what happens otherwise.
fn joins() -> bool {
    #[cfg(test)]
    return JOINS.get();
    #[cfg(not(test))]
    true
}

#[cfg(test)]
thread_local! {
    pub(super) static JOINS: std::cell::Cell<bool> = const { std::cell::Cell::new(true) };
}

impl Pattern {
    /// Whether it has a state to which many bytes lead back.
    fn takes_many(&self) -> bool {
        let dfa = self.dfa();
        let n_states = dfa.n_states();
        let live = |state: u32| (0..=255).filter_map(move |byte| dfa.step(state, byte));
        (0..n_states as u32).filter(|&state| live(state).count() >= MANY_BYTES).any(|start| {
            let (mut seen, mut open) = (vec![false; n_states], vec![start]);
            while let Some(state) = open.pop() {
                for next in live(state) {
                    if next == start {
                        return true;
                    }
                    if !std::mem::replace(&mut seen[next as usize], true) {
                        open.push(next);
                    }
                }
            }
            false
        })
    }
}

/// An automaton that is not deterministic.
struct Builder<'a> {
    regular: &'a Regular<'a>,
    states: Vec<State>,
}

enum State {
    /// Goes on in others without a byte.
    Joint(Vec<u32>),
    Byte(u8, u32),
    /// A state of a terminal's automaton, the first of which has the number `first`; it ends in `end`.
    Inside {
        pattern: Arc<Pattern>,
        at: u32,
        first: u32,
        end: u32,
    },
}

impl State {
    fn step(&self, byte: u8) -> Option<u32> {
        match self {
            Self::Joint(_) => None,
            Self::Byte(expected, next) => (byte == *expected).then_some(*next),
            Self::Inside { pattern, at, first, .. } => Some(first + pattern.dfa().step(*at, byte)?),
        }
    }
}

/// The states in which bytes are read that some states lead to, and the end; in ascending order.
fn reached(states: &[State], from: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut open: Vec<u32> = from.into_iter().collect();
    let (mut seen, mut reached) = (vec![false; states.len()], Vec::new());
    while let Some(at) = open.pop() {
        if std::mem::replace(&mut seen[at as usize], true) {
            continue;
        }
        match &states[at as usize] {
            State::Joint(next) => {
                open.extend(next);
                if at != Builder::END {
                    continue;
                }
            }
            State::Inside { pattern, at, end, .. } if pattern.dfa().is_accepting(*at) => {
                open.push(*end);
            }
            State::Byte(..) | State::Inside { .. } => {}
        }
        reached.push(at);
    }
    reached.sort_unstable();
    reached
}

impl Builder<'_> {
    /// The state in which all has ended.
    const END: u32 = 0;

    fn add(&mut self, state: State) -> u32 {
        self.states.push(state);
        (self.states.len() - 1) as u32
    }

    /// Adds what a node matches before the end; answers where it begins. The depth of nodes is bounded by
    /// their size.
    fn node(&mut self, node: NodeId, end: u32) -> u32 {
        let grammar = self.regular.grammar;
        match &grammar.nodes[node as usize] {
            Node::Literal(text) => {
                text.iter().rev().fold(end, |next, &byte| self.add(State::Byte(byte, next)))
            }
            Node::Terminal(terminal) => self.terminal(*terminal, end),
            Node::Rule(rule) => self.node(grammar.rules[*rule as usize].body, end),
            Node::Sequence(parts) => self.sequence(parts, end),
            Node::Choice(choices) => self.choice(choices, end),
            &Node::Repeat { of, min, max } => self.repeat(of, (min, max), end),
        }
    }

    fn sequence(&mut self, parts: &[NodeId], end: u32) -> u32 {
        parts.iter().rev().fold(end, |next, &part| self.node(part, next))
    }

    fn choice(&mut self, choices: &[NodeId], end: u32) -> u32 {
        let starts = choices.iter().map(|&choice| self.node(choice, end)).collect();
        self.add(State::Joint(starts))
    }

    fn repeat(&mut self, of: NodeId, (min, max): (u32, Option<u32>), end: u32) -> u32 {
        let Some(max) = max else {
            let again = self.add(State::Joint(vec![end]));
            let first = self.node(of, again);
            self.states[again as usize] = State::Joint(vec![end, first]);
            let last = if min == 0 { again } else { first };
            return (1..min).fold(last, |next, _| self.node(of, next));
        };
        if max < min {
            return self.add(State::Joint(Vec::new()));
        }
        let optional = (min..max).fold(end, |next, _| {
            let one = self.node(of, next);
            self.add(State::Joint(vec![end, one]))
        });
        (0..min).fold(optional, |next, _| self.node(of, next))
    }

    fn terminal(&mut self, terminal: TerminalId, end: u32) -> u32 {
        let Some(pattern) = self.regular.patterns.get(&terminal).cloned() else {
            return self.add(State::Joint(Vec::new()));
        };
        let dfa = pattern.dfa();
        if dfa.start() as usize >= dfa.n_states() {
            return self.add(State::Joint(Vec::new()));
        }
        let first = self.states.len() as u32;
        for at in 0..dfa.n_states() as u32 {
            self.states.push(State::Inside { pattern: pattern.clone(), at, first, end });
        }
        first + dfa.start()
    }
}
