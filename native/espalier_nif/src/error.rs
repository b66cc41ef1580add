//! Errors as Erlang terms: `{kind, message, details}`.
//!
//! `details` is a map of the error's fields, under the names that the exceptions in
//! `lib/espalier/exceptions.ex` have for them.

use std::path::Path;

use espalier_constraint::Error as ConstraintError;
use espalier_inference::Error as InferenceError;
use rustler::{Atom, Encoder, Env, Term};

use crate::atoms;

/// An error on its way to Elixir.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Atom,
    message: String,
    details: Vec<(Atom, Detail)>,
}

/// The value of one field of an error.
#[derive(Debug)]
pub(crate) enum Detail {
    Text(String),
    Number(usize),
    Ids(Vec<u32>),
    Absent,
}

impl Fault {
    pub(crate) fn new<const N: usize>(
        kind: Atom,
        message: impl Into<String>,
        details: [(Atom, Detail); N],
    ) -> Self {
        Self { kind, message: message.into(), details: details.into() }
    }

    /// The same error at a place in a grammar.
    fn placed(mut self, line: usize, column: usize) -> Self {
        self.details.retain(|(name, _)| *name != atoms::line() && *name != atoms::column());
        self.with(atoms::line(), line).with(atoms::column(), column)
    }

    /// The same error in a part at this place. Where it has a place in the schema that is this part, that lies in it.
    fn at(mut self, mut pointer: String) -> Self {
        let is_placed = self.details.iter().any(|(name, _)| *name == atoms::line());
        for (_, inner) in self.details.iter().filter(|(name, _)| *name == atoms::pointer()) {
            if let (Detail::Text(inner), false) = (inner, is_placed) {
                pointer.push_str(inner);
            }
        }
        self.details.retain(|(name, _)| *name != atoms::pointer());
        self.with(atoms::pointer(), pointer)
    }

    /// The same error with one more field.
    pub(crate) fn with(mut self, name: Atom, value: impl Into<Detail>) -> Self {
        self.details.push((name, value.into()));
        self
    }
}

impl Encoder for Fault {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        let details: rustler::NifResult<Term> = Term::map_from_pairs(env, &self.details);
        let details = details.unwrap_or_else(|_| Term::map_new(env));
        (self.kind, &self.message, details).encode(env)
    }
}

impl Encoder for Detail {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match self {
            Detail::Text(text) => text.encode(env),
            Detail::Number(number) => number.encode(env),
            Detail::Ids(ids) => ids.encode(env),
            Detail::Absent => atoms::nil().encode(env),
        }
    }
}

/// What a function without a value gives: `:ok` or `{:error, fault}`.
pub(crate) struct Done(Result<(), Fault>);

impl From<Result<(), Fault>> for Done {
    fn from(result: Result<(), Fault>) -> Self {
        Self(result)
    }
}

impl Encoder for Done {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        match &self.0 {
            Ok(()) => atoms::ok().encode(env),
            Err(fault) => (atoms::error(), fault).encode(env),
        }
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Detail::Text(text)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Detail::Text(text.to_owned())
    }
}

impl From<usize> for Detail {
    fn from(number: usize) -> Self {
        Detail::Number(number)
    }
}

impl From<u32> for Detail {
    fn from(number: u32) -> Self {
        Detail::Number(number as usize)
    }
}

impl<T: Into<Detail>> From<Option<T>> for Detail {
    fn from(value: Option<T>) -> Self {
        value.map_or(Detail::Absent, Into::into)
    }
}

