//! [`LazyAutomaton`]: the states of a machine by number, with what is known of each.
//!
//! In the manner of a lazy DFA: a state gets a number when it is first met, and its transitions,
//! its token mask and its completion are computed once and remembered. The table is shared by all
//! sequences that use a constraint. When it has outgrown its bound it is emptied; each matcher
//! notices that by the table's epoch and finds its states again by reading its text again.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::grammar::special_tokens::SpecialTokens;
use crate::interner::Interner;
use crate::json_schema::NumberRest;
use crate::lexicon::LexiconKind;
use crate::limits::limit;
use crate::machine::{Counts, Dependence, Inside, Machine, Part};
use crate::meter::{Cancellation, Meter};
use crate::number_tokens::SIGNS;
use crate::string_table::StringTable;
use crate::string_tokens::StringTokens;
use crate::token_mask::{MaskBuilder, TokenMask, TokenSet};
use crate::token_trie::Bytes;
use crate::token_walk::{Outcome, Says, compute_mask};
use crate::vocabulary::Vocabulary;

/// The number of a state, valid within one epoch.
pub(crate) type StateId = u32;

/// What a constraint and its matchers need of a machine, whichever it is.
pub(crate) trait Automaton: std::fmt::Debug + Send {
    /// Changes when all states were forgotten.
    fn epoch(&self) -> u64;

    /// Begins a call, with fuel of its own and what may cancel it.
    fn refill(&self, cancellation: Option<&Cancellation>);

    /// Empties the table if it has outgrown its share of the bound, one of so many. State numbers from
    /// before are invalid if the epoch has changed.
    fn shrink(&mut self, n_tables: usize);

    /// Tells that what is in the table now is what one sequence needs: the bound grows to twice
    /// that, so that the table isn't emptied at each step of a sequence that needs more.
    fn make_room(&mut self, n_tables: usize);

    fn start(&mut self) -> StateId;

    fn step(&mut self, state: StateId, byte: u8) -> Result<Option<StateId>, Error>;

    /// The state after a token's bytes. Those on the way are not remembered where they are not known.
    fn read_token(
        &mut self,
        state: StateId,
        token: u32,
        bytes: &[u8],
    ) -> Result<Option<StateId>, Error>;

    /// See [`Machine::count_tokens`].
    fn count_tokens(
        &mut self,
        before: (StateId, &Counts),
        bytes: &[u8],
        n_tokens: u32,
        after: StateId,
    ) -> Result<(StateId, Counts), Error>;

    /// The state after the bytes, or the offset of the first one that is refused.
    fn read_text(
        &mut self,
        mut state: StateId,
        bytes: &[u8],
    ) -> Result<Result<StateId, usize>, Error> {
        for (offset, &byte) in bytes.iter().enumerate() {
            match self.step(state, byte)? {
                Some(next) => state = next,
                None => return Ok(Err(offset)),
            }
        }
        Ok(Ok(state))
    }

    fn is_accepting(&self, state: StateId) -> bool;

    fn mask(&mut self, state: StateId) -> Result<Arc<TokenMask>, Error>;

    fn completion(&mut self, state: StateId) -> Result<Arc<[u8]>, Error>;

    /// The special tokens that a text may have.
    fn special_tokens(&self) -> Arc<SpecialTokens>;
}

type OutcomeKey = (StateId, u64, Says);

/// The table of one sequence may take so many times what a table may take otherwise.
const MAX_GROWTH: usize = 4;

#[derive(Debug)]
pub(crate) struct LazyAutomaton<M: Machine> {
    machine: M,
    vocabulary: Arc<Vocabulary>,
    meter: Meter,
    states: Interner<Arc<M::State>>,
    entries: Vec<Entry>,
    /// Where the rest of a token leads, by where it was read from and how much of it was left there.
    token_ends: FxHashMap<(StateId, TokenRest), StateId>,
    tables: FxHashMap<<M::Inside as Inside>::Languages, StringTable<M::Inside>>,
    /// Where strings lead that end alike in the same place, by the number of what encloses them.
    ends: FxHashMap<(u32, <M::Inside as Inside>::End), Option<StateId>>,
    /// Which tokens may follow, by the state, the serial number of their trie, and what was asked.
    outcomes: FxHashMap<OutcomeKey, Arc<Outcome>>,
    /// About the memory of what is remembered.
    n_bytes: usize,
    max_bytes: usize,
    epoch: u64,
}

