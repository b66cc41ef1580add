//! [`Vocabulary`]: the bytes of each token id.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::byte_groups::{ByteGroups, TrieGroups};
use crate::error::Error;
use crate::generations::Generations;
use crate::grammar::bytes::ByteSet;
use crate::json_schema::{NumberPrefix, NumberRange, NumberStyle};
use crate::json_tokens::JsonTokens;
use crate::lexicon::{Lexicon, LexiconKind};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::number_tokens::{NumberTables, NumberTokens, NumberTrie, SIGNS};
use crate::runs::Run;
use crate::string_tables::StringTables;
use crate::token_list::TokenList;
use crate::token_trie::TokenTrie;

/// The nodes that a run begins with, and its groups.
type RunKey = (Box<[u32]>, ByteGroups);

/// The memory of the runs that are kept.
const MAX_RUN_BYTES: usize = 16 << 20;

type Encode = dyn Fn(&[u8]) -> Option<Vec<u32>> + Send + Sync;

/// Token ids with their bytes, and which of them end a sequence.
///
/// Built once for a tokenizer and shared behind an `Arc`. Tokens need not be valid UTF-8 by
/// themselves, and several ids may have the same bytes.
pub struct Vocabulary {
    tokens: TokenList,
    /// All ordinary tokens.
    whole: Lexicon,
    /// Of what the tokens of their trie consist.
    trie_groups: OnceLock<TrieGroups>,
    /// Tokens from some nodes of their trie on, as far as they were asked for.
    runs: Mutex<Generations<RunKey, Arc<Run>>>,
    /// Those that may follow in a JSON text, with white space before them cut off and without that.
    spaced: JsonTokens,
    bare: JsonTokens,
    /// Those that may go on with a number.
    digits: TokenTrie,
    /// Those that have more behind a bracket that may close an object or an array.
    beyond_brackets: OnceLock<TokenTrie>,
    numbers: NumberTables,
    strings: StringTables,
    special_names: Vec<(u32, String)>,
    encode: Option<Box<Encode>>,
}

impl Vocabulary {
    /// A vocabulary of `tokens[id]`, the bytes of each id.
    ///
    /// An empty entry is an id without a text. It is never allowed, and neither are the special
    /// ids, whose text has no meaning as text. The ids in `eos_ids` are allowed exactly where the
    /// text may end.
    ///
    /// # Errors
    /// [`Error::InvalidVocabulary`] when no id ends a sequence, an id is outside of the list, or
    /// no token has a text; [`Error::LimitExceeded`].
    pub fn new(tokens: Vec<Vec<u8>>, eos_ids: &[u32], special_ids: &[u32]) -> Result<Self, Error> {
        Self::with_limits(tokens, eos_ids, special_ids, &Limits::default())
    }

    /// As [`new`](Self::new), with other than the default limits.
    ///
    /// # Errors
    /// As there.
    pub fn with_limits(
        tokens: Vec<Vec<u8>>,
        eos_ids: &[u32],
        special_ids: &[u32],
        limits: &Limits,
    ) -> Result<Self, Error> {
        let tokens = TokenList::new(tokens, eos_ids, special_ids, limits)?;
        let trie = TokenTrie::new(tokens.ordinary());
        Ok(Self::with_trie(tokens, trie))
    }

    /// The vocabulary of tokens whose trie is known.
    pub(crate) fn with_trie(tokens: TokenList, trie: TokenTrie) -> Self {
        let n_ids = tokens.n_ids();
        let [spaced, bare] =
            [true, false].map(|cuts| JsonTokens::new(tokens.ordinary(), n_ids, cuts));
        let goes_on = |byte: &u8| SIGNS.contains(byte);
        let digits = tokens.ordinary().filter(|(_, bytes)| bytes.first().is_some_and(goes_on));
        let digits = TokenTrie::new(digits);
        let whole = Lexicon::new(trie, n_ids);
        let (numbers, strings) = (NumberTables::default(), StringTables::default());
        let runs = Mutex::new(Generations::new(MAX_RUN_BYTES));
        Self {
            tokens,
            whole,
            trie_groups: OnceLock::new(),
            runs,
            spaced,
            bare,
            digits,
            beyond_brackets: OnceLock::new(),
            numbers,
            strings,
            special_names: Vec::new(),
            encode: None,
        }
    }

