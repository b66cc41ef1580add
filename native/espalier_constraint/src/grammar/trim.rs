//! [`trim`]: which rules no text needs.

use super::rules::{Grammar, Node, NodeId, Rule, RuleId, TerminalId};
use crate::error::Error;
use crate::meter::Meter;

/// A rule that no text needs, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) rule: RuleId,
    /// Whether no text matches it. Otherwise the start doesn't lead to it, or only in ways that no text takes.
    pub(crate) matches_nothing: bool,
}

/// The rules that no text needs; `is_empty` tells of terminals whether no text matches.
///
/// # Errors
/// [`Error::EmptyGrammar`] where the start is among them.
pub(crate) fn trim(
    grammar: &Grammar,
    is_empty: impl Fn(TerminalId) -> bool,
    meter: &Meter,
) -> Result<Vec<Finding>, Error> {
    let matching = Matching::new(grammar, is_empty, meter)?;
    let start = &grammar.rules[grammar.start as usize];
    if !matching.of[start.body as usize] {
        return Err(empty(grammar, matching.innermost_empty(grammar.start)));
    }
    let used = matching.used(meter)?;
    let findings = (0..).zip(&grammar.rules).filter_map(|(rule, Rule { body, .. })| {
        let matches_nothing = !matching.of[*body as usize];
        let is_used = used[rule as usize];
        (matches_nothing || !is_used).then_some(Finding { rule, matches_nothing })
    });
    Ok(findings.collect())
}

fn empty(grammar: &Grammar, rule: RuleId) -> Error {
    let Rule { name, place, .. } = &grammar.rules[rule as usize];
    let error = Error::EmptyGrammar { rule: name.clone(), line: place.line, column: place.column };
    match grammar.around_rule(rule) {
        Some(included) => error.in_part(&included.pointer),
        None => error,
    }
}

/// By node, whether some text matches it.
struct Matching<'a> {
    grammar: &'a Grammar,
    of: Vec<bool>,
}

impl<'a> Matching<'a> {
    /// Nodes are asked again when one that they depend on was found to match something.
    fn new(
        grammar: &'a Grammar,
        is_empty: impl Fn(TerminalId) -> bool,
        meter: &Meter,
    ) -> Result<Self, Error> {
        let n = grammar.nodes.len();
        let mut users: Vec<Vec<NodeId>> = vec![Vec::new(); n];
        for (user, node) in (0..).zip(&grammar.nodes) {
            for &part in parts(grammar, node) {
                users[part as usize].push(user);
            }
        }
        let mut matching = Self { grammar, of: vec![false; n] };
        let mut open: Vec<NodeId> = (0..n as NodeId).rev().collect();
        while let Some(node) = open.pop() {
            meter.spend(1)?;
            if !matching.of[node as usize] && matching.is_found(node, &is_empty) {
                matching.of[node as usize] = true;
                open.extend(&users[node as usize]);
            }
        }
        Ok(matching)
    }

    /// Whether some text matches, as far as that is known of its parts.
    fn is_found(&self, node: NodeId, is_empty: impl Fn(TerminalId) -> bool) -> bool {
        let node = &self.grammar.nodes[node as usize];
        let mut each = parts(self.grammar, node).iter().map(|&part| self.of[part as usize]);
        match node {
            Node::Literal(_) => true,
            Node::Terminal(terminal) => !is_empty(*terminal),
            Node::Sequence(_) => each.all(|matches| matches),
            Node::Choice(_) | Node::Rule(_) => each.any(|matches| matches),
            Node::Repeat { min, max, .. } => {
                max.is_none_or(|max| *min <= max) && (*min == 0 || each.any(|matches| matches))
            }
        }
    }

    /// By rule, whether some text has it.
    fn used(&self, meter: &Meter) -> Result<Vec<bool>, Error> {
        let grammar = self.grammar;
        let mut used = vec![false; grammar.rules.len()];
        let mut is_met = vec![false; grammar.nodes.len()];
        used[grammar.start as usize] = true;
        let mut open = vec![grammar.rules[grammar.start as usize].body];
        while let Some(node) = open.pop() {
            meter.spend(1)?;
            if !self.of[node as usize] || std::mem::replace(&mut is_met[node as usize], true) {
                continue;
            }
            let node = &grammar.nodes[node as usize];
            if let Node::Rule(rule) = node {
                used[*rule as usize] = true;
            }
            if !matches!(node, Node::Repeat { max: Some(0), .. }) {
                open.extend(parts(grammar, node));
            }
        }
        Ok(used)
    }

    /// Of a rule that no text matches the cause: the first rule on the way that leads to itself, or that only
    /// leads to what matches nothing.
    fn innermost_empty(&self, rule: RuleId) -> RuleId {
        let (mut rule, mut node) = (rule, self.grammar.rules[rule as usize].body);
        let mut is_met = vec![false; self.grammar.nodes.len()];
        while !std::mem::replace(&mut is_met[node as usize], true) {
            let of = &self.grammar.nodes[node as usize];
            if let Node::Rule(next) = of {
                rule = *next;
            }
            let cause = parts(self.grammar, of).iter().find(|&&part| !self.of[part as usize]);
            let Some(&cause) = cause else { break };
            node = cause;
        }
        rule
    }
}

/// What a node consists of.
fn parts<'a>(grammar: &'a Grammar, node: &'a Node) -> &'a [NodeId] {
    match node {
        Node::Literal(_) | Node::Terminal(_) => &[],
        Node::Rule(rule) => std::slice::from_ref(&grammar.rules[*rule as usize].body),
        Node::Sequence(parts) | Node::Choice(parts) => parts,
        Node::Repeat { of, .. } => std::slice::from_ref(of),
    }
}
