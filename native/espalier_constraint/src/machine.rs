//! [`Machine`]: what a constraint is made of.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::Error;
use crate::grammar::special_tokens::SpecialTokens;
use crate::json_schema::{EscapeStyle, NumberRest};
use crate::lexicon::LexiconKind;
use crate::literals::Literals;
use crate::meter::Meter;
use crate::string_tokens::{FreeBounds, StringTokens};
use crate::token_mask::{MaskBuilder, TokenSet};
use crate::token_trie::Bytes;
use crate::vocabulary::Vocabulary;

/// How many tokens lie in each of the bounded texts that are being read at a state, in an order that the state
/// has.
pub(crate) type Counts = SmallVec<[u32; 2]>;

/// Another state in place of the one after a token, where a bound was reached, and its counts.
pub(crate) type Counted<S> = (Option<S>, Counts);

/// An automaton over bytes whose states are made as they are met.
///
/// A machine is *trim*: a step is refused exactly when no accepted text goes on like that. So
/// whatever was read can always be completed.
pub(crate) trait Machine: Debug + Send {
    /// A state; equal states behave alike.
    type State: Clone + Debug + Eq + Hash + Send + Sync;
    /// See [`inside`](Self::inside).
    type Inside: Inside + Debug;

    fn start(&self) -> Self::State;

    /// Allows all tokens that may follow, and answers true, where the machine finds them without a walk of
    /// all tokens.
    fn add_tokens(
        &mut self,
        _state: &Self::State,
        _vocabulary: &Arc<Vocabulary>,
        _mask: &mut MaskBuilder,
    ) -> Result<bool, Error> {
        Ok(false)
    }

    /// Tokens that lead back to a state, as far as they are known when those that may follow were found.
    fn leading_back(&self, _: &Self::State, _: &Vocabulary) -> Option<Arc<TokenSet>> {
        None
    }

    /// The special tokens that a text may have.
    fn special_tokens(&self) -> Option<&Arc<SpecialTokens>> {
        None
    }

    /// Whether tokens are counted anywhere.
    fn has_bounds(&self) -> bool {
        false
    }

    /// After some bytes, which are so many tokens of the texts that they lie in: how many tokens lie in the texts
    /// that are being read then. What is refused at the state that takes the place of the one after them is
    /// refused there for the bound alone, and something is allowed.
    fn count_tokens(
        &mut self,
        _before: (&Self::State, &Counts),
        _bytes: &[u8],
        _n_tokens: u32,
        _after: &Self::State,
    ) -> Result<Counted<Self::State>, Error> {
        Ok((None, Counts::new()))
    }

    /// The only bytes that may follow, and perhaps some more, where these are few.
    fn next_bytes(&self, _state: &Self::State) -> Option<Bytes> {
        None
    }

    /// The state after one more byte; `None` when no accepted text goes on with it.
    fn step(&mut self, state: &Self::State, byte: u8) -> Result<Option<Self::State>, Error>;

    /// The state after several bytes; `None` when no accepted text goes on with them.
    fn read(
        &mut self,
        state: &Self::State,
        bytes: &[u8],
        meter: &Meter,
    ) -> Result<Option<Self::State>, Error> {
        let mut state = state.clone();
        for &byte in bytes {
            meter.spend(1)?;
            match self.step(&state, byte)? {
                Some(next) => state = next,
                None => return Ok(None),
            }
        }
        Ok(Some(state))
    }

    /// Whether a token is read as quickly from here as it is looked up where it leads.
    fn reads_quickly(&self, _state: &Self::State) -> bool {
        false
    }

    /// Whether the text may end here.
    fn is_accepting(&self, state: &Self::State) -> bool;

    /// Whether the state is inside of a string.
    fn is_inside(&self, _state: &Self::State) -> bool {
        false
    }

    /// The string that the state is inside of, if it is: what can be walked without making states.
    fn inside(&mut self, _state: &Self::State) -> Result<Option<Self::Inside>, Error> {
        Ok(None)
    }

    /// The state behind a string, if it may end like that after the path. `None` where it takes more to know.
    fn after_string(
        &mut self,
        _inside: &Self::Inside,
        _end: &<Self::Inside as Inside>::End,
        _path: &[u8],
    ) -> Option<Result<Option<Self::State>, Error>> {
        None
    }

    /// The number that the state is in, or before, if one may be there.
    fn number(&mut self, _state: &Self::State) -> Result<Option<NumberRest>, Error> {
        Ok(None)
    }

    /// The state behind the number that the state is in, if it may end here.
    fn after_number(&mut self, _state: &Self::State) -> Result<Option<Self::State>, Error> {
        Ok(None)
    }

    /// Where in a JSON text the state is.
    fn part(&self, _state: &Self::State) -> Part {
        Part::Other
    }

    /// Before a value: the state apart from what encloses the value, if nothing else matters to it.
    fn apart(&self, _state: &Self::State) -> Option<Self::State> {
        None
    }

