//! An engine in a process of its own: one that may take all time and memory there is, or one that is
//! written in another language.
//!
//! The process reads lines of JSON and answers each with one. The first has the [`Tokens`], and the
//! answer is the engine's name; each further one is a [`TokenizedCase`], and the answer its
//! [`Outcome`]. When a case takes more than the limits the system ends the process, the case counts as
//! refused, and the next one gets another process.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde::Serialize;

use crate::cases::TokenizedCase;
use crate::engine::Engine;
use crate::memory::{self, Meter};
use crate::tokenizer::Tokens;
use crate::walk::{self, Outcome};

/// Processor time that a case may take, in seconds.
const SECONDS: u64 = 20;
/// Memory that a case may take, in MiB.
const MIB: u64 = 8192;

/// An engine that is asked through a process.
pub struct Isolated {
    command: Command,
    running: Running,
    /// The name that the engine gave itself.
    pub name: String,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Isolated {
    /// Starts the engine.
    ///
    /// # Errors
    /// When it can't be started, or doesn't answer.
    pub fn start(mut command: Command, tokens: &Tokens) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (running, name) = Running::start(&mut command, tokens)?;
        Ok(Self { command, running, name })
    }

    /// What the engine makes of the case.
    ///
    /// # Errors
    /// When its process can't be started again after it reached a limit.
    pub fn outcome(&mut self, case: &TokenizedCase, tokens: &Tokens) -> Result<Outcome> {
        self.running.limit()?;
        let mut meter = Meter::of(self.running.child.id());
        let started = Instant::now();
        let (memory, answer) = meter.measured(|| self.running.ask(case));
        if let Some(line) = answer? {
            return Ok(Outcome { memory, ..serde_json::from_str(&line)? });
        }
        // The time that it took on a processor has gone with the process; it was this or less.
        let total = started.elapsed().min(Duration::from_secs(SECONDS)).as_secs_f64() * 1e6;
        self.running.child.wait()?;
        (self.running, _) = Running::start(&mut self.command, tokens)?;
        Ok(Outcome::refused(total))
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // It has ended already when this fails.
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }
}

impl Running {
    fn start(command: &mut Command, tokens: &Tokens) -> Result<(Self, String)> {
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let input = child.stdin.take().context("no standard input")?;
        let output = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut running = Self { child, input, output };
        let name = running.ask(tokens)?;
        let name = name.with_context(|| format!("{} ended", command.get_program().display()))?;
        Ok((running, serde_json::from_str(&name)?))
    }

    /// The line that answers a line; `None` when the process has ended.
    fn ask(&mut self, question: &impl Serialize) -> Result<Option<String>> {
        let mut question = serde_json::to_vec(question)?;
        question.push(b'\n');
        let mut answer = String::new();
        let is_sent = self.input.write_all(&question).and_then(|()| self.input.flush()).is_ok();
        let is_answered = is_sent && self.output.read_line(&mut answer)? > 0;
        Ok(is_answered.then_some(answer))
    }

    /// Limits what the process may take from here on.
    fn limit(&self) -> Result<()> {
        let id = self.child.id();
        let size = memory::size(id).context("the size of a process is unknown")?;
        let limits = [
            (Resource::Cpu, seconds_spent(id)? + SECONDS),
            (Resource::As, (size as u64 + MIB) << 20),
        ];
        for (resource, most) in limits {
            let limit = Rlimit { current: Some(most), maximum: None };
            prlimit(Pid::from_raw(id as i32), resource, limit)?;
        }
        Ok(())
    }
}

/// Seconds of processor time that the process has taken, rounded up.
fn seconds_spent(process: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is a name in parentheses; the time in user mode and in the kernel are the
    // 14th and 15th, in ticks.
    let (_, fields) = text.rsplit_once(')').context("no name in /proc/*/stat")?;
    let ticks: Vec<u64> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    ensure!(ticks.len() == 2, "no times in /proc/*/stat");
    Ok(ticks.iter().sum::<u64>().div_ceil(rustix::param::clock_ticks_per_second()))
}

/// The other side: answers each line of standard input until there is none.
///
/// # Errors
/// When a line is not what it should be.
pub fn answer<E: Engine>(engine: impl FnOnce(&Tokens) -> Result<E>) -> Result<()> {
    let mut lines = io::stdin().lines();
    let tokens = lines.next().context("there is no line")??;
    let engine = engine(&serde_json::from_str(&tokens)?)?;
    say(&engine.name())?;
    for line in lines {
        say(&walk::outcome(&engine, &serde_json::from_str(&line?)?))?;
    }
    Ok(())
}

fn say(answer: &impl Serialize) -> Result<()> {
    let mut output = io::stdout().lock();
    serde_json::to_writer(&mut output, answer)?;
    output.write_all(b"\n")?;
    Ok(output.flush()?)
}
