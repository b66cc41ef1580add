//! The rules of a grammar as bytes, whichever syntax they were written in.

use super::{Reader, Writer};
use crate::error::Error;
use crate::grammar::rules::{Grammar, Included, Node, Place, Rule, Terminal};

const RULES: &str = "rules";
const NODES: &str = "nodes";
const TERMINALS: &str = "terminals";

const LITERAL: u8 = 1;
const TERMINAL: u8 = 2;
const RULE: u8 = 3;
const SEQUENCE: u8 = 4;
const CHOICE: u8 = 5;
const REPEAT: u8 = 6;

const REGEX: u8 = 1;
const JSON_SCHEMA: u8 = 2;
const UNTIL: u8 = 3;
const SPECIAL_TOKEN: u8 = 4;
const ECMA_REGEX: u8 = 5;

pub(crate) fn write_grammar(grammar: &Grammar, out: &mut Writer) {
    let Grammar { rules, start, captures, nodes, terminals, included, pointers: _ } = grammar;
    out.count(rules.len());
    out.count(nodes.len());
    out.count(terminals.len());
    out.u32(*start);
    out.ids(captures);
    for Rule { name, body, place } in rules {
        out.text(name.as_bytes());
        out.u32(*body);
        write_place(*place, out);
    }
    for node in nodes {
        write_node(node, out);
    }
    for terminal in terminals {
        write_terminal(terminal, out);
    }
    out.count(included.len());
    for Included { pointer, start, rules, terminals } in included {
        out.text(pointer.as_bytes());
        for number in [*start, rules.start, rules.end, terminals.start, terminals.end] {
            out.u32(number);
        }
    }
}

fn write_terminal(terminal: &Terminal, out: &mut Writer) {
    let (kind, text, place) = match terminal {
        Terminal::Regex { pattern, place } => (REGEX, pattern, place),
        Terminal::JsonSchema { text, place } => (JSON_SCHEMA, text, place),
        Terminal::EcmaRegex { pattern } => {
            out.u8(ECMA_REGEX);
            out.text(pattern.as_bytes());
            return;
        }
        Terminal::Until { stops, end, max_tokens } => {
            out.u8(UNTIL);
            out.count(stops.len());
            for stop in stops {
                out.text(stop.as_bytes());
            }
            out.u32(end.unwrap_or(u32::MAX));
            out.u8(u8::from(max_tokens.is_some()));
            out.u32(max_tokens.unwrap_or_default());
            return;
        }
        Terminal::SpecialToken { name } => {
            out.u8(SPECIAL_TOKEN);
            out.text(name.as_bytes());
            return;
        }
    };
    out.u8(kind);
    out.text(text.as_bytes());
    write_place(*place, out);
}

fn write_node(node: &Node, out: &mut Writer) {
    match node {
        Node::Literal(text) => {
            out.u8(LITERAL);
            out.text(text);
        }
        Node::Terminal(terminal) => {
            out.u8(TERMINAL);
            out.u32(*terminal);
        }
        Node::Rule(rule) => {
            out.u8(RULE);
            out.u32(*rule);
        }
        Node::Sequence(parts) => {
            out.u8(SEQUENCE);
            out.ids(parts);
        }
        Node::Choice(choices) => {
            out.u8(CHOICE);
            out.ids(choices);
        }
        Node::Repeat { of, min, max } => {
            out.u8(REPEAT);
            out.u32(*of);
            out.u32(*min);
            out.u8(u8::from(max.is_some()));
            out.u32(max.unwrap_or_default());
        }
    }
}

fn write_place(place: Place, out: &mut Writer) {
    out.count(place.line);
    out.count(place.column);
}

/// # Errors
/// [`Error::InvalidSerialized`] for numbers of rules, nodes or terminals that aren't there.
pub(crate) fn read_grammar(input: &mut Reader<'_>) -> Result<Grammar, Error> {
    let (n_rules, n_nodes) = (input.count(16, RULES)?, input.count(5, NODES)?);
    let n_terminals = input.count(5, TERMINALS)?;
    let start = input.u32(RULES)?;
    let captures = input.ids(RULES)?;
    let mut grammar = Grammar { start, captures, ..Grammar::default() };
    for _ in 0..n_rules {
        let name = input.utf8(RULES)?.to_owned();
        let body = input.u32(RULES)?;
        grammar.rules.push(Rule { name, body, place: read_place(input)? });
    }
    for _ in 0..n_nodes {
        grammar.nodes.push(read_node(input)?);
    }
    for _ in 0..n_terminals {
        grammar.terminals.push(read_terminal(input)?);
    }
    for _ in 0..input.count(24, RULES)? {
        let pointer = input.utf8(RULES)?.to_owned();
        let start = input.u32(RULES)?;
        let rules = input.u32(RULES)?..input.u32(RULES)?;
        let terminals = input.u32(RULES)?..input.u32(RULES)?;
        grammar.included.push(Included { pointer, start, rules, terminals });
    }
    check(&grammar, input)?;
    Ok(grammar)
}

