//! The deterministic automaton of a pattern, its lookarounds included.
//!
//! Subset construction, with two additions. A *thread* is a node of the [`Nfa`] and *pledges*: what
//! was asserted on the way about the text that was then still to come. A pledge is about the end of
//! the text, or the body of a lookahead, which is a set of threads of its own; both
//! of these are deterministic, so a negated one is followed like any other and only its verdict is
//! turned around. Lookbehinds run alongside from the start of the text, each as a set of threads
//! that has arrived wherever its body ends. A lookahead in a lookbehind leaves pledges on the
//! threads that arrive, and these are passed on to whoever asks.
//!
//! The pattern itself is a lookahead at the start of the text, after any text. So what is left of it
//! is either decided, and the rest of the text free, or a set of threads.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::alphabet::Spelled;
use super::ecma::Direction;
use super::nfa::{ARRIVED, Assertion, MATCHED, Nfa, Node};
use crate::dfa::{DEAD, Dfa, live};
use crate::error::Error;
use crate::interner::Interner;
use crate::limits::limit;
use crate::meter::{Meter, Quota};

/// What it takes to follow a thread, compared to looking at it.
const MOVE: usize = 10;
/// So much of that counts as one step of work.
const WORK_PER_STEP: usize = 4;

/// No text goes on from here.
const FALSE: u32 = 0;
/// Every text goes on from here.
const TRUE: u32 = 1;

pub(super) fn determinise(nfa: &Nfa, meter: &Meter) -> Result<Dfa, Error> {
    let mut determiniser = Determiniser::new(nfa, meter);
    let start = determiniser.start()?;
    let n_letters = nfa.alphabet.n_letters();
    let mut states: Interner<Arc<State>> = Interner::default();
    states.intern(start);
    let mut next = Vec::new();
    let mut accepting = Vec::new();
    while accepting.len() < states.len() {
        let state = states.get(accepting.len() as u32).clone();
        accepting.push(determiniser.holds_at_end(state.rest));
        for letter in 0..n_letters as u32 {
            let target = determiniser.step(&state, letter)?;
            next.push(target.map_or(DEAD, |target| states.intern(target)));
        }
        limit!(meter.limits(), regex_states).check(states.len())?;
        limit!(meter.limits(), regex_table_entries).check(next.len())?;
    }
    spell(nfa, &next, &accepting, meter)
}

/// A place in the text, as far as it matters for what comes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    place: Place,
    /// What is left of the pattern.
    rest: u32,
}

