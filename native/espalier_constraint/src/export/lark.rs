//! Rules in the syntax of Lark, as Lark and llguidance read it.

use std::fmt::Write;

use super::notation::{Around, Notation, sign, write, write_body};
use super::pieces::{Naming, Pieces};
use super::regex::Expression;
use super::rules::{EMPTY, Node, NodeId, Rules};
use super::set::CharacterSet;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

struct Lark {
    pieces: Pieces,
    /// Whether each character is a terminal.
    by_character: bool,
}

const EXPRESSION: Expression = Expression { is_delimited: true };

impl Notation for Lark {
    const SPACE: &'static str = " ";
    const OR: &'static str = " | ";
    const GROUP: (&'static str, &'static str) = ("(", ")");

    fn is_atom(&self, text: &str) -> bool {
        !self.by_character || text.chars().nth(1).is_none()
    }

    fn text(&self, out: &mut String, text: &str) {
        if self.by_character && text.chars().nth(1).is_some() {
            let mut is_first = true;
            for character in text.chars() {
                out.push_str(if std::mem::take(&mut is_first) { "" } else { " " });
                self.text(out, character.encode_utf8(&mut [0; 4]));
            }
            return;
        }
        if text.chars().any(|character| character.is_control() && !"\n\r\t".contains(character)) {
            out.push('/');
            EXPRESSION.text(out, text);
            return out.push('/');
        }
        out.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                _ => out.push(character),
            }
        }
        out.push('"');
    }

    fn set(&self, out: &mut String, set: &CharacterSet) {
        out.push('/');
        EXPRESSION.set(out, set);
        out.push('/');
    }

    fn repeat(&self, out: &mut String, start: usize, min: u32, max: Option<u32>) {
        let _ = match (sign(min, max), max) {
            (Some(sign), _) => write!(out, "{sign}"),
            (_, Some(max)) if max == min => write!(out, "~{min}"),
            (_, Some(max)) => write!(out, "~{min}..{max}"),
            (_, None) => {
                let one = out.split_off(start);
                write!(out, "({one}~{min} {one}*)")
            }
        };
    }

    fn name(&self, node: NodeId, rules: &Rules) -> Option<String> {
        match rules.node(node) {
            Node::Rule(rule) => self.pieces.rule_names.get(rule).cloned(),
            _ => self.pieces.node_names.get(&node).cloned(),
        }
    }
}

/// All rules, then all terminals, each on a line of its own.
///
/// # Errors
/// [`Error::LimitExceeded`], [`Error::Cancelled`].
pub(crate) fn write_lark(rules: &Rules, meter: &Meter) -> Result<String, Error> {
    write_rules(rules, false, meter)
}

/// All rules, of which the texts are read character by character.
///
/// # Errors
/// [`Error::LimitExceeded`], [`Error::Cancelled`].
pub(crate) fn write_characters(rules: &Rules, meter: &Meter) -> Result<String, Error> {
    write_rules(rules, true, meter)
}

/// One terminal, which has no rules in it and is not empty.
///
/// # Errors
/// [`Error::LimitExceeded`].
pub(crate) fn write_terminal(rules: &Rules, id: NodeId, meter: &Meter) -> Result<String, Error> {
    let mut out = "start: TEXT\nTEXT: ".to_owned();
    expression_into(&mut out, rules, id);
    out.push('\n');
    limit!(meter.limits(), export_bytes).check(out.len())?;
    Ok(out)
}

fn write_rules(rules: &Rules, by_character: bool, meter: &Meter) -> Result<String, Error> {
    let naming = Naming {
        start: "start",
        separator: '_',
        has_terminals: !by_character,
        names_repeated: false,
    };
    let lark = Lark { pieces: Pieces::new(rules, &naming, meter)?, by_character };
    let limit = limit!(meter.limits(), export_bytes);
    let mut out = String::new();
    for &rule in &lark.pieces.rules {
        let _ = write!(out, "{}: ", lark.pieces.rule_names[&rule]);
        if rules.body(rule) != EMPTY {
            write(&mut out, rules, rules.body(rule), Around::Nothing, &lark);
        }
        out.push('\n');
        limit.check(out.len())?;
    }
    for &node in &lark.pieces.nodes {
        let _ = write!(out, "{}: ", lark.pieces.node_names[&node]);
        let is_lexeme = matches!(rules.node(node), Node::Lexeme(_));
        let is_terminal =
            lark.pieces.node_names[&node].starts_with(|c: char| c.is_ascii_uppercase());
        let inner = if is_lexeme { rules.parts(node)[0] } else { node };
        if is_terminal && is_closed(rules, inner, &lark) {
            expression_into(&mut out, rules, inner);
        } else if is_lexeme {
            write(&mut out, rules, inner, Around::Nothing, &lark);
        } else {
            write_body(&mut out, rules, inner, Around::Nothing, &lark);
        }
        out.push('\n');
        limit.check(out.len())?;
    }
    Ok(out)
}

fn expression_into(out: &mut String, rules: &Rules, id: NodeId) {
    out.push('/');
    // Lark puts expressions one behind the other as they are.
    write_body(out, rules, id, Around::Sequence, &EXPRESSION);
    out.push('/');
}

/// Whether it is one expression, with no names in it.
fn is_closed(rules: &Rules, id: NodeId, lark: &Lark) -> bool {
    let mut open = rules.parts(id).to_vec();
    let mut is_closed = !matches!(rules.node(id), Node::Rule(_)) && lark.name(id, rules).is_none();
    // The node itself has a name if it isn't a lexeme.
    is_closed |= lark.pieces.node_names.contains_key(&id);
    while let Some(id) = open.pop().filter(|_| is_closed) {
        is_closed = !matches!(rules.node(id), Node::Rule(_)) && lark.name(id, rules).is_none();
        open.extend(rules.parts(id));
    }
    is_closed
}
