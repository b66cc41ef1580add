//! Rotary position embedding, in the half-split order of Hugging Face's `rotate_half`.

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
    pub(crate) fn new(head_size: usize, theta: f32) -> Self {
        let frequency = |pair: usize| theta.powf(-((2 * pair) as f32) / head_size as f32);
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
