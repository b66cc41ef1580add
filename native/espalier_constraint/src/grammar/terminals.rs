//! [`Terminals`]: the terminals of a grammar, each once.

use rustc_hash::FxHashMap;

use super::rules::{Grammar, Node, NodeId, Place, Terminal};

/// The nodes of terminals, by pattern.
#[derive(Debug, Default)]
pub(crate) struct Terminals {
    nodes: FxHashMap<String, NodeId>,
}

impl Terminals {
    /// The node of texts that match the pattern as a whole. The place is that of its first use.
    pub(crate) fn regex(&mut self, grammar: &mut Grammar, pattern: String, place: Place) -> NodeId {
        if let Some(&known) = self.nodes.get(&pattern) {
            return known;
        }
        let node = grammar.add_terminal(Terminal::Regex { pattern: pattern.clone(), place });
        self.nodes.insert(pattern, node);
        node
    }
}

impl Grammar {
    /// One node for some, one after the other.
    pub(crate) fn sequence(&mut self, nodes: Vec<NodeId>) -> NodeId {
        if let [node] = nodes[..] { node } else { self.add(Node::Sequence(nodes)) }
    }

    /// One node for one of some.
    pub(crate) fn choice(&mut self, nodes: Vec<NodeId>) -> NodeId {
        if let [node] = nodes[..] { node } else { self.add(Node::Choice(nodes)) }
    }
}
