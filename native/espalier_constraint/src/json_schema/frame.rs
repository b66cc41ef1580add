//! Objects and arrays that are open, with the alternatives that are still alive.

use std::sync::Arc;

use super::PropertyOrder;
use super::goals::{ArrayLeaf, GoalId, Goals, Leaf, LeafId, ObjectLeaf};
use super::texts::TextId;
use crate::error::Error;

/// An open object or array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    Object(ObjectFrame),
    Array { alternatives: Vec<Alternative> },
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
    pub(crate) progress: Progress,
    /// Which of the goals of the value that is being read it waits for.
    pub(crate) waits_for: u32,
}

/// How far a container is filled, for one alternative.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Progress {
    /// The number of items, or of properties in the schema's order that are behind; counted only
    /// as far as it makes a difference.
    Count(u32),
    /// Which named properties are there, one bit each.
    Seen(Box<[u64]>),
}

/// What a key means for one alternative.
pub(crate) struct Admitted {
    pub(crate) goal: GoalId,
    pub(crate) progress: Progress,
    pub(crate) is_named: bool,
}

impl Frame {
    pub(crate) fn alternatives(&self) -> &[Alternative] {
        match self {
            Self::Object(object) => &object.alternatives,
            Self::Array { alternatives } => alternatives,
        }
    }
}

impl Alternative {
    /// An alternative of a container that has just been opened.
    pub(crate) fn new(serves: u32, leaf: LeafId, goals: &Goals) -> Self {
        let progress = match &**goals.leaf(leaf) {
            Leaf::Object(object) if goals.options.property_order == PropertyOrder::Any => {
                Progress::Seen(vec![0; object.properties.len().div_ceil(64)].into())
            }
            _ => Progress::Count(0),
        };
        Self { serves, leaf, progress, waits_for: 0 }
    }

    /// Whether the container may be closed.
    pub(crate) fn is_complete(&self, goals: &Goals) -> bool {
        match (&**goals.leaf(self.leaf), &self.progress) {
            (Leaf::Array(array), Progress::Count(n_items)) => *n_items >= array.min,
            (Leaf::Object(object), progress) => progress.missing(object).next().is_none(),
            _ => false,
        }
    }
}

impl Progress {
    /// The required properties that are not there yet, in the order in which they are written.
    pub(crate) fn missing<'a>(&'a self, object: &'a ObjectLeaf) -> impl Iterator<Item = u32> + 'a {
        let indices = 0..object.properties.len() as u32;
        indices.filter(move |&index| {
            object.properties[index as usize].is_required && self.is_open(index)
        })
    }

    /// The named properties that may come next.
    pub(crate) fn next_named<'a>(
        &'a self,
        object: &'a ObjectLeaf,
    ) -> impl Iterator<Item = u32> + 'a {
        let end = match self {
            // In the schema's order a required property can't be passed over.
            Self::Count(_) => self.missing(object).next().map_or(u32::MAX, |index| index + 1),
            Self::Seen(_) => u32::MAX,
        };
        (0..(object.properties.len() as u32).min(end)).filter(|&index| self.is_open(index))
    }

    /// Whether a key without a name in the schema may come next, as far as the order goes.
    pub(crate) fn may_be_unnamed(&self, object: &ObjectLeaf) -> bool {
        matches!(self, Self::Seen(_)) || self.missing(object).next().is_none()
    }

    fn is_open(&self, index: u32) -> bool {
        match self {
            Self::Count(n_behind) => index >= *n_behind,
            Self::Seen(bits) => bits[index as usize / 64] >> (index % 64) & 1 == 0,
        }
    }

    fn after_named(&self, index: u32) -> Self {
        match self {
            Self::Count(_) => Self::Count(index + 1),
            Self::Seen(bits) => {
                let mut bits = bits.clone();
                bits[index as usize / 64] |= 1 << (index % 64);
                Self::Seen(bits)
            }
        }
    }

    fn after_unnamed(&self, object: &ObjectLeaf) -> Self {
        match self {
            Self::Count(_) => Self::Count(object.properties.len() as u32),
            Self::Seen(_) => self.clone(),
        }
    }

    /// After one more item.
    pub(crate) fn after_item(&self, array: &ArrayLeaf) -> Self {
        let Self::Count(n_items) = self else { return self.clone() };
        let most_that_matters = array.max.unwrap_or(array.min.max(array.prefix.len() as u32));
        Self::Count((n_items + 1).min(most_that_matters))
    }
}

impl Goals {
    /// The goal of the next item, if there may be one.
    pub(crate) fn next_item(&mut self, alternative: &Alternative) -> Result<Option<GoalId>, Error> {
        let leaf = self.leaf(alternative.leaf).clone();
        let (Leaf::Array(array), Progress::Count(n_items)) = (&*leaf, &alternative.progress) else {
            return Ok(None);
        };
        if array.max.is_some_and(|max| *n_items >= max) {
            return Ok(None);
        }
        let goal = array.item(*n_items);
        Ok(self.is_possible(goal)?.then_some(goal))
    }

    /// What a key means for an alternative, if it may come next. `is_new` tells whether no equal
    /// key without a name was read before.
    pub(crate) fn admit_key(
        &mut self,
        alternative: &Alternative,
        name: &str,
        is_new: bool,
    ) -> Result<Option<Admitted>, Error> {
        let leaf = self.leaf(alternative.leaf).clone();
        let (Leaf::Object(object), progress) = (&*leaf, &alternative.progress) else {
            return Ok(None);
        };
        let admitted = match object.by_name.get(name) {
            Some(&index) if progress.next_named(object).any(|next| next == index) => Admitted {
                goal: object.properties[index as usize].goal,
                progress: progress.after_named(index),
                is_named: true,
            },
            None if is_new && progress.may_be_unnamed(object) => Admitted {
                goal: object.additional,
                progress: progress.after_unnamed(object),
                is_named: false,
            },
            _ => return Ok(None),
        };
        Ok(self.is_possible(admitted.goal)?.then_some(admitted))
    }

    /// The names that may come next for an alternative, and whether other keys may, too.
    pub(crate) fn next_keys(
        &mut self,
        alternative: &Alternative,
    ) -> Result<(Vec<Arc<str>>, bool), Error> {
        let leaf = self.leaf(alternative.leaf).clone();
        let Leaf::Object(object) = &*leaf else { return Ok((Vec::new(), false)) };
        let mut names = Vec::new();
        for index in alternative.progress.next_named(object) {
            let property = &object.properties[index as usize];
            if self.is_possible(property.goal)? {
                names.push(property.name.clone());
            }
        }
        let is_free =
            alternative.progress.may_be_unnamed(object) && self.is_possible(object.additional)?;
        Ok((names, is_free))
    }
}
