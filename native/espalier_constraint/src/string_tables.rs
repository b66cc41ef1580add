//! [`StringTables`]: the tables of strings that are shared by all constraints of a vocabulary.

use std::sync::{Arc, Mutex, PoisonError};

use crate::generations::Generations;
use crate::json_schema::{PatternLanguages, StringRest};
use crate::lexicon::LexiconKind;
use crate::string_table::StringTable;
use crate::string_tokens::StringTokens;
use crate::vocabulary::Vocabulary;

/// About the memory of all tables, and of one of them.
const MAX_BYTES: usize = 32 << 20;
const MAX_TABLE_BYTES: usize = 8 << 20;

/// A table for the languages of each string of patterns and formats that was met lately.
#[derive(Debug)]
pub(crate) struct StringTables(Mutex<Generations<PatternLanguages, SharedTable>>);

type SharedTable = Arc<Mutex<Table>>;

#[derive(Debug)]
struct Table {
    table: StringTable<StringRest>,
    n_bytes: usize,
}

impl Default for StringTables {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(MAX_BYTES)))
    }
}

impl StringTables {
    /// The tokens of a lexicon that may follow inside of a string.
    pub(crate) fn tokens(
        &self,
        languages: &PatternLanguages,
        rest: &StringRest,
        kind: LexiconKind,
        vocabulary: &Vocabulary,
    ) -> Arc<StringTokens> {
        let tables = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Table { table: StringTable::new(rest, vocabulary.trie().depth()), n_bytes: 0 };
        let known = tables().get(languages);
        let shared = known.unwrap_or_else(|| Arc::new(Mutex::new(new())));
        let mut table = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if table.n_bytes > MAX_TABLE_BYTES {
            *table = new();
        }
        let (tokens, n_bytes) = table.table.tokens(rest, kind, vocabulary);
        if n_bytes > 0 {
            table.n_bytes += n_bytes;
            tables().insert(languages.clone(), shared.clone(), table.n_bytes);
        }
        tokens
    }
}
