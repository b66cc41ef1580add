//! Objects and arrays that are open, with the alternatives that are still alive.

use super::PropertyOrder;
use super::array::ArrayProgress;
use super::goals::{Goals, Leaf, LeafId};
use super::object::{KeyCondition, ObjectLeaf};
use super::schema::Literal;
use super::texts::TextId;

/// An open object or array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    Object(ObjectFrame),
    Array(ArrayFrame),
}

/// An open array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ArrayFrame {
    pub(crate) alternatives: Vec<Alternative>,
    /// Where some alternative has to know them: the items so far.
    pub(crate) read: Option<ReadItems>,
}

/// The items of an array that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct ReadItems {
    /// Where the last one begins in what is recorded.
    pub(crate) item_start: u32,
    /// What only those before it satisfy, ascending.
    pub(crate) values: Vec<Literal>,
}

/// An open object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectFrame {
    pub(crate) alternatives: Vec<Alternative>,
    /// The keys read so far that some alternative has no name for, ascending.
    pub(crate) unnamed: Vec<TextId>,
}

/// One way in which an open container may satisfy what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alternative {
    /// Which of the goals of the container's own place it satisfies.
    pub(crate) serves: u32,
    pub(crate) leaf: LeafId,
    /// After the value that is being read.
    pub(crate) progress: Progress,
    /// Which of the goals of the value that is being read it waits for.
    pub(crate) waits_for: u32,
}

/// How far a container is filled, for one alternative.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    Array(ArrayProgress),
    Object(ObjectProgress),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectProgress {
    pub(crate) named: Named,
    /// The number of members, counted only as far as it makes a difference.
    pub(crate) n_members: u32,
    /// The clauses that are met, one bit each.
    pub(crate) met: u64,
}

/// Which named properties are behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Named {
    /// In the schema's order: the first so many, there or passed over.
    Behind(u32),
    /// In any order: those that are there, one bit each.
    Seen(Box<[u64]>),
    /// In the schema's order, where clauses ask which of those behind are there.
    BehindSeen(u32, Box<[u64]>),
}

impl Frame {
    /// About how many bytes it takes beyond itself.
    pub(crate) fn memory(&self) -> usize {
        let more = match self {
            Self::Object(object) => object.unnamed.len() * size_of::<TextId>(),
            Self::Array(array) => {
                let values = array.read.as_ref().map_or(0, |read| read.values.len());
                values * size_of::<Literal>()
            }
        };
        self.alternatives().iter().map(Alternative::memory).sum::<usize>() + more
    }

    pub(crate) fn alternatives(&self) -> &[Alternative] {
        match self {
            Self::Object(object) => &object.alternatives,
            Self::Array(array) => &array.alternatives,
        }
    }
}

impl Alternative {
    /// About how many bytes it takes.
    fn memory(&self) -> usize {
        let of_progress = match &self.progress {
            Progress::Array(array) => array.counts.len() * size_of::<u32>(),
            Progress::Object(object) => match &object.named {
                Named::Behind(_) => 0,
                Named::Seen(bits) | Named::BehindSeen(_, bits) => bits.len() * size_of::<u64>(),
            },
        };
        size_of::<Self>() + of_progress
    }

    /// An alternative of a container that has just been opened.
    pub(crate) fn new(serves: u32, leaf: LeafId, goals: &Goals) -> Self {
        let progress = match &**goals.leaf(leaf) {
            Leaf::Object(object) => Progress::Object(object.start(goals.options.property_order)),
            Leaf::Array(array) => Progress::Array(array.start()),
            _ => unreachable!("only containers are opened"),
        };
        Self { serves, leaf, progress, waits_for: 0 }
    }

    /// Whether the container may be closed.
    pub(crate) fn is_complete(&self, goals: &Goals) -> bool {
        match (&**goals.leaf(self.leaf), &self.progress) {
            (Leaf::Array(array), Progress::Array(progress)) => array.is_complete(progress),
            (Leaf::Object(object), Progress::Object(progress)) => object.is_complete(progress),
            _ => false,
        }
    }
}

