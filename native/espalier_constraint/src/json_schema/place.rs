//! Places in a schema, as JSON Pointers (RFC 6901).

use std::borrow::Cow;

use super::json::Json;

/// The place of a member or an item.
pub(super) fn child(place: &str, token: &str) -> String {
    let mut child = String::with_capacity(place.len() + 1 + token.len());
    child.push_str(place);
    push_child(&mut child, token);
    child
}

/// Places in the same schema, one after the other.
pub(super) struct Children {
    place: String,
    n_parent_bytes: usize,
}

impl Children {
    pub(super) fn of(parent: &str) -> Self {
        let mut place = String::with_capacity(parent.len() + 32);
        place.push_str(parent);
        Self { place, n_parent_bytes: parent.len() }
    }

    /// The place of a member or an item.
    pub(super) fn at(&mut self, token: &str) -> &str {
        self.place.truncate(self.n_parent_bytes);
        push_child(&mut self.place, token);
        &self.place
    }
}

/// Goes on from a place to that of a member or an item.
pub(super) fn push_child(place: &mut String, token: &str) {
    place.push('/');
    if token.bytes().any(|byte| matches!(byte, b'~' | b'/')) {
        place.push_str(&token.replace('~', "~0").replace('/', "~1"));
    } else {
        place.push_str(token);
    }
}

/// The place of what holds it; a whole document's is its own.
pub(super) fn parent(place: &str) -> &str {
    let is_own = place.starts_with('/');
    let pointer = place.find('#').filter(|_| !is_own).map_or(0, |fragment| fragment + 1);
    let end = place[pointer..].rfind('/').unwrap_or(0);
    &place[..pointer + end]
}

/// The value at a JSON Pointer.
pub(super) fn value_at<'a, 't>(document: &'a Json<'t>, pointer: &str) -> Option<&'a Json<'t>> {
    let mut tokens = pointer.split('/');
    let is_pointer = tokens.next() == Some("");
    tokens.try_fold(is_pointer.then_some(document)?, |value, token| match value {
        Json::Object(object) => object.get(&unescaped(token)),
        Json::Array(items) => items.get(index(token)?),
        _ => None,
    })
}

/// What a part of a JSON Pointer stands for.
fn unescaped(token: &str) -> Cow<'_, str> {
    if token.contains('~') {
        token.replace("~1", "/").replace("~0", "~").into()
    } else {
        token.into()
    }
}

/// The index of an item, which has no needless zeros and no sign.
fn index(token: &str) -> Option<usize> {
    let is_plain = token.bytes().all(|byte| byte.is_ascii_digit());
    let is_shortest = token == "0" || !token.starts_with('0');
    token.parse().ok().filter(|_| is_plain && is_shortest)
}

/// A fragment of a URI, decoded.
pub(super) fn decode_percent(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = (byte == b'%').then(|| after.get(..2)).flatten();
        let decoded =
            hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
