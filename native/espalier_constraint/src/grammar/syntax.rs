//! [`parse`]: the text of a grammar as rules.

use super::rules::Grammar;
use super::{gbnf, lark};
use crate::error::Error;
use crate::json_schema::JsonSchemaOptions;
use crate::limits::limit;
use crate::meter::Meter;

/// How the text of a grammar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrammarSyntax {
    /// That of the parser Lark, with schemas as `%json {...}`.
    Lark,
    /// GBNF, that of llama.cpp.
    Gbnf,
}

/// How a grammar is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrammarOptions {
    /// How it is written.
    pub syntax: GrammarSyntax,
    /// The rule of whole texts.
    pub start: String,
    /// How the values of the schemas in it may look.
    pub json_schema: JsonSchemaOptions,
}

impl GrammarOptions {
    /// For Lark: whole texts are those of `start`, and values look as when they are generated.
    #[must_use]
    pub fn lark() -> Self {
        let (syntax, start) = (GrammarSyntax::Lark, "start".to_owned());
        Self { syntax, start, json_schema: JsonSchemaOptions::generating() }
    }

    /// For GBNF: whole texts are those of `root`.
    #[must_use]
    pub fn gbnf() -> Self {
        Self { syntax: GrammarSyntax::Gbnf, start: "root".to_owned(), ..Self::lark() }
    }
}

/// Reads the text of a grammar.
///
/// # Errors
/// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::InvalidTerminal`],
/// [`Error::UndefinedName`], [`Error::DuplicateName`], [`Error::RecursiveTerminal`],
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn parse(text: &str, options: &GrammarOptions, meter: &Meter) -> Result<Grammar, Error> {
    limit!(meter.limits(), grammar_bytes).check(text.len())?;
    meter.spend(text.len())?;
    match options.syntax {
        GrammarSyntax::Lark => lark::parse(text, &options.start, meter),
        GrammarSyntax::Gbnf => gbnf::parse(text, &options.start, meter),
    }
}
