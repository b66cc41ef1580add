//! The statements of a text in Lark. Groups lie on a stack of their own, so that nothing recurses.

use super::expression::{Body, Definition, Definitions, Expression, ExpressionId, NameId};
use super::lexer::{Lexer, Token, TokenKind};
use super::{literals, regex};
use crate::error::Error;
use crate::grammar::rules::Place;
use crate::grammar::text::{Text, invalid, shown, unsupported};
use crate::limits::limit;
use crate::meter::Meter;

/// A statement of a grammar.
#[derive(Debug)]
pub(super) enum Statement<'a> {
    Define(Definition),
    /// In place of what it stood for.
    Override(Definition),
    /// Beside what it stands for.
    Extend(Definition),
    Ignore(Body),
    Declare(Vec<(NameId, Place)>),
    Import(Vec<Import<'a>>),
}

/// A name of another grammar, and what it is called here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Import<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) alias: &'a str,
    pub(super) place: Place,
}

pub(super) struct Parser<'a, 'd> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    definitions: &'d mut Definitions,
    meter: &'d Meter,
    /// What names are called in the definitions.
    rename: &'d dyn Fn(&str) -> String,
    /// Whether what is being read stands in a terminal.
    is_terminal: bool,
    /// The alternatives that are being read: those of a statement, and of the groups that are open in it.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    alternatives: Vec<ExpressionId>,
    /// The last of them.
    sequence: Vec<ExpressionId>,
    /// How it ends.
    end: &'static str,
    /// Whether the last part of the sequence may be repeated.
    can_repeat: bool,
}

impl Level {
    fn end_alternative(&mut self, definitions: &mut Definitions) {
        let sequence = std::mem::take(&mut self.sequence);
        self.can_repeat = false;
        self.alternatives.push(match sequence[..] {
            [part] => part,
            _ => definitions.add(Expression::Sequence(sequence)),
        });
    }

    fn end(mut self, definitions: &mut Definitions) -> ExpressionId {
        self.end_alternative(definitions);
        match self.alternatives[..] {
            [alternative] => alternative,
            _ => definitions.add(Expression::Choice(self.alternatives)),
        }
    }
}

