//! What is exported says the same as the constraint: it is read again by our own engine and by the `regex`
//! crate, and an independent validator judges the JSON of it.
#![allow(clippy::print_stdout, reason = "the figures are what some are for")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use espalier_constraint::{
    Compiler, Constraint, Error, EscapeStyle, ExportOptions, ExportTarget, JsonSchemaOptions,
    NumberStyle, PropertyOrder, Vocabulary, Whitespace,
};
use serde_json::Value;
use support::data::{self, Source};
use support::exported::{TARGETS, exported};
use support::property::quietly;
use support::random::{Random, seeds};
use support::schemas::random_schema;

static VOCABULARY: LazyLock<Arc<Vocabulary>> =
    LazyLock::new(|| data::read_vocabulary("boundaries"));

fn options() -> Vec<JsonSchemaOptions> {
    let generating = JsonSchemaOptions::generating();
    vec![
        generating,
        JsonSchemaOptions { whitespace: Whitespace::Spaced, ..generating },
        JsonSchemaOptions {
            whitespace: Whitespace::Max(2),
            numbers: NumberStyle::Any,
            ..generating
        },
        JsonSchemaOptions { property_order: PropertyOrder::Any, ..generating },
        JsonSchemaOptions { escapes: EscapeStyle::Any, whitespace: Whitespace::Any, ..generating },
    ]
}

/// What became of the exports.
#[derive(Default)]
struct Figures {
    exported: BTreeMap<&'static str, usize>,
    refused: BTreeMap<String, usize>,
    n_texts: usize,
}

impl Figures {
    /// Exports to all targets, first without what may be left open, and compares.
    fn run(
        &mut self,
        constraint: &Constraint,
        schema: Option<&Value>,
        n_walks: usize,
        random: &mut Random,
    ) -> Result<(), String> {
        for target in TARGETS {
            let exact = ExportOptions::default();
            let open = ExportOptions { depth: Some(2), may_repeat_keys: true };
            let mut found = exported(constraint, target, exact);
            if let Err(error) = &found {
                self.refuse(target, error);
                found = exported(constraint, target, open);
            }
            let Ok(Some(found)) = found else { continue };
            *self.exported.entry(target.name()).or_default() += 1;
            self.n_texts += found
                .compare(constraint, schema, n_walks, random)
                .map_err(|message| format!("{message}\n{}", found.text))?;
        }
        Ok(())
    }

    fn refuse(&mut self, target: ExportTarget, error: &Error) {
        let reason = match error {
            Error::NotExportable { keyword, .. } => keyword.clone(),
            Error::LimitExceeded { limit, .. } => (*limit).to_owned(),
            Error::InvalidTerminal { error, .. } => return self.refuse(target, error),
            other => panic!("{other}"),
        };
        *self.refused.entry(format!("{} {reason}", target.name())).or_default() += 1;
    }

    fn print(&self) {
        println!("exported: {:?}; {} texts", self.exported, self.n_texts);
        println!("refused at first: {:#?}", self.refused);
    }
}

#[test]
fn all_test_data_says_the_same() {
    let mut figures = Figures::default();
    let mut random = Random::new(1);
    let grammars = data::names("grammars").into_iter().map(|name| format!("grammars/{name}"));
    for topic in data::names("").into_iter().chain(grammars) {
        for (index, group) in data::read_groups(&topic).iter().enumerate() {
            let options = options()[index % options().len()];
            let Ok(constraint) = group.source.compile(options, &VOCABULARY) else { continue };
            let schema = match &group.source {
                Source::Schema(schema) => serde_json::from_str(schema).ok(),
                _ => None,
            };
            let outcome = figures.run(&constraint, schema.as_ref(), 2, &mut random);
            if let Err(message) = outcome {
                panic!("{topic}: {} ({options:?}): {message}", group.description);
            }
        }
    }
    figures.print();
}

