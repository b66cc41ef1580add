//! GBNF, the syntax of grammars of llama.cpp.
//!
//! All of its documentation is read, with names in which `_` stands, too. What differs: left recursion and
//! large repetitions are fine, and a rule that is defined twice or not at all is an error. Tokens of the
//! vocabulary (`<think>`, `<[12]>`) are refused.

mod characters;
mod parser;

pub(crate) use parser::parse;
