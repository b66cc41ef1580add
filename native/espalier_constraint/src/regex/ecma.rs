//! ECMA 262 patterns, as JSON Schema uses them, in the syntax of the `regex` crate.
//!
//! The two differ in a few places: `\d` and `\w` are ASCII, `\s` is ECMA's list of white space,
//! `$` is the end of the text, `.` stops at four line terminators, `\/` and other identity escapes
//! are allowed, as are `[^]`, `\cX`, `\uXXXX` and a bracket or brace that stands for itself. What
//! only browsers allow is taken as they take it where that is clear.

use crate::error::Error;
use crate::limits::{Limit, limit};
use crate::meter::Meter;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";

/// Matches nothing.
const NOTHING: &str = r"[^\x00-\u{10FFFF}]";
/// Begins the name of the empty group that stands for a lookaround.
const LOOKAROUND: &str = "look";

/// How lookarounds begin, and whether they are negated.
const LOOKS: [(&str, Direction, bool); 4] = [
    ("?=", Direction::Ahead, false),
    ("?!", Direction::Ahead, true),
    ("?<=", Direction::Behind, false),
    ("?<!", Direction::Behind, true),
];

/// A pattern in the syntax of the `regex` crate, which has no lookaround: each of those is an empty
/// group with a name of its own, and stands in a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translation {
    pub(super) expression: String,
    /// The inner ones before those around them.
    pub(super) looks: Vec<Lookaround>,
    /// Whether it matches texts as a whole, or somewhere in them.
    pub(super) is_whole: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lookaround {
    pub(super) direction: Direction,
    pub(super) is_negated: bool,
    pub(super) expression: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Direction {
    Ahead,
    Behind,
}

/// Translates a pattern.
///
/// # Errors
/// [`Error::InvalidRegex`] for what ECMA 262 refuses, as far as its meaning is not clear,
/// [`Error::UnsupportedRegex`] for backreferences, and [`Error::LimitExceeded`].
pub(super) fn translate(pattern: &str, meter: &Meter) -> Result<Translation, Error> {
    let mut translator = Translator {
        pattern,
        rest: pattern,
        out: String::new(),
        can_repeat: false,
        open: Vec::new(),
        looks: Vec::new(),
        max_looks: limit!(meter.limits(), regex_lookarounds),
    };
    while let Some(character) = translator.next() {
        translator.term(character)?;
    }
    if !translator.open.is_empty() {
        return Err(translator.invalid("a group is not closed"));
    }
    Ok(Translation { expression: translator.out, looks: translator.looks, is_whole: false })
}

/// The group that stands for the lookaround of this index.
pub(super) fn group_of(index: usize) -> String {
    format!("(?P<{LOOKAROUND}{index}>)")
}

/// The index of the lookaround that a group of this name stands for.
pub(super) fn lookaround_of(name: &str) -> Option<usize> {
    name.strip_prefix(LOOKAROUND)?.parse().ok()
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
    /// Whether a quantifier may come next.
    can_repeat: bool,
    /// The groups that are not closed yet.
    open: Vec<Group>,
    looks: Vec<Lookaround>,
    max_looks: Limit,
}

enum Group {
    Plain,
    /// With what was written before it.
    Look {
        direction: Direction,
        is_negated: bool,
        before: String,
    },
}

/// A part of a class.
enum Item {
    /// A set, as it is to be written.
    Set(String),
    /// A code point, possibly of a surrogate.
    Character(u32),
}

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn push_format(&mut self, text: std::fmt::Arguments<'_>) {
        self.out.push_str(&text.to_string());
    }

    fn term(&mut self, character: char) -> Result<(), Error> {
        let could_repeat = std::mem::replace(&mut self.can_repeat, true);
        match character {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => self.close()?,
            '.' => self.out.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            '^' => self.assertion(r"\A"),
            '$' => self.assertion(r"\z"),
            '|' => self.assertion("|"),
            '*' | '+' | '?' => self.repeat(could_repeat, &character.to_string())?,
            '{' => match self.bounds() {
                Some(bounds) => self.repeat(could_repeat, &bounds)?,
                None => self.literal('{'),
            },
            literal => self.literal(literal),
        }
        Ok(())
    }

    /// What can't be repeated.
    fn assertion(&mut self, translated: &str) {
        self.out.push_str(translated);
        self.can_repeat = false;
    }

    fn repeat(&mut self, could_repeat: bool, quantifier: &str) -> Result<(), Error> {
        if !could_repeat {
            return Err(self.invalid(&format!("nothing to repeat before {quantifier}")));
        }
        self.assertion(quantifier);
        // How often is tried first makes no difference to what matches.
        self.take("?");
        Ok(())
    }

    fn group(&mut self) -> Result<(), Error> {
        self.can_repeat = false;
        if let Some((_, direction, is_negated)) = LOOKS.into_iter().find(|look| self.take(look.0)) {
            let before = std::mem::take(&mut self.out);
            self.open.push(Group::Look { direction, is_negated, before });
            return Ok(());
        }
        // Names of groups mean nothing here, and ECMA allows more of them.
        let named = self.rest.strip_prefix("?<").and_then(|rest| rest.split_once('>'));
        match named {
            Some(("", _)) => return Err(self.invalid("the name of a group is empty")),
            Some((_, rest)) => self.rest = rest,
            None if self.take("?:") => {}
            None if self.rest.starts_with('?') => {
                let kind: String = self.rest.chars().take(2).collect();
                return Err(self.invalid(&format!("unknown kind of group \"({kind}\"")));
            }
            None => {}
        }
        self.out.push_str("(?:");
        self.open.push(Group::Plain);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.open.pop() {
            None => return Err(self.invalid("a group is closed that was not opened")),
            Some(Group::Plain) => self.out.push(')'),
            Some(Group::Look { direction, is_negated, before }) => {
                let expression = std::mem::replace(&mut self.out, before);
                self.max_looks.check(self.looks.len() + 1)?;
                self.out.push_str(&group_of(self.looks.len()));
                self.looks.push(Lookaround { direction, is_negated, expression });
                // As browsers have it, and only they.
                self.can_repeat = direction == Direction::Ahead;
            }
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        let Some(character) = self.next() else {
            return Err(self.invalid("nothing follows the backslash"));
        };
        match character {
            'b' => self.assertion(r"(?-u:\b)"),
            'B' => self.assertion(r"(?-u:\B)"),
            '1'..='9' | 'k' => {
                return Err(self.unsupported(&format!("the backreference \\{character}")));
            }
            _ => match self.escaped(character)? {
                Item::Set(set) => self.out.push_str(&set),
                Item::Character(code_point) => match char::from_u32(code_point) {
                    Some(character) => self.literal(character),
                    // No text has a lone surrogate.
                    None => self.out.push_str(NOTHING),
                },
            },
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), Error> {
        let is_negated = self.take("^");
        self.out.push_str(if is_negated { "[^" } else { "[" });
        // So that a class of nothing is one.
        self.out.push_str(NOTHING);
        while let Some(item) = self.class_item()? {
            let is_range = self.rest.starts_with('-') && !self.rest.starts_with("-]");
            let first = match item {
                Item::Set(set) => {
                    self.out.push_str(&set);
                    continue;
                }
                Item::Character(first) if is_range => first,
                Item::Character(only) => {
                    self.range(only, only)?;
                    continue;
                }
            };
            self.take("-");
            match self.class_item()? {
                Some(Item::Character(last)) => self.range(first, last)?,
                // A hyphen before a set is one.
                Some(Item::Set(set)) => {
                    self.range(first, first)?;
                    self.literal('-');
                    self.out.push_str(&set);
                }
                None => return Err(self.invalid("the class is not closed")),
            }
        }
        self.out.push(']');
        Ok(())
    }

    /// The next part of a class; `None` at its end.
    fn class_item(&mut self) -> Result<Option<Item>, Error> {
        Ok(match self.next() {
            None => return Err(self.invalid("the class is not closed")),
            Some(']') => None,
            Some('\\') => match self.next() {
                None => return Err(self.invalid("nothing follows the backslash")),
                Some('b') => Some(Item::Character(8)),
                Some(digit @ '1'..='7') => Some(Item::Character(self.octal(digit))),
                Some(character) => Some(self.escaped(character)?),
            },
            Some(character) => Some(Item::Character(character.into())),
        })
    }

    /// The characters of a class from one code point to another; surrogates are no characters.
    fn range(&mut self, first: u32, last: u32) -> Result<(), Error> {
        if first > last {
            return Err(self.invalid("a range of a class is out of order"));
        }
        let is_surrogate = |code_point| (0xD800..0xE000).contains(&code_point);
        let first = if is_surrogate(first) { 0xE000 } else { first };
        let last = if is_surrogate(last) { 0xD7FF } else { last };
        if first <= last {
            self.push_format(format_args!("\\x{{{first:X}}}"));
        }
        if first < last {
            self.push_format(format_args!("-\\x{{{last:X}}}"));
        }
        Ok(())
    }

    /// What an escape means inside and outside of classes.
    fn escaped(&mut self, character: char) -> Result<Item, Error> {
        Ok(Item::Character(match character {
            'd' | 'w' | 's' | 'D' | 'W' | 'S' => {
                let set = class_set(character);
                let negation = if character.is_ascii_uppercase() { "^" } else { "" };
                return Ok(Item::Set(format!("[{negation}{set}]")));
            }
            'p' | 'P' => return self.property(character).map(Item::Set),
            'n' => 0xA,
            'r' => 0xD,
            't' => 0x9,
            'v' => 0xB,
            'f' => 0xC,
            '0' => self.octal('0'),
            'c' => self.control()?,
            'x' => self.digits(2)?,
            'u' if self.take("{") => self.braced()?,
            'u' => self.unit()?,
            letter if letter.is_ascii_alphabetic() => {
                return Err(self.invalid(&format!("unknown escape \\{letter}")));
            }
            other => other.into(),
        }))
    }

    /// `\p{...}`: general categories, scripts and properties have the same names in both.
    fn property(&mut self, letter: char) -> Result<String, Error> {
        let property = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((name, rest)) = property else {
            return Err(self.invalid(&format!("\\{letter} needs the name of a property in braces")));
        };
        let is_named = |name: char| name.is_ascii_alphanumeric() || "_=".contains(name);
        if !name.chars().all(is_named) {
            return Err(self.invalid(&format!("unknown property \\{letter}{{{name}}}")));
        }
        self.rest = rest;
        Ok(format!(r"\{letter}{{{name}}}"))
    }

    fn control(&mut self) -> Result<u32, Error> {
        match self.next() {
            Some(letter) if letter.is_ascii_alphabetic() => Ok(u32::from(letter) % 32),
            _ => Err(self.invalid(r"\c needs a letter")),
        }
    }

    /// Up to three octal digits, of which the first was read, as old patterns have them.
    fn octal(&mut self, first: char) -> u32 {
        let mut value = first.to_digit(8).unwrap_or_default();
        for _ in 0..2 {
            let Some(digit) = self.rest.chars().next().and_then(|digit| digit.to_digit(8)) else {
                break;
            };
            if value * 8 + digit > 0xFF {
                break;
            }
            self.rest = &self.rest[1..];
            value = value * 8 + digit;
        }
        value
    }

    fn braced(&mut self) -> Result<u32, Error> {
        let digits = self.rest.split_once('}');
        let value = digits.and_then(|(digits, rest)| {
            self.rest = rest;
            let value = u32::from_str_radix(digits, 16).ok()?;
            (!digits.starts_with('+') && value < 0x11_0000).then_some(value)
        });
        value.ok_or_else(|| self.invalid(r"\u{...} needs a code point"))
    }

    /// `\uXXXX`, or two of them for a character outside of the basic plane.
    fn unit(&mut self) -> Result<u32, Error> {
        let high = self.digits(4)?;
        if (0xD800..0xDC00).contains(&high) {
            let after_high = self.rest;
            let low = if self.take(r"\u") { self.digits(4).unwrap_or_default() } else { 0 };
            if (0xDC00..0xE000).contains(&low) {
                return Ok(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
            }
            self.rest = after_high;
        }
        Ok(high)
    }

    fn digits(&mut self, n: usize) -> Result<u32, Error> {
        let value =
            self.rest.get(..n).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(value) = value.and_then(|text| u32::from_str_radix(text, 16).ok()) else {
            return Err(self.invalid(&format!("expected {n} hexadecimal digits")));
        };
        self.rest = &self.rest[n..];
        Ok(value)
    }

    fn literal(&mut self, character: char) {
        if character.is_ascii_alphanumeric() || !character.is_ascii() || character == '_' {
            self.out.push(character);
        } else {
            self.push_format(format_args!("\\x{{{:X}}}", character as u32));
        }
    }

    /// `{2}`, `{2,}` and `{2,3}` repeat; any other brace stands for itself.
    fn bounds(&mut self) -> Option<String> {
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let end = self.rest.find(|next: char| !next.is_ascii_digit() && next != ',')?;
        let (bounds, rest) = (&self.rest[..end], self.rest[end..].strip_prefix('}')?);
        let (least, most) = bounds.split_once(',').unwrap_or((bounds, bounds));
        if least.is_empty() || !is_number(least) || !is_number(most) {
            return None;
        }
        self.rest = rest;
        // Nothing is repeated as often as those that are too large to be read.
        let least = least.parse().unwrap_or(u32::MAX);
        let most = if bounds.ends_with(',') { None } else { most.parse::<u32>().ok() };
        Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least},}}"),
        })
    }

    fn invalid(&self, message: &str) -> Error {
        let (pattern, message) = (self.pattern.to_owned(), message.to_owned());
        Error::InvalidRegex { pattern, message, pointer: None }
    }

    fn unsupported(&self, message: &str) -> Error {
        let (pattern, message) = (self.pattern.to_owned(), message.to_owned());
        Error::UnsupportedRegex { pattern, message, pointer: None }
    }
}

