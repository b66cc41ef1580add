//! Which tokens may follow at a state of a grammar.
//!
//! Whether a token stays within a terminal depends on the state of its automaton alone, so that is found out
//! once for all places where the terminal stands ([`Within`]). The tokens that go on behind its end are kept by
//! what they have there; which of these may follow is asked at the front behind the terminal, in the same
//! way. So most of the work for a state is done when another state was there first.

use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::bytes::ByteSet;
use super::continuations::ContinuationId;
use super::fronts::FrontId;
use super::lexeme::{Lexeme, Pattern};
use super::machine::{GrammarMachine, State, Thread};
use super::pairs::Pairs;
use crate::byte_groups::ByteGroups;
use crate::error::Error;
use crate::meter::Meter;
use crate::token_mask::{MaskBuilder, TokenMask, TokenSet};
use crate::token_trie::{Bytes, Children, TokenTrie, Visit};
use crate::vocabulary::Vocabulary;

/// What is known of tokens, by terminal, by its state, and by the number of the trie that they are in.
#[derive(Debug, Default)]
pub(crate) struct TerminalTokens {
    within: FxHashMap<(u32, u32, u64), Arc<Within>>,
    /// Which tokens may follow, by front and trie.
    at_fronts: FxHashMap<(FrontId, u64), Arc<TokenMask>>,
    /// By their hashes.
    rests: FxHashMap<u64, Vec<Arc<Rests>>>,
    /// By terminal, how what comes after it begins.
    pairs: FxHashMap<u32, Option<Arc<Pairs>>>,
    n_bytes: usize,
}

/// What becomes of the tokens of a trie in a terminal.
#[derive(Debug)]
struct Within {
    /// Those that stay in it.
    staying: Arc<TokenSet>,
    /// What the others have behind a place where it may end.
    leaving: Vec<Arc<Rests>>,
}

/// What tokens have from some place on. Those that are equal are one.
#[derive(Debug)]
struct Rests {
    trie: TokenTrie,
    /// More of them, where they are many: nodes of the tries in which they were found.
    branches: Vec<(Tokens, u32)>,
    /// The same by the numbers of the tries.
    nodes: Box<[(u64, u32)]>,
    first: ByteSet,
}

/// All tokens of a vocabulary, or what some of them have from some place on.
type Tokens = Option<Arc<Rests>>;

/// So many tokens that go on alike are not copied.
const MANY: usize = 16;
/// So many are by themselves, as others leave in the same way.
const VERY_MANY: usize = 2048;

