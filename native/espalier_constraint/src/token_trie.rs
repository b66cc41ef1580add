//! [`TokenTrie`]: tokens as a trie over their bytes, laid out flat.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use smallvec::SmallVec;

/// A trie in which the children of a node stand side by side, so that those whose bytes are refused
/// cost no more than a look at these bytes. The children of the first of them come next, then those
/// of its own first child: what is walked together lies together.
#[derive(Debug)]
pub(crate) struct TokenTrie {
    /// The byte of each node; the root, without one, is node 0.
    bytes: Vec<u8>,
    nodes: Vec<Node>,
    /// Token ids in the order of their bytes.
    ids: Vec<u32>,
    depth: usize,
    /// What no other trie has.
    serial: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    first_child: u32,
    n_children: u32,
    /// The first of its ids, the end of its own, and the end of those of longer tokens.
    first_id: u32,
    own_end: u32,
    end: u32,
}

/// One visited node.
pub(crate) struct Visit<'a> {
    pub(crate) byte: u8,
    /// The number of bytes from the root, this node's included.
    pub(crate) depth: usize,
    trie: &'a TokenTrie,
    /// Its number.
    pub(crate) node: usize,
}

impl<'a> Visit<'a> {
    /// The ids whose bytes end here; several when the vocabulary spells the same bytes twice.
    pub(crate) fn ids(&self) -> &'a [u32] {
        self.trie.own_ids(self.node)
    }

    /// How many bytes go on from here.
    pub(crate) fn n_children(&self) -> usize {
        self.trie.nodes[self.node].n_children as usize
    }

    /// Calls with what follows this node in each token that begins so, and its ids; those that end here
    /// included.
    pub(crate) fn for_each_below(&self, mut call: impl FnMut(&[u8], &[u32])) {
        if !self.ids().is_empty() {
            call(&[], self.ids());
        }
        self.trie.for_each_token_below(self.node, call);
    }

    /// Those, and all of longer tokens that begin so.
    pub(crate) fn ids_below(&self) -> &'a [u32] {
        self.trie.ids_below(self.node)
    }
}

/// A node, as it is reached from outside.
#[derive(Clone, Copy)]
pub(crate) struct TrieNode<'a> {
    trie: &'a TokenTrie,
    node: usize,
}

impl<'a> TrieNode<'a> {
    /// The ids of the token that ends here.
    pub(crate) fn ids(self) -> &'a [u32] {
        self.trie.own_ids(self.node)
    }

    pub(crate) fn has_child(self, byte: u8) -> bool {
        self.trie.child(self.node, byte).is_some()
    }

    fn child(self, byte: u8) -> Option<Self> {
        Some(Self { node: self.trie.child(self.node, byte)?, ..self })
    }

    /// Visits what is below, as [`TokenTrie::walk_some`] does.
    pub(crate) fn walk_below<E>(
        self,
        first: &Children,
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        self.trie.walk_from((self.node, 0), first, |_| false, enter)
    }
}

/// Which children of a node are visited.
pub(crate) enum Children {
    All,
    None,
    /// Those with these bytes, or more of them: no others matter.
    Only(Bytes),
}

/// A few bytes.
pub(crate) type Bytes = SmallVec<[u8; 24]>;

/// Where more bytes than that may follow, it is no longer quicker to look up each.
pub(crate) const MAX_NEXT_BYTES: usize = 20;

/// Nodes that are visited next, each with what is below it: a range of the trie's nodes, or of some that
/// were picked.
struct Siblings {
    next: u32,
    end: u32,
    are_picked: bool,
}

impl Default for TokenTrie {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

impl TokenTrie {
    pub(crate) const ROOT: usize = 0;

    /// Builds the trie of the tokens, which may come in any order; empty ones are left out.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = (u32, &'a [u8])>) -> Self {
        let mut sorted: Vec<(&[u8], u32)> =
            tokens.filter(|(_, bytes)| !bytes.is_empty()).map(|(id, bytes)| (bytes, id)).collect();
        sorted.sort_unstable();
        Self::of_sorted(&sorted)
    }

