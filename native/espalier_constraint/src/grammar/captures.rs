//! [`find`]: which parts of a text are those that have a name.

use rustc_hash::{FxHashMap, FxHashSet};

use super::lexeme::Lexeme;
use super::machine::GrammarMachine;
use super::rules::{Grammar, Node, NodeId, RuleId};
use crate::automaton::{Automaton, LazyAutomaton};
use crate::error::Error;
use crate::interner::Interner;
use crate::json_tokens::SPACES;
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
    pub(crate) grammars: FxHashMap<RuleId, GrammarReader>,
    pub(crate) meter: Meter,
}

/// The language of a grammar that is a part.
#[derive(Debug)]
pub(crate) struct GrammarReader {
    pub(crate) texts: LazyAutomaton<GrammarMachine>,
    /// Where there is JSON in it: those of the texts in which no white space behind JSON belongs to that.
    pub(crate) bare: Option<LazyAutomaton<GrammarMachine>>,
}

impl GrammarReader {
    fn automata(&mut self) -> impl Iterator<Item = &mut LazyAutomaton<GrammarMachine>> {
        [&mut self.texts].into_iter().chain(&mut self.bare)
    }
}

impl Readers {
    /// Forgets what was found out about states where that is much.
    pub(crate) fn shrink(&mut self) {
        let of_terminals: usize = self.terminals.iter().map(Lexeme::memory).sum();
        let mut grammars: Vec<_> =
            self.grammars.values_mut().flat_map(GrammarReader::automata).collect();
        let of_grammars: usize = grammars.iter().map(|automaton| automaton.memory()).sum();
        if of_terminals + of_grammars > self.meter.limits().table_bytes {
            self.terminals.iter_mut().for_each(Lexeme::forget_states);
            for automaton in &mut grammars {
                automaton.forget_states();
            }
        }
    }
}

/// The captures of a text, in the order in which they begin; `None` where the text isn't one of the
/// grammar.
///
/// Where a text can be read in several ways it is read as regular expressions are: the first of
/// some choices, repetitions as often as possible, terminals and grammars as long as possible; what comes
/// earlier decides first. White space behind JSON is a part of that only where nothing else can have it. What is
/// repeated beyond the least number takes something or is the last. Each place in the text is looked at once for
/// each place in the grammar.
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
    search.open.push(Way { rest: Some(whole), at: 0, n_fresh: 0, last: None });
    let mut seen = FxHashSet::default();
    while let Some(way) = search.open.pop() {
        meter.spend(1)?;
        match way.rest {
            None if way.at == text.len() => return Ok(Some(search.found(way.last))),
            Some(rest) if seen.insert((rest, way.at, way.n_fresh)) => {
                meter.spend(COST)?;
                search.go_on(rest, way)?;
            }
            _ => {}
        }
    }
    Ok(None)
}

/// What a place in the grammar at a place in the text costs: they are remembered.
const COST: usize = 16;
/// What one more way on costs, which is remembered until it is tried.
const WAY_COST: usize = 6;
/// Of the rounds that a repetition lacks and that take nothing, no more than these are gone through one by one.
const MAX_EMPTY: u32 = 100;

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
    /// A repetition that was gone through so often before this round, as far as that matters.
    Again(NodeId, u32),
    /// The end of a capture.
    End(RuleId),
}

/// How far one way to read the text has come.
#[derive(Clone, Copy)]
struct Way {
    rest: Option<RestId>,
    at: usize,
    /// How many of the rounds of repetitions that it is in have taken nothing so far.
    n_fresh: u32,
    /// The last capture that began or ended.
    last: Option<EventId>,
}

