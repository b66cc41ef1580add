//! Served models: one thread owns the weights and advances all running requests together.
//!
//! - [`Model`] is the handle: it loads, renders, submits, stops.
//! - `request` holds what goes in ([`Request`]) and comes out ([`Event`]).
//! - `worker` is the thread: admit, step, repeat.
//! - `scheduler` decides which requests run, and what they read; `queue` which of them is next.
//! - `sequence` is one running request, and `guide` its constraint with the token budget.
//! - `stops` finds texts that end one.
//! - `activity` counts what is done ([`Activity`]).

mod activity;
mod guide;
mod queue;
mod request;
mod scheduler;
mod sequence;
mod sink;
mod stops;
mod worker;

use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread;

use espalier_constraint::Vocabulary;

pub use self::activity::Activity;
use self::activity::Counters;
pub use self::request::{Event, FinishReason, Generation, Reasoning, Request};
use self::scheduler::Scheduler;
use self::sequence::Sequence;
use self::sink::Sink;
use self::worker::{Command, Worker};
use crate::chat_template::{ChatTemplate, Conversation};
use crate::device::Device;
use crate::error::Error;
use crate::kv_cache::{PAGE, Pool};
use crate::model::transformer::{Rows, Transformer};
use crate::model::{Compute, LoadedModel, Quantization};
use crate::tokenizer::Tokenizer;

/// How a model is served.
#[derive(Clone, Debug)]
pub struct ModelOptions {
    /// Where the model computes: the CPU by default. A graphics processor takes all its memory when the
    /// model is loaded, that of keys and values too.
    pub device: Device,
    /// How many requests advance together; further ones wait, those of higher priorities less, and
    /// callers take turns. 8 by default.
    pub max_batch_size: usize,
    /// Threads that share the arithmetic of a step: by default one for each core, and at most 8. They
    /// have work while several requests run or a prompt is read; the steps of a single text are too
    /// small to share, except in large models.
    pub n_threads: usize,
    /// In how many bits the matrices are held: by default in eight where the files have 16, and in those
    /// of the files on a graphics processor.
    pub quantization: Quantization,
    /// The most bytes of keys and values, of all requests together. What was read is kept within them
    /// for texts that begin alike. By default enough for `max_batch_size` whole contexts, but for no more
    /// than 32,768 tokens, and no more than 4 GiB. No request can be longer than what fits.
    pub max_kv_cache_bytes: Option<usize>,
}

/// The least pages of a cache: fewer are a mistake.
const MIN_PAGES: usize = 2;

/// The tokens that there is room for by default, at most.
const DEFAULT_CACHED_TOKENS: usize = 1 << 15;

/// The bytes that keys and values may take by default.
const DEFAULT_CACHED_BYTES: usize = 1 << 32;

impl Default for ModelOptions {
    fn default() -> Self {
        let n_cores = thread::available_parallelism().map_or(1, usize::from);
        let quantization = Quantization::default();
        Self {
            device: Device::Cpu,
            max_batch_size: 8,
            n_threads: n_cores.min(8),
            quantization,
            max_kv_cache_bytes: None,
        }
    }
}

/// What a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The architecture that `config.json` names, or would name for a GGUF file.
    pub architecture: String,
    /// The number of weights.
    pub n_parameters: usize,
    /// The number of layers.
    pub n_layers: usize,
    /// The width of the hidden states.
    pub hidden_size: usize,
    /// The number of ids that the model gives a logit for.
    pub n_ids: usize,
    /// The context in tokens, prompt and answer together: the model's, or what the KV cache has room
    /// for.
    pub max_length: usize,
    /// Whether messages can be rendered.
    pub has_chat_template: bool,
    /// The tags between which the model thinks before it answers, if it was trained to: those that
    /// the chat template has and that are tokens of their own.
    pub reasoning: Option<(String, String)>,
}

