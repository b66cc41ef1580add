//! How fast and how exact are Espalier and llguidance on the cases of `MaskBench`?
//!
//!     cargo run --release -p bench --bin maskbench -- path/to/cases.jsonl
//!
//! The instances are written as Python's `json.dumps` writes them and cut into tokens of a real
//! vocabulary; for each token the mask is computed and the token looked up in it. Times are
//! microseconds of processor time.
//!
//!     --vocabulary NAME   o200k_base (default) or cl100k_base
//!     --every N           only each Nth case
//!     --only TEXT         only cases with the text in their names
//!     --engine NAME       only that engine: espalier or llguidance
//!     --list              names the cases that an engine doesn't pass
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use bench::cases::{self, Case};
use bench::clock;
use bench::engine::{Compiled, Engine, Sequence};
use bench::espalier::Espalier;
use bench::figures::{Cell, Figures, Outcome, Verdict};
use bench::llguidance::Llguidance;
use bench::tokenizer::Tokenizer;
use bench::{machine, memory};
use lexopt::{Arg, ValueExt};

struct Options {
    path: PathBuf,
    vocabulary: String,
    every: usize,
    only: String,
    engine: Option<String>,
    lists: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let tokenizer = Tokenizer::named(&options.vocabulary)?;
    let engines: Vec<Box<dyn Engine>> =
        vec![Box::new(Espalier::new(&tokenizer)?), Box::new(Llguidance::new(&tokenizer)?)];
    let is_wanted = |engine: &dyn Engine| {
        let name = engine.name().to_lowercase();
        options.engine.as_ref().is_none_or(|wanted| name.starts_with(&wanted.to_lowercase()))
    };
    let engines: Vec<_> = engines.into_iter().filter(|engine| is_wanted(&**engine)).collect();
    let cases = cases::read(&options.path)?;
    let cases: Vec<Case> = (cases.into_iter().step_by(options.every))
        .filter(|case| case.name.contains(&options.only))
        .collect();
    let figures = run(&engines, &cases, &tokenizer);
    print(&figures, &options);
    Ok(())
}

fn options() -> Result<Options> {
    let (mut path, mut vocabulary) = (None, "o200k_base".to_owned());
    let (mut every, mut only, mut engine, mut lists) = (1, String::new(), None, false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) => path = Some(PathBuf::from(value)),
            Arg::Long("vocabulary") => vocabulary = parser.value()?.string()?,
            Arg::Long("every") => every = parser.value()?.parse()?,
            Arg::Long("only") => only = parser.value()?.string()?,
            Arg::Long("engine") => engine = Some(parser.value()?.string()?),
            Arg::Long("list") => lists = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let path = path.context("the path of the cases is missing")?;
    Ok(Options { path, vocabulary, every, only, engine, lists })
}

/// Runs all cases; the engines take turns, and who comes first changes from case to case.
fn run(engines: &[Box<dyn Engine>], cases: &[Case], tokenizer: &Tokenizer) -> Vec<Figures> {
    let start = |engine: &dyn Engine| Figures { name: engine.name(), outcomes: Vec::new() };
    let mut figures: Vec<Figures> = engines.iter().map(|engine| start(&**engine)).collect();
    for (index, case) in cases.iter().enumerate() {
        let texts: Vec<(Vec<u32>, bool)> = (case.instances.iter())
            .map(|(value, valid)| (tokenizer.encode(&cases::spaced(value)), *valid))
            .collect();
        for turn in 0..engines.len() {
            let at = (index + turn) % engines.len();
            let (memory, outcome) = memory::measured(|| outcome(&*engines[at], case, &texts));
            figures[at].outcomes.push((case.name.clone(), Outcome { memory, ..outcome }));
        }
    }
    figures
}

fn outcome(engine: &dyn Engine, case: &Case, texts: &[(Vec<u32>, bool)]) -> Outcome {
    let mut outcome = Outcome {
        verdict: Verdict::Passed,
        first_mask: None,
        masks: Vec::new(),
        total: 0.0,
        memory: None,
    };
    let (total, verdict) = clock::measured(|| verdict(engine, case, texts, &mut outcome));
    Outcome { verdict: verdict.unwrap_or(Verdict::Refused), total, ..outcome }
}

/// # Errors
/// When the engine refuses the schema, or gives up at an instance.
fn verdict(
    engine: &dyn Engine,
    case: &Case,
    texts: &[(Vec<u32>, bool)],
    outcome: &mut Outcome,
) -> Result<Verdict> {
    let first = || -> Result<Box<dyn Compiled>> {
        let compiled = engine.compile(&case.schema)?;
        compiled.sequence().compute_mask()?;
        Ok(compiled)
    };
    let (time, compiled) = clock::measured(|| quietly(first));
    let compiled = compiled?;
    outcome.first_mask = Some(time);
    let mut verdict = Verdict::Passed;
    for (tokens, is_valid) in texts {
        let read = quietly(|| accepts(&mut *compiled.sequence(), tokens, &mut outcome.masks))?;
        if read != *is_valid {
            verdict = if *is_valid { Verdict::ValidRefused } else { Verdict::InvalidAccepted };
        }
    }
    Ok(verdict)
}

/// Whether the text is accepted to its end.
fn accepts(sequence: &mut dyn Sequence, tokens: &[u32], times: &mut Vec<f64>) -> Result<bool> {
    sequence.compute_mask()?;
    for &token in tokens {
        if !sequence.is_allowed(token) {
            return Ok(false);
        }
        let (time, next) = clock::measured(|| {
            sequence.accept(token)?;
            sequence.compute_mask()
        });
        next?;
        times.push(time);
    }
    Ok(sequence.may_end())
}

/// A panic is an error like others.
fn quietly<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(anyhow!("panic")))
}

fn print(figures: &[Figures], options: &Options) {
    let n_cases = figures.first().map_or(0, |figures| figures.outcomes.len());
    println!("{}", machine::describe());
    println!("{n_cases} cases, {}, microseconds of processor time\n", options.vocabulary);
    let is_common = |index: usize| {
        figures.iter().all(|figures| figures.outcomes[index].1.verdict != Verdict::Refused)
    };
    print_table("", figures, Figures::counts);
    print_table("microseconds, cases that all compile", figures, |figures| {
        figures.times(is_common)
    });
    for figures in figures.iter().filter(|_| options.lists) {
        println!("{} doesn't pass:", figures.name);
        for (name, outcome) in &figures.outcomes {
            if outcome.verdict != Verdict::Passed {
                println!("- {name}: {:?}", outcome.verdict);
            }
        }
    }
}

fn print_table(title: &str, figures: &[Figures], column: impl Fn(&Figures) -> Vec<Cell>) {
    let names: Vec<&str> = figures.iter().map(|figures| figures.name).collect();
    println!("| {title} | {} |\n|{}", names.join(" | "), " --- |".repeat(names.len() + 1));
    let columns: Vec<Vec<Cell>> = figures.iter().map(column).collect();
    for row in 0..columns.iter().map(Vec::len).min().unwrap_or(0) {
        let cells: Vec<&str> = columns.iter().map(|column| column[row].1.as_str()).collect();
        println!("| {} | {} |", columns[0][row].0, cells.join(" | "));
    }
    println!();
}
