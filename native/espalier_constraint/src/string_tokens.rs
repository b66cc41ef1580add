//! [`StringTokens`]: the tokens that may follow inside of a string, whatever encloses it.
//!
//! Tokens that end the string are kept by what comes after the quote: few rests are shared by many
//! tokens, and what the enclosing value allows is asked once for each of them.

use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::character_groups::CharacterGroups;
use crate::contents::Contents;
use crate::json_schema::{Content, Decoder, EscapeStyle};
use crate::lexicon::Lexicon;
use crate::rests::{Rests, RestsBuilder};
use crate::token_mask::TokenSet;

/// The tokens of a [`Lexicon`] that may follow at some place inside of a string.
#[derive(Clone, Debug, Default)]
pub(crate) struct StringTokens {
    /// Those that stay inside.
    pub(crate) inside: SmallVec<[Arc<TokenSet>; 2]>,
    /// Those that end it.
    closings: Arc<Closings>,
    /// Where these have one ending, and not all of its contents may come: those that may, by index.
    chosen: Option<Box<[u32]>>,
    /// Some of both that may not follow, ascending.
    pub(crate) refused: Vec<u32>,
    /// Those of which it takes more to know.
    pub(crate) doubtful: Vec<u32>,
}

/// Tokens that end a string.
#[derive(Debug, Default)]
pub(crate) struct Closings {
    /// Grouped by what matters of its text.
    endings: Vec<Ending>,
    /// By the characters before the quote.
    by_content: FxHashMap<Vec<u8>, SameContent>,
}

/// A token that ends a string.
#[derive(Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) id: u32,
    /// What comes before the quote.
    pub(crate) spelled: &'a [u8],
    /// What comes after it.
    pub(crate) rest: &'a [u8],
}

/// Tokens that end a string whose text comes to the same, by what comes after the quote.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// What comes before the quote, decoded and as it is spelled.
    contents: Vec<(Vec<u8>, Box<[u8]>)>,
    pub(crate) rests: Rests,
}

/// Tokens that end a string with the same characters.
#[derive(Debug)]
pub(crate) struct SameContent {
    /// One way in which these are spelled.
    pub(crate) spelled: Box<[u8]>,
    found: RestsBuilder,
    rests: OnceLock<Rests>,
}

impl SameContent {
    /// The tokens, each with what comes after the quote.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.found.iter()
    }

    /// The tokens by what comes after the quote.
    pub(crate) fn rests(&self) -> &Rests {
        self.rests.get_or_init(|| self.found.finish())
    }
}

/// Tokens that may follow, as they are found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) inside: Vec<u32>,
    /// Those of the known ones that may not follow.
    pub(crate) refused: Vec<u32>,
    pub(crate) doubtful: Vec<u32>,
    endings: Vec<(Ending, RestsBuilder)>,
    by_content: FxHashMap<Vec<u8>, SameContent>,
}

impl Found {
    /// Adds a token that ends the string, to the ending with a number. `content` is what comes before
    /// the quote, decoded.
    pub(crate) fn close(&mut self, ending: usize, closing: &Closing<'_>, content: &[u8]) {
        if self.endings.len() <= ending {
            self.endings.resize_with(ending + 1, Default::default);
        }
        let (ending, rests) = &mut self.endings[ending];
        rests.add(closing.id, closing.rest);
        if let Some(same) = self.by_content.get_mut(content) {
            same.found.add(closing.id, closing.rest);
            return;
        }
        // The same content has the same ending.
        ending.contents.push((content.into(), closing.spelled.into()));
        let (spelled, mut found) = (closing.spelled.into(), RestsBuilder::default());
        found.add(closing.id, closing.rest);
        let same = SameContent { spelled, found, rests: OnceLock::new() };
        self.by_content.insert(content.into(), same);
    }

    fn closings(&mut self) -> Closings {
        let endings = std::mem::take(&mut self.endings).into_iter();
        let endings = endings.map(|(ending, rests)| Ending { rests: rests.finish(), ..ending });
        let by_content = std::mem::take(&mut self.by_content);
        Closings { endings: endings.collect(), by_content }
    }

    /// What was found, beside tokens that are known to stay inside, and those that end the string where
    /// they were found apart.
    pub(crate) fn finish(
        mut self,
        known: impl IntoIterator<Item = Arc<TokenSet>>,
        ends: Option<Ends>,
        n_ids: usize,
    ) -> StringTokens {
        let mut inside: SmallVec<_> = known.into_iter().collect();
        if !self.inside.is_empty() {
            inside.push(Arc::new(TokenSet::new(std::mem::take(&mut self.inside), n_ids)));
        }
        let ends = ends.unwrap_or_else(|| Ends {
            closings: Arc::new(self.closings()),
            chosen: None,
            refused: Vec::new(),
        });
        self.refused.extend(ends.refused);
        self.refused.sort_unstable();
        let (closings, chosen) = (ends.closings, ends.chosen);
        StringTokens { inside, closings, chosen, refused: self.refused, doubtful: self.doubtful }
    }
}

