//! [`Grammar`]: the rules of a context-free grammar, whichever syntax they were written in.
//!
//! What rules consist of lies in an arena, so that nothing recurses on how deep a grammar is nested.

use std::ops::Range;

use crate::error::Error;

/// The number of a rule.
pub(crate) type RuleId = u32;
/// The number of a node.
pub(crate) type NodeId = u32;
/// The number of a terminal.
pub(crate) type TerminalId = u32;

/// The rules of a grammar.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grammar {
    pub(crate) rules: Vec<Rule>,
    /// The rule of whole texts.
    pub(crate) start: RuleId,
    /// The rules whose texts are wanted by name.
    pub(crate) captures: Vec<RuleId>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) terminals: Vec<Terminal>,
    /// The grammars that are parts of it.
    pub(crate) included: Vec<Included>,
    /// Where its other terminals stand, if it is made of parts. It isn't stored: what was compiled once is right.
    pub(crate) pointers: Vec<(TerminalId, String)>,
}

/// A grammar that is a part of a text, and what of the rules is its own.
#[derive(Clone, Debug)]
pub(crate) struct Included {
    /// Where it stands in the parts.
    pub(crate) pointer: String,
    pub(crate) start: RuleId,
    pub(crate) rules: Range<RuleId>,
    pub(crate) terminals: Range<TerminalId>,
}

/// A rule by its name.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) body: NodeId,
    /// Where it is defined.
    pub(crate) place: Place,
}

/// A place in the text of a grammar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The column in characters, from 1.
    pub(crate) column: usize,
}

/// A part of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    /// These bytes.
    Literal(Vec<u8>),
    Terminal(TerminalId),
    Rule(RuleId),
    /// One after the other; the empty text if there are none.
    Sequence(Vec<NodeId>),
    /// One of them.
    Choice(Vec<NodeId>),
    /// As many times.
    Repeat {
        of: NodeId,
        min: u32,
        max: Option<u32>,
    },
}

/// A language that is not made of rules.
#[derive(Clone, Debug)]
pub(crate) enum Terminal {
    /// A text that the pattern matches as a whole, in the syntax of the `regex` crate. Flags stand in the
    /// pattern, as `(?i)`.
    Regex { pattern: String, place: Place },
    /// A text that the pattern matches as a whole, in the syntax of ECMA 262.
    EcmaRegex { pattern: String },
    /// The JSON text of a value that satisfies the schema, of which this is the text.
    JsonSchema { text: String, place: Place },
    /// Any text up to the first of these, with the one of the index; without one, a text without any of
    /// them. When that many tokens lie in it, it ends as soon as it can.
    Until { stops: Vec<String>, end: Option<u32>, max_tokens: Option<u32> },
    /// The token of that name, which stands for no text; where the vocabulary has none, the name as a text.
    SpecialToken { name: String },
}

impl Grammar {
    /// A rule whose body comes later; until then it is the empty text.
    pub(crate) fn declare(&mut self, name: impl Into<String>, place: Place) -> RuleId {
        let body = self.add(Node::Sequence(Vec::new()));
        self.rules.push(Rule { name: name.into(), body, place });
        (self.rules.len() - 1) as RuleId
    }

    /// Gives a rule its body.
    pub(crate) fn define(&mut self, rule: RuleId, body: NodeId) {
        self.rules[rule as usize].body = body;
    }

    pub(crate) fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        (self.nodes.len() - 1) as NodeId
    }

    /// The node of a terminal.
    pub(crate) fn add_terminal(&mut self, terminal: Terminal) -> NodeId {
        self.terminals.push(terminal);
        let id = (self.terminals.len() - 1) as TerminalId;
        self.add(Node::Terminal(id))
    }
    /// Takes another grammar in as a part; answers with the node of its texts. Names are not looked up
    /// afterwards, so those of both have nothing to do with each other.
    pub(crate) fn include(&mut self, other: Self, pointer: &str) -> NodeId {
        let [rules, nodes, terminals] =
            [self.rules.len(), self.nodes.len(), self.terminals.len()].map(|n| n as u32);
        self.rules
            .extend(other.rules.into_iter().map(|rule| Rule { body: nodes + rule.body, ..rule }));
        let node = |node: Node| node.renumbered(rules, nodes, terminals);
        self.nodes.extend(other.nodes.into_iter().map(node));
        self.terminals.extend(other.terminals);
        let start = rules + other.start;
        self.included.push(Included {
            pointer: pointer.to_owned(),
            start,
            rules: rules..self.rules.len() as u32,
            terminals: terminals..self.terminals.len() as u32,
        });
        self.add(Node::Rule(start))
    }

    /// The grammar within parts that a rule belongs to.
    pub(crate) fn around_rule(&self, rule: RuleId) -> Option<&Included> {
        self.included.iter().find(|included| included.rules.contains(&rule))
    }

    /// What is wrong with a terminal, with its place in parts or that of the grammar that it belongs to.
    pub(crate) fn in_part(&self, terminal: TerminalId, error: Error) -> Error {
        let included = self.included.iter().find(|included| included.terminals.contains(&terminal));
        let own = || self.pointers.iter().find(|(id, _)| *id == terminal);
        match included.map(|included| &included.pointer).or_else(|| Some(&own()?.1)) {
            Some(pointer) => error.in_part(pointer),
            None => error,
        }
    }
}

impl Node {
    /// The same where numbers begin with these.
    fn renumbered(self, rules: RuleId, nodes: NodeId, terminals: TerminalId) -> Self {
        let each = |parts: Vec<NodeId>| parts.into_iter().map(|part| nodes + part).collect();
        match self {
            Self::Literal(text) => Self::Literal(text),
            Self::Terminal(terminal) => Self::Terminal(terminals + terminal),
            Self::Rule(rule) => Self::Rule(rules + rule),
            Self::Sequence(parts) => Self::Sequence(each(parts)),
            Self::Choice(parts) => Self::Choice(each(parts)),
            Self::Repeat { of, min, max } => Self::Repeat { of: nodes + of, min, max },
        }
    }
}
