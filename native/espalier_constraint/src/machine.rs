//! [`Machine`]: what a constraint is made of.

use std::fmt::Debug;
use std::hash::Hash;

use crate::error::Error;

/// An automaton over bytes whose states are made as they are met.
///
/// A machine is *trim*: a step is refused exactly when no accepted text goes on like that. So
/// whatever was read can always be completed.
pub(crate) trait Machine: Debug + Send {
    /// A state; equal states behave alike.
    type State: Clone + Debug + Eq + Hash + Send + Sync;

    fn start(&self) -> Self::State;

    /// The state after one more byte; `None` when no accepted text goes on with it.
    fn step(&mut self, state: &Self::State, byte: u8) -> Result<Option<Self::State>, Error>;

    /// Whether the text may end here.
    fn is_accepting(&self, state: &Self::State) -> bool;

    /// How many plain characters of a JSON string may follow, whichever they are; `None` when it
    /// matters which, or when something longer than that may follow.
    fn free_characters(&self, state: &Self::State) -> Option<usize>;

    /// A short text that leads to an accepting state; empty in one.
    fn completion(&mut self, state: &Self::State) -> Result<Vec<u8>, Error>;

    /// About how many bytes the states met so far take, beyond the states themselves.
    fn memory(&self) -> usize {
        0
    }

    /// Forgets what belongs to the states met so far; no state is used after that.
    fn forget_states(&mut self) {}
}
