//! [`StringTokens`]: the tokens that may follow inside of a string, whatever encloses it.
//!
//! Tokens that end the string are kept by what comes after the quote: few rests are shared by many
//! tokens, and what the enclosing value allows is asked once for each of them.

use rustc_hash::FxHashMap;

use crate::character_set::CharacterSet;
use crate::json_schema::{Content, Decoder, EscapeStyle};
use crate::token_mask::TokenMask;
use crate::token_trie::TokenTrie;
use crate::vocabulary::Vocabulary;

/// The tokens that may follow at some place inside of a string.
#[derive(Debug)]
pub(crate) struct StringTokens {
    /// Those that stay inside.
    pub(crate) inside: TokenMask,
    /// Those that end the string, grouped by what matters of its text.
    pub(crate) endings: Vec<Ending>,
    /// All that end the string, by the characters before the quote, each with the quote's index.
    by_content: FxHashMap<Vec<u8>, Vec<(u32, usize)>>,
    /// Those of which it takes more to know.
    pub(crate) doubtful: Vec<u32>,
}

/// Tokens that end a string whose text comes to the same.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// What comes before the quote, decoded and as it is spelled.
    contents: Vec<(Vec<u8>, Vec<u8>)>,
    /// Those whose last byte is the quote.
    pub(crate) closing: Vec<u32>,
    /// The others, by what comes after it.
    pub(crate) rests: TokenTrie,
}

/// Tokens, each with what it has after the quote.
type Rests = Vec<(u32, Vec<u8>)>;

/// Tokens that end a string, as they are found.
#[derive(Default)]
pub(crate) struct Closings {
    endings: Vec<(Ending, Rests)>,
    by_content: FxHashMap<Vec<u8>, Vec<(u32, usize)>>,
}

impl Ending {
    /// Some content, as it is spelled, whose decoded form is chosen.
    pub(crate) fn example(&self, is_chosen: impl Fn(&[u8]) -> bool) -> Option<&[u8]> {
        let chosen = self.contents.iter().find(|(content, _)| is_chosen(content));
        chosen.map(|(_, spelled)| &spelled[..])
    }
}

impl Closings {
    /// Adds a token with the quote at an index, for the ending with a number. `content` is what comes
    /// before the quote, decoded.
    pub(crate) fn add(
        &mut self,
        ending: usize,
        id: u32,
        token: &[u8],
        quote: usize,
        content: Vec<u8>,
    ) {
        self.endings.resize_with(self.endings.len().max(ending + 1), Default::default);
        let (ending, rests) = &mut self.endings[ending];
        // The same content has the same ending.
        let same = self.by_content.entry(content.clone()).or_default();
        if same.is_empty() {
            ending.contents.push((content, token[..quote].to_vec()));
        }
        same.push((id, quote));
        match &token[quote + 1..] {
            [] => ending.closing.push(id),
            rest => rests.push((id, rest.to_vec())),
        }
    }
}

impl StringTokens {
    pub(crate) fn new(inside: TokenMask, closings: Closings, doubtful: Vec<u32>) -> Self {
        let endings = closings.endings.into_iter().map(|(ending, rests)| {
            let rests = TokenTrie::new(rests.iter().map(|(id, rest)| (*id, &rest[..])));
            Ending { rests, ..ending }
        });
        Self { inside, endings: endings.collect(), by_content: closings.by_content, doubtful }
    }

    /// Those where all characters are allowed, at a boundary of two.
    pub(crate) fn free(bounds: FreeBounds, vocabulary: &Vocabulary) -> Self {
        let plain = vocabulary.sliced(CharacterSet::Plain);
        let mut inside = plain.up_to(bounds.max);
        let mut closings = Closings::default();
        plain.others.for_each_token(|token, ids| match bounds.place_of(token) {
            Place::Inside => ids.iter().for_each(|&id| inside.allow(id)),
            Place::Ends { quote } => {
                let content = decoded(&token[..quote]);
                for &id in ids {
                    closings.add(0, id, token, quote, content.clone());
                }
            }
            Place::Refused => {}
        });
        Self::new(inside, closings, Vec::new())
    }

    /// Those that end the string after these characters, each with the quote's index.
    pub(crate) fn closing_after(&self, content: &[u8]) -> &[(u32, usize)] {
        self.by_content.get(content).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        const TOKEN_BYTES: usize = 100;
        let n_closing = self.by_content.values().map(Vec::len).sum::<usize>();
        self.inside.size_in_bytes() + n_closing * TOKEN_BYTES
    }
}

/// How many characters may and must follow, whichever they are, and how they may be spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FreeBounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) escapes: EscapeStyle,
}

impl FreeBounds {
    fn place_of(self, token: &[u8]) -> Place {
        let mut decoder = Decoder::Boundary;
        let mut counted = Counted { n: 0, max: self.max };
        for (index, &byte) in token.iter().enumerate() {
            if decoder == Decoder::Boundary && byte == b'"' {
                let fits = counted.n >= self.min;
                return if fits { Place::Ends { quote: index } } else { Place::Refused };
            }
            let Some((next, pushed)) = decoder.step(&counted, byte, self.escapes) else {
                return Place::Refused;
            };
            decoder = next;
            counted = pushed.unwrap_or(counted);
        }
        Place::Inside
    }
}

/// Where a token leads from the inside of a string.
enum Place {
    Inside,
    /// Out of it; with the index of the quote.
    Ends {
        quote: usize,
    },
    Refused,
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