#[test]
fn made_up_schemas_say_the_same() {
    let mut figures = Figures::default();
    for seed in seeds(150) {
        let mut random = Random::new(seed);
        let schema = random_schema(&mut random);
        let options = options()[seed as usize % options().len()];
        let Ok(constraint) = Constraint::json_schema(&schema.to_string(), &options, &VOCABULARY)
        else {
            continue;
        };
        let outcome = quietly(|| figures.run(&constraint, Some(&schema), 3, &mut random));
        if let Err(message) = outcome {
            panic!("seed {seed} ({options:?}): {schema}: {message}");
        }
    }
    figures.print();
}

/// Writes what is exported, with texts and verdicts, for `tools/export/check.py`.
#[test]
#[ignore = "writes a file for other engines"]
fn written_for_others() {
    let path = std::env::var("ESPALIER_EXPORTS").expect("the path of the file");
    let mut lines = String::new();
    let mut random = Random::new(3);
    let mut write = |name: &str, constraint: &Constraint, random: &mut Random| {
        for target in TARGETS {
            let open = ExportOptions { depth: Some(1), may_repeat_keys: true };
            let found = exported(constraint, target, ExportOptions::default());
            let Ok(Some(found)) = found.or_else(|_| exported(constraint, target, open)) else {
                continue;
            };
            let samples = found.samples(4, random);
            let line = serde_json::json!({"name": name, "target": target.name(), "text": found.text, "samples": samples});
            lines.extend([line.to_string(), "\n".to_owned()]);
        }
    };
    let grammars = data::names("grammars").into_iter().map(|name| format!("grammars/{name}"));
    for topic in data::names("").into_iter().chain(grammars) {
        for (index, group) in data::read_groups(&topic).iter().enumerate() {
            let options = options()[index % options().len()];
            if let Ok(constraint) = group.source.compile(options, &VOCABULARY) {
                write(&format!("{topic}: {}", group.description), &constraint, &mut random);
            }
        }
    }
    for seed in seeds(150) {
        let schema = random_schema(&mut Random::new(seed)).to_string();
        let options = options()[seed as usize % options().len()];
        if let Ok(constraint) = Constraint::json_schema(&schema, &options, &VOCABULARY) {
            write(&schema, &constraint, &mut random);
        }
    }
    std::fs::write(path, lines).expect("the file is written");
}

/// How many schemas of `MaskBench` are exported, and what refuses the others. `ESPALIER_MASKBENCH` is the
/// file of its cases; with `ESPALIER_CASES` only so many of them, with texts that are compared.
#[test]
#[ignore = "needs the data set"]
fn figures_of_maskbench() {
    let path = std::env::var("ESPALIER_MASKBENCH").expect("the path of MaskBench's cases");
    let text = std::fs::read_to_string(path).expect("the cases");
    let cases: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let n_compared = std::env::var("ESPALIER_CASES").ok().and_then(|n| n.parse::<usize>().ok());
    let step = n_compared.map_or(1, |n| (cases.len() / n).max(1));
    let mut figures: BTreeMap<String, usize> = BTreeMap::new();
    let mut slowest = BTreeMap::new();
    let mut random = Random::new(5);
    let mut n_texts = 0;
    for case in cases.iter().step_by(step) {
        let name = case["name"].as_str().unwrap_or("a case").to_owned();
        let schema = &case["schema"];
        let generating = JsonSchemaOptions::generating();
        let Ok(constraint) = Constraint::json_schema(&schema.to_string(), &generating, &VOCABULARY)
        else {
            continue;
        };
        *figures.entry("schemas".to_owned()).or_default() += 1;
        for target in TARGETS {
            for may_repeat_keys in [false, true] {
                let options = ExportOptions { depth: None, may_repeat_keys };
                let kind = format!(
                    "{} {}",
                    target.name(),
                    if may_repeat_keys { "repeating" } else { "exact" }
                );
                let started = std::time::Instant::now();
                let outcome = match constraint.export(target, &options) {
                    Ok(_) => "exported".to_owned(),
                    Err(Error::NotExportable { reason, .. })
                        if reason.starts_with("it leads back") =>
                    {
                        "refused by recursion".to_owned()
                    }
                    Err(Error::NotExportable { keyword, .. }) => format!("refused by {keyword}"),
                    Err(Error::LimitExceeded { limit, .. }) => {
                        format!("refused by the limit {limit}")
                    }
                    Err(error) => panic!("{name}: {error}"),
                };
                let time = (started.elapsed().as_millis(), name.clone());
                let slowest = slowest.entry(target.name()).or_insert_with(|| time.clone());
                *slowest = time.max(slowest.clone());
                *figures.entry(format!("{kind} {outcome}")).or_default() += 1;
                if n_compared.is_some()
                    && outcome == "exported"
                    && let Ok(Some(found)) = exported(&constraint, target, options)
                {
                    let compared = found.compare(&constraint, Some(schema), 1, &mut random);
                    n_texts += compared.unwrap_or_else(|message| panic!("{name}: {message}"));
                }
            }
        }
    }
    for (what, n) in &figures {
        println!("{n:6} {what}");
    }
    println!("slowest (ms): {slowest:?}; {n_texts} texts compared");
}

