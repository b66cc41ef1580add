//! Which tokens may follow at a state of a grammar.
//!
//! Whether a token stays within a terminal depends on the state of its automaton alone, so that is found out
//! once for all places where the terminal stands ([`Within`]). The tokens that go on behind its end are kept by
//! what they have there; which of these may follow is asked at the front behind the terminal, in the same
//! way. So most of the work for a state is done when another state was there first.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::ByteSet;
use super::lexeme::{Lexeme, Pattern};
use super::machine::{GrammarMachine, State, Thread};
use crate::byte_groups::ByteGroups;
use crate::error::Error;
use crate::meter::Meter;
use crate::token_mask::{MaskBuilder, TokenSet};
use crate::token_trie::{Bytes, Children, TokenTrie, Visit};
use crate::vocabulary::Vocabulary;

/// What is known of tokens, by terminal, by its state, and by the number of the trie that they are in.
#[derive(Debug, Default)]
pub(crate) struct TerminalTokens {
    within: FxHashMap<(u32, u32, u64), Arc<Within>>,
    n_bytes: usize,
}

/// What becomes of the tokens of a trie in a terminal.
#[derive(Debug)]
struct Within {
    /// Those that stay in it.
    staying: Arc<TokenSet>,
    /// What the others have behind a place where it may end.
    leaving: Option<Arc<Rests>>,
}

/// What tokens have from some place on.
#[derive(Debug)]
struct Rests {
    trie: TokenTrie,
    /// More of them, where they are many: nodes of the tries in which they were found.
    branches: Vec<(Tokens, u32)>,
    first: ByteSet,
}

/// All tokens of a vocabulary, or what some of them have from some place on.
type Tokens = Option<Arc<Rests>>;

/// So many tokens that go on alike are not copied.
const MANY: usize = 16;

