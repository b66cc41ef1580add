//! [`Walk`]: which tokens stay within a terminal, and what the others have behind its end.

use std::sync::Arc;

use super::bytes::ByteSet;
use super::lexeme::{Lexeme, Loop, Pattern};
use super::pairs::Pairs;
use super::terminal_tokens::Tokens;
use crate::byte_groups::TrieGroups;
use crate::error::Error;
use crate::meter::Meter;
use crate::token_mask::TokenSet;
use crate::token_trie::{Bytes, Children, TokenTrie, Visit};
use crate::vocabulary::Vocabulary;

/// So many tokens that go on alike are not copied: fewer may be what other terminals have, too. That isn't so
/// behind a single text.
const MANY: usize = 16;
/// Where so many tokens are below a node it is asked which of them consist of what leads back to a state.
const MANY_BELOW: usize = 32;

/// A walk of a trie within a terminal.
pub(super) struct Walk<'a> {
    pub(super) lexeme: &'a mut Lexeme,
    vocabulary: &'a Vocabulary,
    /// Those of which the trie is walked.
    tokens: Tokens,
    /// The pattern, with what is known of the trie, where that is all tokens.
    pattern: Option<(Arc<Pattern>, &'a TrieGroups)>,
    /// The bytes that may come after the terminal.
    follow: ByteSet,
    pairs: Option<Arc<Pairs>>,
    meter: &'a Meter,
    /// By depth, the bytes, and the places after them with that before the first.
    bytes: Vec<u8>,
    path: Vec<Spot>,
    /// From which byte on a token may have left the terminal.
    leaves_from: usize,
    /// Nodes that are still to be visited, with what leads to each.
    pending: Vec<(u32, Bytes)>,
    /// What tokens have behind runs, with the state from which they go on.
    beyond: Vec<(Arc<TokenTrie>, u32)>,
    pub(super) found: Found,
    /// Whether no branches are kept, as the trie is none of [`Tokens`].
    copies_all: bool,
    /// So many tokens that go on alike are not copied.
    many: usize,
}

/// Where a path has led.
#[derive(Clone, Copy)]
struct Spot {
    at: u32,
    /// Whether the terminal may end here. At the start it ended before.
    may_end: bool,
    /// Whether the path may leave the terminal before its last byte.
    has_left: bool,
}

