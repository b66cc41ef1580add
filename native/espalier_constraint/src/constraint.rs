//! [`Constraint`]: compiled, immutable, shared.

use std::sync::Arc;

use crate::automaton::{Automaton, LazyAutomaton};
use crate::dfa::DEAD;
use crate::error::Error;
use crate::json_schema::{Automata, JsonSchemaOptions};
use crate::literals::Literals;
use crate::machine::Machine;
use crate::matcher::Matcher;
use crate::regex;
use crate::replicas::Replicas;
use crate::source::{ConstraintKind, SchemaSource, Source};
use crate::vocabulary::Vocabulary;

/// What a text must be, compiled for one vocabulary.
///
/// Cloning is cheap. All matchers of a constraint, on whichever threads, share what was computed
/// for its states.
#[derive(Clone, Debug)]
pub struct Constraint {
    replicas: Arc<Replicas>,
    vocabulary: Arc<Vocabulary>,
    source: Arc<Source>,
    unknown_keywords: Arc<[String]>,
}

impl Constraint {
    /// The JSON text of a value that satisfies the schema.
    ///
    /// `schema` is the text of a JSON Schema; the order of its properties matters with
    /// [`PropertyOrder::Schema`](crate::PropertyOrder::Schema). All keywords of drafts 4 to 2020-12
    /// are enforced; `$schema` names the draft, 2020-12 otherwise.
    /// Keywords that JSON Schema doesn't know are annotations, see
    /// [`unknown_keywords`](Self::unknown_keywords).
    ///
    /// # Errors
    /// [`Error::InvalidJson`], [`Error::InvalidSchema`], [`Error::UnsupportedKeyword`],
    /// [`Error::Unsatisfiable`], [`Error::InvalidRegex`], [`Error::UnsupportedRegex`] and
    /// [`Error::LimitExceeded`], each with the place in the schema.
    pub fn json_schema(
        schema: &str,
        options: &JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        Self::json_schema_with(schema, &[], options, vocabulary)
    }

    /// As [`json_schema`](Self::json_schema), for a schema that refers to other documents: `others`
    /// are their texts by URI. Nothing is ever fetched.
    ///
    /// # Errors
    /// As there.
    pub fn json_schema_with(
        schema: &str,
        others: &[(&str, &str)],
        options: &JsonSchemaOptions,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        let owned = |(uri, text): &(&str, &str)| ((*uri).to_owned(), (*text).to_owned());
        let source = SchemaSource {
            schema: schema.to_owned(),
            documents: others.iter().map(owned).collect(),
            options: *options,
            automata: Automata::default(),
        };
        Self::of_source(Source::JsonSchema(source), vocabulary)
    }

    /// Text that matches the pattern as a whole, in the syntax of the `regex` crate.
    ///
    /// # Errors
    /// [`Error::InvalidRegex`], [`Error::UnsupportedRegex`], [`Error::LimitExceeded`], and
    /// [`Error::Unsatisfiable`] for a pattern that matches nothing.
    pub fn regex(pattern: &str, vocabulary: &Arc<Vocabulary>) -> Result<Self, Error> {
        let dfa = Arc::new(regex::compile(pattern)?);
        Self::of_source(Source::Regex { pattern: pattern.to_owned(), dfa }, vocabulary)
    }

    /// One of the texts.
    ///
    /// # Errors
    /// [`Error::EmptyChoice`].
    pub fn choice<T: AsRef<[u8]>>(
        choices: &[T],
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        let texts = choices.iter().map(|text| text.as_ref().into()).collect();
        Self::of_source(Source::Choice(Arc::new(Literals::new(texts))), vocabulary)
    }

    /// A matcher at the start of a new sequence.
    #[must_use]
    pub fn matcher(&self) -> Matcher {
        Matcher::new(self.replicas.clone(), self.vocabulary.clone())
    }

    /// The vocabulary that the constraint was compiled for.
    #[must_use]
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The places, as JSON Pointers, of keywords in the schema that its draft of JSON Schema doesn't
    /// know, of those that mean nothing without another one that is missing, and of unknown formats.
    /// JSON Schema takes them as annotations, so they state nothing; a misspelt keyword is among
    /// them.
    #[must_use]
    pub fn unknown_keywords(&self) -> &[String] {
        &self.unknown_keywords
    }

    /// What it was compiled from.
    #[must_use]
    pub fn kind(&self) -> ConstraintKind {
        self.source.kind()
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Compiles what is not there yet: a schema, with automata that are made or were loaded.
    pub(crate) fn of_source(
        mut source: Source,
        vocabulary: &Arc<Vocabulary>,
    ) -> Result<Self, Error> {
        let mut unknown_keywords = Arc::new([]) as Arc<[String]>;
        let automaton = match &mut source {
            Source::JsonSchema(source) => {
                let machine = source.compile()?;
                unknown_keywords = machine.unknown_keywords().clone();
                automaton_of(machine, vocabulary)
            }
            Source::Regex { dfa, .. } if dfa.start() == DEAD => {
                return Err(Error::Unsatisfiable { pointer: String::new() });
            }
            Source::Regex { dfa, .. } => automaton_of(dfa.clone(), vocabulary),
            Source::Choice(texts) if texts.is_empty() => return Err(Error::EmptyChoice),
            Source::Choice(texts) => automaton_of(texts.clone(), vocabulary),
        };
        let (vocabulary, source) = (vocabulary.clone(), Arc::new(source));
        let make = {
            let (vocabulary, source) = (vocabulary.clone(), source.clone());
            move || automaton_again(&source, &vocabulary)
        };
        let replicas = Arc::new(Replicas::new(automaton, make));
        Ok(Self { replicas, vocabulary, source, unknown_keywords })
    }
}

fn automaton_of<M: Machine + 'static>(
    machine: M,
    vocabulary: &Arc<Vocabulary>,
) -> Box<dyn Automaton> {
    Box::new(LazyAutomaton::new(machine, vocabulary.clone()))
}

/// The automaton of what was compiled before; the automata of its patterns are there.
fn automaton_again(source: &Source, vocabulary: &Arc<Vocabulary>) -> Option<Box<dyn Automaton>> {
    Some(match source {
        Source::JsonSchema(source) => automaton_of(source.clone().compile().ok()?, vocabulary),
        Source::Regex { dfa, .. } => automaton_of(dfa.clone(), vocabulary),
        Source::Choice(texts) => automaton_of(texts.clone(), vocabulary),
    })
}
