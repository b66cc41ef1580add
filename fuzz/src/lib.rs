//! The targets: each takes any bytes, and panics if something is wrong with the engine.
//!
//! `tests/fuzz_regressions.rs` of the engine includes this file, too, and runs the inputs that once
//! failed.

mod grammars;
mod input;
mod parts;
mod regexes;
mod schema_trees;
mod schemas;
mod serialized;
mod steps;
mod vocabularies;

pub use grammars::grammar;
pub use parts::parts;
pub use regexes::{ecma_regex, regex};
pub use schemas::{schema_text, schema_tree, tokens};
pub use serialized::{serialized_constraint, serialized_vocabulary};
pub use vocabularies::vocabulary;
