//! The inside of JSON strings: escapes and UTF-8, decoded byte by byte.
//!
//! Patterns, enums and property names speak of characters, not of how they are spelled, so what
//! is read goes through this decoder first.

use regex_syntax::utf8::{Utf8Range, Utf8Sequences};
use smallvec::SmallVec;

use super::EscapeStyle;
use crate::token_trie::Bytes;

/// What decoded bytes are fed to: it refuses a byte when nothing goes on like that.
pub(crate) trait Content: Sized {
    fn push(&self, byte: u8) -> Option<Self>;

    /// Whether some character may follow, where that is seen at a glance.
    fn goes_on(&self) -> Option<bool> {
        None
    }

    /// Between two characters: the only ones that may follow, where these are known to be few.
    fn next_characters(&self) -> Option<Characters> {
        None
    }
}

/// A few characters.
pub(crate) type Characters = SmallVec<[char; 8]>;

/// Where the decoder stands between two bytes of a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Decoder {
    /// Between two characters.
    Boundary,
    /// Inside a character that is written as itself; the next byte lies in the range.
    Inside { n_left: u8, least: u8, greatest: u8 },
    /// After a backslash.
    Backslash,
    /// After `\u` and some of its digits; `high` is the high surrogate before it.
    Unicode { n_digits: u8, value: u16, high: Option<u16> },
    /// After a high surrogate.
    High { high: u16 },
    /// After a high surrogate and a backslash.
    HighBackslash { high: u16 },
}

impl Decoder {
    /// The class of a byte outside of escapes, whatever it stands for.
    pub(crate) fn byte_class(byte: u8) -> u8 {
        match byte {
            0x00..=0x1F => 0,
            0x80..=0x8F => 1,
            0x90..=0x9F => 2,
            0xA0..=0xBF => 3,
            0xC2..=0xDF => 4,
            0xE1..=0xEC | 0xEE..=0xEF => 5,
            0xF1..=0xF3 => 6,
            0xC0 | 0xC1 | 0xF5.. => 7,
            b'"' | b'\\' | 0xE0 | 0xED | 0xF0 | 0xF4 => byte,
            _ => 8,
        }
    }

    /// Whether the byte is a character by itself, spelled as it is, behind which the decoder stands where it
    /// stood.
    pub(crate) fn stays_at(self, byte: u8) -> bool {
        self == Self::Boundary && matches!(byte, b' '..=0x7F) && byte != b'"' && byte != b'\\'
    }

    /// Whether it is in an escape, which looks at each byte.
    pub(crate) fn is_escape(self) -> bool {
        !matches!(self, Self::Boundary | Self::Inside { .. })
    }

    /// In an escape the only bytes that may follow, where these are few; of the content's next characters,
    /// where these are few.
    pub(crate) fn next_bytes(self, next: Option<&[char]>) -> Option<Bytes> {
        match self {
            Self::Backslash => {
                let is_next = |byte: u8| next.is_none_or(|next| next.contains(&char::from(byte)));
                let short = SHORT_ESCAPES.iter().filter(|(_, character)| is_next(*character));
                Some(short.map(|(letter, _)| *letter).chain([b'u']).collect())
            }
            Self::High { .. } => Some(Bytes::from_slice(b"\\")),
            Self::HighBackslash { .. } => Some(Bytes::from_slice(b"u")),
            Self::Boundary | Self::Inside { .. } | Self::Unicode { .. } => None,
        }
    }

