//! [`StringTable`]: how strings of some languages go on, as a table that grows as it is asked.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::free_text::{Free, Live, Positions, free_contents, live_groups};
use crate::interner::Interner;
use crate::lexicon::{Lexicon, LexiconKind};
use crate::machine::{Inside, Move};
use crate::string_tokens::{Closing, Ends, Found, FreeBounds, StringTokens};
use crate::token_trie::{Bytes, Children, Visit};
use crate::vocabulary::Vocabulary;

/// The positions in strings of some languages by number, with what each byte does, and the tokens
/// that may follow.
#[derive(Debug)]
pub(crate) struct StringTable<I: Inside> {
    positions: Interner<I::Position>,
    known: Vec<Known>,
    /// Outside of escapes bytes that do the same share a class.
    classes: [u8; 256],
    n_classes: usize,
    /// How many characters a token has at most.
    longest: usize,
    /// The rows of all positions: where each class, or in an escape each byte, leads.
    next: Vec<u32>,
    endings: FxHashMap<I::End, u32>,
    tokens: FxHashMap<(u32, LexiconKind), Arc<StringTokens>>,
    /// About the memory of those.
    n_token_bytes: usize,
}

/// In place of a position: not asked yet.
const UNKNOWN: u32 = u32::MAX;
const REFUSED: u32 = u32::MAX - 1;
/// From here on: the string ends, with the ending of this number above it.
const ENDS: u32 = 1 << 30;

/// Trying so many bytes is no slower than looking up those that may follow.
const FEW_CHILDREN: usize = 4;

/// Of so many tokens it is asked whether all of them may follow, or of a few if the answer is at hand.
const WORTH_ASKING: usize = 2000;
const WORTH_LOOKING: usize = 2;

/// About what is kept of the characters that may follow at a position.
const LIVE_BYTES: usize = 100;

/// More positions than that are forgotten.
const MAX_POSITIONS: usize = 20_000;

/// What is known of a position; the only bytes that may follow there, where these are few.
#[derive(Debug)]
struct Known {
    next_bytes: Option<Bytes>,
    is_escape: bool,
    is_doubtful: bool,
    row: u32,
    live: Option<Arc<Live>>,
    free: OnceCell<Option<Free>>,
}

impl<I: Inside> StringTable<I> {
    /// A table for the languages of a string.
    pub(crate) fn new(rest: &I, longest: usize) -> Self {
        let (classes, n_classes) = rest.byte_classes();
        Self {
            positions: Interner::default(),
            known: Vec::new(),
            classes,
            n_classes,
            longest,
            next: Vec::new(),
            endings: FxHashMap::default(),
            tokens: FxHashMap::default(),
            n_token_bytes: 0,
        }
    }

    /// The tokens of a lexicon that may follow at the start of the rest of a string in these
    /// languages, and how much memory it took to find out.
    pub(crate) fn tokens(
        &mut self,
        rest: &I,
        kind: LexiconKind,
        vocabulary: &Vocabulary,
    ) -> (Arc<StringTokens>, usize) {
        if self.positions.len() > MAX_POSITIONS {
            *self = Self::new(rest, self.longest);
        }
        let before = self.size_in_bytes();
        let start = self.id_of(rest, rest.shared_start(self.longest));
        if let Some(tokens) = self.tokens.get(&(start, kind)) {
            return (tokens.clone(), 0);
        }
        let near = self.find_near_bound(rest, start, kind, vocabulary);
        let tokens = near.unwrap_or_else(|| {
            let tokens = self.find_tokens(rest, start, vocabulary.lexicon(kind));
            self.remember((start, kind), tokens)
        });
        (tokens, self.size_in_bytes() - before)
    }

    fn remember(&mut self, key: (u32, LexiconKind), tokens: StringTokens) -> Arc<StringTokens> {
        let tokens = Arc::new(tokens);
        self.n_token_bytes += tokens.size_in_bytes();
        self.tokens.insert(key, tokens.clone());
        tokens
    }

    /// Where a bound on the length is so near that it matters to few tokens: those that may follow far from
    /// it, without some.
    fn find_near_bound(
        &mut self,
        rest: &I,
        start: u32,
        kind: LexiconKind,
        vocabulary: &Vocabulary,
    ) -> Option<Arc<StringTokens>> {
        let (free, left) = rest.room()?;
        let lexicon = vocabulary.lexicon(kind);
        let long = lexicon.longer_than(free as u32)?;
        let far = self.id_of(rest, rest.shared_start(0));
        let known = self.tokens.get(&(far, kind)).cloned();
        let tokens = known.unwrap_or_else(|| {
            let tokens = self.find_tokens(rest, far, lexicon);
            self.remember((far, kind), tokens)
        });
        let refused = long.iter().filter(|long| {
            let is_over = long.contents.n_characters as usize > left;
            let is_plain = long.contents.is_plain();
            let is_allowed_far = !is_plain || tokens.is_inside(long.id);
            is_allowed_far
                && (is_over && is_plain || self.follow(rest, start, &long.text) == REFUSED)
        });
        let near = tokens.without(refused.map(|long| long.id));
        Some(self.remember((start, kind), near))
    }