/// A handle to a served model; clones are handles to the same one.
///
/// The thread ends when the last handle is dropped, or with [`stop`](Self::stop). Requests that
/// still run, or wait, then get [`Event::Failed`] with [`Error::ModelStopped`].
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

struct Inner {
    info: ModelInfo,
    vocabulary: Arc<Vocabulary>,
    tokenizer: Tokenizer,
    chat_template: Option<ChatTemplate>,
    commands: Sender<Command>,
    stopped: Arc<Stopped>,
    counters: Arc<Counters>,
}

/// Set once, when the model stops: empty on purpose, else what went wrong.
pub(crate) type Stopped = OnceLock<String>;

impl Model {
    /// Reads the files of a model's directory, or its GGUF file, and starts its thread.
    ///
    /// A GGUF file has all of a model, or is the first one of several that llama.cpp split it into; it is
    /// named, or the only one in a directory without
    /// safetensors. Its weights are of the types F32, F16, BF16, `Q4_0`, `Q4_1`, `Q5_0`, `Q5_1`,
    /// `Q8_0`, `Q4_K`, `Q5_K` and `Q6_K`.
    ///
    /// The directory is laid out as Hugging Face does: `config.json`, `model.safetensors` (or
    /// shards with an index), `tokenizer.json`, and optionally `generation_config.json`,
    /// `tokenizer_config.json`, `chat_template.jinja`. Weights are f32, bf16 or f16, and are held
    /// as the options say.
    ///
    /// # Errors
    /// Every file that is missing, broken or asks for what isn't supported is an error that names
    /// it. A device that can't be used is an [`Error::DeviceUnavailable`].
    pub fn load(directory: &Path, options: &ModelOptions) -> Result<Self, Error> {
        Self::load_on(&options.device.open()?, directory, options).map_err(|error| match error {
            Error::ComputationFailed { detail } => options.device.unavailable(detail),
            other => other,
        })
    }

    fn load_on(compute: &Compute, directory: &Path, options: &ModelOptions) -> Result<Self, Error> {
        at_least_one("max_batch_size", options.max_batch_size)?;
        at_least_one("n_threads", options.n_threads)?;
        let loaded = LoadedModel::load(directory, options.quantization, compute)?;
        let n_pages = n_pages(&loaded.transformer, options)?;
        let info = info(&loaded, n_pages * PAGE);
        let LoadedModel { transformer, tokenizer, vocabulary, chat_template, .. } = loaded;
        let mut pool = transformer.new_pool(n_pages)?;
        if transformer.is_on_device() {
            try_out(&transformer, &mut pool)?;
        }
        let (commands, receiver) = mpsc::channel();
        let stopped = Arc::new(Stopped::new());
        let counters = Arc::new(Counters::default());
        let scheduler = Scheduler::new(options.max_batch_size, pool);
        let (stop, count) = (Arc::clone(&stopped), Arc::clone(&counters));
        let worker = Worker::new(transformer, options.n_threads, scheduler, receiver, stop, count);
        thread::Builder::new()
            .name("espalier-model".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| Error::ModelStopped { detail: error.to_string() })?;
        let inner =
            Inner { info, vocabulary, tokenizer, chat_template, commands, stopped, counters };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The vocabulary to compile constraints for.
    #[must_use]
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.inner.vocabulary
    }

