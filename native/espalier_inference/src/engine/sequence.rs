//! [`Sequence`]: one running request.

use std::sync::Arc;

use espalier_constraint::{Constraint, TokenMask, Vocabulary};

use super::activity::Counters;
use super::guide::{Advance, Guide};
use super::request::{Event, FinishReason, Generation, Request};
use super::sink::Sink;
use super::stops::{Passed, Stops};
use crate::choice::Choice;
use crate::error::Error;
use crate::kv_cache::{KvCache, NextPage, PAGE, Pool};
use crate::logits_processor::{LogitsProcessor, processed};
use crate::model::transformer::Rows;
use crate::sampler::Sampler;

/// The state of a request, from the queue to its last event.
pub(crate) struct Sequence {
    generation: Generation,
    vocabulary: Arc<Vocabulary>,
    counters: Arc<Counters>,
    sink: Sink,
    guide: Guide,
    logits_processors: Vec<Arc<dyn LogitsProcessor>>,
    sampler: Sampler,
    stops: Stops,
    cache: KvCache,
    /// The tokens of the prompt, then of the text. The model has read those that the cache has.
    tokens: Vec<u32>,
    /// How many more the current step reads.
    n_reading: usize,
    is_started: bool,
    caller: u64,
    arrival: u64,
    priority: i32,
    /// The text so far, for an error that carries it.
    text: Vec<u8>,
    /// Whether each token is told for itself, with how it was chosen.
    traced: bool,
    n_prompt_tokens: usize,
    /// How many tokens of the prompt were read once, or known.
    n_prompt_done: usize,
    /// How many of them were known from other requests.
    n_reused_tokens: usize,
    n_tokens: usize,
    n_reasoning_tokens: usize,
    n_forced_tokens: usize,
    n_steps: usize,
}

impl Sequence {
    pub(crate) fn new(
        request: Request,
        vocabulary: Arc<Vocabulary>,
        counters: Arc<Counters>,
        generation: &Generation,
        sink: Sink,
    ) -> Self {
        let matcher = request.constraint.as_ref().map(Constraint::matcher);
        Self {
            generation: generation.clone(),
            vocabulary,
            counters,
            sink,
            guide: Guide::new(request.reasoning, matcher, request.max_tokens),
            stops: Stops::new(request.stop, request.constraint.as_ref()),
            logits_processors: request.logits_processors,
            sampler: Sampler::new(request.sampling, &request.prompt),
            cache: KvCache::default(),
            traced: request.traced,
            n_prompt_tokens: request.prompt.len(),
            n_prompt_done: 0,
            n_reused_tokens: 0,
            tokens: request.prompt,
            n_reading: 0,
            is_started: false,
            caller: request.caller,
            arrival: 0,
            priority: request.priority,
            text: Vec::new(),
            n_tokens: 0,
            n_reasoning_tokens: 0,
            n_forced_tokens: 0,
            n_steps: 0,
        }
    }

    /// Appends what is forced from the start, once. May finish the request.
    pub(crate) fn start(&mut self) {
        if std::mem::replace(&mut self.is_started, true) {
            return;
        }
        match self.guide.start() {
            Ok(advance) => self.append(&advance, None),
            Err(error) => self.fail(error),
        }
    }

    /// Who asked.
    pub(crate) fn caller(&self) -> u64 {
        self.caller
    }

    /// Which one it is of those that came.
    pub(crate) fn arrival(&self) -> u64 {
        self.arrival
    }

    pub(crate) fn set_arrival(&mut self, arrival: u64) {
        self.arrival = arrival;
    }

    /// Requests of a higher one go first.
    pub(crate) fn priority(&self) -> i32 {
        self.priority
    }

    /// Whether the last event was sent, or nobody listens.
    pub(crate) fn is_finished(&self) -> bool {
        self.sink.is_closed()
    }

    /// Finishes the request if it was cancelled.
    pub(crate) fn check_cancelled(&mut self) {
        if self.generation.is_cancelled() {
            let events = self.stops.give_up();
            self.end(FinishReason::Cancelled, events);
        }
    }

