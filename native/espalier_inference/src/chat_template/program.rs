//! A template as instructions of the engine, of which those that may make much are calls of ours.

use std::collections::BTreeMap;
use std::iter::once;

use minijinja::machinery::{CodeGenerator, Instruction, Instructions, Token, parse, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, machinery};

use super::operators::{ADD, CONCATENATE, MULTIPLY, ONE, SLICE};
use super::{FUEL, NAME};

/// What all texts of a template may come to, if the longest one is written with all of the fuel.
const MAX_TEXT_BYTES: u64 = 2 << 30;

pub(super) struct Program<'source> {
    instructions: Instructions<'source>,
    blocks: BTreeMap<&'source str, Instructions<'source>>,
}

impl<'source> Program<'source> {
    pub(super) fn new(source: &'source str, syntax: SyntaxConfig) -> Result<Self, Error> {
        let tree = parse(source, NAME, syntax)?;
        let mut generator = CodeGenerator::new(NAME, source);
        generator.compile_stmt(&tree);
        let (mut instructions, mut blocks) = generator.finish();
        once(&mut instructions).chain(blocks.values_mut()).for_each(replace_operators);
        Ok(Self { instructions, blocks })
    }

    /// Less for a template with long texts, as each is written by one instruction.
    pub(super) fn fuel(&self) -> u64 {
        let parts = once(&self.instructions).chain(self.blocks.values());
        let longest = parts.flat_map(all).filter_map(|instruction| match instruction {
            Instruction::EmitRaw(text) => Some(text.len() as u64),
            _ => None,
        });
        FUEL.min(MAX_TEXT_BYTES / longest.max().unwrap_or_default().max(1))
    }

    pub(super) fn run(
        &self,
        environment: &'source Environment<'source>,
        context: Value,
    ) -> Result<String, Error> {
        let mut text = String::new();
        let mut output = machinery::make_string_output(&mut text);
        let (main, blocks) = (&self.instructions, &self.blocks);
        machinery::eval(environment, main, context, blocks, &mut output, AutoEscape::None)?;
        drop(output);
        Ok(text)
    }
}

fn all<'a, 'source>(
    part: &'a Instructions<'source>,
) -> impl Iterator<Item = &'a Instruction<'source>> {
    (0..).map_while(|idx| part.get(idx))
}

/// A filter takes its arguments from where an operator does.
fn replace_operators(part: &mut Instructions<'_>) {
    let mut idx = 0;
    while let Some(instruction) = part.get_mut(idx) {
        let filter = match instruction {
            Instruction::StringConcat => Some((CONCATENATE, 2)),
            Instruction::Add => Some((ADD, 2)),
            Instruction::Mul => Some((MULTIPLY, 2)),
            Instruction::Slice => Some((SLICE, 4)),
            _ => None,
        };
        if let Some((filter, n_args)) = filter {
            *instruction = Instruction::ApplyFilter(filter, Some(n_args), !0);
        }
        idx += 1;
    }
}

/// The template with a variable of the value one in each product, as the engine computes those of
/// constants before there is any bound.
pub(super) fn without_constant_products(
    source: &str,
    syntax: SyntaxConfig,
) -> Result<String, Error> {
    let mut out = String::with_capacity(source.len());
    let (mut n_done, mut is_operand) = (0, false);
    for token in tokenize(source, false, syntax) {
        let (token, span) = token?;
        // Elsewhere the sign is before arguments of a call.
        if matches!(token, Token::Mul) && is_operand {
            let end = span.end_offset as usize;
            out.extend([&source[n_done..end], " ", ONE, " *"]);
            n_done = end;
        }
        is_operand = !matches!(token, Token::ParenOpen | Token::Comma);
    }
    Ok(out + &source[n_done..])
}
