//! [`Writer`] and [`Reader`]: numbers, texts and lists one after another.

use super::invalid;
use crate::error::Error;

/// Appends fields to bytes.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// The length of a list that comes next.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(count as u32);
    }

    pub(crate) fn ids(&mut self, ids: &[u32]) {
        self.count(ids.len());
        for &id in ids {
            self.u32(id);
        }
    }

    /// Bytes after their number.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.count(text.len());
        self.raw(text);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes the fields from the front again. `part` names what is read, for errors.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, rest: bytes }
    }

    pub(crate) fn bytes(&mut self, n: usize, part: &'static str) -> Result<&'a [u8], Error> {
        let Some((bytes, rest)) = self.rest.split_at_checked(n) else {
            return Err(self.too_short(part, n));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Error> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(self.too_short(part, N));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self, part: &'static str) -> Result<u8, Error> {
        self.array(part).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self, part: &'static str) -> Result<u16, Error> {
        self.array(part).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, part: &'static str) -> Result<u32, Error> {
        self.array(part).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, part: &'static str) -> Result<u64, Error> {
        self.array(part).map(u64::from_le_bytes)
    }

    /// The length of a list whose items take so many bytes each, at least: not more than are left.
    pub(crate) fn count(&mut self, item_bytes: usize, part: &'static str) -> Result<usize, Error> {
        let count = self.u32(part)? as usize;
        match count.checked_mul(item_bytes) {
            Some(n_bytes) if n_bytes <= self.rest.len() => Ok(count),
            _ => Err(self.too_short(part, count.saturating_mul(item_bytes))),
        }
    }

    pub(crate) fn ids(&mut self, part: &'static str) -> Result<Vec<u32>, Error> {
        let n = self.count(4, part)?;
        let (ids, _) = self.bytes(4 * n, part)?.as_chunks();
        Ok(ids.iter().map(|id| u32::from_le_bytes(*id)).collect())
    }

    /// Bytes after their number.
    pub(crate) fn text(&mut self, part: &'static str) -> Result<&'a [u8], Error> {
        let n = self.count(1, part)?;
        self.bytes(n, part)
    }

    /// The same in UTF-8.
    pub(crate) fn utf8(&mut self, part: &'static str) -> Result<&'a str, Error> {
        let text = self.text(part)?;
        str::from_utf8(text).map_err(|error| self.wrong(part, "UTF-8", error.to_string()))
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Nothing comes after what was read.
    pub(crate) fn end(self) -> Result<(), Error> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(self.wrong("end", "no more bytes", self.rest.len().to_string()))
    }

    /// An error about the part that was read.
    pub(crate) fn wrong(
        &self,
        part: &'static str,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Error {
        invalid(self.what, part, expected, got)
    }

    fn too_short(&self, part: &'static str, n: usize) -> Error {
        self.wrong(part, format!("{n} bytes"), format!("{} bytes", self.rest.len()))
    }
}
