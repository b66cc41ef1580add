//! [`remove`]: rules that begin with themselves become repetitions, as llama.cpp refuses them.

use rustc_hash::FxHashSet;

use super::rules::{EMPTY, NOTHING, Node, NodeId, RuleId, Rules};
use crate::error::Error;
use crate::meter::Meter;

/// Rewrites rules that begin with themselves, also by way of others, after Paull (1956).
///
/// # Errors
/// [`Error::NotExportable`] where they do so behind what may be empty; [`Error::LimitExceeded`] and
/// [`Error::Cancelled`].
pub(super) fn remove(rules: &mut Rules, meter: &Meter) -> Result<(), Error> {
    rewrite(rules, meter)?;
    match left_recursive(rules, meter)?.iter().min() {
        None => Ok(()),
        Some(&rule) => Err(Error::NotExportable {
            target: "gbnf",
            keyword: rules.all[rule as usize].name.clone(),
            pointer: String::new(),
            reason: "the rule begins with itself behind what may be empty, which llama.cpp refuses"
                .to_owned(),
        }),
    }
}

/// The same, where some such rules may be left.
///
/// # Errors
/// [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(super) fn rewrite(rules: &mut Rules, meter: &Meter) -> Result<(), Error> {
    let loops = left_recursive(rules, meter)?;
    let mut order: Vec<RuleId> = loops.into_iter().collect();
    order.sort_unstable();
    for index in 0..order.len() {
        let rule = order[index];
        for &before in &order[..index] {
            let (rests, others) = split(rules, before, rules.body(rule), meter)?;
            if !rests.is_empty() {
                let rest = rules.choice(rests);
                let body = rules.body(before);
                // The body comes first, choice by choice, so that what it begins with can be seen.
                let replaced = distributed(rules, body, rest);
                let both = rules.choice([replaced, others]);
                rules.define(rule, both);
            }
            rules.check(meter)?;
        }
        let (rests, others) = split(rules, rule, rules.body(rule), meter)?;
        if !rests.is_empty() {
            let again = rules.choice(rests.into_iter().filter(|&rest| rest != EMPTY));
            let again = rules.star(again);
            let body = rules.sequence([others, again]);
            rules.define(rule, body);
        }
    }
    Ok(())
}

/// Each choice of a node, and then the rest.
fn distributed(rules: &mut Rules, node: NodeId, rest: NodeId) -> NodeId {
    match rules.node(node).clone() {
        Node::Choice(choices) => {
            let choices: Vec<NodeId> =
                choices.iter().map(|&choice| rules.sequence([choice, rest])).collect();
            rules.choice(choices)
        }
        _ => rules.sequence([node, rest]),
    }
}

/// The rules that begin with themselves.
fn left_recursive(rules: &Rules, meter: &Meter) -> Result<FxHashSet<RuleId>, Error> {
    let nullable = nullable(rules, meter)?;
    let firsts: Vec<Vec<RuleId>> = rules
        .all
        .iter()
        .map(|rule| first_rules(rules, rule.body, &nullable, meter))
        .collect::<Result<_, _>>()?;
    let mut found = FxHashSet::default();
    for rule in 0..rules.all.len() as RuleId {
        let (mut open, mut seen) = (firsts[rule as usize].clone(), FxHashSet::default());
        while let Some(first) = open.pop() {
            meter.spend(1)?;
            if first == rule {
                found.insert(rule);
                break;
            }
            if seen.insert(first) {
                open.extend(&firsts[first as usize]);
            }
        }
    }
    Ok(found)
}

/// Whether nodes may be empty, by their numbers.
fn nullable(rules: &Rules, meter: &Meter) -> Result<Vec<bool>, Error> {
    let mut of_rules = vec![false; rules.all.len()];
    loop {
        let mut of: Vec<bool> = Vec::with_capacity(rules.n_nodes());
        for id in 0..rules.n_nodes() as NodeId {
            meter.spend(1 + rules.parts(id).len() / 4)?;
            of.push(match rules.node(id) {
                Node::Nothing | Node::Set(_) | Node::Special(_) => false,
                Node::Text(text) => text.is_empty(),
                Node::Rule(rule) => of_rules[*rule as usize],
                Node::Lexeme(part) => of[*part as usize],
                Node::Sequence(parts) => parts.iter().all(|&part| of[part as usize]),
                Node::Choice(parts) => parts.iter().any(|&part| of[part as usize]),
                Node::Repeat { of: part, min, .. } => *min == 0 || of[*part as usize],
            });
        }
        let next: Vec<bool> = rules.all.iter().map(|rule| of[rule.body as usize]).collect();
        if next == of_rules {
            return Ok(of);
        }
        of_rules = next;
    }
}

/// The rules that a node may begin with.
fn first_rules(
    rules: &Rules,
    id: NodeId,
    nullable: &[bool],
    meter: &Meter,
) -> Result<Vec<RuleId>, Error> {
    let (mut open, mut seen) = (vec![id], FxHashSet::default());
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        meter.spend(1)?;
        if !seen.insert(id) {
            continue;
        }
        match rules.node(id) {
            Node::Rule(rule) => found.push(*rule),
            Node::Sequence(parts) => {
                let n = parts.iter().take_while(|&&part| nullable[part as usize]).count();
                open.extend(parts.iter().take(n + 1));
            }
            _ => open.extend(rules.parts(id)),
        }
    }
    Ok(found)
}

/// Parts the texts of a node: what comes behind the rule in those that begin with it, and all others. Its
/// depth is that of the grammar.
fn split(
    rules: &mut Rules,
    rule: RuleId,
    id: NodeId,
    meter: &Meter,
) -> Result<(Vec<NodeId>, NodeId), Error> {
    meter.spend(1)?;
    match rules.node(id).clone() {
        Node::Rule(other) if other == rule => Ok((vec![EMPTY], NOTHING)),
        Node::Sequence(parts) => {
            let (rests, others) = split(rules, rule, parts[0], meter)?;
            let tail = rules.sequence(parts[1..].iter().copied());
            let mut rests: Vec<NodeId> =
                rests.into_iter().map(|rest| rules.sequence([rest, tail])).collect();
            let Node::Repeat { of, min: 0, max } = *rules.node(others) else {
                return Ok((rests, rules.sequence([others, tail])));
            };
            // Without the first part the others begin the text.
            let (more, without) = split(rules, rule, tail, meter)?;
            if more.is_empty() {
                return Ok((rests, rules.sequence([others, tail])));
            }
            rests.extend(more);
            let once = rules.repeat(of, 1, max);
            let with = rules.sequence([once, tail]);
            Ok((rests, rules.choice([with, without])))
        }
        Node::Choice(choices) => {
            let (mut rests, mut others) = (Vec::new(), Vec::new());
            for &choice in &choices {
                let (more, other) = split(rules, rule, choice, meter)?;
                rests.extend(more);
                others.push(other);
            }
            Ok((rests, rules.choice(others)))
        }
        Node::Repeat { of, min, max } => {
            let (rests, others) = split(rules, rule, of, meter)?;
            if rests.is_empty() {
                return Ok((rests, id));
            }
            let again =
                rules.repeat(of, min.saturating_sub(1), max.map(|max| max.saturating_sub(1)));
            let rests = rests.into_iter().map(|rest| rules.sequence([rest, again])).collect();
            let others = rules.sequence([others, again]);
            let others = if min == 0 { rules.optional(others) } else { others };
            Ok((rests, others))
        }
        _ => Ok((Vec::new(), id)),
    }
}
