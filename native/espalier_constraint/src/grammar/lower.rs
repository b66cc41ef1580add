//! [`lower`]: rules as productions, each a sequence of symbols.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lexeme::{Lexeme, Pattern};
use super::rules::{Grammar, Node, NodeId, RuleId, Terminal, TerminalId};
use super::until::until;
use crate::automaton::LazyAutomaton;
use crate::error::Error;
use crate::json_schema::{self, Automata, JsonSchemaOptions};
use crate::limits::limit;
use crate::meter::Meter;
use crate::regex;
use crate::vocabulary::Vocabulary;

/// What a production is made of: terminals and nonterminals, each kind by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Symbol {
    Terminal(u32),
    Nonterminal(u32),
}

/// What a nonterminal stands for.
#[derive(Debug)]
pub(crate) enum Shape {
    /// One of some sequences.
    OneOf(Vec<Vec<Symbol>>),
    Repeat {
        of: Symbol,
        min: u32,
        max: Option<u32>,
    },
}

/// The automata of patterns, by what was written.
pub(crate) type Patterns = FxHashMap<String, Arc<Pattern>>;

/// A grammar as it was written, symbol by symbol.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) lexemes: Vec<Lexeme>,
    pub(crate) shapes: Vec<Shape>,
    /// By nonterminal, the rule that it is a part of.
    pub(crate) rules: Vec<RuleId>,
    /// By rule, its nonterminal, if some other rule leads to it.
    pub(crate) by_rule: Vec<Option<u32>>,
    pub(crate) start: u32,
}

