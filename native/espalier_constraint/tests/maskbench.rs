//! Verdicts on `MaskBench`, the schemas of the wild.
//!
//! `gunzip` its `dev.jsonl.gz`, then
//! `ESPALIER_MASKBENCH=dev.jsonl cargo test --release --test maskbench -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use serde_json::{Value, json};
use support::data;
use support::following;
use support::instances::mutated;
use support::oracle::{has_huge_exponent, with_plain_numbers};
use support::random::Random;
use support::spelling::Spelling;
use support::walk::Walk;

static VOCABULARY: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| data::read_vocabulary("boundaries"));

/// The cases that do not pass: the kind of the error, and their names. None may be added.
const NOT_PASSING: [(&str, &[&str]); 5] = [
    // A schema that refers to itself for the same value.
    ("invalid schema", &["JsonSchemaStore---cloudify"]),
    // Objects or items that too many branches describe, none of which requires anything.
    ("limit member_choices", &["JsonSchemaStore---v4-config.schema"]),
    // Patterns whose automata have too many states, together or alone.
    ("limit product_states", &["Handwritten---allany17"]),
    ("limit regex_work", &["JsonSchemaStore---aerleon-definitions.schema"]),
    // They are: of branches that exclude each other, all hold.
    (
        "unsatisfiable",
        &[
            "Glaiveai2K---calculate_area_2f92f3ea",
            "Glaiveai2K---calculate_area_3a8a9f78",
            "Glaiveai2K---calculate_area_4493ae68",
            "Glaiveai2K---calculate_area_6fd20e8d",
            "Glaiveai2K---calculate_area_92ac029d",
            "Glaiveai2K---calculate_area_d402e1cc",
            "Glaiveai2K---calculate_area_e6818129",
            "Glaiveai2K---calculate_area_e8f1513d",
            "Glaiveai2K---calculate_area_f88fb53c",
            "Glaiveai2K---calculate_area_f8e04f89",
        ],
    ),
];

/// What was found out about the cases.
#[derive(Default)]
struct Figures {
    n_cases: usize,
    n_passing: usize,
    n_instances: usize,
    /// The names of the cases that are refused, as a whole or while a value is read, by the kind of
    /// the error.
    refused: BTreeMap<String, Vec<String>>,
    /// Valid instances that are refused and invalid ones that are accepted.
    wrong: Vec<String>,
    slowest_compile: (Duration, String),
    slowest_walk: (Duration, String),
}

#[test]
#[ignore = "needs the data set"]
fn verdicts_are_right() {
    let mut figures = Figures::default();
    for case in cases() {
        figures.run(&case);
    }
    figures.print();
    for (kind, names) in &figures.refused {
        let known = NOT_PASSING.iter().find(|(known, _)| known == kind);
        let known = known.map_or(&[][..], |(_, names)| names);
        let new: Vec<_> = names.iter().filter(|name| !known.contains(&name.as_str())).collect();
        assert!(new.is_empty(), "{kind}: {new:?} passed before");
    }
    let refused: Vec<&String> = figures.refused.values().flatten().collect();
    for name in NOT_PASSING.iter().flat_map(|(_, names)| *names) {
        let is_whole = std::env::var("ESPALIER_MASKBENCH_ONLY").is_err();
        assert!(
            !is_whole || refused.iter().any(|other| other == name),
            "{name} passes: take it out"
        );
    }
    assert!(figures.wrong.is_empty(), "{} verdicts are wrong", figures.wrong.len());
}

/// Small changes to the instances get the verdicts of an independent validator.
#[test]
#[ignore = "needs the data set"]
fn verdicts_on_changed_instances_agree_with_an_independent_validator() {
    let mut n_instances = 0;
    check_cases(|schema, case, random| {
        let Ok(validator) = jsonschema::validator_for(schema) else { return Ok(()) };
        let Some(constraint) = compile(schema, JsonSchemaOptions::matching()) else {
            return Ok(());
        };
        for test in case["tests"].as_array().into_iter().flatten() {
            for _ in 0..5 {
                let instance = mutated(&mutated(&test["data"], random), random);
                let text = Spelling::Spaced.write(&instance);
                let accepted = following::by_text(&constraint, text.as_bytes()).is_ok();
                if accepted != validator.is_valid(&with_plain_numbers(&instance)) {
                    return Err(format!("{text} is accepted: {accepted}"));
                }
                n_instances += 1;
            }
        }
        Ok(())
    });
    println!("{n_instances} instances");
}

