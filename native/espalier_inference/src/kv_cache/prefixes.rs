//! [`Prefixes`]: full pages, by the tokens that they were computed from.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::PAGE;
use super::page::Page;

/// The beginning of a text, in whole pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Prefix {
    /// Its number; 0 is that of the empty one, and none is given twice.
    id: u64,
    pub(super) n_pages: usize,
}

/// A tree of pages: each follows a prefix, with tokens of its own.
#[derive(Default)]
pub(super) struct Prefixes {
    pages: FxHashMap<Key, Kept>,
    /// How many pages follow each prefix that any follows.
    n_following: FxHashMap<u64, usize>,
    last_id: u64,
    /// Grows with each use.
    time: u64,
}

/// The prefix before a page, and the page's tokens.
type Key = (u64, [u32; PAGE]);

struct Kept {
    /// The prefix that ends with the page.
    prefix: Prefix,
    page: Arc<Page>,
    used: u64,
}

impl Prefixes {
    /// The page of some tokens after a prefix, and the longer prefix.
    pub(super) fn get(
        &mut self,
        prefix: Prefix,
        tokens: &[u32; PAGE],
    ) -> Option<(Prefix, Arc<Page>)> {
        let kept = self.pages.get_mut(&(prefix.id, *tokens))?;
        self.time += 1;
        kept.used = self.time;
        Some((kept.prefix, Arc::clone(&kept.page)))
    }

    /// Keeps the page of some tokens after a prefix, or puts the one that is kept already in its place.
    pub(super) fn add(
        &mut self,
        prefix: Prefix,
        tokens: &[u32; PAGE],
        page: &mut Arc<Page>,
    ) -> Prefix {
        if let Some((prefix, kept)) = self.get(prefix, tokens) {
            *page = kept;
            return prefix;
        }
        (self.time, self.last_id) = (self.time + 1, self.last_id + 1);
        let longer = Prefix { id: self.last_id, n_pages: prefix.n_pages + 1 };
        let kept = Kept { prefix: longer, page: Arc::clone(page), used: self.time };
        self.pages.insert((prefix.id, *tokens), kept);
        *self.n_following.entry(prefix.id).or_default() += 1;
        longer
    }

    /// How many pages no sequence has.
    pub(super) fn n_unused(&self) -> usize {
        self.pages.values().filter(|kept| kept.is_unused()).count()
    }

    /// Gives up the page that was not used for longest, of those that end a text. Says whether there
    /// was any.
    pub(super) fn remove_oldest(&mut self) -> bool {
        let is_last = |kept: &Kept| !self.n_following.contains_key(&kept.prefix.id);
        let unused = self.pages.iter().filter(|(_, kept)| kept.is_unused() && is_last(kept));
        let oldest = unused.min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key);
        oldest.is_some_and(|key| self.remove(&key))
    }

    fn remove(&mut self, key: &Key) -> bool {
        if let Entry::Occupied(mut n_following) = self.n_following.entry(key.0) {
            *n_following.get_mut() -= 1;
            if *n_following.get() == 0 {
                n_following.remove();
            }
        }
        self.pages.remove(key).is_some()
    }
}

impl Kept {
    /// A sequence that has a page has those before it, too.
    fn is_unused(&self) -> bool {
        Arc::strong_count(&self.page) == 1
    }
}
