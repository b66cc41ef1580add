//! How fast and how exact are Espalier and its peers on the cases of `MaskBench`?
//!
//!     cargo run --release -p bench --bin maskbench -- path/to/cases.jsonl
//!
//! The instances are written as Python's `json.dumps` writes them and cut into tokens of a real
//! vocabulary; for each token the mask is computed and the token looked up in it. Times are
//! microseconds of processor time, of the cases that all engines pass.
//!
//!     --vocabulary NAME   o200k_base (default) or cl100k_base
//!     --every N           only each Nth case
//!     --only TEXT         only cases with the text in their names
//!     --engine NAME       espalier, llguidance, outlines-core or xgrammar; may be given several times,
//!                         and is espalier and llguidance by default. The first is compared with the
//!                         others
//!     --python PATH       a Python that has XGrammar; python3 by default
//!     --list              names the cases that an engine doesn't pass
//!     --slowest N         names the N slowest first masks and next masks of each engine
//!
//! outlines-core and `XGrammar` run in processes of their own, where a case may take 20 seconds of
//! processor time and 8 GiB; what takes more counts as refused.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use bench::cases::{self, TokenizedCase};
use bench::engine::Engine;
use bench::espalier::Espalier;
use bench::figures::{self, Figures};
use bench::isolated::{self, Isolated};
use bench::llguidance::Llguidance;
use bench::memory::Meter;
use bench::outlines::Outlines;
use bench::tokenizer::{Tokenizer, Tokens};
use bench::walk::{self, Outcome, Verdict};
use bench::{clock, machine, table};
use lexopt::{Arg, ValueExt};

struct Options {
    path: PathBuf,
    vocabulary: String,
    every: usize,
    only: String,
    engines: Vec<String>,
    python: String,
    lists: bool,
    n_slowest: usize,
}

/// The argument that makes this the process in which outlines-core runs.
const ISOLATED: &str = "--isolated";
/// The script in which `XGrammar` runs.
const XGRAMMAR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/xgrammar_maskbench.py");

/// An engine, and where its cases run.
enum Contestant {
    InProcess(Box<dyn Engine>),
    Isolated(Box<Isolated>),
}

struct Run {
    figures: Vec<Figures>,
    /// Times of nothing, taken between the cases.
    clock: Vec<f64>,
    /// The size of the process before the first case and at most, in MiB.
    memory: [Option<f64>; 2],
}

fn main() -> Result<()> {
    if env::args().nth(1).is_some_and(|argument| argument == ISOLATED) {
        return isolated::answer(Outlines::new);
    }
    let options = options()?;
    let tokenizer = Tokenizer::named(&options.vocabulary)?;
    let mut contestants: Vec<Contestant> = (options.engines.iter())
        .map(|name| Contestant::named(name, &tokenizer.tokens, &options.python))
        .collect::<Result<_>>()?;
    let cases = cases::read(&options.path)?;
    let cases = (cases.into_iter().step_by(options.every))
        .filter(|case| case.name.contains(&options.only))
        .map(|case| case.tokenized(&tokenizer));
    let run = run(&mut contestants, cases, &tokenizer.tokens)?;
    print(&run, &options);
    Ok(())
}

fn options() -> Result<Options> {
    let (mut path, mut vocabulary) = (None, "o200k_base".to_owned());
    let (mut every, mut only, mut engines) = (1, String::new(), Vec::new());
    let (mut python, mut lists, mut n_slowest) = ("python3".to_owned(), false, 0);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) => path = Some(PathBuf::from(value)),
            Arg::Long("vocabulary") => vocabulary = parser.value()?.string()?,
            Arg::Long("every") => every = parser.value()?.parse()?,
            Arg::Long("only") => only = parser.value()?.string()?,
            Arg::Long("engine") => engines.push(parser.value()?.string()?),
            Arg::Long("python") => python = parser.value()?.string()?,
            Arg::Long("list") => lists = true,
            Arg::Long("slowest") => n_slowest = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let path = path.context("the path of the cases is missing")?;
    if engines.is_empty() {
        engines = vec!["espalier".to_owned(), "llguidance".to_owned()];
    }
    Ok(Options { path, vocabulary, every, only, engines, python, lists, n_slowest })
}

impl Contestant {
    fn named(name: &str, tokens: &Tokens, python: &str) -> Result<Self> {
        Ok(match name {
            "espalier" => Self::InProcess(Box::new(Espalier::new(tokens)?)),
            "llguidance" => Self::InProcess(Box::new(Llguidance::new(tokens)?)),
            "outlines-core" => {
                let mut command = Command::new(env::current_exe()?);
                command.arg(ISOLATED).stderr(Stdio::null());
                Self::Isolated(Box::new(Isolated::start(command, tokens)?))
            }
            "xgrammar" => {
                let mut command = Command::new(python);
                command.arg(XGRAMMAR);
                Self::Isolated(Box::new(Isolated::start(command, tokens)?))
            }
            _ => bail!("no engine is named {name}"),
        })
    }

    fn name(&self) -> &str {
        match self {
            Self::InProcess(engine) => engine.name(),
            Self::Isolated(isolated) => &isolated.name,
        }
    }

