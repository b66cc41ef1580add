//! [`Interner`]: equal values get the same small number.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    values: Vec<T>,
    /// The number of each value, with its hash: growing hashes nothing again.
    ids: HashTable<(u64, u32)>,
}

impl<T> Interner<T> {
    /// The number of the value; a new one when no equal value was seen before.
    pub(crate) fn intern<V: Eq + Hash>(&mut self, value: V) -> u32
    where
        T: Borrow<V> + From<V>,
    {
        let hash = FxBuildHasher.hash_one(&value);
        let is_same = |&(other, id): &(u64, u32)| {
            other == hash && *self.values[id as usize].borrow() == value
        };
        if let Some(&(_, id)) = self.ids.find(hash, is_same) {
            return id;
        }
        let id = self.values.len() as u32;
        self.ids.insert_unique(hash, (hash, id), |&(hash, _)| hash);
        self.values.push(value.into());
        id
    }

    /// Gives a value a new number, even if an equal one has a number, which stays the one that is found.
    pub(crate) fn push(&mut self, value: T) -> u32 {
        self.values.push(value);
        (self.values.len() - 1) as u32
    }

    pub(crate) fn get(&self, id: u32) -> &T {
        &self.values[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
        self.ids.clear();
    }
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: HashTable::new() }
    }
}
