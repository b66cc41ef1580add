//! [`Machine`]: what a constraint is made of.

use std::fmt::Debug;
use std::hash::Hash;

use crate::error::Error;
use crate::free_text::Free;

/// An automaton over bytes whose states are made as they are met.
///
/// A machine is *trim*: a step is refused exactly when no accepted text goes on like that. So
/// whatever was read can always be completed.
pub(crate) trait Machine: Debug + Send {
    /// A state; equal states behave alike.
    type State: Clone + Debug + Eq + Hash + Send + Sync;
    /// See [`inside`](Self::inside).
    type Inside: Inside;

    fn start(&self) -> Self::State;

    /// The state after one more byte; `None` when no accepted text goes on with it.
    fn step(&mut self, state: &Self::State, byte: u8) -> Result<Option<Self::State>, Error>;

    /// Whether the text may end here.
    fn is_accepting(&self, state: &Self::State) -> bool;

    /// The string that the state is inside of, if it is: what can be walked without making states.
    fn inside(&mut self, state: &Self::State) -> Result<Option<Self::Inside>, Error>;

    /// Whether what comes after this byte depends on more of the text than the ends of insides tell
    /// apart.
    fn depends_on_text(&self, state: &Self::State, byte: u8) -> bool;

    /// A short text that leads to an accepting state; empty in one.
    fn completion(&mut self, state: &Self::State) -> Result<Vec<u8>, Error>;

    /// About how many bytes the states met so far take, beyond the states themselves.
    fn memory(&self) -> usize {
        0
    }

    /// Forgets what belongs to the states met so far; no state is used after that.
    fn forget_states(&mut self) {}
}

/// The rest of a string, from some state on.
///
/// A token that ends the string goes on in a state that depends on what encloses it. Most texts lead
/// to states that behave alike: those that have the same [`End`](Self::End).
pub(crate) trait Inside {
    /// How far it was read.
    type Position: Clone;
    /// What matters of the text that was read once the string has ended.
    type End: Clone + Eq + Hash;

    fn start(&self) -> Self::Position;

    /// One more byte after those of the path, which led from the start to the position.
    fn step(
        &self,
        position: &Self::Position,
        path: &[u8],
        byte: u8,
    ) -> Move<Self::Position, Self::End>;

    /// Whether texts with this end lead to states that differ where the machine says that it
    /// [depends on the text](Machine::depends_on_text).
    fn is_proxy(end: &Self::End) -> bool;

    /// At the start: which strings may follow, where all of some lengths may.
    fn free(&self) -> Option<Free<'_>>;

    /// At the start: how many characters may follow, whichever they are, if they may.
    fn free_characters(&self) -> Option<usize>;
}

/// What a byte does inside of a string.
pub(crate) enum Move<P, E> {
    Stays(P),
    /// The byte is the quote that ends the string.
    Ends(E),
    Refused,
}

/// Of a machine that has no strings.
#[derive(Debug)]
pub(crate) enum NoInside {}

impl Inside for NoInside {
    type Position = ();
    type End = ();

    fn start(&self) {}

    fn step(&self, (): &(), _path: &[u8], _byte: u8) -> Move<(), ()> {
        Move::Refused
    }

    fn is_proxy((): &()) -> bool {
        false
    }

    fn free(&self) -> Option<Free<'_>> {
        None
    }

    fn free_characters(&self) -> Option<usize> {
        None
    }
}
