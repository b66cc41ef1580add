//! [`Interner`]: equal values get the same small number.

use std::hash::Hash;
use std::sync::Arc;

use rustc_hash::FxHashMap;

#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    values: Vec<Arc<T>>,
    ids: FxHashMap<Arc<T>, u32>,
}

impl<T: Eq + Hash> Interner<T> {
    /// The number of the value; a new one when no equal value was seen before.
    pub(crate) fn intern(&mut self, value: T) -> u32 {
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let (id, value) = (self.values.len() as u32, Arc::new(value));
        self.values.push(value.clone());
        self.ids.insert(value, id);
        id
    }

    pub(crate) fn get(&self, id: u32) -> &Arc<T> {
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
        Self { values: Vec::new(), ids: FxHashMap::default() }
    }
}
