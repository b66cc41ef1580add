//! How many bytes a shortest text of each symbol takes; none where nothing matches.
//!
//! Symbols are settled in the order of their costs, as in Knuth's generalisation of Dijkstra's algorithm. So
//! the production that gives a shortest text only has symbols that were settled before.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::lexeme::Lexeme;
use super::lower::{Lowered, Shape, Symbol};
use crate::error::Error;
use crate::meter::Meter;

/// The greatest cost; more counts as this.
pub(crate) const MAX_COST: u64 = u64::MAX >> 1;

/// What is known of the costs of all symbols.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    /// By terminal.
    pub(crate) terminals: Vec<Option<u64>>,
    /// By nonterminal, with the index of the production of a shortest text.
    pub(crate) nonterminals: Vec<Option<(u64, u32)>>,
}

/// A production some symbols of which are not settled yet.
struct Pending {
    nonterminal: u32,
    index: u32,
    n_left: u32,
    cost: u64,
}

/// Where a symbol is needed: a production, and how many times.
type Use = (u32, u32);

impl Costs {
    pub(crate) fn new(lowered: &mut Lowered, meter: &Meter) -> Result<Self, Error> {
        let terminals: Vec<_> =
            lowered.lexemes.iter_mut().map(distance).collect::<Result<_, Error>>()?;
        let nonterminals = vec![None; lowered.shapes.len()];
        let mut settling = Settling {
            costs: Self { terminals, nonterminals },
            uses: vec![Vec::new(); lowered.shapes.len()],
            pending: Vec::new(),
            heap: BinaryHeap::new(),
        };
        for (nonterminal, shape) in (0..).zip(&lowered.shapes) {
            settling.add_shape(nonterminal, shape, meter)?;
        }
        settling.settle(meter)?;
        Ok(settling.costs)
    }

    pub(crate) fn of(&self, symbol: Symbol) -> Option<u64> {
        match symbol {
            Symbol::Terminal(terminal) => self.terminals[terminal as usize],
            Symbol::Nonterminal(nonterminal) => {
                self.nonterminals[nonterminal as usize].map(|(cost, _)| cost)
            }
        }
    }
}

pub(crate) fn sum(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(MAX_COST)
}

pub(crate) fn times(cost: u64, n: u32) -> u64 {
    cost.saturating_mul(n.into()).min(MAX_COST)
}

fn distance(lexeme: &mut Lexeme) -> Result<Option<u64>, Error> {
    let Some(start) = lexeme.start() else { return Ok(None) };
    Ok(Some(lexeme.distance(start)?))
}

struct Settling {
    costs: Costs,
    /// By nonterminal.
    uses: Vec<Vec<Use>>,
    pending: Vec<Pending>,
    /// Costs of nonterminals, each by one of their productions.
    heap: BinaryHeap<Reverse<(u64, u32, u32)>>,
}

impl Settling {
    fn add_shape(&mut self, nonterminal: u32, shape: &Shape, meter: &Meter) -> Result<(), Error> {
        match shape {
            Shape::OneOf(productions) => {
                for (index, production) in (0..).zip(productions) {
                    meter.spend(1 + production.len())?;
                    self.add((nonterminal, index), production.iter().map(|&symbol| (symbol, 1)));
                }
            }
            Shape::Loop { of, rest } => {
                meter.spend(1 + rest.len())?;
                self.add((nonterminal, 0), rest.iter().map(|&symbol| (symbol, 1)));
                let again = [*of, Symbol::Nonterminal(nonterminal)];
                self.add((nonterminal, 1), again.into_iter().map(|symbol| (symbol, 1)));
            }
            &Shape::Repeat { of, min, max } => {
                if max.is_none_or(|max| min <= max) {
                    let needed = (min > 0).then_some((of, min));
                    self.add((nonterminal, 0), needed.into_iter());
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        (nonterminal, index): (u32, u32),
        symbols: impl Iterator<Item = (Symbol, u32)>,
    ) {
        let id = self.pending.len() as u32;
        let mut pending = Pending { nonterminal, index, n_left: 0, cost: 0 };
        for (symbol, n) in symbols {
            match symbol {
                Symbol::Terminal(terminal) => match self.costs.terminals[terminal as usize] {
                    Some(cost) => pending.cost = sum(pending.cost, times(cost, n)),
                    // It is never settled.
                    None => pending.n_left += 1,
                },
                Symbol::Nonterminal(used) => {
                    pending.n_left += 1;
                    self.uses[used as usize].push((id, n));
                }
            }
        }
        if pending.n_left == 0 {
            self.heap.push(Reverse((pending.cost, nonterminal, index)));
        }
        self.pending.push(pending);
    }

    fn settle(&mut self, meter: &Meter) -> Result<(), Error> {
        while let Some(Reverse((cost, nonterminal, index))) = self.heap.pop() {
            let known = &mut self.costs.nonterminals[nonterminal as usize];
            if known.is_some() {
                continue;
            }
            *known = Some((cost, index));
            let uses = std::mem::take(&mut self.uses[nonterminal as usize]);
            meter.spend(1 + uses.len())?;
            for (user, n) in uses {
                let user = &mut self.pending[user as usize];
                user.cost = sum(user.cost, times(cost, n));
                user.n_left -= 1;
                if user.n_left == 0 {
                    self.heap.push(Reverse((user.cost, user.nonterminal, user.index)));
                }
            }
        }
        Ok(())
    }
}
