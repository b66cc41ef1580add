//! [`compute_mask`]: which tokens may follow at a state.
//!
//! Tokens are taken in groups that share an answer (strings by their [`StringTokens`], numbers by their
//! [`NumberTokens`](crate::number_tokens::NumberTokens)); what is left is walked as a trie. Between
//! strings a byte is a step of the automaton; inside of strings no states are made, and all texts with
//! the same end go on in one state that stands for theirs. Where their states may differ, the tokens are
//! tried one by one.

use std::sync::Arc;

use crate::automaton::{Automaton, LazyAutomaton, StateId};
use crate::error::Error;
use crate::lexicon::LexiconKind;
use crate::machine::{Dependence, Inside, Machine, Move, Part};
use crate::number_tokens::NumberTrie;
use crate::rests::{Rests, RestsBuilder};
use crate::string_tokens::{FreeBounds, StringTokens};
use crate::token_mask::{MaskBuilder, TokenSet};
use crate::token_trie::{Children, TokenTrie, TrieNode, Visit};
use crate::vocabulary::Vocabulary;

type Position<M> = <<M as Machine>::Inside as Inside>::Position;

/// The tokens that may follow at the state; not those that end the sequence.
pub(crate) fn compute_mask<M: Machine>(
    automaton: &mut LazyAutomaton<M>,
    state: StateId,
) -> Result<MaskBuilder, Error> {
    let vocabulary = automaton.vocabulary().clone();
    let mut mask = MaskBuilder::new(vocabulary.n_ids());
    if automaton.add_tokens(state, &mut mask)? {
        return Ok(mask);
    }
    let mut walk = Walk {
        automaton,
        vocabulary,
        mask,
        doubtful: Vec::new(),
        insides: Vec::new(),
        ends_apart: None,
    };
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
    /// One of them of which the tokens that end it are found apart.
    ends_apart: Option<usize>,
}

/// Of so many texts it is asked one by one which tokens end with them.
const MAX_LISTED: usize = 1000;

/// Which tokens of a trie may follow at a state.
#[derive(Debug)]
pub(crate) struct Outcome {
    allowed: Arc<TokenSet>,
    /// Those of which it takes more to know.
    doubtful: Vec<u32>,
    /// Those that leave the value that was read apart, by the state behind it.
    left: Vec<(StateId, Rests)>,
    /// All the others, where they were asked for.
    refused: Box<[u32]>,
}

/// Tokens that a walk has found.
#[derive(Default)]
struct Found {
    allowed: Vec<u32>,
    doubtful: Vec<u32>,
    left: Vec<(StateId, RestsBuilder)>,
}

impl Outcome {
    pub(crate) fn size_in_bytes(&self) -> usize {
        let left = self.left.iter().map(|(_, rests)| rests.size_in_bytes()).sum::<usize>();
        let own = size_of_val(&self.doubtful[..]) + size_of_val(&self.refused[..]);
        size_of::<Self>() + own + self.allowed.size_in_bytes() + left
    }
}

impl Found {
    /// Of the ids of the trie that was walked those that certainly don't follow.
    fn refused(&self, ids: &[u32]) -> Box<[u32]> {
        let left = self.left.iter().flat_map(|(_, rests)| rests.iter().map(|(id, _)| id));
        let others = self.allowed.iter().chain(&self.doubtful).copied();
        let mut others: Vec<u32> = others.chain(left).collect();
        others.sort_unstable();
        ids.iter().copied().filter(|id| others.binary_search(id).is_err()).collect()
    }

    fn leave(&mut self, state: StateId, visit: &Visit<'_>) {
        let known = self.left.iter().position(|(left, _)| *left == state);
        let index = known.unwrap_or_else(|| {
            self.left.push((state, RestsBuilder::default()));
            self.left.len() - 1
        });
        let rests = &mut self.left[index].1;
        visit.for_each_below(|rest, ids| ids.iter().for_each(|&id| rests.add(id, rest)));
    }
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

/// What a state says of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Says {
    /// Which are allowed.
    Allowed,
    /// The same, but the state stands for those of other texts, too.
    AllowedToMany,
    /// Which are allowed and that the others are refused, whatever is known of them otherwise.
    All,
}

