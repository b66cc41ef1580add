//! [`GrammarMachine`]: texts of a context-free grammar, read byte by byte.
//!
//! A state is the terminals that are being read, each with what comes behind it, and the front at this place,
//! where terminals begin. Within a terminal a step is one of its automaton; only where a terminal may end
//! it is found out what begins there, once for each continuation.

use std::sync::Arc;

use smallvec::SmallVec;

use super::continuations::ContinuationId;
use super::costs::sum;
use super::fronts::{FrontId, Fronts, START};
use super::lexeme::Lexeme;
use super::productions::Productions;
use super::special_tokens::SpecialTokens;
use super::terminal_tokens::TerminalTokens;
use crate::error::Error;
use crate::limits::limit;
use crate::machine::{Counted, Counts, Machine, NoInside};
use crate::meter::Meter;
use crate::token_mask::{MaskBuilder, TokenSet};
use crate::vocabulary::Vocabulary;

#[derive(Debug)]
pub(crate) struct GrammarMachine {
    pub(super) lexemes: Vec<Lexeme>,
    /// Those of the lexemes that remember states.
    schemas: Vec<usize>,
    pub(super) fronts: Fronts,
    pub(super) tokens: TerminalTokens,
    special_tokens: Arc<SpecialTokens>,
    has_bounds: bool,
}

/// Where a text of a grammar stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// The terminals that may begin here, if some may that begin where something ended.
    pub(super) front: Option<FrontId>,
    /// In ascending order, each once.
    pub(super) threads: SmallVec<[Thread; 2]>,
}

/// A terminal of which a part was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Thread {
    pub(super) terminal: u32,
    /// Its state.
    pub(super) at: u32,
    /// What comes behind it.
    pub(super) then: ContinuationId,
}

impl GrammarMachine {
    pub(crate) fn new(
        lexemes: Vec<Lexeme>,
        productions: Productions,
        special_tokens: Arc<SpecialTokens>,
        meter: &Meter,
    ) -> Self {
        let (fronts, tokens) = (Fronts::new(productions, meter.clone()), TerminalTokens::default());
        let has_bounds = lexemes.iter().any(|lexeme| lexeme.bound().is_some());
        let is_schema = |&index: &usize| lexemes[index].remembers_states();
        let schemas = (0..lexemes.len()).filter(is_schema).collect();
        Self { lexemes, schemas, fronts, tokens, special_tokens, has_bounds }
    }

    /// Whether there is JSON in it.
    pub(super) fn has_schemas(&self) -> bool {
        !self.schemas.is_empty()
    }

    /// The same where white space behind JSON belongs to what follows.
    pub(super) fn bare(mut self) -> Self {
        self.lexemes.iter_mut().for_each(Lexeme::make_bare);
        self
    }

    /// The terminals that are being read at a state, and those that may begin.
    pub(super) fn all_threads(&mut self, state: &State) -> Result<Vec<Thread>, Error> {
        let mut threads = state.threads.to_vec();
        if let Some(front) = state.front {
            for &(terminal, then) in &self.fronts.find(front)?.threads {
                let at = self.lexemes[terminal as usize].start();
                threads.extend(at.map(|at| Thread { terminal, at, then }));
            }
        }
        Ok(threads)
    }

    /// The first byte of the terminals that begin at a front.
    pub(super) fn step_front(
        &mut self,
        front: FrontId,
        byte: u8,
        step: &mut Step,
    ) -> Result<(), Error> {
        if !self.fronts.may_begin(front, byte)? {
            return Ok(());
        }
        let front = self.fronts.find(front)?;
        self.fronts.meter().spend(front.threads.len() / 16)?;
        for &(terminal, then) in &front.threads {
            if self.fronts.productions().first(terminal).contains(byte)
                && let Some(at) = self.lexemes[terminal as usize].start()
            {
                self.step_thread(Thread { terminal, at, then }, byte, step)?;
            }
        }
        Ok(())
    }

    /// One more byte of some terminals, or the first one of those that may begin at some fronts; what it
    /// leads to is in order. `None` where it leads nowhere.
    pub(super) fn step_all(
        &mut self,
        threads: &[Thread],
        fronts: &[FrontId],
        byte: u8,
    ) -> Result<Option<Step>, Error> {
        let mut step = Step::default();
        for &thread in threads {
            self.step_thread(thread, byte, &mut step)?;
        }
        for &front in fronts {
            self.step_front(front, byte, &mut step)?;
        }
        if step.threads.is_empty() && step.reached.is_empty() {
            return Ok(None);
        }
        step.threads.sort_unstable();
        step.threads.dedup();
        step.reached.sort_unstable();
        step.reached.dedup();
        Ok(Some(step))
    }

