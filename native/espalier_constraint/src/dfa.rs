//! [`Dfa`]: a trim deterministic automaton over bytes.

use std::collections::VecDeque;
use std::sync::{LazyLock, OnceLock};

use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::error::Error;
use crate::limits::Limit;
use crate::literals::Literals;
use crate::meter::{Meter, Quota};
use crate::token_trie::{Bytes, MAX_NEXT_BYTES};

/// The state from which no text is accepted.
pub(crate) const DEAD: u32 = u32::MAX;

/// A deterministic automaton over bytes in which every state but [`DEAD`] leads to acceptance.
#[derive(Clone, Debug)]
pub(crate) struct Dfa {
    /// Bytes that no state tells apart share a class.
    classes: [u8; 256],
    n_classes: usize,
    /// The next state by state and class.
    next: Vec<u32>,
    accepting: Vec<bool>,
    /// How many bytes, at least, lead from the state to an accepting one.
    distance: Vec<u32>,
    start: u32,
    greatest_distance: OnceLock<u32>,
}

impl Dfa {
    /// Explores an automaton that is given by its start, its step and its acceptance.
    ///
    /// `representatives` holds one byte of each class, `classes` the class of each byte.
    pub(crate) fn explore<S: Clone + Eq + std::hash::Hash>(
        start: S,
        (classes, representatives): ([u8; 256], &[u8]),
        quota: Quota<'_>,
        mut step: impl FnMut(&S, u8) -> Option<S>,
        mut is_accepting: impl FnMut(&S) -> Result<bool, Error>,
    ) -> Result<Self, Error> {
        let mut ids = FxHashMap::from_iter([(start.clone(), 0u32)]);
        let mut states = vec![start];
        let (mut next, mut accepting) = (Vec::new(), Vec::new());
        while let Some(state) = states.get(accepting.len()).cloned() {
            accepting.push(is_accepting(&state)?);
            let mut last = None;
            for &byte in representatives {
                let target = step(&state, byte);
                // Most bytes lead to the same state as the one before.
                if let Some(&same) = next.last().filter(|_| last.as_ref() == Some(&target)) {
                    next.push(same);
                    continue;
                }
                next.push(target.as_ref().map_or(DEAD, |target| {
                    ids.get(target).copied().unwrap_or_else(|| {
                        let id = states.len() as u32;
                        ids.insert(target.clone(), id);
                        states.push(target.clone());
                        id
                    })
                }));
                last = Some(target);
            }
            quota.spend(representatives.len(), states.len())?;
        }
        Ok(Self::from_table((classes, representatives.len()), next, accepting, 0))
    }

    /// The automaton of a table: the next state by state and class, [`DEAD`] where there is none.
    /// States from which nothing is accepted may be among them. All numbers must be in range.
    pub(crate) fn from_table(
        (classes, n_classes): ([u8; 256], usize),
        next: Vec<u32>,
        accepting: Vec<bool>,
        start: u32,
    ) -> Self {
        let distance = distances(&next, n_classes, &accepting);
        let mut dfa = Self {
            classes,
            n_classes,
            next,
            accepting,
            distance,
            start,
            greatest_distance: OnceLock::new(),
        };
        dfa.trim();
        dfa
    }

    /// The automaton whose states have these edges: ranges of bytes, in order, and where they lead.
    /// The first state is the start.
    pub(crate) fn from_edges(
        edges: &[Vec<(u8, u8, u32)>],
        accepting: Vec<bool>,
        quota: Quota<'_>,
    ) -> Result<Self, Error> {
        let mut begins = [false; 257];
        for &(first, last, _) in edges.iter().flatten() {
            begins[usize::from(first)] = true;
            begins[usize::from(last) + 1] = true;
        }
        begins[0] = false;
        let mut class = 0;
        let classes = std::array::from_fn(|byte| {
            class += u8::from(begins[byte]);
            class
        });
        let n_classes = usize::from(class) + 1;
        quota.spend(edges.len(), edges.len() * n_classes)?;
        let mut next = vec![DEAD; edges.len() * n_classes];
        for (row, edges) in next.chunks_mut(n_classes).zip(edges) {
            for &(first, last, target) in edges {
                let [first, last] =
                    [first, last].map(|byte| usize::from(classes[usize::from(byte)]));
                row[first..=last].fill(target);
            }
        }
        Ok(Self::from_table((classes, n_classes), next, accepting, 0))
    }

