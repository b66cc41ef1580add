//! [`lower`]: the rules of a grammar in Lark, without templates and with what is ignored.
//!
//! What is ignored may stand behind each terminal and before the whole: that is before each terminal and
//! behind the whole, and one terminal that has ended leads to less than all that may begin. Comments with
//! nothing ignored behind them stand before what ends them: a terminal, or those of its texts that begin so.

use rustc_hash::FxHashMap;

use super::expression::{Body, Definition, Definitions, Expression, NameId};
use super::ignored::{self, Ignored};
use super::library::INNER;
use super::patterns::{self, Pattern, Patterns};
use crate::dfa::DEAD;
use crate::error::Error;
use crate::grammar::rules::{Grammar, Node, NodeId, Place, RuleId, Terminal};
use crate::grammar::terminals::Terminals;
use crate::grammar::text::{invalid, shown, undefined};
use crate::limits::limit;
use crate::meter::Meter;
use crate::regex;

/// # Errors
/// [`Error::UndefinedName`] where there is no such start, [`Error::LimitExceeded`] and
/// [`Error::Cancelled`].
pub(super) fn lower(
    mut definitions: Definitions,
    patterns: &Patterns,
    ignored: &Ignored,
    start: &str,
    meter: &Meter,
) -> Result<Grammar, Error> {
    let start = start_rule(&mut definitions, start)?;
    let mut lowering = Lowering {
        definitions: &definitions,
        patterns,
        meter,
        grammar: Grammar::default(),
        terminals: Terminals::default(),
        nodes: FxHashMap::default(),
        spaced: FxHashMap::default(),
        ignored,
        between: None,
        rules: FxHashMap::default(),
        instances: FxHashMap::default(),
        open: Vec::new(),
    };
    lowering.between = ignored.between.as_ref().map(|pattern| lowering.optional(&[pattern]));
    lowering.all(start)?;
    lowering.unused();
    Ok(lowering.grammar)
}

fn start_rule(definitions: &mut Definitions, start: &str) -> Result<NameId, Error> {
    let place = Place { line: 1, column: 1 };
    let name = definitions.name_id(start);
    let definition = definitions.definition(name).ok_or_else(|| undefined(start, place))?;
    if definitions.is_terminal(name) || !definition.parameters.is_empty() {
        return Err(invalid(
            "a rule without parameters as the start",
            &shown(start),
            definition.place,
        ));
    }
    Ok(name)
}

struct Lowering<'a> {
    definitions: &'a Definitions,
    patterns: &'a Patterns,
    meter: &'a Meter,
    grammar: Grammar,
    terminals: Terminals,
    /// The nodes of texts and of rules.
    nodes: FxHashMap<Node, NodeId>,
    /// By node of a terminal, that of the terminal and what is ignored behind it.
    spaced: FxHashMap<NodeId, NodeId>,
    ignored: &'a Ignored,
    /// What may stand behind each terminal, once or not at all.
    between: Option<NodeId>,
    rules: FxHashMap<NameId, RuleId>,
    /// Templates with their arguments.
    instances: FxHashMap<(NameId, Vec<NodeId>), RuleId>,
    /// Rules whose bodies are not lowered yet.
    open: Vec<(RuleId, NameId, Vec<NodeId>)>,
}

/// How the texts of a terminal begin. With nothing where that is a schema, as JSON has nothing that ends a comment.
#[derive(Default)]
struct Beginning {
    first_bytes: Vec<u8>,
    is_nullable: bool,
}

