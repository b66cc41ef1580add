//! Context-free grammars in both syntaxes.

use espalier_constraint::{Compiler, GrammarOptions, Limits};

use super::input::Input;
use super::steps::{VOCABULARY, follow};

/// Whether the syntax is GBNF, a few steps, and the text of a grammar.
pub fn grammar(data: &[u8]) {
    let mut input = Input::new(data);
    let is_gbnf = input.below(2) == 1;
    let steps = input.bytes(16);
    let Ok(text) = str::from_utf8(input.rest()) else { return };
    let options = if is_gbnf { GrammarOptions::gbnf() } else { GrammarOptions::lark() };
    let mut limits = Limits::default();
    limits.compile_fuel = 5_000_000;
    limits.mask_fuel = 5_000_000;
    if let Ok(constraint) = Compiler::new(&VOCABULARY).limits(limits).grammar(text, &options) {
        follow(&constraint, &mut Input::new(steps));
    }
}
