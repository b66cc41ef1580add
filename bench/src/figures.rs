//! [`Figures`]: what was measured of one engine.

/// What became of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All valid instances are accepted, all invalid ones refused.
    Passed,
    /// The schema is refused, or reading was given up.
    Refused,
    /// A valid instance is refused.
    ValidRefused,
    /// An invalid instance is accepted.
    InvalidAccepted,
}

/// What was measured of one case, in microseconds of processor time.
pub struct Outcome {
    /// What became of it.
    pub verdict: Verdict,
    /// From the schema's text to the first mask, if it came to that.
    pub first_mask: Option<f64>,
    /// Each further mask, with the token before it.
    pub masks: Vec<f64>,
    /// Everything together.
    pub total: f64,
    /// The most memory that it took, in MiB.
    pub memory: Option<f64>,
}

/// A figure with its title.
pub type Cell = (String, String);

/// What was measured of an engine.
pub struct Figures {
    /// The engine's name.
    pub name: &'static str,
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
    pub fn counts(&self) -> Vec<Cell> {
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

    /// The times of the cases that are chosen, each figure with its title.
    #[must_use]
    pub fn times(&self, is_chosen: impl Fn(usize) -> bool) -> Vec<Cell> {
        let chosen = || (0..).zip(&self.outcomes).filter(|(index, _)| is_chosen(*index));
        let first = chosen().filter_map(|(_, (_, outcome))| outcome.first_mask).collect();
        let masks: Vec<f64> =
            chosen().flat_map(|(_, (_, outcome))| outcome.masks.iter().copied()).collect();
        let n_masks = (String::from("masks"), masks.len().to_string());
        [vec![n_masks], spread("first mask", first), spread("next mask", masks)].concat()
    }

    /// The greatest of some figure, with the name of its case.
    fn most(&self, figure: impl Fn(&Outcome) -> Option<f64>) -> String {
        let figures = self.outcomes.iter().filter_map(|(name, of)| Some((figure(of)?, name)));
        let most = figures.max_by(|(a, _), (b, _)| a.total_cmp(b));
        most.map_or(String::from("unknown"), |(most, name)| format!("{most:.0} ({name})"))
    }
}

/// Mean, percentiles and maximum.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "places in a list of times"
)]
fn spread(name: &str, mut times: Vec<f64>) -> Vec<Cell> {
    if times.is_empty() {
        return Vec::new();
    }
    times.sort_by(f64::total_cmp);
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize];
    let figures = [
        ("mean", mean),
        ("p50", at(0.5)),
        ("p90", at(0.9)),
        ("p99", at(0.99)),
        ("p99.9", at(0.999)),
        ("max", at(1.0)),
    ];
    let cell = |(title, figure)| (format!("{name}, {title}"), format!("{figure:.1}"));
    figures.map(cell).to_vec()
}
