//! A [`Dfa`] as bytes: the classes of bytes, the states and the table.
//!
//! Most neighbours in a row of the table are equal: each row is a list of runs. What is read is checked to
//! be what patterns and formats make: an automaton of texts in UTF-8. What
//! follows from the table (which states are dead, how far each is from an end) is not stored.

use super::{Reader, Writer};
use crate::dfa::{DEAD, Dfa};
use crate::error::Error;
use crate::limits::limit;
use crate::meter::{Meter, Quota};

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
    for run in dfa.rows().flat_map(|row| row.chunk_by(|a, b| a == b)) {
        out.u8((run.len() - 1) as u8);
        width.write(run[0], out);
    }
}

/// # Errors
/// [`Error::InvalidSerialized`] for what no pattern makes, [`Error::LimitExceeded`] for what is larger than
/// the meter's limits or takes more fuel.
pub(crate) fn read_dfa(input: &mut Reader<'_>, meter: &Meter) -> Result<Dfa, Error> {
    let n_classes = input.u32(PART)? as usize;
    let classes = input.bytes(256, PART)?.first_chunk().copied().unwrap_or([0; 256]);
    if !(1..=256).contains(&n_classes)
        || classes.iter().any(|&class| usize::from(class) >= n_classes)
    {
        return Err(input.wrong(PART, "classes of bytes", format!("one outside of {n_classes}")));
    }
    let n_states = input.count(1, PART)?;
    let start = input.u32(PART)?;
    let bits = input.bytes(n_states.div_ceil(8), PART)?;
    let accepting = (0..n_states).map(|at| bits[at / 8] >> (at % 8) & 1 == 1).collect();
    let n_entries = n_states.saturating_mul(n_classes);
    Quota::new(meter, limit!(meter.limits(), regex_table_entries)).spend(n_entries, n_entries)?;
    let table = read_table(input, n_states, n_classes)?;
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

fn read_table(
    input: &mut Reader<'_>,
    n_states: usize,
    n_classes: usize,
) -> Result<Vec<u32>, Error> {
    let width = Width::of(n_states);
    let mut table = Vec::with_capacity(n_states * n_classes);
    for row in 1..=n_states {
        while table.len() < row * n_classes {
            let length = usize::from(input.u8(PART)?) + 1;
            table.resize(table.len() + length, width.read(input)?);
        }
        if table.len() > row * n_classes {
            return Err(input.wrong(PART, format!("a row of {n_classes} classes"), "a longer one"));
        }
    }
    Ok(table)
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

    fn read(self, input: &mut Reader<'_>) -> Result<u32, Error> {
        let (state, dead) = match self {
            Self::One => (input.u8(PART)?.into(), 0xFF),
            Self::Two => (input.u16(PART)?.into(), 0xFFFF),
            Self::Four => (input.u32(PART)?, DEAD),
        };
        Ok(if state == dead { DEAD } else { state })
    }
}
