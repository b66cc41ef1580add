//! [`Objects`]: a JSON text as objects that lie beside each other, so that nothing recurses on how deep they lie in
//! each other in the text.

use std::fmt::Write;
use std::ops::Range;

use serde_json::{Map, Value};

/// In a value the objects stand for those of the text: each has the number of one as its only member.
#[derive(Debug)]
pub(super) struct Objects<'t> {
    text: &'t str,
    /// Each with its place in the text, those that lie in it before it.
    all: Vec<(Map<String, Value>, Range<usize>)>,
    /// What the whole text says.
    pub(super) root: Value,
}

/// The member that has the number of an object.
const NUMBER: &str = "";

impl<'t> Objects<'t> {
    /// Arrays that lie directly in each other have the bound that JSON has.
    pub(super) fn read(text: &'t str) -> Result<Self, serde_json::Error> {
        let mut all: Vec<(Map<String, Value>, Range<usize>)> = Vec::new();
        // What was read of the objects that are open, and of the whole.
        let mut open = vec![(0, String::new())];
        let mut at = 0;
        while let Some(n) = text[at..].find(['{', '}', '"']) {
            let (sign, next) = (text.as_bytes()[at + n], at + n + 1);
            let end = if sign == b'"' { string_end(text, next) } else { next };
            let n_open = open.len();
            let Some((start, own)) = open.last_mut() else { break };
            match sign {
                b'{' => {
                    own.push_str(&text[at..next - 1]);
                    open.push((next - 1, "{".to_owned()));
                }
                b'}' if n_open > 1 => {
                    own.push_str(&text[at..next]);
                    all.push((serde_json::from_str(own)?, *start..next));
                    open.pop();
                    if let Some((_, around)) = open.last_mut() {
                        let _ = write!(around, "{{\"{NUMBER}\":{}}}", all.len() - 1);
                    }
                }
                _ => own.push_str(&text[at..end]),
            }
            at = end;
        }
        let (_, mut own) = open.pop().unwrap_or_default();
        own.push_str(&text[at..]);
        // Of an object that isn't closed, JSON says what is missing.
        Ok(Self { text, all, root: serde_json::from_str(&own)? })
    }

    /// The members of an object.
    pub(super) fn members(&self, value: &Value) -> Option<&Map<String, Value>> {
        Some(&self.find(value)?.0)
    }

    /// An object as it was written.
    pub(super) fn written(&self, value: &Value) -> Option<&'t str> {
        Some(&self.text[self.find(value)?.1.clone()])
    }

    fn find(&self, value: &Value) -> Option<&(Map<String, Value>, Range<usize>)> {
        let number = value.as_object()?.get(NUMBER)?.as_u64()?;
        self.all.get(usize::try_from(number).ok()?)
    }
}

/// Where a string ends of which the first quotation mark was read.
fn string_end(text: &str, start: usize) -> usize {
    let mut is_escaped = false;
    for (at, byte) in (start..).zip(text[start..].bytes()) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
