//! The rules of a grammar, or of a text of parts, as they are exported.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::left_recursion;
use super::regex::inlined;
use super::rules::{NOTHING, NodeId, Rules, START};
use super::{ExportOptions, ExportTarget, lark, of_automaton, write};
use crate::error::Error;
use crate::grammar::rules::{Grammar, Node, Terminal, TerminalId};
use crate::grammar::{self, Pattern};
use crate::json_schema::{self, Automata, Exported, JsonSchemaOptions};
use crate::meter::Meter;
use crate::source::GrammarSource;

/// A grammar whose texts one terminal of so many bytes can take is one for a lexer.
const MAX_TERMINAL: u64 = 50_000;

/// Writes a grammar.
///
/// A lexer takes the longest terminal that it finds, and which texts these are may depend on what comes behind
/// them. So a grammar for Lark becomes one terminal if it is regular, and rules that are read character by
/// character otherwise.
pub(super) fn export(
    source: &GrammarSource,
    target: ExportTarget,
    options: &ExportOptions,
    meter: &Meter,
) -> Result<String, Error> {
    let mut rules = Rules::new(false);
    Lowering::new(source, target, options, &mut rules, meter)?.lower()?;
    match target {
        ExportTarget::Regex => {
            left_recursion::rewrite(&mut rules, meter)?;
            write(&mut rules, target, options, meter)
        }
        ExportTarget::Gbnf => {
            left_recursion::remove(&mut rules, meter)?;
            write(&mut rules, target, options, meter)
        }
        ExportTarget::Lark => {
            let mut straight = rules.clone();
            left_recursion::rewrite(&mut straight, meter)?;
            let whole = match inlined(&mut straight, None, meter) {
                Err(Error::NotExportable { .. }) => None,
                Err(Error::LimitExceeded { limit, .. }) if limit.starts_with("export_") => None,
                other => Some(other?),
            };
            let is_small =
                |node: &NodeId| straight.size(*node) <= MAX_TERMINAL && straight.height(*node) < 60;
            match whole.filter(is_small).filter(|&node| !is_nullable(&straight, node)) {
                Some(node) => lark::write_terminal(&straight, node, meter),
                None => lark::write_characters(&rules, meter),
            }
        }
    }
}

/// Whether a node without rules has the empty text.
fn is_nullable(rules: &Rules, id: NodeId) -> bool {
    use super::rules::Node;
    match rules.node(id) {
        Node::Nothing | Node::Set(_) | Node::Rule(_) | Node::Special(_) => false,
        Node::Text(text) => text.is_empty(),
        Node::Lexeme(of) => is_nullable(rules, *of),
        Node::Sequence(parts) => parts.iter().all(|&part| is_nullable(rules, part)),
        Node::Choice(parts) => parts.iter().any(|&part| is_nullable(rules, part)),
        Node::Repeat { of, min, .. } => *min == 0 || is_nullable(rules, *of),
    }
}

/// Why a special token of the name can't be written in Lark, if it can't.
fn unwritable(name: &str) -> Option<&'static str> {
    let inner = name.strip_prefix('<').and_then(|name| name.strip_suffix('>')).unwrap_or_default();
    let is_written = |character: char| {
        !character.is_whitespace() && !character.is_control() && !matches!(character, '<' | '>')
    };
    if inner.is_empty() || !inner.chars().all(is_written) {
        return Some(
            "only names of the form <name> can be written, without white space or more of < and >",
        );
    }
    inner
        .starts_with('[')
        .then_some("llguidance takes a name of the form <[...]> as the ids of tokens")
}

struct Lowering<'a> {
    grammar: &'a Grammar,
    schema_options: JsonSchemaOptions,
    patterns: FxHashMap<TerminalId, Arc<Pattern>>,
    /// Rules without any text.
    empty: FxHashSet<u32>,
    target: ExportTarget,
    options: &'a ExportOptions,
    rules: &'a mut Rules,
    meter: &'a Meter,
    nodes: FxHashMap<u32, NodeId>,
    terminals: FxHashMap<TerminalId, NodeId>,
}

impl<'a> Lowering<'a> {
    fn new(
        source: &'a GrammarSource,
        target: ExportTarget,
        options: &'a ExportOptions,
        rules: &'a mut Rules,
        meter: &'a Meter,
    ) -> Result<Self, Error> {
        let grammar = &*source.grammar;
        let patterns = grammar::patterns(grammar, &mut source.patterns.clone(), meter)?;
        let is_empty = |terminal: TerminalId| {
            patterns.get(&terminal).is_some_and(|pattern| pattern.is_empty())
        };
        let findings = grammar::trim(grammar, is_empty, meter)?;
        let empty = findings.iter().filter(|finding| finding.matches_nothing);
        let empty = empty.map(|finding| finding.rule).collect();
        Ok(Self {
            grammar,
            schema_options: source.options,
            patterns,
            empty,
            target,
            options,
            rules,
            meter,
            nodes: FxHashMap::default(),
            terminals: FxHashMap::default(),
        })
    }