    /// Names special ids, so that a text of parts may have them. Those of other ids mean nothing, and neither
    /// do those that end a sequence.
    #[must_use]
    pub fn with_special_names(mut self, names: impl IntoIterator<Item = (u32, String)>) -> Self {
        let is_right = |id: u32| self.is_special(id) && !self.eos_ids().contains(&id);
        let mut names: Vec<_> = names.into_iter().filter(|(id, _)| is_right(*id)).collect();
        names.sort();
        self.special_names = names;
        self
    }

    /// The special id of that name.
    #[must_use]
    pub fn special_id(&self, name: &str) -> Option<u32> {
        self.special_names.iter().find(|(_, known)| known == name).map(|(id, _)| *id)
    }

    pub(crate) fn special_names(&self) -> &[(u32, String)] {
        &self.special_names
    }

    /// Spells forced text as the tokenizer itself would; without it the longest token wins.
    ///
    /// `encode` gets bytes that need not be valid UTF-8, and may answer `None` for those that it
    /// can't spell.
    #[must_use]
    pub fn with_tokenizer(
        mut self,
        encode: impl Fn(&[u8]) -> Option<Vec<u32>> + Send + Sync + 'static,
    ) -> Self {
        self.encode = Some(Box::new(encode));
        self
    }

    /// The number of ids: they run from 0 to one less.
    #[must_use]
    pub fn n_ids(&self) -> usize {
        self.tokens.n_ids()
    }

    /// The bytes of a token, or `None` for an id outside of the vocabulary.
    #[must_use]
    pub fn token_bytes(&self, token: u32) -> Option<&[u8]> {
        self.tokens.bytes(token)
    }

    /// The ids that end a sequence.
    #[must_use]
    pub fn eos_ids(&self) -> &[u32] {
        self.tokens.eos_ids()
    }

    /// Whether the id is special: one that ends a sequence, or another that stands for no text.
    #[must_use]
    pub fn is_special(&self, token: u32) -> bool {
        self.tokens.is_special(token)
    }

    /// The tables of strings that all constraints share.
    pub(crate) fn string_tables(&self) -> &StringTables {
        &self.strings
    }

    pub(crate) fn tokens(&self) -> &TokenList {
        &self.tokens
    }

    pub(crate) fn trie(&self) -> &TokenTrie {
        &self.whole.trie
    }

    /// Of what all ordinary tokens consist.
    pub(crate) fn trie_groups(&self) -> &TrieGroups {
        self.trie_groups.get_or_init(|| TrieGroups::new(self.trie()))
    }

    /// The tokens from some nodes of the trie of all ordinary ones on, as texts of some groups, and what they
    /// have behind these where that begins with some bytes.
    pub(crate) fn run(
        &self,
        nodes: Box<[u32]>,
        groups: ByteGroups,
        next: &ByteSet,
    ) -> (Arc<Run>, Arc<TokenTrie>) {
        let runs = || self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (nodes, groups);
        let known = runs().get(&key);
        if let Some(run) = &known
            && let Some(beyond) = run.known_beyond(next)
        {
            return (run.clone(), beyond);
        }
        let make = || {
            Arc::new(Run::new((self.trie(), self.whole.all()), self.trie_groups(), &key.0, groups))
        };
        let run = known.unwrap_or_else(make);
        let beyond = run.beyond(next, self.trie());
        runs().insert(key, run.clone(), run.size_in_bytes());
        (run, beyond)
    }