impl StringTokens {
    /// What ends the string by what matters of its text, each with some content, as it is spelled, that is
    /// not excluded.
    pub(crate) fn endings(
        &self,
        is_excluded: impl Fn(&[u8]) -> bool,
    ) -> impl Iterator<Item = (&[u8], &Rests)> {
        self.closings.endings.iter().filter_map(move |ending| {
            let contents = &ending.contents;
            let is_example = |(content, _): &&(Vec<u8>, _)| !is_excluded(content);
            let (_, spelled) = match &self.chosen {
                None => contents.iter().find(is_example),
                Some(chosen) => {
                    chosen.iter().map(|&index| &contents[index as usize]).find(is_example)
                }
            }?;
            Some((&spelled[..], &ending.rests))
        })
    }

    /// Those that end the string after these characters.
    pub(crate) fn closing_after(&self, content: &[u8]) -> Option<&SameContent> {
        self.closings.by_content.get(content)
    }

    /// Those where all characters are allowed, at a boundary of two.
    pub(crate) fn free(bounds: FreeBounds, lexicon: &Lexicon) -> Self {
        let n_characters = bounds.max as u32;
        let plain = lexicon.within(Contents { groups: CharacterGroups::PLAIN, n_characters });
        let mut found = Found::default();
        // Plain texts beyond the bound are refused, so only those that are not plain are left.
        lexicon.not_plain().for_each_token(|text, ids| match bounds.place_of(text) {
            Place::Inside => found.inside.extend(ids),
            Place::Ends { quote } => {
                let (spelled, rest) = (&text[..quote], &text[quote + 1..]);
                let content = decoded(spelled);
                for &id in ids {
                    found.close(0, &Closing { id, spelled, rest }, &content);
                }
            }
            Place::Refused => {}
        });
        found.finish(Some(plain), None, lexicon.n_ids)
    }

    /// Of free text those tokens that end a string where it may end. `ending_of` tells of what comes before
    /// a quote, as it is spelled, which of the endings it comes to, if it may come. Those that may not are
    /// listed where `lists_refused`, and where that is shorter.
    pub(crate) fn ends(
        &self,
        mut ending_of: impl FnMut(&[u8]) -> Option<usize>,
        lists_refused: bool,
    ) -> Ends {
        let contents = self.closings.endings.iter().flat_map(|ending| &ending.contents);
        let contents: Vec<_> = (contents)
            .map(|(content, spelled)| {
                (ending_of(spelled), &self.closings.by_content[content], content)
            })
            .collect();
        let mut endings = contents.iter().filter_map(|(ending, ..)| *ending);
        let first = endings.next();
        let are_alike = first.is_some() && endings.all(|ending| Some(ending) == first);
        let n_tokens = |is_allowed: bool| {
            let those = contents.iter().filter(|(ending, ..)| ending.is_some() == is_allowed);
            those.map(|(_, same, _)| same.found.len()).sum::<usize>()
        };
        let n_refused = n_tokens(false);
        if are_alike && (n_refused == 0 || lists_refused && n_refused < n_tokens(true)) {
            let refused = contents.iter().filter(|(ending, ..)| ending.is_none());
            let refused =
                refused.flat_map(|(_, same, _)| same.tokens().map(|(id, _)| id)).collect();
            let chosen = (0..).zip(&contents).filter(|(_, (ending, ..))| ending.is_some());
            let chosen = (n_refused > 0).then(|| chosen.map(|(index, _)| index).collect());
            return Ends { closings: self.closings.clone(), chosen, refused };
        }
        let mut found = Found::default();
        for (ending, same, content) in contents {
            let Some(ending) = ending else { continue };
            for (id, rest) in same.tokens() {
                found.close(ending, &Closing { id, spelled: &same.spelled, rest }, content);
            }
        }
        let closings = Arc::new(found.closings());
        Ends { closings, chosen: None, refused: Vec::new() }
    }

    /// The same without some.
    pub(crate) fn without(&self, more: impl Iterator<Item = u32>) -> Self {
        let mut refused: Vec<u32> = self.refused.iter().copied().chain(more).collect();
        refused.sort_unstable();
        Self { refused, ..self.clone() }
    }

    pub(crate) fn is_inside(&self, id: u32) -> bool {
        self.inside.iter().any(|part| part.contains(id))
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        const TOKEN_BYTES: usize = 200;
        let single = size_of_val(&self.refused[..]) + size_of_val(&self.doubtful[..]);
        // What others have as well is counted there.
        if Arc::strong_count(&self.closings) > 1 {
            return size_of::<Self>() + single;
        }
        let by_content = self.closings.by_content.values();
        let n_closing = by_content.map(|same| same.found.len()).sum::<usize>();
        // The set before the last one is shared with others.
        let own = self.inside.last().map_or(0, |ids| ids.size_in_bytes());
        size_of::<Self>() + single + own + n_closing * TOKEN_BYTES
    }
}

/// The tokens that end a string at some place.
pub(crate) struct Ends {
    closings: Arc<Closings>,
    chosen: Option<Box<[u32]>>,
    /// Those of them that may not follow.
    refused: Vec<u32>,
}

/// How many characters may and must follow, whichever they are, and how they may be spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FreeBounds {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) escapes: EscapeStyle,
}

impl FreeBounds {
    /// All strings, however they are spelled.
    pub(crate) const NONE: Self = Self { min: 0, max: usize::MAX, escapes: EscapeStyle::Any };

    /// Whether a text may follow.
    pub(crate) fn allow(self, text: &[u8]) -> bool {
        !matches!(self.place_of(text), Place::Refused)
    }

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
