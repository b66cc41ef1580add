//! Input that was made to be too much, run from `testdata/hostile/`: each case ends soon and in little
//! memory, with a value or a typed error.
//!
//! Each runs in a process of its own, of which the system bounds the memory and the time.
//! `cargo test --release --test hostile -- --nocapture` prints what they took.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

mod support;

use std::fs;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use espalier_constraint::{Constraint, Error, ExportOptions, ExportTarget, JsonSchemaOptions};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use support::hostile::{self, Case, Expected, Text};

/// The memory that a case may take beyond the test itself, in bytes.
const MEMORY: u64 = 512 << 20;
/// What the test itself takes of addresses: its code and the stacks of threads that don't run.
const OWN_MEMORY: u64 = 128 << 20;
/// Generous: two seconds are the aim, for a release build on a machine that is not busy.
const CPU_SECONDS: u64 = 60;
/// So many tokens are not accepted one by one.
const MANY_TOKENS: usize = 1000;
/// The stack of the thread that runs a case, small as a scheduler's is.
const STACK: usize = 512 << 10;

/// Names the case to run, in the process that runs it.
const CASE: &str = "ESPALIER_HOSTILE_CASE";
const PRESET: &str = "ESPALIER_HOSTILE_PRESET";

#[test]
fn every_case_ends_soon_and_in_little_memory() {
    let cases = hostile::cases();
    assert!(cases.len() >= 60);
    let presets = |case: &Case| case.presets().iter().chain(TARGETS.iter().map(|(name, _)| name));
    let runs = cases.iter().flat_map(|case| presets(case).map(move |preset| (case, preset)));
    let runs = Mutex::new(runs);
    let next = || runs.lock().expect("no panic").next();
    let run_all =
        || std::iter::from_fn(next).filter_map(|(case, preset)| run(&case.name, preset)).collect();
    let n_workers = thread::available_parallelism().map_or(1, usize::from);
    let failed: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(run_all)).collect();
        workers
            .into_iter()
            .flat_map(|worker| -> Vec<String> { worker.join().expect("no panic") })
            .collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What is compiled is exported, too.
const TARGETS: [(&str, ExportTarget); 3] =
    [("regex", ExportTarget::Regex), ("gbnf", ExportTarget::Gbnf), ("lark", ExportTarget::Lark)];

/// Prints the figures of a case; answers what was wrong.
fn run(name: &str, preset: &str) -> Option<String> {
    let Output { status, stdout, stderr } = run_apart(name, preset);
    let figures = String::from_utf8_lossy(&stdout);
    let figures = figures.lines().find_map(|line| line.strip_prefix("figures: "));
    println!("{} {name}, {preset}", figures.unwrap_or("none"));
    let stderr = String::from_utf8_lossy(&stderr);
    (!status.success()).then(|| format!("{name}, {preset}: {status}\n{stderr}"))
}

fn run_apart(name: &str, preset: &str) -> Output {
    let test = std::env::current_exe().expect("the path of this test");
    let mut command = Command::new(test);
    command
        .args(["--exact", "one_case", "--ignored", "--nocapture"])
        .env(CASE, name)
        .env(PRESET, preset);
    command.output().expect("a process")
}

#[test]
#[ignore = "is run by the other test, in a process of its own"]
fn one_case() {
    let name = std::env::var(CASE).expect("the name of a case");
    let case = hostile::cases().into_iter().find(|case| case.name == name).expect("a case");
    let options = match std::env::var(PRESET).as_deref() {
        Ok("matching") => JsonSchemaOptions::matching(),
        _ => JsonSchemaOptions::generating(),
    };
    let limit = |n: u64| Rlimit { current: Some(n), maximum: Some(n) };
    setrlimit(Resource::As, limit(MEMORY + OWN_MEMORY)).expect("a bound on memory");
    setrlimit(Resource::Cpu, limit(CPU_SECONDS)).expect("a bound on time");
    let preset = std::env::var(PRESET).unwrap_or_default();
    let target = TARGETS.iter().find(|(name, _)| *name == preset).map(|(_, target)| *target);
    let run = move || match target {
        Some(target) => export(&case, target),
        None => check(&case, options),
    };
    let runner = thread::Builder::new().stack_size(STACK).spawn(run);
    let outcome = runner.expect("a thread").join().unwrap_or_else(|_| Err("a panic".to_owned()));
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let milliseconds = time.tv_sec * 1000 + time.tv_nsec / 1_000_000;
    println!("figures: {milliseconds:>5} ms {:>4} MiB {:?}", peak_mebibytes(), outcome);
    assert!(outcome.is_ok(), "{outcome:?}");
}