    /// Each rule of the grammar is one here, the first one stands for the start.
    fn lower(mut self) -> Result<(), Error> {
        let grammar = self.grammar;
        let first = self.rules.all.len() as u32;
        for rule in &grammar.rules {
            let declared = self.rules.declare(&rule.name, "");
            self.rules.all[declared as usize].is_level = true;
        }
        for (rule, declared) in grammar.rules.iter().zip(first..) {
            let body = self.node_of(rule.body, first)?;
            self.rules.define(declared, body);
        }
        let start = self.rules.rule(first + grammar.start);
        self.rules.define(START, start);
        Ok(())
    }

    /// Nodes are lowered after their parts.
    fn node_of(&mut self, root: u32, first: u32) -> Result<NodeId, Error> {
        let grammar = self.grammar;
        let mut open = vec![root];
        while let Some(&id) = open.last() {
            self.meter.spend(1)?;
            self.rules.check(self.meter)?;
            let node = &grammar.nodes[id as usize];
            let parts: &[u32] = match node {
                Node::Sequence(parts) | Node::Choice(parts) => parts,
                Node::Repeat { of, .. } => std::slice::from_ref(of),
                _ => &[],
            };
            let n_open = open.len();
            if !self.nodes.contains_key(&id) {
                open.extend(parts.iter().filter(|part| !self.nodes.contains_key(part)));
            }
            if open.len() > n_open {
                continue;
            }
            open.pop();
            let parts: Vec<NodeId> = parts.iter().map(|part| self.nodes[part]).collect();
            let lowered = match node {
                Node::Literal(bytes) => self.text(bytes)?,
                Node::Terminal(terminal) => self.terminal(*terminal)?,
                Node::Rule(rule) if self.empty.contains(rule) => NOTHING,
                Node::Rule(rule) => self.rules.rule(first + rule),
                Node::Sequence(_) => self.rules.sequence(parts),
                Node::Choice(_) => self.rules.choice(parts),
                Node::Repeat { min, max, .. } if max.is_some_and(|max| max < *min) => NOTHING,
                Node::Repeat { min, max, .. } => self.rules.repeat(parts[0], *min, *max),
            };
            self.nodes.insert(id, lowered);
        }
        Ok(self.nodes[&root])
    }

    fn text(&mut self, bytes: &[u8]) -> Result<NodeId, Error> {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| self.refused("literal", "the text is not UTF-8"))?;
        Ok(self.rules.text(text))
    }

    fn refused(&self, feature: &str, reason: &str) -> Error {
        Error::NotExportable {
            target: self.target.name(),
            keyword: feature.to_owned(),
            pointer: String::new(),
            reason: reason.to_owned(),
        }
    }

    fn terminal(&mut self, id: TerminalId) -> Result<NodeId, Error> {
        if let Some(&known) = self.terminals.get(&id) {
            return Ok(known);
        }
        let node = match &self.grammar.terminals[id as usize] {
            Terminal::SpecialToken { name } => self.special_token(name)?,
            Terminal::JsonSchema { text, place } => {
                self.json(text).map_err(|error| error.in_terminal(*place))?
            }
            Terminal::Until { max_tokens: Some(_), .. } => {
                return Err(self.refused("max_tokens", "it counts tokens, which no text shows"));
            }
            Terminal::Regex { .. } | Terminal::EcmaRegex { .. } | Terminal::Until { .. } => {
                let pattern = self.patterns[&id].clone();
                of_automaton(pattern.dfa(), self.target, self.rules, self.meter)?
            }
        };
        self.terminals.insert(id, node);
        Ok(node)
    }

    fn special_token(&mut self, name: &str) -> Result<NodeId, Error> {
        let reason = match self.target {
            ExportTarget::Lark => match unwritable(name) {
                Some(reason) => reason,
                None => return Ok(self.rules.special(name)),
            },
            ExportTarget::Regex | ExportTarget::Gbnf => "it stands for no text",
        };
        Err(self.refused(&format!("the special token {name:?}"), reason))
    }

    fn json(&mut self, schema: &str) -> Result<NodeId, Error> {
        let exported = Exported {
            schema,
            documents: &[],
            options: self.schema_options,
            target: self.target,
            may_repeat_keys: self.options.may_repeat_keys,
        };
        json_schema::export(&exported, &mut Automata::default(), self.rules, self.meter)
    }
}
