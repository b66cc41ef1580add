//! Context-free grammars as a machine over bytes.
//!
//! A text is accepted if the start rule derives it, whichever way it is cut into terminals: a terminal may
//! match any text of its language. The way from rules to a state, by file:
//!
//! - `syntax`: the text of a grammar; `lark`, `gbnf`: those of each syntax
//! - `rules`: the rules of a grammar, whichever syntax they were written in; `parts`, `objects`: rules made of parts
//! - `trim`: which rules no text needs
//! - `regular`: which parts of rules become one terminal
//! - `lower`, `costs`, `productions`, `follow`: rules as sequences of symbols, how short their texts are, and
//!   what can follow what
//! - `lexeme`, `bytes`, `pairs`, `until`, `special_tokens`: the languages of terminals, and how they begin
//! - `continuations`: what may come behind a symbol; `closure`, `fronts`: what may begin there
//! - `machine`: the terminals that are being read; `bounded`: how many tokens lie in them
//! - `completion`: how a text ends soonest; `terminal_tokens`: which tokens may follow
//! - `captures`: which parts of a text are those that have a name

mod bounded;
pub(crate) mod bytes;
pub(crate) mod captures;
mod closure;
mod completion;
mod continuations;
mod costs;
mod few_tokens;
mod follow;
mod fronts;
mod gbnf;
mod lark;
mod lexeme;
mod lower;
mod machine;
mod objects;
mod pairs;
pub(crate) mod parts;
mod pattern;
mod productions;
mod regular;
pub(crate) mod rules;
pub(crate) mod special_tokens;
mod syntax;
mod terminal_tokens;
mod terminal_walk;
mod terminals;
#[cfg(test)]
mod tests;
mod text;
mod trim;
mod until;

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::automaton::LazyAutomaton;
use crate::error::Error;
use crate::json_schema::JsonSchemaOptions;
use crate::limits::limit;
use crate::meter::Meter;
use crate::vocabulary::Vocabulary;
pub(crate) use lexeme::Pattern;
pub(crate) use lower::{Patterns, patterns};
pub(crate) use machine::GrammarMachine;
pub(crate) use syntax::parse;
pub use syntax::{GrammarOptions, GrammarSyntax};
pub(crate) use trim::{Finding, trim};

/// Compiles a grammar; answers with the rules that no text needs, too. The options are for the schemas in
/// it; patterns that were made before are not made again.
///
/// # Errors
/// Those of its terminals, [`Error::EmptyGrammar`], [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn compile(
    grammar: &rules::Grammar,
    options: JsonSchemaOptions,
    patterns: &mut Patterns,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<(GrammarMachine, Vec<Finding>), Error> {
    limit!(meter.limits(), grammar_rules).check(grammar.rules.len())?;
    limit!(meter.limits(), grammar_nodes).check(grammar.nodes.len())?;
    let patterns = lower::patterns(grammar, patterns, meter)?;
    let is_empty = |terminal| {
        patterns.get(&terminal).is_some_and(|pattern: &Arc<lexeme::Pattern>| pattern.is_empty())
    };
    let findings = trim::trim(grammar, is_empty, meter)?;
    let rule = (grammar, grammar.start);
    Ok((machine(rule, options, &patterns, vocabulary, meter)?, findings))
}

/// What finds the captures of a text: the languages of the terminals, and of the grammars among parts.
///
/// # Errors
/// As [`compile`].
pub(crate) fn readers(
    grammar: &rules::Grammar,
    options: JsonSchemaOptions,
    patterns: &mut Patterns,
    vocabulary: &Arc<Vocabulary>,
    meter: Meter,
) -> Result<captures::Readers, Error> {
    let patterns = lower::patterns(grammar, patterns, &meter)?;
    let terminals = lower::lexemes(grammar, options, &patterns, vocabulary, &meter)?;
    let mut grammars = FxHashMap::default();
    for included in &grammar.included {
        let rule = (grammar, included.start);
        let machine = || machine(rule, options, &patterns, vocabulary, &meter);
        let automaton = |machine| LazyAutomaton::new(machine, vocabulary.clone(), meter.clone());
        let texts = machine()?;
        let bare = if texts.has_schemas() { Some(automaton(machine()?.bare())) } else { None };
        let texts = automaton(texts);
        grammars.insert(included.start, captures::GrammarReader { texts, bare });
    }
    Ok(captures::Readers { terminals, grammars, meter })
}

/// The machine of the texts of a rule.
fn machine(
    (grammar, rule): (&rules::Grammar, rules::RuleId),
    options: JsonSchemaOptions,
    patterns: &FxHashMap<rules::TerminalId, Arc<lexeme::Pattern>>,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<GrammarMachine, Error> {
    let mut lowered = lower::lower((grammar, rule), options, patterns, vocabulary, meter)?;
    let costs = costs::Costs::new(&mut lowered, meter)?;
    let productions = productions::Productions::new(&lowered, costs, meter)?;
    let special_tokens = Arc::new(special_tokens::SpecialTokens::new(grammar, vocabulary));
    Ok(GrammarMachine::new(lowered.lexemes, productions, special_tokens, meter))
}