/// Of the texts at the beginning of another one the expression of a range finds the longest, as lexers need it.
#[test]
fn expressions_find_the_longest_text_first() {
    for schema in [
        r#"{"type": "number", "minimum": -3.5, "exclusiveMaximum": 1234}"#,
        r#"{"type": "integer", "minimum": 17, "maximum": 30451}"#,
        r#"{"type": "integer", "multipleOf": 7}"#,
    ] {
        let options = JsonSchemaOptions::generating();
        let constraint = Constraint::json_schema(schema, &options, &VOCABULARY).unwrap();
        let text = constraint.export(ExportTarget::Regex, &ExportOptions::default()).unwrap();
        let regex = regex::Regex::new(&format!(r"\A(?:{text})")).unwrap();
        let mut random = Random::new(7);
        for _ in 0..500 {
            let digit = |random: &mut Random| *random.pick(b"012479.");
            let mut text: Vec<u8> = if random.one_in(3) { vec![b'-'] } else { Vec::new() };
            text.extend((0..7).map(|_| digit(&mut random)));
            let is_one = |n: &usize| {
                let mut matcher = constraint.matcher();
                matcher.accept_text(&text[..*n]).is_ok() && matcher.is_accepting().unwrap()
            };
            let longest = (1..=text.len()).rev().find(is_one);
            let found = regex.find(std::str::from_utf8(&text).unwrap()).map(|found| found.end());
            assert_eq!(found, longest, "{schema}: {:?}", String::from_utf8_lossy(&text));
        }
    }
}

#[test]
fn what_a_server_would_read_otherwise_is_refused() {
    let refused = |constraint: &Constraint, target| match constraint
        .export(target, &ExportOptions::default())
    {
        Err(Error::NotExportable { keyword, reason, .. }) => Some(format!("{keyword}: {reason}")),
        _ => None,
    };
    for (pattern, is_refused) in
        [(r"a\x00", true), (r"a[\x00]?", true), (r"[\x00-b]", false), ("[^a]*", false)]
    {
        let constraint = Constraint::regex(pattern, &VOCABULARY).unwrap();
        let found = refused(&constraint, ExportTarget::Gbnf);
        assert_eq!(found.is_some(), is_refused, "{pattern}");
        assert!(found.is_none_or(|found| found.contains("U+0000")));
    }
    for (name, reason) in [
        ("<|tool|>", None),
        ("<[12]>", Some("ids of tokens")),
        ("foo", Some("of the form <name>")),
        ("<a b>", Some("of the form <name>")),
    ] {
        let parts = serde_json::json!({ "special_token": name }).to_string();
        let options = JsonSchemaOptions::generating();
        let constraint = Compiler::new(&VOCABULARY).parts(&parts, &options).unwrap();
        let found = refused(&constraint, ExportTarget::Lark);
        assert_eq!(found.is_some(), reason.is_some(), "{name}");
        assert!(found.is_none_or(|found| found.contains(reason.unwrap_or_default())));
    }
}
