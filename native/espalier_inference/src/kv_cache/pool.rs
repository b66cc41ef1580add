//! [`Pool`]: the pages that all sequences of a model share.

use std::sync::Arc;

use super::device_memory::DeviceMemory;
use super::page::{Page, Shape};
use super::prefixes::Prefixes;
use super::{KvCache, PAGE};

/// Gives pages to caches, so many that their bytes stay within a bound.
///
/// A page is free as soon as no cache has it any more. Full ones are kept for texts with the same
/// beginning, until the room is needed.
pub(crate) struct Pool {
    shape: Shape,
    /// The memory of all pages, if they are on a device.
    device_memory: Option<Arc<DeviceMemory>>,
    page_bytes: usize,
    max_pages: usize,
    /// Each page has a clone.
    counted: Arc<()>,
    prefixes: Prefixes,
}

impl Pool {
    pub(crate) fn new(shape: Shape, max_bytes: usize) -> Self {
        let page_bytes = shape.page_bytes();
        let (max_pages, counted) = (max_bytes / page_bytes, Arc::new(()));
        let prefixes = Prefixes::default();
        Self { shape, device_memory: None, page_bytes, max_pages, counted, prefixes }
    }

    /// A pool of all pages in the memory of a device.
    pub(crate) fn on_device(memory: Arc<DeviceMemory>) -> Self {
        let page_bytes = DeviceMemory::page_bytes(memory.shape(), memory.dtype());
        let (shape, max_pages) = (memory.shape(), memory.n_pages());
        let device_memory = Some(memory);
        Self { device_memory, page_bytes, max_pages, ..Self::new(shape, 0) }
    }

    /// An empty cache.
    pub(crate) fn new_cache(&self) -> KvCache {
        self.device_memory.as_ref().map_or_else(|| KvCache::new(self.shape), KvCache::on_device)
    }

    /// The bytes of all pages that there are.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_pages() * self.page_bytes
    }

    /// How many pages could be given out.
    pub(crate) fn n_free_pages(&mut self) -> usize {
        self.max_pages.saturating_sub(self.n_pages()) + self.prefixes.n_unused()
    }

    /// How many of them a new cache would take for some tokens, with those of the same text that nobody
    /// uses.
    pub(crate) fn n_needed_pages(&mut self, tokens: &[u32]) -> usize {
        let (n_kept, n_unused) = self.prefixes.count(wanted(tokens, 0));
        tokens.len().div_ceil(PAGE) - n_kept + n_unused
    }

    /// Makes room in a cache for `n` positions in all. Says whether there is.
    pub(crate) fn reserve(&mut self, cache: &mut KvCache, n: usize) -> bool {
        while cache.capacity() < n {
            if self.n_pages() >= self.max_pages && !self.prefixes.remove_oldest() {
                return false;
            }
            let Some(page) = self.new_page() else { return false };
            cache.pages.push(Arc::new(page));
        }
        true
    }

    /// Continues a cache whose pages are full by those of the same text, but for the last token, whose
    /// logits are wanted.
    pub(crate) fn reuse(&mut self, cache: &mut KvCache, tokens: &[u32]) {
        if !cache.is_full() || cache.prefix.id().n_pages != cache.pages.len() {
            return;
        }
        for chunk in wanted(tokens, cache.len()) {
            let Some(page) = self.prefixes.extend(&mut cache.prefix, chunk) else { break };
            cache.pages.push(page);
            cache.n_positions.fill(cache.pages.len() * PAGE);
        }
    }

    /// Keeps the full pages of a cache for other texts that begin with these tokens.
    pub(crate) fn keep(&mut self, cache: &mut KvCache, tokens: &[u32]) {
        let n_full = cache.len() / PAGE;
        let n_known = cache.prefix.id().n_pages;
        let pages = tokens.as_chunks::<PAGE>().0.iter().zip(&mut cache.pages);
        for (chunk, page) in pages.take(n_full).skip(n_known) {
            self.prefixes.add(&mut cache.prefix, chunk, page);
        }
    }

    fn new_page(&self) -> Option<Page> {
        let counted = Arc::clone(&self.counted);
        match &self.device_memory {
            Some(memory) => Some(Page::on_device(memory.take()?, counted)),
            None => Some(Page::new(self.shape, counted)),
        }
    }

    fn n_pages(&self) -> usize {
        Arc::strong_count(&self.counted) - 1
    }
}

