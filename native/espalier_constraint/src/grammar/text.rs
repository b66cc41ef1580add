//! [`Text`]: the text of a grammar, character by character, with places for errors.

use super::rules::Place;
use crate::error::Error;

/// What is left of a text, and where that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    rest: &'a str,
    place: Place,
}

/// The most characters of the text that an error shows.
const MAX_SHOWN: usize = 20;

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::at(text, Place { line: 1, column: 1 })
    }

    /// A part of a larger text, which begins at the place.
    pub(crate) fn at(text: &'a str, place: Place) -> Self {
        Self { rest: text, place }
    }

    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(crate) fn starts_with(&self, prefix: &str) -> bool {
        self.rest.starts_with(prefix)
    }

    pub(crate) fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = &self.rest[character.len_utf8()..];
        if character == '\n' {
            self.place = Place { line: self.place.line + 1, column: 1 };
        } else {
            self.place.column += 1;
        }
        Some(character)
    }

    /// Reads the prefix, if it comes next.
    pub(crate) fn take(&mut self, prefix: &str) -> bool {
        let comes_next = self.starts_with(prefix);
        if comes_next {
            self.skip(prefix.len());
        }
        comes_next
    }

    /// Reads so many bytes.
    pub(crate) fn skip(&mut self, n_bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(n_bytes);
        while self.rest.len() > rest.len() {
            self.next();
        }
        skipped
    }

    pub(crate) fn take_while(&mut self, matches: impl Fn(char) -> bool) -> &'a str {
        let length = self.rest.find(|character| !matches(character));
        self.skip(length.unwrap_or(self.rest.len()))
    }

    /// Reads so many hexadecimal digits.
    pub(crate) fn hex(&mut self, n_digits: usize) -> Result<u32, Error> {
        let digits = self.rest.get(..n_digits);
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(value) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else {
            return Err(self.expected(&format!("{n_digits} hexadecimal digits")));
        };
        self.skip(n_digits);
        Ok(value)
    }

    /// A number without sign.
    pub(crate) fn number(&mut self) -> Result<u32, Error> {
        let start = *self;
        let digits = self.take_while(|character| character.is_ascii_digit());
        digits.parse().map_err(|_| start.expected("a number below 4,294,967,296"))
    }

    /// The character of a code point that was written at the place.
    pub(crate) fn character(code_point: u32, place: Place) -> Result<char, Error> {
        char::from_u32(code_point).ok_or_else(|| {
            let got = format!("U+{code_point:04X}");
            invalid("a code point of a character, up to U+10FFFF and no surrogate", &got, place)
        })
    }

    /// The error that something else should come next.
    pub(crate) fn expected(&self, expected: &str) -> Error {
        invalid(expected, &self.shown(), self.place)
    }

    /// What comes next, shortened.
    fn shown(&self) -> String {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let mut word: String =
            self.rest.chars().take_while(|&character| is_word(character)).collect();
        match self.peek() {
            None => return "the end of the grammar".to_owned(),
            Some('\n' | '\r') => return "the end of the line".to_owned(),
            Some(character) if word.is_empty() => word.push(character),
            Some(_) => {}
        }
        shown(&word)
    }
}

/// A part of a grammar as errors show it.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}...", &text[..end])),
        None => format!("{text:?}"),
    }
}

pub(crate) fn invalid(expected: &str, got: &str, place: Place) -> Error {
    let (expected, got) = (expected.to_owned(), got.to_owned());
    Error::InvalidGrammar { expected, got, line: place.line, column: place.column }
}

pub(crate) fn unsupported(feature: &str, reason: &str, place: Place) -> Error {
    let (feature, reason) = (feature.to_owned(), reason.to_owned());
    Error::UnsupportedGrammar { feature, reason, line: place.line, column: place.column }
}

pub(crate) fn undefined(name: &str, place: Place) -> Error {
    Error::UndefinedName { name: name.to_owned(), line: place.line, column: place.column }
}