    /// The automaton of the texts that both accept.
    pub(crate) fn intersection(&self, other: &Self, quota: Quota<'_>) -> Result<Self, Error> {
        self.product(other, quota, |a, b| a && b, |a, b| a && b)
    }

    /// The automaton of the texts that this one accepts and the other doesn't.
    pub(crate) fn difference(&self, other: &Self, quota: Quota<'_>) -> Result<Self, Error> {
        self.product(other, quota, |a, _| a, |a, b| a && !b)
    }

    /// The automaton of the texts that one of both accepts.
    pub(crate) fn union(&self, other: &Self, quota: Quota<'_>) -> Result<Self, Error> {
        self.product(other, quota, |a, b| a || b, |a, b| a || b)
    }

    /// The bytes with which some text goes on; `None` when these are many.
    pub(crate) fn next_bytes(&self, state: u32) -> Option<Bytes> {
        let row = self.row(state);
        let mut bytes = Bytes::new();
        for (byte, &class) in (0..=255).zip(&self.classes) {
            if row[usize::from(class)] != DEAD {
                if bytes.len() == MAX_NEXT_BYTES {
                    return None;
                }
                bytes.push(byte);
            }
        }
        Some(bytes)
    }

    /// Runs both side by side. `goes_on` says by which of them are not dead whether a step is taken,
    /// `accepts` by which of them accept whether both together do.
    fn product(
        &self,
        other: &Self,
        quota: Quota<'_>,
        goes_on: impl Fn(bool, bool) -> bool,
        accepts: impl Fn(bool, bool) -> bool,
    ) -> Result<Self, Error> {
        let (classes, representatives) = classes_of(|byte| (self.class(byte), other.class(byte)));
        Self::explore(
            (self.start, other.start),
            (classes, &representatives),
            quota,
            |&(a, b), byte| {
                let (a, b) = (self.step(a, byte), other.step(b, byte));
                goes_on(a.is_some(), b.is_some()).then(|| (a.unwrap_or(DEAD), b.unwrap_or(DEAD)))
            },
            |&(a, b)| Ok(accepts(self.is_accepting(a), other.is_accepting(b))),
        )
    }

    /// Runs several side by side, as long as the first goes on. `accepts` is asked of their states, those
    /// that have come to their end being [`DEAD`], for each state of the result in turn.
    pub(crate) fn side_by_side(
        all: &[&Self],
        quota: Quota<'_>,
        accepts: impl FnMut(&SmallVec<[u32; 8]>) -> Result<bool, Error>,
    ) -> Result<Self, Error> {
        let classes_at =
            |byte: u8| all.iter().map(|dfa| dfa.class(byte)).collect::<SmallVec<[u8; 16]>>();
        let (classes, representatives) = classes_of(classes_at);
        Self::explore(
            all.iter().map(|dfa| dfa.start).collect(),
            (classes, &representatives),
            quota.costing(1 + all.len() / 8),
            |states: &SmallVec<_>, byte| {
                let next = all.iter().zip(states);
                let next: SmallVec<_> =
                    next.map(|(dfa, &state)| dfa.step(state, byte).unwrap_or(DEAD)).collect();
                (next[0] != DEAD).then_some(next)
            },
            accepts,
        )
    }

