//! [`Engine`]: what is compared.

use anyhow::Result;

/// An engine with a vocabulary.
pub trait Engine {
    /// Its name and version.
    fn name(&self) -> &'static str;

    /// Compiles the text of a JSON Schema.
    ///
    /// # Errors
    /// Whatever the engine says of a schema that it refuses.
    fn compile(&self, schema: &str) -> Result<Box<dyn Compiled>>;
}

/// A schema that was compiled.
pub trait Compiled {
    /// A new sequence. What sequences share of what they compute is up to the engine.
    fn sequence(&self) -> Box<dyn Sequence>;
}

/// A text that is being read.
pub trait Sequence {
    /// Computes the mask of the tokens that are allowed next, and keeps it.
    ///
    /// # Errors
    /// Whatever the engine gives up at.
    fn compute_mask(&mut self) -> Result<()>;

    /// Whether the mask has the token.
    fn is_allowed(&self, token: u32) -> bool;

    /// Whether the mask has the end of the sequence.
    fn may_end(&self) -> bool;

    /// Accepts a token that the mask has.
    ///
    /// # Errors
    /// Whatever the engine gives up at.
    fn accept(&mut self, token: u32) -> Result<()>;
}
