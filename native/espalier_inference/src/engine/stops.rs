//! [`Stops`]: texts that end a generation before them.

use std::collections::VecDeque;

use espalier_constraint::{Constraint, Error as ConstraintError, Matcher};

use super::request::Event;
use crate::error::Error;

/// Follows a text and finds the first of some others in it.
///
/// What could be the beginning of one is held back until that is known. Under a constraint a text ends
/// only where it is complete: elsewhere, as inside of a JSON string, the others are part of it.
pub(crate) struct Stops {
    texts: Vec<Vec<u8>>,
    unread: Option<Unread>,
    /// Up to where the text was searched.
    n_searched: usize,
    held_back: Vec<HeldBack>,
}

/// A constraint before the last place where one of the texts was found, and the tokens from there on.
struct Unread {
    matcher: Matcher,
    /// Up to where its tokens were read.
    n_read: usize,
    ids: VecDeque<u32>,
}

/// Tokens that weren't told yet, and where their text is in the whole one.
struct HeldBack {
    start: usize,
    end: usize,
    event: Event,
}

/// What may be told.
pub(crate) struct Passed {
    pub(crate) events: Vec<Event>,
    /// Whether one of the texts was found, so that nothing follows.
    pub(crate) is_end: bool,
}

impl Stops {
    pub(crate) fn new(stops: Vec<String>, constraint: Option<&Constraint>) -> Self {
        let matcher = constraint.filter(|_| !stops.is_empty()).map(Constraint::matcher);
        let unread = matcher.map(|matcher| Unread { matcher, n_read: 0, ids: VecDeque::new() });
        let texts = stops.into_iter().map(String::into_bytes).collect();
        Self { texts, unread, n_searched: 0, held_back: Vec::new() }
    }

    /// Follows a text by the `n` bytes of tokens and their event, which are its last ones now.
    pub(crate) fn follow(
        &mut self,
        text: &[u8],
        n: usize,
        ids: &[u32],
        event: Event,
    ) -> Result<Passed, Error> {
        if let Some(unread) = &mut self.unread {
            unread.ids.extend(ids);
        }
        self.held_back.push(HeldBack { start: text.len() - n, end: text.len(), event });
        let could_go_on =
            |stop: &Vec<u8>, rest: &[u8]| stop.len() > rest.len() && stop.starts_with(rest);
        while self.n_searched < text.len() {
            if self.is_end(text)? {
                return Ok(Passed { events: self.cut(), is_end: true });
            }
            let rest = &text[self.n_searched..];
            if self.texts.iter().any(|stop| could_go_on(stop, rest)) {
                break;
            }
            self.n_searched += 1;
        }
        let n_known = self.held_back.partition_point(|held| held.end <= self.n_searched);
        let events = self.held_back.drain(..n_known).map(|held| held.event).collect();
        Ok(Passed { events, is_end: false })
    }

    /// What was held back of a text that ends by itself: nothing begins there any more that is longer.
    pub(crate) fn finish(&mut self, text: &[u8]) -> Result<Passed, Error> {
        while !self.held_back.is_empty() && self.n_searched < text.len() {
            if self.is_end(text)? {
                return Ok(Passed { events: self.cut(), is_end: true });
            }
            self.n_searched += 1;
        }
        Ok(Passed { events: self.give_up(), is_end: false })
    }

    /// What was held back of a text that isn't followed any more.
    pub(crate) fn give_up(&mut self) -> Vec<Event> {
        self.held_back.drain(..).map(|held| held.event).collect()
    }

    /// Whether the text ends where it is searched.
    fn is_end(&mut self, text: &[u8]) -> Result<bool, Error> {
        let rest = &text[self.n_searched..];
        if !self.texts.iter().any(|stop| rest.starts_with(stop)) {
            return Ok(false);
        }
        self.unread.as_mut().map_or(Ok(true), |unread| unread.is_complete(&text[..self.n_searched]))
    }

    /// The events whose texts begin before the end; the last one's text ends there, too.
    fn cut(&mut self) -> Vec<Event> {
        let end = self.n_searched;
        self.held_back.retain(|held| held.start < end);
        if let Some(HeldBack { start, event: Event::Tokens { text, .. }, .. }) =
            self.held_back.last_mut()
        {
            text.truncate(end - *start);
        }
        self.give_up()
    }
}

impl Unread {
    /// Whether a beginning of the text is complete; they are asked for in the order of their lengths.
    fn is_complete(&mut self, text: &[u8]) -> Result<bool, Error> {
        while let Some(&id) = self.ids.front() {
            let end = self.n_read + self.matcher.token_text(id).len();
            if end > text.len() {
                return self.is_complete_within(id, &text[self.n_read..]);
            }
            self.matcher.accept_token(id)?;
            self.n_read = end;
            self.ids.pop_front();
        }
        Ok(self.matcher.is_accepting()?)
    }

    /// Whether it is after a part of the next token. Special tokens have none.
    fn is_complete_within(&mut self, id: u32, part: &[u8]) -> Result<bool, Error> {
        if part.is_empty() {
            return Ok(self.matcher.is_accepting()?);
        }
        if self.matcher.is_special(id) {
            return Ok(false);
        }
        match self.matcher.accept_text(part) {
            Ok(()) => {
                let is_complete = self.matcher.is_accepting();
                self.matcher.rollback(1)?;
                Ok(is_complete?)
            }
            Err(ConstraintError::TextNotAllowed { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