    /// The automaton of the texts that are one of this one and then one of the other.
    pub(crate) fn followed_by(&self, other: &Self, quota: Quota<'_>) -> Result<Self, Error> {
        let (classes, representatives) = classes_of(|byte| (self.class(byte), other.class(byte)));
        // The second text may have begun in several places.
        let state = |first: u32, mut second: Vec<u32>| {
            second.extend(self.is_accepting(first).then_some(other.start));
            second.sort_unstable();
            second.dedup();
            (first, second)
        };
        Self::explore(
            state(self.start, Vec::new()),
            (classes, &representatives),
            quota,
            |(first, second), byte| {
                let first = self.step(*first, byte);
                let second = second.iter().filter_map(|&second| other.step(second, byte)).collect();
                let next = state(first.unwrap_or(DEAD), second);
                (first.is_some() || !next.1.is_empty()).then_some(next)
            },
            |(_, second)| Ok(second.iter().any(|&second| other.is_accepting(second))),
        )
    }

    /// The smallest automaton of the same texts.
    pub(crate) fn minimized(&self) -> Self {
        // Bytes that lead to the same states from everywhere become one class.
        let columns: Vec<Vec<u32>> = (0..self.n_classes)
            .map(|class| self.next.iter().skip(class).step_by(self.n_classes).copied().collect())
            .collect();
        let (classes, representatives) = classes_of(|byte| &columns[usize::from(self.class(byte))]);
        let blocks = Blocks::coarsest(self, &representatives);
        let of = |state: u32| blocks.of[state as usize];
        let members: Vec<u32> = blocks.members.iter().map(|members| members[0]).collect();
        let explored = Self::explore(
            if self.start == DEAD { DEAD } else { of(self.start) },
            (classes, &representatives),
            Quota::new(&Meter::unlimited(), Limit { name: "states", value: members.len() + 1 }),
            |&block, byte| {
                let target = self.step(*members.get(block as usize)?, byte)?;
                Some(of(target))
            },
            |&block| {
                Ok(members.get(block as usize).is_some_and(|&member| self.is_accepting(member)))
            },
        );
        explored.unwrap_or_else(|_| unreachable!("no more states than before"))
    }

    /// The same automaton with as many states more: from the one that is so much further behind a state, nothing
    /// but the shortest ways from there to an end go on.
    pub(crate) fn with_shortest_ends(&self) -> Self {
        let n_states = self.n_states() as u32;
        let mut next = self.next.clone();
        for (&distance, row) in self.distance.iter().zip(self.rows()) {
            let is_nearer = |target: u32| target != DEAD && self.distance(target) < distance;
            next.extend(row.iter().map(
                |&target| {
                    if is_nearer(target) { n_states + target } else { DEAD }
                },
            ));
        }
        let accepting = self.accepting.repeat(2);
        Self::from_table((self.classes, self.n_classes), next, accepting, self.start)
    }

    /// The same automaton with another start.
    pub(crate) fn starting_at(self, start: u32) -> Self {
        Self { start, ..self }
    }