enum Next<M: Machine> {
    To(Spot<M>),
    /// Behind a value that is read apart from what encloses it.
    Left(StateId),
    Refused,
    /// The byte may follow; what comes after it depends on the text.
    Certain,
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
        self.add_trie(state, &tokens.others, Says::Allowed)
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
            None => self.add_texts((&inside, state), kind),
        }
    }

    /// Tokens from inside of a string on that is one of a few texts, or is walked anyway.
    fn add_texts(
        &mut self,
        begun: (&Arc<M::Inside>, StateId),
        kind: LexiconKind,
    ) -> Result<(), Error> {
        let (inside, state) = begun;
        let vocabulary = self.vocabulary.clone();
        let lexicon = vocabulary.lexicon(kind);
        // It may stand behind the string that it is a part of, which is found first.
        self.insides.push((state, inside.clone()));
        let index = self.insides.len() - 1;
        let Some(texts) = inside.listed().filter(|texts| texts.len() <= MAX_LISTED) else {
            let at = At::Inside { index, begun_at: 0, position: inside.start() };
            let found = self.walk(&lexicon.trie, Spot { at, is_proxy: false })?;
            self.take(found);
            return Ok(());
        };
        self.ends_apart = Some(index);
        self.add_beginnings(&texts, index, &lexicon.trie)?;
        self.ends_apart = None;
        let bounds = FreeBounds { escapes: inside.escapes(), ..FreeBounds::NONE };
        let free = lexicon.free_text(bounds);
        for same in texts.iter().filter_map(|text| free.closing_after(text)) {
            let after = self.end_after(begun, &same.spelled)?;
            self.add_rests(after, same.rests(), Says::Allowed)?;
        }
        Ok(())
    }

    /// Tokens that stay inside of a string that is one of some texts: those with which a text begins, and
    /// those with escapes in them.
    fn add_beginnings(
        &mut self,
        texts: &[&[u8]],
        index: usize,
        trie: &TokenTrie,
    ) -> Result<(), Error> {
        let mut before_escapes = Vec::new();
        let is_escaped = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
        trie.for_each_beginning(texts, is_escaped, |text, node| {
            self.automaton.meter().spend(1)?;
            self.mask.allow_all(node.ids());
            if node.has_child(b'\\') {
                before_escapes.push((text, node));
            }
            Ok::<_, Error>(())
        })?;
        for (text, node) in before_escapes {
            let inside = self.insides[index].1.clone();
            let position = inside.after(text);
            // No escape begins within a character.
            let Some(position) = position.filter(|at| inside.is_boundary(at)) else { continue };
            let from = Spot { at: At::Inside { index, begun_at: 0, position }, is_proxy: false };
            let found = self.walk_below(node, &Children::Only(b"\\"[..].into()), from)?;
            self.take(found);
        }
        Ok(())
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
        self.mask.refuse_all(&tokens.refused);
        let special = inside.special();
        for (example, rests) in tokens.endings(|content| special.contains(content)) {
            if let Some(after) = self.end_after(begun, example)? {
                let says = if inside.is_proxy() { Says::AllowedToMany } else { Says::Allowed };
                self.add_rests(Some(after), rests, says)?;
            }
        }
        for same in special.suffixes().filter_map(|suffix| tokens.closing_after(suffix)) {
            let after = self.end_after(begun, &same.spelled)?;
            self.add_rests(after, same.rests(), Says::All)?;
        }
        // Within an escape a token is no text by itself.
        let is_boundary = inside.is_boundary(&inside.start());
        for &id in &tokens.doubtful {
            // Only special texts may have been left out.
            let text = kind.plain_text(self.vocabulary.token_bytes(id).unwrap_or_default());
            match text.filter(|_| is_boundary) {
                Some(text) if !special.some_begins(text) => self.mask.set(id, true),
                _ => self.doubtful.push(id),
            }
        }
        match inside.named().map(Arc::new) {
            Some(named) => self.add_texts((&named, state), kind),
            None => Ok(()),
        }
    }

    /// Tokens that go on from a state, if there is one.
    fn add_rests(
        &mut self,
        state: Option<StateId>,
        rests: &Rests,
        says: Says,
    ) -> Result<(), Error> {
        let Some(state) = state else {
            if says == Says::All {
                rests.ids().for_each(|id| self.mask.set(id, false));
            }
            return Ok(());
        };
        self.mask.add_part(&rests.ended);
        self.add_trie(state, &rests.more, says)
    }

    /// The tokens of a trie that may follow at a state. Before a value, those that stay in it are found
    /// apart from what encloses it.
    fn add_trie(&mut self, state: StateId, trie: &TokenTrie, says: Says) -> Result<(), Error> {
        if trie.is_empty() {
            return Ok(());
        }
        let outcome = match self.automaton.apart(state) {
            // No other text leads there.
            Some(apart) if says == Says::AllowedToMany => {
                self.outcome(apart, trie, Says::Allowed)?
            }
            Some(apart) => self.outcome(apart, trie, says)?,
            None => self.outcome(state, trie, says)?,
        };
        self.mask.add_part(&outcome.allowed);
        self.doubtful.extend(&outcome.doubtful);
        self.mask.refuse_all(&outcome.refused);
        for (left, rests) in &outcome.left {
            let after = self.automaton.leave(state, *left)?;
            self.add_rests(after, rests, says)?;
        }
        Ok(())
    }

    fn outcome(
        &mut self,
        state: StateId,
        trie: &TokenTrie,
        says: Says,
    ) -> Result<Arc<Outcome>, Error> {
        let key = (state, trie.serial(), says);
        if let Some(outcome) = self.automaton.outcome(key) {
            return Ok(outcome);
        }
        let spot = self.spot(state, 0, says == Says::AllowedToMany)?;
        let found = self.walk(trie, spot)?;
        let refused = if says == Says::All { found.refused(trie.ids()) } else { Box::default() };
        let Found { allowed, doubtful, left } = found;
        let allowed = Arc::new(TokenSet::new(allowed, self.vocabulary.n_ids()));
        let left = left.into_iter().map(|(state, rests)| (state, rests.finish())).collect();
        let outcome = Arc::new(Outcome { allowed, doubtful, left, refused });
        self.automaton.remember_outcome(key, &outcome);
        Ok(outcome)
    }

    /// The state after a string that ends with these bytes and the quote, if it may.
    fn end_after(
        &mut self,
        begun: (&Arc<M::Inside>, StateId),
        spelled: &[u8],
    ) -> Result<Option<StateId>, Error> {
        self.automaton.meter().spend(1 + spelled.len())?;
        let inside = begun.0;
        let Some(position) = inside.after(spelled) else { return Ok(None) };
        match inside.step(&position, spelled, b'"') {
            Move::Ends(end) => self.automaton.end((inside, begun.1), &end, spelled),
            Move::Stays(_) | Move::Refused => Ok(None),
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
        self.walk_below(trie.root(), &first, from)
    }

    /// Those of them that begin as a node does and go on with some bytes.
    fn walk_below(
        &mut self,
        node: TrieNode<'_>,
        first: &Children,
        from: Spot<M>,
    ) -> Result<Found, Error> {
        const MOST_DEPTHS: usize = 16;
        let (mut path, mut bytes) =
            (Vec::with_capacity(MOST_DEPTHS), Vec::with_capacity(MOST_DEPTHS));
        let mut found = Found::default();
        path.push(from);
        node.walk_below(first, |visit| {
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
                Next::Left(state) => found.leave(state, &visit),
                Next::Refused => {}
                Next::Certain => {
                    found.allowed.extend(visit.ids());
                    found.doubtful.extend(&visit.ids_below()[visit.ids().len()..]);
                }
                Next::Doubtful => found.doubtful.extend(visit.ids_below()),
            }
            Ok(Children::None)
        })?;
        Ok(found)
    }

    /// The bytes that are worth a try.
    fn children(&self, spot: &Spot<M>) -> Children {
        let bytes = match &spot.at {
            At::State(state) => self.automaton.next_bytes(*state),
            At::Inside { index, position, .. } => self.insides[*index].1.next_bytes(position),
        };
        bytes.map_or(Children::All, Children::Only)
    }

    fn next(&mut self, spot: &Spot<M>, path: &[u8], byte: u8) -> Result<Next<M>, Error> {
        self.automaton.meter().spend(1)?;
        let (index, begun_at, position) = match &spot.at {
            At::State(state) => {
                let dependence = if spot.is_proxy {
                    self.automaton.dependence(*state, byte)
                } else {
                    Dependence::None
                };
                if dependence == Dependence::All {
                    return Ok(Next::Doubtful);
                }
                let next = self.automaton.step(*state, byte)?;
                if dependence == Dependence::Beyond {
                    return Ok(if next.is_some() { Next::Certain } else { Next::Refused });
                }
                // Apart from what encloses it, a number that ends before this byte is not seen to go on.
                if next.is_none() && self.automaton.may_end_before(*state, byte) {
                    return Ok(Next::Doubtful);
                }
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
            Move::Ends(_) if self.ends_apart == Some(index) => Ok(Next::Refused),
            Move::Ends(end) => {
                let (begin, inside) = &self.insides[index];
                let is_proxy = spot.is_proxy || inside.is_proxy();
                let after = self.automaton.end((inside, *begin), &end, &path[begun_at..])?;
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
            Some(state) if self.automaton.is_left(state) => Ok(Next::Left(state)),
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
