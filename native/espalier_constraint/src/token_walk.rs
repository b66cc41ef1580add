//! [`compute_mask`]: which tokens may follow at a state.
//!
//! Tokens are taken in groups that share an answer (strings by their [`StringTokens`], numbers by their
//! [`NumberTokens`](crate::number_tokens::NumberTokens)); what is left is walked as a trie. Between
//! strings a byte is a step of the automaton; inside of strings no states are made, and all texts with
//! the same end go on in one state that stands for theirs. Where their states may differ, the tokens are
//! tried one by one.

use std::sync::Arc;

use crate::automaton::{Automaton, LazyAutomaton, Outcome, StateId};
use crate::error::Error;
use crate::lexicon::LexiconKind;
use crate::machine::{Inside, Machine, Move, Part};
use crate::number_tokens::NumberTrie;
use crate::string_tokens::{Closing, Ending, StringTokens};
use crate::token_mask::{MaskBuilder, TokenSet};
use crate::token_trie::{Children, TokenTrie};
use crate::vocabulary::Vocabulary;

type Position<M> = <<M as Machine>::Inside as Inside>::Position;

/// The tokens that may follow at the state; not those that end the sequence.
pub(crate) fn compute_mask<M: Machine>(
    automaton: &mut LazyAutomaton<M>,
    state: StateId,
) -> Result<MaskBuilder, Error> {
    let vocabulary = automaton.vocabulary().clone();
    let mask = MaskBuilder::new(vocabulary.n_ids());
    let mut walk = Walk { automaton, vocabulary, mask, doubtful: Vec::new(), insides: Vec::new() };
    walk.add_all(state)?;
    for id in std::mem::take(&mut walk.doubtful) {
        let token = walk.vocabulary.token_bytes(id).unwrap_or_default();
        let is_allowed = walk.automaton.accepts(state, token)?;
        walk.mask.set(id, is_allowed);
    }
    Ok(walk.mask)
}

struct Walk<'a, M: Machine> {
    automaton: &'a mut LazyAutomaton<M>,
    vocabulary: Arc<Vocabulary>,
    mask: MaskBuilder,
    /// Tokens that are tried one by one.
    doubtful: Vec<u32>,
    /// The strings that were entered, each with the state at its start.
    insides: Vec<(StateId, Arc<M::Inside>)>,
}

/// Tokens that a walk has found.
#[derive(Default)]
struct Found {
    allowed: Vec<u32>,
    doubtful: Vec<u32>,
}

/// Where a path in the trie has led.
struct Spot<M: Machine> {
    at: At<M>,
    /// Whether the state stands for those of other texts.
    is_proxy: bool,
}

enum At<M: Machine> {
    State(StateId),
    /// Inside of a string that began after so many bytes of the path.
    Inside {
        index: usize,
        begun_at: usize,
        position: Position<M>,
    },
}

enum Next<M: Machine> {
    To(Spot<M>),
    Refused,
    /// It depends on the text.
    Doubtful,
}