impl TerminalTokens {
    pub(super) fn memory(&self) -> usize {
        self.n_bytes
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// What tokens have that leave a terminal.
    fn rests_of(
        &mut self,
        leaving: &Copied,
        branches: Vec<(Tokens, u32, usize)>,
        vocabulary: &Vocabulary,
    ) -> Vec<Arc<Rests>> {
        let mut rests = Vec::new();
        let (large, small): (Vec<_>, Vec<_>) =
            branches.into_iter().partition(|(_, _, n_tokens)| *n_tokens >= VERY_MANY);
        for branch in large {
            rests.push(self.intern_rests(TokenTrie::default(), vec![branch], vocabulary));
        }
        if !small.is_empty() {
            rests.push(self.intern_rests(TokenTrie::default(), small, vocabulary));
        }
        if !leaving.rests.is_empty() {
            let each = leaving.rests.iter();
            let trie =
                TokenTrie::new(each.map(|&(id, (start, end))| (id, &leaving.bytes[start..end])));
            rests.push(self.intern_rests(trie, Vec::new(), vocabulary));
        }
        rests
    }

    fn intern_rests(
        &mut self,
        trie: TokenTrie,
        branches: Vec<(Tokens, u32, usize)>,
        vocabulary: &Vocabulary,
    ) -> Arc<Rests> {
        let serial = |(tokens, node, _): &(Tokens, u32, usize)| {
            (trie_of(tokens, vocabulary).serial(), *node)
        };
        let nodes: Box<[(u64, u32)]> = branches.iter().map(serial).collect();
        let hash = FxBuildHasher.hash_one((&nodes, trie.ids(), trie.bytes()));
        let same = |known: &&Arc<Rests>| known.nodes == nodes && known.trie.has_same_tokens(&trie);
        let known = self.rests.entry(hash).or_default();
        if let Some(known) = known.iter().find(same) {
            return known.clone();
        }
        let first_of = |(tokens, node, _): &(Tokens, u32, usize)| {
            trie_of(tokens, vocabulary).bytes()[*node as usize]
        };
        let first = branches.iter().map(first_of).chain(trie.first_bytes()).collect();
        let branches = branches.into_iter().map(|(tokens, node, _)| (tokens, node)).collect();
        self.n_bytes += 128 + trie.size_in_bytes() + nodes.len() * 32;
        let rests = Arc::new(Rests { trie, branches, nodes, first });
        known.push(rests.clone());
        rests
    }
}

impl GrammarMachine {
    pub(super) fn add_terminal_tokens(
        &mut self,
        state: &State,
        vocabulary: &Arc<Vocabulary>,
        mask: &mut MaskBuilder,
    ) -> Result<(), Error> {
        for &thread in &state.threads {
            let within = self.within(thread, &None, vocabulary)?;
            mask.add_part(&within.staying);
            for leaving in &within.leaving {
                let front = self.fronts.behind(&[thread.then])?;
                mask.add_mask(&*self.at_front(front, Some(leaving.clone()), vocabulary)?);
            }
        }
        if let Some(front) = state.front {
            mask.add_mask(&*self.at_front(front, None, vocabulary)?);
        }
        Ok(())
    }

    /// Which tokens may follow at a front.
    fn at_front(
        &mut self,
        front: FrontId,
        tokens: Tokens,
        vocabulary: &Vocabulary,
    ) -> Result<Arc<TokenMask>, Error> {
        let key = (front, trie_of(&tokens, vocabulary).serial());
        if let Some(known) = self.tokens.at_fronts.get(&key) {
            return Ok(known.clone());
        }
        let mut mask = MaskBuilder::new(vocabulary.n_ids());
        let mut open = vec![(tokens, vec![front])];
        while let Some((tokens, fronts)) = open.pop() {
            let threads = self.begun_by(&tokens, &fronts)?;
            for threads in threads.chunk_by(|(a, _), (b, _)| a == b) {
                let (terminal, then) = threads[0];
                let Some(at) = self.lexemes[terminal as usize].start() else { continue };
                let within = self.within(Thread { terminal, at, then }, &tokens, vocabulary)?;
                mask.add_part(&within.staying);
                if within.leaving.is_empty() {
                    continue;
                }
                let behind = threads.iter().map(|&(_, then)| self.fronts.behind(&[then]));
                let mut behind = behind.collect::<Result<Vec<FrontId>, Error>>()?;
                behind.sort_unstable();
                behind.dedup();
                let leaving = within.leaving.iter().cloned();
                open.extend(leaving.map(|leaving| (Some(leaving), behind.clone())));
            }
        }
        let (mask, n_bytes) = mask.finish();
        let mask = Arc::new(mask);
        self.tokens.n_bytes += n_bytes + 64;
        self.tokens.at_fronts.insert(key, mask.clone());
        Ok(mask)
    }

