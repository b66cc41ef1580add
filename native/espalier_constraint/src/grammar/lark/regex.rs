//! Regular expressions of Python, as grammars in Lark have them, in the syntax of the `regex` crate.
//!
//! All texts of a terminal count, wherever it stands. So what looks beyond the terminal (anchors,
//! lookaround) is refused, and so is what asks for some of its texts only (lazy and possessive repetition).

use crate::error::Error;
use crate::grammar::pattern::{CharacterClass, push_character};
use crate::grammar::rules::Place;
use crate::grammar::text::Text;
use crate::limits::{Limit, limit};
use crate::meter::Meter;
use crate::regex;

const WORD: &str = r"\p{L}\p{N}_";
const SPACE: &str = r"\s\x1C-\x1F";

const OUTSIDE: &str =
    "it looks beyond the terminal, which matches the same texts wherever it stands: leave it out";
const LAZY: &str = "a repetition that ends as soon as it can; say which characters it may go on with \
    instead, as in [^\"]*";
const POSSESSIVE: &str = "a repetition or a group that gives nothing back";

/// Translates an expression; `text` is what stands between its slashes.
///
/// # Errors
/// [`Error::InvalidTerminal`] and [`Error::LimitExceeded`].
pub(super) fn translate(
    text: Text,
    flags: &str,
    place: Place,
    meter: &Meter,
) -> Result<String, Error> {
    let length = text.rest().len();
    limit!(meter.limits(), regex_bytes).check(length).map_err(|error| error.in_terminal(place))?;
    let mut translator = Translator {
        pattern: text.rest(),
        text,
        out: String::new(),
        of_whole: String::new(),
        can_repeat: false,
        is_verbose: vec![flags.contains('x')],
        max_nesting: limit!(meter.limits(), regex_nesting),
    };
    translator.outer_flags(flags, place)?;
    while let Some(character) = translator.text.peek() {
        translator.part(character)?;
    }
    if translator.is_verbose.len() > 1 {
        return Err(translator.invalid("a group is not closed", translator.text.place()));
    }
    let (out, flags) = (translator.out, translator.of_whole);
    let out = if flags.is_empty() { out } else { format!("(?{flags}:{out})") };
    regex::check(&out, text.rest(), meter).map_err(|error| error.in_terminal(place))?;
    Ok(out)
}

struct Translator<'a> {
    pattern: &'a str,
    text: Text<'a>,
    out: String,
    /// The flags of the whole, each once. They are written around it, so that they say nothing of what it is joined
    /// with.
    of_whole: String,
    /// Whether a quantifier may come next.
    can_repeat: bool,
    /// Whether blanks and comments mean nothing: by group that is open, the whole first.
    is_verbose: Vec<bool>,
    max_nesting: Limit,
}

/// A part of a class.
enum Item {
    Set(String),
    Character(char),
}

