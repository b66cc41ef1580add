//! Running generations: requests, and messages to the process that asked.

use std::thread;

use espalier_constraint::Constraint;
use espalier_inference::{Alternative, Choice, Event, FinishReason, Reasoning, Request, Sampling};
use rustler::env::SavedTerm;
use rustler::thread::is_scheduler_thread;
use rustler::{Atom, Encoder, Env, LocalPid, NifMap, OwnedEnv, ResourceArc, Term};

use crate::atoms;
use crate::error::Fault;
use crate::guard;
use crate::packed::Packed;
use crate::resources::{ConstraintRef, GenerationRef, ModelRef};
use crate::vocabulary::binary;

#[derive(NifMap)]
struct RequestMap {
    prompt: Packed,
    constraint: Option<ResourceArc<ConstraintRef>>,
    max_tokens: usize,
    reasoning: Option<ReasoningMap>,
    temperature: f64,
    /// 0 for all tokens.
    top_k: usize,
    top_p: f64,
    min_p: f64,
    typical_p: f64,
    logit_bias: Vec<(u32, f64)>,
    repetition_penalty: f64,
    presence_penalty: f64,
    frequency_penalty: f64,
    seed: u64,
    /// Whether tokens are sent as they come, or all at once at the end.
    streamed: bool,
    /// Whether sampled tokens come with how they were chosen.
    traced: bool,
    stop: Vec<String>,
    priority: i32,
    /// The same number for requests of one caller.
    caller: u64,
}

#[derive(NifMap)]
struct ReasoningMap {
    max_tokens: usize,
    closing: Packed,
}

/// Submits a request; its events go to `caller` as `{:espalier, reference, event}`.
#[rustler::nif(schedule = "DirtyCpu")]
fn model_generate(
    env: Env,
    model: ResourceArc<ModelRef>,
    caller: LocalPid,
    reference: Term,
    request: RequestMap,
) -> Result<ResourceArc<GenerationRef>, Fault> {
    let generation = ResourceArc::new(GenerationRef::default());
    if env.monitor(&generation, &caller).is_none() {
        generation.cancel();
    }
    let mut mailbox = Mailbox::new(caller, reference, generation.clone(), request.streamed);
    guard::catch(|| {
        generation.set(model.0.submit(request.into(), move |event| mailbox.deliver(event))?);
        Ok(())
    })?;
    Ok(generation)
}

#[rustler::nif]
fn generation_cancel(generation: ResourceArc<GenerationRef>) -> Atom {
    generation.cancel();
    atoms::ok()
}

impl From<RequestMap> for Request {
    fn from(map: RequestMap) -> Self {
        let constraint: Option<Constraint> = map.constraint.map(|constraint| constraint.0.clone());
        let sampling = Sampling {
            temperature: map.temperature as f32,
            top_k: Some(map.top_k).filter(|&top_k| top_k > 0),
            top_p: map.top_p as f32,
            min_p: map.min_p as f32,
            typical_p: map.typical_p as f32,
            logit_bias: map.logit_bias.into_iter().map(|(id, bias)| (id, bias as f32)).collect(),
            repetition_penalty: map.repetition_penalty as f32,
            presence_penalty: map.presence_penalty as f32,
            frequency_penalty: map.frequency_penalty as f32,
            seed: map.seed,
        };
        let reasoning = map.reasoning.map(|ReasoningMap { max_tokens, closing }| Reasoning {
            max_tokens,
            closing: closing.0,
        });
        let RequestMap { prompt, max_tokens, traced, stop, priority, caller, .. } = map;
        Self {
            constraint,
            sampling,
            reasoning,
            stop,
            traced,
            priority,
            caller,
            ..Self::new(prompt.0, max_tokens)
        }
    }
}

/// Where the events of one generation go.
///
/// It holds a reference to the generation, so that the death of the caller cancels it whether or
/// not the caller has kept its own.
struct Mailbox {
    caller: LocalPid,
    /// Holds `reference` for as long as the generation runs.
    kept: OwnedEnv,
    reference: SavedTerm,
    generation: ResourceArc<GenerationRef>,
    streamed: bool,
    /// The tokens that were not sent yet.
    held_back: Vec<Event>,
}