    /// The automaton of all texts in UTF-8.
    pub(crate) fn any_text() -> &'static Self {
        static ANY: LazyLock<Dfa> = LazyLock::new(|| {
            crate::regex::compile("(?s:.)*", &Meter::unlimited())
                .unwrap_or_else(|_| unreachable!("a valid expression"))
        });
        &ANY
    }

    /// The automaton of some texts.
    pub(crate) fn of_texts(texts: &Literals, quota: Quota<'_>) -> Result<Self, Error> {
        let used: FxHashSet<u8> = texts.iter().flatten().copied().collect();
        let (classes, representatives) = classes_of(|byte| used.contains(&byte).then_some(byte));
        Self::explore(
            texts.start(),
            (classes, &representatives),
            quota,
            |&prefix, byte| texts.step(prefix, byte),
            |&prefix| Ok(texts.is_complete(prefix)),
        )
    }

    /// Whether all that it accepts is UTF-8.
    pub(crate) fn is_text(&self) -> bool {
        let utf8 = Self::any_text();
        let (_, representatives) = classes_of(|byte| (self.class(byte), utf8.class(byte)));
        // By place in a character: the class of each byte, and the place after it.
        let steps: Vec<Vec<(usize, Option<u32>)>> = (0..utf8.n_states() as u32)
            .map(|place| {
                let bytes = representatives.iter();
                bytes.map(|&byte| (self.class(byte).into(), utf8.step(place, byte))).collect()
            })
            .collect();
        let mut is_met = vec![false; self.n_states() * utf8.n_states()];
        let mut open: Vec<(u32, u32)> = Vec::new();
        open.extend((self.start != DEAD).then_some((self.start, utf8.start)));
        while let Some((state, place)) = open.pop() {
            if self.is_accepting(state) && !utf8.is_accepting(place) {
                return false;
            }
            // Most bytes lead to the same states as the one before.
            let mut last = None;
            let row = self.row(state);
            for &(class, next_place) in &steps[place as usize] {
                let next = row[class];
                if next == DEAD || last.replace((next, next_place)) == Some((next, next_place)) {
                    continue;
                }
                let Some(next_place) = next_place else { return false };
                let index = next as usize * utf8.n_states() + next_place as usize;
                if !std::mem::replace(&mut is_met[index], true) {
                    open.push((next, next_place));
                }
            }
        }
        true
    }

    /// How many classes of bytes there are.
    pub(crate) fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// How many bytes each class has.
    pub(crate) fn class_sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.n_classes];
        for &class in &self.classes {
            sizes[usize::from(class)] += 1;
        }
        sizes
    }

    /// The next states of each state, by class.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u32]> {
        self.next.chunks_exact(self.n_classes)
    }

    /// The next states of a state, by class.
    pub(crate) fn row(&self, state: u32) -> &[u32] {
        &self.next[state as usize * self.n_classes..][..self.n_classes]
    }

    /// Whether a text may end in each state.
    pub(crate) fn accepting(&self) -> &[bool] {
        &self.accepting
    }

    /// The class of a byte: bytes of a class are told apart in no state.
    pub(crate) fn class(&self, byte: u8) -> u8 {
        self.classes[usize::from(byte)]
    }

    /// The start state; [`DEAD`] when nothing is accepted.
    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    /// The state after one more byte, unless nothing can be accepted from there.
    pub(crate) fn step(&self, state: u32, byte: u8) -> Option<u32> {
        let class = usize::from(self.class(byte));
        let target = *self.next.get((state as usize).checked_mul(self.n_classes)? + class)?;
        (target != DEAD).then_some(target)
    }

    pub(crate) fn is_accepting(&self, state: u32) -> bool {
        self.accepting.get(state as usize).is_some_and(|&accepting| accepting)
    }

    pub(crate) fn accepts(&self, text: &[u8]) -> bool {
        let end = text.iter().try_fold(self.start, |state, &byte| self.step(state, byte));
        end.is_some_and(|state| self.is_accepting(state))
    }

    /// How many bytes, at least, lead from the state to an accepting one.
    pub(crate) fn distance(&self, state: u32) -> u32 {
        self.distance[state as usize]
    }

    /// How many bytes it takes to an accepting state at most, from whichever state.
    pub(crate) fn greatest_distance(&self) -> u32 {
        *self.greatest_distance.get_or_init(|| {
            let distances = self.distance.iter().copied();
            distances.filter(|&distance| distance != u32::MAX).max().unwrap_or(0)
        })
    }

    /// About how many bytes it takes beyond itself.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&self.next[..]) + self.n_states() * (size_of::<bool>() + size_of::<u32>())
    }

    pub(crate) fn n_states(&self) -> usize {
        self.accepting.len()
    }

    /// One of the shortest texts that lead from the state to an accepting one.
    pub(crate) fn shortest_suffix(&self, mut state: u32) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(&distance) = self.distance.get(state as usize).filter(|&&d| d > 0) {
            let nearer = (0..=255).find_map(|byte| {
                let target = self.step(state, byte)?;
                (self.distance[target as usize] < distance).then_some((byte, target))
            });
            let Some((byte, target)) = nearer else { break };
            text.push(byte);
            state = target;
        }
        text
    }

    fn trim(&mut self) {
        if self.distance.iter().all(|&distance| distance != u32::MAX) {
            return;
        }
        let is_dead = |state: u32| state == DEAD || self.distance[state as usize] == u32::MAX;
        let next =
            self.next.iter().map(|&state| if is_dead(state) { DEAD } else { state }).collect();
        self.start = if is_dead(self.start) { DEAD } else { self.start };
        self.next = next;
    }
}

