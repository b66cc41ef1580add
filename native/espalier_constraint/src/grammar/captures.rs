//! [`find`]: which parts of a text are those that have a name.

use rustc_hash::{FxHashMap, FxHashSet};

use super::lexeme::Lexeme;
use super::machine::GrammarMachine;
use super::rules::{Grammar, Node, NodeId, RuleId};
use crate::automaton::{Automaton, LazyAutomaton};
use crate::error::Error;
use crate::interner::Interner;
use crate::meter::Meter;

/// A part of a text that a capture is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) rule: RuleId,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// The languages that a text is made of.
#[derive(Debug)]
pub(crate) struct Readers {
    /// Of the terminals.
    pub(crate) terminals: Vec<Lexeme>,
    /// Of the grammars that are parts, by their start. They are read as a whole: nothing in them has a name, and
    /// they may lead to themselves.
    pub(crate) grammars: FxHashMap<RuleId, LazyAutomaton<GrammarMachine>>,
    pub(crate) meter: Meter,
}

impl Readers {
    /// Forgets what was found out about states where that is much.
    pub(crate) fn shrink(&mut self) {
        let of_terminals = self.terminals.iter().map(Lexeme::memory);
        let of_grammars = self.grammars.values().map(LazyAutomaton::memory);
        if of_terminals.chain(of_grammars).sum::<usize>() > self.meter.limits().table_bytes {
            self.terminals.iter_mut().for_each(Lexeme::forget_states);
            self.grammars.values_mut().for_each(LazyAutomaton::forget_states);
        }
    }
}

/// The captures of a text, in the order in which they begin; `None` where the text isn't one of the
/// grammar.
///
/// Where a text can be read in several ways it is read as regular expressions are: the first of
/// some choices, repetitions as often as possible, terminals and grammars as long as possible; what comes
/// earlier decides first. Each place in the text is looked at once for each place in the grammar.
///
/// # Errors
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn find(
    grammar: &Grammar,
    readers: &mut Readers,
    text: &[u8],
) -> Result<Option<Vec<Found>>, Error> {
    let meter = readers.meter.clone();
    meter.restart();
    let mut search = Search {
        grammar,
        readers,
        text,
        meter: &meter,
        rests: Interner::default(),
        open: Vec::new(),
        events: Vec::new(),
    };
    let whole = search.before(Item::Node(grammar.rules[grammar.start as usize].body), None);
    search.open.push(Way { rest: Some(whole), at: 0, last: None });
    let mut seen = FxHashSet::default();
    while let Some(way) = search.open.pop() {
        meter.spend(1)?;
        match way.rest {
            None if way.at == text.len() => return Ok(Some(search.found(way.last))),
            Some(rest) if seen.insert((rest, way.at)) => search.go_on(rest, way)?,
            _ => {}
        }
    }
    Ok(None)
}

type RestId = u32;
type EventId = u32;

/// What is still to come of a text: an item, and what is behind it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Rest {
    item: Item,
    behind: Option<RestId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Node(NodeId),
    /// A repetition that was gone through so often, as far as that matters.
    Again(NodeId, u32),
    /// The end of a capture.
    End(RuleId),
}

/// How far one way to read the text has come.
#[derive(Clone, Copy)]
struct Way {
    rest: Option<RestId>,
    at: usize,
    /// The last capture that began or ended.
    last: Option<EventId>,
}

struct Event {
    rule: RuleId,
    at: usize,
    is_end: bool,
    before: Option<EventId>,
}

struct Search<'a> {
    grammar: &'a Grammar,
    readers: &'a mut Readers,
    text: &'a [u8],
    meter: &'a Meter,
    rests: Interner<Rest>,
    /// The ways that are left to try, the next one last.
    open: Vec<Way>,
    events: Vec<Event>,
}

