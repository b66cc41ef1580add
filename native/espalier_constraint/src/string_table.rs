//! [`StringTable`]: how strings of some languages go on, as a table that grows as it is asked.

use std::convert::Infallible;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::machine::{FreeCharacters, Inside, Move};
use crate::string_tokens::{Closings, StringTokens};
use crate::token_mask::TokenMask;
use crate::vocabulary::Vocabulary;

/// The positions in strings of some languages by number, with what each byte does, and the tokens
/// that may follow.
#[derive(Debug)]
pub(crate) struct StringTable<I: Inside> {
    ids: FxHashMap<I::Position, u32>,
    positions: Vec<I::Position>,
    rows: Vec<[u32; 256]>,
    endings: FxHashMap<I::End, u32>,
    tokens: FxHashMap<u32, Arc<StringTokens>>,
}

/// In place of a position: not asked yet.
const UNKNOWN: u32 = u32::MAX;
const REFUSED: u32 = u32::MAX - 1;
const DOUBTFUL: u32 = u32::MAX - 2;
/// From here on: the string ends, with the ending of this number above it.
const ENDS: u32 = 1 << 30;

/// So many tokens that are longer than what is free are tried one by one.
const MAX_LONGER: usize = 10_000;

/// More positions than that are forgotten.
const MAX_POSITIONS: usize = 20_000;

impl<I: Inside> Default for StringTable<I> {
    fn default() -> Self {
        Self {
            ids: FxHashMap::default(),
            positions: Vec::new(),
            rows: Vec::new(),
            endings: FxHashMap::default(),
            tokens: FxHashMap::default(),
        }
    }
}

impl<I: Inside> StringTable<I> {
    /// The tokens that may follow at the start of the rest of a string in these languages, and how
    /// much memory it took to find out.
    pub(crate) fn tokens(
        &mut self,
        rest: &I,
        vocabulary: &Vocabulary,
    ) -> (Arc<StringTokens>, usize) {
        if self.positions.len() > MAX_POSITIONS {
            *self = Self::default();
        }
        let n_before = self.positions.len();
        let start = self.id_of(rest.shared_start());
        if let Some(tokens) = self.tokens.get(&start) {
            return (tokens.clone(), 0);
        }
        let tokens = Arc::new(self.find_tokens(rest, start, vocabulary));
        self.tokens.insert(start, tokens.clone());
        let n_rows = self.positions.len() - n_before;
        let n_bytes = n_rows * (size_of::<[u32; 256]>() + 2 * size_of::<I::Position>());
        (tokens.clone(), n_bytes + tokens.size_in_bytes())
    }

    fn find_tokens(&mut self, rest: &I, start: u32, vocabulary: &Vocabulary) -> StringTokens {
        let FreeCharacters { of, n, are_more } = rest.free_characters();
        let is_sliced = n > 0 && (!are_more || vocabulary.sliced(of).beyond(n).len() <= MAX_LONGER);
        let sliced = is_sliced.then(|| vocabulary.sliced(of));
        let trie = sliced.map_or(vocabulary.trie(), |sliced| &sliced.others);
        let mut inside =
            sliced.map_or_else(|| TokenMask::none(vocabulary.n_ids()), |sliced| sliced.up_to(n));
        let longer = sliced.filter(|_| are_more).into_iter().flat_map(|sliced| sliced.beyond(n));
        let (mut closings, mut doubtful) = (Closings::default(), Vec::new());
        for id in longer {
            match self.after(rest, start, vocabulary.token_bytes(id).unwrap_or_default()) {
                DOUBTFUL => doubtful.push(id),
                after if after < ENDS => inside.allow(id),
                _ => {}
            }
        }
        let mut path = vec![start];
        let walked = trie.walk(|visit| {
            path.truncate(visit.depth);
            let next = self.step(rest, path[visit.depth - 1], visit.byte);
            match next {
                REFUSED => {}
                DOUBTFUL => doubtful.extend(visit.ids_below()),
                ENDS.. => {
                    for &id in visit.ids_below() {
                        let token = vocabulary.token_bytes(id).unwrap_or_default();
                        let (quote, ending) = (visit.depth - 1, (next - ENDS) as usize);
                        closings.add(ending, id, token, quote, rest.decoded(&token[..quote]));
                    }
                }
                _ => {
                    path.push(next);
                    visit.ids().iter().for_each(|&id| inside.allow(id));
                    return Ok(true);
                }
            }
            Ok::<_, Infallible>(false)
        });
        let Ok(()) = walked;
        StringTokens::new(inside, closings, doubtful)
    }

    /// Where some bytes lead, up to the first that doesn't stay inside.
    fn after(&mut self, rest: &I, mut position: u32, bytes: &[u8]) -> u32 {
        for &byte in bytes {
            position = self.step(rest, position, byte);
            if position >= ENDS {
                break;
            }
        }
        position
    }

    fn step(&mut self, rest: &I, position: u32, byte: u8) -> u32 {
        match self.rows[position as usize][usize::from(byte)] {
            UNKNOWN => {
                let next = match rest.shared_step(&self.positions[position as usize], byte) {
                    Move::Stays(next) => self.id_of(next),
                    Move::Ends(end) => {
                        let n_endings = self.endings.len() as u32;
                        ENDS + *self.endings.entry(end).or_insert(n_endings)
                    }
                    Move::Refused => REFUSED,
                    Move::Doubtful => DOUBTFUL,
                };
                self.rows[position as usize][usize::from(byte)] = next;
                next
            }
            known => known,
        }
    }

    fn id_of(&mut self, position: I::Position) -> u32 {
        if let Some(&id) = self.ids.get(&position) {
            return id;
        }
        let id = self.positions.len() as u32;
        self.ids.insert(position.clone(), id);
        self.positions.push(position);
        self.rows.push([UNKNOWN; 256]);
        id
    }
}