impl Translator<'_> {
    fn invalid(&self, message: &str, place: Place) -> Error {
        let (pattern, message) = (self.pattern.to_owned(), message.to_owned());
        Error::InvalidRegex { pattern, message, pointer: None }.in_terminal(place)
    }

    fn unsupported(&self, what: &str, why: &str, place: Place) -> Error {
        let (pattern, message) = (self.pattern.to_owned(), format!("{what}: {why}"));
        Error::UnsupportedRegex { pattern, message, pointer: None }.in_terminal(place)
    }

    /// The flags behind the expression.
    fn outer_flags(&mut self, flags: &str, place: Place) -> Result<(), Error> {
        let unknown = flags.chars().find(|flag| !"imslux".contains(*flag));
        if let Some(flag) = unknown {
            let message = format!("unknown flag {flag}: the flags are i, m, s, l, u and x");
            return Err(self.invalid(&message, place));
        }
        if flags.contains('l') {
            return Err(self.unsupported("the flag l", "it is for bytes of some locale", place));
        }
        self.add_flags(flags);
        Ok(())
    }

    /// The flag m is about anchors, and u about bytes: none of these are there.
    fn add_flags(&mut self, flags: &str) {
        for flag in ['i', 's'] {
            if flags.contains(flag) && !self.of_whole.contains(flag) {
                self.of_whole.push(flag);
            }
        }
    }

    fn part(&mut self, character: char) -> Result<(), Error> {
        let start = self.text;
        self.text.next();
        if self.is_verbose() && (character.is_ascii_whitespace() || character == '\x0B') {
            return Ok(());
        }
        let could_repeat = std::mem::replace(&mut self.can_repeat, true);
        match character {
            '#' if self.is_verbose() => {
                self.text.take_while(|character| character != '\n');
                self.can_repeat = could_repeat;
            }
            '\\' => self.escape(&start)?,
            '[' => self.class(&start)?,
            '(' => self.group(&start, could_repeat)?,
            ')' => self.close(&start)?,
            '.' => self.out.push('.'),
            '|' => self.no_repeat("|"),
            '^' | '$' => {
                let what = format!("the anchor {character}");
                return Err(self.unsupported(&what, OUTSIDE, start.place()));
            }
            '*' | '+' | '?' => self.repeat(could_repeat, &character.to_string(), &start)?,
            '{' => match self.bounds()? {
                Some(bounds) => self.repeat(could_repeat, &bounds, &start)?,
                None => push_character(&mut self.out, '{'),
            },
            literal => push_character(&mut self.out, literal),
        }
        Ok(())
    }

    fn is_verbose(&self) -> bool {
        self.is_verbose.last().copied().unwrap_or_default()
    }

    fn no_repeat(&mut self, translated: &str) {
        self.out.push_str(translated);
        self.can_repeat = false;
    }

    fn repeat(&mut self, could_repeat: bool, quantifier: &str, start: &Text) -> Result<(), Error> {
        let place = start.place();
        if !could_repeat {
            let message = format!("nothing to repeat before {quantifier}");
            return Err(self.invalid(&message, place));
        }
        match self.text.peek() {
            Some('?') => Err(self.unsupported(&format!("{quantifier}?"), LAZY, place)),
            Some('+') => Err(self.unsupported(&format!("{quantifier}+"), POSSESSIVE, place)),
            _ => {
                self.no_repeat(quantifier);
                Ok(())
            }
        }
    }

    /// The rest of a quantifier such as `{2,5}`, if it is one.
    fn bounds(&mut self) -> Result<Option<String>, Error> {
        let start = self.text;
        let is_part = |character: char| character.is_ascii_digit() || character == ',';
        let length = start.rest().find(|character| !is_part(character)).unwrap_or(0);
        let (bounds, rest) = start.rest().split_at(length);
        let (min, max) = bounds.split_once(',').unwrap_or((bounds, bounds));
        if bounds.is_empty() || max.contains(',') || !rest.starts_with('}') {
            return Ok(None);
        }
        self.text.skip(bounds.len() + 1);
        let number = |part: &str, default| {
            let number = if part.is_empty() { Ok(default) } else { part.parse::<u32>() };
            number.map_err(|_| self.invalid("a bound is too large", start.place()))
        };
        if number(min, 0)? > number(max, u32::MAX)? {
            let message = "the lower bound of a repetition is above the upper";
            return Err(self.invalid(message, start.place()));
        }
        let min = if min.is_empty() { "0" } else { min };
        Ok(Some(if bounds.contains(',') {
            format!("{{{min},{max}}}")
        } else {
            format!("{{{min}}}")
        }))
    }

    fn group(&mut self, start: &Text, could_repeat: bool) -> Result<(), Error> {
        let place = start.place();
        self.can_repeat = false;
        if !self.text.take("?") || self.text.take(":") {
            return self.open("(?:", self.is_verbose());
        }
        for look in ["=", "!", "<=", "<!"] {
            if self.text.starts_with(look) {
                return Err(self.unsupported(&format!("(?{look}...)"), OUTSIDE, place));
            }
        }
        match self.text.peek() {
            Some('#') => {
                self.text.take_while(|character| character != ')');
                self.can_repeat = could_repeat;
                let is_closed = self.text.take(")");
                if is_closed { Ok(()) } else { Err(self.invalid("a comment is not closed", place)) }
            }
            Some('P' | '<') => self.named_group(place),
            Some('>') => Err(self.unsupported("(?>...)", POSSESSIVE, place)),
            Some('(') => {
                Err(self.unsupported("(?(...)...)", "a condition on another group", place))
            }
            _ => self.flags(place),
        }
    }

    fn open(&mut self, translated: &str, is_verbose: bool) -> Result<(), Error> {
        let nesting = self.max_nesting.check(self.is_verbose.len());
        nesting.map_err(|error| error.in_terminal(self.text.place()))?;
        self.out.push_str(translated);
        self.is_verbose.push(is_verbose);
        Ok(())
    }

    /// What it is called makes no difference.
    fn named_group(&mut self, place: Place) -> Result<(), Error> {
        self.text.take("P");
        if self.text.starts_with("=") {
            return Err(self.unsupported(
                "(?P=...)",
                "what another group matched, once more",
                place,
            ));
        }
        let is_opened = self.text.take("<");
        let name =
            self.text.take_while(|character| character.is_alphanumeric() || character == '_');
        if !is_opened || name.is_empty() || !self.text.take(">") {
            return Err(self.invalid("unknown kind of group", place));
        }
        self.open("(?:", self.is_verbose())
    }

    /// The flags of a group, or of the whole at its start.
    fn flags(&mut self, place: Place) -> Result<(), Error> {
        let is_start = self.out.is_empty();
        let (mut is_verbose, mut is_on, mut flags) = (self.is_verbose(), true, String::new());
        loop {
            match self.text.next() {
                Some('-') if is_on => {
                    is_on = false;
                    flags.push('-');
                }
                Some('x') => is_verbose = is_on,
                Some('m') => {}
                Some('u') if is_on => {}
                Some(flag @ ('i' | 's')) => flags.push(flag),
                Some(flag @ ('a' | 'L')) => {
                    let why = "what letters, digits and cases are is that of Unicode here";
                    return Err(self.unsupported(&format!("the flag {flag}"), why, place));
                }
                Some(':') => {
                    let flags = flags.trim_end_matches('-');
                    return self.open(&format!("(?{flags}:"), is_verbose);
                }
                Some(')') if is_start && is_on && self.is_verbose.len() == 1 => {
                    self.is_verbose = vec![is_verbose];
                    self.add_flags(&flags);
                    return Ok(());
                }
                Some(')') => {
                    return Err(self.invalid("flags of the whole stand at its start", place));
                }
                _ => return Err(self.invalid("unknown kind of group", place)),
            }
        }
    }

    fn close(&mut self, start: &Text) -> Result<(), Error> {
        if self.is_verbose.len() == 1 {
            return Err(self.invalid("a group is closed that was not opened", start.place()));
        }
        self.is_verbose.pop();
        self.out.push(')');
        Ok(())
    }

    fn class(&mut self, start: &Text) -> Result<(), Error> {
        let not_closed = |this: &Self| this.invalid("a class is not closed", start.place());
        let mut class = CharacterClass::new(self.text.take("^"));
        while !self.text.take("]") || class.is_empty() {
            // The first bracket is a character, which is read already.
            let place = self.text.place();
            let item = if class.is_empty() && self.was_bracket(start) {
                Item::Character(']')
            } else {
                self.item()?.ok_or_else(|| not_closed(self))?
            };
            let is_range = self.text.starts_with("-") && !self.text.starts_with("-]");
            match item {
                Item::Character(first) if is_range => {
                    self.text.next();
                    match self.item()?.ok_or_else(|| not_closed(self))? {
                        Item::Character(last) if first <= last => class.add_range(first, last),
                        _ => return Err(self.invalid("a range that can't be", place)),
                    }
                }
                Item::Set(_) if is_range => {
                    return Err(self.invalid("a range that can't be", place));
                }
                Item::Character(character) => class.add_range(character, character),
                Item::Set(set) => class.add_set(&set),
            }
        }
        self.out.push_str(&class.pattern());
        Ok(())
    }

    /// Whether all that was read of a class is its beginning and a bracket.
    fn was_bracket(&self, start: &Text) -> bool {
        let read = &start.rest()[..start.rest().len() - self.text.rest().len()];
        matches!(read, "[]" | "[^]")
    }

    /// A part of a class, if there is one.
    fn item(&mut self) -> Result<Option<Item>, Error> {
        let start = self.text;
        match self.text.next() {
            None => Ok(None),
            Some('\\') if self.text.take("b") => Ok(Some(Item::Character('\x08'))),
            Some('\\') if self.text.peek().is_some_and(|digit| digit.is_ascii_digit()) => {
                self.octal_in_class(&start).map(Some)
            }
            Some('\\') => self.escaped(&start).map(Some),
            Some(character) => Ok(Some(Item::Character(character))),
        }
    }

    fn escape(&mut self, start: &Text) -> Result<(), Error> {
        match self.text.peek() {
            Some(anchor @ ('A' | 'Z' | 'b' | 'B')) => {
                return Err(self.unsupported(&format!(r"\{anchor}"), OUTSIDE, start.place()));
            }
            _ => match self.escaped(start)? {
                Item::Set(set) => self.out.push_str(&set),
                Item::Character(character) => push_character(&mut self.out, character),
            },
        }
        Ok(())
    }

    fn escaped(&mut self, start: &Text) -> Result<Item, Error> {
        let place = start.place();
        let Some(character) = self.text.next() else {
            return Err(self.invalid("nothing follows the backslash", place));
        };
        let code_point = match character {
            'd' => return Ok(Item::Set(r"\d".to_owned())),
            'D' => return Ok(Item::Set(r"\D".to_owned())),
            'w' => return Ok(Item::Set(format!("[{WORD}]"))),
            'W' => return Ok(Item::Set(format!("[^{WORD}]"))),
            's' => return Ok(Item::Set(format!("[{SPACE}]"))),
            'S' => return Ok(Item::Set(format!("[^{SPACE}]"))),
            'p' | 'P' => return self.property(character, place),
            'a' => 0x07,
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'v' => 0x0B,
            'x' => self.text.hex(2)?,
            'u' => self.text.hex(4)?,
            'U' => self.text.hex(8)?,
            '0'..='9' => self.octal(start)?,
            'N' => return Err(self.unsupported(r"\N", "a character by its name", place)),
            letter if letter.is_ascii_alphabetic() => {
                return Err(self.invalid(&format!(r"unknown escape \{letter}"), place));
            }
            literal => u32::from(literal),
        };
        Text::character(code_point, place).map(Item::Character)
    }

    /// A property of Unicode, which Python knows not, but the engines of others.
    fn property(&mut self, letter: char, place: Place) -> Result<Item, Error> {
        let rest = self.text.rest();
        let length = match rest.strip_prefix('{') {
            Some(name) => name.find('}').map(|end| end + 2),
            None => rest.chars().next().map(char::len_utf8),
        };
        let Some(length) = length else {
            return Err(self.invalid("the name of a property is missing", place));
        };
        Ok(Item::Set(format!(r"\{letter}{}", self.text.skip(length))))
    }

    /// A character in octal digits, of which one is enough where no group can be meant.
    fn octal_in_class(&mut self, start: &Text) -> Result<Item, Error> {
        let place = self.text.place();
        let rest = self.text.rest();
        let n_digits =
            rest.bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
        let digits = self.text.skip(n_digits);
        match u32::from_str_radix(digits, 8) {
            Ok(code_point @ ..=0o377) => Text::character(code_point, place).map(Item::Character),
            Ok(_) => Err(self.invalid("an octal escape above \\377", start.place())),
            Err(_) => Err(self.invalid("an escape of a digit that is not octal", start.place())),
        }
    }

    /// A character in octal digits: three of them, or fewer behind a zero.
    fn octal(&mut self, start: &Text) -> Result<u32, Error> {
        let is_octal = |digit: &u8| (b'0'..=b'7').contains(digit);
        let rest = &start.rest()[1..];
        let n_digits = rest.bytes().take(3).take_while(is_octal).count();
        if n_digits < 3 && !rest.starts_with('0') {
            let what = format!(r"\{}", &rest[..1]);
            return Err(self.unsupported(
                &what,
                "what another group matched, once more",
                start.place(),
            ));
        }
        self.text.skip(n_digits - 1);
        let value = u32::from_str_radix(&rest[..n_digits], 8).unwrap_or(u32::MAX);
        if value > 0o377 {
            return Err(self.invalid("an octal escape above \\377", start.place()));
        }
        Ok(value)
    }
}
