//! [`Worker`]: the thread of a served model.
//!
//! Continuous batching: each step advances all running sequences by one forward pass. Between steps
//! finished ones leave and waiting ones join, see [`Scheduler`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::Stopped;
use super::activity::Counters;
use super::guide::Guide;
use super::scheduler::Scheduler;
use super::sequence::Sequence;
use crate::device::panic_message;
use crate::model::transformer::{Rows, Transformer};

/// Bytes of weights that the caches of a CPU may hold from step to step.
const MAX_CACHED_BYTES: f64 = (1 << 25) as f64;

/// Rows of a thread that make reading all the weights little beside the work with them, for each byte
/// of a weight.
const MIN_OWN_ROWS: f64 = 4.0;

/// What the handle tells the thread.
pub(crate) enum Command {
    Run(Box<Sequence>),
    /// Look whether the model was stopped, or a request cancelled.
    Wake,
}

/// Owns the weights and all requests.
pub(crate) struct Worker {
    transformer: Transformer,
    n_threads: usize,
    commands: Receiver<Command>,
    stopped: Arc<Stopped>,
    counters: Arc<Counters>,
    scheduler: Scheduler,
}

impl Worker {
    pub(crate) fn new(
        transformer: Transformer,
        n_threads: usize,
        scheduler: Scheduler,
        commands: Receiver<Command>,
        stopped: Arc<Stopped>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { transformer, n_threads, commands, stopped, counters, scheduler }
    }

    /// Serves until the model is stopped. Requests that are left fail as they are dropped.
    pub(crate) fn run(mut self) {
        match thread_pool(self.n_threads) {
            // In a thread of the pool, so that small steps need no other one.
            Ok(pool) => pool.install(|| self.serve()),
            Err(error) => self.stop(error.to_string()),
        }
        self.scheduler.clear();
        self.count_sequences();
    }

    fn serve(&mut self) {
        while self.stopped.get().is_none() {
            self.receive();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.step())) {
                self.stop(panic_message(&*panic));
            }
        }
    }

    /// Takes new requests; waits for one where nothing is to be done.
    fn receive(&mut self) {
        let mut is_woken = false;
        if self.scheduler.n_running() + self.scheduler.n_waiting() == 0 {
            match self.commands.recv() {
                Ok(command) => is_woken |= self.take(command),
                Err(_) => self.stop(String::new()),
            }
        }
        while let Ok(command) = self.commands.try_recv() {
            is_woken |= self.take(command);
        }
        if is_woken {
            self.scheduler.drop_cancelled();
        }
    }

    /// Says whether something has to be looked at.
    fn take(&mut self, command: Command) -> bool {
        match command {
            Command::Run(sequence) => {
                self.scheduler.add(sequence);
                false
            }
            Command::Wake => true,
        }
    }

    fn stop(&self, detail: String) {
        // Where the model was stopped already, that reason stands.
        let _ = self.stopped.set(detail);
    }

    /// One forward pass over all running sequences, and a token for each that has read its prompt.
    fn step(&mut self) {
        self.scheduler.update();
        self.count_sequences();
        if self.scheduler.n_running() == 0 || self.stopped.get().is_some() {
            return;
        }
        self.scheduler.plan();
        let running = self.scheduler.running();
        let n_reading = running.iter().filter(|sequence| sequence.n_reading() > 0).count();
        self.counters.n_steps.add(1);
        self.counters.n_advanced.add(n_reading);
        let n_groups = n_groups(&self.transformer, running);
        groups(running, n_groups)
            .into_par_iter()
            .for_each(|group| advance(&self.transformer, group, &self.counters));
        self.scheduler.keep();
    }

    fn count_sequences(&self) {
        self.counters.n_running.set(self.scheduler.n_running());
        self.counters.n_waiting.set(self.scheduler.n_waiting());
        self.counters.n_cached_tokens.set(self.scheduler.n_cached_tokens());
        self.counters.n_cached_bytes.set(self.scheduler.n_cached_bytes());
    }
}