    /// One more byte of a terminal.
    fn step_thread(&mut self, thread: Thread, byte: u8, step: &mut Step) -> Result<(), Error> {
        let lexeme = &mut self.lexemes[thread.terminal as usize];
        let Some(at) = lexeme.step(thread.at, byte)? else { return Ok(()) };
        let may_end = lexeme.is_accepting(at);
        if may_end {
            step.reached.push(thread.then);
        }
        if !may_end || !lexeme.is_end(at) {
            step.threads.push(Thread { at, ..thread });
        }
        Ok(())
    }

    /// Reads on in the only terminal that is being read, up to the byte before one after which it may end.
    fn read_within(&mut self, thread: &mut Thread, bytes: &[u8]) -> Result<usize, Error> {
        let lexeme = &mut self.lexemes[thread.terminal as usize];
        for (n_read, &byte) in bytes.iter().enumerate() {
            match lexeme.step(thread.at, byte)? {
                Some(at) if !lexeme.is_accepting(at) => thread.at = at,
                _ => return Ok(n_read),
            }
        }
        Ok(bytes.len())
    }

    /// What a shortest text from a thread on takes.
    pub(super) fn cost(&mut self, thread: Thread) -> Result<u64, Error> {
        let distance = self.lexemes[thread.terminal as usize].distance(thread.at)?;
        Ok(sum(distance, self.fronts.continuations.cost(thread.then)))
    }
}

/// Where a byte leads.
#[derive(Default)]
pub(super) struct Step {
    pub(super) threads: SmallVec<[Thread; 2]>,
    pub(super) reached: SmallVec<[ContinuationId; 4]>,
}

impl Machine for GrammarMachine {
    type State = State;
    type Inside = NoInside;

    fn start(&self) -> State {
        State { front: Some(START), threads: SmallVec::new() }
    }

    fn step(&mut self, state: &State, byte: u8) -> Result<Option<State>, Error> {
        let Some(Step { threads, reached }) =
            self.step_all(&state.threads, state.front.as_slice(), byte)?
        else {
            return Ok(None);
        };
        limit!(self.fronts.meter().limits(), grammar_items).check(threads.len())?;
        let front = if reached.is_empty() { None } else { Some(self.fronts.behind(&reached)?) };
        Ok(Some(State { front, threads }))
    }

    fn read(
        &mut self,
        state: &State,
        mut bytes: &[u8],
        meter: &Meter,
    ) -> Result<Option<State>, Error> {
        let mut state = state.clone();
        meter.spend(bytes.len())?;
        while let Some((&byte, rest)) = bytes.split_first() {
            if let ([thread], None) = (&mut state.threads[..], state.front) {
                let n_read = self.read_within(thread, bytes)?;
                if n_read > 0 {
                    bytes = &bytes[n_read..];
                    continue;
                }
            }
            let Some(next) = self.step(&state, byte)? else { return Ok(None) };
            (state, bytes) = (next, rest);
        }
        Ok(Some(state))
    }

    fn reads_quickly(&self, state: &State) -> bool {
        let is_quick = |thread: &Thread| !self.lexemes[thread.terminal as usize].remembers_states();
        state.threads.len() == 1 && state.threads.iter().all(is_quick)
    }

    fn is_accepting(&self, state: &State) -> bool {
        state.front.is_some_and(|front| self.fronts.is_final(front))
    }

    fn special_tokens(&self) -> Option<&Arc<SpecialTokens>> {
        Some(&self.special_tokens)
    }

    fn has_bounds(&self) -> bool {
        self.has_bounds
    }

    fn count_tokens(
        &mut self,
        before: (&State, &Counts),
        bytes: &[u8],
        n_tokens: u32,
        after: &State,
    ) -> Result<Counted<State>, Error> {
        self.count_in_texts(before, bytes, n_tokens, after)
    }

    fn add_tokens(
        &mut self,
        state: &State,
        vocabulary: &Arc<Vocabulary>,
        mask: &mut MaskBuilder,
    ) -> Result<bool, Error> {
        self.add_terminal_tokens(state, vocabulary, mask)?;
        Ok(true)
    }

    fn leading_back(&self, state: &State, vocabulary: &Vocabulary) -> Option<Arc<TokenSet>> {
        match (&state.threads[..], state.front) {
            (&[thread], None) => self.tokens.leading_back(thread, vocabulary),
            _ => None,
        }
    }

    fn completion(&mut self, state: &State) -> Result<Vec<u8>, Error> {
        self.shortest_text(state)
    }

    fn memory_of(&self, state: &State) -> usize {
        if state.threads.spilled() { size_of_val(&state.threads[..]) } else { 0 }
    }

    fn memory(&self) -> usize {
        let schemas = self.schemas.iter().map(|&index| self.lexemes[index].memory()).sum::<usize>();
        self.fronts.memory() + self.tokens.memory() + schemas
    }

    fn forget_states(&mut self) {
        self.fronts.forget();
        self.tokens.forget();
        self.lexemes.iter_mut().for_each(Lexeme::forget_states);
    }
}