    /// The model's tokenizer.
    #[must_use]
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.inner.tokenizer
    }

    /// What the model is.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.inner.info
    }

    /// What the model has done so far, and has to do.
    #[must_use]
    pub fn activity(&self) -> Activity {
        self.inner.counters.read()
    }

    /// The prompt that asks for the next answer in a conversation.
    ///
    /// # Errors
    /// [`Error::NoChatTemplate`], [`Error::InvalidChatTemplate`] when the template fails or refuses the
    /// messages, and [`Error::InvalidOption`] for variables with names that are taken.
    pub fn render(&self, conversation: &Conversation) -> Result<String, Error> {
        self.inner.chat_template.as_ref().ok_or(Error::NoChatTemplate)?.render(conversation)
    }

    /// Adds a request to the model's queue and returns at once.
    ///
    /// `sink` is called on the model's thread for each event, and must be quick: all requests wait
    /// for it. The last event is [`Event::Done`] or [`Event::Failed`], in every case.
    ///
    /// # Errors
    /// What is wrong with the request, before anything starts; `sink` is not called then.
    pub fn submit(
        &self,
        request: Request,
        sink: impl FnMut(Event) + Send + 'static,
    ) -> Result<Generation, Error> {
        self.check_running()?;
        let request = request.checked(&self.inner.info, &self.inner.vocabulary)?;
        let generation = Generation::new(self.inner.commands.clone());
        let sink = Sink::new(sink, Arc::clone(&self.inner.stopped));
        let vocabulary = Arc::clone(&self.inner.vocabulary);
        let counters = Arc::clone(&self.inner.counters);
        let sequence = Sequence::new(request, vocabulary, counters, &generation, sink);
        // Where the thread has just ended, the sequence is dropped with the queue and says so.
        let _ = self.inner.commands.send(Command::Run(Box::new(sequence)));
        Ok(generation)
    }

    /// Ends the model's thread after the step that it is in.
    pub fn stop(&self) {
        self.inner.stop();
    }

    fn check_running(&self) -> Result<(), Error> {
        match self.inner.stopped.get() {
            Some(detail) => Err(Error::ModelStopped { detail: detail.clone() }),
            None => Ok(()),
        }
    }
}

impl Inner {
    fn stop(&self) {
        let _ = self.stopped.set(String::new());
        let _ = self.commands.send(Command::Wake);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Reads two tokens, so that what a device can't do is an error of loading, and no request waits for its
/// kernels.
fn try_out(transformer: &Transformer, pool: &mut Pool) -> Result<(), Error> {
    let tokens = &[0; 2];
    let mut cache = pool.new_cache();
    pool.reserve(&mut cache, tokens.len());
    transformer.forward(&mut [Rows { tokens, cache: &mut cache, n_logits: 1 }]).map(drop)
}

/// How many pages of keys and values there can be.
fn n_pages(transformer: &Transformer, options: &ModelOptions) -> Result<usize, Error> {
    let page_bytes = transformer.page_bytes();
    let contexts = options.max_batch_size.saturating_mul(transformer.config().max_length);
    let most = (DEFAULT_CACHED_BYTES / page_bytes).max(MIN_PAGES);
    let default = contexts.min(DEFAULT_CACHED_TOKENS).div_ceil(PAGE).clamp(MIN_PAGES, most);
    let n_pages = options.max_kv_cache_bytes.map_or(default, |bytes| bytes / page_bytes);
    if n_pages < MIN_PAGES {
        let (option, expected) = ("max_kv_cache_bytes", "room for two pages of keys and values");
        let bytes = options.max_kv_cache_bytes.unwrap_or(0);
        let got = format!("{bytes} bytes, where a page of {PAGE} tokens has {page_bytes}");
        return Err(Error::InvalidOption { option, expected, got });
    }
    Ok(n_pages)
}

fn info(loaded: &LoadedModel, n_cached: usize) -> ModelInfo {
    let config = loaded.transformer.config();
    ModelInfo {
        architecture: loaded.architecture.to_owned(),
        n_parameters: loaded.transformer.n_parameters(),
        n_layers: config.layers.len(),
        hidden_size: config.hidden_size,
        n_ids: config.n_ids,
        max_length: config.max_length.min(n_cached),
        has_chat_template: loaded.chat_template.is_some(),
        reasoning: loaded.chat_template.as_ref().and_then(|template| {
            template.reasoning_tags(|text| loaded.tokenizer.token_id(text).is_some())
        }),
    }
}

fn at_least_one(option: &'static str, value: usize) -> Result<(), Error> {
    if value == 0 {
        let expected = "an integer from 1";
        return Err(Error::InvalidOption { option, expected, got: value.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
