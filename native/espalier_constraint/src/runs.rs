//! [`Run`]: tokens as texts of some groups of bytes, with what they have behind these.
//!
//! In a state of an automaton to which all bytes of the groups lead back, tokens of these may follow, and the
//! others go on from the same state behind them, wherever that is.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use crate::byte_groups::{ByteGroups, Place, TrieGroups};
use crate::grammar::bytes::ByteSet;
use crate::token_mask::{TokenSet, clear_bits, set_bits};
use crate::token_trie::{Children, TokenTrie};

/// From some nodes of a trie on.
#[derive(Debug)]
pub(crate) struct Run {
    /// The tokens that consist of the groups.
    pub(crate) inside: Arc<TokenSet>,
    /// Those of them that don't end within a character, once they are asked for.
    whole: OnceLock<Arc<TokenSet>>,
    /// The nodes with the first byte that is of none.
    beyond: Box<[u32]>,
    /// What tokens have from there on, by the bytes that these may be.
    tries: Mutex<FxHashMap<ByteSet, Arc<TokenTrie>>>,
    /// Nodes where such a byte cuts a character, which are not among those: each with what leads there from the
    /// first nodes on.
    pub(crate) cuts: Box<[(u32, Box<[u8]>)]>,
}

/// The tokens that are found on a walk from some nodes on. Where most are below these it is kept which are not
/// among them.
struct Inside {
    words: Vec<u32>,
    n_ids: usize,
    are_most: bool,
}

impl Inside {
    fn new(trie: &TokenTrie, all: &[u32], from: &[u32]) -> Self {
        let n_below: usize = from.iter().map(|&node| trie.ids_below(node as usize).len()).sum();
        if n_below <= trie.ids().len() / 2 {
            return Self { words: vec![0; all.len()], n_ids: 0, are_most: false };
        }
        let mut most = Self { words: all.to_vec(), n_ids: trie.ids().len(), are_most: true };
        trie.ids_beside(from).for_each(|ids| most.leave_out(ids));
        most
    }

    fn take(&mut self, ids: &[u32]) {
        if !self.are_most {
            self.n_ids += ids.len();
            set_bits(&mut self.words, ids);
        }
    }

    fn leave_out(&mut self, ids: &[u32]) {
        if self.are_most {
            self.n_ids -= ids.len();
            clear_bits(&mut self.words, ids);
        }
    }
}

impl Run {
    /// In a trie, of which one bit for each token is given, too.
    pub(crate) fn new(
        (trie, all): (&TokenTrie, &[u32]),
        trie_groups: &TrieGroups,
        from: &[u32],
        groups: ByteGroups,
    ) -> Self {
        let (mut inside, mut cuts) = (Inside::new(trie, all, from), Vec::new());
        let are_most = inside.are_most;
        let (mut places, mut path, mut beyond) = (vec![Place::Boundary], Vec::new(), Vec::new());
        // A run begins at the end of a character: what follows consists of the same whether it is read from there or
        // from the beginning of the token.
        let is_within = |node: usize| trie_groups.from[node].is_within(groups);
        let needs_no_visit = |node| are_most && is_within(node);
        for &from in from {
            let walked = trie.walk_at_unless((from as usize, 1), needs_no_visit, |visit| {
                if is_within(visit.node) {
                    inside.take(visit.ids_below());
                    return Ok::<_, Infallible>(Children::None);
                }
                places.truncate(visit.depth);
                path.truncate(visit.depth - 1);
                path.push(visit.byte);
                let before = places[visit.depth - 1];
                let (group, place) = before.step(visit.byte);
                if group.is_within(groups) {
                    places.push(place);
                    inside.take(visit.ids());
                    return Ok(Children::All);
                }
                // The first byte leads on, whatever its group is.
                inside.leave_out(visit.ids_below());
                if visit.depth == 1 || !matches!(before, Place::Boundary) {
                    cuts.push((visit.node as u32, path[..].into()));
                } else {
                    beyond.push(visit.node as u32);
                }
                Ok(Children::None)
            });
            let Ok(()) = walked;
        }
        let inside = Arc::new(TokenSet::of_words(inside.words, inside.n_ids));
        let (whole, tries) = (OnceLock::new(), Mutex::default());
        Self { inside, whole, beyond: beyond.into(), tries, cuts: cuts.into() }
    }

    /// What tokens have from the first byte on that is of none of the groups, where that is one of some bytes, if
    /// it was found before.
    pub(crate) fn known_beyond(&self, next: &ByteSet) -> Option<Arc<TokenTrie>> {
        self.tries().get(next).cloned()
    }

    /// The same, of the trie that the run goes through.
    pub(crate) fn beyond(&self, next: &ByteSet, trie: &TokenTrie) -> Arc<TokenTrie> {
        let (mut path, mut texts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        let follows = |&&node: &&u32| next.contains(trie.bytes()[node as usize]);
        for &node in self.beyond.iter().filter(follows) {
            let walked = trie.walk_at((node as usize, 1), |visit| {
                path.truncate(visit.depth - 1);
                path.push(visit.byte);
                let start = texts.len();
                if !visit.ids().is_empty() {
                    texts.extend_from_slice(&path);
                    ends.extend(visit.ids().iter().map(|&id| (id, start, texts.len())));
                }
                Ok::<_, Infallible>(Children::All)
            });
            let Ok(()) = walked;
        }
        let rests = ends.iter().map(|&(id, start, end)| (id, &texts[start..end]));
        let beyond = Arc::new(TokenTrie::new(rests));
        self.tries().entry(*next).or_insert(beyond).clone()
    }

    fn tries(&self) -> MutexGuard<'_, FxHashMap<ByteSet, Arc<TokenTrie>>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens after which the text stands where it stood, if it is at the end of a character.
    pub(crate) fn whole(&self, trie_groups: &TrieGroups) -> Arc<TokenSet> {
        let find = || Arc::new(self.inside.without(&trie_groups.cut));
        self.whole.get_or_init(find).clone()
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        let tries = self.tries().values().map(|trie| 128 + trie.size_in_bytes()).sum::<usize>();
        256 + 2 * self.inside.size_in_bytes() + self.beyond.len() * 4 + tries + self.cuts.len() * 48
    }
}
