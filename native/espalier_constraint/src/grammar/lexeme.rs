//! [`Lexeme`]: the language of a terminal, read byte by byte.

use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

use super::bytes::ByteSet;
use crate::automaton::{Automaton, LazyAutomaton};
use crate::byte_groups::ByteGroups;
use crate::dfa::{DEAD, Dfa};
use crate::error::Error;
use crate::json_schema::JsonMachine;
use crate::json_tokens::SPACES;
use crate::token_mask::TokenMask;
use crate::token_trie::Bytes;

/// The language of a terminal.
#[derive(Debug)]
pub(crate) enum Lexeme {
    /// One text, which is not empty.
    Text(Arc<[u8]>),
    Pattern(Arc<Pattern>),
    /// A JSON text; its states have numbers until they are forgotten.
    Json {
        automaton: Box<LazyAutomaton<JsonMachine>>,
        /// Whether the text ends where its value does, whatever white space may follow otherwise.
        is_bare: bool,
    },
}

/// A language that an automaton accepts.
#[derive(Debug)]
pub(crate) struct Pattern {
    dfa: Dfa,
    bound: Option<Bound>,
    /// By state, the only bytes that follow, where these are few.
    next_bytes: Vec<Option<Bytes>>,
    /// By state; found when they are asked for.
    loops: OnceLock<Box<[Loops]>>,
}

/// What goes through loops of an automaton from a state on.
#[derive(Debug)]
pub(crate) struct Loops {
    /// The groups of bytes all of which lead back to the state.
    pub(crate) own: ByteGroups,
    pub(crate) next: Option<Loop>,
}

/// Bytes that lead to a state to which all bytes of some groups lead back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loop {
    pub(crate) first: ByteSet,
    pub(crate) to: u32,
    pub(crate) groups: ByteGroups,
}

/// Fewer first bytes are not worth a loop.
const MIN_FIRST: usize = 8;

/// How many tokens may lie in a text before it has to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) max_tokens: u32,
    /// The states before this one are those of a text that may go on as it likes.
    n_open: u32,
}

impl Bound {
    /// Whether tokens count at the state.
    pub(crate) fn is_open(self, at: u32) -> bool {
        at < self.n_open
    }

    /// The state in place of one before, from which the text ends as soon as it can.
    pub(crate) fn ending(self, at: u32) -> u32 {
        self.n_open + at
    }
}

impl Pattern {
    pub(crate) fn new(dfa: Dfa) -> Self {
        let next_bytes = (0..dfa.n_states() as u32).map(|state| dfa.next_bytes(state)).collect();
        Self { dfa, bound: None, next_bytes, loops: OnceLock::new() }
    }

    /// A language whose texts end as soon as they can when that many tokens lie in them.
    pub(crate) fn bounded(dfa: &Dfa, max_tokens: u32) -> Self {
        let bound = Bound { max_tokens, n_open: dfa.n_states() as u32 };
        let ending = dfa.with_shortest_ends();
        if max_tokens > 0 {
            return Self { bound: Some(bound), ..Self::new(ending) };
        }
        let start = if dfa.start() == DEAD { DEAD } else { bound.ending(dfa.start()) };
        Self::new(ending.starting_at(start))
    }

    pub(crate) fn bound(&self) -> Option<Bound> {
        self.bound
    }

    pub(crate) fn dfa(&self) -> &Dfa {
        &self.dfa
    }

    /// What goes through loops from a state on.
    pub(crate) fn loops(&self, state: u32) -> &Loops {
        &self.loops.get_or_init(|| self.find_loops())[state as usize]
    }

    fn find_loops(&self) -> Box<[Loops]> {
        let states = 0..self.dfa.n_states() as u32;
        let own = |state| ByteGroups::leading(&self.dfa, state, state);
        let own: Vec<ByteGroups> = states.clone().map(own).collect();
        states
            .map(|state| Loops { own: own[state as usize], next: self.find_loop(state, &own) })
            .collect()
    }

    /// The loop to which most bytes of ASCII lead.
    fn find_loop(&self, state: u32, own: &[ByteGroups]) -> Option<Loop> {
        let mut targets: SmallVec<[(usize, u32); 8]> = SmallVec::new();
        for to in (0..0x80).filter_map(|byte| self.dfa.step(state, byte)) {
            match targets.iter_mut().find(|(_, other)| *other == to) {
                Some((n_bytes, _)) => *n_bytes += 1,
                None if own[to as usize].is_empty() => {}
                None => targets.push((1, to)),
            }
        }
        let (n_bytes, to) = targets.into_iter().max()?;
        if n_bytes < MIN_FIRST {
            return None;
        }
        let groups = own[to as usize];
        let mut first: ByteSet =
            (0..0x80u8).filter(|&byte| self.dfa.step(state, byte) == Some(to)).collect();
        if groups.are_wide() && ByteGroups::leading(&self.dfa, state, to).are_wide() {
            (0x80..=0xFFu8).for_each(|byte| first.insert(byte));
        }
        Some(Loop { first, to, groups })
    }