/// What is written at random and completed is JSON, and an independent validator accepts it.
#[test]
#[ignore = "needs the data set"]
fn generated_texts_are_valid() {
    let mut n_texts = 0;
    check_cases(|schema, _, random| {
        let Ok(validator) = jsonschema::validator_for(schema) else { return Ok(()) };
        for options in [JsonSchemaOptions::generating(), JsonSchemaOptions::matching()] {
            let Some(constraint) = compile(schema, options) else { return Ok(()) };
            for n_steps in [0, 10, 40, 150] {
                let mut walk = Walk::random(&constraint, n_steps, random);
                let mut text = walk.text(&constraint);
                let completion =
                    walk.matcher.shortest_completion().map_err(|error| error.to_string())?;
                text.extend(following::bytes_of(&VOCABULARY, &completion));
                let shown = String::from_utf8_lossy(&text);
                if following::by_text(&constraint, &text).is_err() {
                    return Err(format!("{shown} is not complete"));
                }
                let value: Value =
                    serde_json::from_slice(&text).map_err(|error| format!("{error} in {shown}"))?;
                if !has_huge_exponent(&shown) && !validator.is_valid(&with_plain_numbers(&value)) {
                    return Err(format!("{shown} is invalid"));
                }
                n_texts += 1;
            }
        }
        Ok(())
    });
    println!("{n_texts} texts");
}

/// Patterns match what an independent engine matches, on texts that they generate and on changes
/// to them.
#[test]
#[ignore = "needs the data set"]
fn patterns_match_as_elsewhere() {
    let (mut n_patterns, mut n_refused, mut wrong) =
        (0, BTreeMap::<String, usize>::new(), Vec::new());
    let mut patterns = BTreeSet::new();
    for case in cases() {
        collect_patterns(&case["schema"], &mut patterns);
    }
    // The other engine takes these for borders of words.
    patterns.retain(|pattern| !pattern.contains("\\<"));
    for pattern in patterns {
        let schema = json!({"type": "string", "pattern": pattern});
        let Ok(validator) = jsonschema::validator_for(&schema) else { continue };
        let compiled = Constraint::json_schema(
            &schema.to_string(),
            &JsonSchemaOptions::generating(),
            &VOCABULARY,
        );
        let constraint = match compiled {
            Ok(constraint) => constraint,
            Err(error) => {
                *n_refused.entry(kind(&error)).or_default() += 1;
                continue;
            }
        };
        n_patterns += 1;
        let mut random = Random::new(n_patterns);
        for _ in 0..10 {
            let n_steps = random.below(25);
            let mut walk = Walk::random(&constraint, n_steps, &mut random);
            let mut text = walk.text(&constraint);
            let completion = walk.matcher.shortest_completion().expect("a completion");
            text.extend(following::bytes_of(&VOCABULARY, &completion));
            let generated: Value = serde_json::from_slice(&text).expect("JSON");
            if !validator.is_valid(&generated) {
                wrong.push(format!("{pattern} generates {generated}"));
            }
            let changed = mutated(&generated, &mut random);
            let text = Spelling::Compact.write(&changed);
            let accepted = following::by_text(&constraint, text.as_bytes()).is_ok();
            if changed.is_string() && accepted != validator.is_valid(&changed) {
                wrong.push(format!("{pattern} accepts {changed}: {accepted}"));
            }
        }
    }
    println!(
        "{n_patterns} patterns, refused: {n_refused:?}, {} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(wrong.is_empty());
}

/// How long each pattern takes, those of keys included.
#[test]
#[ignore = "needs the data set"]
fn patterns_compile_quickly() {
    let mut patterns = BTreeSet::new();
    for case in cases() {
        collect_patterns(&case["schema"], &mut patterns);
        collect_keys(&case["schema"], &mut patterns);
    }
    let mut times = Vec::new();
    let mut refused = Vec::new();
    for pattern in patterns {
        let schema = json!({"type": "string", "pattern": pattern}).to_string();
        let started = Instant::now();
        match Constraint::json_schema(&schema, &JsonSchemaOptions::generating(), &VOCABULARY) {
            Ok(_) | Err(Error::Unsatisfiable { .. }) => times.push((started.elapsed(), pattern)),
            Err(error) => refused.push(format!("{pattern}: {}", kind(&error))),
        }
    }
    times.sort_unstable();
    for part in [50, 90, 99, 100] {
        println!("{part} %: {:?}", times[(times.len() - 1) * part / 100]);
    }
    println!("{} compile, {} refused:\n{}", times.len(), refused.len(), refused.join("\n"));
}

fn collect_keys(schema: &Value, patterns: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect_keys(item, patterns)),
        Value::Object(members) => {
            let keys = members.get("patternProperties").and_then(Value::as_object);
            patterns.extend(keys.into_iter().flat_map(|keys| keys.keys().cloned()));
            members.values().for_each(|value| collect_keys(value, patterns));
        }
        _ => {}
    }
}

fn collect_patterns(schema: &Value, patterns: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect_patterns(item, patterns)),
        Value::Object(members) => {
            patterns.extend(members.get("pattern").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect_patterns(value, patterns));
        }
        _ => {}
    }
}

