//! [`parse`]: the text of a grammar as rules.

use super::rules::Grammar;
use super::{gbnf, lark};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// How the text of a grammar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrammarSyntax {
    /// That of the parser Lark, with schemas as `%json {...}`. Its start is `start`.
    Lark,
    /// GBNF, that of llama.cpp. Its start is `root`.
    Gbnf,
}

impl GrammarSyntax {
    /// The rule of whole texts, unless another is named.
    #[must_use]
    pub fn default_start(self) -> &'static str {
        match self {
            Self::Lark => "start",
            Self::Gbnf => "root",
        }
    }
}

/// Reads the text of a grammar.
///
/// # Errors
/// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::InvalidTerminal`],
/// [`Error::UndefinedName`], [`Error::DuplicateName`], [`Error::RecursiveTerminal`],
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn parse(
    text: &str,
    syntax: GrammarSyntax,
    start: &str,
    meter: &Meter,
) -> Result<Grammar, Error> {
    limit!(meter.limits(), grammar_bytes).check(text.len())?;
    meter.spend(text.len())?;
    match syntax {
        GrammarSyntax::Lark => lark::parse(text, start, meter),
        GrammarSyntax::Gbnf => gbnf::parse(text, start, meter),
    }
}