/// The pages of the tokens from a position on that can be those of another text.
fn wanted(tokens: &[u32], start: usize) -> &[[u32; PAGE]] {
    tokens[start..tokens.len().max(start + 1) - 1].as_chunks::<PAGE>().0
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

    /// How many positions a text needn't be read for.
    fn n_known(pool: &mut Pool, tokens: &[u32]) -> usize {
        let mut cache = pool.new_cache();
        pool.reuse(&mut cache, tokens);
        cache.len()
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
        assert_eq!((pool.n_free_pages(), pool.n_bytes()), (1, 2 * SHAPE.page_bytes()));
        assert!(!pool.reserve(&mut second, PAGE + 1));
        assert_eq!(second.capacity(), PAGE, "what there was");
        drop(first);
        assert_eq!(pool.n_free_pages(), 2);
        assert!(pool.reserve(&mut second, 3 * PAGE));
    }

    #[test]
    fn texts_that_begin_alike_share_their_first_pages() {
        let mut pool = pool(100);
        let text: Vec<u32> = (0..50).collect();
        let mut first = pool.new_cache();
        assert!(read(&mut pool, &mut first, &text));
        let mut same = pool.new_cache();
        pool.reuse(&mut same, &text);
        assert_eq!(same.len(), 3 * PAGE);
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
        assert_eq!(n_known(&mut pool, &text[..48]), 2 * PAGE);
        assert_eq!(n_known(&mut pool, &text[..49]), 3 * PAGE);
        assert_eq!(n_known(&mut pool, &text[..1]), 0);
        assert_eq!(n_known(&mut pool, &[]), 0);
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
        let known = texts.each_ref().map(|text| n_known(&mut pool, text));
        assert_eq!(known, [2 * PAGE, PAGE, 2 * PAGE], "the end goes first");
        assert_eq!(pool.n_free_pages(), 6, "nothing of it is in use");
    }

    #[test]
    fn pages_in_use_are_not_removed() {
        let mut pool = pool(3);
        let text: Vec<u32> = (0..40).collect();
        let mut cache = pool.new_cache();
        assert!(read(&mut pool, &mut cache, &text));
        assert!(!pool.reserve(&mut pool.new_cache(), 1));
        assert_eq!((pool.n_free_pages(), contents(&cache)), (0, text));
    }

    #[test]
    fn random_texts_find_what_was_read_and_free_what_they_let_go() {
        let mut pool = pool(12);
        let mut random = 1_u64;
        let mut below = |n: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % n
        };
        let mut caches: Vec<(Vec<u32>, KvCache)> = Vec::new();
        let mut n_reused = 0;
        for _ in 0..20_000 {
            if below(3) == 0 {
                let length = 1 + below(80) as u32;
                let change = if below(2) == 0 { u32::MAX } else { 16 * below(5) as u32 };
                let text: Vec<u32> = (0..length).map(|at| at + u32::from(at >= change)).collect();
                let free = pool.n_free_pages();
                let (needed, known) = (pool.n_needed_pages(&text), n_known(&mut pool, &text));
                let mut cache = pool.new_cache();
                let fits = read(&mut pool, &mut cache, &text);
                assert_eq!(fits, needed <= free, "{needed} of {free}");
                n_reused += known;
                if fits {
                    // The page with the last token is read even if it is known.
                    assert!((0..=1).contains(&(pool.n_free_pages() + needed - free)));
                    caches.push((text, cache));
                }
            } else if !caches.is_empty() {
                let (text, cache) = caches.swap_remove(below(caches.len() as u64) as usize);
                assert_eq!(contents(&cache), text);
            }
            assert!(pool.n_bytes() <= 12 * SHAPE.page_bytes());
        }
        assert!(n_reused > 1000);
        caches.clear();
        assert_eq!(pool.n_free_pages(), 12);
    }
}
