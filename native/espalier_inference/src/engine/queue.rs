//! [`Queue`]: the requests that wait, in the order in which they will run.
//!
//! Higher priorities go first. Within one, callers take turns, as in start-time fair queueing (Goyal, Vin
//! and Cheng, 1996) with requests of equal cost: one that asks for much at once doesn't hold up others,
//! nor do many that ask once hold up the second request of another.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::sequence::Sequence;

/// How far the clock of a level moves when each of its callers has had a turn.
const TURN: u64 = 1 << 24;

/// Requests that wait for a place in the batch.
#[derive(Default)]
pub(crate) struct Queue {
    levels: BTreeMap<Reverse<i32>, Level>,
    n_sequences: usize,
    /// How many have come so far.
    n_arrived: u64,
}

/// Those of one priority.
#[derive(Default)]
struct Level {
    /// By their turn, then in the order in which they came.
    sequences: BTreeMap<(u64, u64), Box<Sequence>>,
    /// The turn that it is.
    clock: u64,
    callers: FxHashMap<u64, Caller>,
    /// How many of them wait.
    n_waiting_callers: usize,
    /// How many are remembered until those that are owed nothing are looked for.
    max_callers: usize,
}

#[derive(Default)]
struct Caller {
    n_waiting: usize,
    /// The turn of its next request, if it isn't over by then.
    next_turn: u64,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.n_sequences
    }

    /// Takes a new request. One caller's have a turn each, the first the one that it is now.
    pub(crate) fn add(&mut self, mut sequence: Box<Sequence>) {
        self.n_arrived += 1;
        sequence.set_arrival(self.n_arrived);
        self.n_sequences += 1;
        self.levels.entry(Reverse(sequence.priority())).or_default().add(sequence);
    }

    /// Takes back a request that has run already: it goes on before those that have not.
    pub(crate) fn put_back(&mut self, sequence: Box<Sequence>) {
        self.n_sequences += 1;
        self.levels.entry(Reverse(sequence.priority())).or_default().insert(0, sequence);
    }

    /// The request that is to run next.
    pub(crate) fn first(&self) -> Option<&Sequence> {
        self.levels.values().next()?.sequences.values().next().map(|sequence| &**sequence)
    }

    /// Takes that request out.
    pub(crate) fn pop(&mut self) -> Option<Box<Sequence>> {
        let mut level = self.levels.first_entry()?;
        let sequence = level.get_mut().pop();
        if level.get().sequences.is_empty() {
            // Where nobody waits nobody is owed a turn.
            level.remove();
        }
        self.n_sequences -= usize::from(sequence.is_some());
        sequence
    }

    /// Ends the requests that were cancelled.
    pub(crate) fn drop_cancelled(&mut self) {
        self.levels.values_mut().for_each(Level::drop_cancelled);
        self.levels.retain(|_, level| !level.sequences.is_empty());
        self.n_sequences = self.levels.values().map(|level| level.sequences.len()).sum();
    }

    pub(crate) fn clear(&mut self) {
        self.levels.clear();
        self.n_sequences = 0;
    }
}

impl Level {
    fn add(&mut self, sequence: Box<Sequence>) {
        self.forget_callers();
        let caller = self.callers.entry(sequence.caller()).or_default();
        let turn = caller.next_turn.max(self.clock);
        caller.next_turn = turn + TURN;
        self.insert(turn, sequence);
    }

    fn insert(&mut self, turn: u64, sequence: Box<Sequence>) {
        let caller = self.callers.entry(sequence.caller()).or_default();
        self.n_waiting_callers += usize::from(caller.n_waiting == 0);
        caller.n_waiting += 1;
        self.sequences.insert((turn, sequence.arrival()), sequence);
    }

    /// The clock moves on by a turn while each caller that waits has one.
    fn pop(&mut self) -> Option<Box<Sequence>> {
        let ((turn, _), sequence) = self.sequences.pop_first()?;
        self.clock = self.clock.max(turn) + TURN / self.n_waiting_callers.max(1) as u64;
        self.leave(sequence.caller());
        Some(sequence)
    }

    fn drop_cancelled(&mut self) {
        let mut callers = Vec::new();
        self.sequences.retain(|_, sequence| {
            sequence.check_cancelled();
            let is_finished = sequence.is_finished();
            callers.extend(is_finished.then(|| sequence.caller()));
            !is_finished
        });
        for caller in callers {
            self.leave(caller);
        }
    }

    fn leave(&mut self, caller: u64) {
        let Some(caller) = self.callers.get_mut(&caller) else { return };
        caller.n_waiting -= 1;
        self.n_waiting_callers -= usize::from(caller.n_waiting == 0);
    }

    /// Forgets the callers that are owed nothing, each time that there are twice as many.
    fn forget_callers(&mut self) {
        if self.callers.len() < self.max_callers.max(64) {
            return;
        }
        self.callers.retain(|_, caller| caller.n_waiting > 0 || caller.next_turn > self.clock);
        self.max_callers = 2 * self.callers.len();
    }
}
