//! [`TokenTrie`]: tokens as a trie over their bytes, laid out flat.

/// A trie in depth-first order, so that a refused byte skips its subtree by one jump.
#[derive(Debug, Default)]
pub(crate) struct TokenTrie {
    nodes: Vec<Node>,
    /// Token ids by node: those of node `i` are `ids[nodes[i].first_id..nodes[i + 1].first_id]`.
    ids: Vec<u32>,
    depth: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    byte: u8,
    /// The number of bytes from the root, this node's included.
    depth: u32,
    /// The node that follows this one's subtree.
    skip: u32,
    first_id: u32,
}

/// One visited node.
pub(crate) struct Visit<'a> {
    pub(crate) byte: u8,
    pub(crate) depth: usize,
    /// The ids whose bytes end here; several when the vocabulary spells the same bytes twice.
    pub(crate) ids: &'a [u32],
    /// Asked for [`ids_below`](TokenTrie::ids_below).
    pub(crate) node: usize,
}

impl TokenTrie {
    /// Builds the trie of the tokens, which may come in any order; empty ones are left out.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = (u32, &'a [u8])>) -> Self {
        let mut sorted: Vec<(&[u8], u32)> =
            tokens.filter(|(_, bytes)| !bytes.is_empty()).map(|(id, bytes)| (bytes, id)).collect();
        sorted.sort_unstable();
        let mut trie = Self::default();
        let mut open: Vec<usize> = Vec::new(); // the path of nodes to the last token
        let mut last: &[u8] = &[];
        for (bytes, id) in sorted {
            let shared = last.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            trie.close(&mut open, shared);
            for (index, &byte) in bytes.iter().enumerate().skip(shared) {
                open.push(trie.nodes.len());
                trie.nodes.push(Node {
                    byte,
                    depth: index as u32 + 1,
                    skip: 0,
                    first_id: trie.ids.len() as u32,
                });
            }
            trie.ids.push(id);
            trie.depth = trie.depth.max(bytes.len());
            last = bytes;
        }
        trie.close(&mut open, 0);
        trie
    }

    fn close(&mut self, open: &mut Vec<usize>, depth: usize) {
        let end = self.nodes.len() as u32;
        for index in open.drain(depth..) {
            self.nodes[index].skip = end;
        }
    }

    /// How many bytes the longest token has.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// The ids of a node's token and of all longer tokens that begin so.
    pub(crate) fn ids_below(&self, node: usize) -> &[u32] {
        self.ids_between(node, self.nodes[node].skip as usize)
    }

    /// Calls with the bytes of each token and its ids.
    pub(crate) fn for_each_token(&self, mut call: impl FnMut(&[u8], &[u32])) {
        let mut bytes = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            bytes.truncate(node.depth as usize - 1);
            bytes.push(node.byte);
            let ids = self.ids_of(index);
            if !ids.is_empty() {
                call(&bytes, ids);
            }
        }
    }

    /// Visits the nodes in depth-first order; where `enter` answers false, the subtree is skipped.
    pub(crate) fn walk<E>(&self, enter: impl FnMut(Visit<'_>) -> Result<bool, E>) -> Result<(), E> {
        self.walk_range(0, self.nodes.len(), enter)
    }

    /// Visits the tokens that begin with the text and are longer, as [`walk`](Self::walk) does.
    pub(crate) fn walk_below<E>(
        &self,
        text: &[u8],
        enter: impl FnMut(Visit<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (mut first, mut end) = (0, self.nodes.len());
        for (depth, &byte) in text.iter().enumerate() {
            let Some(node) = self.sibling_with(first, depth as u32 + 1, byte) else {
                return Ok(());
            };
            (first, end) = (node + 1, self.nodes[node].skip as usize);
        }
        self.walk_range(first, end, enter)
    }

    fn walk_range<E>(
        &self,
        mut index: usize,
        end: usize,
        mut enter: impl FnMut(Visit<'_>) -> Result<bool, E>,
    ) -> Result<(), E> {
        while index < end {
            let node = self.nodes[index];
            let visit = Visit {
                byte: node.byte,
                depth: node.depth as usize,
                ids: self.ids_of(index),
                node: index,
            };
            index = if enter(visit)? { index + 1 } else { node.skip as usize };
        }
        Ok(())
    }

    /// The longest token that is a prefix of the text, with its length in bytes.
    pub(crate) fn longest_prefix(&self, text: &[u8]) -> Option<(u32, usize)> {
        let (mut index, mut found) = (0, None);
        for (depth, &byte) in text.iter().enumerate() {
            let Some(child) = self.sibling_with(index, depth as u32 + 1, byte) else {
                break;
            };
            if let Some(&id) = self.ids_of(child).first() {
                found = Some((id, depth + 1));
            }
            index = child + 1;
        }
        found
    }

    /// The node of the given depth and byte among the siblings that begin at `index`.
    fn sibling_with(&self, mut index: usize, depth: u32, byte: u8) -> Option<usize> {
        while let Some(node) = self.nodes.get(index).filter(|node| node.depth == depth) {
            if node.byte == byte {
                return Some(index);
            }
            index = node.skip as usize;
        }
        None
    }

    fn ids_of(&self, index: usize) -> &[u32] {
        self.ids_between(index, index + 1)
    }

    /// The ids of the nodes from one to before another.
    fn ids_between(&self, first: usize, end: usize) -> &[u32] {
        let end = self.nodes.get(end).map_or(self.ids.len(), |next| next.first_id as usize);
        &self.ids[self.nodes[first].first_id as usize..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(tokens: &[&str]) -> TokenTrie {
        TokenTrie::new(tokens.iter().enumerate().map(|(id, token)| (id as u32, token.as_bytes())))
    }

    fn walk_all(trie: &TokenTrie, refuse: u8) -> Vec<u32> {
        let mut seen = Vec::new();
        trie.walk(|visit| {
            if visit.byte == refuse {
                return Ok::<_, ()>(false);
            }
            seen.extend_from_slice(visit.ids);
            Ok(true)
        })
        .unwrap();
        seen
    }

    #[test]
    fn walks_every_token_once_with_duplicates_together() {
        let trie = trie(&["b", "ab", "a", "", "ab", "abc"]);
        assert_eq!(walk_all(&trie, 0), [2, 1, 4, 5, 0]);
    }

    #[test]
    fn a_refused_byte_skips_its_subtree() {
        assert_eq!(walk_all(&trie(&["a", "ab", "abc", "ad", "b"]), b'b'), [0, 3]);
    }

    #[test]
    fn finds_the_longest_prefix() {
        let trie = trie(&["a", "abc", "b"]);
        assert_eq!(trie.longest_prefix(b"abcd"), Some((1, 3)));
        assert_eq!(trie.longest_prefix(b"abd"), Some((0, 1)));
        assert_eq!(trie.longest_prefix(b"x"), None);
    }
}
