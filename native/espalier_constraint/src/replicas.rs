//! [`Replicas`]: the tables of one constraint.
//!
//! All sequences share one table as long as they don't meet in it. Where a sequence finds its table
//! locked by another thread it moves to another table, which is made if there is none yet, and stays
//! there. So threads neither wait for one another nor write to the same memory, and a constraint that
//! one thread uses has one table.

use std::fmt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};

use crate::automaton::Automaton;

/// Where more threads than that and one meet, they share tables.
const MAX_OTHERS: usize = 15;

pub(crate) struct Replicas {
    first: Slot,
    others: [OnceLock<Option<Slot>>; MAX_OTHERS],
    make: Box<Make>,
}

/// Makes one more table; `None` where that fails.
type Make = dyn Fn() -> Option<Box<dyn Automaton>> + Send + Sync;

/// A table, on cache lines of its own.
#[repr(align(128))]
struct Slot(Mutex<Box<dyn Automaton>>);

/// A table that is locked.
pub(crate) type Guard<'a> = MutexGuard<'a, Box<dyn Automaton>>;

impl Replicas {
    /// With a first table, and how to make others.
    pub(crate) fn new(
        first: Box<dyn Automaton>,
        make: impl Fn() -> Option<Box<dyn Automaton>> + Send + Sync + 'static,
    ) -> Self {
        let (first, others) = (Slot(Mutex::new(first)), Default::default());
        Self { first, others, make: Box::new(make) }
    }

    /// The table of that number; `None` while another thread has it.
    pub(crate) fn try_lock(&self, index: usize) -> Option<Guard<'_>> {
        match self.slot(index)?.0.try_lock() {
            Ok(guard) => Some(guard),
            // A panic in another thread can only have left something out of the table: what is in it
            // was complete when it was put there.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The table of that number, when no other thread has it any more.
    pub(crate) fn lock(&self, index: usize) -> Guard<'_> {
        let slot = self.slot(index).unwrap_or(&self.first);
        slot.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some table that no other thread has, with its number.
    pub(crate) fn lock_any(&self) -> Option<(usize, Guard<'_>)> {
        (0..=MAX_OTHERS).find_map(|index| Some((index, self.try_lock(index)?)))
    }

    /// How many tables there are.
    pub(crate) fn count(&self) -> usize {
        1 + self.others.iter().take_while(|slot| slot.get().is_some()).count()
    }

    fn slot(&self, index: usize) -> Option<&Slot> {
        let Some(other) = index.checked_sub(1) else { return Some(&self.first) };
        let make = || (self.make)().map(|automaton| Slot(Mutex::new(automaton)));
        self.others[other].get_or_init(make).as_ref()
    }
}

impl fmt::Debug for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replicas").field("count", &self.count()).finish_non_exhaustive()
    }
}
