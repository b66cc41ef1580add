//! [`Source`]: what a constraint was compiled from.

use std::sync::Arc;

use crate::dfa::Dfa;
use crate::error::Error;
use crate::json_schema::{self, Automata, JsonMachine, JsonSchemaOptions};
use crate::literals::Literals;
use crate::meter::Meter;

/// What a constraint was compiled from, with the automata that took time to make.
#[derive(Debug)]
pub(crate) enum Source {
    JsonSchema(SchemaSource),
    Regex { pattern: String, dfa: Arc<Dfa> },
    Choice(Arc<Literals>),
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
}

impl Source {
    pub(crate) fn kind(&self) -> ConstraintKind {
        match self {
            Self::JsonSchema(_) => ConstraintKind::JsonSchema,
            Self::Regex { .. } => ConstraintKind::Regex,
            Self::Choice(_) => ConstraintKind::Choice,
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