impl<M: Machine> Walk<'_, M> {
    fn add_all(&mut self, state: StateId) -> Result<(), Error> {
        if self.automaton.is_inside(state) {
            return self.add_string(state, LexiconKind::Whole);
        }
        match self.automaton.part(state) {
            Part::Between { takes_spaces } => self.add_between(state, takes_spaces),
            Part::Number => self.add_number(state),
            Part::Other => {
                let vocabulary = self.vocabulary.clone();
                self.add_walked(vocabulary.trie(), state)
            }
        }
    }

    /// Tokens between two parts of a JSON text.
    fn add_between(&mut self, state: StateId, takes_spaces: bool) -> Result<(), Error> {
        let vocabulary = self.vocabulary.clone();
        let tokens = vocabulary.json_tokens(takes_spaces);
        self.mask.add_part(&tokens.spaces);
        let (strings, numbers) = if takes_spaces {
            (LexiconKind::SpacedQuoted, NumberTrie::SpacedBegin)
        } else {
            (LexiconKind::Quoted, NumberTrie::Begin)
        };
        if let Some(string) = self.automaton.step(state, b'"')? {
            self.mask.add_part(&tokens.quotes);
            self.add_string(string, strings)?;
        }
        self.add_numbers(state, numbers)?;
        self.add_walked(&tokens.others, state)
    }

    /// Tokens in a number: those that go on with it, and those that follow where it has ended.
    fn add_number(&mut self, state: StateId) -> Result<(), Error> {
        if let Some(after) = self.automaton.after_number(state)? {
            let mask = self.automaton.mask(after)?;
            self.mask.add_mask(&mask);
        }
        self.add_numbers(state, NumberTrie::GoOn)
    }

    fn add_numbers(&mut self, state: StateId, kind: NumberTrie) -> Result<(), Error> {
        let Some(number) = self.automaton.number(state)? else { return Ok(()) };
        for (range, prefix) in number.readings() {
            let (range, meter) = ((range, number.style), self.automaton.meter());
            let tokens = self.vocabulary.number_tokens(range, prefix, kind, meter)?;
            self.mask.add_part(&tokens.inside);
            self.doubtful.extend(&tokens.beyond);
        }
        Ok(())
    }

    /// Tokens from inside of a string on.
    fn add_string(&mut self, state: StateId, kind: LexiconKind) -> Result<(), Error> {
        let vocabulary = self.vocabulary.clone();
        let index = self.enter(state)?;
        let Some(inside) = index.map(|index| self.insides[index].1.clone()) else {
            return self.add_walked(&vocabulary.lexicon(kind).trie, state);
        };
        match self.automaton.string_tokens(&inside, kind) {
            Some(tokens) => self.add_string_tokens((&inside, state), &tokens, kind),
            None => self.add_walked(&vocabulary.lexicon(kind).trie, state),
        }
    }

    /// Tokens from inside of a string on, where they are known apart from what encloses it.
    fn add_string_tokens(
        &mut self,
        begun: (&Arc<M::Inside>, StateId),
        tokens: &StringTokens,
        kind: LexiconKind,
    ) -> Result<(), Error> {
        let (inside, state) = begun;
        tokens.inside.iter().for_each(|part| self.mask.add_part(part));
        let special = inside.special();
        for ending in &tokens.endings {
            let example = ending.example(|content| !special.contains(content));
            let Some(spelled) = example else { continue };
            if let Some(after) = self.end_after(begun, spelled)? {
                self.mask.allow_all(&ending.closing);
                self.add_rests(after, ending, inside.is_proxy())?;
            }
        }
        for suffix in special.suffixes() {
            self.decide_after(begun, tokens.closing_after(suffix))?;
        }
        self.doubtful.extend(&tokens.doubtful);
        if let Some(named) = inside.named() {
            let position = named.start();
            // It stands behind the string itself, which is found first.
            self.insides.push((state, Arc::new(named)));
            let at = At::Inside { index: self.insides.len() - 1, begun_at: 0, position };
            let vocabulary = self.vocabulary.clone();
            let found = self.walk(&vocabulary.lexicon(kind).trie, Spot { at, is_proxy: false })?;
            self.take(found);
        }
        Ok(())
    }

    /// Tokens that end a string, by what comes after the quote.
    fn add_rests(
        &mut self,
        after: StateId,
        ending: &Arc<Ending>,
        is_proxy: bool,
    ) -> Result<(), Error> {
        if let Some(outcome) = self.automaton.outcome(after, ending, is_proxy) {
            self.mask.add_part(&outcome.allowed);
            self.doubtful.extend(&outcome.doubtful);
            return Ok(());
        }
        let spot = self.spot(after, 0, is_proxy)?;
        let Found { allowed, doubtful } = self.walk(&ending.rests, spot)?;
        let allowed = Arc::new(TokenSet::new(allowed, self.vocabulary.n_ids()));
        self.mask.add_part(&allowed);
        self.doubtful.extend(&doubtful);
        let outcome = Outcome { allowed, doubtful, ending: ending.clone() };
        self.automaton.remember_outcome(after, is_proxy, outcome);
        Ok(())
    }

    /// Decides about tokens that end a string with the same content.
    fn decide_after(
        &mut self,
        begun: (&Arc<M::Inside>, StateId),
        tokens: &[Closing],
    ) -> Result<(), Error> {
        let Some(first) = tokens.first() else { return Ok(()) };
        let after = self.end_after(begun, &first.spelled)?;
        for Closing { id, rest, .. } in tokens {
            let is_allowed = match after {
                Some(after) => self.automaton.accepts(after, rest)?,
                None => false,
            };
            self.mask.set(*id, is_allowed);
        }
        Ok(())
    }

    /// The state after a string that ends with these bytes and the quote, if it may.
    fn end_after(
        &mut self,
        begun: (&Arc<M::Inside>, StateId),
        spelled: &[u8],
    ) -> Result<Option<StateId>, Error> {
        self.automaton.meter().spend(1 + spelled.len())?;
        let (inside, mut position) = (begun.0, begun.0.start());
        for (index, &byte) in spelled.iter().enumerate() {
            match inside.step(&position, &spelled[..index], byte) {
                Move::Stays(next) => position = next,
                Move::Ends(_) | Move::Refused | Move::Doubtful => return Ok(None),
            }
        }
        match inside.step(&position, spelled, b'"') {
            Move::Ends(end) => self.automaton.end((inside, begun.1), end, spelled),
            Move::Stays(_) | Move::Refused | Move::Doubtful => Ok(None),
        }
    }

    fn take(&mut self, found: Found) {
        self.mask.allow_all(&found.allowed);
        self.doubtful.extend(found.doubtful);
    }

    /// Walks a trie from a state on.
    fn add_walked(&mut self, trie: &TokenTrie, state: StateId) -> Result<(), Error> {
        let spot = self.spot(state, 0, false)?;
        let found = self.walk(trie, spot)?;
        self.take(found);
        Ok(())
    }

    /// The tokens of a trie that may follow.
    fn walk(&mut self, trie: &TokenTrie, from: Spot<M>) -> Result<Found, Error> {
        let first = self.children(&from);
        let (mut path, mut bytes, mut found) = (vec![from], Vec::new(), Found::default());
        trie.walk_some(first, |visit| {
            path.truncate(visit.depth);
            bytes.truncate(visit.depth - 1);
            let next = self.next(&path[visit.depth - 1], &bytes, visit.byte)?;
            bytes.push(visit.byte);
            match next {
                Next::To(spot) => {
                    let is_end = visit.n_children() == 0;
                    let children = if is_end { Children::None } else { self.children(&spot) };
                    path.push(spot);
                    found.allowed.extend(visit.ids());
                    return Ok::<_, Error>(children);
                }
                Next::Refused => {}
                Next::Doubtful => found.doubtful.extend(visit.ids_below()),
            }
            Ok(Children::None)
        })?;
        Ok(found)
    }

    /// The bytes that are worth a try.
    fn children(&self, spot: &Spot<M>) -> Children {
        match &spot.at {
            At::State(_) => Children::All,
            At::Inside { index, position, .. } => {
                let bytes = self.insides[*index].1.next_bytes(position);
                bytes.map_or(Children::All, Children::Only)
            }
        }
    }

    fn next(&mut self, spot: &Spot<M>, path: &[u8], byte: u8) -> Result<Next<M>, Error> {
        self.automaton.meter().spend(1)?;
        let (index, begun_at, position) = match &spot.at {
            At::State(state) => {
                if spot.is_proxy && self.automaton.depends_on_text(*state, byte) {
                    return Ok(Next::Doubtful);
                }
                let next = self.automaton.step(*state, byte)?;
                return self.go_on(next, path.len() + 1, spot.is_proxy);
            }
            At::Inside { index, begun_at, position } => (*index, *begun_at, position),
        };
        match self.insides[index].1.step(position, &path[begun_at..], byte) {
            Move::Stays(position) => {
                let at = At::Inside { index, begun_at, position };
                Ok(Next::To(Spot { at, is_proxy: spot.is_proxy }))
            }
            Move::Refused => Ok(Next::Refused),
            Move::Doubtful => Ok(Next::Doubtful),
            Move::Ends(end) => {
                let (begin, inside) = &self.insides[index];
                let is_proxy = spot.is_proxy || inside.is_proxy();
                let after = self.automaton.end((inside, *begin), end, &path[begun_at..])?;
                self.go_on(after, path.len() + 1, is_proxy)
            }
        }
    }

    fn go_on(
        &mut self,
        state: Option<StateId>,
        n_bytes: usize,
        is_proxy: bool,
    ) -> Result<Next<M>, Error> {
        match state {
            Some(state) => Ok(Next::To(self.spot(state, n_bytes, is_proxy)?)),
            None => Ok(Next::Refused),
        }
    }

    /// The spot at a state after so many bytes of the path.
    fn spot(&mut self, state: StateId, begun_at: usize, is_proxy: bool) -> Result<Spot<M>, Error> {
        let at = match self.enter(state)? {
            Some(index) => {
                let position = self.insides[index].1.start();
                At::Inside { index, begun_at, position }
            }
            None => At::State(state),
        };
        Ok(Spot { at, is_proxy })
    }

    /// The index of the string that the state is inside of, if it is.
    fn enter(&mut self, state: StateId) -> Result<Option<usize>, Error> {
        if !self.automaton.is_inside(state) {
            return Ok(None);
        }
        if let Some(index) = self.insides.iter().position(|(begin, _)| *begin == state) {
            return Ok(Some(index));
        }
        let Some(inside) = self.automaton.inside(state)? else { return Ok(None) };
        self.insides.push((state, Arc::new(inside)));
        Ok(Some(self.insides.len() - 1))
    }
}