    /// Takes over what the pool has of the beginning of the text.
    pub(crate) fn reuse(&mut self, pool: &mut Pool) {
        pool.reuse(&mut self.cache, &self.tokens);
    }

    /// Counts what was taken over since the model read something.
    pub(crate) fn count_reused(&mut self) {
        let n_new = self.count_prompt();
        self.n_reused_tokens += n_new;
        self.counters.n_reused_tokens.add(n_new);
    }

    /// Lets others use what was read.
    pub(crate) fn keep(&mut self, pool: &mut Pool) {
        pool.keep(&mut self.cache, &self.tokens);
    }

    /// Gives up all keys and values. They are read or reused when the request runs again.
    pub(crate) fn forget(&mut self, pool: &Pool) {
        self.cache = pool.new_cache();
    }

    /// The page of the cache that is read next, if its tokens are there.
    pub(crate) fn next_page(&self) -> Option<NextPage> {
        self.cache.next_page(&self.tokens)
    }

    /// The number of tokens that the model has to read.
    pub(crate) fn n_unread(&self) -> usize {
        self.tokens.len() - self.cache.len()
    }

    /// How many pages the tokens so far lack.
    pub(crate) fn n_missing_pages(&self) -> usize {
        self.tokens.len().saturating_sub(self.cache.capacity()).div_ceil(PAGE)
    }

    /// How many free pages the tokens so far would take if it ran again.
    pub(crate) fn n_needed_pages(&self, pool: &mut Pool) -> usize {
        pool.n_needed_pages(&self.tokens)
    }

    /// Decides how many tokens the next step reads. Says whether the pool has room for them.
    pub(crate) fn plan(&mut self, n_reading: usize, pool: &mut Pool) -> bool {
        self.n_reading = n_reading;
        let n = self.cache.len() + n_reading;
        pool.reserve(&mut self.cache, n)
    }

    /// The keys and values of the tokens that were read.
    pub(crate) fn cache(&self) -> &KvCache {
        &self.cache
    }

    /// How many tokens the current step reads.
    pub(crate) fn n_reading(&self) -> usize {
        self.n_reading
    }

    /// The parts of a step that run side by side: the rows for the model, and the guide if a token
    /// will be sampled after them.
    pub(crate) fn split(&mut self) -> (Rows<'_>, Option<&mut Guide>) {
        let tokens = &self.tokens[self.cache.len()..];
        let samples = self.n_reading == tokens.len();
        let tokens = &tokens[..self.n_reading];
        let rows = Rows { tokens, cache: &mut self.cache, n_logits: usize::from(samples) };
        (rows, samples.then_some(&mut self.guide))
    }

    /// Notes that the model has read the planned tokens.
    pub(crate) fn read(&mut self) {
        self.count_prompt();
        self.n_steps += 1;
    }

    /// Counts the tokens of the prompt that the cache has for the first time.
    fn count_prompt(&mut self) -> usize {
        let n_done = self.cache.len().min(self.n_prompt_tokens).max(self.n_prompt_done);
        let n_new = n_done - std::mem::replace(&mut self.n_prompt_done, n_done);
        self.counters.n_prompt_tokens.add(n_new);
        n_new
    }

    /// Samples a token and appends it, with what it forces. May finish the request.
    pub(crate) fn sample(&mut self, logits: &[f32], mask: Result<Option<Arc<TokenMask>>, Error>) {
        match self.sample_and_advance(logits, mask) {
            Ok((advance, choice)) => self.append(&advance, choice),
            Err(error) => self.fail(error),
        }
    }

    fn sample_and_advance(
        &mut self,
        logits: &[f32],
        mask: Result<Option<Arc<TokenMask>>, Error>,
    ) -> Result<(Advance, Option<Choice>), Error> {
        let (n_ids, mask) = (self.vocabulary.n_ids(), mask?);
        let processed = processed(&self.logits_processors, &self.tokens, logits)?;
        let id = self.sampler.sample(&processed, n_ids, mask.as_deref());
        let id = id.ok_or(Error::NoTokenAllowed)?;
        let choice = self.traced.then(|| Choice::new(logits, n_ids, mask.as_deref(), id));
        let advance = self.guide.accept(id, self.vocabulary.eos_ids().contains(&id))?;
        Ok((advance, choice))
    }

