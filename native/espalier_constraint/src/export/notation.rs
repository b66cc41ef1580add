//! [`write`]: a node in the notation of a target.

use super::rules::{Node, NodeId, Rules};
use super::set::CharacterSet;

/// How a target writes what nodes consist of.
pub(crate) trait Notation {
    /// Between the parts of a sequence, and between those of a choice.
    const SPACE: &'static str;
    const OR: &'static str;
    /// Around what belongs together.
    const GROUP: (&'static str, &'static str);

    /// Whether a text is written so that what repeats it means all of it.
    fn is_atom(&self, text: &str) -> bool;
    fn text(&self, out: &mut String, text: &str);
    fn set(&self, out: &mut String, set: &CharacterSet);
    /// Behind what is repeated, which is the string from the index on.
    fn repeat(&self, out: &mut String, start: usize, min: u32, max: Option<u32>);
    /// The name that a node is written by, if it has one.
    fn name(&self, node: NodeId, rules: &Rules) -> Option<String>;
}

/// What encloses a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Around {
    Nothing,
    Choice,
    Sequence,
    Repeat,
}

/// Writes a node. How deep it is nested has a bound.
pub(crate) fn write(
    out: &mut String,
    rules: &Rules,
    id: NodeId,
    around: Around,
    notation: &impl Notation,
) {
    if let Some(name) = notation.name(id, rules) {
        return out.push_str(&name);
    }
    write_body(out, rules, id, around, notation);
}

/// Writes a node by what it consists of, even if it has a name.
pub(crate) fn write_body<N: Notation>(
    out: &mut String,
    rules: &Rules,
    id: NodeId,
    around: Around,
    notation: &N,
) {
    let group = |out: &mut String, is_needed: bool, inner: &dyn Fn(&mut String)| {
        let (open, close) = if is_needed { N::GROUP } else { ("", "") };
        out.push_str(open);
        inner(out);
        out.push_str(close);
    };
    let joined = |out: &mut String, parts: &[NodeId], separator: &str, around: Around| {
        for (index, &part) in parts.iter().enumerate() {
            out.push_str(if index == 0 { "" } else { separator });
            write(out, rules, part, around, notation);
        }
    };
    match rules.node(id) {
        Node::Nothing | Node::Rule(_) => {}
        Node::Special(name) => out.push_str(name),
        Node::Text(text) => {
            let is_apart = around == Around::Repeat && !notation.is_atom(text);
            group(out, is_apart, &|out| notation.text(out, text));
        }
        Node::Set(set) => notation.set(out, set),
        Node::Lexeme(of) => write(out, rules, *of, around, notation),
        Node::Sequence(parts) => group(out, around >= Around::Repeat, &|out| {
            joined(out, parts, N::SPACE, Around::Sequence);
        }),
        Node::Choice(parts) => group(out, around >= Around::Sequence, &|out| {
            joined(out, parts, N::OR, Around::Choice);
        }),
        Node::Repeat { of, min, max } => group(out, around >= Around::Repeat, &|out| {
            let start = out.len();
            write(out, rules, *of, Around::Repeat, notation);
            notation.repeat(out, start, *min, *max);
        }),
    }
}

/// `?`, `*` and `+`, where one of them is meant.
pub(crate) fn sign(min: u32, max: Option<u32>) -> Option<char> {
    match (min, max) {
        (0, Some(1)) => Some('?'),
        (0, None) => Some('*'),
        (1, None) => Some('+'),
        _ => None,
    }
}