/// States in blocks of which all lead to the same blocks.
#[derive(Default)]
struct Blocks {
    of: Vec<u32>,
    members: Vec<Vec<u32>>,
}

impl Blocks {
    /// As few as possible: a block is split where its states are told apart by where they lead, and then
    /// those are looked at again that lead to the smaller parts. Bytes by one of each class.
    fn coarsest(dfa: &Dfa, bytes: &[u8]) -> Self {
        let n_states = dfa.n_states();
        // How far a state is from an end tells apart what ends from what doesn't, and more.
        let mut blocks = Self { of: vec![0; n_states], members: Vec::new() };
        let mut by_distance: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (state, &distance) in (0..).zip(&dfa.distance) {
            by_distance.entry(distance).or_default().push(state);
        }
        for members in by_distance.into_values() {
            blocks.add(members);
        }
        let mut sources: Vec<Vec<u32>> = vec![Vec::new(); n_states];
        for state in 0..n_states as u32 {
            for target in bytes.iter().filter_map(|&byte| dfa.step(state, byte)) {
                sources[target as usize].push(state);
            }
        }
        let mut open: Vec<u32> = (0..blocks.members.len() as u32).collect();
        let mut is_open = vec![true; open.len()];
        while let Some(block) = open.pop() {
            is_open[block as usize] = false;
            let moved = blocks.split(block, dfa, bytes);
            is_open.resize(blocks.members.len(), false);
            for &source in moved.iter().flat_map(|&state| &sources[state as usize]) {
                let block = blocks.of[source as usize];
                if !std::mem::replace(&mut is_open[block as usize], true) {
                    open.push(block);
                }
            }
        }
        blocks
    }

    fn add(&mut self, members: Vec<u32>) {
        let block = self.members.len() as u32;
        for &state in &members {
            self.of[state as usize] = block;
        }
        self.members.push(members);
    }

    /// Splits a block by where its states lead; the largest part stays. Answers with the others' states.
    fn split(&mut self, block: u32, dfa: &Dfa, bytes: &[u8]) -> Vec<u32> {
        let members = &self.members[block as usize];
        if members.len() == 1 {
            return Vec::new();
        }
        let mut parts: FxHashMap<Vec<u32>, Vec<u32>> = FxHashMap::default();
        for &state in members {
            let target = |&byte| dfa.step(state, byte).map_or(DEAD, |to| self.of[to as usize]);
            parts.entry(bytes.iter().map(target).collect()).or_default().push(state);
        }
        let mut parts: Vec<Vec<u32>> = parts.into_values().collect();
        parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
        let mut parts = parts.into_iter();
        self.members[block as usize] = parts.next().unwrap_or_default();
        let mut moved = Vec::new();
        for part in parts {
            moved.extend(&part);
            self.add(part);
        }
        moved
    }
}

/// Groups the bytes by a key: the class of each byte, and a byte of each class.
pub(crate) fn classes_of<K: Eq + std::hash::Hash>(key: impl Fn(u8) -> K) -> ([u8; 256], Vec<u8>) {
    let mut class_by_key = FxHashMap::default();
    let mut representatives = Vec::new();
    let classes = std::array::from_fn(|byte| {
        let byte = byte as u8;
        *class_by_key.entry(key(byte)).or_insert_with(|| {
            representatives.push(byte);
            (representatives.len() - 1) as u8
        })
    });
    (classes, representatives)
}