fn read_node(input: &mut Reader<'_>) -> Result<Node, Error> {
    Ok(match input.u8(NODES)? {
        LITERAL => Node::Literal(input.text(NODES)?.to_vec()),
        TERMINAL => Node::Terminal(input.u32(NODES)?),
        RULE => Node::Rule(input.u32(NODES)?),
        SEQUENCE => Node::Sequence(input.ids(NODES)?),
        CHOICE => Node::Choice(input.ids(NODES)?),
        REPEAT => {
            let (of, min) = (input.u32(NODES)?, input.u32(NODES)?);
            let (is_bounded, max) = (input.u8(NODES)?, input.u32(NODES)?);
            Node::Repeat { of, min, max: (is_bounded != 0).then_some(max) }
        }
        other => return Err(input.wrong(NODES, "1 to 6", other.to_string())),
    })
}

fn read_terminal(input: &mut Reader<'_>) -> Result<Terminal, Error> {
    let kind = input.u8(TERMINALS)?;
    if kind == UNTIL {
        return read_until(input);
    }
    let text = input.utf8(TERMINALS)?.to_owned();
    match kind {
        SPECIAL_TOKEN => return Ok(Terminal::SpecialToken { name: text }),
        ECMA_REGEX => return Ok(Terminal::EcmaRegex { pattern: text }),
        _ => {}
    }
    let place = read_place(input)?;
    match kind {
        REGEX => Ok(Terminal::Regex { pattern: text, place }),
        JSON_SCHEMA => Ok(Terminal::JsonSchema { text, place }),
        other => Err(input.wrong(TERMINALS, "1 to 5", other.to_string())),
    }
}

fn read_until(input: &mut Reader<'_>) -> Result<Terminal, Error> {
    let n_stops = input.count(4, TERMINALS)?;
    let stops = (0..n_stops).map(|_| Ok(input.utf8(TERMINALS)?.to_owned()));
    let stops = stops.collect::<Result<_, _>>()?;
    let end = Some(input.u32(TERMINALS)?).filter(|&end| end != u32::MAX);
    let (is_bounded, max_tokens) = (input.u8(TERMINALS)?, input.u32(TERMINALS)?);
    let max_tokens = (is_bounded != 0).then_some(max_tokens);
    Ok(Terminal::Until { stops, end, max_tokens })
}

fn read_place(input: &mut Reader<'_>) -> Result<Place, Error> {
    let (line, column) = (input.u32(RULES)? as usize, input.u32(RULES)? as usize);
    Ok(Place { line, column })
}

fn check(grammar: &Grammar, input: &Reader<'_>) -> Result<(), Error> {
    let [rules, nodes, terminals] =
        [grammar.rules.len(), grammar.nodes.len(), grammar.terminals.len()];
    let is_known = |number: u32, n: usize| (number as usize) < n;
    let is_right = |node: &Node| match node {
        Node::Literal(_) => true,
        Node::Terminal(terminal) => is_known(*terminal, terminals),
        Node::Rule(rule) => is_known(*rule, rules),
        Node::Sequence(parts) | Node::Choice(parts) => {
            parts.iter().all(|&part| is_known(part, nodes))
        }
        Node::Repeat { of, .. } => is_known(*of, nodes),
    };
    let are_right = is_known(grammar.start, rules)
        && grammar.captures.iter().all(|&rule| is_known(rule, rules))
        && grammar.included.iter().all(|included| is_known(included.start, rules))
        && grammar.rules.iter().all(|rule| is_known(rule.body, nodes))
        && grammar.nodes.iter().all(is_right);
    if are_right {
        return Ok(());
    }
    let expected = format!("numbers of {rules} rules, {nodes} nodes and {terminals} terminals");
    Err(input.wrong(RULES, expected, "others"))
}
