//! Runs `testdata/` against every spelling, option and vocabulary.

mod support;

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use espalier_constraint::{
    Constraint, Error, FormatMode, JsonSchemaOptions, TokenMask, Vocabulary,
};
use serde_json::Value;
use support::data::{self, ExpectedError, Group, Input, Mask, RejectedAt, Source, Test};
use support::following::{self, Verdict};
use support::spelling::{SPELLINGS, Spelling};

static VOCABULARIES: LazyLock<Vec<(String, Arc<Vocabulary>)>> = LazyLock::new(|| {
    let names = data::names("vocabularies").into_iter();
    names.map(|name| (name.clone(), data::read_vocabulary(&name))).collect()
});

macro_rules! topics {
    ($($topic:ident),+; $($grammars:ident),+ $(,)?) => {
        $(
            #[test]
            fn $topic() {
                check_topic(stringify!($topic));
            }
        )+

        #[test]
        fn every_file_is_run() {
            let mut topics = vec![$(stringify!($topic)),+];
            topics.sort_unstable();
            assert_eq!(data::names(""), topics);
            let mut grammars = vec![$(stringify!($grammars)),+];
            grammars.sort_unstable();
            assert_eq!(data::names("grammars"), grammars);
        }

        $(
            #[test]
            fn $grammars() {
                check_topic(concat!("grammars/", stringify!($grammars)));
            }
        )+
    };
}

topics!(
    arrays,
    choice,
    combine,
    drafts,
    errors,
    formats,
    masks,
    numbers,
    objects,
    patterns,
    references,
    regex,
    strings,
    text_options,
    types,
    unicode;
    expressions,
    gbnf,
    lark,
    samples,
);

/// What the independent validator gets wrong, as `(group, test)`.
const ORACLE_IS_WRONG: [(&str, &str); 8] = [
    // It does not know these escapes of ECMA 262.
    ("control escapes", "all"),
    // Its borders of words are not those of ASCII.
    ("borders of words are ASCII", "two borders"),
    ("borders of words are ASCII", "before a letter beyond ASCII"),
    // It does not know this syntax.
    ("octal escapes of old", "all"),
    ("surrogates in a class are no characters", "all"),
    ("a pair of surrogates in a class", "all"),
    ("a class of nothing", "all"),
    // It is too large there.
    ("many repetitions of large classes", "all"),
];

#[test]
fn verdicts_on_data_agree_with_an_independent_validator() {
    let groups = data::names("").into_iter().flat_map(|topic| data::read_groups(&topic));
    let wrong: Vec<(String, String)> = groups
        .filter(|group| group.error.is_none())
        .flat_map(|group| disagreements(&group))
        .collect();
    let known = ORACLE_IS_WRONG.map(|(group, test)| (group.to_owned(), test.to_owned()));
    assert_eq!(wrong, known);
}

fn disagreements(group: &Group) -> Vec<(String, String)> {
    let Source::Schema(schema) = &group.source else { return Vec::new() };
    let schema: Value = serde_json::from_str(schema).expect("a schema that is JSON");
    let named = |test: &str| (group.description.clone(), test.to_owned());
    let is_asserted = group.options.format == FormatMode::Assert;
    let validator = jsonschema::options().should_validate_formats(is_asserted).build(&schema);
    let Ok(validator) = validator else { return vec![named("all")] };
    let wrong = group.tests.iter().filter(|test| disagrees(&validator, test));
    wrong.map(|test| named(&test.description)).collect()
}

fn disagrees(validator: &jsonschema::Validator, test: &Test) -> bool {
    match &test.input {
        Input::Data(value) => validator.is_valid(value) != test.valid,
        Input::Text(text) => {
            // A text that is valid is JSON, and the value that it stands for is valid.
            let value = serde_json::from_slice::<Value>(text).ok();
            test.valid && value.is_some_and(|value| !validator.is_valid(&value))
        }
    }
}