    fn outcome(
        &mut self,
        case: &TokenizedCase,
        tokens: &Tokens,
        meter: &mut Meter,
    ) -> Result<Outcome> {
        match self {
            Self::InProcess(engine) => {
                let (memory, outcome) = meter.measured(|| walk::outcome(&**engine, case));
                Ok(Outcome { memory, ..outcome })
            }
            Self::Isolated(isolated) => isolated.outcome(case, tokens),
        }
    }
}

/// Runs all cases; the engines take turns, and who comes first changes from case to case.
fn run(
    contestants: &mut [Contestant],
    cases: impl Iterator<Item = TokenizedCase>,
    tokens: &Tokens,
) -> Result<Run> {
    let start = |of: &Contestant| Figures { name: of.name().to_owned(), outcomes: Vec::new() };
    let mut figures: Vec<Figures> = contestants.iter().map(start).collect();
    let (mut clock, mut meter) = (Vec::new(), Meter::default());
    let before = meter.most();
    for (index, case) in cases.enumerate() {
        for turn in 0..contestants.len() {
            let at = (index + turn) % contestants.len();
            let outcome = contestants[at].outcome(&case, tokens, &mut meter)?;
            figures[at].outcomes.push((case.name.clone(), outcome));
        }
        clock.extend((0..20).map(|_| clock::measured(|| ()).0));
    }
    Ok(Run { figures, clock, memory: [before, meter.most()] })
}

fn print(run: &Run, options: &Options) {
    let figures = &run.figures;
    let n_cases = figures.first().map_or(0, |figures| figures.outcomes.len());
    println!("{}", machine::describe());
    println!("{n_cases} cases, {}, microseconds of processor time\n", options.vocabulary);
    print_counts(figures);
    let is_chosen = |index: usize| {
        figures.iter().all(|figures| figures.outcomes[index].1.verdict == Verdict::Passed)
    };
    print_times(figures, is_chosen);
    let clock = figures::spread(run.clock.clone()).into_iter();
    let clock: Vec<String> = clock.map(|(title, time)| format!("{title} {time:.2}")).collect();
    println!("Each time includes that of the clock itself: {}.", clock.join(", "));
    let memory = run.memory.map(|mib| mib.map_or("unknown".into(), |mib| format!("{mib:.0}")));
    println!("The process: {} MiB before the first case, {} MiB at most.", memory[0], memory[1]);
    for figures in figures {
        print_slowest(figures, options.n_slowest, is_chosen);
        if options.lists {
            print_failures(figures);
        }
    }
}

fn print_counts(figures: &[Figures]) {
    let columns: Vec<_> = figures.iter().map(Figures::counts).collect();
    let mut rows = vec![[vec![String::new()], names(figures)].concat()];
    for row in 0..columns.first().map_or(0, Vec::len) {
        let cells = columns.iter().map(|column| column[row].1.clone()).collect();
        rows.push([vec![columns[0][row].0.clone()], cells].concat());
    }
    table::print(&rows);
}

/// The times of the cases that are chosen, and how the first engine compares with the others.
fn print_times(figures: &[Figures], is_chosen: impl Fn(usize) -> bool + Copy) {
    let n_cases = figures.first().map_or(0, |figures| figures.outcomes.len());
    let n_chosen = (0..n_cases).filter(|index| is_chosen(*index)).count();
    let columns: Vec<_> = figures.iter().map(|figures| figures.times(is_chosen)).collect();
    let ratios = figures.iter().skip(1).map(|figures| format!("to {}", figures.name)).collect();
    let n_masks = figures.first().map_or(0, |figures| figures.n_masks(is_chosen));
    let title = format!("microseconds, the {n_chosen} cases that all pass, {n_masks} masks");
    let mut rows = vec![[vec![title], names(figures), ratios].concat()];
    for row in 0..columns.iter().map(Vec::len).min().unwrap_or(0) {
        let times: Vec<f64> = columns.iter().map(|column| column[row].1).collect();
        let cells = times.iter().map(|time| format!("{time:.2}")).collect();
        let ratios = times.iter().skip(1).map(|time| table::ratio(times[0], *time)).collect();
        rows.push([vec![columns[0][row].0.clone()], cells, ratios].concat());
    }
    table::print(&rows);
}

fn names(figures: &[Figures]) -> Vec<String> {
    figures.iter().map(|figures| figures.name.clone()).collect()
}

fn print_slowest(figures: &Figures, n: usize, is_chosen: impl Fn(usize) -> bool) {
    let [first, next] = figures.slowest(n, is_chosen);
    for (title, slowest) in [("first", first), ("next", next)] {
        if !slowest.is_empty() {
            println!("\nThe slowest {title} masks of {}:", figures.name);
        }
        for (time, of) in slowest {
            println!("- {time:.1} ({of})");
        }
    }
}

fn print_failures(figures: &Figures) {
    println!("\n{} doesn't pass:", figures.name);
    for (name, outcome) in &figures.outcomes {
        if outcome.verdict != Verdict::Passed {
            println!("- {name}: {:?}", outcome.verdict);
        }
    }
}