    /// The tokens that have more behind a bracket that may close an object or an array.
    pub(crate) fn beyond_brackets(&self) -> &TokenTrie {
        let is_beyond =
            |(_, bytes): &(u32, &[u8])| bytes.iter().rev().skip(1).any(|byte| b"]}".contains(byte));
        self.beyond_brackets
            .get_or_init(|| TokenTrie::new(self.tokens.ordinary().filter(is_beyond)))
    }

    /// The tokens as what may follow inside of a string.
    pub(crate) fn lexicon(&self, kind: LexiconKind) -> &Lexicon {
        match kind {
            LexiconKind::Whole => &self.whole,
            LexiconKind::Quoted => &self.bare.strings,
            LexiconKind::SpacedQuoted => &self.spaced.strings,
        }
    }

    /// The tokens that may follow between two parts of a JSON text.
    pub(crate) fn json_tokens(&self, cuts_spaces: bool) -> &JsonTokens {
        if cuts_spaces { &self.spaced } else { &self.bare }
    }

    /// The tokens that may follow in a number, or begin one.
    pub(crate) fn number_tokens(
        &self,
        (range, style): (&NumberRange, NumberStyle),
        prefix: &NumberPrefix,
        kind: NumberTrie,
        meter: &Meter,
    ) -> Result<Arc<NumberTokens>, Error> {
        let trie = match kind {
            NumberTrie::Begin => &self.bare.numbers,
            NumberTrie::SpacedBegin => &self.spaced.numbers,
            NumberTrie::GoOn => &self.digits,
        };
        self.numbers.tokens((range, style), prefix, (kind, trie, self.n_ids()), meter)
    }

    /// Spells the text in tokens; `None` where some byte has no token.
    pub(crate) fn spell(&self, text: &[u8]) -> Option<Vec<u32>> {
        let canonical = self.encode.as_ref().and_then(|encode| encode(text));
        canonical.filter(|ids| self.spells(ids, text)).or_else(|| self.spell_greedily(text))
    }

    fn spells(&self, ids: &[u32], text: &[u8]) -> bool {
        let mut rest = text;
        for &id in ids {
            let token =
                self.token_bytes(id).filter(|token| !token.is_empty() && !self.is_special(id));
            match token.and_then(|token| rest.strip_prefix(token)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    fn spell_greedily(&self, mut text: &[u8]) -> Option<Vec<u32>> {
        let mut ids = Vec::new();
        while !text.is_empty() {
            let (id, length) = self.trie().longest_prefix(text)?;
            ids.push(id);
            text = &text[length..];
        }
        Some(ids)
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary")
            .field("n_ids", &self.n_ids())
            .field("eos_ids", &self.eos_ids())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(tokens: &[&str]) -> Vocabulary {
        let tokens: Vec<Vec<u8>> = tokens.iter().map(|token| token.as_bytes().to_vec()).collect();
        Vocabulary::new(tokens, &[0], &[]).unwrap()
    }

    #[test]
    fn spells_with_the_longest_tokens_unless_a_tokenizer_is_given() {
        let tokens = ["", "a", "b", "ab"];
        assert_eq!(vocabulary(&tokens).spell(b"ab"), Some(vec![3]));
        assert_eq!(vocabulary(&tokens).spell(b"ac"), None);
        let with = |ids: Vec<u32>| vocabulary(&tokens).with_tokenizer(move |_| Some(ids.clone()));
        assert_eq!(with(vec![1, 2]).spell(b"ab"), Some(vec![1, 2]));
        assert_eq!(with(vec![2]).spell(b"ab"), Some(vec![3]), "a wrong spelling is not used");
    }

    #[test]
    fn refuses_ids_that_do_not_exist() {
        let tokens = || vec![b"a".to_vec(), Vec::new()];
        assert!(Vocabulary::new(tokens(), &[1], &[]).is_ok());
        assert!(Vocabulary::new(tokens(), &[], &[]).is_err());
        assert!(Vocabulary::new(tokens(), &[2], &[]).is_err());
        assert!(Vocabulary::new(vec![Vec::new()], &[0], &[]).is_err());
    }
}
