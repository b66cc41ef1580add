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
use super::machine::{GrammarMachine, State, Thread};
use super::pairs::Pairs;
use super::terminal_walk::{Copied, Walk};
use crate::error::Error;
use crate::token_mask::{MaskBuilder, TokenMask, TokenSet};
use crate::token_trie::TokenTrie;
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
    staying: Vec<Arc<TokenSet>>,
    /// Those of them that lead back to its state, where they are known.
    leading_back: Option<Arc<TokenSet>>,
    /// What the others have behind a place where it may end.
    leaving: Vec<Arc<Rests>>,
}

/// What tokens have from some place on. Those that are equal are one.
#[derive(Debug)]
pub(super) struct Rests {
    pub(super) trie: TokenTrie,
    /// More of them, where they are many: nodes of the tries in which they were found.
    pub(super) branches: Vec<(Tokens, u32)>,
    /// How many nodes they have, at least.
    n_nodes: usize,
    /// The same by the numbers of the tries.
    nodes: Box<[(u64, u32)]>,
    pub(super) first: ByteSet,
}

impl Rests {
    /// Whether they are followed byte by byte sooner than terminal by terminal.
    fn are_few(&self) -> bool {
        self.n_nodes <= FEW_NODES
    }
}

/// Tokens as texts.
#[derive(Clone, Debug)]
pub(super) enum Tokens {
    /// All ordinary tokens of the vocabulary.
    All,
    /// What some of them have from some place on.
    Rests(Arc<Rests>),
    /// The same behind the bytes of a [`Run`](crate::runs::Run).
    Beyond(Arc<TokenTrie>),
}

impl Tokens {
    /// About the memory that branches of one trie keep, and that nobody else counts.
    fn held(branches: &[(Self, u32)]) -> usize {
        if let [(Self::Beyond(trie), _), ..] = branches { trie.size_in_bytes() } else { 0 }
    }

    fn rests(&self) -> Option<&Arc<Rests>> {
        if let Self::Rests(rests) = self { Some(rests) } else { None }
    }

    /// Whether both are in the same place.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::Rests(rests), Self::Rests(others)) => Arc::ptr_eq(rests, others),
            (Self::Beyond(trie), Self::Beyond(other)) => Arc::ptr_eq(trie, other),
            _ => false,
        }
    }

    /// Their trie, but for branches of others.
    pub(super) fn trie<'a>(&'a self, vocabulary: &'a Vocabulary) -> &'a TokenTrie {
        match self {
            Self::All => vocabulary.trie(),
            Self::Rests(rests) => &rests.trie,
            Self::Beyond(trie) => trie,
        }
    }
}

/// The nodes of few rests.
const FEW_NODES: usize = 64;
/// So many tokens are by themselves, as others leave in the same way.
const VERY_MANY: usize = 2048;

impl TerminalTokens {
    pub(super) fn memory(&self) -> usize {
        self.n_bytes
    }