    /// Builds the trie of tokens with their ids, ascending and none of them empty.
    pub(crate) fn of_sorted(sorted: &[(&[u8], u32)]) -> Self {
        static N_TRIES: AtomicU64 = AtomicU64::new(0);
        let mut trie = Self {
            serial: N_TRIES.fetch_add(1, Relaxed),
            bytes: Vec::new(),
            nodes: Vec::new(),
            ids: sorted.iter().map(|(_, id)| *id).collect(),
            depth: sorted.iter().map(|(bytes, _)| bytes.len()).max().unwrap_or(0),
        };
        trie.add(0, [0, 0, sorted.len()]);
        let mut open = vec![(Self::ROOT, 0)];
        while let Some((node, depth)) = open.pop() {
            trie.add_children(node, depth, sorted);
            open.extend(trie.children(node).rev().map(|child| (child, depth + 1)));
        }
        trie
    }

    fn add(&mut self, byte: u8, ids: [usize; 3]) {
        let [first_id, own_end, end] = ids.map(|index| index as u32);
        self.bytes.push(byte);
        self.nodes.push(Node { first_child: 0, n_children: 0, first_id, own_end, end });
    }

    fn add_children(&mut self, node: usize, depth: usize, sorted: &[(&[u8], u32)]) {
        let first_child = self.nodes.len();
        let Node { own_end, end, .. } = self.nodes[node];
        let mut first = own_end as usize;
        while first < end as usize {
            let byte = sorted[first].0[depth];
            let below = &sorted[first..end as usize];
            let n = below.partition_point(|(bytes, _)| bytes[depth] == byte);
            let n_own = below[..n].partition_point(|(bytes, _)| bytes.len() == depth + 1);
            self.add(byte, [first, first + n_own, first + n]);
            first += n;
        }
        self.nodes[node].n_children = (self.nodes.len() - first_child) as u32;
        self.nodes[node].first_child = first_child as u32;
    }

    /// For each node what is gathered from its ids and those of longer tokens, by the places that these
    /// have in the order of their bytes.
    pub(crate) fn fold_below<T: Copy>(&self, none: T, add: impl Fn(T, usize) -> T) -> Vec<T> {
        let fold = |node: &Node| (node.first_id as usize..node.end as usize).fold(none, &add);
        self.nodes.iter().map(fold).collect()
    }

    /// The ids in the order of their bytes.
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The byte of each node.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes with which tokens begin.
    pub(crate) fn first_bytes(&self) -> impl Iterator<Item = u8> {
        self.children(Self::ROOT).map(|child| self.bytes[child])
    }

    /// Whether another trie has the same tokens with the same ids.
    pub(crate) fn has_same_tokens(&self, other: &Self) -> bool {
        self.ids == other.ids && self.bytes == other.bytes && self.nodes == other.nodes
    }

    /// The ids of the token that ends at a node.
    pub(crate) fn own_ids(&self, node: usize) -> &[u32] {
        let Node { first_id, own_end, .. } = self.nodes[node];
        &self.ids[first_id as usize..own_end as usize]
    }

    /// Those, and all of longer tokens that begin so.
    pub(crate) fn ids_below(&self, node: usize) -> &[u32] {
        let Node { first_id, end, .. } = self.nodes[node];
        &self.ids[first_id as usize..end as usize]
    }

