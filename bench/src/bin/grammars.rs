//! How fast are masks of context-free grammars, beside llguidance on the same Lark text?
//!
//!     cargo run --release -p bench --bin grammars
//!
//! Walks of random tokens that both engines allow, through the grammars in `bench/grammars`; engines take
//! turns at each token. Times are microseconds of processor time, of a token that is accepted and the mask after
//! it. All walks of a grammar share what an engine remembers of it.
//!
//!     --vocabulary NAME   o200k_base (default) or cl100k_base
//!     --only TEXT         only grammars with the text in their names
//!     --walks N           walks for each grammar; 20 by default
//!     --tokens N          tokens of a walk at most; 60 by default
//!     --seed N            of the random numbers; 1 by default
//!     --slowest N         names the N slowest masks of each engine
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use bench::figures::spread;
use bench::llguidance::Llguidance;
use bench::tokenizer::{Tokenizer, Tokens};
use bench::{clock, machine, table};
use espalier_constraint::{Constraint, GrammarOptions, Vocabulary};
use lexopt::{Arg, ValueExt};

struct Options {
    vocabulary: String,
    only: String,
    n_walks: usize,
    n_tokens: usize,
    seed: u64,
    n_slowest: usize,
}

/// What was measured of an engine for a grammar.
#[derive(Default)]
struct Times {
    /// From the text to the first mask.
    first: f64,
    next: Vec<f64>,
    /// The slowest, with the text before them.
    slowest: Vec<(f64, String)>,
}

const NAMES: [&str; 2] = ["Espalier", Llguidance::NAME];

