//! [`Matcher`]: progress of one sequence through a constraint.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::automaton::{Automaton, StateId};
use crate::error::Error;
use crate::grammar::special_tokens::{self, SpecialTokens};
use crate::machine::Counts;
use crate::meter::Cancellation;
use crate::replicas::{Guard, Replicas};
use crate::token_mask::TokenMask;
use crate::token_trie::Children;
use crate::vocabulary::Vocabulary;

/// Where one sequence stands: which tokens were accepted, and which are allowed next.
///
/// Four questions about the end, with four answers: [`is_accepting`](Self::is_accepting) (may the
/// text end here?), [`must_stop`](Self::must_stop) (must it?), [`is_finished`](Self::is_finished)
/// (has the end-of-sequence token been accepted?), and [`forced_tokens`](Self::forced_tokens)
/// (what is the only way on?).
///
/// A token is in the mask exactly when it is accepted. A call that fails changes nothing, unless
/// its documentation says otherwise. A clone goes on by itself from where it was made. That a call may
/// fail with [`Error::LimitExceeded`] or
/// [`Error::Cancelled`] goes for all that have work to do.
#[derive(Clone, Debug)]
pub struct Matcher {
    replicas: Arc<Replicas>,
    /// The table in which its states are, and how often another thread had it.
    table: usize,
    n_waits: usize,
    vocabulary: Arc<Vocabulary>,
    special_tokens: Arc<SpecialTokens>,
    /// What was accepted, one entry for each unit of rollback.
    accepted: Vec<Accepted>,
    /// Where it stood at the start and after each accepted unit, in states of the automaton's epoch.
    spots: Vec<Spot>,
    epoch: Option<u64>,
    is_finished: bool,
    cancellation: Option<Cancellation>,
}

#[derive(Clone, Debug)]
enum Accepted {
    Token(u32),
    Text(Box<[u8]>),
    EndOfSequence,
}

/// A place in a sequence.
#[derive(Clone, Debug, Default)]
struct Spot {
    state: StateId,
    /// How many tokens lie in the texts that have a bound.
    counts: Counts,
}

/// Where a matcher stands, beside the locked table that the state belongs to.
struct Locked<'a> {
    automaton: Guard<'a>,
    state: StateId,
    counts: Counts,
}

/// Reading so many tokens again takes about as long as waiting for a table.
const TOKENS_PER_WAIT: usize = 16;

/// The most bytes of forced text that are looked for at once.
const MAX_FORCED: usize = 4096;

/// How many of the allowed ids an error names.
const MAX_NAMED: usize = 8;

impl Matcher {
    pub(crate) fn new(
        replicas: Arc<Replicas>,
        vocabulary: Arc<Vocabulary>,
        special_tokens: Arc<SpecialTokens>,
    ) -> Self {
        Self {
            replicas,
            table: 0,
            n_waits: 0,
            vocabulary,
            special_tokens,
            accepted: Vec::new(),
            spots: Vec::new(),
            epoch: None,
            is_finished: false,
            cancellation: None,
        }
    }

    /// The handle ends calls of this matcher with [`Error::Cancelled`]: the one that is running, and all
    /// later ones that have work to do.
    #[must_use]
    pub fn with_cancellation(self, cancellation: Cancellation) -> Self {
        Self { cancellation: Some(cancellation), ..self }
    }

    /// The ids that are allowed next; none after the end.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when the schema needs more than a limit allows at this place.
    pub fn compute_mask(&mut self) -> Result<Arc<TokenMask>, Error> {
        if self.is_finished {
            return Ok(Arc::new(TokenMask::none(self.vocabulary.n_ids())));
        }
        let mut locked = self.lock()?;
        let state = locked.state;
        locked.automaton.mask(state)
    }

    /// Accepts the next token.
    ///
    /// # Errors
    /// [`Error::TokenNotAllowed`], [`Error::UnknownToken`], [`Error::Finished`],
    /// [`Error::LimitExceeded`].
    pub fn accept_token(&mut self, token: u32) -> Result<(), Error> {
        if self.is_finished {
            return Err(Error::Finished);
        }
        let Some(bytes) = self.vocabulary.token_bytes(token) else {
            let vocabulary_size = self.vocabulary.n_ids();
            return Err(Error::UnknownToken { token, vocabulary_size });
        };
        if self.vocabulary.eos_ids().contains(&token) {
            return self.accept_end(token);
        }
        let special = self.special_tokens.find(token);
        let is_allowed = special.is_some()
            || !bytes.is_empty()
                && !self.vocabulary.is_special(token)
                && self.special_tokens.find_mark(bytes).is_none();
        // Copied: counting who holds the vocabulary would make threads wait for one another.
        let bytes: SmallVec<[u8; 32]> = special.map_or(bytes, |special| &special.bytes).into();
        let next = {
            let Locked { mut automaton, state, counts } = self.lock()?;
            let spot = Spot { state, counts };
            if is_allowed { spot.after_token(&mut **automaton, token, &bytes)? } else { None }
        };
        match next {
            Some(spot) => {
                self.accepted.push(Accepted::Token(token));
                self.spots.push(spot);
                Ok(())
            }
            None => Err(self.not_allowed(token)?),
        }
    }

