//! [`Lexicon`]: tokens as what may follow inside of a string.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use crate::character_groups::CharacterGroups;
use crate::contents::{ByContents, Contents, LONG};
use crate::free_text::Free;
use crate::generations::Generations;
use crate::json_schema::EscapeStyle;
use crate::string_tokens::{FreeBounds, StringTokens};
use crate::token_mask::TokenSet;
use crate::token_trie::{TokenTrie, TrieBuilder};

/// The sets of tokens in free text that are kept.
const MAX_FREE_TEXTS: usize = 256;
/// The memory of the sets by contents that are kept.
const MAX_WITHIN_BYTES: usize = 32 << 20;

/// Ids with texts that may follow inside of a string: whole tokens, or what they have after a quote.
#[derive(Debug)]
pub(crate) struct Lexicon {
    pub(crate) trie: TokenTrie,
    pub(crate) n_ids: usize,
    /// For each node of the trie, of what its tokens and all longer ones consist; of those alone that
    /// may follow in some string.
    below: Vec<Contents>,
    /// For each node, at the end of a character, what may come after it in longer ones; of those that are
    /// cut within a character all counts as not plain.
    suffixes: Vec<Contents>,
    texts: ByContents,
    /// How many texts have characters of each group.
    weights: [u32; CharacterGroups::COUNT],
    not_plain: OnceLock<TokenTrie>,
    /// Those with many characters, the longest first.
    long_texts: OnceLock<Vec<LongText>>,
    /// The tokens whose texts are within some contents, as far as they were asked for.
    within: Mutex<Generations<Contents, Arc<TokenSet>>>,
    /// Tokens in free text, by what may follow there; made as they are asked for.
    free_texts: Mutex<FxHashMap<FreeBounds, Arc<StringTokens>>>,
}

/// A text with many characters.
#[derive(Debug)]
pub(crate) struct LongText {
    pub(crate) id: u32,
    pub(crate) contents: Contents,
    pub(crate) text: Box<[u8]>,
}

/// Of so many texts it is asked one by one what becomes of them.
const MAX_LONG: usize = 4_000;

/// Which texts a lexicon has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum LexiconKind {
    /// Whole tokens.
    Whole,
    /// What comes after a quote.
    Quoted,
    /// What comes after white space and a quote.
    SpacedQuoted,
}

impl LexiconKind {
    /// The text of a token within the string, if that is of plain characters and doesn't end there.
    pub(crate) fn plain_text(self, token: &[u8]) -> Option<&[u8]> {
        let text = match self {
            Self::Whole => token,
            Self::Quoted | Self::SpacedQuoted => {
                let quote = token.iter().position(|&byte| byte == b'"')?;
                &token[quote + 1..]
            }
        };
        Contents::of(text).is_plain().then_some(text)
    }
}

/// For each node of a trie of what consists what may come after it in longer texts.
fn suffixes_of(trie: &TokenTrie) -> Vec<Contents> {
    let mut suffixes = vec![Contents::default(); trie.n_nodes()];
    trie.for_each_path(|path, text| {
        let Ok(text) = std::str::from_utf8(text) else {
            let cut =
                Contents { groups: CharacterGroups::NOT_PLAIN, n_characters: text.len() as u32 };
            for &node in path {
                suffixes[node] = suffixes[node].or(cut);
            }
            return;
        };
        let mut suffix = Contents::default();
        for (at, character) in text.char_indices().rev().take_while(|(at, _)| *at > 0) {
            suffix.groups = suffix.groups.or(CharacterGroups::of(character));
            suffix.n_characters += 1;
            let node = path[at - 1];
            suffixes[node] = suffixes[node].or(suffix);
        }
    });
    suffixes
}

impl Lexicon {
    /// Of texts with their ids.
    pub(crate) fn new(trie: TokenTrie, n_ids: usize) -> Self {
        let mut texts = ByContents::new(n_ids);
        let mut weights = [0; CharacterGroups::COUNT];
        let mut possible = Vec::new();
        trie.for_each_token(|text, ids| {
            let contents = Contents::of(text);
            for &id in ids {
                texts.add(id, contents);
            }
            let is_possible = FreeBounds::NONE.allow(text);
            let possible_contents = if is_possible { contents } else { Contents::default() };
            possible.extend(ids.iter().map(|_| possible_contents));
            contents.groups.indices().for_each(|group| weights[group] += ids.len() as u32);
        });
        let below = trie.fold_below(Contents::default(), |all, index| all.or(possible[index]));
        let suffixes = suffixes_of(&trie);
        let lexicon = Self {
            trie,
            n_ids,
            below,
            suffixes,
            texts,
            weights,
            not_plain: OnceLock::new(),
            long_texts: OnceLock::new(),
            within: Mutex::new(Generations::new(MAX_WITHIN_BYTES)),
            free_texts: Mutex::default(),
        };
        // What nearly every schema asks for.
        for escapes in [EscapeStyle::Minimal, EscapeStyle::Any] {
            lexicon.free_text(FreeBounds { min: 0, max: usize::MAX, escapes });
        }
        lexicon
    }