fn main() -> Result<()> {
    let options = options()?;
    let tokenizer = Tokenizer::named(&options.vocabulary)?;
    let tokens = &tokenizer.tokens;
    let vocabulary = Vocabulary::new(tokens.bytes.clone(), &[tokens.eos], &tokens.specials)?;
    let (vocabulary, peer) = (Arc::new(vocabulary), Llguidance::new(tokens)?);
    println!("{}", machine::describe());
    println!("{}, {} walks\n", options.vocabulary, options.n_walks);
    let head = ["", "masks", "first mask", "to", "mean", "to", "p50", "p90", "p99", "to", "max"];
    let mut rows = vec![head.map(String::from).to_vec()];
    let mut all = [Times::default(), Times::default()];
    for (name, text) in grammars(&options.only)? {
        let times = measure(&text, &vocabulary, &peer, tokens, &options)?;
        rows.extend(rows_of(&name, &times));
        for (all, times) in all.iter_mut().zip(times) {
            all.first += times.first;
            all.next.extend(times.next);
            let named =
                times.slowest.into_iter().map(|(time, text)| (time, format!("{name}: {text}")));
            all.slowest.extend(named);
        }
    }
    rows.extend(rows_of("all", &all));
    table::print(&rows);
    for (name, times) in NAMES.iter().zip(&mut all) {
        times.slowest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        for (time, text) in times.slowest.iter().take(options.n_slowest) {
            println!("{name} {time:.0}: {text}");
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options {
        vocabulary: "o200k_base".to_owned(),
        only: String::new(),
        n_walks: 20,
        n_tokens: 60,
        seed: 1,
        n_slowest: 0,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("vocabulary") => options.vocabulary = parser.value()?.string()?,
            Arg::Long("only") => options.only = parser.value()?.string()?,
            Arg::Long("walks") => options.n_walks = parser.value()?.parse()?,
            Arg::Long("tokens") => options.n_tokens = parser.value()?.parse()?,
            Arg::Long("seed") => options.seed = parser.value()?.parse()?,
            Arg::Long("slowest") => options.n_slowest = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    Ok(options)
}

/// The grammars with their names.
fn grammars(only: &str) -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grammars");
    let mut grammars = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains(only) {
            grammars.push((name, fs::read_to_string(path)?));
        }
    }
    grammars.sort();
    Ok(grammars)
}

fn measure(
    text: &str,
    vocabulary: &Arc<Vocabulary>,
    peer: &Llguidance,
    tokens: &Tokens,
    options: &Options,
) -> Result<[Times; 2]> {
    let mut times = [Times::default(), Times::default()];
    let (first, constraint) = clock::measured(|| -> Result<Constraint> {
        let constraint = Constraint::grammar(text, &GrammarOptions::lark(), vocabulary)?;
        constraint.matcher().compute_mask()?;
        Ok(constraint)
    });
    let constraint = constraint?;
    times[0].first = first;
    let (first, start) = clock::measured(|| -> Result<llguidance::Matcher> {
        let start = peer.lark(text)?;
        start.clone().compute_mask_or_eos()?;
        Ok(start)
    });
    let start = start?;
    times[1].first = first;
    let mut random = Random(options.seed);
    for _ in 0..options.n_walks {
        walk(&constraint, start.clone(), tokens, options.n_tokens, &mut random, &mut times)?;
    }
    Ok(times)
}

/// One walk; it ends where both engines allow only the end, or nothing.
fn walk(
    constraint: &Constraint,
    mut theirs: llguidance::Matcher,
    tokens: &Tokens,
    n_tokens: usize,
    random: &mut Random,
    times: &mut [Times; 2],
) -> Result<()> {
    let mut ours = constraint.matcher();
    let mut our_mask = ours.compute_mask()?;
    let mut their_mask = theirs.compute_mask_or_eos()?;
    let mut text = Vec::new();
    for _ in 0..n_tokens {
        let both = our_mask.iter().filter(|&id| their_mask.is_allowed(id) && id != tokens.eos);
        let both: Vec<u32> = both.collect();
        let is_plain = |id: &&u32| tokens.bytes[**id as usize].is_ascii();
        let plain: Vec<&u32> = both.iter().filter(is_plain).collect();
        if both.is_empty() {
            break;
        }
        // Most texts are.
        let token = if plain.is_empty() || random.below(8) == 0 {
            both[random.below(both.len())]
        } else {
            *plain[random.below(plain.len())]
        };
        text.extend(&tokens.bytes[token as usize]);
        let (time, mask) = clock::measured(|| -> Result<_> {
            ours.accept_token(token)?;
            Ok(ours.compute_mask()?)
        });
        our_mask = mask?;
        times[0].add(time, &text);
        let (time, mask) = clock::measured(|| {
            theirs.consume_token(token)?;
            theirs.compute_mask_or_eos()
        });
        their_mask = mask.map_err(|error| anyhow!("{error}"))?;
        times[1].add(time, &text);
    }
    Ok(())
}

impl Times {
    fn add(&mut self, time: f64, text: &[u8]) {
        self.next.push(time);
        let end = text.len().saturating_sub(60);
        self.slowest.push((time, format!("{:?}", String::from_utf8_lossy(&text[end..]))));
    }
}

/// One row for each engine.
fn rows_of(grammar: &str, times: &[Times; 2]) -> Vec<Vec<String>> {
    let spreads = times.each_ref().map(|times| {
        let all = spread(times.next.clone());
        move |title: &str| {
            all.iter().find(|(name, _)| *name == title).map_or(f64::NAN, |(_, time)| *time)
        }
    });
    let row = |index: usize| {
        let (own, other) = (&times[index], &times[0]);
        let of = |title: &str| format!("{:.1}", spreads[index](title));
        let to = |title: &str| match index {
            0 => String::new(),
            _ => table::ratio(spreads[0](title), spreads[1](title)),
        };
        let first = if index == 0 { String::new() } else { table::ratio(other.first, own.first) };
        vec![
            format!("{grammar}, {}", NAMES[index]),
            own.next.len().to_string(),
            format!("{:.0}", own.first),
            first,
            of("mean"),
            to("mean"),
            of("p50"),
            of("p90"),
            of("p99"),
            to("p99"),
            of("max"),
        ]
    };
    vec![row(0), row(1)]
}

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}
