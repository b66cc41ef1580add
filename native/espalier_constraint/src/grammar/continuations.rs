//! [`Continuations`]: what may come behind a symbol that is being read, up to the end of the text.
//!
//! A continuation is a set of [`Item`]s, each a place in a production with the continuation behind that
//! production. Where a production ends with a symbol, what is behind that symbol *is* what is behind the
//! production: so there are no items at the end of a production, and what ends in a row is left in one step.
//! Equal continuations have one number. In them a recursion to the left refers to itself.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::costs::{MAX_COST, sum};
use super::productions::{Place, Productions};
use crate::interner::Interner;

/// The number of a continuation.
pub(crate) type ContinuationId = u32;

/// In a group: the continuation of the group with the index that the other bits give.
pub(crate) const IN_GROUP: u32 = 1 << 31;

/// A place in a production that is being read, and what comes behind the production.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) then: ContinuationId,
}

/// What a continuation consists of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Content {
    /// In ascending order, each once.
    pub(crate) items: Box<[Item]>,
    /// Whether the text may end.
    pub(crate) is_final: bool,
}

/// What else is known of a continuation.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// What a shortest text takes, with the item that it begins with; without one where the text may end.
    cost: Option<u64>,
    shortest: Option<Item>,
    /// The front behind it, see [`Fronts`](super::fronts::Fronts).
    front: Option<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Continuations {
    contents: Interner<Arc<Content>>,
    known: Vec<Known>,
    /// The first of those that refer to one another, by what they are.
    groups: FxHashMap<Box<[Content]>, ContinuationId>,
    n_bytes: usize,
}

impl Continuations {
    /// The end of the text.
    pub(crate) fn end(&mut self, productions: &Productions) -> ContinuationId {
        self.intern(Content { items: Box::default(), is_final: true }, productions)
    }

    pub(crate) fn get(&self, id: ContinuationId) -> &Arc<Content> {
        self.contents.get(id)
    }

    /// The continuation of items none of which refers to itself.
    pub(crate) fn intern(&mut self, content: Content, productions: &Productions) -> ContinuationId {
        let n_before = self.contents.len();
        let id = self.contents.intern(content);
        if self.contents.len() > n_before {
            self.add_known(id, productions);
        }
        id
    }

    fn add_known(&mut self, id: ContinuationId, productions: &Productions) {
        let n_items = self.contents.get(id).items.len();
        self.n_bytes += size_of::<Known>() + 64 + n_items * size_of::<Item>();
        self.known.push(Known { cost: None, shortest: None, front: None });
        self.improve(id, productions);
    }

    /// Continuations that refer to one another, by their indices with [`IN_GROUP`]. Answers with the number
    /// of the first; the others follow, unless there is only one.
    pub(crate) fn intern_group(
        &mut self,
        group: Vec<Content>,
        productions: &Productions,
    ) -> ContinuationId {
        if let [content] = &group[..]
            && let Some(same) = self.same_as_referred(content)
        {
            return same;
        }
        let group: Box<[Content]> = group.into();
        if let Some(&first) = self.groups.get(&group) {
            return first;
        }
        let first = self.contents.len() as ContinuationId;
        for (expected, content) in (first..).zip(&group) {
            let content = renamed(content, |index| first + index);
            // Two of the group may consist of the same items.
            if self.contents.intern(content.clone()) != expected {
                self.contents.push(content.into());
            }
            self.add_known(expected, productions);
        }
        let ids = || first..first + group.len() as u32;
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for id in ids() {
                is_settled &= !self.improve(id, productions);
            }
        }
        let n_items = group.iter().map(|content| content.items.len()).sum::<usize>();
        self.n_bytes += 64 + n_items * size_of::<Item>();
        self.groups.insert(group, first);
        first
    }

    /// One that the only one of a group refers to and that it equals if it is taken for that one: then
    /// whatever goes on in one of them goes on in the other. A continuation refers to none with a greater number
    /// outside of its group, so it can only be the last.
    fn same_as_referred(&self, content: &Content) -> Option<ContinuationId> {
        let referred = content.items.iter().map(|item| item.then);
        let last = referred.filter(|then| then & IN_GROUP == 0).max()?;
        let other = self.get(last);
        let may_be_same = other.is_final == content.is_final
            && other.items.len() <= content.items.len()
            && other.items.iter().any(|item| item.then == last);
        (may_be_same && renamed(content, |_| last) == **other).then_some(last)
    }

    /// Looks for a shorter text; answers whether there is one.
    fn improve(&mut self, id: ContinuationId, productions: &Productions) -> bool {
        let content = self.contents.get(id);
        let cost_of = |item: &Item| {
            let then = self.known.get(item.then as usize)?.cost?;
            Some((sum(productions.cost(item.place), then), Some(*item)))
        };
        let end = content.is_final.then_some((0, None));
        let costs = content.items.iter().filter_map(cost_of);
        let Some((cost, shortest)) = costs.chain(end).min_by_key(|(cost, _)| *cost) else {
            return false;
        };
        let known = &mut self.known[id as usize];
        let is_better = known.cost.is_none_or(|before| cost < before);
        if is_better {
            (known.cost, known.shortest) = (Some(cost), shortest);
        }
        is_better
    }

    /// What a shortest text takes.
    pub(crate) fn cost(&self, id: ContinuationId) -> u64 {
        self.known[id as usize].cost.unwrap_or(MAX_COST)
    }

    /// The item with which a shortest text begins; `None` where that is empty.
    pub(crate) fn shortest(&self, id: ContinuationId) -> Option<Item> {
        self.known[id as usize].shortest
    }

    pub(crate) fn front(&self, id: ContinuationId) -> Option<u32> {
        self.known[id as usize].front
    }

    pub(crate) fn remember_front(&mut self, id: ContinuationId, front: u32) {
        self.known[id as usize].front = Some(front);
    }

    /// About their memory.
    pub(crate) fn memory(&self) -> usize {
        self.n_bytes
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The content with the numbers of those of its group.
fn renamed(content: &Content, number: impl Fn(u32) -> ContinuationId) -> Content {
    let rename = |item: &Item| match item.then & IN_GROUP {
        0 => *item,
        _ => Item { then: number(item.then & !IN_GROUP), ..*item },
    };
    Content::new(content.items.iter().map(rename).collect(), content.is_final)
}

impl Content {
    pub(crate) fn new(mut items: Vec<Item>, is_final: bool) -> Self {
        items.sort_unstable();
        items.dedup();
        Self { items: items.into(), is_final }
    }
}
