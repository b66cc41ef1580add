//! [`Characters`]: an automaton over characters, out of one over bytes.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::graph::Graph;
use super::rules::{NodeId, Rules};
use super::set::CharacterSet;
use crate::dfa::{Dfa, live};
use crate::error::Error;
use crate::json_schema::bytes_after;
use crate::limits::limit;
use crate::meter::Meter;

/// More states than these are not minimised.
const MAX_MINIMIZED: usize = 3000;

/// An automaton over bytes, by its states; what is read is valid UTF-8.
pub(crate) trait Bytewise {
    type State: Clone + Eq + Hash;

    fn start(&self) -> Self::State;
    fn step(&self, state: &Self::State, byte: u8) -> Option<Self::State>;
    fn is_final(&self, state: &Self::State) -> bool;
    /// Bytes of a class are not told apart.
    fn class(&self, byte: u8) -> u8;
}

impl Bytewise for Dfa {
    type State = u32;

    fn start(&self) -> u32 {
        Dfa::start(self)
    }

    fn step(&self, &state: &u32, byte: u8) -> Option<u32> {
        (((state as usize) < self.n_states()).then(|| Dfa::step(self, state, byte)))?
    }

    fn is_final(&self, &state: &u32) -> bool {
        (state as usize) < self.n_states() && self.is_accepting(state)
    }

    fn class(&self, byte: u8) -> u8 {
        Dfa::class(self, byte)
    }
}

/// An automaton over characters. The first state is the start.
#[derive(Clone, Debug)]
pub(crate) struct Characters {
    steps: Vec<Vec<(CharacterSet, u32)>>,
    is_final: Vec<bool>,
}

impl Characters {
    /// The same automaton, with no more states than it needs as far as they are few.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`], [`Error::Cancelled`].
    pub(crate) fn new<B: Bytewise>(bytes: &B, meter: &Meter) -> Result<Self, Error> {
        let mut reader = Reader { bytes, meter, rests: FxHashMap::default() };
        let start = bytes.start();
        let mut ids = FxHashMap::from_iter([(start.clone(), 0u32)]);
        let mut states = vec![start];
        let mut all = Self { steps: Vec::new(), is_final: Vec::new() };
        let mut n_ranges = 0;
        while let Some(state) = states.get(all.steps.len()).cloned() {
            limit!(meter.limits(), export_states).check(states.len())?;
            all.is_final.push(bytes.is_final(&state));
            let mut steps: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
            for (first, last, next) in reader.steps(&state)? {
                meter.spend(1)?;
                let id = *ids.entry(next).or_insert_with_key(|next| {
                    states.push(next.clone());
                    states.len() as u32 - 1
                });
                steps.entry(id).or_default().push((first, last));
            }
            let steps = steps.into_iter().map(|(id, ranges)| (CharacterSet::of(ranges), id));
            let steps: Vec<_> = steps.filter(|(set, _)| !set.is_empty()).collect();
            n_ranges += steps.iter().map(|(set, _)| set.ranges().len()).sum::<usize>();
            limit!(meter.limits(), export_nodes).check(n_ranges)?;
            all.steps.push(steps);
        }
        all.trim();
        if all.steps.len() <= MAX_MINIMIZED { all.minimized(meter) } else { Ok(all) }
    }

    pub(crate) fn is_nullable(&self) -> bool {
        self.is_final[0]
    }

    /// The texts but for the empty one.
    pub(crate) fn without_empty(mut self) -> Self {
        // The start gets a twin that nothing leads to.
        let shift = |(set, to): &(CharacterSet, u32)| (set.clone(), to + 1);
        let mut steps = vec![self.steps[0].iter().map(shift).collect::<Vec<_>>()];
        steps.extend(self.steps.iter().map(|steps| steps.iter().map(shift).collect()));
        self.is_final.insert(0, false);
        Self { steps, is_final: self.is_final }
    }

    /// Drops what leads to no final state.
    fn trim(&mut self) {
        let mut sources = vec![Vec::new(); self.steps.len()];
        for (from, steps) in (0u32..).zip(&self.steps) {
            for &(_, to) in steps {
                sources[to as usize].push(from);
            }
        }
        let is_live = live(&self.is_final, &sources);
        self.steps.iter_mut().for_each(|steps| steps.retain(|(_, to)| is_live[*to as usize]));
    }