    /// Whether the state is behind a value that was read [apart](Self::apart) from what encloses it. No
    /// step leads on from there.
    fn is_left(&self, _state: &Self::State) -> bool {
        false
    }

    /// Whether the state is in a number that is read [apart](Self::apart) from what encloses it.
    fn is_apart_number(&self, _state: &Self::State) -> bool {
        false
    }

    /// The state behind a value, from the state before it and that behind the same value read apart; if
    /// what encloses the value allows it.
    fn leave(
        &mut self,
        _before: &Self::State,
        _left: &Self::State,
    ) -> Result<Option<Self::State>, Error> {
        Ok(None)
    }

    /// How far it depends on more of the text than the ends of insides tell apart what follows.
    fn dependence(&self, _state: &Self::State, _byte: u8) -> Dependence {
        Dependence::None
    }

    /// A short text that leads to an accepting state; empty in one.
    fn completion(&mut self, state: &Self::State) -> Result<Vec<u8>, Error>;

    /// About how many bytes a state takes beyond itself.
    fn memory_of(&self, _state: &Self::State) -> usize {
        0
    }

    /// About how many bytes the states met so far take, beyond the states themselves.
    fn memory(&self) -> usize {
        0
    }

    /// Forgets what belongs to the states met so far; no state is used after that.
    fn forget_states(&mut self) {}
}

/// Whether it is known what follows a byte, at a state that stands for those of several texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dependence {
    None,
    /// The byte may follow or not whatever the text is, but what comes after it depends on that.
    Beyond,
    /// It depends on the text whether the byte may follow.
    All,
}

/// A place in a JSON text, as far as that tells which tokens are worth a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Between two values, keys or signs; whether white space changes nothing there.
    Between { takes_spaces: bool },
    /// In a number. Where it may end, what follows white space follows without it, too.
    Number,
    /// Anywhere else, or the text isn't JSON.
    Other,
}

/// The rest of a string, from some state on.
///
/// A token that ends the string goes on in a state that depends on what encloses it. Most texts lead
/// to states that behave alike: those that have the same [`End`](Self::End).
pub(crate) trait Inside: Sized {
    /// How far it was read.
    type Position: Clone + Debug + Eq + Hash + Send;
    /// What matters of the text that was read once the string has ended.
    type End: Clone + Debug + Eq + Hash + Send;
    /// What decides which texts are allowed, at other states too.
    type Languages: Clone + Debug + Eq + Hash + Send;

    fn start(&self) -> Self::Position;

    /// One more byte after those of the path, which led from the start to the position.
    fn step(
        &self,
        position: &Self::Position,
        path: &[u8],
        byte: u8,
    ) -> Move<Self::Position, Self::End>;

    /// How far a text leads from the start that stays inside of the string.
    fn after(&self, text: &[u8]) -> Option<Self::Position> {
        (0..text.len()).try_fold(self.start(), |position, index| {
            match self.step(&position, &text[..index], text[index]) {
                Move::Stays(next) => Some(next),
                Move::Ends(_) | Move::Refused => None,
            }
        })
    }

    /// Whether texts with the same end may lead to states that differ, where the machine says that it
    /// [depends on the text](Machine::dependence).
    fn is_proxy(&self) -> bool;

    /// What encloses the string, by a number: ends that are equal go on in the same state. `None` where
    /// more of the text matters.
    fn enclosing(&self) -> Option<u32>;

    /// What was read on a path from the start, as far as it was decoded.
    fn decoded(&self, path: &[u8]) -> Vec<u8>;

    /// At the start: whether all texts of that length may follow, but for a few that are not allowed to
    /// end there.
    fn is_free(&self, longest: usize) -> bool;

    /// At the start: the bounds, where all texts within them may follow.
    fn free_bounds(&self) -> Option<FreeBounds>;