    /// Reads one byte of the string; not the quote that ends it, which only comes at a boundary.
    pub(crate) fn step<C: Content>(
        self,
        content: &C,
        byte: u8,
        style: EscapeStyle,
    ) -> Option<(Self, Option<C>)> {
        match self {
            Self::Boundary if byte == b'\\' => {
                can_escape(content, style).then_some((Self::Backslash, None))
            }
            Self::Boundary if byte < 0x20 || byte == b'"' => None,
            Self::Boundary => Some((begin_character(byte)?, Some(content.push(byte)?))),
            Self::Inside { n_left, least, greatest } => {
                let pushed = (least..=greatest).contains(&byte).then(|| content.push(byte))??;
                let inside = Self::Inside { n_left: n_left - 1, least: 0x80, greatest: 0xBF };
                Some((if n_left == 1 { Self::Boundary } else { inside }, Some(pushed)))
            }
            Self::Backslash => after_backslash(content, byte, style),
            Self::Unicode { n_digits, value, high } => {
                let digit = char::from(byte).to_digit(16)? as u16;
                after_digit(content, n_digits + 1, value << 4 | digit, high, style)
            }
            Self::High { high } => (byte == b'\\').then_some((Self::HighBackslash { high }, None)),
            Self::HighBackslash { high } => (byte == b'u')
                .then_some((Self::Unicode { n_digits: 0, value: 0, high: Some(high) }, None)),
        }
    }
}

/// Appends the text, valid UTF-8, as a JSON string with its quotes.
pub(crate) fn quote_into(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    escape_into(text, out);
    out.push(b'"');
}

/// Appends the text, valid UTF-8, with the escapes that JSON requires.
pub(crate) fn escape_into(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match SHORT_ESCAPES.iter().find(|(_, character)| *character == byte && byte != b'/') {
            Some(&(letter, _)) => out.extend([b'\\', letter]),
            None if byte < 0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            None => out.push(byte),
        }
    }
}

const SHORT_ESCAPES: [(u8, u8); 8] = [
    (b'"', b'"'),
    (b'\\', b'\\'),
    (b'/', b'/'),
    (b'b', 0x08),
    (b'f', 0x0C),
    (b'n', b'\n'),
    (b'r', b'\r'),
    (b't', b'\t'),
];

fn begin_character(byte: u8) -> Option<Decoder> {
    if byte.is_ascii() {
        return Some(Decoder::Boundary);
    }
    let (n_left, least, greatest) = bytes_after(byte)?;
    Some(Decoder::Inside { n_left, least, greatest })
}

/// How many bytes follow the first one of a character beyond ASCII, and between which two the next one
/// lies.
pub(crate) fn bytes_after(first: u8) -> Option<(u8, u8, u8)> {
    Some(match first {
        0xC2..=0xDF => (1, 0x80, 0xBF),
        0xE0 => (2, 0xA0, 0xBF),
        0xED => (2, 0x80, 0x9F),
        0xE1..=0xEF => (2, 0x80, 0xBF),
        0xF0 => (3, 0x90, 0xBF),
        0xF1..=0xF3 => (3, 0x80, 0xBF),
        0xF4 => (3, 0x80, 0x8F),
        _ => return None,
    })
}

fn after_backslash<C: Content>(
    content: &C,
    byte: u8,
    style: EscapeStyle,
) -> Option<(Decoder, Option<C>)> {
    if byte == b'u' {
        let decoder = Decoder::Unicode { n_digits: 0, value: 0, high: None };
        return some_unit_in(content, 0, u16::MAX, None, style).then_some((decoder, None));
    }
    let &(_, character) = short_escapes(style).find(|(letter, _)| *letter == byte)?;
    Some((Decoder::Boundary, Some(content.push(character)?)))
}

fn after_digit<C: Content>(
    content: &C,
    n_digits: u8,
    value: u16,
    high: Option<u16>,
    style: EscapeStyle,
) -> Option<(Decoder, Option<C>)> {
    let n_open_bits = 4 * (4 - u32::from(n_digits));
    let least = u32::from(value) << n_open_bits;
    let greatest = least + (1 << n_open_bits) - 1;
    if !some_unit_in(content, least as u16, greatest as u16, high, style) {
        return None;
    }
    match (n_digits, high, value) {
        (4, None, 0xD800..0xDC00) => Some((Decoder::High { high: value }, None)),
        (4, _, _) => {
            let character = char::from_u32(code_points(value, value, high)[0].0)?;
            Some((Decoder::Boundary, Some(push_character(content, character)?)))
        }
        _ => Some((Decoder::Unicode { n_digits, value, high }, None)),
    }
}

