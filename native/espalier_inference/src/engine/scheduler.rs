//! [`Scheduler`]: which requests run, and what each reads in a step.
//!
//! Requests join while the batch and the KV cache have room. What they will read of their prompts is
//! counted then, what they will write is not: where the cache is full in the middle of texts, the least
//! important one gives up its place and waits again. Nothing of its text is lost.
//!
//! Callers take turns, as in start-time fair queueing (Goyal, Vin and Cheng, 1996) with requests of
//! equal cost: one that asks for much at once doesn't hold up others.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::sequence::Sequence;
use crate::kv_cache::{PAGE, Pool};

/// Tokens that a step reads at most: enough to use the weights well, few enough that a long prompt
/// doesn't hold up the sequences that decode beside it.
const MAX_ROWS: usize = 256;

/// All requests of a model.
pub(crate) struct Scheduler {
    max_batch_size: usize,
    pool: Pool,
    /// The latest of those that have come.
    turn: u64,
    /// In the order in which they came.
    waiting: Vec<Sequence>,
    /// In the order in which they joined.
    running: Vec<Sequence>,
}

impl Scheduler {
    pub(crate) fn new(max_batch_size: usize, pool: Pool) -> Self {
        Self { max_batch_size, pool, turn: 0, waiting: Vec::new(), running: Vec::new() }
    }

    /// Takes a new request. One caller's have a turn each, the first the one that it is now.
    pub(crate) fn add(&mut self, mut sequence: Sequence) {
        let last = self.waiting.iter().rfind(|other| other.caller() == sequence.caller());
        sequence.set_turn(last.map_or(self.turn, |last| self.turn.max(last.turn() + 1)));
        self.waiting.push(sequence);
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

    /// Lets finished and cancelled sequences leave and waiting ones join.
    pub(crate) fn update(&mut self) {
        self.waiting.iter_mut().chain(&mut self.running).for_each(Sequence::check_cancelled);
        self.waiting.retain(|sequence| !sequence.is_finished());
        self.running.retain(|sequence| !sequence.is_finished());
        while self.running.len() < self.max_batch_size
            && let Some(index) = self.next()
            && self.join(index)
        {}
    }

    /// The index of the waiting sequence that is to run next.
    fn next(&self) -> Option<usize> {
        let order = |sequence: &Sequence| (Reverse(sequence.priority()), sequence.turn());
        (0..self.waiting.len()).min_by_key(|&index| order(&self.waiting[index]))
    }

    /// Lets a waiting sequence run, if the cache has room for what there is of it.
    fn join(&mut self, index: usize) -> bool {
        let sequence = &mut self.waiting[index];
        sequence.forget(&self.pool);
        sequence.reuse(&mut self.pool);
        let promised: usize = self.running.iter().map(Sequence::n_without_place).sum();
        let fits = promised + sequence.n_without_place() + PAGE <= self.pool.n_free();
        if !fits && !self.running.is_empty() {
            sequence.forget(&self.pool);
            return false;
        }
        // In the list first: what a panic leaves there learns of it.
        let sequence = self.waiting.remove(index);
        self.turn = self.turn.max(sequence.turn());
        self.running.push(sequence);
        if let Some(new) = self.running.last_mut() {
            new.start();
        }
        self.running.retain(|sequence| !sequence.is_finished());
        true
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
            let is_read = sequence.next_page().is_some_and(|page| !being_read.insert(page));
            let waits = is_read && sequence.cache().is_full();
            let n_reading = if waits { 0 } else { sequence.n_unread().min(n_rows_left.max(1)) };
            if sequence.plan(n_reading, &mut self.pool) {
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
        let mut sequence = self.running.remove(index);
        sequence.forget(&self.pool);
        self.waiting.insert(0, sequence);
        index
    }

    /// After a step: what was read is there for all.
    pub(crate) fn keep(&mut self) {
        for sequence in &mut self.running {
            sequence.keep(&mut self.pool);
        }
    }
}