fn class_set(letter: char) -> &'static str {
    match letter.to_ascii_lowercase() {
        'd' => DIGIT,
        'w' => WORD,
        _ => SPACE,
    }
}

#[cfg(test)]
mod tests {
    use super::{Direction, Translation};
    use crate::error::Error;
    use crate::meter::Meter;

    fn translate(pattern: &str) -> Result<Translation, Error> {
        super::translate(pattern, &Meter::unlimited())
    }

    #[test]
    fn translates_what_differs() {
        for (pattern, expected) in [
            (r"^a/b$", r"\Aa\x{2F}b\z"),
            (r"\/", r"\x{2F}"),
            (r"[\w-]", r"[[^\x00-\u{10FFFF}][0-9A-Za-z_]\x{2D}]"),
            (r"[a-z-]", r"[[^\x00-\u{10FFFF}]\x{61}-\x{7A}\x{2D}]"),
            (r"a{2}?{x}", r"a{2,2}\x{7B}x\x{7D}"),
            (r"[^]", r"[^[^\x00-\u{10FFFF}]]"),
            (r"[\ud800-\uffff]", r"[[^\x00-\u{10FFFF}]\x{E000}-\x{FFFF}]"),
            (r"\07[\101]", r"\x{7}[[^\x00-\u{10FFFF}]\x{41}]"),
            (r"(?<year>\d{4})", "(?:[0-9]{4,4})"),
            (r"\u00e9", "é"),
            (r"\ud83d\ude00", "😀"),
        ] {
            let translation = translate(pattern).unwrap();
            assert_eq!(translation.expression, expected, "{pattern}");
        }
    }

    #[test]
    fn lookarounds_are_taken_out() {
        let translation = translate(r"a(?<!b(?=c))(?:d)+").unwrap();
        assert_eq!(translation.expression, "a(?P<look1>)(?:d)+");
        let [inner, outer] = translation.looks.try_into().unwrap();
        assert_eq!((inner.direction, inner.is_negated), (Direction::Ahead, false));
        assert_eq!((outer.direction, outer.is_negated), (Direction::Behind, true));
        assert_eq!((inner.expression, outer.expression), ("c".into(), "b(?P<look0>)".into()));
    }

    #[test]
    fn tells_what_is_refused() {
        for pattern in
            [r"(a)\1", "(?=a", "a)", "(?i)a", r"\", "[a", "[b-a]", r"\u12", r"\A", "a**", "(^*)"]
        {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
