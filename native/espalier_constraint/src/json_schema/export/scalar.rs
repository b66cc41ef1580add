//! Strings and numbers as they are exported.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::Lowering;
use crate::dfa::Dfa;
use crate::error::Error;
use crate::export::{
    Bytewise, CharacterSet, Characters, ExportTarget, Graph, MAX_EXPRESSION, NodeId, spelled,
};
use crate::json_schema::goals::GoalId;
use crate::json_schema::language::{Language, Length, Reading};
use crate::json_schema::schema::{Kind, Types};
use crate::json_schema::string::quote_into;
use crate::json_schema::{EscapeStyle, NumberPrefix, NumberRange, NumberStyle};
use crate::limits::limit;

/// By the address of an automaton, which is kept, and the bounds on the length.
pub(super) type Patterns = FxHashMap<(usize, Length), (NodeId, Arc<Dfa>)>;
pub(super) type Numbers = FxHashMap<NumberRange, NodeId>;

impl Bytewise for Language {
    type State = Reading;

    fn start(&self) -> Reading {
        Language::start(self)
    }

    fn step(&self, state: &Reading, byte: u8) -> Option<Reading> {
        Language::step(self, *state, byte)
    }

    fn is_final(&self, state: &Reading) -> bool {
        self.is_accepting(*state)
    }

    fn class(&self, byte: u8) -> u8 {
        self.byte_class(byte)
    }
}

/// The spellings of the numbers of a range.
struct Spellings<'a> {
    range: &'a NumberRange,
    style: NumberStyle,
}

impl Bytewise for Spellings<'_> {
    type State = NumberPrefix;

    fn start(&self) -> NumberPrefix {
        NumberPrefix::start()
    }

    fn step(&self, state: &NumberPrefix, byte: u8) -> Option<NumberPrefix> {
        state.step(byte, self.range, self.style)
    }

    fn is_final(&self, state: &NumberPrefix) -> bool {
        state.is_complete(self.range, self.style)
    }

    fn class(&self, byte: u8) -> u8 {
        byte
    }
}

