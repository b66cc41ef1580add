//! [`follow`]: what may come after the texts of each terminal, wherever it stands.

use super::bytes::Bits;
use super::lower::Symbol;
use super::productions::Productions;
use crate::error::Error;
use crate::meter::Meter;

/// By terminal what begins those that may come after it, from what begins the texts of each. Some more may be
/// among it.
pub(crate) fn follow<const N: usize>(
    productions: &Productions,
    begin: &[Bits<N>],
    meter: &Meter,
) -> Result<Vec<Bits<N>>, Error> {
    let n_terminals = begin.len();
    let index = |symbol| match symbol {
        Symbol::Terminal(terminal) => terminal as usize,
        Symbol::Nonterminal(nonterminal) => n_terminals + nonterminal as usize,
    };
    let n_symbols = n_terminals + productions.n_nonterminals();
    let mut first = Sets::<N>::new(n_symbols);
    first.sets[..n_terminals].copy_from_slice(begin);
    for (nonterminal, dots) in productions.sequences() {
        for dot in dots {
            first.pass(index(dot.symbol), index(Symbol::Nonterminal(nonterminal)));
            if !productions.is_nullable(dot.symbol) {
                break;
            }
        }
    }
    first.settle(meter)?;
    let mut follow = Sets::<N>::new(n_symbols);
    for (nonterminal, dots) in productions.sequences() {
        meter.spend(dots.len())?;
        // What begins the symbols from here on, and whether all of them may be empty.
        let (mut after, mut may_end) = (Bits::default(), true);
        for dot in dots.iter().rev() {
            let symbol = index(dot.symbol);
            if dot.comes_again() {
                after.extend(&first.sets[symbol]);
            }
            follow.sets[symbol].extend(&after);
            if may_end {
                follow.pass(index(Symbol::Nonterminal(nonterminal)), symbol);
            }
            if !productions.is_nullable(dot.symbol) {
                (after, may_end) = (Bits::default(), false);
            }
            after.extend(&first.sets[symbol]);
        }
    }
    follow.settle(meter)?;
    follow.sets.truncate(n_terminals);
    Ok(follow.sets)
}

/// Sets that pass all that they have on to others.
struct Sets<const N: usize> {
    sets: Vec<Bits<N>>,
    targets: Vec<Vec<u32>>,
}

impl<const N: usize> Sets<N> {
    fn new(n: usize) -> Self {
        Self { sets: vec![Bits::default(); n], targets: vec![Vec::new(); n] }
    }

    fn pass(&mut self, from: usize, to: usize) {
        self.targets[from].push(to as u32);
    }

    fn settle(&mut self, meter: &Meter) -> Result<(), Error> {
        let mut open: Vec<u32> = (0..self.sets.len() as u32).collect();
        while let Some(from) = open.pop() {
            let (set, targets) = (self.sets[from as usize], &self.targets[from as usize]);
            meter.spend(1 + targets.len())?;
            for &target in targets {
                if self.sets[target as usize].extend(&set) {
                    open.push(target);
                }
            }
        }
        Ok(())
    }
}