/// The cases, or those with a certain name.
fn cases() -> Vec<Value> {
    let path = std::env::var("ESPALIER_MASKBENCH").expect("the path of dev.jsonl");
    let lines = fs::read_to_string(path).expect("a file of MaskBench");
    let name = std::env::var("ESPALIER_MASKBENCH_ONLY").unwrap_or_default();
    let cases =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    cases.filter(|case| name_of(case).contains(&name)).collect()
}

fn name_of(case: &Value) -> &str {
    case["name"].as_str().unwrap_or_default()
}

fn check_cases(mut check: impl FnMut(&Value, &Value, &mut Random) -> Result<(), String>) {
    let mut problems = Vec::new();
    for (seed, case) in (0..).zip(cases()) {
        let mut random = Random::new(seed);
        let checked = catch_unwind(AssertUnwindSafe(|| check(&case["schema"], &case, &mut random)));
        if let Err(problem) = checked.unwrap_or_else(|_| Err("panic".to_owned())) {
            problems.push(format!("{}: {problem}", name_of(&case)));
        }
    }
    println!("{} problems:\n{}", problems.len(), problems.join("\n"));
    assert!(problems.is_empty());
}

/// `None` when the schema is not supported.
fn compile(schema: &Value, options: JsonSchemaOptions) -> Option<Constraint> {
    Constraint::json_schema(&schema.to_string(), &options, &VOCABULARY).ok()
}

impl Figures {
    fn run(&mut self, case: &Value) {
        self.n_cases += 1;
        let name = name_of(case);
        let schema = case["schema"].to_string();
        let started = Instant::now();
        let compile =
            || Constraint::json_schema(&schema, &JsonSchemaOptions::matching(), &VOCABULARY);
        let compiled = catch_unwind(AssertUnwindSafe(compile));
        note_slowest(&mut self.slowest_compile, started, name);
        let constraint = match compiled {
            Ok(Ok(constraint)) => constraint,
            Ok(Err(error)) => return self.refuse(kind(&error), name),
            Err(_) => return self.refuse("panic".to_owned(), name),
        };
        let n_wrong = self.wrong.len();
        for (index, test) in case["tests"].as_array().into_iter().flatten().enumerate() {
            self.n_instances += 1;
            let text = Spelling::Python.write(&test["data"]);
            let started = Instant::now();
            let verdict = catch_unwind(AssertUnwindSafe(|| is_valid(&constraint, &text)));
            note_slowest(&mut self.slowest_walk, started, name);
            let valid = test["valid"] == true;
            match verdict {
                Ok(Ok(verdict)) if verdict == valid => {}
                Ok(Ok(_)) => self.wrong.push(format!("{name} #{index}: valid is {valid}")),
                Ok(Err(error)) => return self.refuse(kind(&error), name),
                Err(_) => self.wrong.push(format!("{name} #{index}: panic")),
            }
        }
        self.n_passing += usize::from(n_wrong == self.wrong.len());
    }

    fn refuse(&mut self, kind: String, name: &str) {
        self.refused.entry(kind).or_default().push(name.to_owned());
    }

    fn print(&self) {
        println!(
            "{} of {} cases pass, {} instances",
            self.n_passing, self.n_cases, self.n_instances
        );
        for (kind, names) in &self.refused {
            println!("{:5} {kind}, {:?}", names.len(), names);
        }
        println!("slowest compile {:?}", self.slowest_compile);
        println!("slowest walk {:?}", self.slowest_walk);
        for wrong in &self.wrong {
            println!("wrong: {wrong}");
        }
    }
}

fn is_valid(constraint: &Constraint, text: &str) -> Result<bool, Error> {
    let mut matcher = constraint.matcher();
    match matcher.accept_text(text.as_bytes()) {
        Ok(()) => matcher.is_accepting(),
        Err(Error::TextNotAllowed { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

fn note_slowest(slowest: &mut (Duration, String), started: Instant, name: &str) {
    if started.elapsed() > slowest.0 {
        *slowest = (started.elapsed(), name.to_owned());
    }
}

/// The kind of an error, with the keyword or the limit that it is about.
fn kind(error: &Error) -> String {
    match error {
        Error::UnsupportedKeyword { keyword, .. } => format!("unsupported keyword {keyword}"),
        Error::LimitExceeded { limit, .. } => format!("limit {limit}"),
        Error::InvalidSchema { .. } => "invalid schema".to_owned(),
        Error::Unsatisfiable { .. } => "unsatisfiable".to_owned(),
        Error::UnsupportedRegex { message, .. } => format!("unsupported regex: {message}"),
        Error::InvalidRegex { message, .. } => format!("invalid regex: {message}"),
        other => other.to_string(),
    }
}