impl Way {
    /// The way behind some more bytes.
    fn past(self, n_bytes: usize, rest: Option<RestId>) -> Self {
        let n_fresh = if n_bytes == 0 { self.n_fresh } else { 0 };
        Self { rest, at: self.at + n_bytes, n_fresh, ..self }
    }
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
            Item::Again(node, n_done) => self.again(node, n_done, behind, way),
            Item::Node(node) => match &self.grammar.nodes[node as usize] {
                Node::Literal(text) => {
                    if self.text[way.at..].starts_with(text) {
                        self.open.push(way.past(text.len(), behind));
                    }
                }
                &Node::Terminal(terminal) => {
                    let lexeme = &mut self.readers.terminals[terminal as usize];
                    let ends = lexeme.ends(&self.text[way.at..], self.meter)?;
                    self.read(&ends, behind, way)?;
                }
                &Node::Rule(rule) => match self.readers.grammars.get_mut(&rule) {
                    Some(grammar) => {
                        let ends = grammar.ends(&self.text[way.at..], self.meter)?;
                        self.read(&ends, behind, way)?;
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
        let n_left = max.map(|max| max.saturating_sub(n_done));
        if n_left == Some(0) {
            return;
        }
        // Beyond the least number it is counted to a greatest one that the rest of the text can reach.
        let is_bounded = n_left.is_some_and(|n| n as usize <= self.text.len() - way.at);
        let n_done = if is_bounded || n_done < min { n_done } else { min };
        let again = self.before(Item::Again(node, n_done), behind);
        let rest = Some(self.before(Item::Node(of), Some(again)));
        self.open.push(Way { rest, n_fresh: way.n_fresh + 1, ..way });
    }

    /// Goes on behind a round of a repetition. One that took nothing could come any number of times.
    fn again(&mut self, node: NodeId, n_before: u32, behind: Option<RestId>, way: Way) {
        let Node::Repeat { min, .. } = self.grammar.nodes[node as usize] else { return };
        let is_empty = way.n_fresh > 0;
        let way = Way { n_fresh: way.n_fresh.saturating_sub(1), ..way };
        if is_empty && (n_before >= min || min - n_before > MAX_EMPTY) {
            return self.open.push(Way { rest: behind, ..way });
        }
        self.repeat(node, n_before + 1, behind, way);
    }

    /// The ways on behind a text of one of these lengths; the last one is tried first.
    fn read(&mut self, ends: &[usize], behind: Option<RestId>, way: Way) -> Result<(), Error> {
        self.meter.spend(ends.len() * WAY_COST)?;
        self.open.extend(ends.iter().map(|&length| way.past(length, behind)));
        Ok(())
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

impl Lexeme {
    /// The lengths of its texts that a text begins with, the one to try first as the last.
    fn ends(&mut self, text: &[u8], meter: &Meter) -> Result<Vec<usize>, Error> {
        let ends = ends(self, text, meter)?;
        let is_bare = |end: usize| !text[..end].last().is_some_and(|byte| SPACES.contains(byte));
        Ok(if self.remembers_states() { spaces_last(ends, text, is_bare) } else { ends })
    }
}

impl GrammarReader {
    /// As [`Lexeme::ends`].
    fn ends(&mut self, text: &[u8], meter: &Meter) -> Result<Vec<usize>, Error> {
        let all = ends(&mut self.texts, text, meter)?;
        let Some(bare) = &mut self.bare else { return Ok(all) };
        let bare = ends(bare, text, meter)?;
        Ok(spaces_last(all, text, |end| bare.binary_search(&end).is_ok()))
    }
}

/// Of the ends that differ by white space only, those where JSON has some of that come behind the others, and the
/// less it has, the sooner.
fn spaces_last(mut ends: Vec<usize>, text: &[u8], is_bare: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut length = 0;
    let mut lengths = vec![0];
    for (at, byte) in (1..).zip(text) {
        length = if SPACES.contains(byte) { length } else { at };
        lengths.push(length);
    }
    ends.sort_by_key(|&end| {
        let is_bare = is_bare(end);
        (lengths[end], is_bare, if is_bare { end } else { text.len() - end })
    });
    ends
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
