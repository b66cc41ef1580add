//! The rules of a text in GBNF. Groups lie on a stack of their own, so that nothing recurses.

use rustc_hash::FxHashMap;

use super::characters;
use crate::error::Error;
use crate::grammar::pattern::ANY;
use crate::grammar::rules::{Grammar, Node, NodeId, Place, RuleId};
use crate::grammar::terminals::Terminals;
use crate::grammar::text::{Text, invalid, undefined, unsupported};
use crate::limits::limit;
use crate::meter::Meter;

/// Reads a grammar whose whole texts are those of the rule `start`.
///
/// # Errors
/// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::UndefinedName`],
/// [`Error::DuplicateName`], [`Error::LimitExceeded`] and [`Error::Cancelled`].
pub(crate) fn parse(text: &str, start: &str, meter: &Meter) -> Result<Grammar, Error> {
    let mut parser = Parser {
        text: Text::new(text),
        meter,
        grammar: Grammar::default(),
        terminals: Terminals::default(),
        rules: FxHashMap::default(),
        is_defined: Vec::new(),
        levels: Vec::new(),
    };
    parser.space(true);
    if parser.text.is_empty() {
        return Err(parser.text.expected("a rule, such as root ::= \"yes\" | \"no\""));
    }
    while !parser.text.is_empty() {
        parser.rule()?;
    }
    parser.finish(start)
}

struct Parser<'a> {
    text: Text<'a>,
    meter: &'a Meter,
    grammar: Grammar,
    terminals: Terminals,
    rules: FxHashMap<&'a str, RuleId>,
    /// By rule. The place of one that is not is that of its first use.
    is_defined: Vec<bool>,
    /// The alternatives that are being read: those of a rule, and of the groups that are open in it.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    alternatives: Vec<NodeId>,
    /// The last of them.
    sequence: Vec<NodeId>,
    /// How deep repetitions are nested in its last part, and at most in all of the level.
    depth: usize,
    max_depth: usize,
}

impl Level {
    fn end_alternative(&mut self, grammar: &mut Grammar) {
        let sequence = std::mem::take(&mut self.sequence);
        self.alternatives.push(grammar.sequence(sequence));
    }

    fn end(mut self, grammar: &mut Grammar) -> NodeId {
        self.end_alternative(grammar);
        grammar.choice(self.alternatives)
    }
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

impl<'a> Parser<'a> {
    /// Skips blanks and comments; line ends where a rule goes on behind them.
    fn space(&mut self, over_lines: bool) {
        loop {
            let is_space = |character| {
                matches!(character, ' ' | '\t') || over_lines && matches!(character, '\r' | '\n')
            };
            self.text.take_while(is_space);
            if !self.text.starts_with("#") {
                return;
            }
            self.text.take_while(|character| !matches!(character, '\r' | '\n'));
        }
    }

    fn rule(&mut self) -> Result<(), Error> {
        let place = self.text.place();
        let name = self.text.take_while(is_name);
        if name.is_empty() {
            return Err(self.text.expected("the name of a rule"));
        }
        let rule = self.rule_of(name, place);
        if std::mem::replace(&mut self.is_defined[rule as usize], true) {
            let first_line = self.grammar.rules[rule as usize].place.line;
            let (name, Place { line, column }) = (name.to_owned(), place);
            return Err(Error::DuplicateName { name, line, column, first_line });
        }
        self.grammar.rules[rule as usize].place = place;
        self.space(false);
        if !self.text.take("::=") {
            return Err(self.text.expected("::="));
        }
        self.space(true);
        let body = self.body()?;
        self.grammar.define(rule, body);
        if !self.text.is_empty() && !self.text.starts_with("\n") && !self.text.starts_with("\r") {
            return Err(self.text.expected("a part of the rule, or the end of the line"));
        }
        self.space(true);
        Ok(())
    }

    fn body(&mut self) -> Result<NodeId, Error> {
        self.levels.push(Level::default());
        while self.part()? {
            self.meter.spend(1)?;
            self.space(self.levels.len() > 1);
        }
        if self.levels.len() > 1 {
            return Err(self.text.expected("a part of the group, or its end, )"));
        }
        let level = self.levels.pop().unwrap_or_default();
        Ok(level.end(&mut self.grammar))
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap_or_else(|| unreachable!("a rule is being read"))
    }

    fn push(&mut self, node: NodeId) {
        self.push_nested(node, 0);
    }

    /// Adds a part in which repetitions are nested so deep.
    fn push_nested(&mut self, node: NodeId, depth: usize) {
        let level = self.level();
        level.sequence.push(node);
        level.depth = depth;
        level.max_depth = depth.max(level.max_depth);
    }

