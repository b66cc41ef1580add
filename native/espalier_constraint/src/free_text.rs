//! [`FreeText`]: the tokens inside of a string where all characters are allowed.
//!
//! They are the same for all constraints of a vocabulary, so each set is made once. Tokens that end
//! the string are kept by what comes after the quote: few rests are shared by many tokens, and what
//! the enclosing value allows is asked once for each of them.

use rustc_hash::FxHashMap;

use crate::json_schema::{Content, Decoder, EscapeStyle};
use crate::literals::Literals;
use crate::token_mask::TokenMask;
use crate::token_trie::TokenTrie;

/// What may follow in a string where all characters may.
pub(crate) struct Free<'a> {
    pub(crate) bounds: FreeBounds,
    /// What was read of the string before, where that matters.
    pub(crate) begun: &'a [u8],
    /// The strings that don't end like the others.
    pub(crate) special: Option<&'a Literals>,
    /// Whether other strings differ where the machine depends on the text.
    pub(crate) is_proxy: bool,
}

/// How many characters may and must follow, and how they may be spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FreeBounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) escapes: EscapeStyle,
}

/// The tokens that fit some bounds, at a boundary of two characters.
#[derive(Debug)]
pub(crate) struct FreeText {
    /// Those that stay inside.
    pub(crate) inside: TokenMask,
    /// Those that end with the quote.
    pub(crate) closing: Vec<u32>,
    /// Those that go on after it, by what comes then.
    pub(crate) rests: TokenTrie,
    /// All that have the quote, by the characters before it.
    by_content: FxHashMap<Vec<u8>, Vec<u32>>,
}

impl Free<'_> {
    /// A text that may follow, and is none of the special ones.
    pub(crate) fn ordinary(&self) -> Vec<u8> {
        let mut text = vec![b'a'; self.bounds.min];
        let is_special = |text: &[u8]| {
            let whole = [self.begun, text].concat();
            self.special.is_some_and(|special| special.contains(&whole))
        };
        while is_special(&text) {
            text.push(b'a');
        }
        text
    }

    /// What makes a special text of what was read.
    pub(crate) fn special_suffixes(&self) -> impl Iterator<Item = &[u8]> {
        self.special.into_iter().flat_map(|special| {
            let start = Some(special.start());
            let begun = self.begun.iter().try_fold(start, |prefix, &byte| {
                prefix.map(|prefix| special.step(prefix, byte))
            });
            let texts = begun.flatten().map_or(&[][..], |prefix| special.beginning_with(prefix));
            texts.iter().map(|text| &text[self.begun.len()..])
        })
    }
}

impl FreeText {
    /// `plain` are the plain tokens that fit, `others` all tokens that aren't plain.
    pub(crate) fn new(bounds: FreeBounds, plain: TokenMask, others: &TokenTrie) -> Self {
        let mut inside = plain;
        let (mut closing, mut rests) = (Vec::new(), Vec::new());
        let mut by_content: FxHashMap<Vec<u8>, Vec<u32>> = FxHashMap::default();
        others.for_each_token(|bytes, ids| match bounds.place_of(bytes) {
            Some(None) => ids.iter().for_each(|&id| inside.allow(id)),
            Some(Some(quote)) => {
                let content = decoded(&bytes[..quote]);
                by_content.entry(content).or_default().extend(ids);
                let rest = &bytes[quote + 1..];
                if rest.is_empty() {
                    closing.extend(ids);
                } else {
                    rests.extend(ids.iter().map(|&id| (id, rest.to_vec())));
                }
            }
            None => {}
        });
        let rests = TokenTrie::new(rests.iter().map(|(id, rest)| (*id, &rest[..])));
        Self { inside, closing, rests, by_content }
    }

    /// Whether all tokens that fit stay inside.
    pub(crate) fn has_no_end(&self) -> bool {
        self.by_content.is_empty()
    }

    /// The tokens that have these characters and the quote.
    pub(crate) fn closing_after(&self, content: &[u8]) -> &[u32] {
        self.by_content.get(content).map_or(&[], Vec::as_slice)
    }
}

impl FreeBounds {
    /// The index of the quote in a token that fits, if it has one. `None` if it doesn't fit.
    fn place_of(self, token: &[u8]) -> Option<Option<usize>> {
        let mut decoder = Decoder::Boundary;
        let mut counted = Counted { n: 0, max: self.max };
        for (index, &byte) in token.iter().enumerate() {
            if decoder == Decoder::Boundary && byte == b'"' {
                return (counted.n >= self.min).then_some(Some(index));
            }
            let (next, pushed) = decoder.step(&counted, byte, self.escapes)?;
            decoder = next;
            counted = pushed.unwrap_or(counted);
        }
        Some(None)
    }
}

/// Characters that are counted, whichever they are.
#[derive(Clone, Copy)]
struct Counted {
    n: usize,
    max: usize,
}

impl Content for Counted {
    fn push(&self, byte: u8) -> Option<Self> {
        let n = self.n + usize::from(byte & 0xC0 != 0x80);
        (n <= self.max).then_some(Self { n, ..*self })
    }
}

/// What a whole piece of a JSON string stands for.
fn decoded(spelled: &[u8]) -> Vec<u8> {
    let quoted = [b"\"", spelled, b"\""].concat();
    serde_json::from_slice::<String>(&quoted).unwrap_or_default().into_bytes()
}
