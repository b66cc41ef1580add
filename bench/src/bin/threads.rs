//! Do two threads that share a constraint get twice as far as one?
//!
//!     cargo run --release -p bench --bin threads -- path/to/cases.jsonl
//!
//! Of each kind of schemas in the file those with the longest pairs of valid instances are taken.
//! Threads take the texts from one queue and walk them, computing each mask: one thread, and several
//! that share the constraint, in turn; the total work is the same. A cold constraint has just been
//! compiled, a warm one has seen all texts. The texts come alternately, or each as many times in a row
//! as there are threads, so that these walk the same text at a time. Where each thread has a warm
//! constraint of its own is what the machine can do at most.
//!
//! Times are those of the clock on the wall, so nothing else should run.
//!
//!     --vocabulary NAME   o200k_base (default) or cl100k_base
//!     --per-kind N        cases of each kind, 3 by default
//!     --repetitions N     of which the medians are taken, 9 by default
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use std::{hint, iter, thread};

use anyhow::{Context, Result};
use bench::cases::{self, TokenizedCase};
use bench::espalier::Espalier;
use bench::figures::median;
use bench::tokenizer::Tokenizer;
use bench::{machine, table};
use espalier_constraint::{Constraint, JsonSchemaOptions, Vocabulary};
use lexopt::{Arg, ValueExt};

struct Options {
    path: PathBuf,
    vocabulary: String,
    per_kind: usize,
    n_repetitions: usize,
}

/// How a constraint is met by the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    ColdOtherTexts,
    ColdSameText,
    WarmOtherTexts,
    WarmSameText,
    WarmOwnConstraints,
}

/// A schema with two valid texts.
struct Work {
    schema: String,
    texts: [Vec<u32>; 2],
}

/// What is measured: the work with constraints that have seen its texts, one for each thread.
struct Warmed {
    work: Work,
    warm: Vec<Constraint>,
}

/// Enough texts are walked with a warm constraint that they have so many tokens together.
const N_WARM_TOKENS: usize = 1_000_000;
/// So long threads are busy before the clock starts, since the scheduler takes a while until it gives each
/// a core of its own.
const SETTLING: Duration = Duration::from_millis(50);
/// Texts of fewer or more tokens are not taken.
const N_TOKENS: RangeInclusive<usize> = 100..=1000;

fn main() -> Result<()> {
    let options = options()?;
    let tokenizer = Tokenizer::named(&options.vocabulary)?;
    let vocabulary = Espalier::new(&tokenizer.tokens)?.vocabulary;
    let cases = cases::read(&options.path)?;
    let cases = cases.iter().map(|case| case.tokenized(&tokenizer));
    let n_cores = thread::available_parallelism()?.get();
    let work = work(cases, options.per_kind, n_cores.clamp(2, 4), &vocabulary);
    println!("{}", machine::describe());
    println!("{} constraints, {}\n", work.len(), options.vocabulary);
    for n_threads in [2, 4].into_iter().filter(|n_threads| *n_threads <= n_cores) {
        compare(&work, n_threads, options.n_repetitions)?;
    }
    Ok(())
}

fn options() -> Result<Options> {
    let (mut path, mut vocabulary) = (None, "o200k_base".to_owned());
    let (mut per_kind, mut n_repetitions) = (3, 9);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(value) => path = Some(PathBuf::from(value)),
            Arg::Long("vocabulary") => vocabulary = parser.value()?.string()?,
            Arg::Long("per-kind") => per_kind = parser.value()?.parse()?,
            Arg::Long("repetitions") => n_repetitions = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let path = path.context("the path of the cases is missing")?;
    Ok(Options { path, vocabulary, per_kind, n_repetitions })
}

/// The cases of each kind with the longest pairs of texts, among those whose texts are accepted.
fn work(
    cases: impl Iterator<Item = TokenizedCase>,
    per_kind: usize,
    n_threads: usize,
    vocabulary: &Arc<Vocabulary>,
) -> Vec<Warmed> {
    let mut kinds = BTreeMap::<String, Vec<Work>>::new();
    for case in cases {
        let kind = case.name.split(['_', '-']).next().unwrap_or_default().to_owned();
        kinds.entry(kind).or_default().extend(pair(case));
    }
    let longest = |mut works: Vec<Work>| {
        works.sort_by_key(|work| Reverse(work.n_tokens()));
        let warmed = works.into_iter().filter_map(|work| work.warmed(n_threads, vocabulary).ok());
        warmed.take(per_kind).collect::<Vec<_>>()
    };
    kinds.into_values().flat_map(longest).collect()
}

/// The case's two valid texts, when they are long enough and about as long as each other.
fn pair(case: TokenizedCase) -> Option<Work> {
    let texts = case.texts.into_iter().filter(|text| text.is_valid).map(|text| text.tokens);
    let texts: [Vec<u32>; 2] = texts.collect::<Vec<_>>().try_into().ok()?;
    let [a, b] = [texts[0].len(), texts[1].len()];
    let is_fit = N_TOKENS.contains(&a) && N_TOKENS.contains(&b) && a.min(b) * 5 >= a.max(b) * 4;
    is_fit.then_some(Work { schema: case.schema, texts })
}

impl Work {
    fn n_tokens(&self) -> usize {
        self.texts.iter().map(Vec::len).sum()
    }

    fn compiled(&self, vocabulary: &Arc<Vocabulary>) -> Result<Constraint> {
        Ok(Constraint::json_schema(&self.schema, &JsonSchemaOptions::matching(), vocabulary)?)
    }

