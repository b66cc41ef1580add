//! How many characters may follow at a state, whichever they are.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use crate::dfa::{Dfa, classes_of};

/// Larger automata take too long; there it counts as none.
const MAX_STATES: usize = 8192;

/// Whether a character stands for itself in a JSON string, and is none that patterns often refuse.
pub(crate) fn is_plain(character: char) -> bool {
    character >= ' ' && !matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}')
}

/// The automaton of texts of plain characters.
fn plain_text() -> &'static Dfa {
    static PLAIN: LazyLock<Dfa> = LazyLock::new(|| {
        let plain = super::compile("[^\\x00-\\x1F\"\\\\\\u{2028}\\u{2029}]*");
        plain.unwrap_or_else(|_| unreachable!("a valid expression"))
    });
    &PLAIN
}

/// An automaton over bytes with numbered states.
pub(crate) trait ByteAutomaton {
    fn n_states(&self) -> usize;

    /// Bytes of the same class lead to the same states.
    fn class(&self, byte: u8) -> u8;

    /// The state after one more byte, if it is certain that it may follow.
    fn step(&self, state: u32, byte: u8) -> Option<u32>;
}

/// For each state: that many characters, or fewer, may follow it whichever they are, as long as they
/// are [plain](is_plain). [`u32::MAX`] where there is no end to them.
///
/// Backwards from the states that refuse some character, breadth first: each state has one more
/// character than the nearest of those that it leads to.
pub(crate) fn free_characters(automaton: &impl ByteAutomaton) -> Arc<[u32]> {
    if automaton.n_states() > MAX_STATES {
        return vec![0; automaton.n_states()].into();
    }
    let plain = plain_text();
    let (_, representatives) = classes_of(|byte| (automaton.class(byte), plain.class(byte)));
    let index = |state: u32, place: u32| state as usize * plain.n_states() + place as usize;
    let n = automaton.n_states() * plain.n_states();
    let mut sources: Vec<Vec<(u32, bool)>> = vec![Vec::new(); n];
    let mut free = vec![u32::MAX; n];
    let mut open = VecDeque::new();
    for state in 0..automaton.n_states() as u32 {
        for place in 0..plain.n_states() as u32 {
            let from = index(state, place);
            for &byte in &representatives {
                let Some(next_place) = plain.step(place, byte) else { continue };
                match automaton.step(state, byte) {
                    Some(next) => {
                        let ends_character = plain.is_accepting(next_place);
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
    (0..automaton.n_states() as u32).map(|state| free[index(state, plain.start())]).collect()
}