    /// The ids of all tokens but those below some nodes.
    pub(crate) fn ids_beside(&self, nodes: &[u32]) -> impl Iterator<Item = &[u32]> {
        let range = |&node: &u32| {
            let Node { first_id, end, .. } = self.nodes[node as usize];
            (first_id as usize, end as usize)
        };
        let mut ranges: Vec<(usize, usize)> = nodes.iter().map(range).collect();
        ranges.sort_unstable();
        ranges.push((self.ids.len(), self.ids.len()));
        let mut end = 0;
        ranges.into_iter().map(move |(first, next_end)| {
            let beside = &self.ids[end.min(first)..first];
            end = next_end.max(end);
            beside
        })
    }

    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// About the memory that it takes.
    pub(crate) fn size_in_bytes(&self) -> usize {
        self.nodes.len() * (size_of::<Node>() + 1) + size_of_val(&self.ids[..])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// A number that no other trie has.
    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// How many bytes the longest token has.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Visits the nodes, each before its children. What `enter` answers tells which of these come next.
    pub(crate) fn walk<E>(
        &self,
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        self.walk_some(&Children::All, enter)
    }

    /// As [`walk`](Self::walk), with only some of the first bytes.
    pub(crate) fn walk_some<E>(
        &self,
        first: &Children,
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        self.walk_unless(first, |_| false, enter)
    }

    /// As [`walk_some`](Self::walk_some), without the nodes that are left out and all that is below them.
    pub(crate) fn walk_unless<E>(
        &self,
        first: &Children,
        is_left_out: impl Fn(usize) -> bool,
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        self.walk_from((Self::ROOT, 0), first, is_left_out, enter)
    }

    /// Visits the tokens that begin with the text and are longer, as [`walk`](Self::walk) does.
    pub(crate) fn walk_below<E>(
        &self,
        text: &[u8],
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        let mut bytes = text.iter();
        match bytes.try_fold(Self::ROOT, |node, &byte| self.child(node, byte)) {
            Some(node) => self.walk_from((node, text.len()), &Children::All, |_| false, enter),
            None => Ok(()),
        }
    }

    /// Visits a node, as if it had the depth, and what is below it.
    pub(crate) fn walk_at<E>(
        &self,
        at: (usize, usize),
        enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        self.walk_at_unless(at, |_| false, enter)
    }

    /// As [`walk_at`](Self::walk_at), without the nodes below it that are left out and all that is below them.
    pub(crate) fn walk_at_unless<E>(
        &self,
        (node, depth): (usize, usize),
        is_left_out: impl Fn(usize) -> bool,
        mut enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        let children = enter(Visit { byte: self.bytes[node], depth, trie: self, node })?;
        self.walk_from((node, depth), &children, is_left_out, enter)
    }

    pub(crate) fn root(&self) -> TrieNode<'_> {
        TrieNode { trie: self, node: Self::ROOT }
    }

