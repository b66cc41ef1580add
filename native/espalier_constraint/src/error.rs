//! The one error type of the crate.

use crate::grammar::rules::Place;

/// What can go wrong, with fields to act on; the message is derived from them.
///
/// `pointer` is always a JSON Pointer (RFC 6901) into the schema, empty for its root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The schema's text is not JSON.
    #[error("the schema is not JSON: {message} (line {line}, column {column})")]
    InvalidJson {
        /// What the JSON parser says.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The JSON is not a JSON Schema: a keyword has a value that it cannot have.
    #[error("invalid schema at \"{pointer}\": expected {expected}, got: {got}")]
    InvalidSchema {
        /// The place of the value.
        pointer: String,
        /// What the keyword takes.
        expected: String,
        /// The value that was found, shortened.
        got: String,
    },
    /// A keyword that changes which values are valid and is not enforced yet.
    #[error("unsupported keyword \"{keyword}\" at \"{pointer}\": {reason}")]
    UnsupportedKeyword {
        /// The keyword.
        keyword: String,
        /// The place of the keyword itself.
        pointer: String,
        /// Why it can't be enforced.
        reason: String,
    },
    /// No value satisfies the schema.
    #[error("no value can satisfy the schema at \"{pointer}\"")]
    Unsatisfiable {
        /// The place of the innermost schema that nothing satisfies.
        pointer: String,
    },
    /// The regular expression can't be parsed.
    #[error("invalid regular expression {pattern:?}: {message}")]
    InvalidRegex {
        /// The expression as it was given.
        pattern: String,
        /// What is wrong with it, and where.
        message: String,
        /// The place in the schema, if the expression stands in one.
        pointer: Option<String>,
    },
    /// The expression is valid, but describes what an automaton can't decide (a backreference,
    /// say).
    #[error("unsupported regular expression {pattern:?}: {message}")]
    UnsupportedRegex {
        /// The expression as it was given.
        pattern: String,
        /// What is not supported.
        message: String,
        /// The place in the schema, if the expression stands in one.
        pointer: Option<String>,
    },
    /// The list of choices is empty.
    #[error("a choice needs at least one text")]
    EmptyChoice,
    /// The text of a grammar can't be read.
    #[error("invalid grammar: expected {expected}, got: {got} (line {line}, column {column})")]
    InvalidGrammar {
        /// What could stand there.
        expected: String,
        /// What stands there.
        got: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A grammar asks for what can't be had here.
    #[error("unsupported in a grammar: {feature}: {reason} (line {line}, column {column})")]
    UnsupportedGrammar {
        /// What it asks for.
        feature: String,
        /// Why it can't be had, or what to write instead.
        reason: String,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A grammar uses a name that it defines nowhere.
    #[error("\"{name}\" is not defined in the grammar (line {line}, column {column})")]
    UndefinedName {
        /// The name.
        name: String,
        /// The line where it is used first, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// A grammar defines a name twice.
    #[error(
        "\"{name}\" is defined twice in the grammar (line {line}, column {column}; before on line {first_line})"
    )]
    DuplicateName {
        /// The name.
        name: String,
        /// The line of the second definition, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The line of the first.
        first_line: usize,
    },
    /// A terminal of a grammar leads to itself; only rules can.
    #[error(
        "the terminal \"{name}\" of the grammar contains itself (line {line}, column {column})"
    )]
    RecursiveTerminal {
        /// The terminal.
        name: String,
        /// The line, from 1, where it is used within itself or within what it consists of.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// The parts of a text can't be read.
    #[error("invalid parts: {message}{}", place(Some(pointer)))]
    InvalidParts {
        /// What is wrong.
        message: String,
        /// Where in the parts.
        pointer: String,
    },
    /// A part is refused: a grammar, an expression or a schema.
    #[error("{error} at \"{pointer}\"")]
    InvalidPart {
        /// What is wrong with it.
        error: Box<Error>,
        /// Where in the parts.
        pointer: String,
    },
    /// A regular expression or a schema within a grammar is refused.
    #[error("{error} (line {line}, column {column} of the grammar)")]
    InvalidTerminal {
        /// What is wrong with it.
        error: Box<Error>,
        /// The line, from 1: that of the mistake, or where the expression or schema begins.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// No text matches the grammar.
    #[error("no text matches the rule \"{rule}\" of the grammar (line {line}, column {column})")]
    EmptyGrammar {
        /// The innermost rule that no text matches.
        rule: String,
        /// The line where it is defined, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
    },
    /// What a constraint asks for can't be written in the notation that it is to be exported to.
    #[error("{keyword} can't be exported as {target}{}: {reason}", place(Some(pointer).filter(|pointer| !pointer.is_empty()).map(String::as_str)))]
    NotExportable {
        /// The notation: `"regex"`, `"gbnf"` or `"lark"`.
        target: &'static str,
        /// The keyword of a schema, or what else can't be written, such as the name of a rule.
        keyword: String,
        /// The place in the schema.
        pointer: String,
        /// Why it can't be written, or what to do about it.
        reason: String,
    },
    /// The vocabulary can't be used.
    #[error("invalid vocabulary: {message}")]
    InvalidVocabulary {
        /// What is wrong with it.
        message: String,
    },
    /// Bytes that are no constraint or vocabulary of this version of the engine, or that are damaged.
    #[error("invalid serialized {what}: expected {expected} ({part}), got: {got}")]
    InvalidSerialized {
        /// What should be loaded: `"vocabulary"` or `"constraint"`.
        what: &'static str,
        /// What is wrong with them, such as `"magic"`, `"kind"`, `"version"`, `"engine"`, `"length"`,
        /// `"checksum"` or `"vocabulary"` (a constraint was compiled for another one), or the part of
        /// the content that can't be.
        part: &'static str,
        /// What should be there.
        expected: String,
        /// What is there.
        got: String,
    },
    /// The token can't come next.
    #[error(
        "token {token} ({bytes:?}) is not allowed here: expected one of {n_allowed} others, the first of them {allowed:?}"
    )]
    TokenNotAllowed {
        /// The id.
        token: u32,
        /// Its bytes; bytes outside of UTF-8 are replaced.
        bytes: String,
        /// How many ids are allowed here.
        n_allowed: usize,
        /// The first few of them.
        allowed: Vec<u32>,
    },
    /// The id is not in the vocabulary.
    #[error("unknown token id {token}: the vocabulary has {vocabulary_size} ids")]
    UnknownToken {
        /// The id.
        token: u32,
        /// The number of ids in the vocabulary.
        vocabulary_size: usize,
    },
    /// A text can't continue what was accepted so far.
    #[error("the text is refused at byte {offset}")]
    TextNotAllowed {
        /// The offset, in bytes from the start of the text given, of the first refused byte.
        offset: usize,
    },
    /// The end-of-sequence token was accepted already: nothing can follow.
    #[error("the sequence is finished: no token can follow the end-of-sequence token")]
    Finished,
    /// More tokens should be taken back than were accepted.
    #[error("cannot roll back {requested} tokens: {accepted} were accepted")]
    RollbackTooFar {
        /// The number asked for.
        requested: usize,
        /// The number of tokens accepted so far.
        accepted: usize,
    },
    /// A limit was reached: one of the [`Limits`](crate::Limits), which raise it.
    #[error("{limit} reached its limit of {value}{}: the option \"limits\" raises it (limits: [{limit}: ...])", place(pointer.as_deref()))]
    LimitExceeded {
        /// The name of the limit.
        limit: &'static str,
        /// Its value.
        value: usize,
        /// The place in the schema, where there is one.
        pointer: Option<String>,
    },
    /// A limit was set to more than is possible.
    #[error("invalid limit {limit}: expected {greatest} at most, got: {value}")]
    InvalidLimit {
        /// The name of the limit.
        limit: &'static str,
        /// The value that was given.
        value: usize,
        /// The greatest that is possible.
        greatest: usize,
    },
    /// A [`Cancellation`](crate::Cancellation) ended the call.
    #[error("the call was cancelled")]
    Cancelled,
}