#[test]
#[ignore = "takes a file that `tools/grammars/verdicts.py` wrote with `--kept 0`"]
fn all_verdicts_on_grammars() {
    let path = std::env::var("ESPALIER_GRAMMAR_VERDICTS").expect("the path of the file");
    check_groups(&path, &data::read_groups_of(Path::new(&path)));
}

fn check_topic(topic: &str) {
    check_groups(topic, &data::read_groups(topic));
}

fn check_groups(topic: &str, groups: &[Group]) {
    let failures: Vec<String> = groups.iter().flat_map(check_group).collect();
    assert!(
        failures.is_empty(),
        "{} failures in {topic}:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What is wrong with a group: nothing, we hope.
fn check_group(group: &Group) -> Vec<String> {
    if let Some(expected) = &group.error {
        return check_error(group, expected).into_iter().collect();
    }
    let compiled = Compiled::new(group);
    if let Some(problem) = check_unused(&compiled) {
        return vec![problem];
    }
    let tests = group.tests.iter().flat_map(|test| check_test(&compiled, test));
    tests.chain(group.masks.iter().flat_map(|mask| check_mask(group, mask))).collect()
}

/// The rules of a grammar that no text needs, where they are listed.
fn check_unused(compiled: &Compiled) -> Option<String> {
    let expected = compiled.group.unused.as_ref()?;
    let constraint = compiled.constraint(compiled.group.options, 0).ok()?;
    let unused = constraint.unused_rules().iter().map(|rule| rule.name.clone());
    let got: Vec<_> = unused.collect();
    (got != *expected).then(|| format!("{}: unused rules {got:?}", compiled.group.description))
}

fn check_error(group: &Group, expected: &ExpectedError) -> Option<String> {
    let Err(got) = group.source.compile(group.options, &VOCABULARIES[0].1) else {
        return Some(format!("{}: compiles", group.description));
    };
    let found = parts(&got);
    let is = |expected: &Option<String>, got: Option<&str>| {
        expected.as_deref().is_none_or(|expected| Some(expected) == got)
    };
    let as_expected = found.kind == expected.kind
        && is(&expected.keyword, found.keyword)
        && is(&expected.pointer, found.pointer)
        && is(&expected.name, found.name)
        && expected.place.is_none_or(|place| found.place == Some(place));
    (!as_expected).then(|| format!("{}: expected {expected:?}, got: {got:?}", group.description))
}

/// The fields of an error.
#[derive(Default)]
struct Parts<'a> {
    kind: &'static str,
    keyword: Option<&'a str>,
    pointer: Option<&'a str>,
    name: Option<&'a str>,
    place: Option<(usize, usize)>,
}

fn parts(error: &Error) -> Parts<'_> {
    let of = |kind| Parts { kind, ..Parts::default() };
    match error {
        Error::InvalidJson { .. } => of("invalid_json"),
        Error::InvalidSchema { pointer, .. } => {
            Parts { pointer: Some(pointer), ..of("invalid_schema") }
        }
        Error::UnsupportedKeyword { keyword, pointer, .. } => {
            let (keyword, pointer) = (Some(&keyword[..]), Some(&pointer[..]));
            Parts { keyword, pointer, ..of("unsupported_keyword") }
        }
        Error::Unsatisfiable { pointer } => Parts { pointer: Some(pointer), ..of("unsatisfiable") },
        Error::InvalidRegex { pointer, .. } => {
            Parts { pointer: pointer.as_deref(), ..of("invalid_regex") }
        }
        Error::UnsupportedRegex { pointer, .. } => {
            Parts { pointer: pointer.as_deref(), ..of("unsupported_regex") }
        }
        Error::EmptyChoice => of("empty_choice"),
        Error::LimitExceeded { pointer, .. } => {
            Parts { pointer: pointer.as_deref(), ..of("limit_exceeded") }
        }
        Error::InvalidGrammar { line, column, .. } => {
            Parts { place: Some((*line, *column)), ..of("invalid_grammar") }
        }
        Error::UnsupportedGrammar { line, column, .. } => {
            Parts { place: Some((*line, *column)), ..of("unsupported_grammar") }
        }
        Error::UndefinedName { name, line, column } => {
            Parts { name: Some(name), place: Some((*line, *column)), ..of("undefined_name") }
        }
        Error::DuplicateName { name, line, column, .. } => {
            Parts { name: Some(name), place: Some((*line, *column)), ..of("duplicate_name") }
        }
        Error::RecursiveTerminal { name, line, column } => {
            Parts { name: Some(name), place: Some((*line, *column)), ..of("recursive_terminal") }
        }
        Error::EmptyGrammar { rule, line, column } => {
            Parts { name: Some(rule), place: Some((*line, *column)), ..of("empty_grammar") }
        }
        Error::InvalidTerminal { error, line, column } => {
            Parts { place: Some((*line, *column)), ..parts(error) }
        }
        _ => of("another"),
    }
}