    /// Accepts tokens until one is refused.
    ///
    /// # Errors
    /// The index of the refused token, and why it is refused as in
    /// [`accept_token`](Self::accept_token). Those before it stay accepted.
    pub fn accept_tokens(&mut self, tokens: &[u32]) -> Result<(), (usize, Error)> {
        for (index, &token) in tokens.iter().enumerate() {
            self.accept_token(token).map_err(|error| (index, error))?;
        }
        Ok(())
    }

    /// How many of the tokens could be accepted one after another; nothing is accepted.
    pub fn validate_tokens(&mut self, tokens: &[u32]) -> Result<usize, Error> {
        let n_valid = match self.accept_tokens(tokens) {
            Ok(()) => tokens.len(),
            Err((
                index,
                Error::TokenNotAllowed { .. } | Error::UnknownToken { .. } | Error::Finished,
            )) => index,
            Err((index, error)) => {
                self.rollback(index)?;
                return Err(error);
            }
        };
        self.rollback(n_valid)?;
        Ok(n_valid)
    }

    /// Accepts text, however it would be cut into tokens. It is rolled back as one unit. Where the tokens of a text
    /// have a bound, it counts as none.
    ///
    /// # Errors
    /// [`Error::TextNotAllowed`] with the first refused byte, [`Error::Finished`],
    /// [`Error::LimitExceeded`].
    pub fn accept_text(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.is_finished {
            return Err(Error::Finished);
        }
        if let Some(offset) = self.special_tokens.find_mark(text) {
            return Err(Error::TextNotAllowed { offset });
        }
        let next = {
            let Locked { mut automaton, state, counts } = self.lock()?;
            Spot { state, counts }.after_text(&mut **automaton, text)?
        };
        let spot = next.map_err(|offset| Error::TextNotAllowed { offset })?;
        self.accepted.push(Accepted::Text(text.into()));
        self.spots.push(spot);
        Ok(())
    }

    /// Takes the last `n` accepted tokens back, the end-of-sequence token included. A text counts
    /// as one.
    ///
    /// # Errors
    /// [`Error::RollbackTooFar`].
    pub fn rollback(&mut self, n: usize) -> Result<(), Error> {
        let accepted = self.accepted.len();
        let n_left =
            accepted.checked_sub(n).ok_or(Error::RollbackTooFar { requested: n, accepted })?;
        self.accepted.truncate(n_left);
        self.spots.truncate(n_left + 1);
        self.is_finished &= n == 0;
        Ok(())
    }

    /// Takes everything back that was accepted.
    pub fn reset(&mut self) {
        self.accepted.clear();
        self.spots.truncate(1);
        self.is_finished = false;
    }

