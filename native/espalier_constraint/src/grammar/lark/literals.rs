//! Literals: where they end, and what the escapes of strings mean.

use crate::error::Error;
use crate::grammar::text::{Text, invalid, shown};

/// The bytes before the sign that ends a literal. A backslash takes the character behind it along.
pub(super) fn length(text: &str, end: char) -> Option<usize> {
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        if character == end && !is_escaped {
            return Some(index);
        }
        is_escaped = character == '\\' && !is_escaped;
    }
    None
}

/// The bytes of a JSON object at the start of the text. Whether it is JSON is seen when it is parsed.
pub(super) fn object_length(text: &str) -> Option<usize> {
    let (mut depth, mut rest) = (0_usize, text);
    loop {
        let index = rest.find(['{', '}', '"'])?;
        let sign = rest.as_bytes()[index];
        rest = &rest[index + 1..];
        match sign {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => rest = &rest[length(rest, '"')? + 1..],
        }
        if depth == 0 {
            return Some(text.len() - rest.len());
        }
    }
}

/// Lark takes the backslash of any other as itself, and others take it as an escape.
const ESCAPES: &str = r#"one of the escapes \n \r \t \f \\ \" \xHH \uHHHH \UHHHHHHHH"#;

/// The text that a string stands for; `text` is what stands between its quotation marks.
pub(super) fn string(mut text: Text) -> Result<String, Error> {
    let mut string = String::new();
    loop {
        let start = text;
        match text.next() {
            None => return Ok(string),
            Some('\\') => string.push(escape(&mut text, &start)?),
            Some(character) => string.push(character),
        }
    }
}

fn escape(text: &mut Text, start: &Text) -> Result<char, Error> {
    let code_point = match text.next() {
        Some('n') => return Ok('\n'),
        Some('r') => return Ok('\r'),
        Some('t') => return Ok('\t'),
        Some('f') => return Ok('\x0C'),
        Some(character @ ('\\' | '"')) => return Ok(character),
        Some('x') => text.hex(2)?,
        Some('u') => text.hex(4)?,
        Some('U') => text.hex(8)?,
        other => {
            let got: String = ['\\'].into_iter().chain(other).collect();
            return Err(invalid(ESCAPES, &shown(&got), start.place()));
        }
    };
    Text::character(code_point, start.place())
}
