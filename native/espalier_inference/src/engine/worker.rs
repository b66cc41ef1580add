//! [`Worker`]: the thread of a served model.
//!
//! Continuous batching: each step advances all running sequences by one forward pass. Between steps
//! finished ones leave, waiting ones join in order.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::activity::Counters;
use super::guide::Guide;
use super::sequence::Sequence;
use super::{ModelOptions, Stopped};
use crate::kv_cache::KvCache;
use crate::model::llama::{Llama, Rows};

/// Tokens that a step reads at most: enough to use the weights well, few enough that a long prompt
/// doesn't hold up the sequences that decode beside it.
const MAX_ROWS: usize = 256;

/// Parameters that the caches of a CPU may hold from step to step: 32 MiB of them.
const MAX_CACHED_PARAMETERS: usize = 1 << 23;

/// Rows that make reading all the weights little beside the work with them.
const MIN_OWN_ROWS: usize = 64;

/// What the handle tells the thread.
pub(crate) enum Command {
    Run(Box<Sequence>),
    /// Look whether the model was stopped.
    Wake,
}

/// Owns the weights and all requests.
pub(crate) struct Worker {
    llama: Llama,
    max_batch_size: usize,
    n_threads: usize,
    commands: Receiver<Command>,
    stopped: Arc<Stopped>,
    counters: Arc<Counters>,
    waiting: VecDeque<Sequence>,
    running: Vec<Sequence>,
}

impl Worker {
    pub(crate) fn new(
        llama: Llama,
        options: &ModelOptions,
        commands: Receiver<Command>,
        stopped: Arc<Stopped>,
        counters: Arc<Counters>,
    ) -> Self {
        let ModelOptions { max_batch_size, n_threads, .. } = *options;
        let (waiting, running) = (VecDeque::new(), Vec::new());
        Self { llama, max_batch_size, n_threads, commands, stopped, counters, waiting, running }
    }

    /// Serves until the model is stopped. Requests that are left fail as they are dropped.
    pub(crate) fn run(mut self) {
        match thread_pool(self.n_threads) {
            Ok(pool) => self.serve(&pool),
            Err(error) => self.stop(error.to_string()),
        }
        self.running.clear();
        self.waiting.clear();
        self.count_sequences();
    }

    fn serve(&mut self, pool: &ThreadPool) {
        while self.stopped.get().is_none() {
            self.receive();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| pool.install(|| self.step()))) {
                self.stop(panic_message(&*panic));
            }
        }
    }

    /// Takes new requests; waits for one where nothing is to be done.
    fn receive(&mut self) {
        if self.running.is_empty() && self.waiting.is_empty() {
            match self.commands.recv() {
                Ok(command) => self.take(command),
                Err(_) => self.stop(String::new()),
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            self.take(command);
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Run(sequence) => self.waiting.push_back(*sequence),
            Command::Wake => {}
        }
    }

    fn stop(&self, detail: String) {
        // Where the model was stopped already, that reason stands.
        let _ = self.stopped.set(detail);
    }

    /// One forward pass over all running sequences, and a token for each that has read its prompt.
    fn step(&mut self) {
        self.update();
        self.count_sequences();
        if self.running.is_empty() || self.stopped.get().is_some() {
            return;
        }
        self.counters.n_steps.add(1);
        self.counters.n_advanced.add(self.running.len());
        let mut n_rows_left = MAX_ROWS;
        for sequence in &mut self.running {
            n_rows_left = n_rows_left.saturating_sub(sequence.plan(n_rows_left));
        }
        let n_groups = self.n_groups();
        groups(&mut self.running, n_groups)
            .into_par_iter()
            .for_each(|group| advance(&self.llama, group, &self.counters));
    }

    fn count_sequences(&self) {
        self.counters.n_running.set(self.running.len());
        self.counters.n_waiting.set(self.waiting.len());
        let caches = || self.running.iter().map(Sequence::cache);
        self.counters.n_cached_tokens.set(caches().map(KvCache::len).sum());
        self.counters.n_cached_bytes.set(caches().map(KvCache::n_bytes).sum());
    }

    /// In how many groups the sequences of a step are advanced side by side.
    ///
    /// Threads with sequences of their own wait for each other once a step, and threads that share
    /// the products of all sequences many times; but each reads all the weights. So they have
    /// their own where that reading is little, beside the work or because a cache holds them.
    fn n_groups(&self) -> usize {
        let n_rows: usize = self.running.iter().map(Sequence::n_reading).sum();
        let n_threads = rayon::current_num_threads();
        let are_cached = self.llama.n_parameters() <= MAX_CACHED_PARAMETERS;
        let own = are_cached || n_rows >= n_threads * MIN_OWN_ROWS;
        if own { n_threads } else { 1 }
    }

    /// Lets finished and cancelled sequences leave and waiting ones join.
    fn update(&mut self) {
        self.waiting.iter_mut().chain(&mut self.running).for_each(Sequence::check_cancelled);
        self.waiting.retain(|sequence| !sequence.is_finished());
        self.running.retain(|sequence| !sequence.is_finished());
        while self.running.len() < self.max_batch_size
            && let Some(sequence) = self.waiting.pop_front()
        {
            // In the list first: what a panic leaves there learns of it.
            self.running.push(sequence);
            if let Some(new) = self.running.last_mut() {
                new.start(self.llama.new_cache());
            }
            self.running.retain(|sequence| !sequence.is_finished());
        }
    }
}

