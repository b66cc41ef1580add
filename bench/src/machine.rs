//! When and where a benchmark ran.

use std::fs;
use std::process::Command;

/// The date, the processor and how many of its cores there are.
#[must_use]
pub fn describe() -> String {
    let date = Command::new("date").arg("+%F").output().ok();
    let date = date.and_then(|date| String::from_utf8(date.stdout).ok()).unwrap_or_default();
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let name = name.map_or(std::env::consts::ARCH, |(_, name)| name);
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {name}, {n_cores} cores", date.trim())
}
