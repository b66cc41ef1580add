//! [`Generations`]: a map that forgets what has not been used for long.

use std::borrow::Borrow;
use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Keys with values, and about the memory of each, within a bound.
///
/// There are two generations. What is used moves to the younger one; when that has half of the bytes it
/// becomes the older one, and what was in that is forgotten.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: FxHashMap<K, (V, usize)>,
    old: FxHashMap<K, (V, usize)>,
    n_young_bytes: usize,
    max_bytes: usize,
}

impl<K: Eq + Hash, V: Clone> Generations<K, V> {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), n_young_bytes: 0, max_bytes }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some((value, _)) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, n_bytes)) = self.old.remove_entry(key)?;
        self.insert(key, value.clone(), n_bytes);
        Some(value)
    }

    /// Adds a value of about so many bytes, or tells that it has so many now.
    pub(crate) fn insert(&mut self, key: K, value: V, n_bytes: usize) {
        if let Some((_, before)) = self.young.insert(key, (value, n_bytes)) {
            self.n_young_bytes -= before;
        }
        self.n_young_bytes += n_bytes;
        if self.n_young_bytes > self.max_bytes / 2 {
            self.old = std::mem::take(&mut self.young);
            self.n_young_bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut map = Generations::new(100);
        for key in 0..100 {
            map.insert(key, key * 2, 10);
            assert_eq!(map.get(&0), Some(0));
        }
        assert_eq!(map.get(&99), Some(198));
        assert_eq!(map.get(&50), None);
        assert!(map.young.len() + map.old.len() <= 12);
    }

    #[test]
    fn what_grows_counts() {
        let mut map = Generations::new(100);
        map.insert("small", (), 1);
        for _ in 0..10 {
            map.insert("growing", (), 40);
        }
        assert_eq!((map.old.len(), map.get("small")), (0, Some(())));
        map.insert("growing", (), 60);
        map.insert("other", (), 60);
        assert_eq!((map.get("small"), map.get("growing")), (None, None));
        assert_eq!(map.get("other"), Some(()));
    }
}