    fn append(&mut self, advance: &Advance, choice: Option<Choice>) {
        self.append_reasoning(advance.reasoning.as_slice(), &advance.closing);
        self.append_text(advance.sampled.as_slice(), false, choice);
        self.append_text(&advance.forced, true, None);
        if let Some(finish_reason) = advance.finish {
            self.finish(finish_reason);
        }
    }

    fn append_reasoning(&mut self, ids: &[u32], closing: &[u32]) {
        let text = self.bytes(ids);
        let ids = [ids, closing].concat();
        if !ids.is_empty() {
            self.append_tokens(&ids);
            self.n_reasoning_tokens += ids.len();
            self.sink.send(Event::Reasoning { ids, text });
        }
    }

    fn append_text(&mut self, ids: &[u32], forced: bool, mut choice: Option<Choice>) {
        if ids.is_empty() || self.is_finished() {
            return;
        }
        self.append_tokens(ids);
        let n_forced = if forced { ids.len() } else { 0 };
        self.n_forced_tokens += n_forced;
        self.counters.n_forced_tokens.add(n_forced);
        let n_told = if self.traced { 1 } else { ids.len() };
        for ids in ids.chunks(n_told) {
            self.follow(ids, forced, choice.take());
        }
    }

    /// Tells tokens of the text, unless a stop text ended it before them.
    fn follow(&mut self, ids: &[u32], forced: bool, choice: Option<Choice>) {
        if self.is_finished() {
            return;
        }
        let text = self.bytes(ids);
        self.text.extend_from_slice(&text);
        let n_bytes = text.len();
        let event = Event::Tokens { ids: ids.to_vec(), text, forced, choice };
        match self.stops.follow(&self.text, n_bytes, ids, event) {
            Ok(Passed { events, is_end: false }) => self.tell(events),
            Ok(Passed { events, is_end: true }) => self.end(FinishReason::Stop, events),
            Err(error) => self.fail(error),
        }
    }

    fn append_tokens(&mut self, ids: &[u32]) {
        for &id in ids {
            self.sampler.record(id);
        }
        self.tokens.extend_from_slice(ids);
        self.n_tokens += ids.len();
        self.counters.n_tokens.add(ids.len());
    }

    fn bytes(&self, ids: &[u32]) -> Vec<u8> {
        let bytes =
            ids.iter().map(|&id| self.guide.token_text(id).or(self.vocabulary.token_bytes(id)));
        bytes.flatten().collect::<Vec<_>>().concat()
    }

    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            self.sink.send(event);
        }
    }

    fn finish(&mut self, finish_reason: FinishReason) {
        match self.stops.finish(&self.text) {
            Ok(Passed { events, is_end: false }) => self.end(finish_reason, events),
            Ok(Passed { events, is_end: true }) => self.end(FinishReason::Stop, events),
            Err(error) => self.fail(error),
        }
    }

    fn end(&mut self, finish_reason: FinishReason, events: Vec<Event>) {
        self.tell(events);
        self.sink.send(Event::Done {
            finish_reason,
            n_prompt_tokens: self.n_prompt_tokens,
            n_reused_tokens: self.n_reused_tokens,
            n_tokens: self.n_tokens,
            n_reasoning_tokens: self.n_reasoning_tokens,
            n_forced_tokens: self.n_forced_tokens,
            n_steps: self.n_steps,
        });
    }

    /// Finishes the request with an error.
    pub(crate) fn fail(&mut self, error: Error) {
        let events = self.stops.give_up();
        self.tell(events);
        let error = match error {
            Error::Truncated { max_tokens, .. } => {
                Error::Truncated { max_tokens, partial: std::mem::take(&mut self.text) }
            }
            other => other,
        };
        self.sink.send(Event::Failed(error));
    }
}
