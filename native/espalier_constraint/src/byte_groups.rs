//! [`ByteGroups`]: of which bytes tokens consist, in some groups.
//!
//! In a state of an automaton to which all bytes of some groups lead back, all tokens of these may follow. So
//! a walk need not look at what is below a node of the trie if it consists of nothing else.

use crate::dfa::Dfa;
use crate::json_schema::bytes_after;
use crate::token_trie::TokenTrie;

/// Some groups of bytes, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The groups of which all bytes lead back to the state.
    pub(crate) fn leading_back(dfa: &Dfa, state: u32) -> Self {
        let (mut groups, mut refused) = (0, Self::OTHER.0);
        for byte in 0..0x80 {
            let Self(group) = Self::of_ascii(byte);
            let leads_back = dfa.step(state, byte) == Some(state);
            *(if leads_back { &mut groups } else { &mut refused }) |= group;
        }
        if all_wide_lead_back(dfa, state) {
            groups |= Self::WIDE.0;
        }
        Self(groups & !refused)
    }
}

/// Whether all characters beyond ASCII lead back to the state.
fn all_wide_lead_back(dfa: &Dfa, state: u32) -> bool {
    let mut seen = Vec::new();
    (0xC2..=0xF4).all(|lead| {
        let Some((n_after, first, last)) = bytes_after(lead) else { return false };
        dfa.step(state, lead).is_some_and(|inside| {
            let key = (inside, n_after, first, last);
            seen.contains(&key) || {
                seen.push(key);
                rest_leads_back(dfa, state, inside, (n_after, first, last))
            }
        })
    })
}

/// Whether so many more bytes, the first of which is in a range, lead back to the state.
fn rest_leads_back(
    dfa: &Dfa,
    state: u32,
    inside: u32,
    (n_after, first, last): (u8, u8, u8),
) -> bool {
    let mut before = None;
    (first..=last).all(|byte| {
        let Some(next) = dfa.step(inside, byte) else { return false };
        if n_after == 1 {
            return next == state;
        }
        before.replace(next) == Some(next)
            || rest_leads_back(dfa, state, next, (n_after - 1, 0x80, 0xBF))
    })
}

/// Where in a character a text stands.
#[derive(Clone, Copy)]
enum Place {
    Boundary,
    /// So many bytes are missing, the next of which is in a range.
    Inside(u8, u8, u8),
    NoText,
}

impl Place {
    fn step(self, byte: u8) -> (ByteGroups, Self) {
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

/// For each node of a trie of what consists what comes after it in longer tokens.
pub(crate) fn groups_below(trie: &TokenTrie) -> Box<[ByteGroups]> {
    let mut own = vec![(ByteGroups::default(), Place::Boundary); trie.n_nodes()];
    let mut parents = vec![0; trie.n_nodes()];
    trie.for_each_edge(|parent, child, byte| {
        own[child] = own[parent].1.step(byte);
        parents[child] = parent;
    });
    let mut below = vec![ByteGroups::default(); trie.n_nodes()];
    // Nodes come after their parents.
    for node in (1..trie.n_nodes()).rev() {
        let all = below[node].or(own[node].0);
        below[parents[node]] = below[parents[node]].or(all);
    }
    below.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Meter;

    #[test]
    fn groups_that_lead_back_are_those_that_loops_take() {
        let of = |pattern: &str| {
            let dfa = crate::regex::compile(pattern, &Meter::unlimited()).unwrap().minimized();
            ByteGroups::leading_back(&dfa, dfa.start())
        };
        let is_within = |text: &str, pattern: &str| {
            let trie = TokenTrie::new([(0, text.as_bytes())].into_iter());
            groups_below(&trie)[0].is_within(of(pattern))
        };
        assert!(is_within("abé", "[a-zé-\u{10FFFF}\u{80}-é]*") && !is_within("abé", "[a-z]*"));
        assert!(is_within("abé語", "[^\"]*") && !is_within("ab\"", "[^\"]*"));
        assert!(!is_within("abé", "[^ß]*") && is_within("ab_", "[^ß]*"));
        assert!(!is_within("b", "[ac-z]*") && !is_within("ab", "(ab)*"));
        let cut = TokenTrie::new([(0, &b"\xE8\xAA"[..]), (1, &b"\xAA"[..])].into_iter());
        assert!(!groups_below(&cut)[0].is_within(of("[^\"]*")));
        let cut = TokenTrie::new([(0, &b"a\xE8\xAA"[..])].into_iter());
        assert!(groups_below(&cut)[0].is_within(of("[^\"]*")));
    }
}
