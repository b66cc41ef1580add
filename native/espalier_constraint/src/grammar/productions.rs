//! [`Productions`]: a grammar without what no text needs, as places in its productions.
//!
//! A *dot* is a place in a production before one of its symbols. The dots of a production have numbers in a
//! row, so that the one behind a symbol is the next.

use std::ops::Range;

use super::bytes::{Bits, ByteSet};
use super::costs::{Costs, sum, times};
use super::follow;
use super::lexeme::Lexeme;
use super::lower::{Lowered, Shape, Symbol};
use crate::error::Error;
use crate::meter::Meter;

/// A set of terminals.
pub(crate) type TerminalSet = Bits<8>;

#[derive(Debug)]
pub(crate) struct Productions {
    dots: Vec<Dot>,
    nonterminals: Vec<Nonterminal>,
    pub(super) costs: Costs,
    start: u32,
    /// By terminal, the bytes that may come after its texts.
    follow: Vec<ByteSet>,
    /// By terminal, the terminals that may come after it, where they aren't many.
    followers: Vec<TerminalSet>,
    /// By terminal, the bytes with which its texts begin.
    first: Vec<ByteSet>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Dot {
    /// What comes next.
    pub(crate) symbol: Symbol,
    is_last: bool,
    /// Of the only dot of a repetition.
    repeat: Option<Bounds>,
    /// What a shortest text of this symbol and those behind it takes.
    cost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    min: u32,
    max: Option<u32>,
}

#[derive(Clone, Debug)]
struct Nonterminal {
    /// The first dots of its productions that are not empty.
    starts: Box<[u32]>,
    /// The dots of a shortest text, and how many times they come.
    shortest: (Range<u32>, u32),
    /// Whether it is a repetition with what is behind that.
    is_loop: bool,
}

/// What comes next at a place in a production, with how many times a repetition has come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) dot: u32,
    pub(crate) count: u32,
}

/// Where a place leads behind its symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Advance {
    /// Whether the production may end.
    pub(crate) ends: bool,
    /// How it goes on otherwise.
    pub(crate) next: Option<Place>,
}

impl Productions {
    /// Without the productions that no text has. The start must have a text.
    pub(crate) fn new(lowered: &Lowered, costs: Costs, meter: &Meter) -> Result<Self, Error> {
        let mut productions = Self {
            dots: Vec::new(),
            nonterminals: Vec::with_capacity(lowered.shapes.len()),
            costs,
            start: lowered.start,
            follow: Vec::new(),
            followers: Vec::new(),
            first: lowered.lexemes.iter().map(Lexeme::first_bytes).collect(),
        };
        for (nonterminal, shape) in (0..).zip(&lowered.shapes) {
            let nonterminal = productions.nonterminal(nonterminal, shape, meter)?;
            productions.nonterminals.push(nonterminal);
        }
        productions.follow = follow::follow(&productions, &productions.first, meter)?;
        if productions.n_terminals() <= TerminalSet::MAX {
            let each =
                (0..productions.n_terminals()).map(|terminal| [terminal].into_iter().collect());
            let each: Vec<TerminalSet> = each.collect();
            productions.followers = follow::follow(&productions, &each, meter)?;
        }
        Ok(productions)
    }

    fn nonterminal(
        &mut self,
        nonterminal: u32,
        shape: &Shape,
        meter: &Meter,
    ) -> Result<Nonterminal, Error> {
        let nothing = Nonterminal { starts: Box::default(), shortest: (0..0, 0), is_loop: false };
        let Some((_, best)) = self.costs.nonterminals[nonterminal as usize] else {
            return Ok(nothing);
        };
        match shape {
            Shape::OneOf(sequences) => {
                self.one_of(sequences.iter().map(|all| &all[..]), best, meter)
            }
            Shape::Loop { of, rest } => {
                let again = [*of, Symbol::Nonterminal(nonterminal)];
                let of = self.one_of([&rest[..], &again].into_iter(), best, meter)?;
                Ok(Nonterminal { is_loop: true, ..of })
            }
            &Shape::Repeat { of, min, max } => {
                let Some(cost) = self.costs.of(of).filter(|_| max != Some(0)) else {
                    return Ok(nothing);
                };
                let dots = self.add(&[of]);
                // Those that are empty count for nothing.
                let min = if cost == 0 { 0 } else { min };
                self.dots[dots.start as usize].repeat = Some(Bounds { min, max });
                let starts = [dots.start].into();
                Ok(Nonterminal { starts, shortest: (dots, min), is_loop: false })
            }
        }
    }