    /// States that mean the same become one: blocks are split until all states of each lead alike.
    fn minimized(self, meter: &Meter) -> Result<Self, Error> {
        let mut block: Vec<u32> = self.is_final.iter().map(|&is_final| is_final.into()).collect();
        let mut n_blocks = 0;
        loop {
            let mut ids: FxHashMap<(u32, Vec<(u32, CharacterSet)>), u32> = FxHashMap::default();
            let mut next = Vec::with_capacity(block.len());
            for (state, steps) in self.steps.iter().enumerate() {
                meter.spend(1 + 4 * steps.len())?;
                let mut by_block: BTreeMap<u32, CharacterSet> = BTreeMap::new();
                for (set, to) in steps {
                    let joint = by_block.entry(block[*to as usize]).or_default();
                    *joint = if joint.is_empty() { set.clone() } else { joint.union(set) };
                }
                let n = ids.len() as u32;
                let key = (block[state], by_block.into_iter().collect());
                next.push(*ids.entry(key).or_insert(n));
            }
            block = next;
            if ids.len() == n_blocks {
                break;
            }
            n_blocks = ids.len();
        }
        // The start is the first of its block, so blocks are in the order of their first states.
        let mut merged = Self { steps: Vec::new(), is_final: Vec::new() };
        for (state, steps) in self.steps.iter().enumerate() {
            if block[state] as usize != merged.steps.len() {
                continue;
            }
            let mut by_block: BTreeMap<u32, Vec<(u32, u32)>> = BTreeMap::new();
            for (set, to) in steps {
                by_block.entry(block[*to as usize]).or_default().extend(set.ranges());
            }
            let steps = by_block.into_iter().map(|(to, ranges)| (CharacterSet::of(ranges), to));
            merged.steps.push(steps.collect());
            merged.is_final.push(self.is_final[state]);
        }
        Ok(merged)
    }

    /// As a graph whose steps are characters, each spelled as it is told.
    pub(crate) fn graph(
        &self,
        rules: &mut Rules,
        mut spelled: impl FnMut(&mut Rules, &CharacterSet) -> NodeId,
    ) -> Graph {
        let mut graph = Graph::default();
        self.is_final.iter().for_each(|&is_final| {
            graph.add_state(is_final);
        });
        for (from, steps) in (0u32..).zip(&self.steps) {
            for (set, to) in steps {
                let step = spelled(rules, set);
                graph.add_step(from, step, *to);
            }
        }
        graph
    }
}

/// What the rest of a character leads to: ranges of its last bits.
type Rest<S> = Rc<Vec<(u32, u32, S)>>;

/// A state, how many bytes are left, and between which the first of them lies.
type Begun<S> = (S, u8, u8, u8);

struct Reader<'a, B: Bytewise> {
    bytes: &'a B,
    meter: &'a Meter,
    rests: FxHashMap<Begun<B::State>, Rest<B::State>>,
}

impl<B: Bytewise> Reader<'_, B> {
    /// Where one character leads: ranges of code points.
    fn steps(&mut self, state: &B::State) -> Result<Vec<(u32, u32, B::State)>, Error> {
        let mut steps: Vec<(u32, u32, B::State)> = Vec::new();
        for byte in (0..=0x7F).chain(0xC2..=0xF4) {
            self.meter.spend(1)?;
            let Some(next) = self.bytes.step(state, byte) else { continue };
            let Some((n_left, least, greatest)) = bytes_after(byte) else {
                push(&mut steps, u32::from(byte), u32::from(byte), next);
                continue;
            };
            let bits = u32::from(byte) & (0x3F >> n_left);
            let high = bits << (6 * n_left);
            for (first, last, next) in self.rest(&next, n_left, least, greatest)?.iter() {
                push(&mut steps, high | first, high | last, next.clone());
            }
        }
        Ok(steps)
    }

    fn rest(
        &mut self,
        state: &B::State,
        n_left: u8,
        least: u8,
        greatest: u8,
    ) -> Result<Rest<B::State>, Error> {
        let key = (state.clone(), n_left, least, greatest);
        if let Some(known) = self.rests.get(&key) {
            return Ok(known.clone());
        }
        let mut rest = Vec::new();
        let mut before: Option<(u8, Option<B::State>)> = None;
        for byte in least..=greatest {
            self.meter.spend(1)?;
            let class = self.bytes.class(byte);
            let next = match &before {
                Some((same, next)) if *same == class => next.clone(),
                _ => self.bytes.step(state, byte),
            };
            before = Some((class, next.clone()));
            let Some(next) = next else { continue };
            let high = u32::from(byte & 0x3F) << (6 * (n_left - 1));
            if n_left == 1 {
                push(&mut rest, high, high, next);
                continue;
            }
            for (first, last, next) in self.rest(&next, n_left - 1, 0x80, 0xBF)?.iter() {
                push(&mut rest, high | first, high | last, next.clone());
            }
        }
        let rest = Rc::new(rest);
        self.rests.insert(key, rest.clone());
        Ok(rest)
    }
}

/// Adds a range, to the one before if it goes on with that.
fn push<S: Eq>(ranges: &mut Vec<(u32, u32, S)>, first: u32, last: u32, next: S) {
    match ranges.last_mut() {
        Some((_, end, before)) if *end + 1 == first && *before == next => *end = last,
        _ => ranges.push((first, last, next)),
    }
}