impl From<ConstraintError> for Fault {
    fn from(error: ConstraintError) -> Self {
        use ConstraintError as E;
        let message = error.to_string();
        if let E::InvalidPart { error, pointer } = error {
            return Self { message, ..Self::from(*error).at(pointer) };
        }
        if let E::InvalidTerminal { error, line, column } = error {
            return Self { message, ..Self::from(*error).placed(line, column) };
        }
        let fault = |kind, details: Vec<(Atom, Detail)>| Fault { kind, message, details };
        match error {
            E::InvalidJson { message, line, column } => fault(
                atoms::invalid_json(),
                vec![
                    (atoms::detail(), message.into()),
                    (atoms::line(), line.into()),
                    (atoms::column(), column.into()),
                ],
            ),
            E::InvalidSchema { pointer, expected, got } => fault(
                atoms::invalid_schema(),
                vec![
                    (atoms::pointer(), pointer.into()),
                    (atoms::expected(), expected.into()),
                    (atoms::got(), got.into()),
                ],
            ),
            E::UnsupportedKeyword { keyword, pointer, reason } => {
                fault(atoms::unsupported_keyword(), keyword_details(keyword, pointer, reason))
            }
            E::NotExportable { keyword, pointer, reason, .. } => {
                fault(atoms::not_exportable(), keyword_details(keyword, pointer, reason))
            }
            E::Unsatisfiable { pointer } => {
                fault(atoms::unsatisfiable(), vec![(atoms::pointer(), pointer.into())])
            }
            E::InvalidRegex { pattern, message, pointer } => {
                fault(atoms::invalid_regex(), regex_details(pattern, message, pointer))
            }
            E::UnsupportedRegex { pattern, message, pointer } => {
                fault(atoms::unsupported_regex(), regex_details(pattern, message, pointer))
            }
            E::EmptyChoice => fault(atoms::empty_choice(), vec![]),
            E::InvalidVocabulary { message } => {
                fault(atoms::invalid_vocabulary(), vec![(atoms::detail(), message.into())])
            }
            E::InvalidSerialized { what, part, expected, got } => fault(
                atoms::invalid_serialized(),
                vec![
                    (atoms::what(), what.into()),
                    (atoms::part(), part.into()),
                    (atoms::expected(), expected.into()),
                    (atoms::got(), got.into()),
                ],
            ),
            E::TokenNotAllowed { token, bytes, n_allowed, allowed } => fault(
                atoms::token_not_allowed(),
                vec![
                    (atoms::token(), token.into()),
                    (atoms::bytes(), bytes.into()),
                    (atoms::n_allowed(), n_allowed.into()),
                    (atoms::allowed(), Detail::Ids(allowed)),
                ],
            ),
            E::UnknownToken { token, vocabulary_size } => fault(
                atoms::unknown_token(),
                vec![
                    (atoms::token(), token.into()),
                    (atoms::vocabulary_size(), vocabulary_size.into()),
                ],
            ),
            E::TextNotAllowed { offset } => {
                fault(atoms::text_not_allowed(), vec![(atoms::offset(), offset.into())])
            }
            E::Finished => fault(atoms::finished(), vec![]),
            E::RollbackTooFar { requested, accepted } => fault(
                atoms::rollback_too_far(),
                vec![(atoms::requested(), requested.into()), (atoms::accepted(), accepted.into())],
            ),
            E::LimitExceeded { limit, value, pointer } => fault(
                atoms::limit_exceeded(),
                vec![
                    (atoms::limit(), limit.into()),
                    (atoms::value(), value.into()),
                    (atoms::pointer(), pointer.into()),
                ],
            ),
            E::InvalidLimit { limit, value, .. } => fault(
                atoms::invalid_limit(),
                vec![(atoms::limit(), limit.into()), (atoms::value(), value.into())],
            ),
            E::Cancelled => fault(atoms::cancelled(), vec![]),
            other => {
                let (kind, details) = of_grammar(other);
                fault(kind, details)
            }
        }
    }
}

/// What is wrong with a grammar, or with the parts of a text.
fn of_grammar(error: ConstraintError) -> (Atom, Vec<(Atom, Detail)>) {
    use ConstraintError as E;
    match error {
        E::InvalidParts { message, pointer } => (
            atoms::invalid_schema(),
            vec![(atoms::detail(), message.into()), (atoms::pointer(), pointer.into())],
        ),
        E::InvalidGrammar { expected, got, line, column } => (
            atoms::invalid_grammar(),
            vec![
                (atoms::expected(), expected.into()),
                (atoms::got(), got.into()),
                (atoms::line(), line.into()),
                (atoms::column(), column.into()),
            ],
        ),
        E::UnsupportedGrammar { feature, reason, line, column } => (
            atoms::unsupported_grammar(),
            vec![
                (atoms::got(), feature.into()),
                (atoms::detail(), reason.into()),
                (atoms::line(), line.into()),
                (atoms::column(), column.into()),
            ],
        ),
        E::UndefinedName { name, line, column } => {
            (atoms::undefined_name(), name_details(name, line, column))
        }
        E::DuplicateName { name, line, column, .. } => {
            (atoms::duplicate_name(), name_details(name, line, column))
        }
        E::RecursiveTerminal { name, line, column } => {
            (atoms::recursive_terminal(), name_details(name, line, column))
        }
        E::EmptyGrammar { rule, line, column } => {
            (atoms::empty_grammar(), name_details(rule, line, column))
        }
        _ => (atoms::other(), vec![]),
    }
}