    /// The terminals that begin at some fronts and that some of the tokens may begin, each with what comes
    /// behind it; those of the same terminal in a row.
    fn begun_by(
        &mut self,
        tokens: &Tokens,
        fronts: &[FrontId],
    ) -> Result<Vec<(u32, ContinuationId)>, Error> {
        let mut threads = Vec::new();
        for &front in fronts {
            let front = self.fronts.find(front)?;
            self.fronts.meter().spend(1 + front.threads.len() / 8)?;
            let productions = self.fronts.productions();
            let may_begin = |(terminal, _): &&(u32, ContinuationId)| {
                tokens.as_ref().is_none_or(|rests| productions.first(*terminal).meets(&rests.first))
            };
            threads.extend(front.threads.iter().filter(may_begin).copied());
        }
        if fronts.len() > 1 {
            threads.sort_unstable();
            threads.dedup();
        }
        Ok(threads)
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
        let pairs = self.pairs_after(thread.terminal)?;
        let Self { lexemes, fronts, tokens, .. } = self;
        let mut walk = Walk {
            pairs,
            lexeme: &mut lexemes[thread.terminal as usize],
            vocabulary,
            tokens: among.clone(),
            loops: None,
            follow: *fronts.productions().follow(thread.terminal),
            meter: fronts.meter(),
            bytes: Vec::new(),
            path: vec![Spot { at: thread.at, may_end: false, has_left: false }],
            found: Found::default(),
            copies_all: false,
        };
        let whole = if among.is_none() { walk.lexeme.enclosed_tokens(thread.at)? } else { None };
        let staying = if let Some(mask) = whole {
            walk.run_beyond_brackets()?;
            TokenSet::of_words(mask.to_words(), mask.count())
        } else {
            walk.run()?;
            TokenSet::new(std::mem::take(&mut walk.found.staying), vocabulary.n_ids())
        };
        let (staying, found) = (Arc::new(staying), walk.found);
        let leaving = tokens.rests_of(&found.leaving, found.branches, vocabulary);
        tokens.n_bytes += 128 + staying.size_in_bytes();
        let within = Arc::new(Within { staying, leaving });
        tokens.within.insert(key, within.clone());
        Ok(within)
    }
}

impl GrammarMachine {
    /// How what comes after a terminal begins, where that is known.
    fn pairs_after(&mut self, terminal: u32) -> Result<Option<Arc<Pairs>>, Error> {
        if let Some(known) = self.tokens.pairs.get(&terminal) {
            return Ok(known.clone());
        }
        let productions = self.fronts.productions();
        let pairs = match productions.followers(terminal) {
            Some(followers) => {
                self.fronts.meter().spend(1000)?;
                let lexemes = (0u32..).zip(&mut self.lexemes);
                let some = lexemes.filter(|(id, _)| followers.contains(*id as usize));
                let some = some.map(|(id, lexeme)| (lexeme, *productions.first(id)));
                Some(Arc::new(Pairs::new(some)?))
            }
            None => None,
        };
        self.tokens.n_bytes += size_of::<[ByteSet; 256]>();
        self.tokens.pairs.insert(terminal, pairs.clone());
        Ok(pairs)
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
    pairs: Option<Arc<Pairs>>,
    meter: &'a Meter,
    /// By depth, the bytes, and the places after them with that before the first.
    bytes: Vec<u8>,
    path: Vec<Spot>,
    found: Found,
    /// Whether no branches are kept, as the trie is none of [`Tokens`].
    copies_all: bool,
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

    /// Of a JSON text that ends with a bracket: only tokens with one may leave it. Which tokens stay is known.
    fn run_beyond_brackets(&mut self) -> Result<(), Error> {
        self.copies_all = true;
        let vocabulary = self.vocabulary;
        let first = self.children(self.path[0]);
        vocabulary.beyond_brackets().walk_some(&first, |visit| self.visit(&visit))
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
            let others: Bytes = self.follow.bytes().filter(|byte| !bytes.contains(byte)).collect();
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
            let may_begin =
                |rest: &[u8]| self.pairs.as_ref().is_none_or(|pairs| pairs.may_begin(rest));
            if !may_begin(&self.bytes[from..]) {
                continue;
            }
            let is_last = from + 1 == self.bytes.len();
            if is_last && visit.ids_below().len() >= MANY && !self.copies_all {
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
struct Found {
    staying: Vec<u32>,
    leaving: Copied,
    /// Nodes with how many tokens they have.
    branches: Vec<(Tokens, u32, usize)>,
}

/// What tokens have from some place on, each as a range of the bytes.
#[derive(Default)]
struct Copied {
    bytes: Vec<u8>,
    rests: Vec<(u32, (usize, usize))>,
}
