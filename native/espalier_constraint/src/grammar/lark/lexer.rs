//! [`Lexer`]: the text of a grammar in Lark as tokens.

use super::literals;
use crate::error::Error;
use crate::grammar::rules::Place;
use crate::grammar::text::{Text, invalid, shown, unsupported};

#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    /// The text that it begins, and all that follows.
    pub(super) text: Text<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    /// In lower case.
    RuleName(&'a str),
    /// In upper case.
    TerminalName(&'a str),
    /// What stands between the quotation marks.
    String {
        raw: &'a str,
        ignores_case: bool,
    },
    /// What stands between the slashes, and behind them.
    Regex {
        raw: &'a str,
        flags: &'a str,
    },
    Number(&'a str),
    /// `%name`, without the sign.
    Directive(&'a str),
    /// The text of a JSON Schema behind `%json`.
    Json(&'a str),
    /// One of `: | , . .. ( ) [ ] { } ? * + ~ -> !`
    Sign(&'static str),
    /// One or more.
    LineEnd,
    End,
}

/// Longer ones before those that they begin with.
const SIGNS: [&str; 16] =
    ["->", "..", ":", "|", ",", ".", "(", ")", "[", "]", "{", "}", "?", "*", "+", "~"];

#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: Text<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: Text<'a>) -> Self {
        Self { text }
    }

    /// What comes behind the last token, or behind the line end that it was.
    pub(super) fn text(&self) -> &Text<'a> {
        &self.text
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, Error> {
        let before = self.text;
        let is_line_end = self.space();
        let text = self.text;
        if is_line_end && !self.text.is_empty() {
            return Ok(Token { kind: TokenKind::LineEnd, text: before });
        }
        let kind = match self.text.peek() {
            None => TokenKind::End,
            Some('"') => self.string()?,
            Some('/') => self.regex()?,
            Some('%') => self.directive()?,
            Some(character) if character.is_ascii_digit() => self.number(),
            Some('+' | '-') if has_digit(&self.text.rest()[1..]) => self.number(),
            Some(character) if is_name_start(character) => self.name()?,
            Some(_) => self.sign()?,
        };
        Ok(Token { kind, text })
    }

    /// Skips blanks and comments, and answers whether a line ended.
    fn space(&mut self) -> bool {
        let mut is_line_end = false;
        loop {
            self.text.take_while(|character| matches!(character, ' ' | '\t' | '\x0C' | '\r'));
            if self.text.take("\n") {
                is_line_end = true;
            } else if self.text.starts_with("//") || self.text.starts_with("#") {
                self.text.take_while(|character| character != '\n');
            } else if self.continues() {
                self.text.take_while(|character| character != '\n');
                self.text.next();
            } else {
                return is_line_end;
            }
        }
    }

    /// Whether a backslash ends the line, so that it goes on in the next.
    fn continues(&self) -> bool {
        let rest = self.text.rest().strip_prefix('\\');
        rest.is_some_and(|rest| rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n'))
    }

    fn string(&mut self) -> Result<TokenKind<'a>, Error> {
        let start = self.text;
        self.text.next();
        let raw = self.until('"').ok_or_else(|| not_closed("string", "\"", &start))?;
        let rest = &self.text.rest()[raw.len() + 1..];
        // An `i` that begins a name doesn't belong to it.
        let ignores_case = rest.starts_with('i') && !rest[1..].starts_with(is_name_part);
        self.text.skip(raw.len() + 1 + usize::from(ignores_case));
        Ok(TokenKind::String { raw, ignores_case })
    }

    fn regex(&mut self) -> Result<TokenKind<'a>, Error> {
        let start = self.text;
        self.text.next();
        let length = literals::length(self.text.rest(), '/');
        let length = length.ok_or_else(|| not_closed("regular expression", "/", &start))?;
        let raw = self.text.skip(length);
        self.text.next();
        let flags = self.text.take_while(is_name_part);
        if raw.contains('\n') && !flags.contains('x') {
            return Err(not_closed(
                "regular expression (or its flag x, for more lines)",
                "/",
                &start,
            ));
        }
        Ok(TokenKind::Regex { raw, flags })
    }

    /// The text up to a sign that no backslash stands before, in this line.
    fn until(&self, end: char) -> Option<&'a str> {
        let rest = self.text.rest();
        let raw = &rest[..literals::length(rest, end)?];
        (!raw.contains('\n')).then_some(raw)
    }

    fn directive(&mut self) -> Result<TokenKind<'a>, Error> {
        let start = self.text;
        self.text.next();
        let name = self.text.take_while(|character| character.is_ascii_alphabetic());
        if name != "json" {
            return Ok(TokenKind::Directive(name));
        }
        self.text.take_while(char::is_whitespace);
        if !self.text.starts_with("{") {
            return Err(self.text.expected("the object of a JSON Schema behind %json"));
        }
        let length = literals::object_length(self.text.rest());
        let length = length.ok_or_else(|| not_closed("JSON Schema", "}", &start))?;
        Ok(TokenKind::Json(self.text.skip(length)))
    }

    fn number(&mut self) -> TokenKind<'a> {
        let rest = self.text.rest();
        let digits = rest[1..].find(|character: char| !character.is_ascii_digit());
        TokenKind::Number(self.text.skip(digits.map_or(rest.len(), |digits| digits + 1)))
    }

    /// A name with a hyphen is an extension of Lark; an arrow ends it.
    fn name(&mut self) -> Result<TokenKind<'a>, Error> {
        let (start, rest) = (self.text, self.text.rest());
        let is_end = |(index, character): &(usize, char)| {
            let is_hyphen = *character == '-' && rest[index + 1..].starts_with(is_name_part);
            !is_hyphen && !is_name_part(*character)
        };
        let length = rest.char_indices().find(is_end).map_or(rest.len(), |(index, _)| index);
        let name = self.text.skip(length);
        let has_lower = name.contains(|character: char| character.is_ascii_lowercase());
        let has_upper = name.contains(|character: char| character.is_ascii_uppercase());
        match (has_lower, has_upper) {
            (true, false) => Ok(TokenKind::RuleName(name)),
            (false, true) => Ok(TokenKind::TerminalName(name)),
            _ => {
                let expected = "a name in lower case for a rule, or in upper case for a terminal";
                Err(invalid(expected, &shown(name), start.place()))
            }
        }
    }

    fn sign(&mut self) -> Result<TokenKind<'a>, Error> {
        if self.text.take("!") {
            return Ok(TokenKind::Sign("!"));
        }
        if let Some(sign) = SIGNS.into_iter().find(|sign| self.text.take(sign)) {
            return Ok(TokenKind::Sign(sign));
        }
        let place = self.text.place();
        Err(match self.text.peek() {
            Some('<') => unsupported(
                "<...>",
                "grammars are about text; a token can't be asked for by its id or name",
                place,
            ),
            Some('&') => unsupported("&", "the intersection of terminals can't be had", place),
            Some('@') => unsupported("@", "there are no other grammars to refer to", place),
            Some('\'') => self.text.expected("\", as strings have"),
            _ => self.text.expected("a name, a literal or a sign of the grammar"),
        })
    }
}

fn has_digit(rest: &str) -> bool {
    rest.starts_with(|character: char| character.is_ascii_digit())
}

fn is_name_start(character: char) -> bool {
    character.is_ascii_alphabetic() || character == '_'
}

fn is_name_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn not_closed(what: &str, end: &str, start: &Text) -> Error {
    let got = "a line or a grammar that ends before it";
    let Place { line, column } = start.place();
    let expected = format!("the end of the {what} that begins here, {end}");
    Error::InvalidGrammar { expected, got: got.to_owned(), line, column }
}

impl Token<'_> {
    pub(super) fn place(&self) -> Place {
        self.text.place()
    }

    pub(super) fn expected(&self, expected: &str) -> Error {
        match self.kind {
            TokenKind::LineEnd => invalid(expected, "the end of the line", self.place()),
            _ => self.text.expected(expected),
        }
    }
}
