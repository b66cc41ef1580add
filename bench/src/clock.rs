//! Time that the thread spent on a processor.

use rustix::time::{ClockId, clock_gettime};

/// Microseconds of processor time that a call takes, and what it answers.
pub fn measured<T>(call: impl FnOnce() -> T) -> (f64, T) {
    let started = now();
    let answer = call();
    (now() - started, answer)
}

#[allow(clippy::cast_precision_loss, reason = "microseconds of one run")]
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