impl Lowering<'_> {
    pub(super) fn number(&mut self, range: &NumberRange, goal: GoalId) -> Result<NodeId, Error> {
        if let Some(&known) = self.numbers.get(range) {
            return Ok(known);
        }
        let style = self.goals.options.numbers;
        let spellings = Characters::new(&Spellings { range, style }, self.meter)
            .map_err(|error| self.number_refused(error, goal))?;
        let graph = spellings.graph(self.rules, |rules, set| rules.set(set.clone()));
        let node = self.lexeme(&graph, "number", false)?;
        self.rules.suggest_name(node, if range.is_integer { "integer" } else { "number" });
        self.numbers.insert(range.clone(), node);
        Ok(node)
    }

    /// With exponents digits and zeros have to be counted, so that there are endlessly many states.
    fn number_refused(&self, error: Error, goal: GoalId) -> Error {
        let is_limit = matches!(error, Error::LimitExceeded { limit: "export_states", .. });
        if self.goals.options.numbers == NumberStyle::Plain || !is_limit {
            return error;
        }
        let is_about_numbers = |kind: &Kind| match kind {
            Kind::Lower(_) | Kind::Upper(_) | Kind::MultipleOf(_) | Kind::Constants(_) => true,
            Kind::Types(types) => {
                types.intersects(Types::INTEGER) && !types.contains(Types::NUMBER)
            }
            _ => false,
        };
        let reason = "numbers with exponents can't be told apart by their values; \
                      the option :numbers with :plain leaves exponents out";
        let mut refused = self.not_exportable(goal, "type", is_about_numbers, reason);
        if let Error::NotExportable { keyword, pointer, .. } = &mut refused
            && let Some((_, last)) = pointer.rsplit_once('/')
        {
            last.clone_into(keyword);
        }
        refused
    }

    /// A string with its quotes.
    pub(super) fn string(&mut self, language: &Language) -> Result<NodeId, Error> {
        match language {
            Language::Literals(texts) => {
                let mut choices = Vec::new();
                for text in texts.iter() {
                    self.meter.spend(1 + text.len())?;
                    choices.push(self.quoted_text(&String::from_utf8_lossy(text)));
                }
                let choice = self.rules.choice(choices);
                Ok(self.rules.lexeme(choice))
            }
            Language::Any { length: Length { min, max }, excluded } if excluded.is_empty() => {
                let character = self.any_character();
                let content = self.rules.repeat(character, *min, *max);
                let whole = self.quoted(content);
                let node = self.rules.lexeme(whole);
                self.rules.suggest_name(node, "string");
                Ok(node)
            }
            Language::Any { .. } => self.string_of(language),
            Language::Pattern { dfa, length, .. } => {
                let key = (Arc::as_ptr(dfa) as usize, *length);
                if let Some((known, _)) = self.patterns.get(&key) {
                    return Ok(*known);
                }
                let node = self.string_of(language)?;
                self.patterns.insert(key, (node, dfa.clone()));
                Ok(node)
            }
        }
    }

    /// A string whose content an automaton reads.
    pub(super) fn string_of(&mut self, content: &impl Bytewise) -> Result<NodeId, Error> {
        let characters = Characters::new(content, self.meter)?;
        let style = self.goals.options.escapes;
        let any = self.any_character();
        let all = CharacterSet::all();
        let graph = characters.graph(self.rules, |rules, set| {
            if *set == all { any } else { spelled(rules, set, style) }
        });
        self.lexeme(&graph, "string", true)
    }

    fn lexeme(
        &mut self,
        graph: &Graph,
        name: &'static str,
        is_quoted: bool,
    ) -> Result<NodeId, Error> {
        let most = limit!(self.meter.limits(), export_bytes);
        let as_rules = self.target == ExportTarget::Gbnf;
        let max_size = if as_rules { MAX_EXPRESSION } else { most.value as u64 };
        let one = graph.expression(self.rules, max_size, self.meter)?;
        let content = match one.filter(|&node| self.rules.size(node) <= max_size) {
            Some(node) => node,
            None if as_rules => graph.rules(self.rules, name, "", self.meter)?,
            None => return Err(most.exceeded()),
        };
        let whole = if is_quoted { self.quoted(content) } else { content };
        let node = self.rules.lexeme(whole);
        self.rules.suggest_name(node, name);
        Ok(node)
    }

    fn quoted(&mut self, content: NodeId) -> NodeId {
        let quote = self.rules.text("\"");
        self.rules.sequence([quote, content, quote])
    }

    /// The spellings of one string.
    pub(super) fn quoted_text(&mut self, text: &str) -> NodeId {
        let style = self.goals.options.escapes;
        let has_one = |character: char| {
            character >= ' ' || matches!(character, '\n' | '\r' | '\t' | '\u{8}' | '\u{C}')
        };
        if style == EscapeStyle::Minimal && text.chars().all(has_one) {
            let mut quoted = Vec::new();
            quote_into(text.as_bytes(), &mut quoted);
            return self.rules.text(&String::from_utf8_lossy(&quoted));
        }
        let mut parts = Vec::new();
        for character in text.chars() {
            parts.push(spelled(self.rules, &CharacterSet::single(character), style));
        }
        let content = self.rules.sequence(parts);
        self.quoted(content)
    }

    /// Any character of a string, in a rule of its own.
    fn any_character(&mut self) -> NodeId {
        if let Some(known) = self.any_character {
            return known;
        }
        let style = self.goals.options.escapes;
        let body = spelled(self.rules, &CharacterSet::all(), style);
        let rule = self.rules.declare("char", "");
        self.rules.define(rule, body);
        let node = self.rules.rule(rule);
        self.any_character = Some(node);
        node
    }
}
