//! Rules as one regular expression, in what the syntaxes of Rust, Python and ECMA 262 have in common.

use std::fmt::Write;

use rustc_hash::{FxHashMap, FxHashSet};

use super::linear::straighten;
use super::notation::{self, Around, Notation, sign};
use super::rules::{NOTHING, Node, NodeId, RuleId, Rules, START};
use super::set::CharacterSet;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// How a regular expression is written. `is_delimited` is that it stands between slashes.
pub(crate) struct Expression {
    pub(crate) is_delimited: bool,
}

impl Notation for Expression {
    const SPACE: &'static str = "";
    const OR: &'static str = "|";
    const GROUP: (&'static str, &'static str) = ("(?:", ")");

    fn is_atom(&self, text: &str) -> bool {
        text.chars().nth(1).is_none()
    }

    fn text(&self, out: &mut String, text: &str) {
        for character in text.chars() {
            match character {
                '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' | '|'
                | '\\' => {
                    out.extend(['\\', character]);
                }
                _ => self.character_into(out, character),
            }
        }
    }

    fn set(&self, out: &mut String, set: &CharacterSet) {
        if *set == CharacterSet::all() {
            return out.push_str(r"[\s\S]");
        }
        let is_negated = set.is_mostly_all();
        let written = if is_negated { set.complement() } else { set.clone() };
        out.push_str(if is_negated { "[^" } else { "[" });
        for &(first, last) in written.ranges() {
            self.member_into(out, first);
            out.push_str(if last > first + 1 { "-" } else { "" });
            if last > first {
                self.member_into(out, last);
            }
        }
        out.push(']');
    }

    fn repeat(&self, out: &mut String, _start: usize, min: u32, max: Option<u32>) {
        let _ = match (sign(min, max), max) {
            (Some(sign), _) => write!(out, "{sign}"),
            (_, None) => write!(out, "{{{min},}}"),
            (_, Some(max)) if max == min => write!(out, "{{{min}}}"),
            (_, Some(max)) => write!(out, "{{{min},{max}}}"),
        };
    }

    fn name(&self, _node: NodeId, _rules: &Rules) -> Option<String> {
        None
    }
}

impl Expression {
    /// A character within brackets.
    fn member_into(&self, out: &mut String, code: u32) {
        match char::from_u32(code).unwrap_or_default() {
            character @ ('\\' | ']' | '[' | '^' | '-') => out.extend(['\\', character]),
            character => self.character_into(out, character),
        }
    }

    /// A character that means itself.
    fn character_into(&self, out: &mut String, character: char) {
        let _ = match character {
            '/' if self.is_delimited => write!(out, "\\/"),
            // Lark takes the backslash of another character for that of the quotation mark.
            '"' if self.is_delimited && out.ends_with('\\') => write!(out, "\\x22"),
            '\n' => write!(out, "\\n"),
            '\r' => write!(out, "\\r"),
            '\t' => write!(out, "\\t"),
            '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' => write!(out, "\\x{:02x}", u32::from(character)),
            '\u{2028}' | '\u{2029}' => write!(out, "\\u{:04x}", u32::from(character)),
            _ => write!(out, "{character}"),
        };
    }
}

/// All texts as one expression.
///
/// # Errors
/// [`Error::NotExportable`] where rules lead back to themselves and `depth` doesn't say how often,
/// [`Error::LimitExceeded`], [`Error::Cancelled`].
pub(crate) fn write_regex(
    rules: &mut Rules,
    depth: Option<u32>,
    meter: &Meter,
) -> Result<String, Error> {
    let node = inlined(rules, depth, meter)?;
    let limit = limit!(meter.limits(), export_bytes);
    limit.check(usize::try_from(rules.size(node)).unwrap_or(usize::MAX))?;
    let nesting = limit!(meter.limits(), regex_nesting);
    nesting.check(2 * rules.height(node) as usize)?;
    let mut out = String::new();
    notation::write(&mut out, rules, node, Around::Nothing, &Expression { is_delimited: false });
    limit.check(out.len())?;
    Ok(out)
}

/// The texts of the first rule without any rules.
pub(super) fn inlined(
    rules: &mut Rules,
    depth: Option<u32>,
    meter: &Meter,
) -> Result<NodeId, Error> {
    let recursive = recursive_rules(rules, meter)?;
    if let (None, Some(&rule)) = (depth, recursive.iter().min()) {
        let rule = &rules.all[rule as usize];
        let reason = "it leads back to itself; the option :depth says how often it may";
        return Err(not_exportable(&rule.name, &rule.pointer, reason));
    }
    let mut inlining =
        Inlining { rules, recursive, meter, known: FxHashMap::default(), nesting: 0 };
    let node = inlining.rule(START, depth.unwrap_or(0))?;
    if node == NOTHING {
        return Err(not_exportable("depth", "", "no text is nested so little"));
    }
    Ok(node)
}

fn not_exportable(keyword: &str, pointer: &str, reason: &str) -> Error {
    let [keyword, pointer, reason] = [keyword, pointer, reason].map(str::to_owned);
    Error::NotExportable { target: "regex", keyword, pointer, reason }
}

