//! How much memory the process takes at most, while something runs. Linux alone tells it.

use std::fs;

/// MiB beyond what the process had before that a call takes at most, and what it answers. `None`
/// where the system doesn't tell.
pub fn measured<T>(call: impl FnOnce() -> T) -> (Option<f64>, T) {
    // This makes the greatest size so far the present one.
    let is_reset = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = peak();
    let answer = call();
    let grown = || Some((peak()? - before?) / 1024.0);
    (is_reset.then(grown).flatten(), answer)
}

/// The greatest size of the process in KiB.
fn peak() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}