/// Divides sequences into at most `n` groups whose rows are about as many.
fn groups(sequences: &mut [Sequence], n: usize) -> Vec<&mut [Sequence]> {
    let n_rows: usize = sequences.iter().map(Sequence::n_reading).sum();
    let mut n_before = 0;
    let in_group = |sequence: &Sequence| {
        // The group that the middle of its rows falls into.
        let middle = 2 * n_before + sequence.n_reading();
        n_before += sequence.n_reading();
        middle * n / (2 * n_rows)
    };
    let indices: Vec<usize> = sequences.iter().map(in_group).collect();
    let mut rest = sequences;
    let mut groups = Vec::new();
    for same in indices.chunk_by(|a, b| a == b) {
        let (first, others) = std::mem::take(&mut rest).split_at_mut(same.len());
        groups.push(first);
        rest = others;
    }
    groups
}

/// One forward pass over some sequences, and a token for each that has read its prompt.
fn advance(llama: &Llama, sequences: &mut [Sequence], counters: &Counters) {
    let (mut rows, mut guides): (Vec<Rows<'_>>, Vec<Option<&mut Guide>>) =
        sequences.iter_mut().map(Sequence::split).unzip();
    let (logits, masks) = rayon::join(
        || counters.time_forward(|| llama.forward(&mut rows)),
        || -> Vec<_> {
            let guides = guides.iter_mut().map(Option::as_mut);
            let masks = guides.map(|guide| guide.map(|guide| guide.compute_mask()));
            counters.time_masks(|| masks.collect())
        },
    );
    let logits = match logits {
        Ok(logits) => logits,
        Err(error) => {
            return sequences.iter_mut().for_each(|sequence| sequence.fail(error.clone()));
        }
    };
    let mut logits = logits.chunks_exact(llama.config().n_ids);
    for (sequence, mask) in sequences.iter_mut().zip(masks) {
        sequence.read();
        if let Some((mask, logits)) = mask.and_then(|mask| Some((mask, logits.next()?))) {
            sequence.sample(logits, mask);
        }
    }
}

/// A pool that the worker's thread is itself a member of, so that small steps need no other thread.
fn thread_pool(n_threads: usize) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .thread_name(|index| format!("espalier-model-{index}"))
        .use_current_thread()
        .build()
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::engine::sink::Sink;
    use crate::engine::{Event, Generation, Request};
    use crate::error::Error;
    use crate::model::{LoadedModel, Quantization};
    use crate::sampling::Sampling;
    use crate::test_model::TestModel;

    #[test]
    fn a_failed_step_ends_its_requests_and_not_the_model() {
        let loaded = LoadedModel::read(TestModel::random().path(), Quantization::None).unwrap();
        let (_commands, receiver) = channel();
        let stopped = Arc::new(Stopped::new());
        let options = ModelOptions::default();
        let mut worker =
            Worker::new(loaded.llama, &options, receiver, Arc::clone(&stopped), Arc::default());
        let (sender, events) = channel();
        let sink = Sink::new(move |event| drop(sender.send(event)), stopped);
        let sampling = Sampling::default();
        let request =
            Request { prompt: vec![1], constraint: None, sampling, max_tokens: 5, traced: false };
        // It hasn't been started, so its cache is none of this model.
        let sequence =
            Sequence::new(request, loaded.vocabulary, Arc::default(), &Generation::new(), sink);
        worker.running.push(sequence);
        worker.step();
        let event = events.recv().unwrap();
        assert!(matches!(event, Event::Failed(Error::ComputationFailed { .. })), "{event:?}");
        worker.step();
        assert!(worker.running.is_empty() && worker.stopped.get().is_none());
    }
}
