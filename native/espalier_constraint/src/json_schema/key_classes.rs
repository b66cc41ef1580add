//! [`KeyClasses`]: the keys of an object that have no name in the schema, by what applies to them.
//!
//! All keys that match the same patterns belong to one class. An automaton reads a key against all
//! patterns at once and knows at its end the class.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::dfa::{DEAD, Dfa, live};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::{Meter, Quota};

/// Index of a class; bit of a [`ClassSet`].
pub(crate) type Class = u32;

/// Some of the classes, one bit each.
pub(crate) type ClassSet = Box<[u64]>;

#[derive(Debug)]
pub(crate) struct KeyClasses {
    /// Which patterns the keys of each class match.
    pub(crate) matched: Vec<Box<[bool]>>,
    /// None where there are no patterns: then all keys are of one class.
    automaton: Option<ClassAutomaton>,
    /// For sets of classes that may come: how many keys of them each state leads to.
    counts: ByState<ClassSet>,
}

/// Those of a schema, by the automata that they were made of: many of its objects share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllKeyClasses {
    /// By the addresses of the automata.
    known: FxHashMap<Box<[usize]>, Arc<KeyClasses>>,
    /// Those at the addresses.
    automata: Vec<Arc<Dfa>>,
    n_bytes: usize,
}

impl AllKeyClasses {
    /// The classes of the keys in a language (all keys, if there is none) by the patterns.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when they are too many.
    pub(crate) fn get(
        &mut self,
        patterns: &[Arc<Dfa>],
        keys: Option<&Arc<Dfa>>,
        meter: &Meter,
    ) -> Result<Arc<KeyClasses>, Error> {
        let address = |dfa: &Arc<Dfa>| Arc::as_ptr(dfa) as usize;
        let of_keys = keys.map_or(0, address);
        let key: Box<[usize]> = patterns.iter().map(address).chain([of_keys]).collect();
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let classes = Arc::new(KeyClasses::new(patterns, keys.map(|keys| &**keys), meter)?);
        self.n_bytes += classes.memory() + keys.map_or(0, |keys| keys.memory());
        self.automata.extend(patterns.iter().chain(keys).cloned());
        self.known.insert(key, classes.clone());
        Ok(classes)
    }

    /// About how many bytes they take.
    pub(crate) fn memory(&self) -> usize {
        self.n_bytes
    }
}

/// What is known of each state, found out when it is asked for.
type ByState<K> = Mutex<FxHashMap<K, Arc<[u32]>>>;

#[derive(Debug)]
struct ClassAutomaton {
    /// Accepts all keys.
    dfa: Dfa,
    /// How many bytes each class of bytes has.
    n_bytes: Vec<u32>,
    /// The class of the key that ends in the state.
    class: Vec<Option<Class>>,
}

/// Stands for as many keys as anyone may want.
pub(crate) const MANY: u32 = u32::MAX;

impl KeyClasses {
    /// The state before a key.
    pub(crate) const START: u32 = 0;

    fn new(patterns: &[Arc<Dfa>], keys: Option<&Dfa>, meter: &Meter) -> Result<Self, Error> {
        let counts = Mutex::default();
        if patterns.is_empty() && keys.is_none() {
            return Ok(Self { matched: vec![Box::new([])], automaton: None, counts });
        }
        let mut all: Vec<&Dfa> = vec![keys.unwrap_or_else(|| Dfa::any_text())];
        all.extend(patterns.iter().map(|dfa| &**dfa));
        let mut matched = Vec::new();
        let automaton = ClassAutomaton::new(&all, &mut matched, meter)?;
        Ok(Self { matched, automaton: Some(automaton), counts })
    }

    /// About how many bytes it takes.
    fn memory(&self) -> usize {
        let n_patterns = self.matched.first().map_or(0, |matched| matched.len());
        let automaton = self.automaton.as_ref().map_or(0, |automaton| automaton.dfa.memory());
        size_of::<Self>() + self.matched.len() * n_patterns + automaton
    }

    /// Whether all keys are of one class.
    pub(crate) fn is_everything(&self) -> bool {
        self.automaton.is_none()
    }

    /// One more byte of a key; `None` when no key at all goes on like that.
    pub(crate) fn step(&self, state: u32, byte: u8) -> Option<u32> {
        self.automaton.as_ref().map_or(Some(0), |automaton| automaton.dfa.step(state, byte))
    }

    /// The class of a byte: those that no state tells apart.
    pub(crate) fn byte_class(&self, byte: u8) -> u8 {
        self.automaton.as_ref().map_or(0, |automaton| automaton.dfa.class(byte))
    }

    /// The class of a key.
    pub(crate) fn class_of(&self, key: &[u8]) -> Option<Class> {
        let Some(automaton) = &self.automaton else { return Some(0) };
        let end = key.iter().try_fold(Self::START, |state, &byte| self.step(state, byte))?;
        automaton.class[end as usize]
    }

    /// The class of the key that ends in the state.
    pub(crate) fn class_at(&self, state: u32) -> Option<Class> {
        self.automaton.as_ref().map_or(Some(0), |automaton| automaton.class[state as usize])
    }

