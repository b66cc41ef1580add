//! How much memory a process takes at most. Linux alone tells it.

use std::fs;
use std::process;

/// Watches the size of a process.
pub struct Meter {
    process: u32,
    /// The greatest size before the last call that was measured, in MiB.
    most: f64,
}

impl Default for Meter {
    /// Watches this process.
    fn default() -> Self {
        Self::of(process::id())
    }
}

impl Meter {
    /// Watches another process.
    #[must_use]
    pub fn of(process: u32) -> Self {
        let meter = Self { process, most: 0.0 };
        meter.reset();
        meter
    }

    /// MiB beyond what the process had before that it takes at most during a call, and what the call
    /// answers. `None` where the system doesn't tell.
    pub fn measured<T>(&mut self, call: impl FnOnce() -> T) -> (Option<f64>, T) {
        self.most = self.most.max(self.peak().unwrap_or_default());
        let is_reset = self.reset();
        let before = self.peak();
        let answer = call();
        let grown = || Some(self.peak()? - before?);
        (is_reset.then(grown).flatten(), answer)
    }

    /// The greatest size that the process has had since it is watched, in MiB. `None` where the system doesn't tell.
    #[must_use]
    pub fn most(&self) -> Option<f64> {
        Some(self.most.max(self.peak()?))
    }

    /// Makes the greatest size so far the present one; whether the system can.
    fn reset(&self) -> bool {
        fs::write(format!("/proc/{}/clear_refs", self.process), "5").is_ok()
    }

    /// The greatest size since the last reset, in MiB.
    fn peak(&self) -> Option<f64> {
        field(self.process, "VmHWM:")
    }
}

/// The addresses that the process has in use, in MiB.
#[must_use]
pub fn size(process: u32) -> Option<f64> {
    field(process, "VmSize:")
}

fn field(process: u32, name: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib / 1024.0)
}
