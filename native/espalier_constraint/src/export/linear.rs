//! [`straighten`]: rules that lead back to themselves at their ends only are regular.

use rustc_hash::FxHashMap;

use super::graph::Graph;
use super::regex::rules_in;
use super::rules::{EMPTY, Node, NodeId, RuleId, Rules};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// Writes rules that lead to each other as expressions, if they do so at their ends only. Answers whether it
/// did.
///
/// # Errors
/// [`Error::LimitExceeded`], [`Error::Cancelled`].
pub(super) fn straighten(
    rules: &mut Rules,
    component: &[RuleId],
    meter: &Meter,
) -> Result<bool, Error> {
    let most = limit!(meter.limits(), export_bytes);
    let mut bodies = Vec::new();
    for first in 0..component.len() {
        // The state of a rule is its number from the first one on.
        let states: FxHashMap<RuleId, u32> =
            component[first..].iter().chain(&component[..first]).copied().zip(0..).collect();
        let mut graph = Graph::default();
        for _ in component {
            graph.add_state(false);
        }
        let end = graph.add_state(true);
        let mut reader = Reader { rules, states: &states, graph, end, meter };
        for (&rule, &state) in &states {
            let body = reader.rules.body(rule);
            if !reader.read(state, body, end)? {
                return Ok(false);
            }
        }
        let graph = reader.graph;
        let Some(body) = graph.expression(rules, most.value as u64, meter)? else {
            return Err(most.exceeded());
        };
        bodies.push(body);
    }
    component.iter().zip(bodies).for_each(|(&rule, body)| rules.define(rule, body));
    Ok(true)
}

struct Reader<'a> {
    rules: &'a mut Rules,
    states: &'a FxHashMap<RuleId, u32>,
    graph: Graph,
    end: u32,
    meter: &'a Meter,
}

impl Reader<'_> {
    /// Adds what a node matches between two states. Its depth is that of the grammar.
    fn read(&mut self, from: u32, id: NodeId, to: u32) -> Result<bool, Error> {
        if !self.leads_back(id)? {
            self.graph.add_step(from, id, to);
            return Ok(true);
        }
        match self.rules.node(id).clone() {
            Node::Rule(rule) if to == self.end => {
                self.graph.add_step(from, EMPTY, self.states[&rule]);
                Ok(true)
            }
            Node::Sequence(parts) => {
                let (last, before) = parts.split_last().unwrap_or((&EMPTY, &[]));
                let before = self.rules.sequence(before.iter().copied());
                if self.leads_back(before)? {
                    return Ok(false);
                }
                let between = self.graph.add_state(false);
                self.graph.add_step(from, before, between);
                self.read(between, *last, to)
            }
            Node::Choice(choices) => {
                for &choice in &choices {
                    if !self.read(from, choice, to)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Node::Repeat { of, min: 0, max: Some(1) } => {
                self.graph.add_step(from, EMPTY, to);
                self.read(from, of, to)
            }
            _ => Ok(false),
        }
    }

    fn leads_back(&self, id: NodeId) -> Result<bool, Error> {
        let inner = rules_in(self.rules, id, self.meter)?;
        Ok(inner.iter().any(|rule| self.states.contains_key(rule)))
    }
}