    /// How many keys of the classes begin with what led to the state; [`MANY`] for many.
    pub(crate) fn n_keys(&self, state: u32, classes: &ClassSet) -> u32 {
        match &self.automaton {
            None => {
                if contains(classes, 0) {
                    MANY
                } else {
                    0
                }
            }
            Some(automaton) => self.counts_of(automaton, classes)[state as usize],
        }
    }

    /// A short text that leads from the state to the end of a key of one of the classes.
    pub(crate) fn shortest_suffix(&self, state: u32, classes: &ClassSet) -> Option<Vec<u8>> {
        let Some(automaton) = &self.automaton else {
            return contains(classes, 0).then(Vec::new);
        };
        let mut origins: FxHashMap<u32, Option<(u32, u8)>> = FxHashMap::from_iter([(state, None)]);
        let mut queue = std::collections::VecDeque::from([state]);
        while let Some(at) = queue.pop_front() {
            if automaton.class[at as usize].is_some_and(|class| contains(classes, class)) {
                let mut suffix = Vec::new();
                let mut at = at;
                while let Some((before, byte)) = origins[&at] {
                    suffix.push(byte);
                    at = before;
                }
                suffix.reverse();
                return Some(suffix);
            }
            for byte in (b'a'..=b'z').chain(0..=255) {
                if let Some(next) = self.step(at, byte) {
                    origins.entry(next).or_insert_with(|| {
                        queue.push_back(next);
                        Some((at, byte))
                    });
                }
            }
        }
        None
    }

    fn counts_of(&self, automaton: &ClassAutomaton, classes: &ClassSet) -> Arc<[u32]> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry(classes.clone()).or_insert_with(|| automaton.count(classes).into()).clone()
    }
}

/// No class, of so many.
pub(crate) fn no_class(n_classes: usize) -> ClassSet {
    vec![0; n_classes.div_ceil(64)].into()
}

pub(crate) fn contains(classes: &ClassSet, class: Class) -> bool {
    classes[class as usize / 64] >> (class % 64) & 1 == 1
}

pub(crate) fn insert(classes: &mut ClassSet, class: Class) {
    classes[class as usize / 64] |= 1 << (class % 64);
}

impl ClassAutomaton {
    /// Explores the product; the first automaton says which keys there are.
    fn new(all: &[&Dfa], matched: &mut Vec<Box<[bool]>>, meter: &Meter) -> Result<Self, Error> {
        let quota = Quota::new(meter, limit!(meter.limits(), key_states));
        let mut class_ids: FxHashMap<Box<[bool]>, Class> = FxHashMap::default();
        let mut class = Vec::new();
        let dfa = Dfa::side_by_side(all, quota, |states| {
            let mut accepting = all.iter().zip(states).map(|(dfa, &at)| dfa.is_accepting(at));
            let is_key = accepting.next() == Some(true);
            class.push(is_key.then(|| {
                *class_ids.entry(accepting.collect()).or_insert_with_key(|bits| {
                    matched.push(bits.clone());
                    matched.len() as Class - 1
                })
            }));
            limit!(meter.limits(), key_classes).check(matched.len())?;
            Ok(is_key)
        })?;
        Ok(Self { n_bytes: dfa.class_sizes(), dfa, class })
    }

    /// For each state the number of keys of the classes that it leads to.
    fn count(&self, classes: &ClassSet) -> Vec<u32> {
        let n_states = self.class.len();
        let ends = |state: usize| self.class[state].is_some_and(|class| contains(classes, class));
        let mut sources: Vec<Vec<u32>> = vec![Vec::new(); n_states];
        for (state, targets) in self.dfa.rows().enumerate() {
            targets
                .iter()
                .filter(|&&to| to != DEAD)
                .for_each(|&to| sources[to as usize].push(state as u32));
        }
        let is_final: Vec<bool> = (0..n_states).map(ends).collect();
        let is_live = live(&is_final, &sources);
        self.count_live(&is_live, &sources, ends)
    }

    /// Backwards from the states without a live one after them; what lies on a loop is never
    /// reached that way and leads to many keys.
    fn count_live(
        &self,
        is_live: &[bool],
        sources: &[Vec<u32>],
        ends: impl Fn(usize) -> bool,
    ) -> Vec<u32> {
        let targets = |state: usize| {
            let row = self.dfa.row(state as u32).iter().zip(&self.n_bytes);
            row.filter(|(to, _)| **to != DEAD && is_live[**to as usize])
        };
        let mut counts: Vec<u32> =
            is_live.iter().map(|&is_live| if is_live { MANY } else { 0 }).collect();
        let mut n_open: Vec<usize> =
            (0..is_live.len()).map(|state| targets(state).count()).collect();
        let mut ready: Vec<usize> =
            (0..is_live.len()).filter(|&state| is_live[state] && n_open[state] == 0).collect();
        while let Some(state) = ready.pop() {
            let further =
                targets(state).map(|(&to, &n)| u64::from(counts[to as usize]) * u64::from(n));
            let total = further.sum::<u64>() + u64::from(ends(state));
            counts[state] = u32::try_from(total).unwrap_or(MANY);
            for &source in sources[state].iter().filter(|&&source| is_live[source as usize]) {
                n_open[source as usize] -= 1;
                if n_open[source as usize] == 0 {
                    ready.push(source as usize);
                }
            }
        }
        counts
    }
}