/// A token and how many of its last bytes.
type TokenRest = (u32, u32);

/// What is known of a state.
#[derive(Debug)]
struct Entry {
    is_accepting: bool,
    transitions: Transitions,
    mask: Option<Arc<TokenMask>>,
    /// Tokens that lead back to it, as far as they are known.
    leading_back: Option<Arc<TokenSet>>,
    completion: Option<Arc<[u8]>>,
}

/// The next state by byte, as far as it was computed: a short list, and a row when that is full.
#[derive(Debug)]
enum Transitions {
    Few(Vec<(u8, StateId)>),
    Row(Box<[StateId; 256]>),
}

/// In place of a state: not computed yet.
const UNKNOWN: StateId = u32::MAX;
/// In place of a state: refused.
const REFUSED: StateId = u32::MAX - 1;

impl Transitions {
    /// The longest list; searching it takes no longer than a row's cache miss.
    const MAX_FEW: usize = 12;

    fn get(&self, byte: u8) -> StateId {
        match self {
            Self::Few(few) => {
                few.iter().find(|(other, _)| *other == byte).map_or(UNKNOWN, |(_, next)| *next)
            }
            Self::Row(row) => row[usize::from(byte)],
        }
    }

    /// Remembers a transition; answers how many bytes of memory that took.
    fn set(&mut self, byte: u8, next: StateId) -> usize {
        match self {
            Self::Few(few) if few.len() < Self::MAX_FEW => {
                few.push((byte, next));
                size_of::<(u8, StateId)>()
            }
            Self::Few(few) => {
                let mut row = Box::new([UNKNOWN; 256]);
                for &(byte, next) in few.iter().chain([&(byte, next)]) {
                    row[usize::from(byte)] = next;
                }
                *self = Self::Row(row);
                size_of::<[StateId; 256]>()
            }
            Self::Row(row) => {
                row[usize::from(byte)] = next;
                0
            }
        }
    }
}

impl<M: Machine> LazyAutomaton<M> {
    pub(crate) fn new(machine: M, vocabulary: Arc<Vocabulary>, meter: Meter) -> Self {
        let max_bytes = meter.limits().table_bytes;
        Self {
            machine,
            vocabulary,
            meter,
            states: Interner::default(),
            entries: Vec::new(),
            token_ends: FxHashMap::default(),
            tables: FxHashMap::default(),
            ends: FxHashMap::default(),
            outcomes: FxHashMap::default(),
            n_bytes: 0,
            max_bytes,
            epoch: 0,
        }
    }

    /// About the memory of what is remembered.
    pub(crate) fn memory(&self) -> usize {
        self.n_bytes + self.machine.memory()
    }

    /// Empties the table: all state numbers are invalid.
    pub(crate) fn forget_states(&mut self) {
        self.states.clear();
        self.entries.clear();
        self.token_ends.clear();
        self.tables.clear();
        self.ends.clear();
        self.outcomes.clear();
        self.machine.forget_states();
        self.n_bytes = 0;
        self.epoch += 1;
    }

    fn intern(&mut self, state: M::State) -> StateId {
        let id = self.states.intern(state);
        if self.entries.len() < self.states.len() {
            let state = self.states.get(id);
            let is_accepting = self.machine.is_accepting(state);
            let transitions = Transitions::Few(Vec::new());
            self.entries.push(Entry {
                is_accepting,
                transitions,
                mask: None,
                leading_back: None,
                completion: None,
            });
            self.n_bytes += size_of::<Entry>() + size_of::<M::State>() + 64;
            self.n_bytes += self.machine.memory_of(state);
        }
        id
    }