/// Breadth-first search backwards from the accepting states.
fn distances(next: &[u32], n_classes: usize, accepting: &[bool]) -> Vec<u32> {
    let mut sources: Vec<Vec<u32>> = vec![Vec::new(); accepting.len()];
    for (source, row) in (0..).zip(next.chunks_exact(n_classes)) {
        // Most classes lead to the same state as the one before.
        for same in row.chunk_by(|a, b| a == b).filter(|same| same[0] != DEAD) {
            let sources = &mut sources[same[0] as usize];
            if sources.last() != Some(&source) {
                sources.push(source);
            }
        }
    }
    let mut distance: Vec<u32> =
        accepting.iter().map(|&accepting| if accepting { 0 } else { u32::MAX }).collect();
    let mut queue: VecDeque<u32> = (0u32..)
        .zip(accepting)
        .filter(|(_, accepting)| **accepting)
        .map(|(state, _)| state)
        .collect();
    while let Some(state) = queue.pop_front() {
        for &source in &sources[state as usize] {
            if distance[source as usize] == u32::MAX {
                distance[source as usize] = distance[state as usize] + 1;
                queue.push_back(source);
            }
        }
    }
    distance
}

/// From which states a final one is reached, given by state what leads to it.
pub(crate) fn live(is_final: &[bool], sources: &[Vec<u32>]) -> Vec<bool> {
    let mut is_live = is_final.to_vec();
    let mut open: Vec<u32> =
        (0..is_live.len() as u32).filter(|&state| is_live[state as usize]).collect();
    while let Some(state) = open.pop() {
        for &source in &sources[state as usize] {
            if !std::mem::replace(&mut is_live[source as usize], true) {
                open.push(source);
            }
        }
    }
    is_live
}

#[cfg(test)]
mod tests {
    use super::Dfa;
    use crate::limits::Limit;
    use crate::meter::{Meter, Quota};

    fn compile(expression: &str) -> Dfa {
        crate::regex::compile(expression, &Meter::unlimited()).unwrap()
    }

    fn texts() -> impl Iterator<Item = Vec<u8>> {
        let letters = |index: u32| (0..6).map(move |place| b"ab"[(index >> place) as usize & 1]);
        (0..64)
            .flat_map(move |index| (0..=6).map(move |length| letters(index).take(length).collect()))
    }

    #[test]
    fn operations_accept_what_they_say() {
        let expressions =
            ["a*", "(?:ab)*", "b|ab?|bab", "[ab]*a[ab]{2}", "", "[^\\x00-\\u{10FFFF}]"];
        let automata = expressions.map(compile);
        let meter = Meter::unlimited();
        let quota = Quota::new(&meter, Limit { name: "states", value: 1000 });
        for (a, b) in automata.iter().flat_map(|a| automata.iter().map(move |b| (a, b))) {
            let union = a.union(b, quota).unwrap();
            let both = a.intersection(b, quota).unwrap();
            let only = a.difference(b, quota).unwrap();
            let chain = a.followed_by(b, quota).unwrap();
            for text in texts() {
                let (in_a, in_b) = (a.accepts(&text), b.accepts(&text));
                assert_eq!(union.accepts(&text), in_a || in_b);
                assert_eq!(both.accepts(&text), in_a && in_b);
                assert_eq!(only.accepts(&text), in_a && !in_b);
                let is_cut = |at| a.accepts(&text[..at]) && b.accepts(&text[at..]);
                assert_eq!(chain.accepts(&text), (0..=text.len()).any(is_cut));
                for dfa in [union.minimized(), chain.minimized()].iter().zip([&union, &chain]) {
                    assert_eq!(dfa.0.accepts(&text), dfa.1.accepts(&text));
                }
            }
        }
    }

    #[test]
    fn equal_states_become_one() {
        let dfa = compile("abc|xbc|(?:a|x)bd").minimized();
        assert_eq!(dfa.n_states(), 4);
        assert_eq!(dfa.minimized().n_states(), 4);
        assert_eq!(dfa.shortest_suffix(dfa.start()).len(), 3);
    }
}
