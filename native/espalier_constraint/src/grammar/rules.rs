//! [`Grammar`]: the rules of a context-free grammar, whichever syntax they were written in.
//!
//! What rules consist of lies in an arena, so that nothing recurses on how deep a grammar is nested.

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
    /// them.
    Until { stops: Vec<String>, end: Option<u32> },
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
}