    /// The bytes of what was accepted and not taken back.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        let bytes = self.accepted.iter().map(|accepted| match accepted {
            Accepted::Token(id) => self.token_text(*id),
            Accepted::Text(text) => text,
            Accepted::EndOfSequence => &[],
        });
        bytes.collect::<Vec<_>>().concat()
    }

    /// The text that a token is here: its bytes, or the name of a special one that the constraint names.
    #[must_use]
    pub fn token_text(&self, id: u32) -> &[u8] {
        match self.special_tokens.find(id) {
            Some(special) => special.name.as_bytes(),
            None => self.vocabulary.token_bytes(id).unwrap_or_default(),
        }
    }

    /// Whether the constraint names the token, which is a special one.
    #[must_use]
    pub fn is_special(&self, id: u32) -> bool {
        self.special_tokens.find(id).is_some()
    }

    /// How many tokens and texts were accepted and not taken back.
    #[must_use]
    pub fn n_accepted(&self) -> usize {
        self.accepted.len()
    }

    /// Whether the text may end here: the end-of-sequence tokens are in the mask exactly then.
    pub fn is_accepting(&mut self) -> Result<bool, Error> {
        if self.is_finished {
            return Ok(false);
        }
        let locked = self.lock()?;
        Ok(locked.automaton.is_accepting(locked.state))
    }

    /// Whether the text must end here: nothing but an end-of-sequence token is allowed.
    pub fn must_stop(&mut self) -> Result<bool, Error> {
        if !self.is_accepting()? {
            return Ok(false);
        }
        let vocabulary = self.vocabulary.clone();
        let mut locked = self.lock()?;
        let state = locked.state;
        let mut goes_on = false;
        for byte in 0..=255 {
            if locked.automaton.step(state, byte)?.is_some() {
                goes_on = true;
                if vocabulary.trie().longest_prefix(&[byte]).is_some() {
                    return Ok(false);
                }
            }
        }
        // The tokens may lack what the text could go on with.
        Ok(!goes_on
            || locked.automaton.mask(state)?.iter().all(|id| vocabulary.eos_ids().contains(&id)))
    }

    /// Whether an end-of-sequence token was accepted.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The tokens that are the only way on, in the tokenizer's own spelling; often none.
    ///
    /// The end-of-sequence token is never among them. Where the tokenizer would spell the end of
    /// the forced text together with what comes after it, that end is left to be sampled. Of a long
    /// forced text these are the first tokens.
    pub fn forced_tokens(&mut self) -> Result<Vec<u32>, Error> {
        if self.is_finished {
            return Ok(Vec::new());
        }
        let (vocabulary, special_tokens) = (self.vocabulary.clone(), self.special_tokens.clone());
        let mut locked = self.lock()?;
        let (text, states) = locked.forced_text()?;
        let mut tokens = spell(&text, &vocabulary, &special_tokens);
        let (mut at, mut n_kept) = (0, 0);
        while n_kept < tokens.len()
            && !locked.some_token_reaches_beyond(&vocabulary, &text[at..], &states[at..])?
        {
            at += bytes_of(tokens[n_kept], &vocabulary, &special_tokens).len();
            n_kept += 1;
        }
        tokens.truncate(n_kept);
        Ok(tokens)
    }

    /// Tokens that lead to an end soonest; none where the text may end.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] when even the shortest text is too long to be made up.
    pub fn shortest_completion(&mut self) -> Result<Vec<u32>, Error> {
        let text = self.completion()?;
        Ok(spell(&text, &self.vocabulary, &self.special_tokens))
    }

    /// As many tokens as [`shortest_completion`](Self::shortest_completion) has, or more: the
    /// number of its bytes.
    ///
    /// # Errors
    /// As there.
    pub fn completion_bound(&mut self) -> Result<usize, Error> {
        Ok(self.completion()?.len())
    }

    fn completion(&mut self) -> Result<Arc<[u8]>, Error> {
        if self.is_finished {
            return Ok(Arc::new([]));
        }
        let mut locked = self.lock()?;
        let state = locked.state;
        locked.automaton.completion(state)
    }

    fn accept_end(&mut self, token: u32) -> Result<(), Error> {
        if !self.is_accepting()? {
            return Err(self.not_allowed(token)?);
        }
        let Locked { state, counts, .. } = self.lock()?;
        self.accepted.push(Accepted::EndOfSequence);
        self.spots.push(Spot { state, counts });
        self.is_finished = true;
        Ok(())
    }

    fn not_allowed(&mut self, token: u32) -> Result<Error, Error> {
        let bytes = self.vocabulary.token_bytes(token).unwrap_or_default();
        let bytes = String::from_utf8_lossy(bytes).into_owned();
        let mask = self.compute_mask()?;
        let allowed = mask.iter().take(MAX_NAMED).collect();
        Ok(Error::TokenNotAllowed { token, bytes, n_allowed: mask.count(), allowed })
    }

    /// Locks the table and finds the current state in it, reading everything again if the table
    /// was emptied since.
    fn lock(&mut self) -> Result<Locked<'_>, Error> {
        let mut automaton = if let Some(automaton) = self.replicas.try_lock(self.table) {
            automaton
        } else {
            self.n_waits += 1;
            let is_worth = self.n_waits * TOKENS_PER_WAIT >= self.accepted.len();
            move_table(&self.replicas, &mut self.table, &mut self.epoch, is_worth)
        };
        let n_tables = self.replicas.count();
        automaton.shrink(n_tables);
        if self.epoch != Some(automaton.epoch()) {
            let cancellation = self.cancellation.as_ref();
            self.spots = read_again(
                &mut **automaton,
                &self.accepted,
                &self.vocabulary,
                &self.special_tokens,
                cancellation,
            )?;
            automaton.make_room(n_tables);
            self.epoch = Some(automaton.epoch());
        }
        automaton.refill(self.cancellation.as_ref());
        let Spot { state, counts } = self.spots.last().cloned().unwrap_or_default();
        Ok(Locked { automaton, state, counts })
    }
}

impl Spot {
    fn after_token(
        &self,
        automaton: &mut dyn Automaton,
        token: u32,
        bytes: &[u8],
    ) -> Result<Option<Self>, Error> {
        let Some(after) = automaton.read_token(self.state, token, bytes)? else { return Ok(None) };
        self.counted(automaton, bytes, 1, after).map(Some)
    }

