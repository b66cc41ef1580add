//! How long does it take to build a vocabulary, and how much memory does it hold?
//!
//!     cargo run --release -p bench --bin vocabulary
//!
//! Beside Espalier's is what llguidance builds of the same tokens: its trie and its parser factory.
//! Both put some off until they are needed, so a first schema is compiled and a text that goes through
//! all of JSON is walked, too. Engines take turns; times are medians of processor time, memory is what
//! was allocated and not given back.
//!
//!     --repetitions N     of which the medians are taken, 9 by default
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::sync::Arc;

use anyhow::{Result, ensure};
use bench::cases::{Text, TokenizedCase};
use bench::engine::Engine;
use bench::espalier::Espalier;
use bench::figures::median;
use bench::llguidance::Llguidance;
use bench::tokenizer::Tokenizer;
use bench::walk::{self, Verdict};
use bench::{clock, machine, table};
use espalier_constraint::Vocabulary;
use lexopt::{Arg, ValueExt};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// It has a string, a number, each word, and a key.
const TEXT: &str = r#"{"a key": ["some text", -1.5e3, true, false, null, {}]}"#;

/// What was measured of one build: milliseconds and MiB, in the order of [`TITLES`].
type Measured = [f64; 5];

const TITLES: [&str; 5] = [
    "build, ms",
    "memory while building, MiB",
    "memory held, MiB",
    "first schema and text, ms",
    "memory held after these, MiB",
];

fn main() -> Result<()> {
    let n_repetitions = n_repetitions()?;
    println!("{}\n", machine::describe());
    for name in ["o200k_base", "cl100k_base"] {
        let tokenizer = Tokenizer::named(name)?;
        let mut measured = [Vec::new(), Vec::new()];
        for repetition in 0..n_repetitions {
            for turn in 0..2 {
                let at = (repetition + turn) % 2;
                measured[at].push([espalier, llguidance][at](&tokenizer)?);
            }
        }
        print(name, &tokenizer, &measured);
    }
    Ok(())
}

fn n_repetitions() -> Result<usize> {
    let mut n_repetitions = 9;
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("repetitions") => n_repetitions = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(n_repetitions)
}

fn espalier(tokenizer: &Tokenizer) -> Result<Measured> {
    let before = MEMORY.current_usage();
    let tokens = &tokenizer.tokens;
    let bytes = tokens.bytes.clone();
    measured(tokenizer, before, || {
        let vocabulary = Vocabulary::new(bytes, &[tokens.eos], &tokens.specials)?;
        Ok(Espalier { vocabulary: Arc::new(vocabulary) })
    })
}

fn llguidance(tokenizer: &Tokenizer) -> Result<Measured> {
    measured(tokenizer, MEMORY.current_usage(), || Llguidance::new(&tokenizer.tokens))
}

/// Builds an engine and walks a first text with it. `before` is how much memory was in use before.
fn measured<E: Engine>(
    tokenizer: &Tokenizer,
    before: usize,
    build: impl FnOnce() -> Result<E>,
) -> Result<Measured> {
    MEMORY.reset_peak_usage();
    let (build, engine) = clock::measured(build);
    let engine = engine?;
    let (most, held) = (MEMORY.peak_usage(), MEMORY.current_usage());
    let texts = vec![Text { tokens: tokenizer.encode(TEXT), is_valid: true }];
    let case = TokenizedCase { name: "first".into(), schema: "{}".into(), texts };
    let first = walk::outcome(&engine, &case);
    ensure!(first.verdict == Verdict::Passed, "{}: {:?}", engine.name(), first.verdict);
    let first_ms = first.total / 1e3;
    drop((case, first.masks, first.second_walk));
    let [most, held, after] = [most, held, MEMORY.current_usage()].map(|now| mib(now, before));
    Ok([build / 1e3, most, held, first_ms, after])
}

#[allow(clippy::cast_precision_loss, reason = "a size in memory")]
fn mib(now: usize, before: usize) -> f64 {
    now.saturating_sub(before) as f64 / f64::from(1 << 20)
}

fn print(name: &str, tokenizer: &Tokenizer, measured: &[Vec<Measured>; 2]) {
    let title = format!("{name}, {} ids", tokenizer.tokens.bytes.len());
    let names = [Espalier::NAME, Llguidance::NAME];
    let head = [&title, names[0], names[1], &format!("to {}", names[1])];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (index, title) in TITLES.iter().enumerate() {
        let of = |all: &Vec<Measured>| median(all.iter().map(|figures| figures[index]).collect());
        let [ours, theirs] = [of(&measured[0]), of(&measured[1])];
        let cells = [format!("{ours:.1}"), format!("{theirs:.1}"), table::ratio(ours, theirs)];
        rows.push([vec![(*title).to_owned()], cells.to_vec()].concat());
    }
    table::print(&rows);
}