impl Search<'_> {
    fn before(&mut self, item: Item, behind: Option<RestId>) -> RestId {
        self.rests.intern(Rest { item, behind })
    }

    fn go_on(&mut self, rest: RestId, way: Way) -> Result<(), Error> {
        let Rest { item, behind } = *self.rests.get(rest);
        match item {
            Item::End(rule) => {
                let last = Some(self.note(rule, true, way));
                self.open.push(Way { rest: behind, last, ..way });
            }
            Item::Again(node, n_done) => self.repeat(node, n_done, behind, way),
            Item::Node(node) => match &self.grammar.nodes[node as usize] {
                Node::Literal(text) => {
                    if self.text[way.at..].starts_with(text) {
                        self.open.push(Way { rest: behind, at: way.at + text.len(), ..way });
                    }
                }
                &Node::Terminal(terminal) => {
                    let lexeme = &mut self.readers.terminals[terminal as usize];
                    let ends = ends(lexeme, &self.text[way.at..], self.meter)?;
                    self.read(ends, behind, way);
                }
                &Node::Rule(rule) => match self.readers.grammars.get_mut(&rule) {
                    Some(grammar) => {
                        let ends = ends(grammar, &self.text[way.at..], self.meter)?;
                        self.read(ends, behind, way);
                    }
                    None => self.enter(rule, behind, way),
                },
                Node::Sequence(parts) => {
                    let mut rest = behind;
                    for &part in parts.iter().rev() {
                        rest = Some(self.before(Item::Node(part), rest));
                    }
                    self.open.push(Way { rest, ..way });
                }
                Node::Choice(choices) => {
                    for &choice in choices.iter().rev() {
                        let rest = Some(self.before(Item::Node(choice), behind));
                        self.open.push(Way { rest, ..way });
                    }
                }
                Node::Repeat { .. } => self.repeat(node, 0, behind, way),
            },
        }
        Ok(())
    }

    fn enter(&mut self, rule: RuleId, behind: Option<RestId>, way: Way) {
        let body = Item::Node(self.grammar.rules[rule as usize].body);
        if !self.grammar.captures.contains(&rule) {
            let rest = Some(self.before(body, behind));
            return self.open.push(Way { rest, ..way });
        }
        let last = Some(self.note(rule, false, way));
        let end = self.before(Item::End(rule), behind);
        let rest = Some(self.before(body, Some(end)));
        self.open.push(Way { rest, last, ..way });
    }

    fn repeat(&mut self, node: NodeId, n_done: u32, behind: Option<RestId>, way: Way) {
        let Node::Repeat { of, min, max } = self.grammar.nodes[node as usize] else { return };
        if n_done >= min {
            self.open.push(Way { rest: behind, ..way });
        }
        if max.is_none_or(|max| n_done < max) {
            // Beyond the least number only a greatest one is counted to.
            let n_done = if max.is_some() || n_done < min { n_done + 1 } else { n_done };
            let again = self.before(Item::Again(node, n_done), behind);
            let rest = Some(self.before(Item::Node(of), Some(again)));
            self.open.push(Way { rest, ..way });
        }
    }

    /// The ways on behind a text of one of these lengths; the longest one is tried first.
    fn read(&mut self, ends: Vec<usize>, behind: Option<RestId>, way: Way) {
        let ways = ends.into_iter().map(|length| Way { rest: behind, at: way.at + length, ..way });
        self.open.extend(ways);
    }

    fn note(&mut self, rule: RuleId, is_end: bool, way: Way) -> EventId {
        self.events.push(Event { rule, at: way.at, is_end, before: way.last });
        (self.events.len() - 1) as EventId
    }

    fn found(&self, mut last: Option<EventId>) -> Vec<Found> {
        let (mut found, mut ends) = (Vec::new(), Vec::new());
        while let Some(event) = last.map(|id| &self.events[id as usize]) {
            if event.is_end {
                ends.push(event.at);
            } else if let Some(end) = ends.pop() {
                found.push(Found { rule: event.rule, start: event.at, end });
            }
            last = event.before;
        }
        found.reverse();
        found
    }
}

/// A language that is read byte by byte.
trait Language {
    fn start(&mut self) -> Option<u32>;
    fn step(&mut self, at: u32, byte: u8) -> Result<Option<u32>, Error>;
    fn is_accepting(&self, at: u32) -> bool;
}

impl Language for Lexeme {
    fn start(&mut self) -> Option<u32> {
        self.start()
    }

    fn step(&mut self, at: u32, byte: u8) -> Result<Option<u32>, Error> {
        self.step(at, byte)
    }

    fn is_accepting(&self, at: u32) -> bool {
        self.is_accepting(at)
    }
}

impl Language for LazyAutomaton<GrammarMachine> {
    fn start(&mut self) -> Option<u32> {
        Some(Automaton::start(self))
    }

    fn step(&mut self, at: u32, byte: u8) -> Result<Option<u32>, Error> {
        Automaton::step(self, at, byte)
    }

    fn is_accepting(&self, at: u32) -> bool {
        Automaton::is_accepting(self, at)
    }
}

/// The lengths of the texts of a language that a text begins with, ascending.
fn ends(language: &mut impl Language, text: &[u8], meter: &Meter) -> Result<Vec<usize>, Error> {
    let mut ends = Vec::new();
    let mut state = language.start();
    for at in 0..=text.len() {
        let Some(before) = state else { break };
        if language.is_accepting(before) {
            ends.push(at);
        }
        let Some(&byte) = text.get(at) else { break };
        meter.spend(1)?;
        state = language.step(before, byte)?;
    }
    Ok(ends)
}