impl From<InferenceError> for Fault {
    fn from(error: InferenceError) -> Self {
        use InferenceError as E;
        let message = error.to_string();
        let detail = message.clone();
        let fault = |kind, details: Vec<(Atom, Detail)>| Fault { kind, message, details };
        match error {
            E::FileNotFound { path, reason } => fault(
                atoms::not_found(),
                vec![
                    (atoms::path(), path.display().to_string().into()),
                    (atoms::detail(), reason.into()),
                ],
            ),
            E::InvalidConfig { path, field, expected, got } => {
                fault(atoms::invalid_config(), file_details(&path, field, expected, got))
            }
            E::InvalidWeights { path, tensor, expected, got } => {
                fault(atoms::invalid_weights(), file_details(&path, tensor, expected, got))
            }
            E::UnsupportedArchitecture { got, known } => fault(
                atoms::unsupported_architecture(),
                vec![
                    (atoms::detail(), got.clone().into()),
                    (atoms::got(), got.into()),
                    (atoms::expected(), known.join(", ").into()),
                ],
            ),
            E::DeviceUnavailable { device, reason, built } => fault(
                atoms::device_unavailable(),
                vec![
                    (atoms::detail(), reason.into()),
                    (atoms::expected(), built.join(", ").into()),
                    (atoms::got(), device.to_string().into()),
                ],
            ),
            E::InvalidTokenizer { detail } => {
                fault(atoms::invalid_tokenizer(), vec![(atoms::detail(), detail.into())])
            }
            E::EncodingFailed { detail } => {
                fault(atoms::encoding_failed(), vec![(atoms::detail(), detail.into())])
            }
            E::VocabularyMismatch { n_ids, n_logits } => fault(
                atoms::vocabulary_mismatch(),
                vec![(atoms::length(), n_ids.into()), (atoms::max_length(), n_logits.into())],
            ),
            E::ForeignConstraint { expected, got } => fault(
                atoms::vocabulary_mismatch(),
                vec![(atoms::expected(), expected.into()), (atoms::got(), got.into())],
            ),
            E::NoChatTemplate => fault(atoms::no_chat_template(), vec![]),
            E::InvalidChatTemplate { detail } => {
                fault(atoms::invalid_chat_template(), vec![(atoms::detail(), detail.into())])
            }
            E::PromptEmpty => {
                fault(atoms::invalid_prompt(), vec![(atoms::detail(), detail.into())])
            }
            E::PromptTooLong { n, max } => fault(
                atoms::prompt_too_long(),
                vec![(atoms::length(), n.into()), (atoms::max_length(), max.into())],
            ),
            E::UnknownToken { id, n_ids } => fault(
                atoms::unknown_token(),
                vec![(atoms::token(), id.into()), (atoms::vocabulary_size(), n_ids.into())],
            ),
            E::InvalidOption { option, expected, got } => fault(
                atoms::invalid_request(),
                vec![
                    (atoms::detail(), format!("{option}: expected {expected}, got: {got}").into()),
                    (atoms::option(), option.into()),
                    (atoms::expected(), expected.into()),
                    (atoms::got(), got.into()),
                ],
            ),
            E::Truncated { max_tokens, partial } => fault(
                atoms::truncated(),
                vec![
                    (atoms::max_tokens(), max_tokens.into()),
                    (atoms::text(), String::from_utf8_lossy(&partial).into_owned().into()),
                ],
            ),
            E::ComputationFailed { detail } => {
                fault(atoms::computation_failed(), vec![(atoms::detail(), detail.into())])
            }
            E::NoTokenAllowed => fault(atoms::no_token_allowed(), vec![]),
            E::ModelStopped { detail } => {
                fault(atoms::stopped(), vec![(atoms::detail(), detail.into())])
            }
            E::Constraint(error) => error.into(),
            _ => fault(atoms::other(), vec![]),
        }
    }
}

fn file_details(path: &Path, field: String, expected: String, got: String) -> Vec<(Atom, Detail)> {
    vec![
        (atoms::path(), path.display().to_string().into()),
        (atoms::field(), field.into()),
        (atoms::expected(), expected.into()),
        (atoms::got(), got.into()),
    ]
}

fn name_details(name: String, line: usize, column: usize) -> Vec<(Atom, Detail)> {
    vec![
        (atoms::name(), name.into()),
        (atoms::line(), line.into()),
        (atoms::column(), column.into()),
    ]
}

fn keyword_details(keyword: String, pointer: String, reason: String) -> Vec<(Atom, Detail)> {
    vec![
        (atoms::keyword(), keyword.into()),
        (atoms::pointer(), pointer.into()),
        (atoms::detail(), reason.into()),
    ]
}

fn regex_details(pattern: String, message: String, pointer: Option<String>) -> Vec<(Atom, Detail)> {
    vec![
        (atoms::pattern(), pattern.into()),
        (atoms::detail(), message.into()),
        (atoms::pointer(), pointer.into()),
    ]
}