impl Error {
    /// The same error with its place in the schema.
    pub(crate) fn at(mut self, place: &str) -> Self {
        if let Self::InvalidRegex { pointer, .. }
        | Self::UnsupportedRegex { pointer, .. }
        | Self::LimitExceeded { pointer, .. } = &mut self
        {
            pointer.get_or_insert_with(|| place.to_owned());
        }
        self
    }

    /// The same error with its place in parts.
    pub(crate) fn in_part(self, pointer: &str) -> Self {
        match self {
            error if error.is_of_the_call() => error,
            error => Self::InvalidPart { error: Box::new(error), pointer: pointer.to_owned() },
        }
    }

    /// Whether it is about all that a call does, so that no part is to blame.
    fn is_of_the_call(&self) -> bool {
        match self {
            Self::LimitExceeded { limit, .. } => {
                limit.ends_with("_fuel") || limit.starts_with("export_")
            }
            _ => *self == Self::Cancelled,
        }
    }

    /// The same error with its place in a grammar, where it is about a part of that.
    pub(crate) fn in_terminal(self, place: Place) -> Self {
        match self {
            Self::InvalidTerminal { .. } => self,
            error if error.is_of_the_call() => error,
            // That of a part stands for itself.
            error if place == Place::default() => error,
            error => {
                let Place { line, column } = place;
                Self::InvalidTerminal { error: Box::new(error), line, column }
            }
        }
    }
}

fn place(pointer: Option<&str>) -> String {
    pointer.map_or(String::new(), |pointer| format!(" at \"{pointer}\""))
}
