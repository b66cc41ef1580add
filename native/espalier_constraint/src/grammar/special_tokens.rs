//! Tokens of a vocabulary that stand for no text, such as those around the calls of tools, where a grammar
//! names them.
//!
//! To a machine they are bytes that no text has.

use std::sync::Arc;

use super::rules::{Grammar, Terminal};
use crate::vocabulary::Vocabulary;

/// A byte that no text in UTF-8 has.
const MARK: u8 = 0xff;

/// A token that a grammar names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpecialToken {
    pub(crate) id: u32,
    pub(crate) name: Box<str>,
    /// What it is to a machine.
    pub(crate) bytes: Arc<[u8]>,
}

/// The tokens that a grammar names.
#[derive(Debug, Default)]
pub(crate) struct SpecialTokens {
    pub(crate) named: Vec<SpecialToken>,
    /// Tokens with the byte that marks those: beside them they mean nothing.
    marked: Vec<u32>,
}

impl SpecialTokens {
    /// Those that a grammar names, each once.
    pub(super) fn new(grammar: &Grammar, vocabulary: &Vocabulary) -> Self {
        let mut named: Vec<SpecialToken> = Vec::new();
        for terminal in &grammar.terminals {
            if let Terminal::SpecialToken { name } = terminal
                && let Some(id) = vocabulary.special_id(name)
                && !named.iter().any(|token| token.id == id)
            {
                let bytes = spelling(name, vocabulary);
                named.push(SpecialToken { id, name: name.as_str().into(), bytes });
            }
        }
        if named.is_empty() {
            return Self::default();
        }
        let is_marked =
            |&id: &u32| vocabulary.token_bytes(id).is_some_and(|bytes| bytes.contains(&MARK));
        let marked = (0..vocabulary.n_ids() as u32).filter(is_marked).collect();
        Self { named, marked }
    }

    pub(crate) fn find(&self, id: u32) -> Option<&SpecialToken> {
        self.named.iter().find(|token| token.id == id)
    }

    /// The tokens that a text can't have for the sake of the special ones.
    pub(crate) fn marked(&self) -> &[u32] {
        &self.marked
    }

    /// Where a text has a byte that it can't have for the sake of the special ones.
    pub(crate) fn find_mark(&self, text: &[u8]) -> Option<usize> {
        if self.named.is_empty() { None } else { text.iter().position(|&byte| byte == MARK) }
    }
}

/// What a name is to a machine: in a vocabulary without such a special token it is a text as any other.
pub(super) fn spelling(name: &str, vocabulary: &Vocabulary) -> Arc<[u8]> {
    match vocabulary.special_id(name) {
        Some(_) => [&[MARK], name.as_bytes(), &[MARK]].concat().into(),
        None => name.as_bytes().into(),
    }
}

/// A text cut at the special tokens in it: plain parts, and ids.
pub(crate) fn cut<'a>(
    mut text: &'a [u8],
    tokens: &'a SpecialTokens,
) -> impl Iterator<Item = Result<&'a [u8], u32>> {
    std::iter::from_fn(move || match tokens.find_mark(text) {
        _ if text.is_empty() => None,
        Some(0)
            if let Some(token) =
                tokens.named.iter().find(|token| text.starts_with(&token.bytes)) =>
        {
            text = &text[token.bytes.len()..];
            Some(Err(token.id))
        }
        Some(at) if at > 0 => {
            let (plain, rest) = text.split_at(at);
            text = rest;
            Some(Ok(plain))
        }
        _ => Some(Ok(std::mem::take(&mut text))),
    })
}