    /// What the work of the current call is spent from.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// # Errors
    /// [`Error::LimitExceeded`] when one sequence needs more memory than it may have.
    fn check_memory(&self) -> Result<(), Error> {
        let table = limit!(self.meter.limits(), table_bytes);
        if self.memory() / MAX_GROWTH > table.value { Err(table.exceeded()) } else { Ok(()) }
    }

    pub(crate) fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The string that the state is inside of, if it is.
    pub(crate) fn inside(&mut self, state: StateId) -> Result<Option<M::Inside>, Error> {
        self.machine.inside(self.states.get(state))
    }

    /// The tokens that may follow inside of a string, where that is known apart from what encloses it.
    pub(crate) fn string_tokens(
        &mut self,
        inside: &M::Inside,
        kind: LexiconKind,
    ) -> Option<Arc<StringTokens>> {
        if let Some(bounds) = inside.free_bounds() {
            return Some(self.vocabulary.lexicon(kind).free_text(bounds));
        }
        if let Some(tokens) = inside.shared_tokens(kind, &self.vocabulary) {
            return Some(tokens);
        }
        let languages = inside.languages()?;
        let longest = self.vocabulary.trie().depth();
        let table = self.tables.entry(languages);
        let table = table.or_insert_with(|| StringTable::new(inside, longest));
        let (tokens, n_bytes) = table.tokens(inside, kind, &self.vocabulary);
        self.n_bytes += n_bytes;
        Some(tokens)
    }

    /// Where a string leads after the path and the quote that ends it.
    pub(crate) fn end(
        &mut self,
        (inside, begin): (&M::Inside, StateId),
        end: &<M::Inside as Inside>::End,
        path: &[u8],
    ) -> Result<Option<StateId>, Error> {
        let key = inside.enclosing().map(|enclosing| (enclosing, end.clone()));
        if let Some(&after) = key.as_ref().and_then(|key| self.ends.get(key)) {
            return Ok(after);
        }
        let after = match self.machine.after_string(inside, end, path) {
            Some(after) => after?.map(|after| self.intern(after)),
            None => self.read(begin, &[path, b"\""].concat())?,
        };
        self.n_bytes += key.as_ref().map_or(0, size_of_val);
        self.ends.extend(key.map(|key| (key, after)));
        Ok(after)
    }

    /// What the machine says of a state.
    pub(crate) fn ask<T>(&self, state: StateId, ask: impl FnOnce(&M, &M::State) -> T) -> T {
        ask(&self.machine, self.states.get(state))
    }

    /// Allows all tokens that may follow, see [`Machine::add_tokens`].
    pub(crate) fn add_tokens(
        &mut self,
        state: StateId,
        mask: &mut MaskBuilder,
    ) -> Result<bool, Error> {
        self.machine.add_tokens(self.states.get(state), &self.vocabulary, mask)
    }

    /// The only bytes that may follow, and perhaps some more, where these are few.
    pub(crate) fn next_bytes(&self, state: StateId) -> Option<Bytes> {
        self.machine.next_bytes(self.states.get(state))
    }

    pub(crate) fn part(&self, state: StateId) -> Part {
        self.machine.part(self.states.get(state))
    }

    pub(crate) fn is_inside(&self, state: StateId) -> bool {
        self.machine.is_inside(self.states.get(state))
    }

    /// The number that the state is in, or before, if one may be there.
    pub(crate) fn number(&mut self, state: StateId) -> Result<Option<NumberRest>, Error> {
        self.machine.number(self.states.get(state))
    }

    /// The state behind the number that the state is in, if it may end here.
    pub(crate) fn after_number(&mut self, state: StateId) -> Result<Option<StateId>, Error> {
        let after = self.machine.after_number(self.states.get(state))?;
        Ok(after.map(|after| self.intern(after)))
    }

