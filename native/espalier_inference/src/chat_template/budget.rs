//! How many bytes a rendering may make.
//!
//! Fuel bounds the instructions, but one that joins two texts may double what there is. So whatever
//! makes texts or lists that are longer than what it was given takes of this first.

use std::cell::Cell;

use minijinja::value::Value;
use minijinja::{Error, ErrorKind};

/// A prompt of a million tokens has a few MiB, and templates that join it piece by piece make many
/// copies of it.
pub(super) const MAX_BYTES: usize = 256 * 1024 * 1024;

/// An item of a list, without what it refers to.
const ITEM_BYTES: usize = size_of::<Value>();

thread_local! {
    /// What is left to the rendering of this thread.
    static LEFT: Cell<usize> = const { Cell::new(MAX_BYTES) };
}

/// Begins a rendering on this thread.
pub(super) fn begin() {
    LEFT.set(MAX_BYTES);
}

/// Takes so many bytes, of which nothing was made yet.
pub(super) fn take(n_bytes: usize) -> Result<(), Error> {
    let left = LEFT.get().checked_sub(n_bytes).ok_or_else(|| {
        let detail =
            format!("the template makes more than {} MiB of texts and lists", MAX_BYTES >> 20);
        Error::new(ErrorKind::InvalidOperation, detail)
    })?;
    LEFT.set(left);
    Ok(())
}

/// The bytes of a text, or of a list's items. Of what has no length it is found out up to what is left.
pub(super) fn size(value: &Value) -> usize {
    if let Some(text) = value.as_str() {
        return text.len();
    }
    let count =
        || value.try_iter().map_or(0, |items| items.take(LEFT.get() / ITEM_BYTES + 1).count());
    value.len().unwrap_or_else(count).saturating_mul(ITEM_BYTES)
}

/// Takes the bytes of a value as a text.
pub(super) fn take_text(value: &Value) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return take(text.len());
    }
    let mut counter = Counter(Ok(()));
    let _ = std::fmt::Write::write_fmt(&mut counter, format_args!("{value}"));
    counter.0
}

struct Counter(Result<(), Error>);

impl std::fmt::Write for Counter {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.0 = take(part.len());
        if self.0.is_ok() { Ok(()) } else { Err(std::fmt::Error) }
    }
}