    /// Whether no text matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.dfa.start() == DEAD
    }
}

impl Lexeme {
    /// The state before the text; `None` where the language is empty.
    pub(crate) fn start(&mut self) -> Option<u32> {
        match self {
            Self::Text(_) => Some(0),
            Self::Pattern(pattern) => Some(pattern.dfa.start()).filter(|&start| start != DEAD),
            Self::Json { automaton, .. } => Some(automaton.start()),
        }
    }

    pub(crate) fn step(&mut self, at: u32, byte: u8) -> Result<Option<u32>, Error> {
        Ok(match self {
            Self::Text(text) => (text.get(at as usize) == Some(&byte)).then_some(at + 1),
            Self::Pattern(pattern) => pattern.dfa.step(at, byte),
            Self::Json { automaton, is_bare: true }
                if SPACES.contains(&byte) && automaton.is_accepting(at) =>
            {
                None
            }
            Self::Json { automaton, .. } => return automaton.step(at, byte),
        })
    }

    /// Whether the text may end here.
    pub(crate) fn is_accepting(&self, at: u32) -> bool {
        match self {
            Self::Text(text) => at as usize == text.len(),
            Self::Pattern(pattern) => pattern.dfa.is_accepting(at),
            Self::Json { automaton, .. } => automaton.is_accepting(at),
        }
    }

    /// Whether the text must end here, as far as that is known.
    pub(crate) fn is_end(&self, at: u32) -> bool {
        match self {
            Self::Text(text) => at as usize == text.len(),
            Self::Pattern(pattern) => {
                pattern.next_bytes[at as usize].as_ref().is_some_and(Bytes::is_empty)
            }
            Self::Json { .. } => false,
        }
    }

    /// How many bytes a short way to an end takes.
    pub(crate) fn distance(&mut self, at: u32) -> Result<u64, Error> {
        Ok(match self {
            Self::Text(text) => text.len() as u64 - u64::from(at),
            Self::Pattern(pattern) => pattern.dfa.distance(at).into(),
            Self::Json { automaton, .. } => automaton.completion(at)?.len() as u64,
        })
    }

    /// The bytes of that way.
    pub(crate) fn suffix(&mut self, at: u32) -> Result<Vec<u8>, Error> {
        Ok(match self {
            Self::Text(text) => text[at as usize..].to_vec(),
            Self::Pattern(pattern) => pattern.dfa.shortest_suffix(at),
            Self::Json { automaton, .. } => automaton.completion(at)?.to_vec(),
        })
    }

    /// The bytes with which it begins, and perhaps some more.
    pub(crate) fn first_bytes(&self) -> ByteSet {
        match self {
            Self::Text(text) => text.first().copied().into_iter().collect(),
            Self::Pattern(pattern) => {
                let start = pattern.dfa.start();
                (0..=255).filter(|&byte| pattern.dfa.step(start, byte).is_some()).collect()
            }
            Self::Json { .. } => b"{[\"-0123456789tfn".iter().copied().chain(SPACES).collect(),
        }
    }

    /// The only bytes that go on from a state, where these are few.
    pub(crate) fn next_bytes(&self, at: u32) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.get(at as usize).copied().into_iter().collect()),
            Self::Pattern(pattern) => pattern.next_bytes[at as usize].clone(),
            Self::Json { automaton, .. } => automaton.next_bytes(at),
        }
    }

    /// The tokens that stay within an object or an array of a JSON text, where the state is in one.
    pub(crate) fn enclosed_tokens(&mut self, at: u32) -> Result<Option<Arc<TokenMask>>, Error> {
        match self {
            Self::Json { automaton, .. } if automaton.ask(at, JsonMachine::is_enclosed) => {
                Ok(Some(automaton.mask(at)?))
            }
            _ => Ok(None),
        }
    }

    /// How many tokens may lie in the text, if that is bounded.
    pub(crate) fn bound(&self) -> Option<Bound> {
        self.pattern().and_then(|pattern| pattern.bound())
    }

    /// The automaton, if it has one.
    pub(crate) fn pattern(&self) -> Option<&Arc<Pattern>> {
        if let Self::Pattern(pattern) = self { Some(pattern) } else { None }
    }

    /// Whether it is one text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Leaves white space behind JSON to what follows.
    pub(crate) fn make_bare(&mut self) {
        if let Self::Json { is_bare, .. } = self {
            *is_bare = true;
        }
    }

    /// Whether its states have numbers until they are forgotten.
    pub(crate) fn remembers_states(&self) -> bool {
        matches!(self, Self::Json { .. })
    }

    /// About the memory of what it remembers of the states met so far.
    pub(crate) fn memory(&self) -> usize {
        if let Self::Json { automaton, .. } = self { automaton.memory() } else { 0 }
    }

    /// Forgets the numbers of states.
    pub(crate) fn forget_states(&mut self) {
        if let Self::Json { automaton, .. } = self {
            automaton.forget_states();
        }
    }
}