    /// Reads a part of a rule, if there is one.
    fn part(&mut self) -> Result<bool, Error> {
        let start = self.text;
        let Some(character) = self.text.peek() else { return Ok(false) };
        if is_name(character) {
            let name = self.text.take_while(is_name);
            let rule = self.rule_of(name, start.place());
            let node = self.grammar.add(Node::Rule(rule));
            self.push(node);
            return Ok(true);
        }
        self.text.next();
        match character {
            '"' => {
                let literal = characters::literal(&mut self.text)?;
                let node = self.grammar.add(Node::Literal(literal.into()));
                self.push(node);
            }
            '[' => {
                let pattern = characters::class(&mut self.text)?;
                self.terminal(pattern, start.place());
            }
            '.' => self.terminal(ANY.to_owned(), start.place()),
            '(' => self.open()?,
            ')' if self.levels.len() > 1 => self.close(),
            '|' => {
                if let Some(level) = self.levels.last_mut() {
                    level.end_alternative(&mut self.grammar);
                }
                self.space(true);
            }
            '*' => self.repeat(0, None, &start)?,
            '+' => self.repeat(1, None, &start)?,
            '?' => self.repeat(0, Some(1), &start)?,
            '{' => self.bounds(&start)?,
            '<' | '!' => return Err(tokens(&start)),
            _ => {
                self.text = start;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn terminal(&mut self, pattern: String, place: Place) {
        let node = self.terminals.regex(&mut self.grammar, pattern, place);
        self.push(node);
    }

    fn open(&mut self) -> Result<(), Error> {
        limit!(self.meter.limits(), grammar_nesting).check(self.levels.len())?;
        self.levels.push(Level::default());
        self.space(true);
        Ok(())
    }

    fn close(&mut self) {
        let level = self.levels.pop().unwrap_or_default();
        let depth = level.max_depth;
        let node = level.end(&mut self.grammar);
        self.push_nested(node, depth);
    }

    /// The rest of bounds such as `{2,5}`.
    fn bounds(&mut self, start: &Text) -> Result<(), Error> {
        let over_lines = self.levels.len() > 1;
        self.space(over_lines);
        let min = self.text.number()?;
        self.space(over_lines);
        let mut max = Some(min);
        if self.text.take(",") {
            self.space(over_lines);
            let is_bounded = self.text.peek().is_some_and(|character| character.is_ascii_digit());
            max = if is_bounded { Some(self.text.number()?) } else { None };
            self.space(over_lines);
        }
        if !self.text.take("}") {
            return Err(self.text.expected("the end of the bounds, }"));
        }
        if let Some(max) = max.filter(|&max| max < min) {
            let got = format!("{{{min},{max}}}");
            return Err(invalid("a lower bound that is not above the upper", &got, start.place()));
        }
        self.repeat(min, max, start)
    }

    fn repeat(&mut self, min: u32, max: Option<u32>, start: &Text) -> Result<(), Error> {
        let level = self.level();
        let depth = level.depth + 1;
        let Some(of) = level.sequence.pop() else {
            return Err(start.expected("something to repeat, before this"));
        };
        limit!(self.meter.limits(), grammar_nesting).check(depth)?;
        let node = self.grammar.add(Node::Repeat { of, min, max });
        self.push_nested(node, depth);
        Ok(())
    }

    /// The rule of a name, which is used or defined at the place.
    fn rule_of(&mut self, name: &'a str, place: Place) -> RuleId {
        let Self { rules, grammar, is_defined, .. } = self;
        *rules.entry(name).or_insert_with(|| {
            is_defined.push(false);
            grammar.declare(name, place)
        })
    }

    fn finish(mut self, start: &str) -> Result<Grammar, Error> {
        let undefined_rule = self.is_defined.iter().position(|&is_defined| !is_defined);
        if let Some(rule) = undefined_rule {
            let rule = &self.grammar.rules[rule];
            return Err(undefined(&rule.name, rule.place));
        }
        let Some(&start) = self.rules.get(start) else {
            return Err(undefined(start, Place { line: 1, column: 1 }));
        };
        self.grammar.start = start;
        Ok(self.grammar)
    }
}

fn tokens(start: &Text) -> Error {
    let reason = "grammars are about text; a token can't be asked for by its id or name";
    let feature: String = start.rest().chars().take_while(|&character| character != '\n').collect();
    let end = feature.find('>').map_or(1, |end| end + 1);
    unsupported(&feature[..end.min(feature.len())], reason, start.place())
}
