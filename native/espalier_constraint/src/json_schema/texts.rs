//! [`Texts`]: the keys that are being read, as paths of a growing tree.

use rustc_hash::FxHashMap;

/// Index of a text.
pub(crate) type TextId = u32;

/// Texts by number; each is another text with one more byte, so that reading a key byte by byte
/// takes the same memory for each byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    /// The text without its last byte, and that byte, of each text but the empty one (number 0).
    parents: Vec<(TextId, u8)>,
    children: FxHashMap<(TextId, u8), TextId>,
}

impl Texts {
    pub(crate) const EMPTY: TextId = 0;

    /// The text with one more byte.
    pub(crate) fn extended(&mut self, text: TextId, byte: u8) -> TextId {
        *self.children.entry((text, byte)).or_insert_with(|| {
            self.parents.push((text, byte));
            self.parents.len() as TextId
        })
    }

    /// The bytes of a text.
    pub(crate) fn bytes(&self, mut text: TextId) -> Vec<u8> {
        let mut bytes = Vec::new();
        while text != Self::EMPTY {
            let (parent, byte) = self.parents[text as usize - 1];
            bytes.push(byte);
            text = parent;
        }
        bytes.reverse();
        bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.parents.len()
    }

    pub(crate) fn clear(&mut self) {
        self.parents.clear();
        self.children.clear();
    }
}
