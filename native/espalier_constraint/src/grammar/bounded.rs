//! Free text of so many tokens at most.
//!
//! How many tokens lie in a text is no part of a state: who follows the text counts, one number for each
//! bounded text that is being read, in the order of the threads. When the bound is reached, the text goes over to
//! states from which only the shortest ways lead on to its end. So masks are those of states, and there are
//! at most twice as many of these.

use smallvec::SmallVec;

use super::machine::{GrammarMachine, State, Thread};
use crate::error::Error;
use crate::machine::{Counted, Counts, Machine};

/// Bounded texts that are being read, each with how many tokens lie in it.
type Running = SmallVec<[(Thread, u32); 2]>;

impl GrammarMachine {
    /// See [`Machine::count_tokens`].
    pub(super) fn count_in_texts(
        &mut self,
        (before, counts): (&State, &Counts),
        bytes: &[u8],
        n_tokens: u32,
        after: &State,
    ) -> Result<Counted<State>, Error> {
        let bounded: SmallVec<[Thread; 2]> =
            after.threads.iter().copied().filter(|&thread| self.is_bounded(thread)).collect();
        if bounded.is_empty() {
            return Ok((None, Counts::new()));
        }
        let running = self.running((before, counts), bytes)?;
        let count = |thread: &Thread| {
            let found = running.iter().find(|(running, _)| running == thread);
            found.map_or(0, |(_, count)| *count).saturating_add(n_tokens)
        };
        let counts: Counts = bounded.iter().map(count).collect();
        let ending: SmallVec<[Thread; 2]> = (bounded.iter().zip(&counts))
            .filter(|&(&thread, &count)| count >= self.max_tokens(thread))
            .map(|(&thread, _)| thread)
            .collect();
        if ending.is_empty() {
            return Ok((None, counts));
        }
        let left = bounded.iter().zip(counts).filter(|(thread, _)| !ending.contains(thread));
        let counts = left.map(|(_, count)| count).collect();
        Ok((Some(self.ended(after, &ending)?), counts))
    }

    /// The bounded texts that are being read after some bytes. Of those that are read alike the one that began last
    /// counts.
    fn running(
        &mut self,
        (before, counts): (&State, &Counts),
        bytes: &[u8],
    ) -> Result<Running, Error> {
        let bounded = before.threads.iter().copied().filter(|&thread| self.is_bounded(thread));
        let mut running: Running = bounded.zip(counts.iter().copied()).collect();
        let mut state = before.clone();
        for &byte in bytes {
            self.fronts.meter().spend(1)?;
            let mut next = Running::new();
            for (thread, count) in running {
                self.go_on((thread, count), byte, &mut next)?;
            }
            if let Some(front) = state.front {
                for &(terminal, then) in &self.fronts.find(front)?.threads {
                    if let Some(at) = self.lexemes[terminal as usize].start() {
                        self.go_on((Thread { terminal, at, then }, 0), byte, &mut next)?;
                    }
                }
            }
            running = next;
            let Some(after) = self.step(&state, byte)? else { break };
            state = after;
        }
        Ok(running)
    }

    /// Adds where a bounded text leads with one more byte.
    fn go_on(
        &mut self,
        (thread, count): (Thread, u32),
        byte: u8,
        next: &mut Running,
    ) -> Result<(), Error> {
        if !self.is_bounded(thread) {
            return Ok(());
        }
        let lexeme = &mut self.lexemes[thread.terminal as usize];
        let Some(at) = lexeme.step(thread.at, byte)? else { return Ok(()) };
        let thread = Thread { at, ..thread };
        match next.iter_mut().find(|(known, _)| *known == thread) {
            Some((_, known)) => *known = count.min(*known),
            None => next.push((thread, count)),
        }
        Ok(())
    }

    /// The state where some bounded texts have to end as soon as they can.
    fn ended(&mut self, state: &State, ending: &[Thread]) -> Result<State, Error> {
        let (mut threads, mut reached) = (SmallVec::new(), Vec::new());
        for &thread in &state.threads {
            let lexeme = &self.lexemes[thread.terminal as usize];
            let at = match lexeme.bound() {
                Some(bound) if ending.contains(&thread) => bound.ending(thread.at),
                _ => thread.at,
            };
            if at != thread.at && lexeme.is_accepting(at) {
                reached.push(thread.then);
            } else {
                threads.push(Thread { at, ..thread });
            }
        }
        threads.sort_unstable();
        threads.dedup();
        reached.sort_unstable();
        reached.dedup();
        let front = match (state.front, &reached[..]) {
            (front, []) => front,
            (None, reached) => Some(self.fronts.behind(reached)?),
            (Some(front), reached) => {
                let behind = self.fronts.behind(reached)?;
                Some(self.fronts.merge(front, behind)?)
            }
        };
        Ok(State { front, threads })
    }

    fn is_bounded(&self, thread: Thread) -> bool {
        let bound = self.lexemes[thread.terminal as usize].bound();
        bound.is_some_and(|bound| bound.is_open(thread.at))
    }

    fn max_tokens(&self, thread: Thread) -> u32 {
        self.lexemes[thread.terminal as usize].bound().map_or(u32::MAX, |bound| bound.max_tokens)
    }
}
