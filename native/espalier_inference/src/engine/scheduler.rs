//! [`Scheduler`]: which requests run, and what each reads in a step.
//!
//! Requests join while the batch and the KV cache have room. What they will read of their prompts is
//! counted then, what they will write is not: where the cache is full in the middle of texts, the least
//! important one gives up its place and waits again. Nothing of its text is lost.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::queue::Queue;
use super::sequence::Sequence;
use crate::kv_cache::Pool;

/// Tokens that a step reads at most: enough to use the weights well, few enough that a long prompt
/// doesn't hold up the sequences that decode beside it.
const MAX_ROWS: usize = 256;

/// All requests of a model.
pub(crate) struct Scheduler {
    max_batch_size: usize,
    pool: Pool,
    waiting: Queue,
    /// In the order in which they joined.
    running: Vec<Sequence>,
    /// Whether the cache had no room for the first one that waits, and nothing has changed since.
    is_full: bool,
}

impl Scheduler {
    pub(crate) fn new(max_batch_size: usize, pool: Pool) -> Self {
        let (waiting, running) = (Queue::default(), Vec::new());
        Self { max_batch_size, pool, waiting, running, is_full: false }
    }

    /// Takes a new request.
    pub(crate) fn add(&mut self, sequence: Box<Sequence>) {
        self.waiting.add(sequence);
        self.is_full = false;
    }

    /// The sequences that a step advances.
    pub(crate) fn running(&mut self) -> &mut [Sequence] {
        &mut self.running
    }

    pub(crate) fn n_running(&self) -> usize {
        self.running.len()
    }

    pub(crate) fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Tokens in the caches of the running sequences.
    pub(crate) fn n_cached_tokens(&self) -> usize {
        self.running.iter().map(|sequence| sequence.cache().len()).sum()
    }

    /// Bytes of all keys and values.
    pub(crate) fn n_cached_bytes(&self) -> usize {
        self.pool.n_bytes()
    }

    /// Drops all requests.
    pub(crate) fn clear(&mut self) {
        self.running.clear();
        self.waiting.clear();
    }

    /// Ends the requests that were cancelled and wait.
    pub(crate) fn drop_cancelled(&mut self) {
        self.waiting.drop_cancelled();
        self.is_full = false;
    }

    /// Lets finished and cancelled sequences leave and waiting ones join.
    pub(crate) fn update(&mut self) {
        self.running.iter_mut().for_each(Sequence::check_cancelled);
        let n_before = self.running.len();
        self.running.retain(|sequence| !sequence.is_finished());
        self.is_full &= self.running.len() == n_before;
        while self.running.len() < self.max_batch_size && !self.is_full && self.waiting.len() > 0 {
            self.is_full = !self.fits();
            if !self.is_full {
                self.join();
            }
        }
    }

    /// Whether the cache has room for what there is of the first one that waits, beside what was promised
    /// to those that run, and for a page more of each.
    fn fits(&mut self) -> bool {
        let Some(sequence) = self.waiting.first() else { return false };
        let promised = self.running.iter().map(|running| running.n_missing_pages() + 1);
        let needed = sequence.n_needed_pages(&mut self.pool) + 1 + promised.sum::<usize>();
        self.running.is_empty() || needed <= self.pool.n_free_pages()
    }

    /// Lets the first one that waits run.
    fn join(&mut self) {
        let Some(mut sequence) = self.waiting.pop() else { return };
        sequence.forget(&self.pool);
        sequence.reuse(&mut self.pool);
        // In the list first: what a panic leaves there learns of it.
        self.running.push(*sequence);
        if let Some(new) = self.running.last_mut() {
            new.check_cancelled();
            new.start();
        }
        self.running.retain(|sequence| !sequence.is_finished());
    }

    /// Decides what each sequence reads in the next step: one token at least, unless another one is
    /// about to read the same.
    pub(crate) fn plan(&mut self) {
        let mut n_rows_left = MAX_ROWS;
        let mut being_read = HashSet::new();
        let mut index = 0;
        while let Some(sequence) = self.running.get_mut(index) {
            sequence.reuse(&mut self.pool);
            sequence.count_reused();
            let page = sequence.next_page();
            let is_read = page.as_ref().is_some_and(|page| being_read.contains(page));
            let waits = is_read && sequence.cache().is_full();
            let n_reading = if waits { 0 } else { sequence.n_unread().min(n_rows_left.max(1)) };
            if sequence.plan(n_reading, &mut self.pool) {
                being_read.extend(page);
                n_rows_left = n_rows_left.saturating_sub(n_reading);
                index += 1;
            } else {
                let given_up = self.give_up_least_important();
                index -= usize::from(given_up < index);
            }
        }
    }

    /// Lets the sequence of the lowest priority that joined last wait again; returns its index.
    fn give_up_least_important(&mut self) -> usize {
        let order = |&index: &usize| (Reverse(self.running[index].priority()), index);
        let index = (0..self.running.len()).max_by_key(order).unwrap_or(0);
        let mut sequence = Box::new(self.running.remove(index));
        sequence.forget(&self.pool);
        self.waiting.put_back(sequence);
        self.is_full = false;
        index
    }

    /// After a step: what was read is there for all.
    pub(crate) fn keep(&mut self) {
        for sequence in &mut self.running {
            sequence.keep(&mut self.pool);
        }
    }
}