impl ObjectLeaf {
    pub(crate) fn start(&self, order: PropertyOrder) -> ObjectProgress {
        let none: Box<[u64]> = vec![0; self.properties.len().div_ceil(64)].into();
        let named = match order {
            PropertyOrder::Any => Named::Seen(none),
            PropertyOrder::Schema if self.clauses.is_empty() => Named::Behind(0),
            PropertyOrder::Schema => Named::BehindSeen(0, none),
        };
        ObjectProgress { named, n_members: 0, met: 0 }
    }

    /// Whether the object may end.
    pub(crate) fn is_complete(&self, progress: &ObjectProgress) -> bool {
        self.missing(progress).next().is_none()
            && progress.n_members >= self.min
            && self.open_clauses(progress).all(|(_, clause)| {
                clause.iter().any(|condition| match condition {
                    KeyCondition::Lacks(index) => !progress.has(*index),
                    KeyCondition::AtMost(n) => progress.n_members <= *n,
                    KeyCondition::AtLeast(n) => progress.n_members >= *n,
                    _ => false,
                })
            })
    }

    /// The clauses that no member has met yet.
    pub(crate) fn open_clauses<'a>(
        &'a self,
        progress: &ObjectProgress,
    ) -> impl Iterator<Item = (usize, &'a [KeyCondition])> {
        let met = progress.met;
        let clauses =
            self.clauses.iter().enumerate().filter(move |(index, _)| met >> index & 1 == 0);
        clauses.map(|(index, clause)| (index, &clause[..]))
    }

    /// The required properties that are not there yet, in the order in which they are written.
    pub(crate) fn missing<'a>(
        &'a self,
        progress: &'a ObjectProgress,
    ) -> impl Iterator<Item = u32> + 'a {
        let indices = 0..self.properties.len() as u32;
        indices.filter(|&index| {
            self.properties[index as usize].is_required && progress.may_come(index)
        })
    }

    /// Of named properties whether they may come next.
    pub(crate) fn is_next<'a>(&'a self, progress: &'a ObjectProgress) -> impl Fn(u32) -> bool + 'a {
        let end = match progress.named {
            Named::Seen(_) => u32::MAX,
            // In the schema's order a required property can't be passed over.
            _ => self.missing(progress).next().map_or(u32::MAX, |index| index + 1),
        };
        move |index| index < end && progress.may_come(index)
    }

    /// Whether a key without a name in the schema may come next, as far as the order goes.
    pub(crate) fn may_be_other(&self, progress: &ObjectProgress) -> bool {
        matches!(progress.named, Named::Seen(_)) || self.missing(progress).next().is_none()
    }

    /// After one more member: a named property, or another.
    pub(super) fn after_member(
        &self,
        progress: &ObjectProgress,
        index: Option<u32>,
        met: u64,
    ) -> ObjectProgress {
        let behind = index.map_or(self.properties.len() as u32, |index| index + 1);
        let named = match &progress.named {
            Named::Behind(_) => Named::Behind(behind),
            Named::Seen(bits) => Named::Seen(with_bit(bits, index)),
            Named::BehindSeen(_, bits) => Named::BehindSeen(behind, with_bit(bits, index)),
        };
        let n_members = (progress.n_members + 1).min(self.counted_to);
        ObjectProgress { named, n_members, met: progress.met | met }
    }
}

fn with_bit(bits: &[u64], index: Option<u32>) -> Box<[u64]> {
    let mut bits: Box<[u64]> = bits.into();
    if let Some(index) = index {
        bits[index as usize / 64] |= 1 << (index % 64);
    }
    bits
}

impl ObjectProgress {
    /// Whether the named property has not come, and its turn is not over.
    pub(crate) fn may_come(&self, index: u32) -> bool {
        match &self.named {
            Named::Behind(n) | Named::BehindSeen(n, _) => index >= *n,
            Named::Seen(_) => !self.has(index),
        }
    }

    /// Whether the named property is there, where clauses ask for it.
    pub(crate) fn has(&self, index: u32) -> bool {
        match &self.named {
            Named::Behind(_) => false,
            Named::Seen(bits) | Named::BehindSeen(_, bits) => {
                bits[index as usize / 64] >> (index % 64) & 1 == 1
            }
        }
    }
}
