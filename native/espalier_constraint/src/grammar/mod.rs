//! Context-free grammars.

pub(crate) mod rules;
