//! Local language models that generate under a constraint.
//!
//! - [`Model`] is a served model, from a directory of Hugging Face's or a GGUF file: a thread that
//!   owns the weights and advances all running requests together (continuous batching). A
//!   [`Request`] is submitted with a function that receives its [`Event`]s.
//! - [`Device`] says where it computes: on the CPU, or on a graphics processor where it is built so.
//! - [`Sampling`] says how a token is drawn from the logits: same seed, same text. A
//!   [`LogitsProcessor`] changes them before.
//! - [`Tokenizer`] reads `tokenizer.json` and makes the `Vocabulary` that constraints are compiled
//!   for; [`vocabulary_from_tiktoken`] reads rank files.
//! - A [`Conversation`] becomes a prompt through the model's own chat template.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::mpsc;
//! use espalier_constraint::Constraint;
//! use espalier_inference::{Event, Model, ModelOptions, Request, Sampling};
//!
//! let model = Model::load(Path::new("priv/models/espalier-tiny"), &ModelOptions::default())?;
//! let constraint = Constraint::choice(&["yes", "no"], model.vocabulary())?;
//! let request = Request {
//!     constraint: Some(constraint),
//!     sampling: Sampling { seed: 7, ..Sampling::default() },
//!     ..Request::new(model.tokenizer().encode("Is the sky blue?")?, 16)
//! };
//! let (sender, events) = mpsc::channel();
//! model.submit(request, move |event| drop(sender.send(event)))?;
//! let mut text = Vec::new();
//! for event in events {
//!     match event {
//!         Event::Tokens { text: part, .. } => text.extend(part),
//!         Event::Done { .. } => break,
//!         Event::Reasoning { .. } => {} // of requests that ask for it
//!         Event::Failed(error) => return Err(error),
//!     }
//! }
//! # Ok::<(), espalier_inference::Error>(())
//! ```
//!
//! The crate knows neither Erlang nor schemas: it follows any
//! [`Constraint`](espalier_constraint::Constraint).

#![expect(clippy::cast_precision_loss, reason = "sizes and counts become floats, and are small")]

mod chat_template;
mod choice;
mod device;
mod engine;
mod error;
mod gguf;
mod kernels;
mod kv_cache;
mod logits;
mod logits_processor;
mod model;
mod sampler;
mod sampling;
#[cfg(test)]
mod test_model;
mod tiktoken;
mod tokenizer;

pub use chat_template::Conversation;
pub use choice::{Alternative, Choice};
pub use device::Device;
pub use engine::{
    Activity, Event, FinishReason, Generation, Model, ModelInfo, ModelOptions, Reasoning, Request,
};
pub use error::Error;
pub use logits_processor::LogitsProcessor;
pub use model::Quantization;
pub use sampling::Sampling;
pub use tiktoken::vocabulary_from_tiktoken;
pub use tokenizer::Tokenizer;
