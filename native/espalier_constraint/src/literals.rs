//! [`Literals`]: a sorted list of texts, read byte by byte.

use std::sync::Arc;

use crate::json_schema::Characters;
use crate::token_trie::{Bytes, MAX_NEXT_BYTES};

/// Distinct texts in ascending order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Literals {
    texts: Vec<Arc<[u8]>>,
}

/// The texts that begin with what has been read: a range of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Prefix {
    first: u32,
    end: u32,
    /// How many bytes were read.
    length: u32,
}

impl Prefix {
    /// How many bytes were read.
    pub(crate) fn n_read(self) -> usize {
        self.length as usize
    }
}

impl Literals {
    /// Sorts the texts; doubles are kept once.
    pub(crate) fn new(mut texts: Vec<Arc<[u8]>>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self { texts }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(|text| &**text)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub(crate) fn contains(&self, text: &[u8]) -> bool {
        self.texts.binary_search_by(|other| (**other).cmp(text)).is_ok()
    }

    pub(crate) fn start(&self) -> Prefix {
        Prefix { first: 0, end: self.texts.len() as u32, length: 0 }
    }

    /// The texts that go on with the byte; `None` when there are none.
    pub(crate) fn step(&self, prefix: Prefix, byte: u8) -> Option<Prefix> {
        let texts = self.beginning_with(prefix);
        let at = prefix.length as usize;
        // A text that ends here sorts before all that go on.
        let first = texts.partition_point(|text| text.get(at).is_none_or(|&next| next < byte));
        let count = texts[first..].partition_point(|text| text[at] == byte);
        let first = prefix.first + first as u32;
        (count > 0).then_some(Prefix {
            first,
            end: first + count as u32,
            length: prefix.length + 1,
        })
    }

    /// The bytes with which the texts go on; `None` when these are many.
    pub(crate) fn next_bytes(&self, prefix: Prefix) -> Option<Bytes> {
        let (mut texts, at) = (self.beginning_with(prefix), prefix.length as usize);
        let mut bytes = Bytes::new();
        while let Some(text) = texts.first() {
            let byte = text.get(at).copied();
            bytes.extend(byte);
            texts = &texts[texts.partition_point(|text| text.get(at).copied() <= byte)..];
            if bytes.len() > MAX_NEXT_BYTES {
                return None;
            }
        }
        Some(bytes)
    }

    /// After a whole character: those with which the texts go on; `None` when these are many.
    pub(crate) fn next_characters(&self, prefix: Prefix) -> Option<Characters> {
        let (mut texts, at) = (self.beginning_with(prefix), prefix.n_read());
        let mut characters = Characters::new();
        while let Some(text) = texts.first() {
            let character =
                text[at..].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
            let n_bytes = character.map_or(0, char::len_utf8);
            let spelled = &text[at..at + n_bytes];
            characters.extend(character);
            // The text that ends here is alone.
            let is_same = |other: &Arc<[u8]>| n_bytes > 0 && other[at..].starts_with(spelled);
            texts = &texts[texts.partition_point(is_same).max(1)..];
            if characters.len() > MAX_NEXT_BYTES {
                return None;
            }
        }
        Some(characters)
    }

    /// Whether some text is longer than what has been read.
    pub(crate) fn goes_on(&self, prefix: Prefix) -> bool {
        let texts = self.beginning_with(prefix);
        texts.last().is_some_and(|text| text.len() > prefix.n_read())
    }

    /// Whether what has been read is one of the texts.
    pub(crate) fn is_complete(&self, prefix: Prefix) -> bool {
        self.complete(prefix).is_some()
    }

    /// The text that has been read, if it is one of the list.
    pub(crate) fn complete(&self, prefix: Prefix) -> Option<&[u8]> {
        let text = self.beginning_with(prefix).first()?;
        (text.len() == prefix.length as usize).then_some(text)
    }

    /// What is missing to the shortest of the texts.
    pub(crate) fn shortest_suffix(&self, prefix: Prefix) -> &[u8] {
        let shortest = self.beginning_with(prefix).iter().min_by_key(|text| text.len());
        shortest.map_or(&[], |text| &text[prefix.length as usize..])
    }

    /// Whether the text, one of the list, begins with what has been read.
    pub(crate) fn has_prefix(&self, prefix: Prefix, text: &[u8]) -> bool {
        self.beginning_with(prefix).binary_search_by(|other| (**other).cmp(text)).is_ok()
    }

    /// What is missing to each of the texts.
    pub(crate) fn suffixes(&self, prefix: Prefix) -> impl Iterator<Item = &[u8]> {
        self.beginning_with(prefix).iter().map(move |text| &text[prefix.n_read()..])
    }

    /// The texts that begin with what has been read.
    pub(crate) fn beginning_with(&self, prefix: Prefix) -> &[Arc<[u8]>] {
        &self.texts[prefix.first as usize..prefix.end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_texts() {
        let literals =
            Literals::new(["abc", "ab", "b", "ab"].map(|text| text.as_bytes().into()).to_vec());
        let read = |text: &str| {
            text.bytes().try_fold(literals.start(), |prefix, byte| literals.step(prefix, byte))
        };
        assert!(read("ac").is_none() && read("abcd").is_none());
        assert!(!literals.is_complete(read("a").unwrap()));
        assert_eq!(literals.complete(read("ab").unwrap()), Some(&b"ab"[..]));
        assert_eq!(literals.shortest_suffix(read("a").unwrap()), b"b");
        assert!(
            literals.has_prefix(read("a").unwrap(), b"abc")
                && !literals.has_prefix(read("a").unwrap(), b"b")
        );
    }
}
