//! [`trim`]: which rules no text needs.

use rustc_hash::FxHashSet;

use super::costs::Costs;
use super::lower::{Lowered, Shape, Symbol};
use super::rules::{Grammar, Rule, RuleId};
use crate::error::Error;

/// A rule that no text needs, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: RuleId,
    /// Whether no text matches it. Otherwise the start doesn't lead to it, or only in ways that no text takes.
    pub(crate) matches_nothing: bool,
}

/// The rules that no text needs.
///
/// # Errors
/// [`Error::EmptyGrammar`] where the start is among them.
pub(crate) fn trim(
    grammar: &Grammar,
    lowered: &Lowered,
    costs: &Costs,
) -> Result<Vec<Finding>, Error> {
    let start = Symbol::Nonterminal(lowered.start);
    if costs.of(start).is_none() {
        return Err(empty(&grammar.rules[innermost_empty(lowered, costs) as usize]));
    }
    let used = used(lowered, costs);
    let findings = (0..).zip(&lowered.by_rule).filter_map(|(rule, &nonterminal)| {
        let matches_nothing =
            nonterminal.is_some_and(|of| costs.of(Symbol::Nonterminal(of)).is_none());
        let is_used = nonterminal.is_some_and(|of| used.contains(&of));
        (matches_nothing || !is_used).then_some(Finding { rule, matches_nothing })
    });
    Ok(findings.collect())
}

fn empty(rule: &Rule) -> Error {
    let (rule, line, column) = (rule.name.clone(), rule.place.line, rule.place.column);
    Error::EmptyGrammar { rule, line, column }
}

/// The nonterminals that some text has.
fn used(lowered: &Lowered, costs: &Costs) -> FxHashSet<u32> {
    let (mut used, mut open) = (FxHashSet::from_iter([lowered.start]), vec![lowered.start]);
    while let Some(nonterminal) = open.pop() {
        let mut meet = |symbol: Symbol| {
            if let Symbol::Nonterminal(next) = symbol
                && costs.of(symbol).is_some()
                && used.insert(next)
            {
                open.push(next);
            }
        };
        match &lowered.shapes[nonterminal as usize] {
            Shape::OneOf(productions) => {
                let has_text = |sequence: &&Vec<Symbol>| {
                    sequence.iter().all(|&symbol| costs.of(symbol).is_some())
                };
                productions.iter().filter(has_text).flatten().for_each(|&symbol| meet(symbol));
            }
            Shape::Repeat { max: Some(0), .. } => {}
            Shape::Repeat { of, .. } => meet(*of),
        }
    }
    used
}

/// A rule that no text matches: the first that leads to itself, or to nothing that matches nothing.
fn innermost_empty(lowered: &Lowered, costs: &Costs) -> RuleId {
    let (mut nonterminal, mut seen) = (lowered.start, FxHashSet::default());
    let is_empty = |symbol: &Symbol| costs.of(*symbol).is_none();
    while seen.insert(nonterminal) {
        let cause = match &lowered.shapes[nonterminal as usize] {
            Shape::OneOf(sequences) => sequences.iter().flatten().copied().find(is_empty),
            Shape::Repeat { of, .. } => Some(*of).filter(is_empty),
        };
        match cause {
            Some(Symbol::Nonterminal(next)) => nonterminal = next,
            _ => break,
        }
    }
    lowered.rules[nonterminal as usize]
}