/// A group's constraints, each compiled once.
struct Compiled<'a> {
    group: &'a Group,
    constraints: RefCell<HashMap<(JsonSchemaOptions, usize), Result<Constraint, Error>>>,
}

impl<'a> Compiled<'a> {
    fn new(group: &'a Group) -> Self {
        Self { group, constraints: RefCell::default() }
    }

    fn constraint(
        &self,
        options: JsonSchemaOptions,
        vocabulary_idx: usize,
    ) -> Result<Constraint, Error> {
        let compile = || self.group.source.compile(options, &VOCABULARIES[vocabulary_idx].1);
        let mut constraints = self.constraints.borrow_mut();
        constraints.entry((options, vocabulary_idx)).or_insert_with(compile).clone()
    }
}

/// A text, the options to try it under, and what should become of it.
struct Attempt {
    text: Vec<u8>,
    options: JsonSchemaOptions,
    valid: bool,
    rejected_at: Option<RejectedAt>,
}

fn check_test(compiled: &Compiled, test: &Test) -> Vec<String> {
    let problem = |attempt: &Attempt| {
        let problem = check_attempt(compiled, attempt)?;
        let text = String::from_utf8_lossy(&attempt.text);
        let (group, test) = (&compiled.group.description, &test.description);
        Some(format!("{group} / {test}: {problem}; text {text:?}, {:?}", attempt.options))
    };
    attempts(compiled.group, test).iter().filter_map(problem).collect()
}

fn attempts(group: &Group, test: &Test) -> Vec<Attempt> {
    let &Test { valid, rejected_at, reordered, .. } = test;
    let value = match &test.input {
        Input::Text(text) => {
            let (text, options) = (text.clone(), group.options);
            return vec![Attempt { text, options, valid, rejected_at }];
        }
        Input::Data(value) => value,
    };
    let attempt = |spelling: Spelling, options, valid| {
        let text = spelling.write(value).into_bytes();
        Attempt { text, options, valid, rejected_at }
    };
    let mut attempts = Vec::new();
    for spelling in SPELLINGS {
        let options = spelling.options(!reordered).into_iter();
        attempts.extend(options.map(|options| attempt(spelling, options, valid)));
    }
    if reordered {
        // Keys out of order are refused where the schema's order is asked for.
        attempts.push(attempt(Spelling::Compact, JsonSchemaOptions::generating(), false));
    }
    attempts
}

/// Compares the verdicts on a text, cut in every way, with the expected one.
fn check_attempt(compiled: &Compiled, attempt: &Attempt) -> Option<String> {
    for (vocabulary_idx, (name, _)) in VOCABULARIES.iter().enumerate() {
        let constraint = match compiled.constraint(attempt.options, vocabulary_idx) {
            Ok(constraint) => constraint,
            Err(error) => return Some(format!("does not compile: {error}")),
        };
        let verdict = following::by_text(&constraint, &attempt.text);
        if verdict.is_ok() != attempt.valid {
            return Some(format!("expected valid = {}, got {verdict:?}", attempt.valid));
        }
        if let (Some(expected), Err(got)) = (attempt.rejected_at, verdict)
            && expected != got
        {
            return Some(format!("expected to be refused at {expected:?}, got {got:?}"));
        }
        if let Some(problem) = check_tokens(&constraint, &attempt.text, verdict) {
            return Some(format!("{problem} (vocabulary {name})"));
        }
    }
    None
}