    /// One of some sequences, of which that with the index has a shortest text.
    fn one_of<'a>(
        &mut self,
        sequences: impl Iterator<Item = &'a [Symbol]>,
        best: u32,
        meter: &Meter,
    ) -> Result<Nonterminal, Error> {
        let (mut starts, mut shortest) = (Vec::new(), (0..0, 0));
        for (index, sequence) in (0..).zip(sequences) {
            meter.spend(1 + sequence.len())?;
            if sequence.iter().any(|&symbol| self.costs.of(symbol).is_none()) {
                continue;
            }
            let dots = self.add(sequence);
            if index == best {
                shortest = (dots.clone(), 1);
            }
            starts.extend((!dots.is_empty()).then_some(dots.start));
        }
        Ok(Nonterminal { starts: starts.into(), shortest, is_loop: false })
    }

    /// Adds the dots of a sequence.
    fn add(&mut self, sequence: &[Symbol]) -> Range<u32> {
        let first = self.dots.len();
        for (index, &symbol) in sequence.iter().enumerate() {
            let cost = self.costs.of(symbol).unwrap_or_default();
            let is_last = index + 1 == sequence.len();
            self.dots.push(Dot { symbol, is_last, repeat: None, cost });
        }
        for index in (first + 1..self.dots.len()).rev() {
            self.dots[index - 1].cost = sum(self.dots[index - 1].cost, self.dots[index].cost);
        }
        first as u32..self.dots.len() as u32
    }

    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    pub(crate) fn n_terminals(&self) -> usize {
        self.first.len()
    }

    pub(crate) fn n_nonterminals(&self) -> usize {
        self.nonterminals.len()
    }

    pub(crate) fn dot(&self, dot: u32) -> Dot {
        self.dots[dot as usize]
    }

    /// The first dots of the productions of a nonterminal that are not empty.
    pub(crate) fn starts(&self, nonterminal: u32) -> &[u32] {
        &self.nonterminals[nonterminal as usize].starts
    }

    /// The repetition, with what is behind it, that a production ends with at a dot.
    pub(crate) fn last_loop(&self, dot: u32) -> Option<u32> {
        match &self.dots[dot as usize] {
            Dot { symbol: Symbol::Nonterminal(symbol), is_last: true, .. } => {
                self.nonterminals[*symbol as usize].is_loop.then_some(*symbol)
            }
            _ => None,
        }
    }

    /// Whether the symbol matches the empty text.
    pub(crate) fn is_nullable(&self, symbol: Symbol) -> bool {
        self.costs.of(symbol) == Some(0)
    }

    /// Whether the empty text need not be tried for the symbol at a dot: a repetition counts none.
    pub(crate) fn is_repeat(&self, dot: u32) -> bool {
        self.dots[dot as usize].repeat.is_some()
    }

    pub(crate) fn advance(&self, place: Place) -> Advance {
        let dot = &self.dots[place.dot as usize];
        let Some(Bounds { min, max }) = dot.repeat else {
            let next = Place { dot: place.dot + 1, count: 0 };
            return Advance { ends: dot.is_last, next: (!dot.is_last).then_some(next) };
        };
        let count = place.count + 1;
        // Beyond the least number nothing depends on it where there is no greatest.
        let kept = if max.is_none() { count.min(min) } else { count };
        let next = Place { dot: place.dot, count: kept };
        let goes_on = max.is_none_or(|max| count < max);
        Advance { ends: count >= min, next: goes_on.then_some(next) }
    }

    /// How many bytes a shortest text from a place to the end of its production takes.
    pub(crate) fn cost(&self, place: Place) -> u64 {
        times(self.dots[place.dot as usize].cost, self.n_times(place))
    }

    /// The dots of that text, and how many times they come.
    pub(crate) fn shortest_rest(&self, place: Place) -> (Range<u32>, u32) {
        let length = self.dots[place.dot as usize..].iter().position(|dot| dot.is_last);
        (place.dot..place.dot + 1 + length.unwrap_or(0) as u32, self.n_times(place))
    }

    /// The dots of a shortest text of a nonterminal, and how many times they come.
    pub(crate) fn shortest(&self, nonterminal: u32) -> (Range<u32>, u32) {
        self.nonterminals[nonterminal as usize].shortest.clone()
    }

    fn n_times(&self, place: Place) -> u32 {
        let repeat = self.dots[place.dot as usize].repeat;
        repeat.map_or(1, |bounds| bounds.min.saturating_sub(place.count).max(1))
    }

    /// The bytes that may come after a text of a terminal.
    pub(crate) fn follow(&self, terminal: u32) -> &ByteSet {
        &self.follow[terminal as usize]
    }

    /// The terminals that may come after a terminal, where they aren't many.
    pub(crate) fn followers(&self, terminal: u32) -> Option<&TerminalSet> {
        self.followers.get(terminal as usize)
    }

    /// The bytes with which the texts of a terminal begin.
    pub(crate) fn first(&self, terminal: u32) -> &ByteSet {
        &self.first[terminal as usize]
    }

    /// Each nonterminal with the dots of its productions: all of them in a row.
    pub(super) fn sequences(&self) -> impl Iterator<Item = (u32, &[Dot])> {
        (0..).zip(&self.nonterminals).flat_map(move |(nonterminal, of)| {
            let starts = of.starts.iter().map(|&start| start as usize);
            starts.map(move |start| {
                let dots = &self.dots[start..];
                let length = dots.iter().position(|dot| dot.is_last).unwrap_or(0) + 1;
                (nonterminal, &dots[..length])
            })
        })
    }
}

impl Dot {
    /// Whether its symbol may come again behind itself.
    pub(super) fn comes_again(&self) -> bool {
        self.repeat.is_some_and(|bounds| bounds.max != Some(1))
    }
}
