//! [`NumberTables`]: the tokens that may follow in numbers of some range, whatever encloses them.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use crate::error::Error;
use crate::json_schema::{NumberPrefix, NumberRange, NumberStyle};
use crate::meter::Meter;
use crate::token_mask::TokenSet;
use crate::token_trie::{Children, TokenTrie};

/// The tables that are kept, and the places that one of them may have, with the memory of these.
const MAX_TABLES: usize = 256;
const MAX_PLACES: usize = 4096;
const MAX_PLACE_BYTES: usize = 1 << 20;

/// A table for each range of numbers that was met, shared by all constraints of a vocabulary.
#[derive(Debug, Default)]
pub(crate) struct NumberTables {
    tables: Mutex<FxHashMap<(NumberRange, NumberStyle), SharedTable>>,
}

type SharedTable = Arc<Mutex<NumberTable>>;

/// The tokens of some kind that may follow at some place in a number.
#[derive(Debug)]
pub(crate) struct NumberTokens {
    /// Those that stay in the number.
    pub(crate) inside: Arc<TokenSet>,
    /// Those that end it: what follows is not known here.
    pub(crate) beyond: Vec<u32>,
}

/// Where the tokens stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum NumberTrie {
    /// They begin the number.
    Begin,
    /// They begin it, maybe after white space.
    SpacedBegin,
    /// They go on with it.
    GoOn,
}

/// How numbers of one range go on, as a table that grows as it is asked.
#[derive(Debug, Default)]
struct NumberTable {
    ids: FxHashMap<NumberPrefix, u32>,
    places: Vec<NumberPrefix>,
    rows: Vec<[u32; SIGNS.len()]>,
    tokens: FxHashMap<(u32, NumberTrie), Arc<NumberTokens>>,
    /// About the memory of the places beyond themselves.
    n_bytes: usize,
}

/// What numbers consist of.
pub(crate) const SIGNS: [u8; 15] = *b"0123456789+-.Ee";

/// In place of a place: not asked yet, or refused.
const UNKNOWN: u32 = u32::MAX;
const REFUSED: u32 = u32::MAX - 1;

impl NumberTables {
    /// The tokens of a trie that may follow after a prefix of a number of the range.
    pub(crate) fn tokens(
        &self,
        (range, style): (&NumberRange, NumberStyle),
        prefix: &NumberPrefix,
        (kind, trie, n_ids): (NumberTrie, &TokenTrie, usize),
        meter: &Meter,
    ) -> Result<Arc<NumberTokens>, Error> {
        let table = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            if tables.len() >= MAX_TABLES {
                tables.clear();
            }
            tables.entry((range.clone(), style)).or_default().clone()
        };
        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.places.len() > MAX_PLACES || table.n_bytes > MAX_PLACE_BYTES {
            *table = NumberTable::default();
        }
        let place = table.id_of(prefix.clone());
        if let Some(tokens) = table.tokens.get(&(place, kind)) {
            return Ok(tokens.clone());
        }
        let tokens = table.find_tokens((range, style), place, (trie, n_ids), meter)?;
        let tokens = Arc::new(tokens);
        table.tokens.insert((place, kind), tokens.clone());
        Ok(tokens)
    }
}

impl NumberTable {
    fn find_tokens(
        &mut self,
        (range, style): (&NumberRange, NumberStyle),
        start: u32,
        (trie, n_ids): (&TokenTrie, usize),
        meter: &Meter,
    ) -> Result<NumberTokens, Error> {
        let (mut inside, mut beyond) = (Vec::new(), Vec::new());
        let mut path = vec![start];
        trie.walk(|visit| {
            path.truncate(visit.depth);
            let at = path[visit.depth - 1];
            let next = self.step((range, style), at, visit.byte, meter)?;
            if next != REFUSED {
                path.push(next);
                inside.extend(visit.ids());
                return Ok::<_, Error>(Children::All);
            }
            // The number must end before this byte, which no number goes on with.
            let is_end = !SIGNS.contains(&visit.byte) && visit.depth > 1;
            if is_end && self.places[at as usize].is_complete(range, style) {
                beyond.extend(visit.ids_below());
            }
            Ok(Children::None)
        })?;
        Ok(NumberTokens { inside: Arc::new(TokenSet::new(inside, n_ids)), beyond })
    }

    fn step(
        &mut self,
        (range, style): (&NumberRange, NumberStyle),
        place: u32,
        byte: u8,
        meter: &Meter,
    ) -> Result<u32, Error> {
        meter.spend(1)?;
        let column = SIGNS.iter().position(|&sign| sign == byte);
        let Some(column) = column else { return Ok(REFUSED) };
        let known = self.rows[place as usize][column];
        if known != UNKNOWN {
            return Ok(known);
        }
        meter.spend(range.work())?;
        let next = self.places[place as usize].step(byte, range, style);
        let next = next.map_or(REFUSED, |next| self.id_of(next));
        self.rows[place as usize][column] = next;
        Ok(next)
    }

    fn id_of(&mut self, prefix: NumberPrefix) -> u32 {
        if let Some(&id) = self.ids.get(&prefix) {
            return id;
        }
        let id = self.places.len() as u32;
        self.ids.insert(prefix.clone(), id);
        self.n_bytes += 2 * prefix.memory();
        self.places.push(prefix);
        self.rows.push([UNKNOWN; SIGNS.len()]);
        id
    }
}
