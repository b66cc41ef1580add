//! [`Contents`]: of what a text consists, and [`ByContents`]: the texts of a vocabulary by that.

use crate::character_groups::CharacterGroups;

/// Of which characters a text consists, and of how many at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Contents {
    pub(crate) groups: CharacterGroups,
    pub(crate) n_characters: u32,
}

impl Contents {
    pub(crate) fn of(text: &[u8]) -> Self {
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

    pub(crate) fn or(self, other: Self) -> Self {
        let n_characters = self.n_characters.max(other.n_characters);
        Self { groups: self.groups.or(other.groups), n_characters }
    }
}

/// Texts with more characters are long.
pub(crate) const LONG: u32 = 10;

/// Some ids, one bit each.
type Bits = Box<[u32]>;

/// Which ids have texts with which contents: a set of ids for each group and each length, so that many
/// are told at once.
#[derive(Debug)]
pub(crate) struct ByContents {
    /// For each group the ids of texts that have characters of it.
    having: Vec<Bits>,
    /// For each number up to [`LONG`] the ids of texts with no more characters; then all that have a
    /// text.
    with_at_most: Vec<Bits>,
}

impl ByContents {
    /// Of so many ids, none of which has a text yet.
    pub(crate) fn new(n_ids: usize) -> Self {
        let none = || vec![0; n_ids.div_ceil(32)].into();
        let having = (0..CharacterGroups::COUNT).map(|_| none()).collect();
        Self { having, with_at_most: (0..=LONG + 1).map(|_| none()).collect() }
    }

    pub(crate) fn add(&mut self, id: u32, contents: Contents) {
        let (word, bit) = (id as usize / 32, 1 << (id % 32));
        contents.groups.indices().for_each(|group| self.having[group][word] |= bit);
        let fitting =
            self.with_at_most.iter_mut().skip(contents.n_characters.min(LONG + 1) as usize);
        fitting.for_each(|ids| ids[word] |= bit);
    }

    /// All ids that have a text, one bit each.
    pub(crate) fn all(&self) -> &[u32] {
        &self.with_at_most[LONG as usize + 1]
    }

    /// The ids whose texts are within, one bit each; up to lengths that are long.
    pub(crate) fn within(&self, contents: Contents) -> Vec<u32> {
        let mut ids = self.with_at_most[contents.n_characters.min(LONG + 1) as usize].to_vec();
        let missing = CharacterGroups::ALL.without(contents.groups);
        for group in missing.indices() {
            ids.iter_mut().zip(&self.having[group]).for_each(|(ids, having)| *ids &= !having);
        }
        ids
    }
}
