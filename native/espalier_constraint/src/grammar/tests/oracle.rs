//! A recogniser that shares nothing with the engine: which parts of a text each node matches, found by
//! asking again until nothing changes.

use crate::grammar::rules::{Grammar, Node, Terminal};

/// By start, the ends as bits; texts have 127 bytes at most.
type Spans = Vec<u128>;

pub(super) struct Oracle<'a> {
    grammar: &'a Grammar,
    patterns: Vec<Option<regex::bytes::Regex>>,
}

impl<'a> Oracle<'a> {
    pub(super) fn new(grammar: &'a Grammar) -> Self {
        let patterns = grammar.terminals.iter().map(|terminal| match terminal {
            Terminal::Regex { pattern, .. } => {
                Some(regex::bytes::Regex::new(&format!("^(?:{pattern})$")).unwrap())
            }
            _ => None,
        });
        Self { grammar, patterns: patterns.collect() }
    }

    pub(super) fn accepts(&self, text: &[u8]) -> bool {
        assert!(text.len() < 128);
        let n = text.len();
        let mut spans: Vec<Spans> = vec![vec![0; n + 1]; self.grammar.nodes.len()];
        for (node, spans) in self.grammar.nodes.iter().zip(&mut spans) {
            for (start, ends) in spans.iter_mut().enumerate() {
                *ends = self.leaf(node, text, start);
            }
        }
        loop {
            let mut has_changed = false;
            for (index, node) in self.grammar.nodes.iter().enumerate() {
                for start in 0..=n {
                    let ends = spans[index][start] | self.ends(node, &spans, start);
                    has_changed |= ends != spans[index][start];
                    spans[index][start] = ends;
                }
            }
            if !has_changed {
                break;
            }
        }
        let body = self.grammar.rules[self.grammar.start as usize].body;
        spans[body as usize][0] >> n & 1 == 1
    }

    fn leaf(&self, node: &Node, text: &[u8], start: usize) -> u128 {
        match node {
            Node::Literal(literal) if text[start..].starts_with(literal) => {
                1 << (start + literal.len())
            }
            Node::Terminal(terminal) => {
                let matches = |part: &[u8]| match &self.patterns[*terminal as usize] {
                    Some(pattern) => pattern.is_match(part),
                    None => serde_json::from_slice::<serde_json::Value>(part).is_ok(),
                };
                (start..=text.len())
                    .filter(|&end| matches(&text[start..end]))
                    .map(|end| 1 << end)
                    .sum()
            }
            _ => 0,
        }
    }

    fn ends(&self, node: &Node, spans: &[Spans], start: usize) -> u128 {
        match node {
            Node::Literal(_) | Node::Terminal(_) => 0,
            Node::Rule(rule) => spans[self.grammar.rules[*rule as usize].body as usize][start],
            Node::Choice(choices) => {
                choices.iter().fold(0, |ends, &choice| ends | spans[choice as usize][start])
            }
            Node::Sequence(parts) => {
                parts.iter().fold(1 << start, |starts, &part| after(starts, &spans[part as usize]))
            }
            Node::Repeat { of, min, max } => {
                let (mut starts, mut ends) = (1 << start, 0);
                for count in 0.. {
                    if count >= *min {
                        ends |= starts;
                    }
                    let next = after(starts, &spans[*of as usize]);
                    // Beyond that many there are only more that are empty.
                    let most = max.unwrap_or(min + spans[0].len() as u32 + 1);
                    if count >= most || next == 0 {
                        break;
                    }
                    starts = next;
                }
                ends
            }
        }
    }
}

fn after(starts: u128, spans: &Spans) -> u128 {
    (0..spans.len())
        .filter(|start| starts >> start & 1 == 1)
        .fold(0, |ends, start| ends | spans[start])
}
