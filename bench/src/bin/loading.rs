//! How long does it take to load a constraint or a vocabulary, beside compiling or building it?
//!
//!     cargo run --release -p bench --bin loading
//!
//! What is made again and what is loaded is the median of several runs. A process keeps the automata of
//! formats once they were made, so what counts for its start is what is made first.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::sync::Arc;

use anyhow::Result;
use bench::tokenizer::{Tokenizer, Tokens};
use bench::{clock, machine};
use espalier_constraint::{Constraint, Error, JsonSchemaOptions, Vocabulary};

const RUNS: usize = 9;

const SCHEMAS: [(&str, &str); 3] = [
    (
        "plain",
        r#"{"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}, "required": ["id"]}"#,
    ),
    (
        "formats",
        r#"{"type": "object", "properties": {"mail": {"format": "email"}, "host": {"format": "idn-hostname"}, "link": {"format": "iri"}, "at": {"format": "date-time"}, "match": {"format": "regex"}}}"#,
    ),
    (
        "patterns",
        r#"{"type": "object", "properties": {"name": {"pattern": "^(\\p{L}| ){1,200}$"}, "word": {"pattern": "^(?=.*\\d)(?=.*[a-z])(?!.*--)[\\w-]{8,64}$"}, "free": {"pattern": "^.{1,1000}$"}, "path": {"pattern": "^(?:/[\\p{L}\\p{N}._~-]{1,16}){1,4}$"}}}"#,
    ),
];

fn main() -> Result<()> {
    let tokenizer = Tokenizer::named("o200k_base")?;
    println!("{}. Milliseconds of processor time.\n", machine::describe());
    println!(
        "| what | KiB | made first | made again | loaded |\n| --- | ---: | ---: | ---: | ---: |"
    );
    let build = || {
        let Tokens { bytes, eos, specials } = &tokenizer.tokens;
        Ok(Arc::new(Vocabulary::new(bytes.clone(), &[*eos], specials)?))
    };
    let vocabulary = compare("o200k_base", build, |made| made.to_bytes(), Vocabulary::from_bytes)?;
    let options = JsonSchemaOptions::generating();
    for (name, schema) in SCHEMAS {
        let compile = || Constraint::json_schema(schema, &options, &vocabulary);
        let load = |bytes: &[u8]| Constraint::from_bytes(bytes, &vocabulary);
        compare(name, compile, Constraint::to_bytes, load)?;
    }
    Ok(())
}

/// Prints how long it takes to make something, and to load it.
fn compare<T, L>(
    name: &str,
    make: impl Fn() -> Result<T, Error>,
    to_bytes: impl Fn(&T) -> Vec<u8>,
    load: impl Fn(&[u8]) -> Result<L, Error>,
) -> Result<T> {
    let (first, made) = clock::measured(&make);
    let made = made?;
    let bytes = to_bytes(&made);
    load(&bytes)?;
    let [first, again, loaded] =
        [first, median(&make), median(|| load(&bytes))].map(|time| time / 1e3);
    println!("| {name} | {} | {first:.1} | {again:.1} | {loaded:.1} |", bytes.len() >> 10);
    Ok(made)
}

fn median<T>(call: impl Fn() -> T) -> f64 {
    let mut times: Vec<f64> = (0..RUNS).map(|_| clock::measured(&call).0).collect();
    times.sort_unstable_by(f64::total_cmp);
    times[RUNS / 2]
}