    /// All ids that have a text, one bit each.
    pub(crate) fn all(&self) -> &[u32] {
        self.texts.all()
    }

    /// Of what the texts of a node of the trie consist, and those that begin with them.
    pub(crate) fn below(&self, node: usize) -> Contents {
        self.below[node]
    }

    /// Of what consists what may come after a node of the trie.
    pub(crate) fn suffixes(&self, node: usize) -> Contents {
        self.suffixes[node]
    }

    /// The texts that are more than plain characters and may follow in some string.
    pub(crate) fn not_plain(&self) -> &TokenTrie {
        self.not_plain.get_or_init(|| {
            let mut others = TrieBuilder::default();
            self.trie.for_each_token_unless(
                |node| Free::PLAIN.decides(self.below[node]),
                |text, ids| {
                    if FreeBounds::NONE.allow(text) {
                        others.add(text, ids);
                    }
                },
            );
            others.finish()
        })
    }

    /// The texts with more characters, where these are not many.
    pub(crate) fn longer_than(&self, n_characters: u32) -> Option<&[LongText]> {
        let is_long = n_characters >= LONG;
        is_long.then(|| self.long_texts(n_characters)).filter(|long| long.len() <= MAX_LONG)
    }

    /// The texts with more characters than a number that is not less than [`LONG`].
    fn long_texts(&self, n_characters: u32) -> &[LongText] {
        let all = self.long_texts.get_or_init(|| {
            let mut all = Vec::new();
            self.trie.for_each_token(|text, ids| {
                let contents = Contents::of(text);
                if contents.n_characters > LONG && FreeBounds::NONE.allow(text) {
                    let long = |&id| LongText { id, contents, text: text.into() };
                    all.extend(ids.iter().map(long));
                }
            });
            all.sort_unstable_by_key(|long| std::cmp::Reverse(long.contents.n_characters));
            all
        });
        &all[..all.partition_point(|long| long.contents.n_characters > n_characters)]
    }

    /// How many texts have characters of the groups, about.
    pub(crate) fn weight(&self, groups: CharacterGroups) -> u64 {
        groups.indices().map(|group| u64::from(self.weights[group])).sum()
    }

    /// The tokens whose texts are within.
    pub(crate) fn within(&self, contents: Contents) -> Arc<TokenSet> {
        let known = || self.within.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(within) = known().get(&contents) {
            return within;
        }
        let mut words = self.texts.within(contents);
        if contents.n_characters > LONG && contents.n_characters < self.trie.depth() as u32 {
            for long in self.long_texts(contents.n_characters) {
                words[long.id as usize / 32] &= !(1 << (long.id % 32));
            }
        }
        let n_within = words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let within = Arc::new(TokenSet::of_words(words, n_within));
        known().insert(contents, within.clone(), within.size_in_bytes());
        within
    }

    /// Without the greatest length, as long as few tokens have more characters, and otherwise one by one.
    fn find_free_text(&self, bounds: FreeBounds) -> StringTokens {
        match self.longer_than(bounds.max as u32) {
            Some(long) if !long.is_empty() => {
                let is_refused =
                    |long: &&LongText| long.contents.is_plain() || !bounds.allow(&long.text);
                let refused = long.iter().filter(is_refused);
                let endless = self.free_text(FreeBounds { max: usize::MAX, ..bounds });
                endless.without(refused.map(|long| long.id))
            }
            _ => StringTokens::free(bounds, self),
        }
    }

    /// The tokens that may follow where all characters are allowed, within bounds.
    pub(crate) fn free_text(&self, bounds: FreeBounds) -> Arc<StringTokens> {
        let longest = self.trie.depth();
        let (min, max) = (bounds.min.min(longest + 1), bounds.max.min(longest));
        let bounds = FreeBounds { min, max, ..bounds };
        let known = || self.free_texts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = known().get(&bounds) {
            return text.clone();
        }
        let text = Arc::new(self.find_free_text(bounds));
        let mut known = known();
        if known.len() >= MAX_FREE_TEXTS {
            known.clear();
        }
        known.insert(bounds, text.clone());
        text
    }
}
