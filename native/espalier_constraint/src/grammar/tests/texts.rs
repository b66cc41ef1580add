//! The texts of grammars: what errors say, and texts that were changed at random.

use std::fs;
use std::path::Path;

use super::Random;
use crate::error::Error;
use crate::grammar::{GrammarOptions, parse};
use crate::limits::Limits;
use crate::meter::Meter;

fn read(text: &str, options: &GrammarOptions) -> Result<(), Error> {
    let limits = Limits { compile_fuel: 2_000_000, ..Limits::default() };
    parse(text, options, &Meter::compiling(limits, None)).map(drop)
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let cases = [
        ("start: \"a\" | b\n", "\"b\" is not defined in the grammar (line 1, column 14)"),
        ("start \"a\"", "invalid grammar: expected :, got: \"\\\"\" (line 1, column 7)"),
        (
            "start: \"a\"\nstart: \"b\"",
            "\"start\" is defined twice in the grammar (line 2, column 1; before on line 1)",
        ),
        (
            "start: (\"a\"",
            "invalid grammar: expected a part of the group, or its end, ), got: the end of the grammar \
             (line 1, column 12)",
        ),
        (
            "start: A\nA: \"a\" A",
            "the terminal \"A\" of the grammar contains itself (line 2, column 8)",
        ),
        (
            "start: /a.*?b/",
            "unsupported regular expression \"a.*?b\": *?: a repetition that ends as soon as it can; say \
             which characters it may go on with instead, as in [^\"]* (line 1, column 11 of the grammar)",
        ),
        (
            "start.2: \"a\"",
            "unsupported in a grammar: a priority: all ways to read a text count, so there is none to prefer \
             (line 1, column 6)",
        ),
    ];
    for (text, message) in cases {
        let error = read(text, &GrammarOptions::lark()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn texts_that_were_changed_give_a_grammar_or_an_error_with_a_place() {
    let mut random = Random(1);
    for (text, options) in samples() {
        assert_eq!(read(&text, &options), Ok(()));
        for _ in 0..400 {
            let changed = change(&text, &mut random);
            let Err(error) = read(&changed, &options) else { continue };
            let (line, column) = place(&error).unwrap_or((1, 1));
            let lines: Vec<&str> = changed.split('\n').collect();
            let length = lines.get(line - 1).map(|line| line.chars().count());
            assert!(
                length.is_some_and(|length| (1..=length + 1).contains(&column)),
                "{error}\n{changed}"
            );
        }
    }
}

/// The grammars in the folder of test data.
fn samples() -> Vec<(String, GrammarOptions)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/grammars");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let sample = |path: std::path::PathBuf| {
        let options = match path.extension()?.to_str()? {
            "lark" => GrammarOptions::lark(),
            "gbnf" => GrammarOptions::gbnf(),
            _ => return None,
        };
        Some((fs::read_to_string(path).unwrap(), options))
    };
    files.filter_map(sample).collect()
}

/// The text with some characters left out, put in, or moved.
fn change(text: &str, random: &mut Random) -> String {
    let mut text: Vec<char> = text.chars().collect();
    let signs: Vec<char> = "()[]{}|?*+~\"'/\\:.,-<>%#&^$ \n\tiax0Aé😀".chars().collect();
    for _ in 0..=random.below(4) {
        let (at, to) = (random.below(text.len().max(1)), random.below(text.len().max(1)));
        match random.below(4) {
            0 => drop(text.drain(at.min(to)..at.max(to).min(at.min(to) + 5))),
            1 => text.insert(at.min(text.len()), *random.of(&signs)),
            2 => {
                let part: Vec<char> = text.iter().skip(at).take(8).copied().collect();
                text.splice(to..to, part);
            }
            _ => text.truncate(at.max(to)),
        }
    }
    text.into_iter().collect()
}

fn place(error: &Error) -> Option<(usize, usize)> {
    match error {
        Error::InvalidGrammar { line, column, .. }
        | Error::UnsupportedGrammar { line, column, .. }
        | Error::UndefinedName { line, column, .. }
        | Error::DuplicateName { line, column, .. }
        | Error::RecursiveTerminal { line, column, .. }
        | Error::InvalidTerminal { line, column, .. } => Some((*line, *column)),
        _ => None,
    }
}
