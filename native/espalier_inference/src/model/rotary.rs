//! Rotary position embedding, in the half-split order of Hugging Face's `rotate_half`.

use std::f32::consts::TAU;

/// Which angles a model was trained with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rope {
    /// The base of the frequencies.
    pub(crate) theta: f32,
    pub(crate) scaling: Option<Scaling>,
}

/// The way of Llama 3.1 to reach longer contexts: low frequencies are divided, high ones kept, and
/// those between interpolated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scaling {
    pub(crate) factor: f32,
    pub(crate) low_frequency_factor: f32,
    pub(crate) high_frequency_factor: f32,
    /// The context of the model before scaling, in tokens.
    pub(crate) original_length: f32,
}

/// The frequencies of a model's heads.
#[derive(Debug)]
pub(crate) struct Rotary {
    frequencies: Vec<f32>,
}

/// Cosines and sines for a list of positions, shared by all heads and layers of a step.
pub(crate) struct Angles {
    /// For each position the cosines, then the sines.
    values: Vec<f32>,
    half: usize,
}

impl Rotary {
    pub(crate) fn new(head_size: usize, rope: Rope) -> Self {
        let frequency = |pair: usize| {
            let frequency = rope.theta.powf(-((2 * pair) as f32) / head_size as f32);
            rope.scaling.map_or(frequency, |scaling| scaling.apply(frequency))
        };
        Self { frequencies: (0..head_size / 2).map(frequency).collect() }
    }

    pub(crate) fn angles(&self, positions: impl Iterator<Item = usize>) -> Angles {
        let mut values = Vec::new();
        for position in positions {
            let angle = |&frequency: &f32| position as f32 * frequency;
            values.extend(self.frequencies.iter().map(|f| angle(f).cos()));
            values.extend(self.frequencies.iter().map(|f| angle(f).sin()));
        }
        Angles { values, half: self.frequencies.len() }
    }
}

impl Scaling {
    fn apply(self, frequency: f32) -> f32 {
        let wavelengths = self.original_length * frequency / TAU;
        let (low, high) = (self.low_frequency_factor, self.high_frequency_factor);
        let kept = ((wavelengths - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 - kept) * frequency / self.factor + kept * frequency
    }
}

impl Angles {
    /// Rotates all heads of each row; a row is a position and `row_size` numbers.
    pub(crate) fn rotate(&self, rows: &mut [f32], row_size: usize) {
        let rows = rows.chunks_exact_mut(row_size);
        for (row, angles) in rows.zip(self.values.chunks_exact(2 * self.half)) {
            let (cosines, sines) = angles.split_at(self.half);
            for head in row.chunks_exact_mut(2 * self.half) {
                let (first, second) = head.split_at_mut(self.half);
                for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        }
    }
}
