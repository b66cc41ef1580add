//! [`free_contents`]: which characters may follow at a position in a string, whichever they are.
//!
//! All positions to which some groups of characters lead are explored, character by character; the
//! groups that some of them refuses are given up, until all that are left may follow everywhere. Any
//! other text may only follow if the first character that is not free is one that some of the positions
//! takes: its *exits* tell which tokens are worth a look.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::character_groups::CharacterGroups;
use crate::contents::Contents;
use crate::json_schema::bytes_after;
use crate::lexicon::Lexicon;

/// The positions that are explored.
const MAX_POSITIONS: usize = 64;

/// Most tokens have fewer characters; for the sake of others no group is given up.
const MOST_LENGTHS: u32 = 12;

/// Where the characters of a string lead.
pub(crate) trait Positions {
    /// The position after one more byte, if it is certain that it may follow.
    fn step(&mut self, position: u32, byte: u8) -> Option<u32>;

    /// The position after a character that is only spelled as an escape, if it is certain that it may
    /// follow.
    fn push(&mut self, position: u32, character: u8) -> Option<u32>;

    /// Whether one more byte may follow, certainly or not.
    fn takes(&mut self, position: u32, byte: u8) -> bool;

    /// Whether two bytes that are no signs of ASCII do the same everywhere.
    fn are_alike(&self, byte: u8, other: u8) -> bool;

    /// Whether a character may begin at the position.
    fn is_boundary(&self, position: u32) -> bool;

    /// What [`live_groups`] found for the position, which is asked once.
    fn live(&mut self, position: u32) -> Arc<Live>;
}

/// Texts of which it is known whether they may follow at a position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    /// Texts of these may follow.
    pub(crate) contents: Contents,
    /// Texts without characters of these groups may not, if they are not among those and no longer.
    pub(crate) exits: CharacterGroups,
    /// Nor may longer ones.
    pub(crate) is_closed: bool,
    /// All texts may follow, with characters that have to be escaped, too.
    pub(crate) is_everything: bool,
}

impl Free {
    /// All texts of plain characters are free.
    pub(crate) const PLAIN: Self = Self {
        contents: Contents { groups: CharacterGroups::PLAIN, n_characters: u32::MAX },
        exits: CharacterGroups::NOT_PLAIN,
        is_closed: false,
        is_everything: false,
    };

    /// As if it were known of texts of any length.
    pub(crate) fn endless(self) -> Self {
        let contents = Contents { n_characters: u32::MAX, ..self.contents };
        Self { contents, ..self }
    }

    /// As far as it is known of texts with no more characters.
    pub(crate) fn up_to(self, n_characters: usize) -> Self {
        let n_characters = self.contents.n_characters.min(n_characters as u32);
        let contents = Contents { n_characters, ..self.contents };
        Self { contents, is_closed: false, is_everything: false, ..self }
    }

    /// Whether it is known of all texts that consist of parts of these contents.
    pub(crate) fn decides(self, all: Contents) -> bool {
        let is_known = self.is_closed || all.n_characters <= self.contents.n_characters;
        all.groups.and(self.exits).is_empty() && is_known
    }
}

/// The groups of which each character may follow at a position, and where they lead.
#[derive(Debug)]
pub(crate) struct Live {
    groups: CharacterGroups,
    /// The groups of which some character may follow.
    taken: CharacterGroups,
    targets: Vec<(CharacterGroups, u32)>,
}

