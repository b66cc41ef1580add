//! A short text that completes what was read of a text of a grammar.

use super::lower::Symbol;
use super::machine::{GrammarMachine, State, Thread};
use crate::error::Error;
use crate::limits::limit;

/// Dots whose texts come next, so many times.
struct Rest {
    dots: std::ops::Range<u32>,
    /// The dot that comes next.
    next: u32,
    n_times: u32,
}

impl GrammarMachine {
    /// A short text from a state on where the text may not end.
    pub(super) fn shortest_text(&mut self, state: &State) -> Result<Vec<u8>, Error> {
        let mut best: Option<(u64, Thread)> = None;
        for thread in self.all_threads(state)? {
            let cost = self.cost(thread)?;
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, thread));
            }
        }
        let mut text = Vec::new();
        let Some((_, Thread { terminal, at, mut then })) = best else { return Ok(text) };
        text.extend(self.lexemes[terminal as usize].suffix(at)?);
        while let Some(item) = self.fronts.continuations.shortest(then) {
            let (dots, n_times) = self.fronts.productions().shortest_rest(item.place);
            self.add_text(dots, n_times, &mut text)?;
            then = item.then;
        }
        Ok(text)
    }

    /// Adds a shortest text of some dots, so many times.
    fn add_text(
        &mut self,
        dots: std::ops::Range<u32>,
        n_times: u32,
        text: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut open = vec![Rest { next: dots.start, dots, n_times }];
        while let Some(rest) = open.last_mut() {
            self.fronts.meter().spend(1)?;
            if rest.n_times == 0 || rest.dots.is_empty() {
                open.pop();
                continue;
            }
            let dot = rest.next;
            rest.next += 1;
            if rest.next == rest.dots.end {
                rest.next = rest.dots.start;
                rest.n_times -= 1;
            }
            let productions = self.fronts.productions();
            let symbol = productions.dot(dot).symbol;
            // What may be empty is.
            if productions.is_nullable(symbol) {
                continue;
            }
            match symbol {
                Symbol::Terminal(terminal) => {
                    let lexeme = &mut self.lexemes[terminal as usize];
                    if let Some(start) = lexeme.start() {
                        text.extend(lexeme.suffix(start)?);
                    }
                    let limits = self.fronts.meter().limits();
                    limit!(limits, completion_bytes).check(text.len())?;
                }
                Symbol::Nonterminal(nonterminal) => {
                    let (dots, n_times) = productions.shortest(nonterminal);
                    open.push(Rest { next: dots.start, dots, n_times });
                }
            }
        }
        Ok(())
    }
}
