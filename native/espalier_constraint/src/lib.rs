//! Constraints on the text of a language model, as masks over its tokens.
//!
//! The way from a schema to a mask:
//!
//! 1. A [`Vocabulary`] holds the bytes of each token id.
//! 2. A [`Constraint`] is a JSON Schema, a regular expression, a context-free grammar or a list of
//!    choices, compiled for a vocabulary. It is immutable and shared between sequences and threads.
//! 3. A [`Matcher`] follows one sequence: it computes the [`TokenMask`] of the ids allowed next,
//!    accepts a token, and rolls back.
//!
//! ```
//! use std::sync::Arc;
//! use espalier_constraint::{Constraint, JsonSchemaOptions, Vocabulary};
//!
//! let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
//! tokens.push(Vec::new()); // the end-of-sequence token, id 256
//! let vocabulary = Arc::new(Vocabulary::new(tokens, &[256], &[])?);
//!
//! let schema = r#"{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}"#;
//! let constraint = Constraint::json_schema(schema, &JsonSchemaOptions::generating(), &vocabulary)?;
//! let mut matcher = constraint.matcher();
//! matcher.accept_text(br#"{"age":4"#)?;
//! assert!(matcher.compute_mask()?.is_allowed(u32::from(b'2')));
//! assert!(!matcher.compute_mask()?.is_allowed(u32::from(b'"')));
//! # Ok::<(), espalier_constraint::Error>(())
//! ```
//!
//! The crate is pure: it knows no tokenizer library, no model, no I/O, no clock and no randomness.

mod automaton;
mod byte_groups;
mod character_groups;
mod compiler;
mod constraint;
mod contents;
mod dfa;
mod error;
mod export;
mod free_text;
mod generations;
mod grammar;
mod interner;
mod json_schema;
mod json_tokens;
mod lexicon;
mod limits;
mod literals;
mod machine;
mod matcher;
mod meter;
mod number_tokens;
mod plain;
mod regex;
mod replicas;
mod rests;
mod runs;
mod serialized;
mod source;
mod string_table;
mod string_tables;
mod string_tokens;
mod token_list;
mod token_mask;
mod token_trie;
mod token_walk;
mod vocabulary;

pub use compiler::Compiler;
pub use constraint::Constraint;
pub use error::Error;
pub use export::{ExportOptions, ExportTarget};
pub use grammar::{GrammarOptions, GrammarSyntax};
pub use json_schema::{
    EscapeStyle, FormatMode, JsonSchemaOptions, NumberStyle, PropertyOrder, Whitespace,
};
pub use limits::Limits;
pub use matcher::Matcher;
pub use meter::Cancellation;
pub use regex::RegexSyntax;
pub use source::{Capture, ConstraintKind, UnusedRule};
pub use token_mask::TokenMask;
pub use vocabulary::Vocabulary;
