//! Which tokens may follow at a state of a grammar.
//!
//! Whether a token stays within a terminal depends on the state of its automaton alone, so that is found out
//! once for all places where the terminal stands ([`Within`]). The tokens that go on behind its end are kept by
//! what they have there; which of these may follow is asked at the front behind the terminal, in the same
//! way. So most of the work for a state is done when another state was there first.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::bytes::ByteSet;
use super::lexeme::Lexeme;
use super::machine::{GrammarMachine, State, Thread};
use super::productions::Productions;
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
    first: ByteSet,
}

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
        let mut open: Vec<(Thread, Option<Arc<Rests>>)> =
            threads.map(|thread| (thread, None)).collect();
        let mut seen: FxHashSet<(Thread, u64)> = FxHashSet::default();
        while let Some((thread, rests)) = open.pop() {
            let trie = rests.as_ref().map_or(vocabulary.trie(), |rests| &rests.trie);
            if !seen.insert((thread, trie.serial())) {
                continue;
            }
            self.fronts.meter().spend(1)?;
            let within = self.within(thread, trie, vocabulary.n_ids())?;
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
        trie: &TokenTrie,
        n_ids: usize,
    ) -> Result<Arc<Within>, Error> {
        let key = (thread.terminal, thread.at, trie.serial());
        if let Some(known) = self.tokens.within.get(&key) {
            return Ok(known.clone());
        }
        let Self { lexemes, fronts, tokens, .. } = self;
        let lexeme = &mut lexemes[thread.terminal as usize];
        let meter = fronts.meter().clone();
        let found = find(lexeme, thread, trie, fronts.productions(), &meter)?;
        let within = Arc::new(found.finish(n_ids));
        let rests = within.leaving.as_ref().map_or(0, |rests| rests.trie.size_in_bytes());
        tokens.n_bytes += 128 + within.staying.size_in_bytes() + rests;
        tokens.within.insert(key, within.clone());
        Ok(within)
    }
}

/// Walks a trie within a terminal.
fn find(
    lexeme: &mut Lexeme,
    thread: Thread,
    trie: &TokenTrie,
    productions: &Productions,
    meter: &Meter,
) -> Result<Found, Error> {
    let follow = productions.follow(thread.terminal);
    let mut found = Found::default();
    // By depth, the state and whether the terminal may end there. At the start it ended before.
    let mut path = vec![(thread.at, false)];
    let first = children(lexeme, thread.at, false, follow);
    trie.walk_some(&first, |visit| {
        path.truncate(visit.depth);
        let (at, may_end) = path[visit.depth - 1];
        meter.spend(1)?;
        let next = lexeme.step(at, visit.byte)?;
        if may_end && follow.contains(visit.byte) {
            found.leave(&visit, next.is_some());
        }
        let Some(next) = next else { return Ok::<_, Error>(Children::None) };
        found.staying.extend_from_slice(visit.ids());
        if visit.n_children() == 0 {
            return Ok(Children::None);
        }
        let may_end = lexeme.is_accepting(next);
        path.push((next, may_end));
        Ok(children(lexeme, next, may_end, follow))
    })?;
    Ok(found)
}

/// The bytes that are worth a try.
fn children(lexeme: &Lexeme, at: u32, may_end: bool, follow: &ByteSet) -> Children {
    let Some(mut bytes) = lexeme.next_bytes(at) else { return Children::All };
    if may_end {
        let others: Bytes = follow.iter().filter(|byte| !bytes.contains(byte)).collect();
        bytes.extend(others);
        bytes.sort_unstable();
    }
    Children::Only(bytes)
}

/// Tokens that a walk has found.
#[derive(Default)]
struct Found {
    staying: Vec<u32>,
    leaving: Vec<(u32, Box<[u8]>)>,
    /// Those that leave and may be among those that stay.
    doubtful: Vec<(u32, Box<[u8]>)>,
}

impl Found {
    /// The tokens from a node on leave at the node before it.
    fn leave(&mut self, visit: &Visit<'_>, may_stay: bool) {
        let leaving = if may_stay { &mut self.doubtful } else { &mut self.leaving };
        let mut add = |rest: &[u8], ids: &[u32]| {
            let rest = [&[visit.byte], rest].concat();
            leaving.extend(ids.iter().map(|&id| (id, rest[..].into())));
        };
        visit.for_each_below(&mut add);
    }

    fn finish(mut self, n_ids: usize) -> Within {
        let staying = Arc::new(TokenSet::new(self.staying, n_ids));
        self.doubtful.retain(|(id, _)| !staying.contains(*id));
        self.leaving.append(&mut self.doubtful);
        if self.leaving.is_empty() {
            return Within { staying, leaving: None };
        }
        let trie = TokenTrie::new(self.leaving.iter().map(|(id, rest)| (*id, &rest[..])));
        let first = self.leaving.iter().filter_map(|(_, rest)| rest.first().copied()).collect();
        Within { staying, leaving: Some(Arc::new(Rests { trie, first })) }
    }
}
