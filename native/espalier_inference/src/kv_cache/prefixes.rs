//! [`Prefixes`]: full pages, by the tokens that they were computed from.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustc_hash::FxHashMap;

use super::PAGE;
use super::page::Page;

/// The beginning of a text, in whole pages that are kept.
///
/// Those pages are in use as long as it is there.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    id: PrefixId,
    /// Where it is told that the pages are not in use any more.
    released: Option<Sender<u64>>,
}

/// What a beginning of a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct PrefixId {
    /// Its number; 0 is that of the empty one, and none is given twice.
    number: u64,
    pub(super) n_pages: usize,
}

impl Prefix {
    pub(super) fn id(&self) -> PrefixId {
        self.id
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        if let Some(released) = self.released.take() {
            // Where nobody receives it the pages are gone, too.
            let _ = released.send(self.id.number);
        }
    }
}

/// A tree of pages: each follows a prefix, with tokens of its own.
///
/// Whoever has a page has those before it, too.
pub(super) struct Prefixes {
    numbers: FxHashMap<Key, u64>,
    /// By the number of the prefix that ends with each.
    pages: FxHashMap<u64, Kept>,
    /// The pages that nobody uses and that none follows, those first that were not used for longest.
    last_unused: BTreeSet<(u64, u64)>,
    /// How many pages nobody uses.
    n_unused: usize,
    last_number: u64,
    /// Grows with each use.
    time: u64,
    released: Receiver<u64>,
    sender: Sender<u64>,
}

/// The number of the prefix before a page, and the page's tokens.
type Key = (u64, [u32; PAGE]);

struct Kept {
    key: Key,
    page: Arc<Page>,
    n_users: usize,
    n_following: usize,
    /// When it was used last.
    time: u64,
}

impl Default for Prefixes {
    fn default() -> Self {
        let (sender, released) = channel();
        Self {
            numbers: FxHashMap::default(),
            pages: FxHashMap::default(),
            last_unused: BTreeSet::new(),
            n_unused: 0,
            last_number: 0,
            time: 0,
            released,
            sender,
        }
    }
}

impl Prefixes {
    /// The page of some tokens after a prefix, which becomes the longer one.
    pub(super) fn extend(
        &mut self,
        prefix: &mut Prefix,
        tokens: &[u32; PAGE],
    ) -> Option<Arc<Page>> {
        let number = *self.numbers.get(&(prefix.id.number, *tokens))?;
        let kept = self.pages.get_mut(&number)?;
        if kept.n_users == 0 {
            self.n_unused -= 1;
            self.last_unused.remove(&(kept.time, number));
        }
        kept.n_users += 1;
        let page = Arc::clone(&kept.page);
        self.lengthen(prefix, number);
        Some(page)
    }

    /// Keeps the page of some tokens after a prefix, which becomes the longer one, or puts the page that
    /// is kept already in its place.
    pub(super) fn add(&mut self, prefix: &mut Prefix, tokens: &[u32; PAGE], page: &mut Arc<Page>) {
        if let Some(kept) = self.extend(prefix, tokens) {
            *page = kept;
            return;
        }
        self.last_number += 1;
        let (number, key) = (self.last_number, (prefix.id.number, *tokens));
        if let Some(before) = self.pages.get_mut(&prefix.id.number) {
            before.n_following += 1;
        }
        let page = Arc::clone(page);
        self.pages.insert(number, Kept { key, page, n_users: 1, n_following: 0, time: 0 });
        self.numbers.insert(key, number);
        self.lengthen(prefix, number);
    }

    /// How many pages there are for tokens after the empty prefix, and how many of them nobody uses.
    pub(super) fn count(&mut self, tokens: &[[u32; PAGE]]) -> (usize, usize) {
        self.take_back();
        let (mut number, mut n_pages, mut n_unused) = (0, 0, 0);
        for tokens in tokens {
            let Some(&longer) = self.numbers.get(&(number, *tokens)) else { break };
            let is_unused = self.pages.get(&longer).is_some_and(|kept| kept.n_users == 0);
            (number, n_pages, n_unused) = (longer, n_pages + 1, n_unused + usize::from(is_unused));
        }
        (n_pages, n_unused)
    }

    /// How many pages nobody uses.
    pub(super) fn n_unused(&mut self) -> usize {
        self.take_back();
        self.n_unused
    }

    /// Gives up the page that was not used for longest, of those that end a text. Says whether there
    /// was any.
    pub(super) fn remove_oldest(&mut self) -> bool {
        self.take_back();
        let Some((_, number)) = self.last_unused.pop_first() else { return false };
        let Some(removed) = self.pages.remove(&number) else { return false };
        self.numbers.remove(&removed.key);
        self.n_unused -= 1;
        let before = removed.key.0;
        if let Some(kept) = self.pages.get_mut(&before) {
            kept.n_following -= 1;
            if kept.is_last_unused() {
                self.last_unused.insert((kept.time, before));
            }
        }
        true
    }

    fn lengthen(&self, prefix: &mut Prefix, number: u64) {
        prefix.id = PrefixId { number, n_pages: prefix.id.n_pages + 1 };
        prefix.released.get_or_insert_with(|| self.sender.clone());
    }

    /// Takes note of the prefixes that are gone.
    fn take_back(&mut self) {
        while let Ok(mut number) = self.released.try_recv() {
            self.time += 1;
            while let Some(kept) = self.pages.get_mut(&number) {
                (kept.n_users, kept.time) = (kept.n_users - 1, self.time);
                self.n_unused += usize::from(kept.n_users == 0);
                if kept.is_last_unused() {
                    self.last_unused.insert((kept.time, number));
                }
                number = kept.key.0;
            }
        }
    }
}

impl Kept {
    fn is_last_unused(&self) -> bool {
        self.n_users == 0 && self.n_following == 0
    }
}