fn peak_mebibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the process's status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kibibytes.expect("the peak of memory") / 1024
}

/// Runs the case. Answers what became of it, or what is not as expected.
fn check(case: &Case, options: JsonSchemaOptions) -> Result<String, String> {
    let compiled = compile(case, options);
    let error = compiled.as_ref().err();
    if !Expected::is(case.error().as_ref(), error) {
        return Err(error.map_or("compiled".to_owned(), shown));
    }
    match compiled {
        Ok(constraint) => use_it(case, &constraint),
        Err(error) => Ok(shown(&error)),
    }
}

/// Exports with all options; answers what became of the last one.
fn export(case: &Case, target: ExportTarget) -> Result<String, String> {
    let Ok(constraint) = compile(case, JsonSchemaOptions::generating()) else {
        return Ok("not compiled".to_owned());
    };
    let mut outcome = String::new();
    for (depth, may_repeat_keys) in [(None, false), (None, true), (Some(1000), true)] {
        let options = ExportOptions { depth, may_repeat_keys };
        outcome = match constraint.export(target, &options) {
            Ok(text) => format!("{} bytes", text.len()),
            Err(error @ (Error::NotExportable { .. } | Error::LimitExceeded { .. })) => {
                shown(&error)
            }
            Err(error) => return Err(shown(&error)),
        };
    }
    Ok(outcome)
}

fn compile(case: &Case, options: JsonSchemaOptions) -> Result<Constraint, Error> {
    let vocabulary = case.vocabulary()?;
    case.compile(options, &vocabulary)
}

/// The mask and the forced tokens after each text, and the way to the end.
fn use_it(case: &Case, constraint: &Constraint) -> Result<String, String> {
    for Text { bytes, error: expected, completion } in case.texts() {
        let mut matcher = constraint.matcher();
        let read = matcher.accept_text(&bytes).and_then(|()| matcher.compute_mask());
        let read = read.and_then(|_| matcher.forced_tokens());
        if !Expected::is(expected.as_ref(), read.as_ref().err()) {
            return Err(format!("{} bytes of text: {:?}", bytes.len(), read.err()));
        }
        if read.is_err() {
            matcher.is_accepting().map_err(|error| shown(&error))?;
            continue;
        }
        let completed = complete(constraint, &bytes);
        if !Expected::is(completion.as_ref(), completed.as_ref().err()) {
            return Err(format!("completing {} bytes: {completed:?}", bytes.len()));
        }
    }
    Ok("a value".to_owned())
}

/// The shortest completion of a text is accepted, as far as the vocabulary can spell it.
fn complete(constraint: &Constraint, text: &[u8]) -> Result<(), Error> {
    let mut matcher = constraint.matcher();
    matcher.accept_text(text)?;
    let bound = matcher.completion_bound()?;
    let tokens = matcher.shortest_completion()?;
    if tokens.is_empty() && bound > 0 || tokens.len() > MANY_TOKENS {
        return Ok(());
    }
    matcher.accept_tokens(&tokens).map_err(|(_, error)| error)?;
    assert!(matcher.is_accepting()?, "a completion is complete");
    Ok(())
}

fn shown(error: &Error) -> String {
    error.to_string().chars().take(100).collect()
}