/// Characters any text of which may follow at the position, up to a length; `None` inside of a
/// character.
pub(crate) fn free_contents(
    positions: &mut impl Positions,
    start: u32,
    lexicon: &Lexicon,
) -> Option<Free> {
    if !positions.is_boundary(start) {
        return None;
    }
    let live = positions.live(start);
    let mut free = Contents { groups: live.groups, n_characters: 1 };
    let mut taken = live.taken;
    // With the number of characters that lead there.
    let (mut seen, mut frontier) = (FxHashMap::from_iter([(start, 0)]), vec![start]);
    let mut comes_back = false;
    while !free.groups.is_empty() {
        let (mut groups, mut next) = (free.groups, Vec::new());
        for &position in &frontier {
            for &(leading, target) in &positions.live(position).targets {
                if leading.and(groups).is_empty() {
                    continue;
                }
                if let Some(&n_characters) = seen.get(&target) {
                    comes_back |= n_characters != free.n_characters;
                    continue;
                }
                let live = positions.live(target);
                taken = taken.or(live.taken);
                // Either what the target refuses is given up, or what leads there.
                let narrowed = groups.and(live.groups);
                let without = groups.without(leading);
                if lexicon.weight(narrowed) >= lexicon.weight(without) {
                    groups = narrowed;
                    seen.insert(target, free.n_characters);
                    next.push(target);
                } else {
                    groups = without;
                }
            }
        }
        let is_worth = match free.n_characters {
            ..MOST_LENGTHS => lexicon.weight(groups) * 2 > lexicon.weight(free.groups),
            _ => groups == free.groups,
        };
        if !is_worth || seen.len() > MAX_POSITIONS {
            break;
        }
        let n_characters = if next.is_empty() { u32::MAX } else { free.n_characters + 1 };
        free = Contents { groups, n_characters };
        if next.is_empty() {
            break;
        }
        frontier = next;
    }
    let exits = taken.without(free.groups).or(CharacterGroups::NOT_PLAIN);
    let escaped = CharacterGroups::NOT_PLAIN.is_within(free.groups);
    let contents = Contents { groups: free.groups.and(CharacterGroups::PLAIN), ..free };
    let is_everything = escaped && Free::PLAIN.contents.is_within(contents);
    let is_closed = !comes_back && are_ends(positions, &frontier, free.groups);
    Some(Free { contents, exits, is_closed, is_everything })
}

/// Whether no plain characters follow after one more of some groups.
fn are_ends(positions: &mut impl Positions, from: &[u32], groups: CharacterGroups) -> bool {
    from.iter().all(|&position| {
        let live = positions.live(position);
        let mut next = live.targets.iter().filter(|(leading, _)| !leading.and(groups).is_empty());
        next.all(|&(_, target)| positions.live(target).taken.is_within(CharacterGroups::NOT_PLAIN))
    })
}

/// Asks for each character where it leads.
pub(crate) fn live_groups(positions: &mut impl Positions, from: u32) -> Live {
    let none = CharacterGroups::NONE;
    let mut live = Live { groups: CharacterGroups::PLAIN, taken: none, targets: Vec::new() };
    let mut last = None;
    for byte in b' '..=0x7F {
        let group = CharacterGroups::of_ascii(byte);
        let is_known = last.is_some_and(|(last, last_group)| {
            last_group == group && positions.are_alike(last, byte)
        });
        last = Some((byte, group));
        if is_known || !group.is_within(live.groups) && group.is_within(live.taken) {
            continue;
        }
        match positions.step(from, byte) {
            Some(target) if group.is_within(live.groups) => live.push(group, target),
            Some(_) => live.taken = live.taken.or(group),
            None => {
                live.groups = live.groups.without(group);
                if positions.takes(from, byte) {
                    live.taken = live.taken.or(group);
                }
            }
        }
    }
    let wide = CharacterGroups::WIDE.or(CharacterGroups::WIDE_SPACES);
    if (0xC2..=0xF4).any(|lead| positions.takes(from, lead)) {
        live.taken = live.taken.or(wide);
    }
    let mut is_space_live = true;
    match follow_wide(positions, from, &mut is_space_live) {
        Some(ends) => ends.into_iter().for_each(|end| live.push(CharacterGroups::WIDE, end)),
        None => live.groups = live.groups.without(CharacterGroups::WIDE),
    }
    if !is_space_live || !CharacterGroups::WIDE.is_within(live.groups) {
        live.groups = live.groups.without(CharacterGroups::WIDE_SPACES);
    }
    if CharacterGroups::PLAIN.is_within(live.groups) {
        live.add_escaped(positions, from);
    }
    live
}