/// What assertions see when they look back.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    is_start: bool,
    /// The threads of each lookbehind.
    behind: Vec<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Thread {
    node: u32,
    /// What has to hold of the rest of the text: the number of a set of pledges.
    pledges: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Pledge {
    claim: Claim,
    is_negated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Claim {
    /// The text ends here.
    End,
    /// One of these threads will match.
    Threads(u32),
}

/// Nothing has to hold.
const NO_PLEDGES: u32 = 0;

/// Pledges of which all have to hold, in order.
type All = Vec<Pledge>;
/// Of which one has to hold.
type Any<T> = Vec<T>;

struct Determiniser<'a> {
    nfa: &'a Nfa,
    /// Sets of threads, in order and without those that another one makes needless.
    threads: Interner<Arc<Vec<Thread>>>,
    pledges: Interner<Arc<All>>,
    /// What became of sets of threads in the current step.
    moved: FxHashMap<u32, u32>,
    /// Used again and again, one for each set that is being closed.
    seen: Vec<SeenThreads>,
    done: usize,
    meter: &'a Meter,
}

impl<'a> Determiniser<'a> {
    fn new(nfa: &'a Nfa, meter: &'a Meter) -> Self {
        let mut threads: Interner<Arc<_>> = Interner::default();
        threads.intern(Vec::new());
        threads.intern(vec![Thread { node: MATCHED, pledges: NO_PLEDGES }]);
        let mut pledges: Interner<Arc<_>> = Interner::default();
        pledges.intern(Vec::new());
        Self {
            nfa,
            threads,
            pledges,
            moved: FxHashMap::default(),
            seen: Vec::new(),
            done: 0,
            meter,
        }
    }

    fn start(&mut self) -> Result<State, Error> {
        let mut place = Place { is_start: true, behind: Vec::new() };
        for look in self.nfa.looks.iter().filter(|look| look.direction == Direction::Behind) {
            let threads = self.begin(look.start, &place)?;
            place.behind.push(threads);
        }
        let rest = self.begin(self.nfa.start, &place)?;
        Ok(State { place, rest })
    }

    /// The state after a letter, unless no text goes on from there.
    fn step(&mut self, state: &State, letter: u32) -> Result<Option<State>, Error> {
        if state.rest == TRUE {
            return Ok(Some(state.clone()));
        }
        self.moved.clear();
        let mut place = Place { is_start: false, behind: Vec::new() };
        // The inner ones come first: those around them look at them.
        for &threads in &state.place.behind {
            let moved = self.advance(threads, letter, &place)?;
            place.behind.push(moved);
        }
        let rest = self.advance(state.rest, letter, &place)?;
        if rest == TRUE {
            place = Place { is_start: false, behind: Vec::new() };
        }
        Ok((rest != FALSE).then_some(State { place, rest }))
    }

    fn holds_at_end(&self, threads: u32) -> bool {
        self.threads.get(threads).iter().any(|thread| {
            thread.node == MATCHED
                && self.pledges.get(thread.pledges).iter().all(|pledge| {
                    let holds = match pledge.claim {
                        Claim::End => true,
                        Claim::Threads(threads) => self.holds_at_end(threads),
                    };
                    holds != pledge.is_negated
                })
        })
    }

    fn begin(&mut self, node: u32, place: &Place) -> Result<u32, Error> {
        self.close(vec![Thread { node, pledges: NO_PLEDGES }], place)
    }

    /// A set of threads after a letter; the place is the one after it.
    fn advance(&mut self, threads: u32, letter: u32, place: &Place) -> Result<u32, Error> {
        if matches!(threads, FALSE | TRUE) {
            return Ok(threads);
        }
        if let Some(&moved) = self.moved.get(&threads) {
            return Ok(moved);
        }
        let mut moved = Vec::new();
        let classes = self.nfa.alphabet.classes_of(letter);
        self.work(self.threads.get(threads).len())?;
        for thread in self.threads.get(threads).clone().iter() {
            let node = match self.nfa.nodes[thread.node as usize] {
                Node::Letter { class, next } if classes.contains(class) => next,
                Node::End if thread.node == MATCHED => MATCHED,
                _ => continue,
            };
            if let Some(pledges) = self.advance_pledges(thread.pledges, letter, place)? {
                moved.push(Thread { node, pledges });
            }
        }
        let moved = self.close(moved, place)?;
        self.moved.insert(threads, moved);
        Ok(moved)
    }

    /// What the pledges ask of the rest after the letter; `None` when they are broken.
    fn advance_pledges(
        &mut self,
        pledges: u32,
        letter: u32,
        place: &Place,
    ) -> Result<Option<u32>, Error> {
        if pledges == NO_PLEDGES {
            return Ok(Some(NO_PLEDGES));
        }
        let mut all = Vec::new();
        for pledge in self.pledges.get(pledges).clone().iter() {
            let threads = match pledge.claim {
                Claim::End => FALSE,
                Claim::Threads(threads) => self.advance(threads, letter, place)?,
            };
            match pledge_of(threads, pledge.is_negated) {
                Verdict::Holds => {}
                Verdict::Fails => return Ok(None),
                Verdict::Depends(pledge) => all.push(pledge),
            }
        }
        Ok(in_order(all).map(|all| self.pledges.intern(all)))
    }

    /// Follows what takes no letter, and assertions as far as they hold here.
    fn close(&mut self, mut open: Vec<Thread>, place: &Place) -> Result<u32, Error> {
        let nfa = self.nfa;
        let mut seen = self.seen.pop().unwrap_or_default();
        seen.begin(nfa.nodes.len());
        for &thread in &open {
            seen.insert(thread);
        }
        let mut closed = Vec::new();
        while let Some(thread) = open.pop() {
            self.work(MOVE)?;
            let mut follow = |node, pledges| {
                let thread = Thread { node, pledges };
                if seen.insert(thread) {
                    open.push(thread);
                }
            };
            match &nfa.nodes[thread.node as usize] {
                Node::End | Node::Letter { .. } => closed.push(thread),
                Node::Split(nodes) => nodes.iter().for_each(|&node| follow(node, thread.pledges)),
                Node::Assert { assertion, next } => {
                    for all in self.assert(*assertion, place)? {
                        let pledges = self.pledges.get(thread.pledges);
                        if let Some(all) = in_order([pledges.as_slice(), &all].concat()) {
                            follow(*next, self.pledges.intern(all));
                        }
                    }
                }
            }
        }
        self.seen.push(seen);
        let closed = self.without_needless(closed)?;
        Ok(self.threads.intern(closed))
    }

    /// The threads in order, without those that can do nothing that another one can't.
    fn without_needless(&mut self, mut threads: Vec<Thread>) -> Result<Vec<Thread>, Error> {
        // Once the pattern has matched, nothing else matters.
        let matched = Thread { node: MATCHED, pledges: NO_PLEDGES };
        if threads.contains(&matched) {
            return Ok(vec![matched]);
        }
        let twin_of = |thread: &Thread| self.nfa.twins[thread.node as usize];
        threads.sort_unstable_by_key(|thread| (twin_of(thread), *thread));
        let mut needed: Vec<Thread> = Vec::with_capacity(threads.len());
        let mut n_compared = 0;
        for same in threads.chunk_by(|a, b| twin_of(a).original == twin_of(b).original) {
            let first = needed.len();
            // Those with the highest ranks come last.
            for thread in same.iter().rev() {
                n_compared += needed.len() - first;
                if !needed[first..].iter().any(|other| self.covers(*other, *thread)) {
                    needed.push(*thread);
                }
            }
        }
        self.work(n_compared)?;
        Ok(needed)
    }

    /// Whether the first thread gets wherever the other one gets, and asks for no more.
    fn covers(&self, thread: Thread, other: Thread) -> bool {
        let [ranks, other_ranks] =
            [thread, other].map(|thread| self.nfa.twins[thread.node as usize].ranks);
        let covers_pledges = || {
            let pledges = self.pledges.get(other.pledges);
            self.pledges.get(thread.pledges).iter().all(|pledge| pledges.contains(pledge))
        };
        ranks.iter().zip(other_ranks).all(|(rank, other)| *rank >= other)
            && (thread.pledges == other.pledges || thread.pledges == NO_PLEDGES || covers_pledges())
    }

    fn work(&mut self, amount: usize) -> Result<(), Error> {
        self.done += amount;
        limit!(self.meter.limits(), regex_work).check(self.done)?;
        self.meter.spend(amount / WORK_PER_STEP + 1)
    }

    /// What has to hold of the rest of the text for the assertion to hold here.
    fn assert(&mut self, assertion: Assertion, place: &Place) -> Result<Any<All>, Error> {
        const HOLDS: All = Vec::new();
        Ok(match assertion {
            Assertion::Start if place.is_start => vec![HOLDS],
            Assertion::Start => Vec::new(),
            Assertion::End => vec![vec![Pledge { claim: Claim::End, is_negated: false }]],
            Assertion::Look(index) => {
                let look = &self.nfa.looks[index];
                match look.direction {
                    Direction::Ahead => {
                        match pledge_of(self.begin(look.start, place)?, look.is_negated) {
                            Verdict::Holds => vec![HOLDS],
                            Verdict::Fails => Vec::new(),
                            Verdict::Depends(pledge) => vec![vec![pledge]],
                        }
                    }
                    Direction::Behind => {
                        let threads = self.threads.get(place.behind[look.n_behind]).clone();
                        let arrived = threads.iter().filter(|thread| thread.node == ARRIVED);
                        let arrived = arrived.map(|thread| self.pledges.get(thread.pledges));
                        let arrived = arrived.map(|all| all.to_vec()).collect();
                        if look.is_negated { self.negated(&arrived)? } else { arrived }
                    }
                }
            }
        })
    }

    /// That none holds: of each, one of its pledges fails.
    fn negated(&mut self, any: &Any<All>) -> Result<Any<All>, Error> {
        let mut negated = vec![Vec::new()];
        for all in any {
            let mut longer: Any<All> = Vec::new();
            for pledges in &negated {
                longer.extend(all.iter().filter_map(|&Pledge { claim, is_negated }| {
                    let opposite = Pledge { claim, is_negated: !is_negated };
                    in_order([pledges.as_slice(), &[opposite]].concat())
                }));
            }
            longer.sort_unstable();
            longer.dedup();
            self.work(MOVE * longer.len())?;
            negated = longer;
        }
        Ok(negated)
    }
}

/// A set of threads that is emptied in no time. Most threads have no pledges, so of these it is kept by
/// node when they were last seen.
#[derive(Default)]
struct SeenThreads {
    time: u32,
    without_pledges: Vec<u32>,
    others: FxHashSet<Thread>,
}

impl SeenThreads {
    fn begin(&mut self, n_nodes: usize) {
        self.time = self.time.wrapping_add(1);
        if self.time == 0 || self.without_pledges.is_empty() {
            self.without_pledges = vec![0; n_nodes];
            self.time = 1;
        }
        self.others.clear();
    }

    /// Whether it is the first time.
    fn insert(&mut self, thread: Thread) -> bool {
        if thread.pledges != NO_PLEDGES {
            return self.others.insert(thread);
        }
        let seen = &mut self.without_pledges[thread.node as usize];
        std::mem::replace(seen, self.time) != self.time
    }
}

enum Verdict {
    Holds,
    Fails,
    Depends(Pledge),
}

fn pledge_of(threads: u32, is_negated: bool) -> Verdict {
    match threads {
        TRUE | FALSE if (threads == TRUE) != is_negated => Verdict::Holds,
        TRUE | FALSE => Verdict::Fails,
        _ => Verdict::Depends(Pledge { claim: Claim::Threads(threads), is_negated }),
    }
}

/// The pledges in order, each once; `None` when two contradict each other.
fn in_order(mut pledges: All) -> Option<All> {
    pledges.sort_unstable();
    pledges.dedup();
    let is_contradiction = |pair: &[Pledge]| pair[0].claim == pair[1].claim;
    (!pledges.windows(2).any(is_contradiction)).then_some(pledges)
}

/// The automaton over bytes of an automaton over letters.
fn spell(nfa: &Nfa, next: &[u32], accepting: &[bool], meter: &Meter) -> Result<Dfa, Error> {
    let states = Quota::new(meter, limit!(meter.limits(), regex_states));
    let n_letters = nfa.alphabet.n_letters();
    let (root, inner) = nfa.alphabet.trie().split_last().unwrap_or_else(|| unreachable!("a root"));
    let is_live = live_states(next, n_letters, accepting);
    // The states within a character come after those between characters; equal ones are shared.
    let mut edges: Vec<Vec<(u8, u8, u32)>> = vec![Vec::new(); accepting.len()];
    let mut ids: FxHashMap<Vec<(u8, u8, u32)>, u32> = FxHashMap::default();
    let mut within = vec![DEAD; inner.len()];
    for (state, row) in next.chunks(n_letters).enumerate() {
        let spell_node = |node: &[(u8, u8, Spelled)], within: &[u32]| {
            let mut spelled: Vec<(u8, u8, u32)> = Vec::new();
            for &(first, last, next) in node {
                let target = match next {
                    Spelled::Partly(node) => within[node as usize],
                    Spelled::Letter(letter) => row[letter as usize],
                };
                let is_dead = target == DEAD || is_live.get(target as usize) == Some(&false);
                match spelled.last_mut() {
                    _ if is_dead => {}
                    Some((_, end, before)) if *before == target && *end + 1 == first => *end = last,
                    _ => spelled.push((first, last, target)),
                }
            }
            spelled
        };
        if !is_live[state] {
            continue;
        }
        for (index, node) in inner.iter().enumerate() {
            let spelled = spell_node(node, &within);
            within[index] = if spelled.is_empty() {
                DEAD
            } else {
                *ids.entry(spelled).or_insert_with_key(|spelled| {
                    edges.push(spelled.clone());
                    edges.len() as u32 - 1
                })
            };
        }
        edges[state] = spell_node(root, &within);
        states.spend(inner.len() + root.len(), edges.len())?;
    }
    let mut accepting = accepting.to_vec();
    accepting.resize(edges.len(), false);
    let entries = Quota::new(meter, limit!(meter.limits(), regex_table_entries));
    Dfa::from_edges(&edges, accepting, entries)
}

/// The states that lead to an accepting one.
fn live_states(next: &[u32], n_letters: usize, accepting: &[bool]) -> Vec<bool> {
    let mut sources: Vec<Vec<u32>> = vec![Vec::new(); accepting.len()];
    for (state, row) in (0..).zip(next.chunks(n_letters)) {
        for &target in row.iter().filter(|&&target| target != DEAD) {
            let sources = &mut sources[target as usize];
            if sources.last() != Some(&state) {
                sources.push(state);
            }
        }
    }
    live(accepting, &sources)
}
