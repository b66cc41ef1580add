//! Lark, the syntax of grammars of the parser of that name.
//!
//! A grammar accepts what Lark's Earley parser with `lexer="dynamic_complete"` accepts: all ways to cut a
//! text into terminals count. What looks beyond a terminal, or prefers some of its texts, is refused
//! ([`regex`]), as are priorities. Beyond Lark there are `%json {...}`, bounds such as `item{2,5}`, names with
//! hyphens and line breaks within parentheses. The way from a text to rules, by file:
//!
//! - `lexer`, `literals`, `regex`: its tokens
//! - `parser`, `expression`: its statements
//! - `library`: the terminals that can be imported
//! - `statements`: what each name stands for
//! - `patterns`: terminals as regular expressions; `ignored`: what stands between them
//! - `lower`: rules

mod expression;
mod ignored;
mod lexer;
mod library;
mod literals;
mod lower;
mod parser;
mod patterns;
mod regex;
mod statements;

use super::rules::Grammar;
use crate::error::Error;
use crate::meter::Meter;

/// Reads a grammar whose whole texts are those of the rule `start`.
///
/// # Errors
/// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::InvalidTerminal`],
/// [`Error::UndefinedName`], [`Error::DuplicateName`], [`Error::RecursiveTerminal`],
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn parse(text: &str, start: &str, meter: &Meter) -> Result<Grammar, Error> {
    let definitions = statements::definitions(text, meter)?;
    let patterns = patterns::Patterns::new(&definitions, meter)?;
    let ignored = ignored::Ignored::new(&definitions, &patterns, meter)?;
    lower::lower(definitions, &patterns, &ignored, start, meter)
}
