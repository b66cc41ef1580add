//! Generates with a local model as `bench/decode.py` says, a line of standard input at a time:
//!
//!     decode BATCH TOKENS     the seconds from the first tokens of all texts to the last ones
//!     prefill TOKENS          the seconds until the first token after a prompt
//!     constrained BATCH       the seconds and tokens of texts with the Ticket schema, and of free
//!                             ones of as many steps
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]
#![allow(clippy::cast_precision_loss, reason = "tokens are few")]

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

/// The events of a text, with their times.
type Text = Receiver<(Instant, Event)>;

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

    /// Starts a text of `n` tokens, or one that a constraint ends.
    fn start(&mut self, n_prompt: usize, n: usize, constrained: bool) -> Result<Text> {
        self.n_prompts += 1;
        let seed = self.n_prompts;
        let n_ids = self.model.vocabulary().n_ids() as u64;
        let token = |i| ((seed * 7919 + i) * 104_729 % (n_ids - 1)) as u32;
        let prompt = (0..n_prompt as u64).map(token).collect();
        let constraint = constrained.then(|| self.ticket.clone());
        let ends = self.model.vocabulary().eos_ids().iter();
        let logit_bias =
            if constrained { Vec::new() } else { ends.map(|&id| (id, -100.0)).collect() };
        let sampling = Sampling { seed, logit_bias, ..Sampling::default() };
        let request = Request { constraint, sampling, ..Request::new(prompt, n) };
        let (sender, events) = channel();
        self.model.submit(request, move |event| drop(sender.send((Instant::now(), event))))?;
        Ok(events)
    }

    /// The seconds from when all texts have begun to the last token.
    fn decode(&mut self, batch: usize, n: usize) -> Result<f64> {
        let started = (0..batch).map(|_| self.start(N_PROMPT, n + 1, false));
        let times: Vec<_> = started.collect::<Result<Vec<_>>>()?.iter().map(times).collect();
        let begun = times.iter().map(|times| times[0]).max().context("a text")?;
        let ended = times.iter().filter_map(|times| times.last()).max().context("a text")?;
        Ok((*ended - begun).as_secs_f64())
    }

    fn prefill(&mut self, n: usize) -> Result<f64> {
        let start = Instant::now();
        let times = times(&self.start(n, 1, false)?);
        Ok((times[0] - start).as_secs_f64())
    }

    /// The seconds and the tokens of some texts with the constraint, then of as many without one that
    /// take the same numbers of steps.
    fn constrained(&mut self, batch: usize) -> Result<[f64; 4]> {
        let (seconds, all) = self.texts(&vec![(N_TEXT, true); batch])?;
        let steps: Vec<_> = all.iter().map(|(_, n_steps)| (*n_steps, false)).collect();
        let (free_seconds, free) = self.texts(&steps)?;
        let n_tokens = |texts: &[(usize, usize)]| texts.iter().map(|(n, _)| *n as f64).sum();
        Ok([seconds, n_tokens(&all), free_seconds, n_tokens(&free)])
    }

    /// The seconds of some texts, and the tokens and steps of each.
    fn texts(&mut self, texts: &[(usize, bool)]) -> Result<(f64, Vec<(usize, usize)>)> {
        let start = Instant::now();
        let started = texts.iter().map(|&(n, constrained)| self.start(N_PROMPT, n, constrained));
        let started = started.collect::<Result<Vec<_>>>()?;
        let ends = started.iter().map(|events| match events.iter().last() {
            Some((_, Event::Done { n_tokens, n_steps, .. })) => Ok((n_tokens, n_steps)),
            other => bail!("expected the end of a text, got: {other:?}"),
        });
        let ends = ends.collect::<Result<Vec<_>>>()?;
        Ok((start.elapsed().as_secs_f64(), ends))
    }

    fn obey(&mut self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |index: usize| -> Result<usize> {
            Ok(words.get(index).context("a number is missing")?.parse()?)
        };
        Ok(match words.first() {
            Some(&"decode") => self.decode(number(1)?, number(2)?)?.to_string(),
            Some(&"prefill") => self.prefill(number(1)?)?.to_string(),
            Some(&"constrained") => self.constrained(number(1)?)?.map(|n| n.to_string()).join(" "),
            _ => bail!("no command: {line}"),
        })
    }
}

/// When the tokens of a text came.
fn times(events: &Text) -> Vec<Instant> {
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