    /// Which tokens of a trie may follow, if that is known.
    pub(crate) fn outcome(&self, key: OutcomeKey) -> Option<Arc<Outcome>> {
        self.outcomes.get(&key).cloned()
    }

    pub(crate) fn remember_outcome(&mut self, key: OutcomeKey, outcome: &Arc<Outcome>) {
        self.n_bytes += outcome.size_in_bytes();
        self.outcomes.insert(key, outcome.clone());
    }

    /// The state before a value apart from what encloses that, see [`Machine::apart`].
    pub(crate) fn apart(&mut self, state: StateId) -> Option<StateId> {
        let apart = self.machine.apart(self.states.get(state))?;
        Some(self.intern(apart))
    }

    /// Whether the state is in a number, read apart from what encloses it, that may end before the byte.
    pub(crate) fn may_end_before(&self, state: StateId, byte: u8) -> bool {
        !SIGNS.contains(&byte) && self.machine.is_apart_number(self.states.get(state))
    }

    pub(crate) fn is_left(&self, state: StateId) -> bool {
        self.machine.is_left(self.states.get(state))
    }

    /// The state behind a value, see [`Machine::leave`].
    pub(crate) fn leave(
        &mut self,
        before: StateId,
        left: StateId,
    ) -> Result<Option<StateId>, Error> {
        let [before, left] = [before, left].map(|state| self.states.get(state).clone());
        Ok(self.machine.leave(&before, &left)?.map(|after| self.intern(after)))
    }

    pub(crate) fn dependence(&self, state: StateId, byte: u8) -> Dependence {
        self.machine.dependence(self.states.get(state), byte)
    }

    /// The state after several bytes; those on the way are not remembered.
    pub(crate) fn read(&mut self, state: StateId, bytes: &[u8]) -> Result<Option<StateId>, Error> {
        Ok(self.state_after(state, bytes)?.map(|state| self.intern(state)))
    }

    /// Whether the bytes may follow.
    pub(crate) fn accepts(&mut self, state: StateId, bytes: &[u8]) -> Result<bool, Error> {
        Ok(self.state_after(state, bytes)?.is_some())
    }

    /// The state after a token, which is often the same.
    fn read_quickly(&mut self, state: StateId, bytes: &[u8]) -> Result<Option<StateId>, Error> {
        let Some(after) = self.state_after(state, bytes)? else { return Ok(None) };
        if after == **self.states.get(state) {
            return Ok(Some(state));
        }
        self.check_memory()?;
        Ok(Some(self.intern(after)))
    }

    /// The state after the last bytes of a token.
    fn read_rest(
        &mut self,
        state: StateId,
        token: u32,
        rest: &[u8],
    ) -> Result<Option<StateId>, Error> {
        if let [byte] = rest {
            return self.step(state, *byte);
        }
        let key = (state, (token, rest.len() as u32));
        if let Some(&after) = self.token_ends.get(&key) {
            return Ok(Some(after));
        }
        self.check_memory()?;
        let after = self.read(state, rest)?;
        if let Some(after) = after {
            self.n_bytes += 2 * size_of_val(&(key, after));
            self.token_ends.insert(key, after);
        }
        Ok(after)
    }

    fn state_after(&mut self, state: StateId, bytes: &[u8]) -> Result<Option<M::State>, Error> {
        self.machine.read(self.states.get(state), bytes, &self.meter)
    }
}

