//! [`CharacterSet`]: characters that strings mostly consist of.

use std::sync::LazyLock;

use crate::dfa::Dfa;
use crate::meter::Meter;

/// A set of characters that stand for themselves in a JSON string. Tokens of such characters alone are
/// most of a vocabulary, and are allowed all at once where all characters of the set may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CharacterSet {
    /// All but the separators of lines, which patterns often refuse.
    Plain,
    /// Letters, digits and `_` of ASCII, and the blank.
    Words,
    /// Letters, digits and `_` of ASCII.
    Word,
}

impl CharacterSet {
    /// All of them, the largest first.
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Words, Self::Word];

    pub(crate) fn contains(self, character: char) -> bool {
        let is_word = character.is_ascii_alphanumeric() || character == '_';
        match self {
            Self::Plain => {
                character >= ' ' && !matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}')
            }
            Self::Words => is_word || character == ' ',
            Self::Word => is_word,
        }
    }

    /// How many characters a text has, if all are of the set; none if it is empty.
    pub(crate) fn n_characters(self, text: &[u8]) -> Option<usize> {
        let text = std::str::from_utf8(text).ok()?;
        let is_of_set = !text.is_empty() && text.chars().all(|character| self.contains(character));
        is_of_set.then(|| text.chars().count())
    }

    /// The automaton of texts of such characters.
    pub(crate) fn texts(self) -> &'static Dfa {
        static TEXTS: LazyLock<[Dfa; 3]> = LazyLock::new(|| {
            let patterns =
                ["[^\\x00-\\x1F\"\\\\\\u{2028}\\u{2029}]*", "[A-Za-z0-9_ ]*", "[A-Za-z0-9_]*"];
            patterns.map(|pattern| {
                crate::regex::compile(pattern, &Meter::unlimited())
                    .unwrap_or_else(|_| unreachable!("a valid expression"))
            })
        });
        &TEXTS[self as usize]
    }
}