/// The rules that lead back to themselves otherwise than at their ends.
fn recursive_rules(rules: &mut Rules, meter: &Meter) -> Result<FxHashSet<RuleId>, Error> {
    let mut next: Vec<Vec<RuleId>> = Vec::new();
    for rule in &rules.all {
        next.push(rules_in(rules, rule.body, meter)?);
    }
    let mut recursive = FxHashSet::default();
    for component in components(&next) {
        let is_loop = |rule: RuleId| next[rule as usize].contains(&rule);
        if (component.len() > 1 || component.iter().any(|&rule| is_loop(rule)))
            && !straighten(rules, &component, meter)?
        {
            recursive.extend(component);
        }
    }
    Ok(recursive)
}

/// The rules that a node leads to without going through another one.
pub(super) fn rules_in(rules: &Rules, id: NodeId, meter: &Meter) -> Result<Vec<RuleId>, Error> {
    let (mut open, mut seen) = (vec![id], FxHashSet::from_iter([id]));
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        meter.spend(1)?;
        if let Node::Rule(rule) = rules.node(id) {
            found.push(*rule);
        }
        open.extend(rules.parts(id).iter().copied().filter(|&part| seen.insert(part)));
    }
    Ok(found)
}

/// The strongly connected components of what the first rule leads to, after Tarjan (1972).
fn components(next: &[Vec<RuleId>]) -> Vec<Vec<RuleId>> {
    const NEW: u32 = u32::MAX;
    let mut index = vec![NEW; next.len()];
    let mut low = vec![0; next.len()];
    let mut is_open = vec![false; next.len()];
    let (mut stack, mut calls, mut n_seen) = (Vec::new(), vec![(START, 0usize)], 0);
    let mut found = Vec::new();
    while let Some((rule, child)) = calls.pop() {
        let at = rule as usize;
        if child == 0 {
            (index[at], low[at]) = (n_seen, n_seen);
            n_seen += 1;
            stack.push(rule);
            is_open[at] = true;
        } else {
            low[at] = low[at].min(low[next[at][child - 1] as usize]);
        }
        let mut open = None;
        for (position, &to) in next[at].iter().enumerate().skip(child) {
            if index[to as usize] == NEW {
                open = Some((position + 1, to));
                break;
            }
            if is_open[to as usize] {
                low[at] = low[at].min(index[to as usize]);
            }
        }
        if let Some((position, to)) = open {
            calls.extend([(rule, position), (to, 0)]);
            continue;
        }
        if low[at] == index[at] {
            let first = stack.iter().rposition(|&other| other == rule).unwrap_or(0);
            let component = stack.split_off(first);
            for &rule in &component {
                is_open[rule as usize] = false;
            }
            found.push(component);
        }
    }
    found
}

/// Rules are written out where they are used. Their depth is that of the expression, which has a bound.
struct Inlining<'a> {
    rules: &'a mut Rules,
    recursive: FxHashSet<RuleId>,
    meter: &'a Meter,
    /// By node and by how many levels are left.
    known: FxHashMap<(NodeId, u32), NodeId>,
    nesting: usize,
}

impl Inlining<'_> {
    fn rule(&mut self, rule: RuleId, depth: u32) -> Result<NodeId, Error> {
        let is_recursive = self.recursive.contains(&rule);
        let is_level = is_recursive && self.rules.all[rule as usize].is_level;
        let Some(depth) = depth.checked_sub(u32::from(is_level)) else { return Ok(NOTHING) };
        self.node(self.rules.body(rule), depth)
    }

    fn node(&mut self, id: NodeId, depth: u32) -> Result<NodeId, Error> {
        if let Some(&known) = self.known.get(&(id, depth)) {
            return Ok(known);
        }
        self.meter.spend(2 + self.rules.parts(id).len())?;
        self.nesting += 1;
        limit!(self.meter.limits(), export_nesting).check(self.nesting)?;
        let node = match self.rules.node(id).clone() {
            Node::Nothing | Node::Text(_) | Node::Set(_) => id,
            Node::Special(name) => return Err(not_exportable(&name, "", "it stands for no text")),
            Node::Rule(rule) => self.rule(rule, depth)?,
            Node::Lexeme(of) => self.node(of, depth)?,
            Node::Sequence(parts) => {
                let parts = self.nodes(&parts, depth)?;
                self.rules.sequence(parts)
            }
            Node::Choice(parts) => {
                let parts = self.nodes(&parts, depth)?;
                self.rules.choice(parts)
            }
            Node::Repeat { of, min, max } => {
                let of = self.node(of, depth)?;
                self.rules.repeat(of, min, max)
            }
        };
        self.nesting -= 1;
        self.rules.check(self.meter)?;
        let size = usize::try_from(self.rules.size(node)).unwrap_or(usize::MAX);
        limit!(self.meter.limits(), export_bytes).check(size)?;
        self.known.insert((id, depth), node);
        Ok(node)
    }

    fn nodes(&mut self, parts: &[NodeId], depth: u32) -> Result<Vec<NodeId>, Error> {
        parts.iter().map(|&part| self.node(part, depth)).collect()
    }
}