impl<'a> Walk<'a> {
    /// Of a terminal that is read from a state on, with the bytes that may come after it.
    pub(super) fn new(
        lexeme: &'a mut Lexeme,
        (vocabulary, tokens): (&'a Vocabulary, &Tokens),
        (follow, pairs): (ByteSet, Option<Arc<Pairs>>),
        meter: &'a Meter,
        at: u32,
    ) -> Self {
        let many = if lexeme.is_text() { 1 } else { MANY };
        Self {
            lexeme,
            vocabulary,
            tokens: tokens.clone(),
            pattern: None,
            follow,
            pairs,
            meter,
            bytes: Vec::new(),
            path: vec![Spot { at, may_end: false, has_left: false }],
            leaves_from: 1,
            pending: Vec::new(),
            beyond: Vec::new(),
            found: Found::default(),
            copies_all: false,
            many,
        }
    }

    pub(super) fn run(&mut self) -> Result<(), Error> {
        let (start, tokens) = (self.path[0], self.tokens.clone());
        self.find_pattern();
        let trie = tokens.trie(self.vocabulary);
        if let Some(through) = self.loop_from(start) {
            self.go_through(trie.children(TokenTrie::ROOT), start, through)?;
        } else {
            trie.walk_some(&self.children(start), |visit| self.visit(&visit))?;
        }
        self.visit_pending()?;
        if let Tokens::Rests(rests) = &tokens {
            for branches in rests.branches.chunk_by(|(a, _), (b, _)| a.is_same(b)) {
                self.take_branches(branches)?;
            }
        }
        while let Some((beyond, at)) = self.beyond.pop() {
            self.go_beyond(&beyond, at)?;
        }
        Ok(())
    }

    /// Visits branches of one trie.
    fn take_branches(&mut self, branches: &[(Tokens, u32)]) -> Result<(), Error> {
        let (start, tokens) = (self.path[0], branches[0].0.clone());
        self.path.truncate(1);
        self.bytes.clear();
        self.tokens = tokens.clone();
        self.find_pattern();
        let nodes = branches.iter().map(|&(_, node)| node as usize);
        if let Some(through) = self.loop_from(start) {
            self.go_through(nodes, start, through)?;
        } else {
            let trie = tokens.trie(self.vocabulary);
            for node in nodes {
                trie.walk_at((node, 1), |visit| self.visit(&visit))?;
            }
        }
        self.visit_pending()
    }

    /// Of a JSON text that ends with a bracket: only tokens with one may leave it. Which tokens stay is known.
    pub(super) fn run_beyond_brackets(&mut self) -> Result<(), Error> {
        self.copies_all = true;
        let vocabulary = self.vocabulary;
        let first = self.children(self.path[0]);
        vocabulary.beyond_brackets().walk_some(&first, |visit| self.visit(&visit))
    }

    fn find_pattern(&mut self) {
        let pattern = self.lexeme.pattern().filter(|_| matches!(self.tokens, Tokens::All));
        self.pattern = pattern.map(|pattern| (pattern.clone(), self.vocabulary.trie_groups()));
    }

    /// The loop that many tokens go through from a place on, if they don't leave the terminal within it.
    fn loop_from(&self, from: Spot) -> Option<Loop> {
        let (pattern, _) = self.pattern.as_ref()?;
        let through = pattern.loops(from.at).next?;
        let leads = |byte| through.groups.may_have(byte) || through.first.contains(byte);
        let may_end = from.may_end || self.lexeme.is_accepting(through.to);
        // Within a character it may end, too, as far as that is known.
        let leaves = |byte: u8| leads(byte) && (may_end || !byte.is_ascii());
        let may_leave = self.follow.bytes().any(leaves);
        (!from.has_left && !may_leave).then_some(through)
    }

    fn visit(&mut self, visit: &Visit<'_>) -> Result<Children, Error> {
        self.meter.spend(1)?;
        self.path.truncate(visit.depth);
        self.bytes.truncate(visit.depth - 1);
        self.bytes.push(visit.byte);
        let Some(spot) = self.step(visit.byte)? else {
            let before = self.path[visit.depth - 1];
            if before.has_left || self.may_leave(before, visit.byte) {
                self.leave(visit)?;
            }
            return Ok(Children::None);
        };
        self.path.push(spot);
        if self.all_stay(visit.node, spot) {
            self.found.staying.extend_from_slice(visit.ids_below());
            return Ok(Children::None);
        }
        self.found.staying.extend_from_slice(visit.ids());
        if visit.ids_below().len() >= MANY_BELOW
            && let Some(through) = self.loop_from(spot)
        {
            self.go_through(self.vocabulary.trie().children(visit.node), spot, through)?;
            return Ok(Children::None);
        }
        Ok(if visit.n_children() == 0 { Children::None } else { self.children(spot) })
    }

    /// Whether whatever tokens have behind a node leads back to its place.
    fn all_stay(&self, node: usize, spot: Spot) -> bool {
        let Some((pattern, trie_groups)) = &self.pattern else { return false };
        let own = pattern.loops(spot.at).own;
        let below = &trie_groups.from[self.vocabulary.trie().children(node)];
        below.iter().all(|groups| groups.is_within(own))
    }

    /// The bytes that stay within the terminal at a state, or come behind it.
    fn next_bytes(&mut self, at: u32) -> Result<ByteSet, Error> {
        let mut next = ByteSet::default();
        for byte in 0..=u8::MAX {
            if self.lexeme.step(at, byte)?.is_some() {
                next.insert(byte);
            }
        }
        if self.lexeme.is_accepting(at) {
            next.extend(&self.follow);
        }
        Ok(next)
    }

    /// Where a byte leads behind the path, if it stays within the terminal.
    fn step(&mut self, byte: u8) -> Result<Option<Spot>, Error> {
        let before = self.path[self.path.len() - 1];
        let Some(at) = self.lexeme.step(before.at, byte)? else { return Ok(None) };
        let has_left = before.has_left || self.may_leave(before, byte);
        Ok(Some(Spot { at, may_end: self.lexeme.is_accepting(at), has_left }))
    }

    fn may_leave(&self, spot: Spot, byte: u8) -> bool {
        spot.may_end && self.follow.contains(byte)
    }

    /// Takes the tokens that go through a loop from some nodes on; the others are still to be visited.
    fn go_through(
        &mut self,
        nodes: impl Iterator<Item = usize>,
        from: Spot,
        through: Loop,
    ) -> Result<(), Error> {
        let bytes = self.vocabulary.trie().bytes();
        let (led, others): (Vec<usize>, Vec<usize>) =
            nodes.partition(|&node| through.first.contains(bytes[node]));
        for node in others {
            let byte = bytes[node];
            if self.may_leave(from, byte) || self.lexeme.step(from.at, byte)?.is_some() {
                self.add_pending(node as u32, &[byte]);
            }
        }
        let led = led.into_iter().map(|node| node as u32).collect();
        let next = self.next_bytes(through.to)?;
        let (run, beyond) = self.vocabulary.run(led, through.groups, &next);
        self.meter.spend(16)?;
        self.found.inside.push(run.inside.clone());
        if self.bytes.is_empty() && from.at == through.to {
            self.found.leading_back = Some(run.whole(self.vocabulary.trie_groups()));
        }
        for (node, text) in &run.cuts {
            self.add_pending(*node, text);
        }
        self.beyond.push((beyond, through.to));
        Ok(())
    }

    fn add_pending(&mut self, node: u32, text: &[u8]) {
        self.pending.push((node, self.bytes.iter().chain(text).copied().collect()));
    }

    /// Takes the tokens that go on behind a run.
    fn go_beyond(&mut self, beyond: &Arc<TokenTrie>, at: u32) -> Result<(), Error> {
        let start = Spot { at, may_end: self.lexeme.is_accepting(at), has_left: false };
        self.bytes.clear();
        self.path = vec![start];
        self.leaves_from = 0;
        self.pattern = None;
        self.tokens = Tokens::Beyond(beyond.clone());
        beyond.walk_some(&self.children(start), |visit| self.visit(&visit))
    }

    fn visit_pending(&mut self) -> Result<(), Error> {
        while let Some((node, text)) = self.pending.pop() {
            self.path.truncate(1);
            self.bytes.clear();
            for &byte in &text[..text.len() - 1] {
                let spot = self.step(byte)?;
                self.path.extend(spot);
                self.bytes.push(byte);
            }
            let trie = self.vocabulary.trie();
            trie.walk_at((node as usize, text.len()), |visit| self.visit(&visit))?;
        }
        Ok(())
    }

    /// The bytes that are worth a try: after those that don't go on tokens may have left the terminal.
    fn children(&self, spot: Spot) -> Children {
        let bytes = self.lexeme.next_bytes(spot.at).filter(|_| !spot.has_left);
        let Some(mut bytes) = bytes else { return Children::All };
        if spot.may_end {
            let others: Bytes = self.follow.bytes().filter(|byte| !bytes.contains(byte)).collect();
            bytes.extend(others);
            bytes.sort_unstable();
        }
        Children::Only(bytes)
    }

    /// The tokens from a node on don't stay in the terminal: they left it at one of the places before.
    fn leave(&mut self, visit: &Visit<'_>) -> Result<(), Error> {
        for from in self.leaves_from..self.bytes.len() {
            if !self.path[from].may_end || !self.follow.contains(self.bytes[from]) {
                continue;
            }
            let may_begin =
                |rest: &[u8]| self.pairs.as_ref().is_none_or(|pairs| pairs.may_begin(rest));
            if !may_begin(&self.bytes[from..]) {
                continue;
            }
            let is_last = from + 1 == self.bytes.len();
            if is_last && visit.ids_below().len() >= self.many && !self.copies_all {
                let n_tokens = visit.ids_below().len();
                self.found.branches.push((self.tokens.clone(), visit.node as u32, n_tokens));
                continue;
            }
            self.meter.spend(visit.ids_below().len())?;
            let (read, leaving) = (&self.bytes[from..], &mut self.found.leaving);
            visit.for_each_below(|rest, ids| {
                let start = leaving.bytes.len();
                leaving.bytes.extend_from_slice(read);
                leaving.bytes.extend_from_slice(rest);
                if may_begin(&leaving.bytes[start..]) {
                    let range = (start, leaving.bytes.len());
                    leaving.rests.extend(ids.iter().map(|&id| (id, range)));
                } else {
                    leaving.bytes.truncate(start);
                }
            });
        }
        Ok(())
    }
}

/// Tokens that a walk has found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) staying: Vec<u32>,
    /// More that stay.
    pub(super) inside: Vec<Arc<TokenSet>>,
    /// Some that lead back to the state from which the terminal is read.
    pub(super) leading_back: Option<Arc<TokenSet>>,
    pub(super) leaving: Copied,
    /// Nodes with how many tokens they have.
    pub(super) branches: Vec<(Tokens, u32, usize)>,
}

/// What tokens have from some place on, each as a range of the bytes.
#[derive(Default)]
pub(super) struct Copied {
    pub(super) bytes: Vec<u8>,
    pub(super) rests: Vec<(u32, (usize, usize))>,
}