impl TerminalTokens {
    pub(super) fn memory(&self) -> usize {
        self.n_bytes
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

impl GrammarMachine {
    pub(super) fn add_terminal_tokens(
        &mut self,
        state: &State,
        vocabulary: &Arc<Vocabulary>,
        mask: &mut MaskBuilder,
    ) -> Result<(), Error> {
        let threads = self.all_threads(state)?.into_iter();
        let mut open: Vec<(Thread, Tokens)> = threads.map(|thread| (thread, None)).collect();
        let mut seen: FxHashSet<(Thread, u64)> = FxHashSet::default();
        while let Some((thread, tokens)) = open.pop() {
            if !seen.insert((thread, trie_of(&tokens, vocabulary).serial())) {
                continue;
            }
            self.fronts.meter().spend(1)?;
            let within = self.within(thread, &tokens, vocabulary)?;
            mask.add_part(&within.staying);
            let Some(leaving) = &within.leaving else { continue };
            let front = self.fronts.behind(&[thread.then])?;
            let front = self.fronts.find(front)?;
            for &(terminal, then) in &front.threads {
                if self.fronts.productions().first(terminal).meets(&leaving.first)
                    && let Some(at) = self.lexemes[terminal as usize].start()
                {
                    open.push((Thread { terminal, at, then }, Some(leaving.clone())));
                }
            }
        }
        Ok(())
    }

    fn within(
        &mut self,
        thread: Thread,
        among: &Tokens,
        vocabulary: &Vocabulary,
    ) -> Result<Arc<Within>, Error> {
        let key = (thread.terminal, thread.at, trie_of(among, vocabulary).serial());
        if let Some(known) = self.tokens.within.get(&key) {
            return Ok(known.clone());
        }
        let Self { lexemes, fronts, tokens, .. } = self;
        let mut walk = Walk {
            lexeme: &mut lexemes[thread.terminal as usize],
            vocabulary,
            tokens: among.clone(),
            loops: None,
            follow: *fronts.productions().follow(thread.terminal),
            meter: fronts.meter(),
            bytes: Vec::new(),
            path: vec![Spot { at: thread.at, may_end: false, has_left: false }],
            found: Found::default(),
        };
        walk.run()?;
        let within = Arc::new(walk.found.finish(vocabulary.n_ids()));
        let rests = within
            .leaving
            .as_ref()
            .map_or(0, |rests| rests.trie.size_in_bytes() + size_of_val(&rests.branches[..]));
        tokens.n_bytes += 128 + within.staying.size_in_bytes() + rests;
        tokens.within.insert(key, within.clone());
        Ok(within)
    }
}

/// The trie of tokens, but for branches of others.
fn trie_of<'a>(tokens: &'a Tokens, vocabulary: &'a Vocabulary) -> &'a TokenTrie {
    tokens.as_ref().map_or(vocabulary.trie(), |rests| &rests.trie)
}

/// A walk of a trie within a terminal.
struct Walk<'a> {
    lexeme: &'a mut Lexeme,
    vocabulary: &'a Vocabulary,
    /// Those of which the trie is walked.
    tokens: Tokens,
    /// The pattern, with what is below each node of the trie, where both are known.
    loops: Option<(Arc<Pattern>, &'a [ByteGroups])>,
    /// The bytes that may come after the terminal.
    follow: ByteSet,
    meter: &'a Meter,
    /// By depth, the bytes, and the places after them with that before the first.
    bytes: Vec<u8>,
    path: Vec<Spot>,
    found: Found,
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

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Error> {
        let first = self.children(self.path[0]);
        let tokens = self.tokens.clone();
        self.find_loops();
        trie_of(&tokens, self.vocabulary).walk_some(&first, |visit| self.visit(&visit))?;
        for (of, node) in tokens.iter().flat_map(|rests| &rests.branches) {
            self.tokens.clone_from(of);
            self.find_loops();
            let trie = trie_of(of, self.vocabulary);
            trie.walk_branch(*node as usize, |visit| self.visit(&visit))?;
        }
        Ok(())
    }

    fn find_loops(&mut self) {
        let pattern = self.lexeme.pattern().filter(|_| self.tokens.is_none());
        self.loops = pattern.map(|pattern| (pattern.clone(), self.vocabulary.groups_below()));
    }

    fn visit(&mut self, visit: &Visit<'_>) -> Result<Children, Error> {
        self.meter.spend(1)?;
        self.path.truncate(visit.depth);
        self.bytes.truncate(visit.depth - 1);
        self.bytes.push(visit.byte);
        let before = self.path[visit.depth - 1];
        let has_left = before.has_left || before.may_end && self.follow.contains(visit.byte);
        let Some(at) = self.lexeme.step(before.at, visit.byte)? else {
            if has_left {
                self.leave(visit)?;
            }
            return Ok(Children::None);
        };
        if let Some((pattern, below)) = &self.loops
            && below[visit.node].is_within(pattern.loops()[at as usize])
        {
            self.found.staying.extend_from_slice(visit.ids_below());
            return Ok(Children::None);
        }
        self.found.staying.extend_from_slice(visit.ids());
        if visit.n_children() == 0 {
            return Ok(Children::None);
        }
        let spot = Spot { at, may_end: self.lexeme.is_accepting(at), has_left };
        self.path.push(spot);
        Ok(self.children(spot))
    }

    /// The bytes that are worth a try: after those that don't go on tokens may have left the terminal.
    fn children(&self, spot: Spot) -> Children {
        let bytes = self.lexeme.next_bytes(spot.at).filter(|_| !spot.has_left);
        let Some(mut bytes) = bytes else { return Children::All };
        if spot.may_end {
            let others: Bytes = self.follow.iter().filter(|byte| !bytes.contains(byte)).collect();
            bytes.extend(others);
            bytes.sort_unstable();
        }
        Children::Only(bytes)
    }

    /// The tokens from a node on don't stay in the terminal: they left it at one of the places before.
    fn leave(&mut self, visit: &Visit<'_>) -> Result<(), Error> {
        for from in 1..self.bytes.len() {
            if !self.path[from].may_end || !self.follow.contains(self.bytes[from]) {
                continue;
            }
            if from + 1 == self.bytes.len() && visit.ids_below().len() >= MANY {
                self.found.branches.push((self.tokens.clone(), visit.node as u32));
                self.found.first.insert(visit.byte);
                continue;
            }
            self.meter.spend(visit.ids_below().len())?;
            self.found.first.insert(self.bytes[from]);
            let (read, leaving) = (&self.bytes[from..], &mut self.found.leaving);
            visit.for_each_below(|rest, ids| {
                let rest = [read, rest].concat();
                leaving.extend(ids.iter().map(|&id| (id, rest[..].into())));
            });
        }
        Ok(())
    }
}

/// Tokens that a walk has found.
#[derive(Default)]
struct Found {
    staying: Vec<u32>,
    leaving: Vec<(u32, Box<[u8]>)>,
    branches: Vec<(Tokens, u32)>,
    first: ByteSet,
}

impl Found {
    fn finish(self, n_ids: usize) -> Within {
        let staying = Arc::new(TokenSet::new(self.staying, n_ids));
        if self.leaving.is_empty() && self.branches.is_empty() {
            return Within { staying, leaving: None };
        }
        let trie = TokenTrie::new(self.leaving.iter().map(|(id, rest)| (*id, &rest[..])));
        let Self { branches, first, .. } = self;
        Within { staying, leaving: Some(Arc::new(Rests { trie, branches, first })) }
    }
}
