//! [`ByteGroups`]: of which bytes tokens consist, in some groups.
//!
//! In a state of an automaton to which all bytes of some groups lead back, all tokens of these may follow; see
//! [`Run`](crate::runs::Run).

use crate::dfa::Dfa;
use crate::json_schema::bytes_after;
use crate::token_trie::TokenTrie;

/// Some groups of bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ByteGroups(u64);

impl ByteGroups {
    /// Those of characters beyond ASCII, the last of which may be cut at its end.
    const WIDE: Self = Self(1);
    /// Those that are no part of a character in UTF-8, or that go on with one that began in another token.
    const OTHER: Self = Self(2);

    /// The group of a byte of ASCII.
    fn of_ascii(byte: u8) -> Self {
        let index = match byte {
            b'a'..=b'z' => 2,
            b'A'..=b'Z' => 3,
            b'0'..=b'9' => 4,
            b'\t' => 5,
            b'\n' => 6,
            b'\r' => 7,
            0..b' ' | 0x7F.. => 8,
            b' '..=b'/' => 9 + byte - b' ',
            b':'..=b'@' => 25 + byte - b':',
            b'['..=b'`' => 32 + byte - b'[',
            b'{'..=b'~' => 38 + byte - b'{',
        };
        Self(1 << index)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether a text of the groups may have the byte.
    pub(crate) fn may_have(self, byte: u8) -> bool {
        let group = if byte.is_ascii() { Self::of_ascii(byte) } else { Self::WIDE };
        group.is_within(self)
    }

    /// Whether characters beyond ASCII are among them.
    pub(crate) fn are_wide(self) -> bool {
        Self::WIDE.is_within(self)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The groups of which all bytes lead from one state to another.
    pub(crate) fn leading(dfa: &Dfa, from: u32, to: u32) -> Self {
        let (mut groups, mut refused) = (0, Self::OTHER.0);
        for byte in 0..0x80 {
            let Self(group) = Self::of_ascii(byte);
            let leads = dfa.step(from, byte) == Some(to);
            *(if leads { &mut groups } else { &mut refused }) |= group;
        }
        if all_wide_lead(dfa, from, to) {
            groups |= Self::WIDE.0;
        }
        Self(groups & !refused)
    }
}

/// Whether all characters beyond ASCII lead from one state to another.
fn all_wide_lead(dfa: &Dfa, from: u32, to: u32) -> bool {
    let mut seen = Vec::new();
    (0xC2..=0xF4).all(|lead| {
        let Some((n_after, first, last)) = bytes_after(lead) else { return false };
        dfa.step(from, lead).is_some_and(|inside| {
            let key = (inside, n_after, first, last);
            seen.contains(&key) || {
                seen.push(key);
                rest_leads(dfa, inside, to, (n_after, first, last))
            }
        })
    })
}

/// Whether so many more bytes, the first of which is in a range, lead from one state to another.
fn rest_leads(dfa: &Dfa, from: u32, to: u32, (n_after, first, last): (u8, u8, u8)) -> bool {
    let mut before = None;
    (first..=last).all(|byte| {
        let Some(next) = dfa.step(from, byte) else { return false };
        if n_after == 1 {
            return next == to;
        }
        before.replace(next) == Some(next) || rest_leads(dfa, next, to, (n_after - 1, 0x80, 0xBF))
    })
}

/// Where in a character a text stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Boundary,
    /// So many bytes are missing, the next of which is in a range.
    Inside(u8, u8, u8),
    NoText,
}

impl Place {
    pub(crate) fn step(self, byte: u8) -> (ByteGroups, Self) {
        match (self, byte) {
            (Self::Boundary, 0..0x80) => (ByteGroups::of_ascii(byte), Self::Boundary),
            (Self::Boundary, _) => match bytes_after(byte) {
                Some((n, first, last)) => (ByteGroups::WIDE, Self::Inside(n, first, last)),
                None => (ByteGroups::OTHER, Self::NoText),
            },
            (Self::Inside(n, first, last), _) if (first..=last).contains(&byte) => {
                let next = if n == 1 { Self::Boundary } else { Self::Inside(n - 1, 0x80, 0xBF) };
                (ByteGroups::WIDE, next)
            }
            _ => (ByteGroups::OTHER, Self::NoText),
        }
    }
}

/// What is known of the tokens of a trie apart from any automaton.
#[derive(Debug)]
pub(crate) struct TrieGroups {
    /// For each node of what its byte and those after it in longer tokens consist.
    pub(crate) from: Box<[ByteGroups]>,
    /// The tokens that end within a character, in ascending order.
    pub(crate) cut: Box<[u32]>,
}

impl TrieGroups {
    pub(crate) fn new(trie: &TokenTrie) -> Self {
        let mut places = vec![Place::Boundary; trie.n_nodes()];
        let mut from = vec![ByteGroups::default(); trie.n_nodes()];
        // Nodes come after their parents.
        for parent in 0..trie.n_nodes() {
            for child in trie.children(parent) {
                (from[child], places[child]) = places[parent].step(trie.bytes()[child]);
            }
        }
        for parent in (0..trie.n_nodes()).rev() {
            let below = &from[trie.children(parent)];
            let below = below.iter().copied().fold(ByteGroups::default(), ByteGroups::or);
            from[parent] = from[parent].or(below);
        }
        let is_inside = |&node: &usize| matches!(places[node], Place::Inside(..));
        let cut = (0..trie.n_nodes()).filter(is_inside).flat_map(|node| trie.own_ids(node));
        let mut cut: Vec<u32> = cut.copied().collect();
        cut.sort_unstable();
        Self { from: from.into(), cut: cut.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Meter;
    use crate::runs::Run;

    #[test]
    fn groups_that_lead_back_are_those_that_loops_take() {
        let is_within = |text: &[u8], pattern: &str| {
            let dfa = crate::regex::compile(pattern, &Meter::unlimited()).unwrap().minimized();
            let groups = ByteGroups::leading(&dfa, dfa.start(), dfa.start());
            let trie = TokenTrie::new([(0, text)].into_iter());
            let trie_groups = TrieGroups::new(&trie);
            let run = Run::new((&trie, &[1]), &trie_groups, &[1], groups);
            let n_inside = run.inside.iter().count();
            let beyond = run.beyond(&(0..=u8::MAX).collect(), &trie);
            assert_eq!(n_inside + beyond.ids().len() + run.cuts.len(), 1);
            assert_eq!(n_inside == 1, trie_groups.from[1].is_within(groups));
            n_inside == 1
        };
        assert!(is_within("abé".as_bytes(), "[a-zé-\u{10FFFF}\u{80}-é]*"));
        assert!(is_within("abé語".as_bytes(), "[^\"]*") && !is_within(b"ab\"", "[^\"]*"));
        assert!(!is_within("abé".as_bytes(), "[^ß]*") && is_within(b"ab_", "[^ß]*"));
        assert!(!is_within("abé".as_bytes(), "[a-z]*"));
        assert!(!is_within(b"b", "[ac-z]*") && !is_within(b"ab", "(ab)*"));
        assert!(is_within(b"a\xE8\xAA", "[^\"]*") && !is_within(b"\xAA", "[^\"]*"));
        assert!(!is_within(b"\xE8a", "[^\"]*"));
    }
}
