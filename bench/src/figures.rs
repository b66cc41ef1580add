//! [`Figures`]: what was measured of one engine.

use crate::walk::{Outcome, Verdict};

/// What was measured of an engine.
pub struct Figures {
    /// The engine's name.
    pub name: String,
    /// By case, each with its name.
    pub outcomes: Vec<(String, Outcome)>,
}

impl Figures {
    /// How many cases have the verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|(_, outcome)| outcome.verdict == verdict).count()
    }

    /// What became of the cases, each figure with its title.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, String)> {
        let count = |title, verdict| (String::from(title), self.count(verdict).to_string());
        vec![
            count("cases passed", Verdict::Passed),
            count("refused", Verdict::Refused),
            count("a valid instance refused", Verdict::ValidRefused),
            count("an invalid instance accepted", Verdict::InvalidAccepted),
            ("longest case, ms".into(), self.most(|outcome| Some(outcome.total / 1e3))),
            ("most memory for a case, MiB".into(), self.most(|outcome| outcome.memory)),
        ]
    }

    /// How many next masks the cases have that are chosen.
    #[must_use]
    pub fn n_masks(&self, is_chosen: impl Fn(usize) -> bool) -> usize {
        self.chosen(is_chosen).map(|(_, outcome)| outcome.masks.len()).sum()
    }

    /// The times of the cases that are chosen, each figure with its title.
    #[must_use]
    pub fn times(&self, is_chosen: impl Fn(usize) -> bool) -> Vec<(String, f64)> {
        let all = |times: fn(&Outcome) -> &[f64]| -> Vec<f64> {
            self.chosen(&is_chosen).flat_map(|(_, outcome)| times(outcome)).copied().collect()
        };
        let first = all(|outcome| outcome.first_mask.as_slice());
        let next = all(|outcome| &outcome.masks);
        let second = all(|outcome| &outcome.second_walk);
        let named = |(name, times)| {
            spread(times).into_iter().map(move |(title, time)| (format!("{name}, {title}"), time))
        };
        let kinds = [("first mask", first), ("next mask", next), ("second walk", second)];
        kinds.into_iter().flat_map(named).collect()
    }

    /// The greatest first masks and the greatest next masks, each with what it is of.
    #[must_use]
    pub fn slowest(&self, n: usize, is_chosen: impl Fn(usize) -> bool) -> [Vec<(f64, String)>; 2] {
        let (mut first, mut next) = (Vec::new(), Vec::new());
        let keep = |slowest: &mut Vec<(f64, String)>| {
            slowest.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            slowest.truncate(n);
        };
        for (name, outcome) in self.chosen(is_chosen) {
            first.extend(outcome.first_mask.map(|time| (time, name.clone())));
            let mask = |(at, time): (usize, &f64)| (*time, format!("{name}, mask {at}"));
            next.extend(outcome.masks.iter().enumerate().map(mask));
            keep(&mut first);
            keep(&mut next);
        }
        [first, next]
    }

    fn chosen(
        &self,
        is_chosen: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = &(String, Outcome)> {
        let outcomes = self.outcomes.iter().enumerate();
        outcomes.filter(move |(index, _)| is_chosen(*index)).map(|(_, outcome)| outcome)
    }

    /// The greatest of some figure, with the name of its case.
    fn most(&self, figure: impl Fn(&Outcome) -> Option<f64>) -> String {
        let figures = self.outcomes.iter().filter_map(|(name, of)| Some((figure(of)?, name)));
        let most = figures.max_by(|(a, _), (b, _)| a.total_cmp(b));
        most.map_or(String::from("unknown"), |(most, name)| format!("{most:.0} ({name})"))
    }
}

/// Mean, percentiles and maximum of times, each with its title; nothing of no times.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "a number of times")]
pub fn spread(mut times: Vec<f64>) -> Vec<(&'static str, f64)> {
    if times.is_empty() {
        return Vec::new();
    }
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    vec![
        ("mean", mean),
        ("p50", at(&times, 0.5)),
        ("p90", at(&times, 0.9)),
        ("p99", at(&times, 0.99)),
        ("p99.9", at(&times, 0.999)),
        ("max", at(&times, 1.0)),
    ]
}

/// The median; of no values, not a number.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    if values.is_empty() { f64::NAN } else { at(&values, 0.5) }
}

/// The value at a share of the way along values in order.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list of times"
)]
fn at(values: &[f64], share: f64) -> f64 {
    values[((values.len() - 1) as f64 * share).round() as usize]
}
