//! Espalier as an [`Engine`].

use std::sync::Arc;

use anyhow::Result;
use espalier_constraint::{Constraint, JsonSchemaOptions, Matcher, TokenMask, Vocabulary};

use crate::engine::{Compiled, Engine, Sequence};
use crate::tokenizer::Tokens;

/// Espalier's engine with the options for reading texts of others.
pub struct Espalier {
    /// The vocabulary.
    pub vocabulary: Arc<Vocabulary>,
}

impl Espalier {
    /// What figures call it.
    pub const NAME: &str = concat!("Espalier ", env!("CARGO_PKG_VERSION"));

    /// The engine with a vocabulary of the tokens.
    ///
    /// # Errors
    /// Those of [`Vocabulary::new`].
    pub fn new(tokens: &Tokens) -> Result<Self> {
        let vocabulary = Vocabulary::new(tokens.bytes.clone(), &[tokens.eos], &tokens.specials)?;
        Ok(Self { vocabulary: Arc::new(vocabulary) })
    }
}

impl Engine for Espalier {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn compile(&self, schema: &str) -> Result<Box<dyn Compiled>> {
        let options = JsonSchemaOptions::matching();
        Ok(Box::new(Constraint::json_schema(schema, &options, &self.vocabulary)?))
    }
}

impl Compiled for Constraint {
    fn sequence(&self) -> Box<dyn Sequence> {
        let eos = self.vocabulary().eos_ids()[0];
        let mask = Arc::new(TokenMask::none(self.vocabulary().n_ids()));
        Box::new(Text { matcher: self.matcher(), mask, eos })
    }
}

struct Text {
    matcher: Matcher,
    mask: Arc<TokenMask>,
    eos: u32,
}

impl Sequence for Text {
    fn compute_mask(&mut self) -> Result<()> {
        self.mask = self.matcher.compute_mask()?;
        Ok(())
    }

    fn is_allowed(&self, token: u32) -> bool {
        self.mask.is_allowed(token)
    }

    fn may_end(&self) -> bool {
        self.mask.is_allowed(self.eos)
    }

    fn accept(&mut self, token: u32) -> Result<()> {
        Ok(self.matcher.accept_token(token)?)
    }
}