/// In the longest tokens the verdict is the same as in one piece, at the token with that byte.
fn check_tokens(constraint: &Constraint, text: &[u8], verdict: Verdict) -> Option<String> {
    let vocabulary = constraint.vocabulary();
    let tokens = following::cut_greedily(vocabulary, text)?;
    let by_tokens = following::by_tokens(constraint, &tokens);
    let expected = match verdict {
        Err(RejectedAt::Byte(offset)) => {
            Err(RejectedAt::Byte(start_of_token(vocabulary, &tokens, offset)))
        }
        other => other,
    };
    (by_tokens != expected).then(|| {
        format!("in one piece {verdict:?}, in tokens {by_tokens:?} instead of {expected:?}")
    })
}

fn start_of_token(vocabulary: &Vocabulary, tokens: &[u32], offset: usize) -> usize {
    let lengths = tokens.iter().map(|&token| vocabulary.token_bytes(token).map_or(0, <[u8]>::len));
    let mut start = 0;
    for length in lengths {
        if start + length > offset {
            break;
        }
        start += length;
    }
    start
}

fn check_mask(group: &Group, expected: &Mask) -> Vec<String> {
    let place = format!(
        "{} / mask after {:?} ({})",
        group.description, expected.prefix, expected.vocabulary
    );
    let problems = mask_problems(group, expected);
    problems.into_iter().map(|problem| format!("{place}: {problem}")).collect()
}

fn mask_problems(group: &Group, expected: &Mask) -> Vec<String> {
    let vocabulary = data::read_vocabulary(&expected.vocabulary);
    let constraint = match group.source.compile(group.options, &vocabulary) {
        Ok(constraint) => constraint,
        Err(error) => return vec![format!("does not compile: {error}")],
    };
    let mut matcher = constraint.matcher();
    if let Err(error) = matcher.accept_text(expected.prefix.as_bytes()) {
        return vec![format!("the prefix is refused: {error}")];
    }
    let mask = matcher.compute_mask().expect("a mask");
    let mut problems = wrong_tokens(&vocabulary, &mask, expected);
    let eos_allowed = vocabulary.eos_ids().iter().all(|&id| mask.is_allowed(id));
    if expected.eos.is_some_and(|eos| eos != eos_allowed) {
        problems.push(format!("the end is allowed: {eos_allowed}"));
    }
    let forced = following::bytes_of(&vocabulary, &matcher.forced_tokens().expect("forced tokens"));
    if expected.forced.as_ref().is_some_and(|expected| expected.as_bytes() != forced) {
        problems.push(format!("forced: {:?}", String::from_utf8_lossy(&forced)));
    }
    problems
}

fn wrong_tokens(vocabulary: &Vocabulary, mask: &TokenMask, expected: &Mask) -> Vec<String> {
    let ids = 0..vocabulary.n_ids() as u32;
    ids.filter(|id| !vocabulary.eos_ids().contains(id))
        .filter_map(|id| {
            let bytes = vocabulary.token_bytes(id).expect("a token");
            let is_allowed = mask.is_allowed(id);
            let is_wrong = is_allowed != should_be_allowed(vocabulary, id, bytes, expected)?;
            is_wrong.then(|| {
                let text = String::from_utf8_lossy(bytes);
                format!("token {id} {text:?} is allowed: {is_allowed}")
            })
        })
        .collect()
}

/// Whether the mask has to allow a token; `None` when the test does not say.
fn should_be_allowed(
    vocabulary: &Vocabulary,
    id: u32,
    bytes: &[u8],
    expected: &Mask,
) -> Option<bool> {
    let listed = |tokens: &[Vec<u8>]| tokens.iter().any(|token| token == bytes);
    if bytes.is_empty() || vocabulary.is_special(id) || listed(&expected.forbidden) {
        Some(false)
    } else if listed(&expected.allowed) {
        Some(true)
    } else {
        expected.exact.then_some(false)
    }
}
