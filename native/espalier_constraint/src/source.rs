//! [`Source`]: what a constraint was compiled from.

use std::ops::Range;
use std::sync::Arc;

use crate::dfa::Dfa;
use crate::error::Error;
use crate::grammar::captures::{self, Found, Readers};
use crate::grammar::rules::{Grammar, Rule};
use crate::grammar::{self, Finding, GrammarMachine, Patterns};
use crate::json_schema::{self, Automata, JsonMachine, JsonSchemaOptions};
use crate::literals::Literals;
use crate::meter::Meter;
use crate::regex::RegexSyntax;
use crate::vocabulary::Vocabulary;

/// What a constraint was compiled from, with the automata that took time to make.
#[derive(Debug)]
pub(crate) enum Source {
    JsonSchema(SchemaSource),
    Regex { pattern: String, syntax: RegexSyntax, dfa: Arc<Dfa> },
    Choice(Arc<Literals>),
    Grammar(GrammarSource),
}

#[derive(Clone, Debug)]
pub(crate) struct GrammarSource {
    pub(crate) grammar: Arc<Grammar>,
    /// For the schemas in it.
    pub(crate) options: JsonSchemaOptions,
    pub(crate) patterns: Patterns,
}

#[derive(Clone, Debug)]
pub(crate) struct SchemaSource {
    pub(crate) schema: String,
    /// Documents that it may refer to: URIs and texts.
    pub(crate) documents: Vec<(String, String)>,
    pub(crate) options: JsonSchemaOptions,
    pub(crate) automata: Automata,
}

/// What a constraint was compiled from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConstraintKind {
    /// A JSON Schema.
    JsonSchema,
    /// A regular expression.
    Regex,
    /// Some texts.
    Choice,
    /// A context-free grammar.
    Grammar,
}

/// A part of a text that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Capture {
    /// The name.
    pub name: String,
    /// Which bytes of the text it is.
    pub range: Range<usize>,
}

/// A rule of a grammar that no text needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnusedRule {
    /// Its name.
    pub name: String,
    /// The line where it is defined, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The place of its grammar, where that stands in parts.
    pub pointer: Option<String>,
    /// Whether no text matches it. Otherwise no other rule leads to it, or only in ways that no text takes.
    pub matches_nothing: bool,
}

impl Source {
    pub(crate) fn kind(&self) -> ConstraintKind {
        match self {
            Self::JsonSchema(_) => ConstraintKind::JsonSchema,
            Self::Regex { .. } => ConstraintKind::Regex,
            Self::Choice(_) => ConstraintKind::Choice,
            Self::Grammar(_) => ConstraintKind::Grammar,
        }
    }
}

impl SchemaSource {
    /// Reads the schema; its automata are made, unless they were loaded.
    pub(crate) fn compile(&mut self, meter: &Meter) -> Result<JsonMachine, Error> {
        let documents: Vec<_> =
            self.documents.iter().map(|(uri, text)| (&uri[..], &text[..])).collect();
        json_schema::compile(&self.schema, &documents, self.options, &mut self.automata, meter)
    }
}

impl GrammarSource {
    /// Reads the rules; their patterns are made, unless they were made before.
    pub(crate) fn compile(
        &mut self,
        vocabulary: &Arc<Vocabulary>,
        meter: &Meter,
    ) -> Result<(GrammarMachine, Vec<Finding>), Error> {
        grammar::compile(&self.grammar, self.options, &mut self.patterns, vocabulary, meter)
    }

    /// What finds captures.
    pub(crate) fn readers(
        &self,
        vocabulary: &Arc<Vocabulary>,
        meter: Meter,
    ) -> Result<Readers, Error> {
        let mut patterns = self.patterns.clone();
        grammar::readers(&self.grammar, self.options, &mut patterns, vocabulary, meter)
    }

    /// The parts of a text that have a name; `None` where the text isn't one of the grammar.
    pub(crate) fn captures(
        &self,
        text: &[u8],
        readers: &mut Readers,
    ) -> Result<Option<Vec<Capture>>, Error> {
        let grammar = &self.grammar;
        let found = captures::find(grammar, readers, text)?;
        let named = |found: Found| Capture {
            name: grammar.rules[found.rule as usize].name.clone(),
            range: found.start..found.end,
        };
        Ok(found.map(|found| found.into_iter().map(named).collect()))
    }

    /// The rule that a finding is about.
    pub(crate) fn rule(&self, finding: Finding) -> UnusedRule {
        let Rule { name, place, .. } = &self.grammar.rules[finding.rule as usize];
        UnusedRule {
            name: name.clone(),
            line: place.line,
            column: place.column,
            pointer: self.grammar.around_rule(finding.rule).map(|around| around.pointer.clone()),
            matches_nothing: finding.matches_nothing,
        }
    }
}