fn can_escape<C: Content>(content: &C, style: EscapeStyle) -> bool {
    // Any character can be spelled as an escape.
    if let Some(characters) = content.next_characters() {
        let needs_escape = |&character: &char| matches!(character, '\0'..' ' | '"' | '\\');
        return characters
            .iter()
            .any(|character| style == EscapeStyle::Any || needs_escape(character));
    }
    if style == EscapeStyle::Any
        && let Some(goes_on) = content.goes_on()
    {
        return goes_on;
    }
    short_escapes(style).any(|&(_, character)| content.push(character).is_some())
        || some_unit_in(content, 0, u16::MAX, None, style)
}

fn short_escapes(style: EscapeStyle) -> impl Iterator<Item = &'static (u8, u8)> {
    SHORT_ESCAPES.iter().filter(move |(letter, _)| style == EscapeStyle::Any || *letter != b'/')
}

/// Whether the content goes on with a character whose next UTF-16 unit is in the range.
fn some_unit_in<C: Content>(
    content: &C,
    least: u16,
    greatest: u16,
    high: Option<u16>,
    style: EscapeStyle,
) -> bool {
    let is_short = |byte| SHORT_ESCAPES.iter().any(|(_, character)| *character == byte);
    if let Some(characters) = content.next_characters() {
        return characters.iter().any(|&character| {
            let mut units = [0; 2];
            let next = match (high, &*character.encode_utf16(&mut units)) {
                (None, &[first, ..]) => Some(first),
                (Some(high), &[first, low]) if first == high => Some(low),
                _ => None,
            };
            let is_spelled = style == EscapeStyle::Any
                || matches!(character, '\0'..' ') && !is_short(character as u8);
            is_spelled && next.is_some_and(|unit| (least..=greatest).contains(&unit))
        });
    }
    if style == EscapeStyle::Minimal {
        let mut controls = (0..0x20).filter(|&byte| !is_short(byte));
        return high.is_none()
            && controls.any(|byte| {
                (least..=greatest).contains(&u16::from(byte)) && content.push(byte).is_some()
            });
    }
    let mut ranges = code_points(least, greatest, high).into_iter().filter(|(from, to)| from <= to);
    ranges.any(|(from, to)| match (char::from_u32(from), char::from_u32(to)) {
        (Some(from), Some(to)) => {
            Utf8Sequences::new(from, to).any(|sequence| goes_on_with(content, sequence.as_slice()))
        }
        _ => false,
    })
}

/// The code points whose next UTF-16 unit is in the range, as three ranges that may be empty.
fn code_points(least: u16, greatest: u16, high: Option<u16>) -> [(u32, u32); 3] {
    const NONE: (u32, u32) = (1, 0);
    let (least, greatest) = (u32::from(least), u32::from(greatest));
    let above_plane = |high: u32, low: u32| 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    if let Some(high) = high {
        let (from, to) = (least.max(0xDC00), greatest.min(0xDFFF));
        let range = if from <= to {
            (above_plane(high.into(), from), above_plane(high.into(), to))
        } else {
            NONE
        };
        return [range, NONE, NONE];
    }
    let (from, to) = (least.max(0xD800), greatest.min(0xDBFF));
    let surrogates =
        if from <= to { (above_plane(from, 0xDC00), above_plane(to, 0xDFFF)) } else { NONE };
    [(least, greatest.min(0xD7FF)), (least.max(0xE000), greatest), surrogates]
}

fn goes_on_with<C: Content>(content: &C, ranges: &[Utf8Range]) -> bool {
    let Some((range, rest)) = ranges.split_first() else { return true };
    (range.start..=range.end)
        .any(|byte| content.push(byte).is_some_and(|next| goes_on_with(&next, rest)))
}

fn push_character<C: Content>(content: &C, character: char) -> Option<C> {
    let mut buffer = [0; 4];
    let (first, rest) = character.encode_utf8(&mut buffer).as_bytes().split_first()?;
    rest.iter().try_fold(content.push(*first)?, |content, &byte| content.push(byte))
}
