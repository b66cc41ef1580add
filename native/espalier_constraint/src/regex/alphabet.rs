//! [`Alphabet`]: characters that an expression does not tell apart are one letter.

use std::collections::BTreeSet;

use regex_syntax::hir::ClassUnicode;
use regex_syntax::utf8::Utf8Sequences;
use rustc_hash::FxHashMap;

/// The letters of an expression.
///
/// Automata over letters are small: a class such as `\p{L}` is a handful of letters, but hundreds
/// of states when it is spelled in bytes.
#[derive(Debug)]
pub(super) struct Alphabet {
    /// The classes of each letter.
    holders: Vec<Classes>,
    trie: Vec<TrieNode>,
}

/// A set of classes, a bit for each.
#[derive(Clone, Debug)]
pub(super) struct Classes(Vec<u64>);

/// How characters are spelled in bytes: ranges of bytes in order, each with what follows.
pub(super) type TrieNode = Vec<(u8, u8, Spelled)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spelled {
    /// More bytes are needed, from another node on.
    Partly(u32),
    /// This was a character.
    Letter(u32),
}

impl Alphabet {
    /// The coarsest alphabet in which each of the classes is a set of letters.
    pub(super) fn new(classes: &[ClassUnicode]) -> Self {
        let mut borders: Vec<(u32, usize)> = Vec::new();
        for (class, set) in classes.iter().enumerate() {
            for range in set.ranges() {
                borders.push((range.start().into(), class));
                borders.push((u32::from(range.end()) + 1, class));
            }
        }
        borders.sort_unstable();
        // Each stretch between two borders belongs to the letter of the classes that hold it.
        let mut letters: FxHashMap<Vec<usize>, u32> = FxHashMap::default();
        let mut spans: Vec<(u32, u32, u32)> = Vec::new();
        let mut holding = BTreeSet::new();
        let mut first = 0;
        let mut borders = borders.into_iter().peekable();
        loop {
            while let Some((_, class)) = borders.next_if(|(border, _)| *border == first) {
                if !holding.remove(&class) {
                    holding.insert(class);
                }
            }
            let end = borders.peek().map_or(0x11_0000, |(border, _)| *border);
            if first < end {
                let n_letters = letters.len() as u32;
                let key = holding.iter().copied().collect();
                spans.push((first, end - 1, *letters.entry(key).or_insert(n_letters)));
            }
            if end == 0x11_0000 {
                break;
            }
            first = end;
        }
        let mut holders = vec![Classes(vec![0; classes.len() / 64 + 1]); letters.len()];
        for (holding, letter) in letters {
            for class in holding {
                holders[letter as usize].insert(class);
            }
        }
        Self { holders, trie: trie(&spans) }
    }

    pub(super) fn n_letters(&self) -> usize {
        self.holders.len()
    }

    /// The classes that the letter belongs to, by their numbers.
    pub(super) fn classes_of(&self, letter: u32) -> &Classes {
        &self.holders[letter as usize]
    }

    /// The spelling of all characters; the last node is the root, and nodes only lead to earlier
    /// ones.
    pub(super) fn trie(&self) -> &[TrieNode] {
        &self.trie
    }
}

impl Classes {
    pub(super) fn contains(&self, class: u32) -> bool {
        self.0[class as usize / 64] >> (class % 64) & 1 == 1
    }

    fn insert(&mut self, class: usize) {
        self.0[class / 64] |= 1 << (class % 64);
    }
}

fn trie(spans: &[(u32, u32, u32)]) -> Vec<TrieNode> {
    let mut sequences = Vec::new();
    for &(first, last, letter) in spans {
        // No character lies between these two.
        let first = if (0xD800..0xE000).contains(&first) { 0xE000 } else { first };
        let last = if (0xD800..0xE000).contains(&last) { 0xD7FF } else { last };
        let (Some(first), Some(last)) = (char::from_u32(first), char::from_u32(last)) else {
            continue;
        };
        if first <= last {
            sequences.extend(Utf8Sequences::new(first, last).map(|sequence| {
                let ranges = sequence.as_slice().iter().map(|range| (range.start, range.end));
                (ranges.collect::<Vec<_>>(), letter)
            }));
        }
    }
    let mut nodes = Nodes::default();
    let root = nodes.node(&sequences, 0);
    nodes.ids.remove(&root);
    nodes.nodes.push(root);
    nodes.nodes
}

/// The nodes of a trie, equal ones shared.
#[derive(Default)]
struct Nodes {
    nodes: Vec<TrieNode>,
    ids: FxHashMap<TrieNode, u32>,
}

impl Nodes {
    /// The node for sequences that agree on their first `depth` ranges. Ranges of bytes at a depth
    /// are equal or disjoint, and in order.
    fn node(&mut self, sequences: &[(Vec<(u8, u8)>, u32)], depth: usize) -> TrieNode {
        let mut node: TrieNode = Vec::new();
        for group in sequences.chunk_by(|(a, _), (b, _)| a[depth] == b[depth]) {
            let (ranges, letter) = &group[0];
            let next = if ranges.len() == depth + 1 {
                Spelled::Letter(*letter)
            } else {
                let child = self.node(group, depth + 1);
                let id = self.nodes.len() as u32;
                Spelled::Partly(*self.ids.entry(child).or_insert_with_key(|child| {
                    self.nodes.push(child.clone());
                    id
                }))
            };
            let (first, last) = ranges[depth];
            match node.last_mut() {
                Some((_, end, before)) if *before == next && *end + 1 == first => *end = last,
                _ => node.push((first, last, next)),
            }
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use regex_syntax::hir::ClassUnicodeRange;

    use super::*;

    fn letter_of(alphabet: &Alphabet, character: char) -> u32 {
        let mut node = alphabet.trie().last().unwrap();
        for byte in character.to_string().bytes() {
            let &(_, _, next) =
                node.iter().find(|(first, last, _)| (*first..=*last).contains(&byte)).unwrap();
            match next {
                Spelled::Partly(next) => node = &alphabet.trie()[next as usize],
                Spelled::Letter(letter) => return letter,
            }
        }
        unreachable!("a whole character")
    }

    #[test]
    fn every_character_has_the_letter_of_its_classes() {
        let classes = [('a', 'é'), ('c', '\u{ffff}'), ('😀', '😀')]
            .map(|(first, last)| ClassUnicode::new([ClassUnicodeRange::new(first, last)]));
        let alphabet = Alphabet::new(&classes);
        assert_eq!(alphabet.n_letters(), 5);
        for character in ['\0', 'a', 'b', 'c', 'é', 'ê', '\u{d7ff}', '\u{e000}', '😀', '\u{10ffff}']
        {
            let letter = letter_of(&alphabet, character);
            for (id, class) in (0..).zip(&classes) {
                let is_member =
                    class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&character));
                assert_eq!(
                    alphabet.classes_of(letter).contains(id),
                    is_member,
                    "{character:?} in {class:?}"
                );
            }
        }
    }
}
