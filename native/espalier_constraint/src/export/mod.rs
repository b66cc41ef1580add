//! A constraint in the notation of another engine: a regular expression, or a grammar in GBNF or for Lark.
//!
//! What a constraint was made of becomes [`Rules`], which each notation writes. The way, by file:
//!
//! - `set`, `rules`: sets of characters, and rules made of them
//! - `characters`, `graph`: automata over bytes as automata over characters, and these as expressions or rules
//! - `spelling`: how characters are spelled in JSON; schemas are lowered in `json_schema/export`
//! - `grammar`: the rules of a grammar; `left_recursion`, `linear`: recursion that is none
//! - `pieces`, `notation`: which parts get a name, and how parts are put together
//! - `regex`, `gbnf`, `lark`: the notations

mod characters;
mod gbnf;
mod grammar;
mod graph;
mod lark;
mod left_recursion;
mod linear;
mod notation;
mod pieces;
mod regex;
mod rules;
mod set;
mod spelling;

use crate::constraint::Constraint;
use crate::dfa::Dfa;
use crate::error::Error;
use crate::json_schema::{self, Exported};
use crate::limits::{Limits, limit};
use crate::literals::Literals;
use crate::meter::Meter;
use crate::source::{SchemaSource, Source};
pub(crate) use characters::{Bytewise, Characters};
pub(crate) use graph::Graph;
pub(crate) use rules::{EMPTY, NOTHING, NodeId, RuleId, Rules, START};
pub(crate) use set::CharacterSet;
pub(crate) use spelling::spelled;

/// The notation in which a constraint is written for another engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportTarget {
    /// A regular expression in what the syntaxes of Rust, Python and ECMA 262 have in common. Texts match
    /// as a whole.
    Regex,
    /// GBNF, with the rule `root`.
    Gbnf,
    /// A grammar for Lark and llguidance, with the rule `start`.
    Lark,
}

impl ExportTarget {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Regex => "regex",
            Self::Gbnf => "gbnf",
            Self::Lark => "lark",
        }
    }
}

/// How a constraint is written for another engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ExportOptions {
    /// In a regular expression: how many objects, arrays or rules that lead back to themselves may lie
    /// within each other. Without it such are an error.
    pub depth: Option<u32>,
    /// Whether texts count in which a key comes more than once that the schema has no name for. No grammar can
    /// say that endlessly many keys differ from each other, so without this they are an error.
    pub may_repeat_keys: bool,
}

impl Constraint {
    /// The constraint in the notation of another engine: the same texts, exactly.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use espalier_constraint::{Constraint, ExportOptions, ExportTarget, JsonSchemaOptions, Vocabulary};
    ///
    /// let tokens = (0..=255).map(|byte| vec![byte]).chain([Vec::new()]).collect();
    /// let vocabulary = Arc::new(Vocabulary::new(tokens, &[256], &[])?);
    /// let schema = r#"{"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}"#;
    /// let constraint = Constraint::json_schema(schema, &JsonSchemaOptions::generating(), &vocabulary)?;
    /// let regex = constraint.export(ExportTarget::Regex, &ExportOptions::default())?;
    /// assert_eq!(regex, r"\[(?:[1-9][0-9]*|0)(?:,(?:[1-9][0-9]*|0))*\]");
    /// # Ok::<(), espalier_constraint::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotExportable`] for what the notation can't say, with its place, and
    /// [`Error::LimitExceeded`].
    pub fn export(&self, target: ExportTarget, options: &ExportOptions) -> Result<String, Error> {
        let meter = Meter::compiling(Limits::clone(self.limits()), None);
        let mut rules = Rules::new(target == ExportTarget::Lark);
        let body = match self.source() {
            Source::JsonSchema(source) => of_schema(source, target, options, &mut rules, &meter)?,
            Source::Regex { dfa, .. } => of_automaton(dfa, target, &mut rules, &meter)?,
            Source::Choice(texts) => of_texts(texts, target, &mut rules, &meter)?,
            Source::Grammar(source) => {
                return grammar::export(source, target, options, &meter);
            }
        };
        rules.define(START, body);
        write(&mut rules, target, options, &meter)
    }
}

fn write(
    rules: &mut Rules,
    target: ExportTarget,
    options: &ExportOptions,
    meter: &Meter,
) -> Result<String, Error> {
    match target {
        ExportTarget::Regex => regex::write_regex(rules, options.depth, meter),
        ExportTarget::Gbnf => gbnf::write_gbnf(rules, meter),
        ExportTarget::Lark => lark::write_lark(rules, meter),
    }
}

fn of_schema(
    source: &SchemaSource,
    target: ExportTarget,
    options: &ExportOptions,
    rules: &mut Rules,
    meter: &Meter,
) -> Result<NodeId, Error> {
    let documents = source.documents.iter().map(|(uri, text)| (&uri[..], &text[..]));
    let exported = Exported {
        schema: &source.schema,
        documents: &documents.collect::<Vec<_>>(),
        options: source.options,
        target,
        may_repeat_keys: options.may_repeat_keys,
    };
    json_schema::export(&exported, &mut source.automata.clone(), rules, meter)
}

fn of_automaton(
    dfa: &Dfa,
    target: ExportTarget,
    rules: &mut Rules,
    meter: &Meter,
) -> Result<NodeId, Error> {
    let mut characters = Characters::new(dfa, meter)?;
    let has_empty = target == ExportTarget::Lark && characters.is_nullable();
    if has_empty {
        // No terminal is empty.
        characters = characters.without_empty();
    }
    let graph = characters.graph(rules, |rules, set| rules.set(set.clone()));
    let most = limit!(meter.limits(), export_bytes);
    let (is_gbnf, is_lark) = (target == ExportTarget::Gbnf, target == ExportTarget::Lark);
    let max_size = if is_gbnf { MAX_EXPRESSION } else { most.value as u64 };
    match graph.expression(rules, max_size, meter)? {
        Some(node) if is_lark => {
            let lexeme = rules.lexeme(node);
            Ok(if has_empty { rules.optional(lexeme) } else { lexeme })
        }
        Some(node) => Ok(node),
        None if is_gbnf => graph.rules(rules, "text", "", meter),
        None => Err(most.exceeded()),
    }
}

/// A terminal that takes more bytes than these as one expression is written as rules where that is possible.
pub(crate) const MAX_EXPRESSION: u64 = 2000;

fn of_texts(
    texts: &Literals,
    target: ExportTarget,
    rules: &mut Rules,
    meter: &Meter,
) -> Result<NodeId, Error> {
    let mut choices = Vec::new();
    for text in texts.iter() {
        meter.spend(1 + text.len())?;
        let text = std::str::from_utf8(text).map_err(|_| Error::NotExportable {
            target: target.name(),
            keyword: "choice".to_owned(),
            pointer: String::new(),
            reason: "one of the texts is not UTF-8".to_owned(),
        })?;
        choices.push(rules.text(text));
    }
    // Of two texts of which one begins with the other the longer one comes first.
    choices.reverse();
    let has_empty = choices.contains(&EMPTY);
    let choice = rules.choice(choices.into_iter().filter(|&choice| choice != EMPTY));
    let lexeme = rules.lexeme(choice);
    Ok(if has_empty { rules.optional(lexeme) } else { lexeme })
}
