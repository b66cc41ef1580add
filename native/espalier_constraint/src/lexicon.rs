//! [`Lexicon`]: tokens as what may follow inside of a string.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;

use crate::character_groups::CharacterGroups;
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
    /// For each node what may come after it in longer ones; parts of characters count as not plain.
    suffixes: Vec<Contents>,
    /// Of what the text of each id consists.
    texts: ContentsById,
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

/// Texts with more characters are long.
const LONG: u32 = 10;
/// Of so many texts it is asked one by one what becomes of them.
const MAX_LONG: usize = 4_000;

/// Of which characters a text consists, and of how many at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Contents {
    pub(crate) groups: CharacterGroups,
    pub(crate) n_characters: u32,
}

/// The contents of texts by their ids, laid out so that all are compared quickly.
#[derive(Debug)]
struct ContentsById {
    groups: Vec<CharacterGroups>,
    /// Up to the greatest number that fits.
    n_characters: Vec<u16>,
}

impl ContentsById {
    /// Of so many ids, none of which has a text.
    fn new(n_ids: usize) -> Self {
        let n_padded = n_ids.next_multiple_of(WORD);
        // There are no such texts.
        let groups = vec![CharacterGroups::NOT_PLAIN; n_padded];
        Self { groups, n_characters: vec![u16::MAX; n_padded] }
    }

    fn set(&mut self, id: u32, contents: Contents) {
        self.groups[id as usize] = contents.groups;
        self.n_characters[id as usize] = u16::try_from(contents.n_characters).unwrap_or(u16::MAX);
    }

    /// The ids whose texts are within, one bit each.
    fn within(&self, contents: Contents) -> Vec<u32> {
        let most = match contents.n_characters {
            u32::MAX => u16::MAX,
            n => n.min(u32::from(u16::MAX) - 1) as u16,
        };
        let words = self.groups.chunks_exact(WORD).zip(self.n_characters.chunks_exact(WORD));
        let word = |(groups, lengths): (&[CharacterGroups], &[u16])| {
            let bits = groups.iter().zip(lengths).enumerate().map(|(bit, (groups, length))| {
                // Both are compared in any case, so that many are at once.
                let is_within = [groups.is_within(contents.groups), *length <= most];
                u32::from(is_within == [true; 2]) << bit
            });
            bits.fold(0, |word, bit| word | bit)
        };
        words.map(word).collect()
    }
}

/// The bits of a word of a mask.
const WORD: usize = 32;

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

impl Contents {
    fn of(text: &[u8]) -> Self {
        let (groups, n_characters) = CharacterGroups::of_text(text);
        Self { groups, n_characters: n_characters as u32 }
    }

    /// Whether all characters are spelled as they are; none is the quote, and none is cut.
    pub(crate) fn is_plain(self) -> bool {
        self.groups.is_within(CharacterGroups::PLAIN)
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.groups.is_within(other.groups) && self.n_characters <= other.n_characters
    }

    fn or(self, other: Self) -> Self {
        let n_characters = self.n_characters.max(other.n_characters);
        Self { groups: self.groups.or(other.groups), n_characters }
    }
}

impl Lexicon {
    /// Of texts with their ids.
    pub(crate) fn new(trie: TokenTrie, n_ids: usize) -> Self {
        let mut texts = ContentsById::new(n_ids);
        let mut weights = [0; CharacterGroups::COUNT];
        let mut possible = Vec::new();
        trie.for_each_token(|text, ids| {
            let contents = Contents::of(text);
            for &id in ids {
                texts.set(id, contents);
            }
            let is_possible = FreeBounds::NONE.allow(text);
            let possible_contents = if is_possible { contents } else { Contents::default() };
            possible.extend(ids.iter().map(|_| possible_contents));
            contents.groups.indices().for_each(|group| weights[group] += ids.len() as u32);
        });
        let below = trie.fold_below(Contents::default(), |all, index| all.or(possible[index]));
        let suffixes = trie.fold_suffixes(Contents::default(), |all, byte, ids, below| {
            let groups = ids.iter().fold(CharacterGroups::of_byte(byte), |groups, id| {
                groups.or(texts.groups[*id as usize].and(CharacterGroups::NOT_PLAIN))
            });
            let n_characters = below.n_characters + u32::from(byte & 0xC0 != 0x80);
            all.or(Contents { groups: groups.or(below.groups), n_characters })
        });
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
        if n_characters < LONG {
            return None;
        }
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
        let n = all.partition_point(|long| long.contents.n_characters > n_characters);
        (n <= MAX_LONG).then_some(&all[..n])
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
        let words = self.texts.within(contents);
        let n_within = words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        let within = Arc::new(TokenSet::of_words(words, n_within));
        known().insert(contents, within.clone(), within.size_in_bytes());
        within
    }

    /// Without the greatest length, as long as few tokens have more characters, and otherwise one by one.
    fn find_free_text(&self, bounds: FreeBounds) -> StringTokens {
        match self.longer_than(bounds.max as u32) {
            Some(long) if !long.is_empty() => {
                let refused = long.iter().filter(|long| !bounds.allow(&long.text));
                let refused = refused.map(|long| long.id).collect();
                self.free_text(FreeBounds { max: usize::MAX, ..bounds }).without(refused)
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