    /// At the start: the tokens of a lexicon that may follow, where all constraints of a vocabulary share
    /// that.
    fn shared_tokens(
        &self,
        kind: LexiconKind,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringTokens>>;

    /// The languages of the string; `None` where nothing is shared with other states.
    fn languages(&self) -> Option<Self::Languages>;

    /// Where it starts as far as the languages go, for texts of so many characters at most.
    fn shared_start(&self, longest: usize) -> Self::Position;

    /// The class of each byte, such that bytes of a class do the same, and how many there are.
    fn byte_classes(&self) -> ([u8; 256], usize);

    /// Whether it takes more than the languages to know that some text goes on from the position.
    fn is_doubtful(&self, position: &Self::Position) -> bool;

    /// Whether the position tells bytes apart that are of one class.
    fn is_escape(&self, position: &Self::Position) -> bool;

    /// Whether a character may begin at the position.
    fn is_boundary(&self, position: &Self::Position) -> bool;

    /// At the start, of a string whose length is bounded: how many characters may follow whatever the
    /// bound is, and how many at most.
    fn room(&self) -> Option<(usize, usize)>;

    /// One more byte, as far as the languages go, for texts of so many characters at most.
    fn shared_step(
        &self,
        position: &Self::Position,
        byte: u8,
        longest: usize,
    ) -> Move<Self::Position, Self::End>;

    /// At the start: how characters may be spelled.
    fn escapes(&self) -> EscapeStyle;

    /// At the start: all texts that may follow up to the end of the string, where that is a list.
    fn listed(&self) -> Option<Vec<&[u8]>>;

    /// The position after a whole character of one byte, however it is spelled, as
    /// [`shared_step`](Self::shared_step) does.
    fn shared_push(
        &self,
        position: &Self::Position,
        character: u8,
        longest: usize,
    ) -> Option<Self::Position>;

    /// The texts that don't end like others, and that the languages may lack, as what is missing to
    /// them.
    fn special(&self) -> Special<'_>;

    /// The same string as far as it is one of its special texts alone, where some of these may follow
    /// that the languages lack.
    fn named(&self) -> Option<Self>;

    /// The only bytes that may follow at the position, where these are few.
    fn next_bytes(&self, position: &Self::Position) -> Option<Bytes>;
}

/// Texts that are not like others.
#[derive(Default)]
pub(crate) struct Special<'a> {
    /// What was read of the string before.
    pub(crate) begun: &'a [u8],
    pub(crate) texts: &'a [Arc<Literals>],
}

impl Special<'_> {
    /// Whether what was read is special with these characters after it.
    pub(crate) fn contains(&self, more: &[u8]) -> bool {
        if self.texts.is_empty() {
            return false;
        }
        let text = [self.begun, more].concat();
        self.texts.iter().any(|texts| texts.contains(&text))
    }

    /// Whether a special text begins with what was read and these characters.
    pub(crate) fn some_begins(&self, more: &[u8]) -> bool {
        self.texts.iter().any(|texts| {
            let texts: &Literals = texts;
            let mut bytes = self.begun.iter().chain(more);
            bytes.try_fold(texts.start(), |prefix, &byte| texts.step(prefix, byte)).is_some()
        })
    }

    /// What makes a special text of what was read.
    pub(crate) fn suffixes(&self) -> impl Iterator<Item = &[u8]> {
        let beginning = self.texts.iter().filter_map(|texts| {
            let texts: &Literals = texts;
            let mut bytes = self.begun.iter();
            let prefix = bytes.try_fold(texts.start(), |prefix, &byte| texts.step(prefix, byte))?;
            Some(texts.beginning_with(prefix))
        });
        beginning.flatten().map(|text| &text[self.begun.len()..])
    }
}

/// What a byte does inside of a string.
pub(crate) enum Move<P, E> {
    Stays(P),
    /// The byte is the quote that ends the string.
    Ends(E),
    Refused,
}

/// Of a machine that has no strings.
#[derive(Debug)]
pub(crate) enum NoInside {}

impl Inside for NoInside {
    type Position = ();
    type End = ();
    type Languages = ();

    fn start(&self) {}

    fn step(&self, (): &(), _path: &[u8], _byte: u8) -> Move<(), ()> {
        match *self {}
    }

    fn is_proxy(&self) -> bool {
        match *self {}
    }

    fn enclosing(&self) -> Option<u32> {
        match *self {}
    }

    fn decoded(&self, _path: &[u8]) -> Vec<u8> {
        match *self {}
    }

    fn is_free(&self, _longest: usize) -> bool {
        match *self {}
    }

    fn free_bounds(&self) -> Option<FreeBounds> {
        match *self {}
    }

    fn shared_tokens(&self, _: LexiconKind, _: &Vocabulary) -> Option<Arc<StringTokens>> {
        match *self {}
    }

    fn languages(&self) -> Option<()> {
        match *self {}
    }

    fn shared_start(&self, _longest: usize) {}

    fn byte_classes(&self) -> ([u8; 256], usize) {
        match *self {}
    }

    fn room(&self) -> Option<(usize, usize)> {
        match *self {}
    }

    fn is_doubtful(&self, (): &()) -> bool {
        match *self {}
    }

    fn is_escape(&self, (): &()) -> bool {
        match *self {}
    }

    fn is_boundary(&self, (): &()) -> bool {
        match *self {}
    }

    fn shared_step(&self, (): &(), _byte: u8, _longest: usize) -> Move<(), ()> {
        match *self {}
    }

    fn shared_push(&self, (): &(), _character: u8, _longest: usize) -> Option<()> {
        match *self {}
    }

    fn escapes(&self) -> EscapeStyle {
        match *self {}
    }

    fn listed(&self) -> Option<Vec<&[u8]>> {
        match *self {}
    }

    fn special(&self) -> Special<'_> {
        match *self {}
    }

    fn named(&self) -> Option<Self> {
        match *self {}
    }

    fn next_bytes(&self, (): &()) -> Option<Bytes> {
        match *self {}
    }
}
