//! Verdicts on MaskBench, the schemas of the wild.
//!
//! `gunzip` its `dev.jsonl.gz`, then
//! `ESPALIER_MASKBENCH=dev.jsonl cargo test --release --test maskbench -- --ignored --nocapture`.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};
use serde_json::Value;
use support::data;
use support::following;
use support::spelling::Spelling;

static VOCABULARY: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| data::read_vocabulary("bytes"));

/// What was found out about the cases.
#[derive(Default)]
struct Figures {
    n_cases: usize,
    n_passing: usize,
    n_instances: usize,
    /// The names of the cases that do not compile, by the kind of the error.
    refused: BTreeMap<String, Vec<String>>,
    /// Valid instances that are refused and invalid ones that are accepted.
    wrong: Vec<String>,
    slowest_compile: (Duration, String),
    slowest_walk: (Duration, String),
}

#[test]
#[ignore = "needs the data set"]
fn verdicts_are_right() {
    let path =
        std::env::var("ESPALIER_MASKBENCH").expect("ESPALIER_MASKBENCH is the path of dev.jsonl");
    let lines = fs::read_to_string(path).expect("a file of MaskBench");
    let only = std::env::var("ESPALIER_MASKBENCH_ONLY").unwrap_or_default();
    let mut figures = Figures::default();
    for line in lines.lines() {
        let case: Value = serde_json::from_str(line).expect("a line of JSON");
        if case["name"].as_str().is_some_and(|name| name.contains(&only)) {
            figures.run(&case);
        }
    }
    figures.print();
    assert!(figures.wrong.is_empty(), "{} verdicts are wrong", figures.wrong.len());
}

impl Figures {
    fn run(&mut self, case: &Value) {
        self.n_cases += 1;
        let name = case["name"].as_str().unwrap_or_default();
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
            let verdict =
                catch_unwind(AssertUnwindSafe(|| following::by_text(&constraint, text.as_bytes())));
            note_slowest(&mut self.slowest_walk, started, name);
            let valid = test["valid"] == true;
            match verdict {
                Ok(verdict) if verdict.is_ok() == valid => {}
                Ok(verdict) => {
                    self.wrong.push(format!("{name} #{index}: valid {valid}, got {verdict:?}"))
                }
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
            println!("{:5} {kind}, such as {:?}", names.len(), &names[..names.len().min(3)]);
        }
        println!("slowest compile {:?}", self.slowest_compile);
        println!("slowest walk {:?}", self.slowest_walk);
        for wrong in &self.wrong {
            println!("wrong: {wrong}");
        }
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
        Error::Unsatisfiable { .. } => "unsatisfiable".to_owned(),
        Error::UnsupportedRegex { message, .. } => format!("unsupported regex: {message}"),
        Error::InvalidRegex { message, .. } => format!("invalid regex: {message}"),
        other => other.to_string(),
    }
}