    /// About the memory that it takes.
    fn size_in_bytes(&self) -> usize {
        let of_position = size_of::<Known>() + size_of::<I::Position>() + LIVE_BYTES;
        self.positions.len() * of_position + size_of_val(&self.next[..]) + self.n_token_bytes
    }

    fn find_tokens(&mut self, rest: &I, start: u32, lexicon: &Lexicon) -> StringTokens {
        let free = self.free_from_start(rest, start, lexicon);
        if rest.is_free(self.longest) || free.is_some_and(|free| free.is_everything) {
            let (free, ends) = (free_text(rest, lexicon), self.ends(rest, start, lexicon));
            return Found::default().finish(free.inside.clone(), Some(ends), lexicon.n_ids);
        }
        let is_boundary = rest.is_boundary(self.positions.get(start));
        let ends = is_boundary.then(|| self.ends(rest, start, lexicon));
        let free = free.filter(|free| !free.contents.groups.is_empty());
        let mut found = Found::default();
        let free = free.map(|free| self.beyond(rest, start, free, lexicon, &mut found));
        let within = free.map(|free| lexicon.within(free.contents));
        let is_decided = |node: usize| free.is_some_and(|free| free.decides(lexicon.below(node)));
        let (mut path, mut text) = (vec![start], Vec::new());
        let first = self.children(start);
        let walked = lexicon.trie.walk_unless(&first, is_decided, |visit| {
            path.truncate(visit.depth);
            text.truncate(visit.depth - 1);
            text.push(visit.byte);
            let next = self.step(rest, path[visit.depth - 1], visit.byte);
            match next {
                REFUSED => {}
                ENDS.. if ends.is_some() => {}
                ENDS.. => close(&visit, rest, (next - ENDS) as usize, &text, &mut found),
                _ => {
                    path.push(next);
                    let is_doubtful = self.known[next as usize].is_doubtful;
                    let ids = if is_doubtful { &mut found.doubtful } else { &mut found.inside };
                    if !is_doubtful && self.takes_all(rest, next, &visit, lexicon) {
                        ids.extend(visit.ids_below());
                        return Ok(Children::None);
                    }
                    ids.extend(visit.ids());
                    let are_few = visit.n_children() <= FEW_CHILDREN;
                    return Ok(if are_few { Children::All } else { self.children(next) });
                }
            }
            Ok::<_, Infallible>(Children::None)
        });
        let Ok(()) = walked;
        found.finish(within, ends, lexicon.n_ids)
    }

    /// The same without a greatest length, where few tokens have more characters: of those it is found out
    /// one by one whether they may follow.
    fn beyond(
        &mut self,
        rest: &I,
        start: u32,
        free: Free,
        lexicon: &Lexicon,
        found: &mut Found,
    ) -> Free {
        let long = lexicon.longer_than(free.contents.n_characters);
        // Special texts may follow although the languages lack them.
        let are_all = rest.special().texts.is_empty() && !free.is_closed;
        let Some(long) = long.filter(|_| are_all) else { return free };
        let endless = free.endless();
        let (mut refused, mut inside) = (Vec::new(), Vec::new());
        for long in long.iter().filter(|long| endless.decides(long.contents)) {
            let is_within = long.contents.groups.is_within(free.contents.groups);
            match self.follow(rest, start, &long.text) {
                REFUSED if is_within => refused.push(long.id),
                REFUSED => {}
                next if self.known[next as usize].is_doubtful => return free,
                _ if is_within => {}
                _ => inside.push(long.id),
            }
        }
        (found.refused, found.inside) = (refused, inside);
        endless
    }

    /// The tokens that end the string where it may end, at a boundary of two characters.
    fn ends(&mut self, rest: &I, start: u32, lexicon: &Lexicon) -> Ends {
        let ending_of = |spelled: &[u8]| {
            let end = self.follow(rest, start, spelled.iter().chain(b"\""));
            (end != REFUSED).then(|| (end - ENDS) as usize)
        };
        free_text(rest, lexicon).ends(ending_of, rest.special().texts.is_empty())
    }