impl<M: Machine> Automaton for LazyAutomaton<M> {
    fn special_tokens(&self) -> Arc<SpecialTokens> {
        self.machine.special_tokens().cloned().unwrap_or_default()
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn refill(&self, cancellation: Option<&Cancellation>) {
        self.meter.refill(cancellation);
    }

    fn make_room(&mut self, n_tables: usize) {
        let (table, needed) = (self.meter.limits().table_bytes, n_tables * self.memory());
        // A call that begins with a full table needs room for its own states.
        let room = (MAX_GROWTH.saturating_mul(table)).saturating_sub(needed) / 2;
        self.max_bytes = table.max(2 * needed).min(needed + room);
    }

    fn shrink(&mut self, n_tables: usize) {
        if self.memory() * n_tables > self.max_bytes {
            self.forget_states();
        }
    }

    fn start(&mut self) -> StateId {
        let start = self.machine.start();
        self.intern(start)
    }

    fn step(&mut self, state: StateId, byte: u8) -> Result<Option<StateId>, Error> {
        let next = match self.entries[state as usize].transitions.get(byte) {
            UNKNOWN => {
                self.check_memory()?;
                let from = self.states.get(state).clone();
                let next =
                    self.machine.step(&from, byte)?.map_or(REFUSED, |next| self.intern(next));
                self.n_bytes += self.entries[state as usize].transitions.set(byte, next);
                next
            }
            known => known,
        };
        Ok((next != REFUSED).then_some(next))
    }

    fn read_token(
        &mut self,
        mut state: StateId,
        token: u32,
        bytes: &[u8],
    ) -> Result<Option<StateId>, Error> {
        let leading_back = self.entries[state as usize].leading_back.as_ref();
        if leading_back.is_some_and(|tokens| tokens.contains(token)) {
            return Ok(Some(state));
        }
        if self.machine.reads_quickly(self.states.get(state)) {
            return self.read_quickly(state, bytes);
        }
        for (offset, &byte) in bytes.iter().enumerate() {
            state = match self.entries[state as usize].transitions.get(byte) {
                UNKNOWN => return self.read_rest(state, token, &bytes[offset..]),
                REFUSED => return Ok(None),
                known => known,
            };
        }
        Ok(Some(state))
    }

    fn count_tokens(
        &mut self,
        (before, counts): (StateId, &Counts),
        bytes: &[u8],
        n_tokens: u32,
        after: StateId,
    ) -> Result<(StateId, Counts), Error> {
        if !self.machine.has_bounds() {
            return Ok((after, Counts::new()));
        }
        let [from, to] = [before, after].map(|state| self.states.get(state).clone());
        let (ended, counts) = self.machine.count_tokens((&from, counts), bytes, n_tokens, &to)?;
        Ok((ended.map_or(after, |ended| self.intern(ended)), counts))
    }

    fn is_accepting(&self, state: StateId) -> bool {
        self.entries[state as usize].is_accepting
    }

    fn mask(&mut self, state: StateId) -> Result<Arc<TokenMask>, Error> {
        if let Some(mask) = &self.entries[state as usize].mask {
            return Ok(mask.clone());
        }
        self.check_memory()?;
        let mut mask = compute_mask(self, state)?;
        if self.is_accepting(state) {
            mask.allow_all(self.vocabulary.eos_ids());
        }
        if let Some(special_tokens) = self.machine.special_tokens().cloned() {
            mask.refuse_all(special_tokens.marked());
            for token in &special_tokens.named {
                if self.accepts(state, &token.bytes)? {
                    mask.allow_all(&[token.id]);
                }
            }
        }
        let (mask, n_bytes) = mask.finish();
        let mask = Arc::new(mask);
        self.n_bytes += n_bytes;
        let leading_back = self.machine.leading_back(self.states.get(state), &self.vocabulary);
        let entry = &mut self.entries[state as usize];
        (entry.mask, entry.leading_back) = (Some(mask.clone()), leading_back);
        Ok(mask)
    }

    fn completion(&mut self, state: StateId) -> Result<Arc<[u8]>, Error> {
        if let Some(completion) = &self.entries[state as usize].completion {
            return Ok(completion.clone());
        }
        let entry = &self.entries[state as usize];
        let text = if entry.is_accepting {
            Vec::new()
        } else {
            self.machine.completion(self.states.get(state))?
        };
        let completion: Arc<[u8]> = text.into();
        self.n_bytes += completion.len();
        self.entries[state as usize].completion = Some(completion.clone());
        Ok(completion)
    }
}
