//! Characters in literals and classes, with their escapes.

use crate::error::Error;
use crate::grammar::pattern::CharacterClass;
use crate::grammar::text::{Text, invalid, shown};

const ESCAPES: &str = r#"one of the escapes \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH"#;

/// The rest of a literal, behind its first quotation mark.
pub(super) fn literal(text: &mut Text) -> Result<String, Error> {
    let mut literal = String::new();
    while !text.take("\"") {
        literal.push(character(text, "the end of the literal, \"")?);
    }
    Ok(literal)
}

/// The rest of a class, behind its bracket, as a pattern.
pub(super) fn class(text: &mut Text) -> Result<String, Error> {
    const END: &str = "the end of the class, ]";
    let mut class = CharacterClass::new(text.take("^"));
    while !text.take("]") {
        let place = text.place();
        let first = character(text, END)?;
        let mut last = first;
        if text.starts_with("-") && !text.starts_with("-]") {
            text.next();
            last = character(text, END)?;
        }
        if first > last {
            let range = format!("{first}-{last}");
            return Err(invalid(
                "a range from a lower character to a higher",
                &shown(&range),
                place,
            ));
        }
        class.add_range(first, last);
    }
    if class.is_empty() {
        return Err(text.expected("a class with characters, before this"));
    }
    Ok(class.pattern())
}

/// One character; the error says what was still missing if there is none.
fn character(text: &mut Text, missing: &str) -> Result<char, Error> {
    let start = *text;
    match text.next() {
        None => Err(start.expected(missing)),
        Some('\\') => escape(text, &start),
        Some(character) => Ok(character),
    }
}

fn escape(text: &mut Text, start: &Text) -> Result<char, Error> {
    let code_point = match text.next() {
        Some('n') => return Ok('\n'),
        Some('r') => return Ok('\r'),
        Some('t') => return Ok('\t'),
        Some(character @ ('\\' | '"' | '[' | ']' | '-')) => return Ok(character),
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
