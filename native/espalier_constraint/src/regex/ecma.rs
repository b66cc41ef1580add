//! ECMA 262 patterns, as JSON Schema uses them, in the syntax of the `regex` crate.
//!
//! The two differ in a few places: `\d` and `\w` are ASCII, `\s` is ECMA's list of white space,
//! `$` is the end of the text, `.` stops at four line terminators, `\/` and other identity escapes
//! are allowed, as are `[^]`, `\cX`, `\uXXXX` and a bracket or brace that stands for itself.

use crate::error::Error;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
const SPACE: &str = r"\t\n\x0B\x0C\r \u{A0}\u{1680}\u{2000}-\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}\u{FEFF}";

/// Translates a pattern.
///
/// # Errors
/// [`Error::InvalidRegex`] for what ECMA 262 refuses, as far as it matters here, and
/// [`Error::UnsupportedRegex`] for backreferences and lookaround.
pub(super) fn translate(pattern: &str) -> Result<String, Error> {
    let mut translator = Translator { pattern, rest: pattern, out: String::new() };
    while let Some(character) = translator.next() {
        translator.term(character)?;
    }
    Ok(translator.out)
}

struct Translator<'a> {
    pattern: &'a str,
    rest: &'a str,
    out: String,
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
        match character {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            '.' => self.out.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            '^' => self.out.push_str(r"\A"),
            '$' => self.out.push_str(r"\z"),
            '{' => self.quantifier(),
            '*' | '+' | '?' | '|' | ')' => self.out.push(character),
            literal => self.literal(literal),
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Error> {
        for look in ["?=", "?!", "?<=", "?<!"] {
            if self.rest.starts_with(look) {
                return Err(self.unsupported("lookaround is not supported yet"));
            }
        }
        // Names of groups mean nothing here, and ECMA allows more of them.
        let named = self.rest.strip_prefix("?<").and_then(|rest| rest.split_once('>'));
        match named {
            Some((_, rest)) => {
                self.rest = rest;
                self.out.push_str("(?:");
            }
            None if self.take("?:") => self.out.push_str("(?:"),
            None if self.rest.starts_with('?') => return Err(self.invalid("unknown kind of group")),
            None => self.out.push_str("(?:"),
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        let Some(character) = self.next() else {
            return Err(self.invalid("nothing follows the backslash"));
        };
        match character {
            'b' => self.out.push_str(r"(?-u:\b)"),
            'B' => self.out.push_str(r"(?-u:\B)"),
            '1'..='9' | 'k' => return Err(self.unsupported("backreferences are not supported")),
            'd' | 'w' | 's' | 'D' | 'W' | 'S' => {
                let set = class_set(character);
                let negation = if character.is_ascii_uppercase() { "^" } else { "" };
                self.push_format(format_args!("[{negation}{set}]"));
            }
            'p' | 'P' => self.property(character)?,
            other => {
                let literal = self.escaped_character(other)?;
                self.literal(literal);
            }
        }
        Ok(())
    }

    fn class(&mut self) -> Result<(), Error> {
        let is_negated = self.take("^");
        if self.take("]") {
            self.out.push_str(if is_negated { "(?s:.)" } else { r"[^\x00-\u{10FFFF}]" });
            return Ok(());
        }
        self.out.push_str(if is_negated { "[^" } else { "[" });
        let mut after_character = false;
        loop {
            after_character = match self.next() {
                None => return Err(self.invalid("the class is not closed")),
                Some(']') => break,
                Some('\\') => self.class_escape()?,
                Some('-') if after_character && !self.set_follows() => {
                    self.out.push('-');
                    false
                }
                Some(character) => {
                    self.literal(character);
                    true
                }
            };
        }
        self.out.push(']');
        Ok(())
    }

    /// Whether the class ends here or a set such as `\d` follows: then a hyphen is no range.
    fn set_follows(&self) -> bool {
        let sets = ["\\d", "\\w", "\\s", "\\D", "\\W", "\\S", "\\p", "\\P"];
        self.rest.starts_with(']') || sets.iter().any(|set| self.rest.starts_with(set))
    }

    /// Answers whether it was a single character, which can begin a range.
    fn class_escape(&mut self) -> Result<bool, Error> {
        let Some(character) = self.next() else {
            return Err(self.invalid("nothing follows the backslash"));
        };
        match character {
            'd' | 'w' | 's' => self.push_format(format_args!("[{}]", class_set(character))),
            'D' | 'W' | 'S' => self.push_format(format_args!("[^{}]", class_set(character))),
            'p' | 'P' => self.property(character)?,
            'b' => self.literal('\u{8}'),
            other => {
                let literal = self.escaped_character(other)?;
                self.literal(literal);
            }
        }
        Ok(!"dwsDWSpP".contains(character))
    }

    /// `\p{...}`: general categories and scripts have the same names in both.
    fn property(&mut self, letter: char) -> Result<(), Error> {
        let property = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((name, rest)) = property else {
            return Err(self.invalid("a property needs a name in braces"));
        };
        self.rest = rest;
        self.push_format(format_args!(r"\{letter}{{{name}}}"));
        Ok(())
    }

    fn escaped_character(&mut self, character: char) -> Result<char, Error> {
        Ok(match character {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'f' => '\u{c}',
            '0' => '\0',
            'c' => self.control()?,
            'x' => self.hexadecimal(2)?,
            'u' if self.take("{") => self.braced()?,
            'u' => self.unit()?,
            other => other,
        })
    }

    fn control(&mut self) -> Result<char, Error> {
        match self.next() {
            Some(letter) if letter.is_ascii_alphabetic() => Ok(char::from(letter as u8 % 32)),
            _ => Err(self.invalid(r"\c needs a letter")),
        }
    }

    fn braced(&mut self) -> Result<char, Error> {
        let digits = self.rest.split_once('}');
        let value = digits.and_then(|(digits, rest)| {
            self.rest = rest;
            u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)
        });
        value.ok_or_else(|| self.invalid(r"\u{...} needs a code point"))
    }

    /// `\uXXXX`, or two of them for a character outside of the basic plane.
    fn unit(&mut self) -> Result<char, Error> {
        let high = self.digits(4)?;
        if (0xD800..0xDC00).contains(&high) && self.take(r"\u") {
            let low = self.digits(4)?;
            let character = char::decode_utf16([high as u16, low as u16]).next();
            return character.and_then(Result::ok).ok_or_else(|| self.invalid("a lone surrogate"));
        }
        char::from_u32(high).ok_or_else(|| self.unsupported("a lone surrogate matches no text"))
    }

    fn hexadecimal(&mut self, n: usize) -> Result<char, Error> {
        let value = self.digits(n)?;
        char::from_u32(value).ok_or_else(|| self.invalid("not a character"))
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
    fn quantifier(&mut self) {
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let bounds = self.rest.split_once('}').filter(|(bounds, _)| {
            let (least, most) = bounds.split_once(',').unwrap_or((bounds, ""));
            !least.is_empty() && is_number(least) && is_number(most)
        });
        match bounds {
            Some((bounds, rest)) => {
                self.rest = rest;
                self.push_format(format_args!("{{{bounds}}}"));
            }
            None => self.literal('{'),
        }
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
    use super::translate;

    #[test]
    fn translates_what_differs() {
        for (pattern, expected) in [
            (r"^a/b$", r"\Aa\x{2F}b\z"),
            (r"\/", r"\x{2F}"),
            (r"[\w-]", r"[[0-9A-Za-z_]\x{2D}]"),
            (r"[a-z-]", r"[a-z\x{2D}]"),
            (r"a{2,3}{x}", r"a{2,3}\x{7B}x\x{7D}"),
            (r"[^]", "(?s:.)"),
            (r"(?<year>\d{4})", "(?:[0-9]{4})"),
            (r"\u00e9", "é"),
            (r"\ud83d\ude00", "😀"),
        ] {
            assert_eq!(translate(pattern).as_deref(), Ok(expected), "{pattern}");
        }
    }

    #[test]
    fn tells_what_is_refused() {
        for pattern in [r"(a)\1", "(?=a)", "(?<!a)", r"\", "[a", r"\u12", r"\x{z}"] {
            assert!(translate(pattern).is_err(), "{pattern}");
        }
    }
}
