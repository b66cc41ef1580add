//! A notation for the grammars of the tests: `name = body` with `"text"`, `/pattern/`, `%schema%`, names,
//! `( | )`, `* + ?` and `{min,max}`. A rule ends where the next begins; the first is the start.

use std::iter::Peekable;
use std::str::Chars;

use crate::grammar::rules::{Grammar, Node, NodeId, Place, RuleId, Terminal};

pub(super) fn read(text: &str) -> Grammar {
    let mut grammar = Grammar::default();
    let mut rules: Vec<(String, usize, String)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        match text.split_once(" = ") {
            Some((name, body)) if is_name(name.trim()) => {
                rules.push((name.trim().to_owned(), line + 1, body.to_owned()));
            }
            _ if text.trim().is_empty() => {}
            _ => rules.last_mut().unwrap().2.push_str(text),
        }
    }
    for (name, line, _) in &rules {
        grammar.declare(name.clone(), Place { line: *line, column: 1 });
    }
    for (rule, (_, _, body)) in rules.iter().enumerate() {
        let mut reader = Reader { grammar: &mut grammar, chars: body.chars().peekable() };
        let body = reader.choice();
        assert_eq!(reader.chars.next(), None);
        grammar.define(rule as RuleId, body);
    }
    grammar
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

struct Reader<'a> {
    grammar: &'a mut Grammar,
    chars: Peekable<Chars<'a>>,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
        self.chars.peek().copied()
    }

    fn take(&mut self, expected: char) -> bool {
        self.peek() == Some(expected) && self.chars.next().is_some()
    }

    fn choice(&mut self) -> NodeId {
        let mut choices = vec![self.sequence()];
        while self.take('|') {
            choices.push(self.sequence());
        }
        if let [only] = choices[..] { only } else { self.grammar.add(Node::Choice(choices)) }
    }

    fn sequence(&mut self) -> NodeId {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|next| !"|)".contains(next)) {
            parts.push(self.repeated());
        }
        if let [only] = parts[..] { only } else { self.grammar.add(Node::Sequence(parts)) }
    }

    fn repeated(&mut self) -> NodeId {
        let mut of = self.atom();
        loop {
            let (min, max) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => {
                    self.chars.next();
                    let text = self.until('}');
                    let (min, max) = text.split_once(',').unwrap();
                    of = self.repeat(of, min.parse().unwrap(), max.parse().ok());
                    continue;
                }
                _ => return of,
            };
            self.chars.next();
            of = self.repeat(of, min, max);
        }
    }

    fn repeat(&mut self, of: NodeId, min: u32, max: Option<u32>) -> NodeId {
        self.grammar.add(Node::Repeat { of, min, max })
    }

    fn until(&mut self, end: char) -> String {
        self.chars.by_ref().take_while(|&c| c != end).collect()
    }

    fn atom(&mut self) -> NodeId {
        let place = Place { line: 1, column: 1 };
        match self.peek().unwrap() {
            '(' => {
                self.chars.next();
                let inner = self.choice();
                assert!(self.take(')'));
                inner
            }
            '"' => {
                self.chars.next();
                let text = self.until('"').replace("\\n", "\n").replace("\\q", "\"");
                self.grammar.add(Node::Literal(text.into_bytes()))
            }
            '/' => {
                self.chars.next();
                let pattern = self.until('/').replace("\\q", "/");
                self.grammar.add_terminal(Terminal::Regex { pattern, place })
            }
            '%' => {
                self.chars.next();
                let text = self.until('%');
                self.grammar.add_terminal(Terminal::JsonSchema { text, place })
            }
            _ => {
                let mut name = String::new();
                while let Some(c) = self.chars.next_if(|&c| c.is_ascii_alphanumeric() || c == '_') {
                    name.push(c);
                }
                let rule = self.grammar.rules.iter().position(|rule| rule.name == name);
                let rule = rule.unwrap_or_else(|| panic!("no rule {name:?}")) as RuleId;
                self.grammar.add(Node::Rule(rule))
            }
        }
    }
}
