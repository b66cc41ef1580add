//! [`CharacterClass`]: sets of characters in the syntax of the `regex` crate.

use std::fmt::Write;

/// A set of characters as it is written: single ones, ranges, and sets with a notation of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CharacterClass {
    items: String,
    is_negated: bool,
}

/// Any character.
pub(crate) const ANY: &str = "(?s:.)";

impl CharacterClass {
    pub(crate) fn new(is_negated: bool) -> Self {
        Self { items: String::new(), is_negated }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn add_range(&mut self, first: char, last: char) {
        push_character(&mut self.items, first);
        if first != last {
            self.items.push('-');
            push_character(&mut self.items, last);
        }
    }

    /// Adds a set in the syntax of the `regex` crate.
    pub(crate) fn add_set(&mut self, set: &str) {
        self.items.push_str(set);
    }

    pub(crate) fn pattern(&self) -> String {
        format!("[{}{}]", if self.is_negated { "^" } else { "" }, self.items)
    }
}

/// Adds a character, which means itself there.
pub(crate) fn push_character(pattern: &mut String, character: char) {
    match character {
        '\n' => pattern.push_str(r"\n"),
        '\r' => pattern.push_str(r"\r"),
        '\t' => pattern.push_str(r"\t"),
        _ if regex_syntax::is_meta_character(character) => pattern.extend(['\\', character]),
        _ if character.is_control() => {
            let _ = write!(pattern, r"\x{{{:X}}}", u32::from(character));
        }
        _ => pattern.push(character),
    }
}

/// The pattern of a text.
pub(crate) fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        push_character(&mut pattern, character);
    }
    pattern
}
