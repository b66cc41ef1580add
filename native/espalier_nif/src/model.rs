//! `Espalier.Model`.

use std::path::Path;
use std::sync::Arc;

use espalier_inference::{Conversation, Device, Model, ModelOptions, Quantization};
use rustler::{Atom, Env, NifMap, NifUnitEnum, ResourceArc};

use crate::atoms;
use crate::error::Fault;
use crate::guard;
use crate::json;
use crate::packed::Packed;
use crate::resources::{ModelRef, VocabularyRef};
use crate::vocabulary;

#[derive(NifMap)]
struct LoadOptions {
    /// And its index.
    device: (DeviceAtom, usize),
    max_batch_size: usize,
    n_threads: Option<usize>,
    quantization: QuantizationAtom,
    max_kv_cache_bytes: Option<usize>,
}

#[derive(NifUnitEnum)]
enum DeviceAtom {
    Cpu,
    Metal,
    Cuda,
}

#[derive(NifUnitEnum)]
enum QuantizationAtom {
    Automatic,
    None,
    Q8_0,
}

impl From<QuantizationAtom> for Quantization {
    fn from(atom: QuantizationAtom) -> Self {
        match atom {
            QuantizationAtom::Automatic => Self::Automatic,
            QuantizationAtom::None => Self::None,
            QuantizationAtom::Q8_0 => Self::Q8_0,
        }
    }
}

#[derive(NifMap)]
struct Info {
    architecture: String,
    parameters: usize,
    layers: usize,
    hidden_size: usize,
    size: usize,
    max_length: usize,
    has_chat_template: bool,
    reasoning: Option<(String, String)>,
}

/// Loads a model, which lives as long as the calling process at most.
#[rustler::nif(schedule = "DirtyIo")]
fn model_load(env: Env, path: &str, options: LoadOptions) -> Result<ResourceArc<ModelRef>, Fault> {
    let (kind, index) = options.device;
    let options = ModelOptions {
        device: match kind {
            DeviceAtom::Cpu => Device::Cpu,
            DeviceAtom::Metal => Device::Metal { index },
            DeviceAtom::Cuda => Device::Cuda { index },
        },
        max_batch_size: options.max_batch_size,
        n_threads: options.n_threads.unwrap_or(ModelOptions::default().n_threads),
        quantization: options.quantization.into(),
        max_kv_cache_bytes: options.max_kv_cache_bytes,
    };
    let model = guard::with_own_thread(|| Ok(Model::load(Path::new(path), &options)?))?;
    let model = ResourceArc::new(ModelRef(model.into()));
    if env.monitor(&model, &env.pid()).is_none() {
        model.0.stop();
    }
    Ok(model)
}

#[rustler::nif]
fn model_info(model: ResourceArc<ModelRef>) -> Info {
    let info = model.0.info();
    Info {
        architecture: info.architecture.clone(),
        parameters: info.n_parameters,
        layers: info.n_layers,
        hidden_size: info.hidden_size,
        size: info.n_ids,
        max_length: info.max_length,
        has_chat_template: info.has_chat_template,
        reasoning: info.reasoning.clone(),
    }
}

#[rustler::nif]
fn model_vocabulary(model: ResourceArc<ModelRef>) -> ResourceArc<VocabularyRef> {
    vocabulary::resource(Arc::clone(model.0.vocabulary()))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn model_encode(model: ResourceArc<ModelRef>, text: &str) -> Result<Packed, Fault> {
    guard::with_large_stack(|| Ok(Packed(model.0.tokenizer().encode(text)?)))
}

#[rustler::nif(schedule = "DirtyCpu")]
fn model_decode(model: ResourceArc<ModelRef>, tokens: Packed) -> Result<String, Fault> {
    guard::catch(|| Ok(model.0.tokenizer().decode(&tokens.0)))
}

/// Messages, tools and variables are JSON, whose objects have an order.
#[derive(NifMap)]
struct ConversationMap {
    messages: String,
    tools: Option<String>,
    variables: String,
    add_generation_prompt: bool,
    now: i64,
}

#[rustler::nif(schedule = "DirtyCpu")]
fn model_render(
    model: ResourceArc<ModelRef>,
    conversation: ConversationMap,
) -> Result<String, Fault> {
    guard::with_large_stack(|| Ok(model.0.render(&conversation.try_into()?)?))
}

impl TryFrom<ConversationMap> for Conversation {
    type Error = Fault;

    fn try_from(map: ConversationMap) -> Result<Self, Fault> {
        let tools = map.tools.as_deref().map(serde_json::from_str).transpose();
        Ok(Self {
            messages: serde_json::from_str(&map.messages).map_err(|error| json::fault(&error))?,
            tools: tools.map_err(|error| json::fault(&error))?,
            variables: serde_json::from_str(&map.variables).map_err(|error| json::fault(&error))?,
            add_generation_prompt: map.add_generation_prompt,
            now: map.now,
        })
    }
}

#[derive(NifMap)]
struct ActivityMap {
    steps: u64,
    advanced: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    completion_tokens: u64,
    forced_tokens: u64,
    /// Nanoseconds, as the next.
    forward_time: u64,
    mask_time: u64,
    running: u64,
    queue_length: u64,
    kv_cache_tokens: u64,
    kv_cache_bytes: u64,
}

#[rustler::nif]
fn model_activity(model: ResourceArc<ModelRef>) -> ActivityMap {
    let activity = model.0.activity();
    ActivityMap {
        steps: activity.n_steps,
        advanced: activity.n_advanced,
        prompt_tokens: activity.n_prompt_tokens,
        cached_tokens: activity.n_reused_tokens,
        completion_tokens: activity.n_tokens,
        forced_tokens: activity.n_forced_tokens,
        forward_time: activity.forward_time.as_nanos() as u64,
        mask_time: activity.mask_time.as_nanos() as u64,
        running: activity.n_running,
        queue_length: activity.n_waiting,
        kv_cache_tokens: activity.n_cached_tokens,
        kv_cache_bytes: activity.n_cached_bytes,
    }
}

#[rustler::nif]
fn model_stop(model: ResourceArc<ModelRef>) -> Atom {
    model.0.stop();
    atoms::ok()
}
