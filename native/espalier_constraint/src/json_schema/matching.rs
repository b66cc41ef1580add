//! [`is_enough_for_each`]: sets and a value for each.

use rustc_hash::{FxHashMap, FxHashSet};

/// Whether each of the sets can have a value of its own.
///
/// Kuhn's algorithm: a set takes a free value, or one whose set can take another.
pub(super) fn is_enough_for_each(sets: &[FxHashSet<Vec<u8>>]) -> bool {
    fn take<'a>(
        sets: &'a [FxHashSet<Vec<u8>>],
        index: usize,
        tried: &mut FxHashSet<&'a [u8]>,
        owners: &mut FxHashMap<&'a [u8], usize>,
    ) -> bool {
        sets[index].iter().any(|value| {
            if !tried.insert(value) {
                return false;
            }
            let owner = owners.get(&value[..]).copied();
            let is_free = owner.is_none_or(|owner| take(sets, owner, tried, owners));
            if is_free {
                owners.insert(value, index);
            }
            is_free
        })
    }
    let mut owners = FxHashMap::default();
    (0..sets.len()).all(|index| take(sets, index, &mut FxHashSet::default(), &mut owners))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_moves_to_another_set_where_that_helps() {
        let sets = |sets: &[&str]| -> Vec<FxHashSet<Vec<u8>>> {
            sets.iter().map(|set| set.bytes().map(|byte| vec![byte]).collect()).collect()
        };
        for enough in [&[][..], &["a"], &["ab", "a"], &["ab", "bc", "a"], &["abc", "abc", "abc"]] {
            assert!(is_enough_for_each(&sets(enough)), "{enough:?}");
        }
        for too_few in [&[""][..], &["a", "a"], &["ab", "ab", "ba"], &["abc", "ab", "a", "b"]] {
            assert!(!is_enough_for_each(&sets(too_few)), "{too_few:?}");
        }
    }
}
