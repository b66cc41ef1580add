//! A [`Dfa`] as bytes: the classes of bytes, the states and the table.
//!
//! What is read is checked to be what patterns and formats make: an automaton of texts in UTF-8. What
//! follows from the table (which states are dead, how far each is from an end) is not stored.

use super::{Reader, Writer};
use crate::dfa::{DEAD, Dfa};
use crate::error::Error;

const PART: &str = "automaton";

pub(crate) fn write_dfa(dfa: &Dfa, out: &mut Writer) {
    let width = Width::of(dfa.n_states());
    out.count(dfa.n_classes());
    out.raw(&std::array::from_fn::<u8, 256, _>(|byte| dfa.class(byte as u8)));
    out.count(dfa.n_states());
    out.u32(dfa.start());
    for states in dfa.accepting().chunks(8) {
        out.u8((0..).zip(states).map(|(place, bit)| u8::from(*bit) << place).sum());
    }
    for &target in dfa.table() {
        width.write(target, out);
    }
}

pub(crate) fn read_dfa(input: &mut Reader<'_>) -> Result<Dfa, Error> {
    let n_classes = input.u32(PART)? as usize;
    let classes = input.bytes(256, PART)?.first_chunk().copied().unwrap_or([0; 256]);
    if !(1..=256).contains(&n_classes)
        || classes.iter().any(|&class| usize::from(class) >= n_classes)
    {
        return Err(input.wrong(PART, "classes of bytes", format!("one outside of {n_classes}")));
    }
    let n_states = input.count(n_classes, PART)?;
    let start = input.u32(PART)?;
    let bits = input.bytes(n_states.div_ceil(8), PART)?;
    let accepting = (0..n_states).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
    let width = Width::of(n_states);
    let n_bytes = (n_states * n_classes).saturating_mul(width.n_bytes());
    let table = width.read(input.bytes(n_bytes, PART)?);
    let is_state = |state: u32| state == DEAD || (state as usize) < n_states;
    if !is_state(start) || !table.iter().all(|&target| is_state(target)) {
        return Err(input.wrong(PART, format!("numbers of {n_states} states"), "others"));
    }
    let dfa = Dfa::from_table((classes, n_classes), table, accepting, start);
    if !dfa.is_text() {
        return Err(input.wrong(PART, "an automaton of texts in UTF-8", "one of other bytes"));
    }
    Ok(dfa)
}

/// How many bytes the number of a state takes; with all bits set it is [`DEAD`].
#[derive(Clone, Copy)]
enum Width {
    One,
    Two,
    Four,
}

impl Width {
    fn of(n_states: usize) -> Self {
        match n_states {
            0..=0xFF => Self::One,
            0x100..=0xFFFF => Self::Two,
            _ => Self::Four,
        }
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    fn write(self, state: u32, out: &mut Writer) {
        out.raw(&state.to_le_bytes()[..self.n_bytes()]);
    }

    fn read(self, bytes: &[u8]) -> Vec<u32> {
        let dead = u32::MAX >> (32 - 8 * self.n_bytes());
        let state = |state: u32| if state == dead { DEAD } else { state };
        match self {
            Self::One => bytes.iter().map(|&byte| state(byte.into())).collect(),
            Self::Two => bytes
                .as_chunks()
                .0
                .iter()
                .map(|&two| state(u16::from_le_bytes(two).into()))
                .collect(),
            Self::Four => {
                bytes.as_chunks().0.iter().map(|&four| state(u32::from_le_bytes(four))).collect()
            }
        }
    }
}
