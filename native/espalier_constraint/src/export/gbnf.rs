//! Rules in GBNF, as llama.cpp reads it.

use std::cell::Cell;
use std::fmt::Write;

use super::notation::{Around, Notation, sign, write, write_body};
use super::pieces::{Naming, Pieces};
use super::rules::{Node, NodeId, Rules};
use super::set::CharacterSet;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// llama.cpp counts to 2000. A greater upper bound it takes for none, a greater lower one it refuses, and the parts
/// of a group count, too.
const MAX_COUNT: u32 = 1000;
/// Blocks of larger counts: how deep they lie within each other counts, too.
const BLOCK: u32 = 250;

struct Gbnf {
    pieces: Pieces,
    /// Whether something was written that only U+0000 matches, which llama.cpp never reads.
    has_zero: Cell<bool>,
}

impl Notation for Gbnf {
    const SPACE: &'static str = " ";
    const OR: &'static str = " | ";
    const GROUP: (&'static str, &'static str) = ("(", ")");

    fn is_atom(&self, _text: &str) -> bool {
        true
    }

    fn text(&self, out: &mut String, text: &str) {
        if text.contains('\0') {
            self.has_zero.set(true);
        }
        out.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => out.extend(['\\', character]),
                _ => character_into(out, character),
            }
        }
        out.push('"');
    }

    fn set(&self, out: &mut String, set: &CharacterSet) {
        if *set == CharacterSet::all() {
            return out.push('.');
        }
        if set.ranges() == [(0, 0)] {
            self.has_zero.set(true);
        }
        // Of a character that is split between tokens llama.cpp doesn't see that it is none of those excluded.
        let is_ascii = |set: &CharacterSet| set.ranges().iter().all(|(_, last)| *last < 0x80);
        let is_negated = set.is_mostly_all() && is_ascii(&set.complement());
        let written = if is_negated { set.complement() } else { set.clone() };
        out.push_str(if is_negated { "[^" } else { "[" });
        for &(first, last) in written.ranges() {
            member_into(out, first);
            out.push_str(if last > first + 1 { "-" } else { "" });
            if last > first {
                member_into(out, last);
            }
        }
        out.push(']');
    }

    fn repeat(&self, out: &mut String, start: usize, min: u32, max: Option<u32>) {
        if let Some(sign) = sign(min, max) {
            return out.push(sign);
        }
        if min <= MAX_COUNT && max.is_none_or(|max| max <= MAX_COUNT) {
            return bounds_into(out, min, max);
        }
        let one = out.split_off(start);
        out.push('(');
        exactly_into(out, &one, min);
        match max {
            None => {
                let _ = write!(out, " {one}*");
            }
            Some(max) => {
                out.push(' ');
                up_to_into(out, &one, max - min);
            }
        }
        out.push(')');
    }

    fn name(&self, node: NodeId, rules: &Rules) -> Option<String> {
        match rules.node(node) {
            Node::Rule(rule) => self.pieces.rule_names.get(rule).cloned(),
            _ => self.pieces.node_names.get(&node).cloned(),
        }
    }
}

/// So many times, in blocks.
fn exactly_into(out: &mut String, one: &str, n: u32) {
    if n > 0 && n <= BLOCK {
        let _ = write!(out, "{one}{{{n}}}");
    }
    if n > BLOCK {
        exactly_into(out, &format!("({one}{{{BLOCK}}})"), n / BLOCK);
        out.push(' ');
        exactly_into(out, one, n % BLOCK);
    }
}

/// At most so many times: fewer blocks and any part of one, or all blocks and what is left.
fn up_to_into(out: &mut String, one: &str, n: u32) {
    if n <= BLOCK {
        let _ = write!(out, "{one}{{0,{n}}}");
        return;
    }
    let block = format!("({one}{{{BLOCK}}})");
    let (blocks, left) = (n / BLOCK, n % BLOCK);
    out.push('(');
    up_to_into(out, &block, blocks - 1);
    let _ = write!(out, " {one}{{0,{}}} | ", BLOCK - 1);
    exactly_into(out, &block, blocks);
    let _ = write!(out, " {one}{{0,{left}}})");
}

fn bounds_into(out: &mut String, min: u32, max: Option<u32>) {
    let _ = match max {
        None => write!(out, "{{{min},}}"),
        Some(max) if max == min => write!(out, "{{{min}}}"),
        Some(max) => write!(out, "{{{min},{max}}}"),
    };
}

/// A character within brackets.
fn member_into(out: &mut String, code: u32) {
    match char::from_u32(code).unwrap_or_default() {
        character @ ('\\' | '[' | ']') => out.extend(['\\', character]),
        '-' | '^' | '"' => {
            let _ = write!(out, "\\x{code:02X}");
        }
        character => character_into(out, character),
    }
}

/// A character that means itself.
fn character_into(out: &mut String, character: char) {
    let _ = match character {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        '\t' => write!(out, "\\t"),
        ' '..='~' => write!(out, "{character}"),
        '\0'..='\u{9F}' => write!(out, "\\x{:02X}", u32::from(character)),
        '\u{AD}' | '\u{2000}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFF}' => {
            write!(out, "\\u{:04X}", u32::from(character))
        }
        '\u{E0000}'.. => write!(out, "\\U{:08X}", u32::from(character)),
        _ => write!(out, "{character}"),
    };
}

/// All rules, each on a line of its own.
///
/// # Errors
/// [`Error::NotExportable`] where texts need U+0000, [`Error::LimitExceeded`], [`Error::Cancelled`].
pub(crate) fn write_gbnf(rules: &Rules, meter: &Meter) -> Result<String, Error> {
    let naming =
        Naming { start: "root", separator: '-', has_terminals: false, names_repeated: true };
    let pieces = Pieces::new(rules, &naming, meter)?;
    let limit = limit!(meter.limits(), export_bytes);
    let gbnf = Gbnf { pieces, has_zero: Cell::new(false) };
    let mut out = String::new();
    for &rule in &gbnf.pieces.rules {
        let _ = write!(out, "{} ::= ", gbnf.pieces.rule_names[&rule]);
        body(&mut out, rules, rules.body(rule), |out, id| {
            write(out, rules, id, Around::Nothing, &gbnf);
        });
        limit.check(out.len())?;
    }
    for &node in &gbnf.pieces.nodes {
        let _ = write!(out, "{} ::= ", gbnf.pieces.node_names[&node]);
        body(&mut out, rules, node, |out, id| {
            write_body(out, rules, id, Around::Nothing, &gbnf);
        });
        limit.check(out.len())?;
    }
    if gbnf.has_zero.get() {
        return Err(Error::NotExportable {
            target: "gbnf",
            keyword: "the character U+0000".to_owned(),
            pointer: String::new(),
            reason: "llama.cpp has none".to_owned(),
        });
    }
    Ok(out)
}

fn body(out: &mut String, rules: &Rules, id: NodeId, write: impl FnOnce(&mut String, NodeId)) {
    let start = out.len();
    write(out, id);
    // The empty text is written, too.
    if out.len() == start && !matches!(rules.node(id), Node::Nothing) {
        out.push_str("\"\"");
    }
    out.push('\n');
}