impl Live {
    /// Asks for the characters that have to be escaped.
    fn add_escaped(&mut self, positions: &mut impl Positions, from: u32) {
        let mut targets = Vec::new();
        for character in (0..b' ').chain(*b"\"\\") {
            if character > 0 && positions.are_alike(character - 1, character) {
                continue;
            }
            let Some(target) = positions.push(from, character) else { return };
            targets.push(target);
        }
        for target in targets {
            self.push(CharacterGroups::NOT_PLAIN, target);
        }
        self.groups = self.groups.or(CharacterGroups::NOT_PLAIN);
    }

    fn push(&mut self, group: CharacterGroups, target: u32) {
        self.taken = self.taken.or(group);
        match self.targets.iter_mut().find(|(_, known)| *known == target) {
            Some((groups, _)) => *groups = groups.or(group),
            None => self.targets.push((group, target)),
        }
    }
}

/// Where all characters beyond ASCII lead; `None` where some may not follow. White space needn't.
fn follow_wide(
    positions: &mut impl Positions,
    from: u32,
    is_space_live: &mut bool,
) -> Option<Vec<u32>> {
    let (mut begun, mut seen, mut ends) = (FxHashSet::default(), FxHashSet::default(), Vec::new());
    for lead in 0xC2..=0xF4 {
        let inside = positions.step(from, lead)?;
        let Some((n_after, first, last)) = bytes_after(lead) else { continue };
        let n_more = n_after - 1;
        let begins_space = matches!(lead, 0xC2 | 0xE1..=0xE3 | 0xEF);
        if !begins_space && !begun.insert((inside, first, last, n_more)) {
            continue;
        }
        for byte in first..=last {
            let is_special = begins_space && (begins_spaces(lead, byte) || byte == first);
            let is_alike = byte > first && positions.are_alike(byte - 1, byte);
            if is_alike && !is_special && !(begins_space && begins_spaces(lead, byte - 1)) {
                continue;
            }
            if n_more == 0 {
                follow_last(positions, inside, [lead, byte], &mut ends, is_space_live)?;
                continue;
            }
            let next = positions.step(inside, byte)?;
            if !begins_spaces(lead, byte) {
                follow_rest(positions, next, n_more, &mut seen, &mut ends)?;
                continue;
            }
            for last in 0x80..=0xBF {
                let character = [lead, byte, last];
                follow_last(positions, next, character, &mut ends, is_space_live)?;
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    Some(ends)
}

/// Whether the bytes are white space or begin so.
fn begins_spaces(lead: u8, byte: u8) -> bool {
    matches!(
        (lead, byte),
        (0xC2, 0x85 | 0xA0) | (0xE1, 0x9A) | (0xE2, 0x80 | 0x81) | (0xE3, 0x80) | (0xEF, 0xBB)
    )
}

/// Where the last byte of a character leads.
fn follow_last<const N: usize>(
    positions: &mut impl Positions,
    from: u32,
    character: [u8; N],
    ends: &mut Vec<u32>,
    is_space_live: &mut bool,
) -> Option<()> {
    match positions.step(from, character[N - 1]) {
        Some(end) if ends.last() == Some(&end) => {}
        Some(end) => ends.push(end),
        None if CharacterGroups::of_text(&character).0 == CharacterGroups::WIDE_SPACES => {
            *is_space_live = false;
        }
        None => return None,
    }
    Some(())
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
        if byte > 0x80 && positions.are_alike(byte - 1, byte) {
            continue;
        }
        let next = positions.step(from, byte)?;
        follow_rest(positions, next, n_more - 1, seen, ends)?;
    }
    Some(())
}
