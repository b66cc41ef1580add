//! outlines-core as an [`Engine`]: a schema becomes a regular expression, and that an index of all
//! its states with the tokens that are allowed there.
//!
//! White space is what it has by default, at most one blank; so the texts of Python's `json.dumps`
//! are among those that it allows.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use outlines_core::json_schema;
use outlines_core::prelude::{Index, StateId, Vocabulary};

use crate::engine::{Compiled, Engine, Sequence};
use crate::tokenizer::Tokens;

/// outlines-core with a vocabulary.
pub struct Outlines {
    vocabulary: Vocabulary,
    n_ids: usize,
}

impl Outlines {
    /// The engine with a vocabulary of the tokens.
    ///
    /// # Errors
    /// Those of its vocabulary.
    pub fn new(tokens: &Tokens) -> Result<Self> {
        let mut vocabulary = Vocabulary::new(tokens.eos);
        for (id, token) in (0..).zip(&tokens.bytes) {
            if !token.is_empty() {
                vocabulary.try_insert(token.clone(), id)?;
            }
        }
        Ok(Self { vocabulary, n_ids: tokens.bytes.len() })
    }
}

impl Engine for Outlines {
    fn name(&self) -> &'static str {
        "outlines-core 0.2.14"
    }

    fn compile(&self, schema: &str) -> Result<Box<dyn Compiled>> {
        let regex = json_schema::regex_from_str(schema, None, None)?;
        let index = Arc::new(Index::new(&regex, &self.vocabulary)?);
        Ok(Box::new(Start { index, n_ids: self.n_ids }))
    }
}

struct Start {
    index: Arc<Index>,
    n_ids: usize,
}

impl Compiled for Start {
    fn sequence(&self) -> Box<dyn Sequence> {
        let (index, state) = (self.index.clone(), self.index.initial_state());
        Box::new(Text { index, state, mask: vec![0; self.n_ids.div_ceil(32)] })
    }
}

struct Text {
    index: Arc<Index>,
    state: StateId,
    mask: Vec<u32>,
}

impl Sequence for Text {
    fn compute_mask(&mut self) -> Result<()> {
        self.mask.fill(0);
        for id in self.index.allowed_tokens_iter(&self.state).into_iter().flatten() {
            self.mask[*id as usize / 32] |= 1 << (id % 32);
        }
        Ok(())
    }

    fn is_allowed(&self, token: u32) -> bool {
        self.mask[token as usize / 32] >> (token % 32) & 1 == 1
    }

    fn may_end(&self) -> bool {
        self.index.is_final_state(&self.state)
    }

    fn accept(&mut self, token: u32) -> Result<()> {
        let next = self.index.next_state(&self.state, &token);
        self.state = next.ok_or_else(|| anyhow!("token {token} is not allowed"))?;
        Ok(())
    }
}