    fn warmed(self, n_threads: usize, vocabulary: &Arc<Vocabulary>) -> Result<Warmed> {
        let warm = || {
            let constraint = self.compiled(vocabulary)?;
            self.texts.iter().try_for_each(|text| walk(&constraint, text))?;
            Ok(constraint)
        };
        let warm = iter::repeat_with(warm).take(n_threads).collect::<Result<_>>()?;
        Ok(Warmed { work: self, warm })
    }

    /// The texts in the order in which threads take them.
    fn queue(&self, mode: Mode, n_threads: usize) -> Vec<&[u32]> {
        let [a, b] = [&self.texts[0][..], &self.texts[1][..]];
        let round = match mode {
            Mode::ColdSameText | Mode::WarmSameText => {
                [vec![a; n_threads], vec![b; n_threads]].concat()
            }
            _ => [a, b].repeat(n_threads.div_ceil(2)),
        };
        let n_tokens = round.iter().map(|text| text.len()).sum();
        round.repeat(if mode.is_cold() { 1 } else { N_WARM_TOKENS.div_ceil(n_tokens) })
    }
}

impl Warmed {
    /// One constraint for each thread.
    fn constraints(&self, mode: Mode, n_threads: usize) -> Result<Vec<Constraint>> {
        Ok(match mode {
            Mode::WarmOwnConstraints => self.warm[..n_threads].to_vec(),
            _ if mode.is_cold() => {
                vec![self.work.compiled(self.warm[0].vocabulary())?; n_threads]
            }
            _ => vec![self.warm[0].clone(); n_threads],
        })
    }
}

impl Mode {
    const ALL: [Self; 5] = [
        Self::ColdOtherTexts,
        Self::ColdSameText,
        Self::WarmOtherTexts,
        Self::WarmSameText,
        Self::WarmOwnConstraints,
    ];

    fn is_cold(self) -> bool {
        matches!(self, Self::ColdOtherTexts | Self::ColdSameText)
    }

    fn title(self) -> &'static str {
        match self {
            Self::ColdOtherTexts => "cold, different texts",
            Self::ColdSameText => "cold, the same text",
            Self::WarmOtherTexts => "warm, different texts",
            Self::WarmSameText => "warm, the same text",
            Self::WarmOwnConstraints => "warm, a constraint for each thread",
        }
    }
}

/// Prints how far one thread and several get, in tokens a second, by mode.
fn compare(work: &[Warmed], n_threads: usize, n_repetitions: usize) -> Result<()> {
    let head = ["tokens a second", "1 thread", &format!("{n_threads} threads"), "ratio"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let mut rates = vec![Vec::new(); Mode::ALL.len()];
    for repetition in 0..n_repetitions {
        for (mode, rates) in Mode::ALL.into_iter().zip(&mut rates) {
            rates.push(rate(work, mode, n_threads, repetition)?);
        }
    }
    for (mode, rates) in Mode::ALL.into_iter().zip(&rates) {
        let of = |figure: fn(&[f64; 2]) -> f64| median(rates.iter().map(figure).collect());
        let [one, several] = [of(|rate| rate[0]), of(|rate| rate[1])];
        let ratio = of(|rate| rate[1] / rate[0]);
        let cells = [format!("{one:.0}"), format!("{several:.0}"), format!("{ratio:.2}")];
        rows.push([vec![mode.title().to_owned()], cells.to_vec()].concat());
    }
    table::print(&rows);
    Ok(())
}

/// Tokens a second of one thread and of several, all constraints together. Who comes first changes.
#[allow(clippy::cast_precision_loss, reason = "a number of tokens")]
fn rate(work: &[Warmed], mode: Mode, n_threads: usize, repetition: usize) -> Result<[f64; 2]> {
    let (mut seconds, mut n_tokens) = ([0.0; 2], 0);
    for (index, warmed) in work.iter().enumerate() {
        let queue = warmed.work.queue(mode, n_threads);
        n_tokens += queue.iter().map(|text| text.len()).sum::<usize>();
        for turn in 0..2 {
            let at = (repetition + index + turn) % 2;
            let constraints = warmed.constraints(mode, [1, n_threads][at])?;
            seconds[at] += walk_all(&constraints, &queue)?;
        }
    }
    Ok(seconds.map(|seconds| n_tokens as f64 / seconds))
}

/// Seconds until all texts are walked, by one thread for each constraint.
fn walk_all(constraints: &[Constraint], queue: &[&[u32]]) -> Result<f64> {
    let (next, barrier) = (AtomicUsize::new(0), Barrier::new(constraints.len()));
    let run = |constraint: &Constraint| -> Result<[Instant; 2]> {
        barrier.wait();
        let settled = Instant::now() + SETTLING;
        while Instant::now() < settled {
            hint::spin_loop();
        }
        let start = Instant::now();
        while let Some(text) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
            walk(constraint, text)?;
        }
        Ok([start, Instant::now()])
    };
    let spans: Vec<[Instant; 2]> = thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = constraints.iter().map(|of| scope.spawn(move || run(of))).collect();
        let join = |thread: thread::ScopedJoinHandle<Result<[Instant; 2]>>| {
            thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked")))
        };
        threads.into_iter().map(join).collect::<Result<_>>()
    })?;
    let start = spans.iter().map(|span| span[0]).min().context("no thread")?;
    let end = spans.iter().map(|span| span[1]).max().context("no thread")?;
    Ok((end - start).as_secs_f64())
}

/// Computes the mask before each token and accepts it.
fn walk(constraint: &Constraint, text: &[u32]) -> Result<()> {
    let mut matcher = constraint.matcher();
    for &token in text {
        matcher.compute_mask()?;
        matcher.accept_token(token)?;
    }
    matcher.compute_mask()?;
    Ok(())
}