/// # Errors
/// Those of the grammar's terminals, and [`Error::LimitExceeded`].
pub(crate) fn lower(
    grammar: &Grammar,
    options: JsonSchemaOptions,
    patterns: &mut Patterns,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<Lowered, Error> {
    limit!(meter.limits(), grammar_rules).check(grammar.rules.len())?;
    limit!(meter.limits(), grammar_nodes).check(grammar.nodes.len())?;
    let mut lowering = Lowering::new(grammar, options, patterns, vocabulary, meter);
    lowering.lowered.start = lowering.rule(grammar.start);
    while let Some((nonterminal, node)) = lowering.open.pop() {
        let shape = lowering.shape(node, lowering.lowered.rules[nonterminal as usize])?;
        lowering.lowered.shapes[nonterminal as usize] = shape;
    }
    Ok(lowering.lowered)
}

/// The languages of a grammar's terminals, in their order.
///
/// # Errors
/// Those of the terminals, and [`Error::LimitExceeded`].
pub(crate) fn lexemes(
    grammar: &Grammar,
    options: JsonSchemaOptions,
    patterns: &mut Patterns,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<Vec<Lexeme>, Error> {
    let mut lowering = Lowering::new(grammar, options, patterns, vocabulary, meter);
    grammar.terminals.iter().map(|terminal| lowering.lexeme(terminal)).collect()
}

struct Lowering<'a> {
    grammar: &'a Grammar,
    options: JsonSchemaOptions,
    patterns: &'a mut Patterns,
    vocabulary: &'a Arc<Vocabulary>,
    meter: &'a Meter,
    lowered: Lowered,
    /// The terminals of literal texts.
    texts: FxHashMap<Box<[u8]>, u32>,
    terminals: FxHashMap<TerminalId, u32>,
    /// The nonterminals of nodes within rules.
    nodes: FxHashMap<NodeId, u32>,
    /// Nonterminals whose shape is not known yet, with their nodes.
    open: Vec<(u32, NodeId)>,
}

impl<'a> Lowering<'a> {
    fn new(
        grammar: &'a Grammar,
        options: JsonSchemaOptions,
        patterns: &'a mut Patterns,
        vocabulary: &'a Arc<Vocabulary>,
        meter: &'a Meter,
    ) -> Self {
        let lowered = Lowered {
            lexemes: Vec::new(),
            shapes: Vec::new(),
            rules: Vec::new(),
            by_rule: vec![None; grammar.rules.len()],
            start: 0,
        };
        Self {
            grammar,
            options,
            patterns,
            vocabulary,
            meter,
            lowered,
            texts: FxHashMap::default(),
            terminals: FxHashMap::default(),
            nodes: FxHashMap::default(),
            open: Vec::new(),
        }
    }

    fn nonterminal(&mut self, node: NodeId, rule: RuleId) -> u32 {
        let id = self.lowered.shapes.len() as u32;
        self.lowered.shapes.push(Shape::OneOf(Vec::new()));
        self.lowered.rules.push(rule);
        self.open.push((id, node));
        id
    }

    fn rule(&mut self, rule: RuleId) -> u32 {
        if let Some(known) = self.lowered.by_rule[rule as usize] {
            return known;
        }
        let nonterminal = self.nonterminal(self.grammar.rules[rule as usize].body, rule);
        self.lowered.by_rule[rule as usize] = Some(nonterminal);
        nonterminal
    }

    fn shape(&mut self, node: NodeId, rule: RuleId) -> Result<Shape, Error> {
        Ok(match &self.grammar.nodes[node as usize] {
            Node::Choice(choices) => {
                let each = choices.iter().map(|&choice| self.production(choice, rule));
                Shape::OneOf(each.collect::<Result<_, _>>()?)
            }
            &Node::Repeat { of, min, max } => {
                let of = match self.production(of, rule)?[..] {
                    [symbol] => symbol,
                    _ => Symbol::Nonterminal(self.inner(of, rule)),
                };
                Shape::Repeat { of, min, max }
            }
            _ => Shape::OneOf(vec![self.production(node, rule)?]),
        })
    }

    /// The symbols of a node, one after the other.
    fn production(&mut self, node: NodeId, rule: RuleId) -> Result<Vec<Symbol>, Error> {
        let grammar = self.grammar;
        let Node::Sequence(parts) = &grammar.nodes[node as usize] else {
            return Ok(self.symbol(node, rule)?.into_iter().collect());
        };
        self.meter.spend(1 + parts.len())?;
        let (mut symbols, mut rest) = (Vec::new(), &parts[..]);
        while let Some(&first) = rest.first() {
            let literals = rest.iter().map_while(|&part| self.literal(part));
            let text: Vec<&[u8]> = literals.collect();
            if text.is_empty() {
                symbols.extend(self.symbol(first, rule)?);
                rest = &rest[1..];
            } else {
                rest = &rest[text.len()..];
                symbols.extend(self.text(&text.concat())?);
            }
        }
        Ok(symbols)
    }

    fn literal(&self, node: NodeId) -> Option<&'_ [u8]> {
        if let Node::Literal(text) = &self.grammar.nodes[node as usize] { Some(text) } else { None }
    }

    /// The symbol of a node; `None` for the empty text.
    fn symbol(&mut self, node: NodeId, rule: RuleId) -> Result<Option<Symbol>, Error> {
        self.meter.spend(1)?;
        let grammar = self.grammar;
        Ok(match &grammar.nodes[node as usize] {
            Node::Literal(text) => self.text(text)?,
            Node::Terminal(terminal) => Some(Symbol::Terminal(self.terminal(*terminal)?)),
            Node::Rule(rule) => Some(Symbol::Nonterminal(self.rule(*rule))),
            Node::Sequence(parts) if parts.is_empty() => None,
            Node::Sequence(_) | Node::Choice(_) | Node::Repeat { .. } => {
                Some(Symbol::Nonterminal(self.inner(node, rule)))
            }
        })
    }

    /// The nonterminal of a node within a rule.
    fn inner(&mut self, node: NodeId, rule: RuleId) -> u32 {
        if let Some(&known) = self.nodes.get(&node) {
            return known;
        }
        let nonterminal = self.nonterminal(node, rule);
        self.nodes.insert(node, nonterminal);
        nonterminal
    }

    fn text(&mut self, text: &[u8]) -> Result<Option<Symbol>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        self.meter.spend(1 + text.len() / 16)?;
        if let Some(&known) = self.texts.get(text) {
            return Ok(Some(Symbol::Terminal(known)));
        }
        let id = self.push(Lexeme::Text(text.into()));
        self.texts.insert(text.into(), id);
        Ok(Some(Symbol::Terminal(id)))
    }

    fn terminal(&mut self, terminal: TerminalId) -> Result<u32, Error> {
        if let Some(&known) = self.terminals.get(&terminal) {
            return Ok(known);
        }
        let lexeme = self.lexeme(&self.grammar.terminals[terminal as usize])?;
        let id = self.push(lexeme);
        self.terminals.insert(terminal, id);
        Ok(id)
    }

    fn lexeme(&mut self, terminal: &Terminal) -> Result<Lexeme, Error> {
        match terminal {
            Terminal::Regex { pattern, place } => {
                self.pattern(pattern).map_err(|error| error.in_terminal(*place))
            }
            Terminal::JsonSchema { text, place } => {
                self.json(text).map_err(|error| error.in_terminal(*place))
            }
            Terminal::Until { stops, end } => {
                let dfa = until(stops, end.map(|end| end as usize), self.meter)?;
                Ok(Lexeme::Pattern(Arc::new(Pattern::new(dfa))))
            }
        }
    }

    fn pattern(&mut self, pattern: &str) -> Result<Lexeme, Error> {
        if let Some(known) = self.patterns.get(pattern) {
            return Ok(Lexeme::Pattern(known.clone()));
        }
        let dfa = regex::compile(pattern, self.meter)?;
        // It takes long for large ones, and gains little.
        const MAX_MINIMIZED: usize = 2000;
        let dfa = if dfa.n_states() <= MAX_MINIMIZED { dfa.minimized() } else { dfa };
        let made = Arc::new(Pattern::new(dfa));
        self.patterns.insert(pattern.to_owned(), made.clone());
        Ok(Lexeme::Pattern(made))
    }

    fn json(&self, schema: &str) -> Result<Lexeme, Error> {
        let compiled =
            json_schema::compile(schema, &[], self.options, &mut Automata::default(), self.meter)?;
        let automaton = LazyAutomaton::new(compiled, self.vocabulary.clone(), self.meter.clone());
        Ok(Lexeme::Json(Box::new(automaton)))
    }

    fn push(&mut self, lexeme: Lexeme) -> u32 {
        self.lowered.lexemes.push(lexeme);
        (self.lowered.lexemes.len() - 1) as u32
    }
}
