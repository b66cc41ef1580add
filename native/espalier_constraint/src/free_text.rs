//! [`free_contents`]: which characters may follow at a position in a string, whichever they are.
//!
//! All positions to which some groups of characters lead are explored, character by character; the
//! groups that some of them refuses are given up, until all that are left may follow everywhere.

use rustc_hash::FxHashSet;

use crate::character_groups::CharacterGroups;
use crate::lexicon::{Contents, Lexicon};

/// The positions that are explored.
const MAX_POSITIONS: usize = 300;

/// Where the characters of a string lead.
pub(crate) trait Positions {
    /// The position after one more byte, if it is certain that it may follow.
    fn step(&mut self, position: u32, byte: u8) -> Option<u32>;

    /// Whether a character may begin at the position.
    fn is_boundary(&self, position: u32) -> bool;
}

/// Characters any text of which may follow at the position, up to a length.
pub(crate) fn free_contents(
    positions: &mut impl Positions,
    start: u32,
    lexicon: &Lexicon,
) -> Contents {
    if !positions.is_boundary(start) {
        return Contents::default();
    }
    let (mut seen, mut frontier) = (FxHashSet::from_iter([start]), vec![start]);
    let mut groups = CharacterGroups::PLAIN;
    let mut n_characters = 0;
    while !frontier.is_empty() {
        let mut next = Vec::new();
        let mut live = groups;
        for &position in &frontier {
            live = live.and(live_groups(positions, position, live, &mut next));
        }
        let is_enough = n_characters == 0 || lexicon.weight(live) * 2 > lexicon.weight(groups);
        if live.is_empty() || !is_enough {
            return Contents { groups, n_characters };
        }
        groups = live;
        n_characters += 1;
        next.retain(|position| seen.insert(*position));
        frontier = next;
        if seen.len() > MAX_POSITIONS {
            return Contents { groups, n_characters };
        }
    }
    Contents { groups, n_characters: u32::MAX }
}

/// The groups of which each character may follow at a position; where they lead is added.
fn live_groups(
    positions: &mut impl Positions,
    from: u32,
    wanted: CharacterGroups,
    targets: &mut Vec<u32>,
) -> CharacterGroups {
    let mut live = wanted;
    let mut push = |target: u32| {
        if targets.last() != Some(&target) {
            targets.push(target);
        }
    };
    for byte in b' '..=0x7F {
        let group = CharacterGroups::of_ascii(byte);
        if group.is_within(live) {
            match positions.step(from, byte) {
                Some(target) => push(target),
                None => live = live.without(group),
            }
        }
    }
    let wide = CharacterGroups::WIDE.or(CharacterGroups::SEPARATORS);
    if live.and(wide).is_empty() {
        return live;
    }
    // Of the separators it is not told apart where they lead, so they are live together with the rest.
    let mut is_separator_live = true;
    match follow_wide(positions, from, &mut is_separator_live) {
        Some(found) => found.into_iter().for_each(push),
        None => return live.without(wide),
    }
    if is_separator_live { live } else { live.without(CharacterGroups::SEPARATORS) }
}

/// Where all characters beyond ASCII lead; `None` where some may not follow. The separators of lines and
/// paragraphs needn't.
fn follow_wide(
    positions: &mut impl Positions,
    from: u32,
    is_separator_live: &mut bool,
) -> Option<Vec<u32>> {
    let (mut begun, mut seen, mut ends) = (FxHashSet::default(), FxHashSet::default(), Vec::new());
    for lead in 0xC2..=0xF4 {
        let inside = positions.step(from, lead)?;
        let (first, last, n_more) = match lead {
            0xC2..=0xDF => (0x80, 0xBF, 0),
            0xE0 => (0xA0, 0xBF, 1),
            0xED => (0x80, 0x9F, 1),
            0xE1..=0xEF => (0x80, 0xBF, 1),
            0xF0 => (0x90, 0xBF, 2),
            0xF4 => (0x80, 0x8F, 2),
            _ => (0x80, 0xBF, 2),
        };
        if lead != 0xE2 && !begun.insert((inside, first, last, n_more)) {
            continue;
        }
        for byte in first..=last {
            let next = positions.step(inside, byte)?;
            if (lead, byte) == (0xE2, 0x80) {
                for last in 0x80..=0xBF {
                    match positions.step(next, last) {
                        Some(end) => ends.push(end),
                        None if matches!(last, 0xA8 | 0xA9) => *is_separator_live = false,
                        None => return None,
                    }
                }
            } else {
                follow_rest(positions, next, n_more, &mut seen, &mut ends)?;
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    Some(ends)
}

/// Where so many more bytes of a character lead.
fn follow_rest(
    positions: &mut impl Positions,
    from: u32,
    n_more: u8,
    seen: &mut FxHashSet<(u32, u8)>,
    ends: &mut Vec<u32>,
) -> Option<()> {
    if n_more == 0 {
        if ends.last() != Some(&from) {
            ends.push(from);
        }
        return Some(());
    }
    if !seen.insert((from, n_more)) {
        return Some(());
    }
    for byte in 0x80..=0xBF {
        let next = positions.step(from, byte)?;
        follow_rest(positions, next, n_more - 1, seen, ends)?;
    }
    Some(())
}