    /// What a text comes to, as [`step`](Self::step) tells it: it may go on beyond the end of the string.
    fn follow<'t>(&mut self, rest: &I, start: u32, text: impl IntoIterator<Item = &'t u8>) -> u32 {
        let mut position = start;
        for &byte in text {
            position = self.step(rest, position, byte);
            if position >= ENDS {
                break;
            }
        }
        position
    }

    /// Whether all tokens that begin with a visited node may follow, seen from the position there.
    fn takes_all(&mut self, rest: &I, position: u32, visit: &Visit<'_>, lexicon: &Lexicon) -> bool {
        let is_known = self.known[position as usize].free.get().is_some();
        if visit.ids_below().len() < if is_known { WORTH_LOOKING } else { WORTH_ASKING } {
            return false;
        }
        let free = self.free(rest, position, lexicon);
        free.is_some_and(|free| lexicon.suffixes(visit.node).is_within(free.contents))
    }

    /// Which texts are free at the start of the rest of a string.
    fn free_from_start(&mut self, rest: &I, start: u32, lexicon: &Lexicon) -> Option<Free> {
        match rest.room() {
            // Up to some length it is as if there were no bound.
            Some((n_free, _)) if n_free < self.longest => {
                let far = self.id_of(rest, rest.shared_start(0));
                self.free(rest, far, lexicon).map(|free| free.up_to(n_free))
            }
            _ => self.free(rest, start, lexicon),
        }
    }

    /// Which texts are free at a position, see [`free_contents`].
    fn free(&mut self, rest: &I, position: u32, lexicon: &Lexicon) -> Option<Free> {
        if let Some(free) = self.known[position as usize].free.get() {
            return *free;
        }
        let free = free_contents(&mut Asked { table: self, rest }, position, lexicon);
        *self.known[position as usize].free.get_or_init(|| free)
    }

    fn children(&self, position: u32) -> Children {
        self.known[position as usize].next_bytes.clone().map_or(Children::All, Children::Only)
    }

    fn step(&mut self, rest: &I, position: u32, byte: u8) -> u32 {
        let Known { is_escape, row, .. } = &self.known[position as usize];
        let column = if *is_escape { byte } else { self.classes[usize::from(byte)] };
        let index = *row as usize + usize::from(column);
        match self.next[index] {
            UNKNOWN => {
                let from = self.positions.get(position);
                let next = match rest.shared_step(from, byte, self.longest) {
                    Move::Stays(next) => self.id_of(rest, next),
                    Move::Ends(end) => {
                        let n_endings = self.endings.len() as u32;
                        ENDS + *self.endings.entry(end).or_insert(n_endings)
                    }
                    Move::Refused => REFUSED,
                };
                self.next[index] = next;
                next
            }
            known => known,
        }
    }

    fn id_of(&mut self, rest: &I, position: I::Position) -> u32 {
        let id = self.positions.intern(position);
        if self.known.len() == self.positions.len() {
            return id;
        }
        let position = self.positions.get(id);
        let (next_bytes, is_escape) = (rest.next_bytes(position), rest.is_escape(position));
        let is_doubtful = rest.is_doubtful(position);
        let row = self.next.len() as u32;
        let free = OnceCell::new();
        self.known.push(Known { next_bytes, is_escape, is_doubtful, row, live: None, free });
        let n_columns = if is_escape { 256 } else { self.n_classes };
        self.next.extend(std::iter::repeat_n(UNKNOWN, n_columns));
        id
    }
}

/// A table that is asked for a string.
struct Asked<'a, I: Inside> {
    table: &'a mut StringTable<I>,
    rest: &'a I,
}

impl<I: Inside> Positions for Asked<'_, I> {
    fn step(&mut self, position: u32, byte: u8) -> Option<u32> {
        let next = self.table.step(self.rest, position, byte);
        let is_certain = next < ENDS && !self.table.known[next as usize].is_doubtful;
        is_certain.then_some(next)
    }

    fn push(&mut self, position: u32, character: u8) -> Option<u32> {
        let (table, rest) = (&mut *self.table, self.rest);
        let from = table.positions.get(position);
        let next = rest.shared_push(from, character, table.longest)?;
        let next = table.id_of(rest, next);
        (!table.known[next as usize].is_doubtful).then_some(next)
    }

    fn takes(&mut self, position: u32, byte: u8) -> bool {
        self.table.step(self.rest, position, byte) != REFUSED
    }

    fn are_alike(&self, byte: u8, other: u8) -> bool {
        self.table.classes[usize::from(byte)] == self.table.classes[usize::from(other)]
    }

    fn is_boundary(&self, position: u32) -> bool {
        self.rest.is_boundary(self.table.positions.get(position))
    }

    fn live(&mut self, position: u32) -> Arc<Live> {
        if let Some(live) = &self.table.known[position as usize].live {
            return live.clone();
        }
        let live = Arc::new(live_groups(self, position));
        self.table.known[position as usize].live = Some(live.clone());
        live
    }
}

/// The tokens in strings of all texts.
fn free_text<I: Inside>(rest: &I, lexicon: &Lexicon) -> Arc<StringTokens> {
    lexicon.free_text(FreeBounds { escapes: rest.escapes(), ..FreeBounds::NONE })
}

/// Adds the tokens that end the string with the visited quote, the last byte of the text.
fn close<I: Inside>(visit: &Visit<'_>, rest: &I, ending: usize, text: &[u8], found: &mut Found) {
    let quote = text.len() - 1;
    let (spelled, content) = (&text[..quote], rest.decoded(&text[..quote]));
    visit.for_each_below(|after, ids| {
        for &id in ids {
            found.close(ending, &Closing { id, spelled, rest: after }, &content);
        }
    });
}
