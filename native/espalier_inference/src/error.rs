//! The one error type of the crate.

use std::path::PathBuf;

use crate::device::Device;

/// What can go wrong, with fields to act on; the message is derived from them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model is missing or can't be read.
    #[error("cannot read {}: {reason}", path.display())]
    FileNotFound {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// A JSON file of the model, or the metadata of its GGUF file, has a field that it can't have, or
    /// lacks one.
    #[error("invalid {}: {field}: expected {expected}, got: {got}", path.display())]
    InvalidConfig {
        /// The file.
        path: PathBuf,
        /// The field or key, or an empty text for the file as a whole.
        field: String,
        /// What the field takes.
        expected: String,
        /// What was found, shortened.
        got: String,
    },
    /// The model is of an architecture that has no forward pass here.
    #[error("unsupported architecture: expected one of {}, got: {got}", known.join(", "))]
    UnsupportedArchitecture {
        /// The architecture that the model's `config.json` or GGUF file names.
        got: String,
        /// The architectures that are supported.
        known: Vec<String>,
    },
    /// The device is not built in, not there, or has no room.
    #[error("cannot compute on the device {device}: {reason} (this build has: {})", built.join(", "))]
    DeviceUnavailable {
        /// The device that was asked for.
        device: Device,
        /// Why it can't be used.
        reason: String,
        /// The kinds of devices that this build has code for.
        built: Vec<&'static str>,
    },
    /// The weights are missing a tensor, or hold it in another shape or type, or are cut off.
    #[error("invalid weights in {}: {tensor}: expected {expected}, got: {got}", path.display())]
    InvalidWeights {
        /// The file.
        path: PathBuf,
        /// The tensor, or an empty text for the file as a whole.
        tensor: String,
        /// The shape or form that is needed.
        expected: String,
        /// What was found.
        got: String,
    },
    /// The tokenizer file can't be used.
    #[error("invalid tokenizer: {detail}")]
    InvalidTokenizer {
        /// What is wrong with it.
        detail: String,
    },
    /// A text can't be turned into tokens.
    #[error("cannot encode the text: {detail}")]
    EncodingFailed {
        /// What the tokenizer says.
        detail: String,
    },
    /// The tokenizer knows ids that the model has no logits for.
    #[error("the tokenizer does not fit the model: expected at most {n_logits} ids, got: {n_ids}")]
    VocabularyMismatch {
        /// The number of ids of the tokenizer.
        n_ids: usize,
        /// The number of ids that the model gives a logit for.
        n_logits: usize,
    },
    /// A constraint was compiled for other tokens than the model's.
    #[error("the constraint is for another vocabulary: expected {expected}, got: {got}")]
    ForeignConstraint {
        /// What the model has.
        expected: String,
        /// What the constraint has in its place.
        got: String,
    },
    /// Messages can't be rendered: the model comes without a chat template.
    #[error("the model has no chat template")]
    NoChatTemplate,
    /// The chat template is broken, or refused the messages.
    #[error("the chat template failed: {detail}")]
    InvalidChatTemplate {
        /// What the template engine, or the template itself, says.
        detail: String,
    },
    /// The prompt has no tokens.
    #[error("the prompt is empty")]
    PromptEmpty,
    /// The prompt leaves no room for an answer in the model's context.
    #[error("the prompt is too long: expected fewer than {max} tokens, got: {n}")]
    PromptTooLong {
        /// The number of tokens of the prompt.
        n: usize,
        /// The context of the model, in tokens: prompt and answer together.
        max: usize,
    },
    /// The prompt has an id that the model doesn't know.
    #[error("unknown token id {id} in the prompt: the model has {n_ids} ids")]
    UnknownToken {
        /// The id.
        id: u32,
        /// The number of ids of the model.
        n_ids: usize,
    },
    /// An option of a request or of a model has a value that it can't have.
    #[error("invalid value for {option}: expected {expected}, got: {got}")]
    InvalidOption {
        /// The option's name.
        option: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The value that was given.
        got: String,
    },
    /// No value that satisfies the constraint fits into the tokens that were allowed.
    #[error("truncated: the shortest valid value takes more than {max_tokens} tokens")]
    Truncated {
        /// The tokens that were available.
        max_tokens: usize,
        /// What was generated so far.
        partial: Vec<u8>,
    },
    /// A step of the model failed; the requests that ran in it have ended. This is a bug, or the
    /// device has no room.
    #[error("the model's computation failed: {detail}")]
    ComputationFailed {
        /// What the tensor library says.
        detail: String,
    },
    /// A [`LogitsProcessor`](crate::LogitsProcessor) panicked.
    #[error("a logits processor failed: {detail}")]
    LogitsProcessorFailed {
        /// Its panic.
        detail: String,
    },
    /// The constraint allows no token at all, not even the end. This is a bug of the constraint.
    #[error("the constraint allows no token")]
    NoTokenAllowed,
    /// The model was stopped, or its thread died.
    #[error("the model is stopped{}", cause(detail))]
    ModelStopped {
        /// The panic that stopped it, or an empty text when it was stopped on purpose.
        detail: String,
    },
    /// The constraint failed while it was followed.
    #[error(transparent)]
    Constraint(#[from] espalier_constraint::Error),
}

fn cause(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}
