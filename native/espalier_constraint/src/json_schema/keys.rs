//! The keys of objects: which may come next, how they are read, and what they mean.

use std::sync::Arc;

use super::frame::{Alternative, Frame, ObjectFrame};
use super::machine::{JsonMachine, Step, at, index_of};
use super::state::{KeyReading, Place, StackId, StackNode, State};
use super::string::{Content, Decoder};
use super::texts::Texts;
use crate::error::Error;
use crate::literals::{Literals, Prefix};

/// The keys that may come next in an object, for any of its alternatives.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(super) names: Literals,
    pub(super) may_be_unnamed: bool,
}

impl JsonMachine {
    /// The keys that may come next in the object on top of the stack.
    pub(super) fn keys(&mut self, stack: StackId) -> Result<Arc<Keys>, Error> {
        if let Some(keys) = self.keys_by_stack.get(&stack) {
            return Ok(keys.clone());
        }
        let node = self.stacks.get(stack).clone();
        let mut names: Vec<Box<[u8]>> = Vec::new();
        let mut may_be_unnamed = false;
        for alternative in node.frame.alternatives() {
            let (next, is_free) = self.goals.next_keys(alternative)?;
            names.extend(next.iter().map(|name| name.as_bytes().into()));
            may_be_unnamed |= is_free;
        }
        let keys = Arc::new(Keys { names: Literals::new(names), may_be_unnamed });
        self.keys_by_stack.insert(stack, keys.clone());
        Ok(keys)
    }

    pub(super) fn begin_key(&mut self, stack: StackId) -> Step {
        let keys = self.keys(stack)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let prefix = (!keys.names.is_empty()).then(|| keys.names.start());
        let text = keys.may_be_unnamed.then_some(Texts::EMPTY);
        at(stack, Place::Key(KeyReading { decoder: Decoder::Boundary, prefix, text }))
    }

    pub(super) fn step_key(&mut self, stack: StackId, key: &KeyReading, byte: u8) -> Step {
        let keys = self.keys(stack)?;
        if key.decoder == Decoder::Boundary && byte == b'"' {
            return match self.key_text(&keys, key) {
                Some(name) => self.close_key(stack, &name),
                None => Ok(None),
            };
        }
        let content = KeyContent {
            names: &keys.names,
            prefix: key.prefix,
            may_be_unnamed: key.text.is_some(),
            pushed: [0; 4],
            n_pushed: 0,
        };
        let Some((decoder, pushed)) = key.decoder.step(&content, byte, self.options().escapes)
        else {
            return Ok(None);
        };
        let content = pushed.unwrap_or(content);
        let pushed = &content.pushed[..content.n_pushed];
        let text = key
            .text
            .map(|text| pushed.iter().fold(text, |text, &byte| self.texts.extended(text, byte)));
        at(stack, Place::Key(KeyReading { decoder, prefix: content.prefix, text }))
    }

    /// The key that was read, if it can end here at all.
    pub(super) fn key_text(&self, keys: &Keys, key: &KeyReading) -> Option<String> {
        let bytes = match key.text {
            Some(text) => self.texts.bytes(text),
            None => keys.names.complete(key.prefix?)?.to_vec(),
        };
        String::from_utf8(bytes).ok()
    }

    fn close_key(&mut self, stack: StackId, name: &str) -> Step {
        let place = self.after_key(stack, name)?;
        Ok(place.map(|(stack, goals)| State { stack, place: Place::Colon { goals, space: 0 } }))
    }

    /// The object with its alternatives waiting for the value of the key, and the goals of that.
    pub(super) fn after_key(
        &mut self,
        stack: StackId,
        name: &str,
    ) -> Result<Option<(StackId, u32)>, Error> {
        let node = self.stacks.get(stack).clone();
        let Frame::Object(object) = &node.frame else { return Ok(None) };
        let text = name.bytes().fold(Texts::EMPTY, |text, byte| self.texts.extended(text, byte));
        let place = object.unnamed.binary_search(&text);
        let mut goals = Vec::new();
        let mut alternatives = Vec::new();
        let mut is_unnamed = false;
        for alternative in &object.alternatives {
            if let Some(admitted) = self.goals.admit_key(alternative, name, place.is_err())? {
                let waits_for = index_of(&mut goals, admitted.goal);
                is_unnamed |= !admitted.is_named;
                alternatives.push(Alternative {
                    progress: admitted.progress,
                    waits_for,
                    ..*alternative
                });
            }
        }
        if alternatives.is_empty() {
            return Ok(None);
        }
        let mut unnamed = object.unnamed.clone();
        if let (Err(index), true) = (place, is_unnamed) {
            unnamed.insert(index, text);
        }
        let frame = Frame::Object(ObjectFrame { alternatives, unnamed });
        let stack = self.stacks.intern(StackNode { parent: node.parent, frame });
        Ok(Some((stack, self.goal_lists.intern(goals))))
    }
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.may_be_unnamed
    }
}

/// A key: one of the names, or any other where that is allowed.
struct KeyContent<'a> {
    names: &'a Literals,
    prefix: Option<Prefix>,
    may_be_unnamed: bool,
    /// The bytes of the character that is being pushed.
    pushed: [u8; 4],
    n_pushed: usize,
}

impl Content for KeyContent<'_> {
    fn push(&self, byte: u8) -> Option<Self> {
        let prefix = self.prefix.and_then(|prefix| self.names.step(prefix, byte));
        let mut next = Self { prefix, ..*self };
        *next.pushed.get_mut(self.n_pushed)? = byte;
        next.n_pushed += 1;
        (prefix.is_some() || self.may_be_unnamed).then_some(next)
    }
}
