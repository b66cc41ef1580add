//! [`compute_mask`]: which tokens may follow at a state.
//!
//! The tokens are walked as a trie. Between strings a byte is a step of the automaton; inside of
//! strings no states are made, and all texts with the same end go on in one state that stands for
//! theirs. Where their states may differ, the tokens are tried one by one.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::automaton::{Automaton, LazyAutomaton, StateId};
use crate::error::Error;
use crate::machine::{Inside, Machine, Move, Part};
use crate::string_tokens::StringTokens;
use crate::token_mask::TokenMask;
use crate::token_trie::TokenTrie;

type Position<M> = <<M as Machine>::Inside as Inside>::Position;

/// The tokens that may follow at the state; not those that end the sequence.
pub(crate) fn compute_mask<M: Machine>(
    automaton: &mut LazyAutomaton<M>,
    state: StateId,
) -> Result<TokenMask, Error> {
    let mut walk = Walk {
        automaton,
        insides: Vec::new(),
        inside_of: FxHashMap::default(),
        doubtful: Vec::new(),
    };
    let mut mask = walk.mask(state)?;
    for id in std::mem::take(&mut walk.doubtful) {
        mask.set(id, walk.accepts(state, id)?);
    }
    Ok(mask)
}

struct Walk<'a, M: Machine> {
    automaton: &'a mut LazyAutomaton<M>,
    /// The strings that were entered, each with the state at its start.
    insides: Vec<(Arc<M::Inside>, StateId)>,
    inside_of: FxHashMap<StateId, Option<usize>>,
    /// Tokens that are tried one by one.
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
    fn mask(&mut self, state: StateId) -> Result<TokenMask, Error> {
        let vocabulary = self.automaton.vocabulary().clone();
        if let Some(index) = self.enter(state)? {
            let inside = self.insides[index].0.clone();
            if let Some(tokens) = self.automaton.string_tokens(&inside) {
                return self.string_mask((&inside, state), &tokens);
            }
        }
        let (mut mask, trie) = if self.automaton.takes_spaces(state)? {
            let spaced = vocabulary.spaced();
            (spaced.spaces.clone(), &spaced.rests)
        } else if let Some(after) = self.after_number(state)? {
            ((*self.automaton.mask(after)?).clone(), &vocabulary.spaced().digits)
        } else {
            (TokenMask::none(vocabulary.n_ids()), vocabulary.trie())
        };
        let spot = self.spot(state, 0, false)?;
        self.add(trie, spot, &mut mask)?;
        Ok(mask)
    }

    /// The state behind a number that ends here, where what is allowed there is allowed here, too.
    fn after_number(&mut self, state: StateId) -> Result<Option<StateId>, Error> {
        if self.automaton.part(state) != Part::Number {
            return Ok(None);
        }
        let after = self.automaton.step(state, b' ')?;
        let takes_spaces = match after {
            Some(after) => self.automaton.takes_spaces(after)?,
            None => false,
        };
        Ok(after.filter(|_| takes_spaces))
    }

    /// The mask at a state inside of a string, of which the tokens are known apart from what encloses
    /// it.
    fn string_mask(
        &mut self,
        begun: (&M::Inside, StateId),
        tokens: &StringTokens,
    ) -> Result<TokenMask, Error> {
        let (inside, state) = begun;
        let mut mask = tokens.inside.clone();
        let special = inside.special();
        for ending in &tokens.endings {
            let example = ending.example(|content| !special.contains(content));
            let Some(after) = example.map(|spelled| self.end_after(begun, spelled)) else {
                continue;
            };
            if let Some(after) = after? {
                ending.closing.iter().for_each(|&id| mask.allow(id));
                let spot = self.spot(after, 0, inside.is_proxy())?;
                self.add(&ending.rests, spot, &mut mask)?;
            }
        }
        for suffix in special.suffixes() {
            self.set_after(begun, tokens.closing_after(suffix), &mut mask)?;
        }
        self.doubtful.extend(&tokens.doubtful);
        if let Some(named) = inside.named() {
            let position = named.start();
            self.insides.push((Arc::new(named), state));
            let at = At::Inside { index: self.insides.len() - 1, begun_at: 0, position };
            let vocabulary = self.automaton.vocabulary().clone();
            self.add(vocabulary.trie(), Spot { at, is_proxy: false }, &mut mask)?;
        }
        Ok(mask)
    }

    /// Decides about tokens that end a string with the same content.
    fn set_after(
        &mut self,
        begun: (&M::Inside, StateId),
        tokens: &[(u32, usize)],
        mask: &mut TokenMask,
    ) -> Result<(), Error> {
        let vocabulary = self.automaton.vocabulary().clone();
        let bytes = |id: u32| vocabulary.token_bytes(id).unwrap_or_default();
        let Some(&(first, quote)) = tokens.first() else { return Ok(()) };
        let after = self.end_after(begun, &bytes(first)[..quote])?;
        for &(id, quote) in tokens {
            let rest = &bytes(id)[quote + 1..];
            let is_allowed = match after {
                Some(after) => self.automaton.accepts(after, rest)?,
                None => false,
            };
            mask.set(id, is_allowed);
        }
        Ok(())
    }

    /// The state after a string that ends with these bytes and the quote, if it may.
    fn end_after(
        &mut self,
        begun: (&M::Inside, StateId),
        spelled: &[u8],
    ) -> Result<Option<StateId>, Error> {
        let (inside, mut position) = (begun.0, begun.0.start());
        for (index, &byte) in spelled.iter().enumerate() {
            match inside.step(&position, &spelled[..index], byte) {
                Move::Stays(next) => position = next,
                Move::Ends(_) | Move::Refused | Move::Doubtful => return Ok(None),
            }
        }
        match inside.step(&position, spelled, b'"') {
            Move::Ends(end) => self.automaton.end(begun, end, spelled),
            Move::Stays(_) | Move::Refused | Move::Doubtful => Ok(None),
        }
    }

    /// Adds the tokens of a trie that may follow.
    fn add(&mut self, trie: &TokenTrie, from: Spot<M>, mask: &mut TokenMask) -> Result<(), Error> {
        let (mut path, mut bytes) = (vec![from], Vec::new());
        trie.walk(|visit| {
            path.truncate(visit.depth);
            bytes.truncate(visit.depth - 1);
            let next = self.next(&path[visit.depth - 1], &bytes, visit.byte)?;
            bytes.push(visit.byte);
            match next {
                Next::To(spot) => {
                    path.push(spot);
                    visit.ids().iter().for_each(|&id| mask.allow(id));
                    Ok::<_, Error>(true)
                }
                Next::Refused => Ok(false),
                Next::Doubtful => {
                    self.doubtful.extend(visit.ids_below());
                    Ok(false)
                }
            }
        })
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
        match self.insides[index].0.step(position, &path[begun_at..], byte) {
            Move::Stays(position) => {
                let at = At::Inside { index, begun_at, position };
                Ok(Next::To(Spot { at, is_proxy: spot.is_proxy }))
            }
            Move::Refused => Ok(Next::Refused),
            Move::Doubtful => Ok(Next::Doubtful),
            Move::Ends(end) => {
                let is_proxy = spot.is_proxy || self.insides[index].0.is_proxy();
                let (inside, begin) = &self.insides[index];
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
                let position = self.insides[index].0.start();
                At::Inside { index, begun_at, position }
            }
            None => At::State(state),
        };
        Ok(Spot { at, is_proxy })
    }

    /// The index of the string that the state is inside of, if it is.
    fn enter(&mut self, state: StateId) -> Result<Option<usize>, Error> {
        if let Some(&index) = self.inside_of.get(&state) {
            return Ok(index);
        }
        let index = self.automaton.inside(state)?.map(|inside| {
            self.insides.push((Arc::new(inside), state));
            self.insides.len() - 1
        });
        self.inside_of.insert(state, index);
        Ok(index)
    }

    fn accepts(&mut self, state: StateId, token: u32) -> Result<bool, Error> {
        let vocabulary = self.automaton.vocabulary().clone();
        let bytes = vocabulary.token_bytes(token).unwrap_or_default();
        self.automaton.accepts(state, bytes)
    }
}