    fn after_text(
        &self,
        automaton: &mut dyn Automaton,
        text: &[u8],
    ) -> Result<Result<Self, usize>, Error> {
        match automaton.read_text(self.state, text)? {
            Ok(after) => self.counted(automaton, text, 0, after).map(Ok),
            Err(offset) => Ok(Err(offset)),
        }
    }

    fn counted(
        &self,
        automaton: &mut dyn Automaton,
        bytes: &[u8],
        n_tokens: u32,
        after: StateId,
    ) -> Result<Self, Error> {
        let before = (self.state, &self.counts);
        let (state, counts) = automaton.count_tokens(before, bytes, n_tokens, after)?;
        Ok(Self { state, counts })
    }
}

/// A table instead of one that another thread has. In another table the sequence has to be read again,
/// so it moves only where it has waited as often as it would read some tokens.
fn move_table<'a>(
    replicas: &'a Replicas,
    table: &mut usize,
    epoch: &mut Option<u64>,
    is_worth: bool,
) -> Guard<'a> {
    if is_worth && let Some((index, automaton)) = replicas.lock_any() {
        (*table, *epoch) = (index, None);
        return automaton;
    }
    replicas.lock(*table)
}

impl Locked<'_> {
    /// The bytes that are the only way on, with the state before each and after the last.
    fn forced_text(&mut self) -> Result<(Vec<u8>, Vec<StateId>), Error> {
        let (mut text, mut states) = (Vec::new(), vec![self.state]);
        let mut state = self.state;
        while text.len() < MAX_FORCED && !self.automaton.is_accepting(state) {
            let mut only = None;
            for byte in 0..=255 {
                if let Some(next) = self.automaton.step(state, byte)?
                    && only.replace((byte, next)).is_some()
                {
                    return Ok((text, states));
                }
            }
            let Some((byte, next)) = only else { break };
            text.push(byte);
            states.push(next);
            state = next;
        }
        Ok((text, states))
    }

    /// Whether some token is allowed that is longer than the forced text and begins with it.
    fn some_token_reaches_beyond(
        &mut self,
        vocabulary: &Vocabulary,
        text: &[u8],
        states: &[StateId],
    ) -> Result<bool, Error> {
        let mut path = vec![states[text.len()]];
        let mut found = false;
        vocabulary.trie().walk_below(text, |visit| {
            path.truncate(visit.depth - text.len());
            let next = if found {
                None
            } else {
                self.automaton.step(path[visit.depth - text.len() - 1], visit.byte)?
            };
            path.extend(next);
            found |= next.is_some() && !visit.ids().is_empty();
            let goes_on = next.is_some() && !found;
            Ok::<_, Error>(if goes_on { Children::All } else { Children::None })
        })?;
        Ok(found)
    }
}

/// What a token is to a machine.
fn bytes_of<'a>(id: u32, vocabulary: &'a Vocabulary, special: &'a SpecialTokens) -> &'a [u8] {
    match special.find(id) {
        Some(special) => &special.bytes,
        None => vocabulary.token_bytes(id).unwrap_or_default(),
    }
}

/// Spells a text in tokens; in none where some byte has no token.
fn spell(text: &[u8], vocabulary: &Vocabulary, special: &SpecialTokens) -> Vec<u32> {
    let mut ids = Vec::new();
    for part in special_tokens::cut(text, special) {
        match part {
            Ok(plain) => match vocabulary.spell(plain) {
                Some(spelled) => ids.extend(spelled),
                None => return Vec::new(),
            },
            Err(id) => ids.push(id),
        }
    }
    ids
}

/// Where it stands at the start and after each accepted unit.
fn read_again(
    automaton: &mut dyn Automaton,
    accepted: &[Accepted],
    vocabulary: &Vocabulary,
    special_tokens: &SpecialTokens,
    cancellation: Option<&Cancellation>,
) -> Result<Vec<Spot>, Error> {
    let start = Spot { state: automaton.start(), counts: Counts::new() };
    let mut spots = vec![start];
    for unit in accepted {
        automaton.refill(cancellation);
        let spot = &spots[spots.len() - 1];
        let next = match unit {
            Accepted::Token(token) => {
                let bytes = bytes_of(*token, vocabulary, special_tokens);
                spot.after_token(automaton, *token, bytes)?
            }
            Accepted::Text(text) => spot.after_text(automaton, text)?.ok(),
            Accepted::EndOfSequence => None,
        };
        let next = next.unwrap_or_else(|| spot.clone());
        spots.push(next);
    }
    Ok(spots)
}
