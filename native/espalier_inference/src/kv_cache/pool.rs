//! [`Pool`]: the pages that all sequences of a model share.

use std::sync::Arc;

use super::page::{Page, Shape};
use super::prefixes::Prefixes;
use super::{KvCache, PAGE};

/// Gives pages to caches, so many that their bytes stay within a bound.
///
/// A page is free as soon as no cache has it any more. Full ones are kept for texts with the same
/// beginning, until the room is needed.
pub(crate) struct Pool {
    shape: Shape,
    max_pages: usize,
    /// Each page has a clone.
    counted: Arc<()>,
    prefixes: Prefixes,
}

impl Pool {
    pub(crate) fn new(shape: Shape, max_bytes: usize) -> Self {
        let max_pages = max_bytes / shape.page_bytes();
        Self { shape, max_pages, counted: Arc::new(()), prefixes: Prefixes::default() }
    }

    /// An empty cache.
    pub(crate) fn new_cache(&self) -> KvCache {
        KvCache::new(self.shape)
    }

    /// The bytes of all pages that there are.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_pages() * self.shape.page_bytes()
    }

    /// Positions that new pages could be given out for.
    pub(crate) fn n_free(&self) -> usize {
        (self.max_pages.saturating_sub(self.n_pages()) + self.prefixes.n_unused()) * PAGE
    }

    /// Makes room in a cache for `n` positions in all. Says whether there is.
    pub(crate) fn reserve(&mut self, cache: &mut KvCache, n: usize) -> bool {
        while cache.capacity() < n {
            if self.n_pages() >= self.max_pages && !self.prefixes.remove_oldest() {
                return false;
            }
            let page = Page::new(self.shape, Arc::clone(&self.counted));
            cache.pages.push(Arc::new(page));
        }
        true
    }

    /// Continues a cache whose pages are full by those of the same text, but for the last token, whose
    /// logits are wanted. Returns how many positions came so.
    pub(crate) fn reuse(&mut self, cache: &mut KvCache, tokens: &[u32]) -> usize {
        let before = cache.len();
        if !cache.is_full() || cache.prefix.n_pages != cache.pages.len() {
            return 0;
        }
        let wanted = &tokens[before..tokens.len().max(before + 1) - 1];
        for chunk in wanted.as_chunks::<PAGE>().0 {
            let Some((prefix, page)) = self.prefixes.get(cache.prefix, chunk) else { break };
            cache.prefix = prefix;
            cache.pages.push(page);
            cache.n_positions.fill(cache.pages.len() * PAGE);
        }
        cache.len() - before
    }

    /// Keeps the full pages of a cache for other texts that begin with these tokens.
    pub(crate) fn keep(&mut self, cache: &mut KvCache, tokens: &[u32]) {
        let n_full = cache.len() / PAGE;
        let (chunks, _) = tokens.as_chunks::<PAGE>();
        while cache.prefix.n_pages < n_full
            && let Some(chunk) = chunks.get(cache.prefix.n_pages)
        {
            let page = &mut cache.pages[cache.prefix.n_pages];
            cache.prefix = self.prefixes.add(cache.prefix, chunk, page);
        }
    }

    fn n_pages(&self) -> usize {
        Arc::strong_count(&self.counted) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { n_layers: 1, n_heads: 1, head_size: 4 };

    fn pool(n_pages: usize) -> Pool {
        Pool::new(SHAPE, n_pages * SHAPE.page_bytes() + 1)
    }

    /// Reads tokens as a model would whose keys and values are the tokens.
    fn read(pool: &mut Pool, cache: &mut KvCache, tokens: &[u32]) -> bool {
        pool.reuse(cache, tokens);
        if !pool.reserve(cache, tokens.len()) {
            return false;
        }
        for &token in &tokens[cache.len()..] {
            cache.append(0, &[token as f32; 4], &[token as f32; 4]);
        }
        pool.keep(cache, tokens);
        true
    }

    fn contents(cache: &KvCache) -> Vec<u32> {
        let (keys, values) = cache.head(0, 0, cache.len());
        let pages = keys.iter().zip(&values);
        let numbers = pages.flat_map(|(keys, values)| {
            keys[3].iter().zip(*values).map(|(&key, value)| {
                assert!(value[..4].iter().all(|&number| number as u32 == key as u32));
                key as u32
            })
        });
        numbers.take(cache.len()).collect()
    }

    #[test]
    fn pages_are_bounded_and_come_back() {
        let mut pool = pool(3);
        let (mut first, mut second) = (pool.new_cache(), pool.new_cache());
        assert!(pool.reserve(&mut first, 2 * PAGE));
        assert_eq!((pool.n_free(), pool.n_bytes()), (PAGE, 2 * SHAPE.page_bytes()));
        assert!(!pool.reserve(&mut second, PAGE + 1));
        assert_eq!(second.capacity(), PAGE, "what there was");
        drop(first);
        assert_eq!(pool.n_free(), 2 * PAGE);
        assert!(pool.reserve(&mut second, 3 * PAGE));
    }

    #[test]
    fn texts_that_begin_alike_share_their_first_pages() {
        let mut pool = pool(100);
        let text: Vec<u32> = (0..50).collect();
        let mut first = pool.new_cache();
        assert!(read(&mut pool, &mut first, &text));
        let mut same = pool.new_cache();
        assert_eq!(pool.reuse(&mut same, &text), 3 * PAGE);
        assert!(read(&mut pool, &mut same, &text));
        assert_eq!(contents(&same), text);
        let mut other = text.clone();
        other[20] = 99;
        let mut different = pool.new_cache();
        assert!(read(&mut pool, &mut different, &other));
        assert_eq!((contents(&different), contents(&first)), (other, text.clone()));
        // Three pages in common and one each; then one in common.
        assert_eq!(pool.n_bytes(), (3 + 1 + 1 + 3) * SHAPE.page_bytes());
        // The last token is always read.
        assert_eq!(pool.reuse(&mut pool.new_cache(), &text[..48]), 2 * PAGE);
        assert_eq!(pool.reuse(&mut pool.new_cache(), &text[..49]), 3 * PAGE);
        assert_eq!(pool.reuse(&mut pool.new_cache(), &text[..1]), 0);
        assert_eq!(pool.reuse(&mut pool.new_cache(), &[]), 0);
    }

    #[test]
    fn texts_that_were_read_at_the_same_time_share_pages_afterwards() {
        let mut pool = pool(100);
        let text: Vec<u32> = (0..40).collect();
        let mut caches = [pool.new_cache(), pool.new_cache()];
        for cache in &mut caches {
            assert!(pool.reserve(cache, text.len()));
            for &token in &text {
                cache.append(0, &[token as f32; 4], &[token as f32; 4]);
            }
        }
        assert_eq!(pool.n_bytes(), 6 * SHAPE.page_bytes());
        for cache in &mut caches {
            pool.keep(cache, &text);
        }
        assert_eq!(pool.n_bytes(), 4 * SHAPE.page_bytes());
        assert_eq!(contents(&caches[1]), text);
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut pool = pool(6);
        let texts = [0, 100, 200].map(|start| (start..start + 33).collect::<Vec<u32>>());
        let read_once = |pool: &mut Pool, text: &[u32]| {
            let mut cache = pool.new_cache();
            assert!(read(pool, &mut cache, text));
        };
        for index in [0, 1, 0, 2] {
            read_once(&mut pool, &texts[index]);
        }
        let known = texts.each_ref().map(|text| pool.reuse(&mut pool.new_cache(), text));
        assert_eq!(known, [2 * PAGE, PAGE, 2 * PAGE], "the end goes first");
        assert_eq!(pool.n_free(), 6 * PAGE, "nothing of it is in use");
    }

    #[test]
    fn pages_in_use_are_not_removed() {
        let mut pool = pool(3);
        let text: Vec<u32> = (0..40).collect();
        let mut cache = pool.new_cache();
        assert!(read(&mut pool, &mut cache, &text));
        assert!(!pool.reserve(&mut pool.new_cache(), 1));
        assert_eq!((pool.n_free(), contents(&cache)), (0, text));
    }
}
