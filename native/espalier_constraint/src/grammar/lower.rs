//! [`lower`]: rules as productions, each a sequence of symbols.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::lexeme::{Lexeme, Pattern};
use super::regular::{Join, Regular};
use super::rules::{Grammar, Node, NodeId, RuleId, Terminal, TerminalId};
use super::special_tokens;
use super::until::until;
use crate::automaton::LazyAutomaton;
use crate::error::Error;
use crate::json_schema::{self, Automata, JsonSchemaOptions};
use crate::meter::Meter;
use crate::regex::{self, RegexSyntax};
use crate::vocabulary::Vocabulary;

/// The states of automata that are minimised: it takes long for large ones, and gains little.
const MAX_MINIMIZED: usize = 2000;

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
    /// A symbol and the same again, or what comes behind all of them. So what is behind the symbol is what was
    /// before it, however often it has come.
    Loop {
        of: Symbol,
        rest: Vec<Symbol>,
    },
}

/// The automata of patterns, by what was written.
pub(crate) type Patterns = FxHashMap<String, Arc<Pattern>>;

/// Texts of a rule of a grammar as it was written, symbol by symbol.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) lexemes: Vec<Lexeme>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) start: u32,
}

/// # Errors
/// Those of the schemas, and [`Error::LimitExceeded`].
pub(crate) fn lower(
    (grammar, start): (&Grammar, RuleId),
    options: JsonSchemaOptions,
    patterns: &FxHashMap<TerminalId, Arc<Pattern>>,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<Lowered, Error> {
    let mut lowering = Lowering {
        grammar,
        options,
        patterns,
        regular: Regular::new((grammar, start), patterns, meter)?,
        vocabulary,
        meter,
        lowered: Lowered { lexemes: Vec::new(), shapes: Vec::new(), start: 0 },
        texts: FxHashMap::default(),
        terminals: FxHashMap::default(),
        fused: FxHashMap::default(),
        nodes: FxHashMap::default(),
        loops: FxHashMap::default(),
        open: Vec::new(),
    };
    lowering.lowered.start = lowering.inner(grammar.rules[start as usize].body);
    while let Some((nonterminal, open)) = lowering.open.pop() {
        let shape = match open {
            Open::Node(node) => lowering.shape(node)?,
            Open::Loop(of, rest) => Shape::Loop { of, rest: lowering.rest(rest)? },
        };
        lowering.lowered.shapes[nonterminal as usize] = shape;
    }
    Ok(lowering.lowered)
}

/// The automata of the regular expressions among the terminals of a grammar.
///
/// # Errors
/// Those of the expressions, with their places.
pub(crate) fn patterns(
    grammar: &Grammar,
    known: &mut Patterns,
    meter: &Meter,
) -> Result<FxHashMap<TerminalId, Arc<Pattern>>, Error> {
    let mut patterns = FxHashMap::default();
    for (id, terminal) in (0..).zip(&grammar.terminals) {
        let made = match terminal {
            Terminal::Regex { pattern: text, .. } if known.contains_key(text) => {
                known[text].clone()
            }
            Terminal::Regex { pattern: text, place } => {
                let made = pattern(text, meter)
                    .map_err(|error| grammar.in_part(id, error.in_terminal(*place)))?;
                known.insert(text.clone(), made.clone());
                made
            }
            Terminal::EcmaRegex { pattern } => {
                let dfa = regex::compile_whole(pattern, RegexSyntax::Ecma, meter);
                Arc::new(Pattern::new(dfa.map_err(|error| grammar.in_part(id, error))?))
            }
            Terminal::Until { stops, end, max_tokens } => {
                let dfa = until(stops, end.map(|end| end as usize), meter)
                    .map_err(|error| grammar.in_part(id, error))?;
                let bounded = max_tokens.map(|max_tokens| Pattern::bounded(&dfa, max_tokens));
                Arc::new(bounded.unwrap_or_else(|| Pattern::new(dfa)))
            }
            Terminal::JsonSchema { .. } | Terminal::SpecialToken { .. } => continue,
        };
        patterns.insert(id, made);
    }
    Ok(patterns)
}

fn pattern(text: &str, meter: &Meter) -> Result<Arc<Pattern>, Error> {
    let dfa = regex::compile_terminal(text, meter)?;
    let dfa = if dfa.n_states() <= MAX_MINIMIZED { dfa.minimized() } else { dfa };
    Ok(Arc::new(Pattern::new(dfa)))
}

/// The languages of a grammar's terminals, in their order.
///
/// # Errors
/// Those of the schemas, and [`Error::LimitExceeded`].
pub(crate) fn lexemes(
    grammar: &Grammar,
    options: JsonSchemaOptions,
    patterns: &FxHashMap<TerminalId, Arc<Pattern>>,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<Vec<Lexeme>, Error> {
    let lexeme = |(id, terminal): (u32, &Terminal)| {
        lexeme(terminal, patterns.get(&id), options, vocabulary, meter)
            .map_err(|error| grammar.in_part(id, error))
    };
    (0..).zip(&grammar.terminals).map(lexeme).collect()
}

/// The language of a terminal, of which the pattern is known if it has one.
fn lexeme(
    terminal: &Terminal,
    pattern: Option<&Arc<Pattern>>,
    options: JsonSchemaOptions,
    vocabulary: &Arc<Vocabulary>,
    meter: &Meter,
) -> Result<Lexeme, Error> {
    match (terminal, pattern) {
        (_, Some(pattern)) => Ok(Lexeme::Pattern(pattern.clone())),
        (Terminal::JsonSchema { text, place }, None) => {
            let compiled =
                json_schema::compile(text, &[], options, &mut Automata::default(), meter)
                    .map_err(|error| error.in_terminal(*place))?;
            let automaton = LazyAutomaton::new(compiled, vocabulary.clone(), meter.clone());
            Ok(Lexeme::Json { automaton: Box::new(automaton), is_bare: false })
        }
        (Terminal::SpecialToken { name }, None) => {
            Ok(Lexeme::Text(special_tokens::spelling(name, vocabulary)))
        }
        (Terminal::Regex { .. } | Terminal::EcmaRegex { .. } | Terminal::Until { .. }, None) => {
            unreachable!("all patterns are made before")
        }
    }
}

struct Lowering<'a> {
    grammar: &'a Grammar,
    options: JsonSchemaOptions,
    patterns: &'a FxHashMap<TerminalId, Arc<Pattern>>,
    regular: Regular<'a>,
    vocabulary: &'a Arc<Vocabulary>,
    meter: &'a Meter,
    lowered: Lowered,
    /// The terminals of literal texts.
    texts: FxHashMap<Box<[u8]>, u32>,
    terminals: FxHashMap<TerminalId, u32>,
    /// Those of several nodes, one of them or one after the other, if they aren't too large.
    fused: FxHashMap<(Join, Box<[NodeId]>), Option<u32>>,
    /// The nonterminals of nodes.
    nodes: FxHashMap<NodeId, u32>,
    /// Those of repetitions with what is behind them.
    loops: FxHashMap<(Symbol, Option<PartId>), u32>,
    /// Nonterminals whose shape is not known yet.
    open: Vec<(u32, Open)>,
}

/// A part of a sequence, by its index.
type PartId = (NodeId, usize);

/// What a nonterminal is made of.
enum Open {
    Node(NodeId),
    /// A repetition, with what is behind it from some part on.
    Loop(Symbol, Option<PartId>),
}

impl Lowering<'_> {
    /// The nonterminal of a node.
    fn inner(&mut self, node: NodeId) -> u32 {
        if let Some(&known) = self.nodes.get(&node) {
            return known;
        }
        let id = self.lowered.shapes.len() as u32;
        self.lowered.shapes.push(Shape::OneOf(Vec::new()));
        self.open.push((id, Open::Node(node)));
        self.nodes.insert(node, id);
        id
    }

    fn shape(&mut self, node: NodeId) -> Result<Shape, Error> {
        if let Some(terminal) = self.fused(Join::Sequence, &[node])? {
            return Ok(Shape::OneOf(vec![vec![Symbol::Terminal(terminal)]]));
        }
        let grammar = self.grammar;
        Ok(match &grammar.nodes[node as usize] {
            Node::Choice(choices) => Shape::OneOf(self.choices(choices)?),
            &Node::Repeat { of, min, max } if self.repetition(node).is_none() => {
                Shape::Repeat { of: self.repeated(of)?, min, max }
            }
            _ => Shape::OneOf(vec![self.production(node)?]),
        })
    }

    /// The productions of a choice; those that may be one terminal are.
    fn choices(&mut self, choices: &[NodeId]) -> Result<Vec<Vec<Symbol>>, Error> {
        let is_part = |node: &NodeId| self.regular.is_part(*node);
        let (parts, mut others): (Vec<_>, Vec<_>) = choices.iter().copied().partition(is_part);
        let mut productions = Vec::new();
        match self.fused(Join::Choice, &parts)? {
            Some(terminal) => productions.push(vec![Symbol::Terminal(terminal)]),
            None => others = choices.to_vec(),
        }
        for choice in others {
            productions.push(self.production(choice)?);
        }
        Ok(productions)
    }

    /// The symbol of what is repeated.
    fn repeated(&mut self, of: NodeId) -> Result<Symbol, Error> {
        let symbol = self.symbol(of)?;
        Ok(symbol.unwrap_or_else(|| Symbol::Nonterminal(self.inner(of))))
    }

    /// The symbols of a node, one after the other.
    fn production(&mut self, node: NodeId) -> Result<Vec<Symbol>, Error> {
        self.rest(Some((node, 0)))
    }

    /// The symbols of a node from a part on.
    fn rest(&mut self, from: Option<PartId>) -> Result<Vec<Symbol>, Error> {
        let Some((node, from)) = from else { return Ok(Vec::new()) };
        let grammar = self.grammar;
        let parts = match &grammar.nodes[node as usize] {
            Node::Sequence(parts) => &parts[..],
            _ => &[node],
        };
        let (mut symbols, mut at) = (Vec::new(), from);
        while let Some(&first) = parts.get(at) {
            if let Some((of, min)) = self.repetition(first) {
                let of = self.repeated(of)?;
                symbols.extend((min == 1).then_some(of));
                let rest = (at + 1 < parts.len()).then_some((node, at + 1));
                symbols.push(Symbol::Nonterminal(self.looping(of, rest)));
                break;
            }
            let (symbol, n) = self.next_symbol(first, &parts[at..])?;
            self.meter.spend(1 + n)?;
            symbols.extend(symbol);
            at += n;
        }
        Ok(symbols)
    }

    /// What a node repeats without a bound, and whether it comes once at least.
    fn repetition(&self, node: NodeId) -> Option<(NodeId, u32)> {
        let nodes = &self.grammar.nodes;
        let body = match nodes[node as usize] {
            Node::Rule(rule) => self.grammar.rules[rule as usize].body,
            _ => node,
        };
        match nodes[body as usize] {
            Node::Repeat { of, min: min @ 0..=1, max: None } if !self.regular.is_part(node) => {
                Some((of, min))
            }
            _ => None,
        }
    }

    fn looping(&mut self, of: Symbol, rest: Option<PartId>) -> u32 {
        if let Some(&known) = self.loops.get(&(of, rest)) {
            return known;
        }
        let id = self.lowered.shapes.len() as u32;
        self.lowered.shapes.push(Shape::OneOf(Vec::new()));
        self.open.push((id, Open::Loop(of, rest)));
        self.loops.insert((of, rest), id);
        id
    }

    /// The symbol of the first nodes of a sequence, as many as may be one terminal.
    fn next_symbol(
        &mut self,
        first: NodeId,
        rest: &[NodeId],
    ) -> Result<(Option<Symbol>, usize), Error> {
        let text: Vec<&[u8]> = rest.iter().map_while(|&part| self.literal(part)).collect();
        let (text, n_texts) = (text.concat(), text.len());
        let n_parts = self.regular.n_parts(rest);
        if n_texts >= n_parts.max(1) {
            return Ok((self.text(&text)?, n_texts));
        }
        match self.fused(Join::Sequence, &rest[..n_parts])? {
            Some(terminal) => Ok((Some(Symbol::Terminal(terminal)), n_parts)),
            None if n_texts > 0 => Ok((self.text(&text)?, n_texts)),
            None => Ok((self.symbol(first)?, 1)),
        }
    }

    /// One terminal for some nodes, where that is possible and they are more than a terminal already.
    fn fused(&mut self, join: Join, nodes: &[NodeId]) -> Result<Option<u32>, Error> {
        let is_part = |node: &NodeId| self.regular.is_part(*node);
        let is_more = match nodes {
            [] => false,
            [only] => {
                !matches!(self.grammar.nodes[*only as usize], Node::Literal(_) | Node::Terminal(_))
            }
            _ => true,
        };
        if !is_more || !nodes.iter().all(is_part) {
            return Ok(None);
        }
        let key = (join, nodes.iter().map(|&node| self.body(node)).collect::<Box<[_]>>());
        if let Some(&known) = self.fused.get(&key) {
            return Ok(known);
        }
        let pattern = self.regular.automaton(join, nodes)?;
        let terminal = pattern.map(|pattern| self.push(Lexeme::Pattern(Arc::new(pattern))));
        self.fused.insert(key, terminal);
        Ok(terminal)
    }

    /// The node that a node which isn't recursive stands for.
    fn body(&self, mut node: NodeId) -> NodeId {
        while let Node::Rule(rule) = &self.grammar.nodes[node as usize] {
            node = self.grammar.rules[*rule as usize].body;
        }
        node
    }

    fn literal(&self, node: NodeId) -> Option<&'_ [u8]> {
        if let Node::Literal(text) = &self.grammar.nodes[node as usize] { Some(text) } else { None }
    }

    /// The symbol of a node; `None` for the empty text.
    fn symbol(&mut self, node: NodeId) -> Result<Option<Symbol>, Error> {
        self.meter.spend(1)?;
        if let Some(terminal) = self.fused(Join::Sequence, &[node])? {
            return Ok(Some(Symbol::Terminal(terminal)));
        }
        let grammar = self.grammar;
        Ok(match &grammar.nodes[node as usize] {
            Node::Literal(text) => self.text(text)?,
            Node::Terminal(terminal) => Some(Symbol::Terminal(self.terminal(*terminal)?)),
            Node::Rule(rule) => {
                let body = grammar.rules[*rule as usize].body;
                Some(Symbol::Nonterminal(self.inner(body)))
            }
            Node::Sequence(parts) if parts.is_empty() => None,
            Node::Sequence(_) | Node::Choice(_) | Node::Repeat { .. } => {
                Some(Symbol::Nonterminal(self.inner(node)))
            }
        })
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
        let (written, pattern) =
            (&self.grammar.terminals[terminal as usize], self.patterns.get(&terminal));
        let lexeme = lexeme(written, pattern, self.options, self.vocabulary, self.meter)
            .map_err(|error| self.grammar.in_part(terminal, error))?;
        let id = self.push(lexeme);
        self.terminals.insert(terminal, id);
        Ok(id)
    }

    fn push(&mut self, lexeme: Lexeme) -> u32 {
        self.lowered.lexemes.push(lexeme);
        (self.lowered.lexemes.len() - 1) as u32
    }
}