impl<'a, 'd> Parser<'a, 'd> {
    pub(super) fn new(
        text: Text<'a>,
        definitions: &'d mut Definitions,
        meter: &'d Meter,
        rename: &'d dyn Fn(&str) -> String,
    ) -> Result<Self, Error> {
        let mut lexer = Lexer::new(text);
        let token = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            definitions,
            meter,
            rename,
            is_terminal: false,
            levels: Vec::new(),
        })
    }

    /// The next statement, if there is one.
    ///
    /// # Errors
    /// [`Error::InvalidGrammar`], [`Error::UnsupportedGrammar`], [`Error::InvalidTerminal`],
    /// [`Error::LimitExceeded`] and [`Error::Cancelled`].
    pub(super) fn next(&mut self) -> Result<Option<Statement<'a>>, Error> {
        self.line_ends()?;
        let statement = match self.token.kind {
            TokenKind::End => return Ok(None),
            TokenKind::Directive(name) => self.directive(name)?,
            _ => Statement::Define(self.definition()?),
        };
        match self.token.kind {
            TokenKind::LineEnd | TokenKind::End => Ok(Some(statement)),
            _ => Err(self.token.expected("a part of the definition, or the end of the line")),
        }
    }

    fn advance(&mut self) -> Result<Token<'a>, Error> {
        self.meter.spend(1)?;
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn line_ends(&mut self) -> Result<(), Error> {
        while self.token.kind == TokenKind::LineEnd {
            self.advance()?;
        }
        Ok(())
    }

    fn is_sign(&self, sign: &'static str) -> bool {
        self.token.kind == TokenKind::Sign(sign)
    }

    fn take(&mut self, sign: &'static str) -> Result<bool, Error> {
        let comes_next = self.is_sign(sign);
        if comes_next {
            self.advance()?;
        }
        Ok(comes_next)
    }

    fn expect(&mut self, sign: &'static str) -> Result<(), Error> {
        if self.take(sign)? { Ok(()) } else { Err(self.token.expected(sign)) }
    }

    fn directive(&mut self, name: &str) -> Result<Statement<'a>, Error> {
        let token = self.advance()?;
        match name {
            "ignore" => {
                self.is_terminal = true;
                Ok(Statement::Ignore(self.body()?))
            }
            "import" => Ok(Statement::Import(self.import()?)),
            "override" => Ok(Statement::Override(self.definition()?)),
            "extend" => Ok(Statement::Extend(self.definition()?)),
            "declare" => self.declare(),
            "regex" | "llguidance" => {
                let reason = "only what is written in Lark and %json can be had";
                Err(unsupported(&format!("%{name}"), reason, token.place()))
            }
            _ => Err(token.expected("%ignore, %import, %json, %override, %extend or %declare")),
        }
    }

    fn declare(&mut self) -> Result<Statement<'a>, Error> {
        let mut names = Vec::new();
        while let TokenKind::RuleName(name) | TokenKind::TerminalName(name) = self.token.kind {
            names.push((self.name_id(name), self.token.place()));
            self.advance()?;
        }
        if names.is_empty() {
            return Err(self.token.expected("a name"));
        }
        Ok(Statement::Declare(names))
    }

    fn any_name(&mut self) -> Result<&'a str, Error> {
        match self.token.kind {
            TokenKind::RuleName(name) | TokenKind::TerminalName(name) => {
                self.advance()?;
                Ok(name)
            }
            _ => Err(self.token.expected("a name")),
        }
    }

    fn import(&mut self) -> Result<Vec<Import<'a>>, Error> {
        let place = self.token.place();
        if self.is_sign(".") || self.is_sign("..") {
            let reason = "no files are read; the terminals of common are known";
            return Err(unsupported("%import of a file", reason, place));
        }
        let module = self.any_name()?;
        if self.take(".")? {
            let place = self.token.place();
            let name = self.any_name()?;
            let alias = if self.takes_alias()? { self.any_name()? } else { name };
            return Ok(vec![Import { module, name, alias, place }]);
        }
        if !self.take("(")? {
            return Err(self
                .token
                .expected("a name of the module behind a dot, or some in parentheses"));
        }
        let mut imports = Vec::new();
        loop {
            self.line_ends()?;
            let place = self.token.place();
            let name = self.any_name()?;
            let alias = if self.takes_alias()? { self.any_name()? } else { name };
            imports.push(Import { module, name, alias, place });
            self.line_ends()?;
            if !self.take(",")? {
                self.expect(")")?;
                return Ok(imports);
            }
        }
    }

    fn takes_alias(&mut self) -> Result<bool, Error> {
        let is_alias = self.is_sign("->") || self.token.kind == TokenKind::RuleName("as");
        if is_alias {
            self.advance()?;
        }
        Ok(is_alias)
    }

    fn name_id(&mut self, name: &str) -> NameId {
        let name = (self.rename)(name);
        self.definitions.name_id(&name)
    }

    fn definition(&mut self) -> Result<Definition, Error> {
        let has_modifier = self.is_sign("?") || self.is_sign("!");
        while self.is_sign("?") || self.is_sign("!") {
            self.advance()?;
        }
        let (name, place) = match self.token.kind {
            TokenKind::RuleName(name) => (name, self.token.place()),
            TokenKind::TerminalName(name) if !has_modifier => (name, self.token.place()),
            _ => {
                return Err(self
                    .token
                    .expected("the name of a rule or a terminal, or a directive"));
            }
        };
        let is_rule = matches!(self.token.kind, TokenKind::RuleName(_));
        let name = self.name_id(name);
        self.advance()?;
        let parameters = if is_rule && self.take("{")? { self.parameters()? } else { Vec::new() };
        if self.is_sign(".") {
            let reason = "all ways to read a text count, so there is none to prefer";
            return Err(unsupported("a priority", reason, self.token.place()));
        }
        if self.is_sign("[") {
            let reason = "attributes of rules can't be had";
            return Err(unsupported("[...] behind a name", reason, self.token.place()));
        }
        self.expect(":")?;
        self.is_terminal = !is_rule;
        let body = self.body()?;
        Ok(Definition { name, place, parameters, bodies: vec![body] })
    }

    fn parameters(&mut self) -> Result<Vec<NameId>, Error> {
        let mut parameters = Vec::new();
        loop {
            let TokenKind::RuleName(name) = self.token.kind else {
                return Err(self.token.expected("the name of a parameter, in lower case"));
            };
            let name_id = self.name_id(name);
            if parameters.contains(&name_id) {
                let expected = "a parameter that isn't there already";
                return Err(invalid(expected, &shown(name), self.token.place()));
            }
            parameters.push(name_id);
            self.advance()?;
            if !self.take(",")? {
                self.expect("}")?;
                return Ok(parameters);
            }
        }
    }

    /// Alternatives up to the end of the statement.
    fn body(&mut self) -> Result<Body, Error> {
        let first = self.definitions.expressions.len() as ExpressionId;
        self.levels.push(Level::default());
        loop {
            if self.levels.len() > 1 || self.goes_on() {
                self.line_ends()?;
            }
            if !self.part()? {
                break;
            }
        }
        if let [_, .., Level { end, .. }] = self.levels[..] {
            return Err(self.token.expected(&format!("a part of the group, or its end, {end}")));
        }
        let level = self.levels.pop().unwrap_or_default();
        let last = level.end(self.definitions);
        Ok(Body { first, last })
    }

    /// Whether the next line begins with another alternative.
    fn goes_on(&self) -> bool {
        self.token.kind == TokenKind::LineEnd && self.lexer.text().starts_with("|")
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap_or_else(|| unreachable!("a statement is being read"))
    }

    /// Reads a part of an alternative, if there is one.
    fn part(&mut self) -> Result<bool, Error> {
        match self.token.kind {
            TokenKind::Sign("(") => self.open(")")?,
            TokenKind::Sign("[") => self.open("]")?,
            TokenKind::Sign("|") => {
                self.advance()?;
                if let Some(level) = self.levels.last_mut() {
                    level.end_alternative(self.definitions);
                }
            }
            TokenKind::Sign("->") => self.alias()?,
            TokenKind::Sign(end @ (")" | "]"))
                if self.levels.last().is_some_and(|level| level.end == end) =>
            {
                self.advance()?;
                self.close(end);
            }
            TokenKind::Sign("?") => self.repeat(0, Some(1))?,
            TokenKind::Sign("*") => self.repeat(0, None)?,
            TokenKind::Sign("+") => self.repeat(1, None)?,
            TokenKind::Sign("~") => self.tilde()?,
            TokenKind::Sign("{") => self.braces()?,
            _ => match self.value()? {
                Some(value) => self.push(value),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn push(&mut self, expression: ExpressionId) {
        let level = self.level();
        level.sequence.push(expression);
        level.can_repeat = true;
    }

    fn open(&mut self, end: &'static str) -> Result<(), Error> {
        limit!(self.meter.limits(), grammar_nesting).check(self.levels.len())?;
        self.advance()?;
        self.levels.push(Level { end, ..Level::default() });
        Ok(())
    }

    fn close(&mut self, end: &str) {
        let level = self.levels.pop().unwrap_or_default();
        let mut group = level.end(self.definitions);
        if end == "]" {
            group = self.definitions.add(Expression::Repeat { of: group, min: 0, max: Some(1) });
        }
        self.push(group);
    }

    /// The name of an alternative: only trees have it.
    fn alias(&mut self) -> Result<(), Error> {
        if self.is_terminal {
            return Err(self
                .token
                .expected("a part of the terminal, whose alternatives have no names"));
        }
        self.advance()?;
        if !matches!(self.token.kind, TokenKind::RuleName(_)) {
            return Err(self.token.expected("the name of the alternative, in lower case"));
        }
        self.advance()?;
        let ends = match self.token.kind {
            TokenKind::LineEnd | TokenKind::End | TokenKind::Sign("|") => true,
            TokenKind::Sign(sign) => sign == self.level().end,
            _ => false,
        };
        if ends {
            Ok(())
        } else {
            Err(self.token.expected("the end of the alternative, behind its name"))
        }
    }

    fn repeat(&mut self, min: u32, max: Option<u32>) -> Result<(), Error> {
        let last = self.repeated()?;
        self.advance()?;
        self.push_repeat(last, min, max);
        Ok(())
    }

    /// What the sign that comes next repeats.
    fn repeated(&mut self) -> Result<ExpressionId, Error> {
        let level = self.level();
        match level.sequence.pop() {
            Some(last) if level.can_repeat => Ok(last),
            _ => Err(self.token.expected("something to repeat, before this")),
        }
    }

    fn push_repeat(&mut self, of: ExpressionId, min: u32, max: Option<u32>) {
        let repeat = self.definitions.add(Expression::Repeat { of, min, max });
        self.push(repeat);
        // One sign only, as in Lark.
        self.level().can_repeat = false;
    }

    fn tilde(&mut self) -> Result<(), Error> {
        if self.level().sequence.is_empty() {
            let reason = "the complement of a terminal can't be had";
            return Err(unsupported("~ before a terminal", reason, self.token.place()));
        }
        let last = self.repeated()?;
        self.advance()?;
        let place = self.token.place();
        let min = self.number()?;
        let max = if self.take("..")? { self.number()? } else { min };
        check_bounds(min, max, place)?;
        self.push_repeat(last, min, Some(max));
        Ok(())
    }

    /// Bounds such as `{2,5}`, in which one may be missing.
    fn braces(&mut self) -> Result<(), Error> {
        let last = self.repeated()?;
        self.advance()?;
        let place = self.token.place();
        let min = if self.is_sign(",") { 0 } else { self.number()? };
        let max = match self.take(",")? {
            false => Some(min),
            true if self.is_sign("}") => None,
            true => Some(self.number()?),
        };
        check_bounds(min, max.unwrap_or(u32::MAX), place)?;
        self.expect("}")?;
        self.push_repeat(last, min, max);
        Ok(())
    }

    fn number(&mut self) -> Result<u32, Error> {
        const EXPECTED: &str = "a number from 0 to 4,294,967,295";
        let TokenKind::Number(digits) = self.token.kind else {
            return Err(self.token.expected(EXPECTED));
        };
        let number = digits.parse();
        let number = number.map_err(|_| invalid(EXPECTED, &shown(digits), self.token.place()))?;
        self.advance()?;
        Ok(number)
    }

    /// A name, a literal or a template, if one comes next.
    fn value(&mut self) -> Result<Option<ExpressionId>, Error> {
        let (token, place) = (self.token, self.token.place());
        let expression = match token.kind {
            TokenKind::RuleName(name) => {
                self.advance()?;
                return self.rule_or_template(name, place).map(Some);
            }
            TokenKind::TerminalName(name) => Expression::Name { name: self.name_id(name), place },
            TokenKind::String { raw, ignores_case } => {
                let text = literals::string(inner(&token, raw))?;
                self.advance()?;
                return self.string_or_range(text, ignores_case, place).map(Some);
            }
            TokenKind::Regex { raw, flags } => {
                let pattern = regex::translate(inner(&token, raw), flags, place, self.meter)?;
                Expression::Regex { pattern, place }
            }
            TokenKind::Json(text) => Expression::Json { text: text.to_owned(), place },
            _ => return Ok(None),
        };
        self.advance()?;
        Ok(Some(self.definitions.add(expression)))
    }

    fn rule_or_template(&mut self, name: &str, place: Place) -> Result<ExpressionId, Error> {
        let name = self.name_id(name);
        // A number in braces is how often it comes.
        let has_arguments = self.is_sign("{")
            && !self.token.text.rest()[1..]
                .trim_start()
                .starts_with(|next: char| next.is_ascii_digit() || next == ',');
        if !has_arguments {
            return Ok(self.definitions.add(Expression::Name { name, place }));
        }
        self.arguments(name, place)
    }

    /// The arguments of a template, of which some may be templates.
    fn arguments(&mut self, name: NameId, place: Place) -> Result<ExpressionId, Error> {
        let mut open = vec![(name, place, Vec::new())];
        self.advance()?;
        loop {
            self.line_ends()?;
            let mut argument = match self.token.kind {
                TokenKind::RuleName(name) => {
                    let place = self.token.place();
                    let name = self.name_id(name);
                    self.advance()?;
                    if self.take("{")? {
                        limit!(self.meter.limits(), grammar_nesting).check(open.len())?;
                        open.push((name, place, Vec::new()));
                        continue;
                    }
                    self.definitions.add(Expression::Name { name, place })
                }
                _ => match self.value()? {
                    Some(value) => value,
                    None => return Err(self.token.expected("a name or a literal, as an argument")),
                },
            };
            loop {
                let Some((name, place, mut arguments)) = open.pop() else { return Ok(argument) };
                arguments.push(argument);
                self.line_ends()?;
                if self.take(",")? {
                    open.push((name, place, arguments));
                    break;
                }
                self.expect("}")?;
                argument = self.definitions.add(Expression::Template { name, arguments, place });
            }
        }
    }

    fn string_or_range(
        &mut self,
        text: String,
        ignores_case: bool,
        place: Place,
    ) -> Result<ExpressionId, Error> {
        if !self.is_sign("..") {
            return Ok(self.definitions.add(Expression::Literal { text, ignores_case, place }));
        }
        self.advance()?;
        let token = self.token;
        let TokenKind::String { raw, ignores_case: false } = token.kind else {
            return Err(self.token.expected("the last character of the range, as a string"));
        };
        let end = literals::string(inner(&token, raw))?;
        self.advance()?;
        let (mut first, mut last) = (text.chars(), end.chars());
        match (first.next(), first.next(), last.next(), last.next()) {
            (Some(first), None, Some(last), None) if first <= last && !ignores_case => {
                Ok(self.definitions.add(Expression::Range { first, last, place }))
            }
            _ => {
                let got = format!("{text:?}..{end:?}");
                Err(invalid("a range from one character to a higher one", &got, place))
            }
        }
    }
}

fn check_bounds(min: u32, max: u32, place: Place) -> Result<(), Error> {
    if min <= max {
        return Ok(());
    }
    Err(invalid("a lower bound that is not above the upper", &format!("{min} and {max}"), place))
}

/// What stands between the signs of a literal.
fn inner<'a>(token: &Token<'a>, raw: &'a str) -> Text<'a> {
    let Place { line, column } = token.place();
    Text::at(raw, Place { line, column: column + 1 })
}