impl Mailbox {
    fn new(
        caller: LocalPid,
        reference: Term,
        generation: ResourceArc<GenerationRef>,
        streamed: bool,
    ) -> Self {
        let kept = OwnedEnv::new();
        let reference = kept.save(reference);
        Self { caller, kept, reference, generation, streamed, held_back: Vec::new() }
    }

    /// Sends the event, or holds it back for the last one.
    fn deliver(&mut self, event: Event) {
        if !self.streamed && matches!(event, Event::Tokens { .. } | Event::Reasoning { .. }) {
            return self.held_back.push(event);
        }
        for event in std::mem::take(&mut self.held_back).into_iter().chain([event]) {
            self.deliver_now(event);
        }
    }

    /// Sends the event. A caller that is not there any more cancels the generation.
    fn deliver_now(&mut self, event: Event) {
        // Only a thread of our own may send like this. The one exception to the model's thread is a
        // request that comes just when that ends, and fails on the scheduler that submits it.
        if is_scheduler_thread() {
            return thread::scope(|scope| {
                scope.spawn(move || self.send(&event));
            });
        }
        self.send(&event);
    }

    fn send(&mut self, event: &Event) {
        let message = |env| {
            let reference = self.kept.run(|kept| self.reference.load(kept).in_env(env));
            (atoms::espalier(), reference, message(env, event)).encode(env)
        };
        if OwnedEnv::new().send_and_clear(&self.caller, message).is_err() {
            self.generation.cancel();
        }
    }
}

#[derive(NifMap)]
struct ChoiceMap {
    probability: f64,
    allowed_probability: f64,
    allowed: usize,
    alternatives: Vec<AlternativeMap>,
}

#[derive(NifMap)]
struct AlternativeMap {
    id: u32,
    probability: f64,
    is_allowed: bool,
}

impl From<&Choice> for ChoiceMap {
    fn from(choice: &Choice) -> Self {
        let alternative = |alternative: &Alternative| AlternativeMap {
            id: alternative.id,
            probability: alternative.probability,
            is_allowed: alternative.is_allowed,
        };
        Self {
            probability: choice.probability,
            allowed_probability: choice.allowed_probability,
            allowed: choice.n_allowed,
            alternatives: choice.alternatives.iter().map(alternative).collect(),
        }
    }
}

#[derive(NifMap)]
struct DoneMap {
    finish_reason: Atom,
    prompt_tokens: usize,
    cached_tokens: usize,
    tokens: usize,
    reasoning_tokens: usize,
    forced_tokens: usize,
    steps: usize,
}

fn message<'a>(env: Env<'a>, event: &Event) -> Term<'a> {
    match event {
        Event::Reasoning { ids, text } => {
            (atoms::reasoning(), Packed(ids.clone()), binary(env, text)).encode(env)
        }
        Event::Tokens { ids, text, forced, choice } => {
            let choice = choice.as_ref().map(ChoiceMap::from);
            (atoms::tokens(), Packed(ids.clone()), binary(env, text), *forced, choice).encode(env)
        }
        Event::Done {
            finish_reason,
            n_prompt_tokens,
            n_reused_tokens,
            n_tokens,
            n_reasoning_tokens,
            n_forced_tokens,
            n_steps,
        } => {
            let done = DoneMap {
                finish_reason: finish_reason_atom(*finish_reason),
                prompt_tokens: *n_prompt_tokens,
                cached_tokens: *n_reused_tokens,
                tokens: *n_tokens,
                reasoning_tokens: *n_reasoning_tokens,
                forced_tokens: *n_forced_tokens,
                steps: *n_steps,
            };
            (atoms::done(), done).encode(env)
        }
        Event::Failed(error) => (atoms::error(), Fault::from(error.clone())).encode(env),
    }
}

fn finish_reason_atom(finish_reason: FinishReason) -> Atom {
    match finish_reason {
        FinishReason::Stop => atoms::stop(),
        FinishReason::MaxTokens => atoms::max_tokens(),
        FinishReason::Cancelled => atoms::cancelled(),
    }
}