    /// Tokens that lead back to the state of a terminal, as far as they are known.
    pub(super) fn leading_back(
        &self,
        thread: Thread,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<TokenSet>> {
        let key = (thread.terminal, thread.at, vocabulary.trie().serial());
        self.within.get(&key)?.leading_back.clone()
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
        for branches in [large, small].into_iter().filter(|branches| !branches.is_empty()) {
            rests.push(self.intern_rests(TokenTrie::default(), branches, vocabulary));
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
        let serial =
            |(tokens, node, _): &(Tokens, u32, usize)| (tokens.trie(vocabulary).serial(), *node);
        let nodes: Box<[(u64, u32)]> = branches.iter().map(serial).collect();
        let hash = FxBuildHasher.hash_one((&nodes, trie.ids(), trie.bytes()));
        let same = |known: &&Arc<Rests>| known.nodes == nodes && known.trie.has_same_tokens(&trie);
        let known = self.rests.entry(hash).or_default();
        if let Some(known) = known.iter().find(same) {
            return known.clone();
        }
        let first_of = |(tokens, node, _): &(Tokens, u32, usize)| {
            tokens.trie(vocabulary).bytes()[*node as usize]
        };
        let first = branches.iter().map(first_of).chain(trie.first_bytes()).collect();
        let n_nodes =
            trie.n_nodes() + branches.iter().map(|(_, _, n_tokens)| n_tokens).sum::<usize>();
        let branches: Vec<_> =
            branches.into_iter().map(|(tokens, node, _)| (tokens, node)).collect();
        self.n_bytes += 128 + trie.size_in_bytes() + nodes.len() * 32;
        self.n_bytes +=
            branches.chunk_by(|(a, _), (b, _)| a.is_same(b)).map(Tokens::held).sum::<usize>();
        let rests = Arc::new(Rests { trie, branches, n_nodes, nodes, first });
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
            let within = self.within(thread, &Tokens::All, vocabulary)?;
            within.staying.iter().for_each(|part| mask.add_part(part));
            for leaving in &within.leaving {
                let front = self.fronts.behind(&[thread.then])?;
                mask.add_mask(&*self.at_front(
                    front,
                    Tokens::Rests(leaving.clone()),
                    vocabulary,
                )?);
            }
        }
        if let Some(front) = state.front {
            mask.add_mask(&*self.at_front(front, Tokens::All, vocabulary)?);
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
        let key = (front, tokens.trie(vocabulary).serial());
        if let Some(known) = self.tokens.at_fronts.get(&key) {
            return Ok(known.clone());
        }
        let mut mask = MaskBuilder::new(vocabulary.n_ids());
        let mut open = vec![(tokens, vec![front])];
        while let Some((tokens, fronts)) = open.pop() {
            if let Some(rests) = tokens.rests().filter(|rests| rests.are_few()) {
                for &front in &fronts {
                    self.add_few(rests, front, vocabulary, &mut mask)?;
                }
                continue;
            }
            let threads = self.begun_by(&tokens, &fronts)?;
            for threads in threads.chunk_by(|(a, _), (b, _)| a == b) {
                let (terminal, then) = threads[0];
                let Some(at) = self.lexemes[terminal as usize].start() else { continue };
                let within = self.within(Thread { terminal, at, then }, &tokens, vocabulary)?;
                within.staying.iter().for_each(|part| mask.add_part(part));
                if within.leaving.is_empty() {
                    continue;
                }
                let behind = threads.iter().map(|&(_, then)| self.fronts.behind(&[then]));
                let mut behind = behind.collect::<Result<Vec<FrontId>, Error>>()?;
                behind.sort_unstable();
                behind.dedup();
                let leaving = within.leaving.iter().cloned();
                open.extend(leaving.map(|leaving| (Tokens::Rests(leaving), behind.clone())));
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
                tokens.rests().is_none_or(|rests| productions.first(*terminal).meets(&rests.first))
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
        let key = (thread.terminal, thread.at, among.trie(vocabulary).serial());
        if let Some(known) = self.tokens.within.get(&key) {
            return Ok(known.clone());
        }
        let pairs = self.pairs_after(thread.terminal)?;
        let Self { lexemes, fronts, tokens, .. } = self;
        let mut walk = Walk::new(
            &mut lexemes[thread.terminal as usize],
            (vocabulary, among),
            (*fronts.productions().follow(thread.terminal), pairs),
            fronts.meter(),
            thread.at,
        );
        let whole = if matches!(among, Tokens::All) {
            walk.lexeme.enclosed_tokens(thread.at)?
        } else {
            None
        };
        let staying = if let Some(mask) = whole {
            walk.run_beyond_brackets()?;
            TokenSet::of_words(mask.to_words(), mask.count())
        } else {
            walk.run()?;
            TokenSet::new(std::mem::take(&mut walk.found.staying), vocabulary.n_ids())
        };
        let found = walk.found;
        let mut staying = vec![Arc::new(staying)];
        staying.extend(found.inside);
        let leaving = tokens.rests_of(&found.leaving, found.branches, vocabulary);
        tokens.n_bytes += 128 + staying.iter().map(|part| part.size_in_bytes()).sum::<usize>();
        let leading_back = found.leading_back;
        let within = Arc::new(Within { staying, leading_back, leaving });
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
