//! How many characters may follow at a state, whichever they are.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::character_set::CharacterSet;
use crate::dfa::classes_of;

/// Larger automata take too long; there it counts as none.
const MAX_STATES: usize = 8192;

/// An automaton over bytes with numbered states.
pub(crate) trait ByteAutomaton {
    fn n_states(&self) -> usize;

    /// Bytes of the same class lead to the same states.
    fn class(&self, byte: u8) -> u8;

    /// The state after one more byte, if it is certain that it may follow.
    fn step(&self, state: u32, byte: u8) -> Option<u32>;
}

/// For each state: that many characters, or fewer, may follow it whichever they are, as long as they
/// are of the set. [`u32::MAX`] where there is no end to them.
///
/// Backwards from the states that refuse some character, breadth first: each state has one more
/// character than the nearest of those that it leads to.
pub(crate) fn free_characters(
    automaton: &impl ByteAutomaton,
    characters: CharacterSet,
) -> Arc<[u32]> {
    if automaton.n_states() > MAX_STATES {
        return vec![0; automaton.n_states()].into();
    }
    let texts = characters.texts();
    let (_, representatives) = classes_of(|byte| (automaton.class(byte), texts.class(byte)));
    let index = |state: u32, place: u32| state as usize * texts.n_states() + place as usize;
    let n = automaton.n_states() * texts.n_states();
    let mut sources: Vec<Vec<(u32, bool)>> = vec![Vec::new(); n];
    let mut free = vec![u32::MAX; n];
    let mut open = VecDeque::new();
    for state in 0..automaton.n_states() as u32 {
        for place in 0..texts.n_states() as u32 {
            let from = index(state, place);
            for &byte in &representatives {
                let Some(next_place) = texts.step(place, byte) else { continue };
                match automaton.step(state, byte) {
                    Some(next) => {
                        let ends_character = texts.is_accepting(next_place);
                        sources[index(next, next_place)].push((from as u32, ends_character));
                    }
                    None => free[from] = 0,
                }
            }
            if free[from] == 0 {
                open.push_back((from as u32, 0));
            }
        }
    }
    while let Some((at, n_characters)) = open.pop_front() {
        if free[at as usize] < n_characters {
            continue;
        }
        for &(from, ends_character) in &sources[at as usize] {
            let n_characters = n_characters + u32::from(ends_character);
            if n_characters < free[from as usize] {
                free[from as usize] = n_characters;
                if ends_character {
                    open.push_back((from, n_characters));
                } else {
                    open.push_front((from, n_characters));
                }
            }
        }
    }
    (0..automaton.n_states() as u32).map(|state| free[index(state, texts.start())]).collect()
}