impl Lowering<'_> {
    /// One of the patterns of what is ignored, or nothing.
    fn optional(&mut self, patterns: &[&String]) -> NodeId {
        let place = self.ignored.place;
        let terminal =
            |pattern: &&String| self.terminals.regex(&mut self.grammar, (*pattern).clone(), place);
        let terminals = patterns.iter().map(terminal).collect();
        let of = self.choice(terminals);
        self.node(Node::Repeat { of, min: 0, max: Some(1) })
    }

    fn choice(&mut self, nodes: Vec<NodeId>) -> NodeId {
        if let [node] = nodes[..] { node } else { self.node(Node::Choice(nodes)) }
    }

    fn all(&mut self, start: NameId) -> Result<(), Error> {
        for definition in &self.definitions.all {
            let is_rule = !self.definitions.is_terminal(definition.name);
            if is_rule && definition.parameters.is_empty() && !definition.bodies.is_empty() {
                let rule =
                    self.declare(self.definitions.name(definition.name), definition.place)?;
                self.rules.insert(definition.name, rule);
                self.open.push((rule, definition.name, Vec::new()));
            }
        }
        self.grammar.start = self.rules[&start];
        while let Some((rule, name, arguments)) = self.open.pop() {
            let body = self.definition(name, &arguments)?;
            self.grammar.define(rule, body);
        }
        self.ignore_around()
    }

    fn declare(&mut self, name: &str, place: Place) -> Result<RuleId, Error> {
        limit!(self.meter.limits(), grammar_rules).check(self.grammar.rules.len() + 1)?;
        Ok(self.grammar.declare(name, place))
    }

    /// Makes the start one that ignores what comes first and last.
    fn ignore_around(&mut self) -> Result<(), Error> {
        let comments: Vec<_> = self.ignored.comments.iter().map(|(comment, _)| comment).collect();
        if self.between.is_none() && comments.is_empty() {
            return Ok(());
        }
        let start = self.grammar.start;
        let (name, place) = {
            let rule = &self.grammar.rules[start as usize];
            (rule.name.clone(), rule.place)
        };
        let whole = self.declare(&name, place)?;
        let start = self.node(Node::Rule(start));
        let comments = (!comments.is_empty()).then(|| self.optional(&comments));
        let parts = self.between.into_iter().chain([start]).chain(comments).collect();
        let body = self.grammar.sequence(parts);
        self.grammar.define(whole, body);
        self.grammar.start = whole;
        Ok(())
    }

    fn definition(&mut self, name: NameId, arguments: &[NodeId]) -> Result<NodeId, Error> {
        let Some(definition) = self.definitions.definition(name) else {
            unreachable!("names are checked before");
        };
        let parameters = definition.parameters.iter().copied().zip(arguments.iter().copied());
        let parameters: FxHashMap<_, _> = parameters.collect();
        let bodies = definition.bodies.iter().map(|&body| self.body(body, &parameters));
        let bodies = bodies.collect::<Result<_, _>>()?;
        Ok(self.grammar.choice(bodies))
    }

    fn body(
        &mut self,
        body: Body,
        parameters: &FxHashMap<NameId, NodeId>,
    ) -> Result<NodeId, Error> {
        let definitions = self.definitions;
        let mut nodes = Vec::new();
        for (_, expression) in definitions.parts(body) {
            limit!(self.meter.limits(), grammar_nodes).check(self.grammar.nodes.len())?;
            let part = |id: &u32| nodes[(id - body.first) as usize];
            let node = match expression {
                Expression::Sequence(ids) => self.grammar.sequence(ids.iter().map(part).collect()),
                Expression::Choice(ids) => self.grammar.choice(ids.iter().map(part).collect()),
                &Expression::Repeat { ref of, min, max } => {
                    self.grammar.add(Node::Repeat { of: part(of), min, max })
                }
                Expression::Name { name, place } => match parameters.get(name) {
                    Some(&argument) => argument,
                    None => self.name(*name, *place)?,
                },
                Expression::Template { name, arguments, .. } => {
                    self.instance(*name, arguments.iter().map(part).collect())?
                }
                Expression::Literal { text, ignores_case, place } => {
                    self.terminal(&patterns::of_literal(text, *ignores_case), *place)?
                }
                Expression::Range { first, last, place } => {
                    self.terminal(&patterns::range(*first, *last), *place)?
                }
                Expression::Regex { pattern, place } => {
                    let node = self.terminals.regex(&mut self.grammar, pattern.clone(), *place);
                    self.spaced(node)?
                }
                Expression::Json { text, place } => {
                    let terminal = Terminal::JsonSchema { text: text.clone(), place: *place };
                    let node = self.grammar.add_terminal(terminal);
                    self.spaced(node)?
                }
            };
            self.meter.spend(1)?;
            nodes.push(node);
        }
        Ok(nodes.pop().unwrap_or_else(|| unreachable!("a body has an expression")))
    }

    fn name(&mut self, name: NameId, place: Place) -> Result<NodeId, Error> {
        if let Some(&rule) = self.rules.get(&name) {
            return Ok(self.node(Node::Rule(rule)));
        }
        let place = self.definitions.definition(name).map_or(place, |definition| definition.place);
        let patterns = self.patterns;
        self.terminal(patterns.of(name), place)
    }

    fn terminal(&mut self, pattern: &Pattern, place: Place) -> Result<NodeId, Error> {
        let node = match &pattern.literal {
            Some(text) if text.is_empty() => return Ok(self.node(Node::Sequence(Vec::new()))),
            Some(text) => self.node(Node::Literal(text.as_bytes().into())),
            None => self.terminals.regex(&mut self.grammar, pattern.text.clone(), place),
        };
        self.spaced(node)
    }

    /// The terminal with what is ignored behind it.
    fn spaced(&mut self, node: NodeId) -> Result<NodeId, Error> {
        if let Some(&known) = self.spaced.get(&node) {
            return Ok(known);
        }
        let terminal = self.behind_comments(node)?;
        let parts = [terminal].into_iter().chain(self.between).collect();
        let spaced = self.grammar.sequence(parts);
        self.spaced.insert(node, spaced);
        Ok(spaced)
    }

    /// The terminal, or a comment that ends where it begins and the terminal.
    fn behind_comments(&mut self, node: NodeId) -> Result<NodeId, Error> {
        let ignored = self.ignored;
        if ignored.comments.is_empty() {
            return Ok(node);
        }
        let Beginning { first_bytes, is_nullable } = self.beginning(node)?;
        let (mut ended, mut others) = (Vec::new(), Vec::new());
        for (comment, ends) in &ignored.comments {
            match first_bytes.iter().filter(|&byte| ends.contains(byte)).count() {
                0 => {}
                n if n == first_bytes.len() && !is_nullable => ended.push(comment),
                _ => others.push(self.behind_comment(&ignored::ahead(comment, ends), node)),
            }
        }
        let mut terminal = node;
        if !ended.is_empty() {
            let comments = self.optional(&ended);
            terminal = self.node(Node::Sequence(vec![comments, node]));
        }
        others.insert(0, terminal);
        Ok(self.choice(others))
    }

    /// Those texts of a terminal that end a comment, with that before them.
    fn behind_comment(&mut self, comment: &str, node: NodeId) -> NodeId {
        let Some(Terminal::Regex { pattern, place }) = self.written(node) else {
            unreachable!("all other terminals end a comment with each of their texts or with none");
        };
        let (pattern, place) = (format!("{comment}(?:{pattern})"), *place);
        self.terminals.regex(&mut self.grammar, pattern, place)
    }

    /// The terminal of a node, unless that is a text.
    fn written(&self, node: NodeId) -> Option<&Terminal> {
        match self.grammar.nodes[node as usize] {
            Node::Terminal(terminal) => Some(&self.grammar.terminals[terminal as usize]),
            _ => None,
        }
    }

    fn beginning(&self, node: NodeId) -> Result<Beginning, Error> {
        if let Node::Literal(text) = &self.grammar.nodes[node as usize] {
            let first_bytes = text.first().copied().into_iter().collect();
            return Ok(Beginning { first_bytes, is_nullable: false });
        }
        let Some(Terminal::Regex { pattern, place }) = self.written(node) else {
            return Ok(Beginning::default());
        };
        let dfa = regex::compile_terminal(pattern, self.meter)
            .map_err(|error| error.in_terminal(*place))?;
        if dfa.start() == DEAD {
            return Ok(Beginning::default());
        }
        let begins = |&byte: &u8| dfa.step(dfa.start(), byte).is_some();
        let first_bytes = (0..=u8::MAX).filter(begins).collect();
        Ok(Beginning { first_bytes, is_nullable: dfa.is_accepting(dfa.start()) })
    }

    /// The same node for the same.
    fn node(&mut self, node: Node) -> NodeId {
        if let Some(&known) = self.nodes.get(&node) {
            return known;
        }
        let id = self.grammar.add(node.clone());
        self.nodes.insert(node, id);
        id
    }

    /// The rule of a template with arguments.
    fn instance(&mut self, name: NameId, arguments: Vec<NodeId>) -> Result<NodeId, Error> {
        let key = (name, arguments);
        if let Some(&known) = self.instances.get(&key) {
            return Ok(self.node(Node::Rule(known)));
        }
        let place = self.definitions.definition(name).map(|definition| definition.place);
        let rule = self.declare(self.definitions.name(name), place.unwrap_or_default())?;
        self.open.push((rule, name, key.1.clone()));
        self.instances.insert(key, rule);
        Ok(self.node(Node::Rule(rule)))
    }

    /// Adds terminals and templates that nothing uses as rules, which are then found to be unused.
    fn unused(&mut self) {
        let definitions = self.definitions;
        let visible =
            definitions.all.iter().filter(|definition| is_visible(definition, definitions));
        let bodies = visible.flat_map(|definition| &definition.bodies).chain(&definitions.ignored);
        let mut used = rustc_hash::FxHashSet::default();
        for (_, expression) in bodies.flat_map(|&body| definitions.parts(body)) {
            if let Expression::Name { name, .. } | Expression::Template { name, .. } = expression {
                used.insert(*name);
            }
        }
        for definition in &definitions.all {
            let is_rule = self.rules.contains_key(&definition.name);
            if is_visible(definition, definitions) && !is_rule && !used.contains(&definition.name) {
                self.grammar.declare(definitions.name(definition.name), definition.place);
            }
        }
    }
}

/// Whether the grammar names it, and doesn't only import what it consists of.
fn is_visible(definition: &Definition, definitions: &Definitions) -> bool {
    !definitions.name(definition.name).contains(INNER)
}