/// In how many groups the sequences of a step are advanced side by side.
///
/// Threads with sequences of their own wait for each other once a step, and threads that share
/// the products of all sequences many times; but each reads all the weights. So they have
/// their own where that reading is little, beside the work or because a cache holds them. A device takes all at
/// once.
fn n_groups(transformer: &Transformer, sequences: &[Sequence]) -> usize {
    if transformer.is_on_device() {
        return 1;
    }
    let n_rows: usize = sequences.iter().map(Sequence::n_reading).sum();
    let n_threads = rayon::current_num_threads();
    let bytes = transformer.bytes_per_weight();
    let are_cached = transformer.n_parameters() as f64 * bytes <= MAX_CACHED_BYTES;
    let n_own_rows = n_rows as f64 / n_threads as f64;
    let own = are_cached || n_own_rows >= MIN_OWN_ROWS * bytes.floor().max(1.0);
    if own { n_threads } else { 1 }
}

/// Divides the sequences that read something into at most `n` groups whose rows are about as many.
fn groups(sequences: &mut [Sequence], n: usize) -> Vec<Vec<&mut Sequence>> {
    let n_rows: usize = sequences.iter().map(Sequence::n_reading).sum();
    let mut groups: Vec<Vec<_>> = std::iter::repeat_with(Vec::new).take(n).collect();
    let mut n_before = 0;
    for sequence in sequences.iter_mut().filter(|sequence| sequence.n_reading() > 0) {
        let n_reading = sequence.n_reading();
        // The group that the middle of its rows falls into.
        groups[(2 * n_before + n_reading) * n / (2 * n_rows)].push(sequence);
        n_before += n_reading;
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// One forward pass over some sequences, and a token for each that has read its prompt.
fn advance(transformer: &Transformer, mut sequences: Vec<&mut Sequence>, counters: &Counters) {
    let (mut rows, mut guides): (Vec<Rows<'_>>, Vec<Option<&mut Guide>>) =
        sequences.iter_mut().map(|sequence| sequence.split()).unzip();
    let (logits, masks) = rayon::join(
        || counters.time_forward(|| transformer.forward(&mut rows)),
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
    let mut logits = logits.chunks_exact(transformer.config().n_ids);
    for (sequence, mask) in sequences.iter_mut().zip(masks) {
        sequence.read();
        if let Some((mask, logits)) = mask.and_then(|mask| Some((mask, logits.next()?))) {
            sequence.sample(logits, mask);
        }
    }
}

fn thread_pool(n_threads: usize) -> Result<ThreadPool, rayon::ThreadPoolBuildError> {
    let name = |index| format!("espalier-model-{index}");
    ThreadPoolBuilder::new().num_threads(n_threads).thread_name(name).build()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::engine::sink::Sink;
    use crate::engine::{Event, Generation, Request};
    use crate::error::Error;
    use crate::kv_cache::{Pool, Shape};
    use crate::model::{LoadedModel, Quantization};
    use crate::test_model::TestModel;

    #[test]
    fn a_failed_step_ends_its_requests_and_not_the_model() {
        let loaded = LoadedModel::read(TestModel::random().path(), Quantization::None).unwrap();
        let (commands, receiver) = channel();
        let stopped = Arc::new(Stopped::new());
        // Its caches are none of this model.
        let shape = Shape { n_layers: 1, ..loaded.transformer.cache_shape() };
        let scheduler = Scheduler::new(8, Pool::new(shape, 1 << 20));
        let (stop, counters) = (Arc::clone(&stopped), Arc::default());
        let mut worker = Worker::new(loaded.transformer, 1, scheduler, receiver, stop, counters);
        let (sender, events) = channel();
        let sink = Sink::new(move |event| drop(sender.send(event)), stopped);
        let request = Request::new(vec![1], 5);
        let sequence = Sequence::new(
            request,
            loaded.vocabulary,
            Arc::default(),
            &Generation::new(commands),
            sink,
        );
        worker.take(Command::Run(Box::new(sequence)));
        worker.step();
        let event = events.recv().unwrap();
        assert!(matches!(event, Event::Failed(Error::ComputationFailed { .. })), "{event:?}");
        worker.step();
        assert!(worker.scheduler.n_running() == 0 && worker.stopped.get().is_none());
    }
}
