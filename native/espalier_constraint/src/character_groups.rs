//! [`CharacterGroups`]: of which characters a text consists, in 40 groups.
//!
//! Texts of characters that may follow in any number and order are allowed without being read, so the
//! groups are the sets that patterns tell apart: letters, digits, and each sign of ASCII by itself.

/// Some groups of characters, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct CharacterGroups(u64);

impl CharacterGroups {
    pub(crate) const NONE: Self = Self(0);
    /// Control characters, the quote and the backslash, which a string has only in escapes, and what is
    /// no whole character.
    pub(crate) const NOT_PLAIN: Self = Self(1);
    /// All characters beyond ASCII but white space, which `.` and `\S` leave out.
    pub(crate) const WIDE: Self = Self(2);
    pub(crate) const WIDE_SPACES: Self = Self(4);
    /// All that stand for themselves in a JSON string.
    pub(crate) const PLAIN: Self = Self(Self::ALL.0 & !1);

    /// How many groups there are.
    pub(crate) const COUNT: usize = 40;
    pub(crate) const ALL: Self = Self((1 << Self::COUNT) - 1);

    /// The group of a character of ASCII.
    pub(crate) const fn of_ascii(byte: u8) -> Self {
        let index = match byte {
            0x00..=0x1F | b'"' | b'\\' => return Self::NOT_PLAIN,
            b'a'..=b'z' => 3,
            b'A'..=b'Z' => 4,
            b'0'..=b'9' => 5,
            b' '..=b'/' => 6 + byte - b' ',
            b':'..=b'@' => 22 + byte - b':',
            b'['..=b'`' => 29 + byte - b'[',
            b'{'..=0x7F => 35 + byte - b'{',
            0x80.. => return Self::WIDE,
        };
        Self(1 << index)
    }

    /// The groups of a text, and how many characters it has.
    pub(crate) fn of_text(text: &[u8]) -> (Self, usize) {
        let Ok(text) = std::str::from_utf8(text) else { return (Self::NOT_PLAIN, text.len()) };
        let each = text.chars().map(Self::of);
        each.fold((Self::NONE, 0), |(groups, n), group| (groups.or(group), n + 1))
    }

    /// The group of a character.
    pub(crate) fn of(character: char) -> Self {
        match character {
            '\0'..='\x7F' => Self::of_ascii(character as u8),
            '\u{FEFF}' => Self::WIDE_SPACES,
            _ if character.is_whitespace() => Self::WIDE_SPACES,
            _ => Self::WIDE,
        }
    }

    /// Those in one of both.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those in both.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The indices of the groups.
    pub(crate) fn indices(self) -> impl Iterator<Item = usize> {
        (0..Self::COUNT).filter(move |index| self.0 >> index & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_texts_by_their_characters() {
        let of = |text: &str| CharacterGroups::of_text(text.as_bytes());
        assert_eq!(of("ab1"), of("z9q"));
        assert_eq!(of("é\u{2028}"), (CharacterGroups::WIDE.or(CharacterGroups::WIDE_SPACES), 2));
        let (signs, _) = of("-/");
        assert!(of("/").0.is_within(signs) && !of("_").0.is_within(signs));
        let plain = (0..=0x7F).filter(|byte| !matches!(byte, 0..0x20 | b'"' | b'\\'));
        for byte in plain {
            assert!(CharacterGroups::of_ascii(byte).is_within(CharacterGroups::PLAIN), "{byte}");
        }
        assert!(!of("a\n").0.is_within(CharacterGroups::PLAIN));
        assert_eq!(CharacterGroups::of_text(b"a\xC3").0, CharacterGroups::NOT_PLAIN);
    }
}
