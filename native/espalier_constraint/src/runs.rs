//! [`Run`]: tokens as texts of some groups of bytes, with what they have behind these.
//!
//! In a state of an automaton to which all bytes of the groups lead back, tokens of these may follow, and the
//! others go on from the same state behind them, wherever that is.

use std::convert::Infallible;
use std::sync::Arc;

use crate::byte_groups::{ByteGroups, Place};
use crate::token_mask::TokenSet;
use crate::token_trie::{Children, TokenTrie};

/// From some nodes of a trie on.
#[derive(Debug)]
pub(crate) struct Run {
    /// The tokens that consist of the groups.
    pub(crate) inside: Arc<TokenSet>,
    /// What the others have from the first byte on that is of none.
    pub(crate) beyond: Arc<TokenTrie>,
    /// Nodes where such a byte cuts a character, which are not among those: each with what leads there from the
    /// first nodes on.
    pub(crate) cuts: Box<[(u32, Box<[u8]>)]>,
}

impl Run {
    /// Of what is below each node is given.
    pub(crate) fn new(
        trie: &TokenTrie,
        below: &[ByteGroups],
        from: &[u32],
        groups: ByteGroups,
        n_ids: usize,
    ) -> Self {
        let (mut inside, mut n_inside, mut cuts) = (vec![0; n_ids.div_ceil(32)], 0, Vec::new());
        let mut add = |ids: &[u32]| {
            n_inside += ids.len();
            for &id in ids {
                inside[id as usize / 32] |= 1 << (id % 32);
            }
        };
        let (mut beyond, mut texts): (Vec<(u32, usize, usize)>, _) = (Vec::new(), Vec::new());
        let (mut places, mut path) = (vec![Place::Boundary], Vec::new());
        for &from in from {
            let walked = trie.walk_at((from as usize, 1), |visit| {
                places.truncate(visit.depth);
                path.truncate(visit.depth - 1);
                path.push(visit.byte);
                let before = places[visit.depth - 1];
                let (group, place) = before.step(visit.byte);
                if group.or(below[visit.node]).is_within(groups) {
                    add(visit.ids_below());
                    return Ok::<_, Infallible>(Children::None);
                }
                if group.is_within(groups) {
                    places.push(place);
                    add(visit.ids());
                    return Ok(Children::All);
                }
                // The first byte leads on, whatever its group is.
                if visit.depth == 1 || !matches!(before, Place::Boundary) {
                    cuts.push((visit.node as u32, path[..].into()));
                    return Ok(Children::None);
                }
                visit.for_each_below(|rest, ids| {
                    let start = texts.len();
                    texts.push(visit.byte);
                    texts.extend_from_slice(rest);
                    beyond.extend(ids.iter().map(|&id| (id, start, texts.len())));
                });
                Ok(Children::None)
            });
            let Ok(()) = walked;
        }
        let beyond = beyond.iter().map(|&(id, start, end)| (id, &texts[start..end]));
        let inside = Arc::new(TokenSet::of_words(inside, n_inside));
        Self { inside, beyond: Arc::new(TokenTrie::new(beyond)), cuts: cuts.into() }
    }

    pub(crate) fn size_in_bytes(&self) -> usize {
        256 + self.inside.size_in_bytes() + self.beyond.size_in_bytes() + self.cuts.len() * 48
    }
}