    /// Calls with each node to which the beginning of a text leads, and that beginning; of texts in
    /// ascending order with each once. `ends` tells before which bytes it ends.
    pub(crate) fn for_each_beginning<'s, 't, E>(
        &'s self,
        texts: &[&'t [u8]],
        ends: impl Fn(u8) -> bool,
        mut call: impl FnMut(&'t [u8], TrieNode<'s>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut path, mut before): (Vec<TrieNode<'s>>, &[u8]) = (Vec::new(), &[]);
        for text in texts {
            if path.is_empty() {
                path.push(self.root());
                call(&[], self.root())?;
            }
            let n_common =
                before.iter().zip(*text).take_while(|(byte, other)| byte == other).count();
            path.truncate(n_common + 1);
            // Otherwise it ended earlier, as it would again.
            if path.len() == n_common + 1 {
                for (index, &byte) in text.iter().enumerate().skip(n_common) {
                    let last = path.last().copied().filter(|_| !ends(byte));
                    let Some(next) = last.and_then(|last| last.child(byte)) else { break };
                    path.push(next);
                    call(&text[..=index], next)?;
                }
            }
            before = text;
        }
        Ok(())
    }

    /// Visits the nodes below one of the given depth.
    fn walk_from<E>(
        &self,
        (node, depth): (usize, usize),
        first: &Children,
        is_left_out: impl Fn(usize) -> bool,
        mut enter: impl FnMut(Visit<'_>) -> Result<Children, E>,
    ) -> Result<(), E> {
        let mut open: SmallVec<[Siblings; 16]> = SmallVec::new();
        let mut picked: Vec<u32> = Vec::new();
        self.open(node, first, &mut open, &mut picked);
        while let Some(siblings) = open.last_mut() {
            let node = |index: u32| {
                let index = index as usize;
                if siblings.are_picked { picked[index] as usize } else { index }
            };
            let mut rest = siblings.next..siblings.end;
            let next = rest.find(|&index| !is_left_out(node(index))).map(node);
            siblings.next = rest.start;
            let Some(node) = next else {
                open.pop();
                continue;
            };
            let (byte, depth) = (self.bytes[node], depth + open.len());
            let children = enter(Visit { byte, depth, trie: self, node })?;
            self.open(node, &children, &mut open, &mut picked);
        }
        Ok(())
    }

    /// Adds those of a node's children that come next, if there are any.
    fn open(
        &self,
        node: usize,
        children: &Children,
        open: &mut SmallVec<[Siblings; 16]>,
        picked: &mut Vec<u32>,
    ) {
        let all = self.children(node);
        let siblings = match children {
            Children::None => return,
            Children::Only(bytes) if bytes.len() < all.len() => {
                // What was picked below those that are behind is not needed any more.
                let used = open.iter().rev().find(|siblings| siblings.are_picked);
                picked.truncate(used.map_or(0, |siblings| siblings.end as usize));
                let next = picked.len() as u32;
                picked
                    .extend(bytes.iter().filter_map(|&byte| Some(self.child(node, byte)? as u32)));
                Siblings { next, end: picked.len() as u32, are_picked: true }
            }
            Children::Only(_) | Children::All => {
                Siblings { next: all.start as u32, end: all.end as u32, are_picked: false }
            }
        };
        if siblings.next < siblings.end {
            open.push(siblings);
        }
    }

    /// Calls with the bytes of each token and its ids, in ascending order.
    pub(crate) fn for_each_token(&self, call: impl FnMut(&[u8], &[u32])) {
        self.for_each_token_below(Self::ROOT, call);
    }

    /// As [`for_each_token`](Self::for_each_token), without those of the nodes that are left out, and
    /// without all that is below these.
    pub(crate) fn for_each_token_unless(
        &self,
        is_left_out: impl Fn(usize) -> bool,
        mut call: impl FnMut(&[u8], &[u32]),
    ) {
        self.for_each_path_below(Self::ROOT, is_left_out, |_, bytes, ids| call(bytes, ids));
    }

    /// Calls with the nodes that lead to each token, one for each of its bytes, and the bytes.
    pub(crate) fn for_each_path(&self, mut call: impl FnMut(&[usize], &[u8])) {
        self.for_each_path_below(Self::ROOT, |_| false, |path, bytes, _| call(path, bytes));
    }

    fn for_each_token_below(&self, node: usize, mut call: impl FnMut(&[u8], &[u32])) {
        self.for_each_path_below(node, |_| false, |_, bytes, ids| call(bytes, ids));
    }

    fn for_each_path_below(
        &self,
        node: usize,
        is_left_out: impl Fn(usize) -> bool,
        mut call: impl FnMut(&[usize], &[u8], &[u32]),
    ) {
        let (mut path, mut bytes) = (Vec::new(), Vec::new());
        let walked = self.walk_from((node, 0), &Children::All, is_left_out, |visit| {
            path.truncate(visit.depth - 1);
            bytes.truncate(visit.depth - 1);
            path.push(visit.node);
            bytes.push(visit.byte);
            if !visit.ids().is_empty() {
                call(&path, &bytes, visit.ids());
            }
            Ok::<_, Infallible>(Children::All)
        });
        let Ok(()) = walked;
    }

    /// The longest token that is a prefix of the text, with its length in bytes.
    pub(crate) fn longest_prefix(&self, text: &[u8]) -> Option<(u32, usize)> {
        let (mut node, mut found) = (Self::ROOT, None);
        for (depth, &byte) in text.iter().enumerate() {
            let Some(child) = self.child(node, byte) else { break };
            let Node { first_id, own_end, .. } = self.nodes[child];
            if first_id < own_end {
                found = Some((self.ids[first_id as usize], depth + 1));
            }
            node = child;
        }
        found
    }

    /// The nodes behind a node, which come after it.
    pub(crate) fn children(&self, node: usize) -> std::ops::Range<usize> {
        let Node { first_child, n_children, .. } = self.nodes[node];
        first_child as usize..(first_child + n_children) as usize
    }

    fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let children = self.children(node);
        let index = self.bytes[children.clone()].binary_search(&byte).ok()?;
        Some(children.start + index)
    }
}

/// Tokens in ascending order that become a trie.
#[derive(Default)]
pub(crate) struct TrieBuilder {
    bytes: Vec<u8>,
    /// Each with the end of its bytes, which begin where those of the one before end.
    ends: Vec<(usize, u32)>,
}

impl TrieBuilder {
    /// Adds the ids of a token that comes after all others so far.
    pub(crate) fn add(&mut self, bytes: &[u8], ids: &[u32]) {
        for &id in ids {
            self.bytes.extend_from_slice(bytes);
            self.ends.push((self.bytes.len(), id));
        }
    }

    pub(crate) fn finish(self) -> TokenTrie {
        let mut start = 0;
        let token = |&(end, id): &(usize, u32)| {
            let bytes = &self.bytes[std::mem::replace(&mut start, end)..end];
            (bytes, id)
        };
        let sorted: Vec<_> = self.ends.iter().map(token).collect();
        TokenTrie::of_sorted(&sorted)
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
                return Ok::<_, ()>(Children::None);
            }
            seen.extend_from_slice(visit.ids());
            Ok(Children::All)
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
