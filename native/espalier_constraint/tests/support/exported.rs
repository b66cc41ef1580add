//! What was exported, read again and compared with what it was made of.

use std::sync::Arc;

use espalier_constraint::{
    Compiler, Constraint, Error, ExportOptions, ExportTarget, GrammarOptions, Limits, RegexSyntax,
    Vocabulary,
};
use serde_json::Value;

use super::data::{self, RejectedAt};
use super::following::{self, Verdict};
use super::random::Random;
use super::walk::Walk;

pub(crate) const TARGETS: [ExportTarget; 3] =
    [ExportTarget::Regex, ExportTarget::Gbnf, ExportTarget::Lark];

/// What was exported, read again.
pub(crate) struct Exported {
    pub(crate) text: String,
    pub(crate) constraint: Constraint,
    /// A regular expression, as the `regex` crate reads it.
    regex: Option<regex::Regex>,
    options: ExportOptions,
}

/// Exports a constraint and reads the text again; `None` where that is too large for our engine.
pub(crate) fn exported(
    constraint: &Constraint,
    target: ExportTarget,
    options: ExportOptions,
) -> Result<Option<Exported>, Error> {
    let text = constraint.export(target, &options)?;
    let again = match read(target, &text, constraint.vocabulary()) {
        Ok(again) => again,
        Err(error) => match data::limit_of(&error) {
            Some(limit) if limit != "regex_nesting" => return Ok(None),
            _ => panic!("{error} in {text}"),
        },
    };
    let regex = (target == ExportTarget::Regex).then(|| {
        let whole = format!(r"\A(?:{text})\z");
        let regex = regex::RegexBuilder::new(&whole).size_limit(1 << 26).build();
        match regex {
            Ok(regex) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => None,
            Err(error) => panic!("{error}"),
        }
    });
    Ok(Some(Exported { text, constraint: again, regex: regex.flatten(), options }))
}

fn read(
    target: ExportTarget,
    text: &str,
    vocabulary: &Arc<Vocabulary>,
) -> Result<Constraint, Error> {
    let mut limits = Limits::default();
    for name in ["regex_bytes", "regex_work", "regex_nodes", "grammar_bytes", "compile_fuel"] {
        limits.set(name, 1 << 28);
    }
    let compiler = Compiler::new(vocabulary).limits(limits);
    match target {
        ExportTarget::Regex => compiler.regex(text, RegexSyntax::Rust),
        ExportTarget::Gbnf => compiler.grammar(text, &GrammarOptions::gbnf()),
        ExportTarget::Lark => compiler.grammar(text, &GrammarOptions::lark()),
    }
}

impl Exported {
    /// Compares both on texts that one of them writes, and on texts like those. Answers with their number.
    pub(crate) fn compare(
        &self,
        original: &Constraint,
        schema: Option<&Value>,
        n_walks: usize,
        random: &mut Random,
    ) -> Result<usize, String> {
        let validator = schema.and_then(|schema| jsonschema::validator_for(schema).ok());
        let mut n_texts = 0;
        for n_walk in 0..2 * n_walks {
            let writer = if n_walk % 2 == 0 { original } else { &self.constraint };
            let Some(text) = written(writer, 1 + random.below(60), random) else { continue };
            let mut changed = text.clone();
            for _ in 0..=3 {
                self.check(original, validator.as_ref(), schema.is_some(), &changed)?;
                n_texts += 1;
                changed = altered(&changed, random);
            }
        }
        Ok(n_texts)
    }

    /// Texts that it writes, and texts like those, with its verdict.
    pub(crate) fn samples(&self, n: usize, random: &mut Random) -> Vec<(String, bool)> {
        let mut samples = Vec::new();
        for _ in 0..n {
            let written = written(&self.constraint, 1 + random.below(40), random);
            let mut text = written.unwrap_or_default();
            for _ in 0..3 {
                let accepted = verdict(&self.constraint, &text);
                if let (Ok(text), Some(accepted)) = (String::from_utf8(text.clone()), accepted) {
                    samples.push((text, accepted.is_ok()));
                }
                text = altered(&text, random);
            }
        }
        samples
    }

    fn check(
        &self,
        original: &Constraint,
        validator: Option<&jsonschema::Validator>,
        is_json: bool,
        text: &[u8],
    ) -> Result<(), String> {
        let (before, after) = (verdict(original, text), verdict(&self.constraint, text));
        let (Some(before), Some(after)) = (before, after) else { return Ok(()) };
        let shown =
            || format!("{:?}: {before:?}, and exported {after:?}", String::from_utf8_lossy(text));
        if let (Some(regex), Ok(text)) = (&self.regex, std::str::from_utf8(text))
            && regex.is_match(text) != after.is_ok()
        {
            return Err(format!("the regex crate disagrees on {}", shown()));
        }
        let ExportOptions { depth, may_repeat_keys } = self.options;
        let is_right = match (before, after) {
            (Ok(()), Ok(())) => true,
            (Ok(()), Err(_)) => {
                depth.is_some_and(|depth| !is_json || nesting(text) > depth as usize)
            }
            (Err(_), Ok(())) => may_repeat_keys && is_valid_with_repeated_keys(text, validator),
            (Err(one), Err(other)) => one == other || depth.is_some() || may_repeat_keys,
        };
        if is_right { Ok(()) } else { Err(shown()) }
    }
}

fn verdict(constraint: &Constraint, text: &[u8]) -> Option<Verdict> {
    let mut matcher = constraint.matcher();
    match matcher.accept_text(text) {
        Ok(()) => Some(matcher.is_accepting().ok()?.then_some(()).ok_or(RejectedAt::End)),
        Err(Error::TextNotAllowed { offset }) => Some(Err(RejectedAt::Byte(offset))),
        // A limit.
        Err(_) => None,
    }
}

fn written(constraint: &Constraint, n_steps: usize, random: &mut Random) -> Option<Vec<u8>> {
    let mut walk = Walk::random(constraint, n_steps, random);
    let completion = walk.matcher.shortest_completion().ok()?;
    let vocabulary = constraint.vocabulary();
    Some([walk.text(constraint), following::bytes_of(vocabulary, &completion)].concat())
}

/// The text with one character more, less or changed.
fn altered(text: &[u8], random: &mut Random) -> Vec<u8> {
    const CHARACTERS: &str = "{}[],:\"\"\\ue0123456789abcdefAEtrnl .-+@/\n\té😀\u{7f}\u{1}";
    let mut characters: Vec<char> = String::from_utf8_lossy(text).chars().collect();
    let new = CHARACTERS.chars().nth(random.below(CHARACTERS.chars().count())).unwrap_or(' ');
    let at = random.below(characters.len() + 1);
    match random.below(4) {
        0 => characters.insert(at, new),
        1 if at < characters.len() => characters[at] = new,
        2 if at < characters.len() => drop(characters.remove(at)),
        3 if at + 1 < characters.len() => characters.swap(at, at + 1),
        _ => characters.truncate(at),
    }
    characters.into_iter().collect::<String>().into_bytes()
}

/// How deep objects and arrays are nested.
fn nesting(text: &[u8]) -> usize {
    let (mut open, mut most, mut in_string, mut is_escaped) = (0usize, 0, false, false);
    for &byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => open += 1,
            b'}' | b']' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn is_valid_with_repeated_keys(text: &[u8], validator: Option<&jsonschema::Validator>) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(text) else { return false };
    let is_valid = validator.is_none_or(|validator| validator.is_valid(&value));
    is_valid && value.to_string().len() < text.len()
}
