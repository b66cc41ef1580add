//! Generates with a local model as `bench/decode.py` says, a line of standard input at a time:
//!
//!     decode BATCH TOKENS     the seconds from the first tokens of all texts to the last ones
//!     prefill TOKENS          the seconds until the first token after a prompt
//!     free BATCH              the seconds of a step, and of a token, over texts of some length
//!     constrained BATCH       the same, with the Ticket schema
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]

use std::io::{self, BufRead};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use espalier_constraint::{Constraint, JsonSchemaOptions};
use espalier_inference::{Event, Model, ModelOptions, Request, Sampling};

/// That of the README.
const TICKET: &str = r#"{
  "type": "object",
  "properties": {
    "summary": {"type": "string", "maxLength": 80},
    "priority": {"enum": ["low", "medium", "high"]},
    "components": {"type": "array", "items": {"type": "string"}, "maxItems": 4}
  },
  "required": ["summary", "priority", "components"],
  "additionalProperties": false
}"#;

const N_PROMPT: usize = 8;
const N_TEXT: usize = 64;

/// A model with the end of texts forbidden, so that they are as long as is asked for.
struct Generator {
    model: Model,
    ticket: Constraint,
    /// Grows, so that no prompt is asked twice.
    n_prompts: u64,
}

impl Generator {
    fn load(path: &str, n_threads: usize) -> Result<Self> {
        let options = ModelOptions { n_threads, ..ModelOptions::default() };
        let model = Model::load(Path::new(path), &options)?;
        let options = JsonSchemaOptions::generating();
        let ticket = Constraint::json_schema(TICKET, &options, model.vocabulary())?;
        Ok(Self { model, ticket, n_prompts: 0 })
    }

    fn start(
        &mut self,
        n_prompt: usize,
        n: usize,
        constraint: Option<Constraint>,
    ) -> Result<Receiver<(Instant, Event)>> {
        self.n_prompts += 1;
        let n_ids = self.model.vocabulary().n_ids() as u64;
        let seed = self.n_prompts;
        let token = |i| ((seed * 7919 + i) * 104_729 % (n_ids - 1)) as u32;
        let prompt = (0..n_prompt as u64).map(token).collect();
        let logit_bias = match constraint {
            Some(_) => Vec::new(),
            None => self.model.vocabulary().eos_ids().iter().map(|&id| (id, -100.0)).collect(),
        };
        let temperature = if constraint.is_some() { 1.0 } else { 0.0 };
        let sampling = Sampling { seed, temperature, logit_bias, ..Sampling::default() };
        let request = Request { constraint, sampling, ..Request::new(prompt, n) };
        let (sender, events) = channel();
        self.model.submit(request, move |event| drop(sender.send((Instant::now(), event))))?;
        Ok(events)
    }

    /// The seconds from when all texts have begun to the last token.
    fn decode(&mut self, batch: usize, n: usize) -> Result<f64> {
        let started = (0..batch).map(|_| self.start(N_PROMPT, n + 1, None));
        let times: Vec<_> = started.collect::<Result<Vec<_>>>()?.iter().map(times).collect();
        let begun = times.iter().map(|times| times[0]).max().context("a text")?;
        let ended = times.iter().filter_map(|times| times.last()).max().context("a text")?;
        Ok((*ended - begun).as_secs_f64())
    }

    fn prefill(&mut self, n: usize) -> Result<f64> {
        let start = Instant::now();
        let times = times(&self.start(n, 1, None)?);
        Ok((times[0] - start).as_secs_f64())
    }

    /// The seconds of a step and of a token.
    fn texts(&mut self, batch: usize, constraint: Option<&Constraint>) -> Result<(f64, f64)> {
        let before = self.model.activity();
        let start = Instant::now();
        let started = (0..batch).map(|_| self.start(N_PROMPT, N_TEXT, constraint.cloned()));
        started.collect::<Result<Vec<_>>>()?.iter().for_each(|events| drop(times(events)));
        let seconds = start.elapsed().as_secs_f64();
        let after = self.model.activity();
        let steps = (after.n_advanced - before.n_advanced) as f64 / batch as f64;
        let tokens = (after.n_tokens - before.n_tokens) as f64 / batch as f64;
        Ok((seconds / steps, seconds / tokens))
    }

    fn obey(&mut self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| -> Result<usize> {
            Ok(words.get(index).context("a number is missing")?.parse()?)
        };
        Ok(match words.first() {
            Some(&"decode") => self.decode(number(1)?, number(2)?)?.to_string(),
            Some(&"prefill") => self.prefill(number(1)?)?.to_string(),
            Some(&kind @ ("free" | "constrained")) => {
                let ticket = (kind == "constrained").then(|| self.ticket.clone());
                let (step, token) = self.texts(number(1)?, ticket.as_ref())?;
                format!("{step} {token}")
            }
            _ => bail!("no command: {line}"),
        })
    }
}

/// When the tokens of a text came.
fn times(events: &Receiver<(Instant, Event)>) -> Vec<Instant> {
    let tokens = events.iter().filter(|(_, event)| matches!(event, Event::Tokens { .. }));
    tokens.map(|(time, _)| time).collect()
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, n_threads] = &arguments[..] else { bail!("usage: decode MODEL THREADS") };
    let mut generator = Generator::load(path, n_threads.parse()?)?;
    for line in io::stdin().lock().lines() {
        println!("{}", generator.obey(&line?)?);
    }
    Ok(())
}
