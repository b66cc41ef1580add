//! Rotary position embedding, in the half-split order of Hugging Face's `rotate_half`.

use std::f32::consts::TAU;

use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Result, Tensor};

use super::slices::{mismatch, slice, slice_mut};

/// Which angles a model was trained with.
#[derive(Clone, Debug)]
pub(crate) struct Rope {
    /// The base of the frequencies.
    pub(crate) theta: f32,
    pub(crate) scaling: Option<Scaling>,
}

/// How a model reaches longer contexts than its frequencies were made for.
#[derive(Clone, Debug)]
pub(crate) enum Scaling {
    Llama3(Llama3Scaling),
    /// What each frequency is divided by.
    Divisors(Vec<f32>),
}

/// The way of Llama 3.1: low frequencies are divided, high ones kept, and those between interpolated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Llama3Scaling {
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
    /// A row for each position: the cosines, then the sines.
    values: Tensor,
}

impl Rotary {
    pub(crate) fn new(head_size: usize, rope: &Rope) -> Self {
        let frequency = |pair: usize| {
            let frequency = rope.theta.powf(-((2 * pair) as f32) / head_size as f32);
            match &rope.scaling {
                None => frequency,
                Some(Scaling::Llama3(scaling)) => scaling.apply(frequency),
                Some(Scaling::Divisors(divisors)) => frequency / divisors[pair],
            }
        };
        Self { frequencies: (0..head_size / 2).map(frequency).collect() }
    }

    /// The angles of the positions at which a step has rows, on its device.
    pub(crate) fn angles(
        &self,
        positions: impl ExactSizeIterator<Item = usize>,
        device: &Device,
    ) -> Result<Angles> {
        let shape = (positions.len(), 2 * self.frequencies.len());
        let mut values = Vec::with_capacity(shape.0 * shape.1);
        for position in positions {
            let angle = |&frequency: &f32| position as f32 * frequency;
            values.extend(self.frequencies.iter().map(|f| angle(f).cos()));
            values.extend(self.frequencies.iter().map(|f| angle(f).sin()));
        }
        Ok(Angles { values: Tensor::from_vec(values, shape, device)? })
    }
}

impl Llama3Scaling {
    fn apply(self, frequency: f32) -> f32 {
        let wavelengths = self.original_length * frequency / TAU;
        let (low, high) = (self.low_frequency_factor, self.high_frequency_factor);
        let kept = ((wavelengths - low) / (high - low)).clamp(0.0, 1.0);
        (1.0 - kept) * frequency / self.factor + kept * frequency
    }
}

impl Angles {
    /// Rotates in place a tensor of positions, heads and the numbers of a head.
    pub(crate) fn rotate(&self, heads: &Tensor) -> Result<()> {
        heads.inplace_op2(&self.values, &Rotation)
    }
}

struct Rotation;

impl InplaceOp2 for Rotation {
    fn name(&self) -> &'static str {
        "rotary-embedding"
    }

    fn cpu_fwd(
        &self,
        heads: &mut CpuStorage,
        heads_layout: &Layout,
        angles: &CpuStorage,
        angles_layout: &Layout,
    ) -> Result<()> {
        let (n_rows, n_heads, head_size) = heads_layout.shape().dims3()?;
        if angles_layout.dims() != [n_rows, head_size] || n_heads * head_size == 0 {
            return Err(mismatch(self.name(), heads_layout, angles_layout));
        }
        let rows = slice_mut(heads, heads_layout)?.chunks_exact_mut(n_heads * head_size);
        let angles = slice(angles, angles_layout)?.chunks_exact(head_size);
        rows.zip(angles).for_each(|(row, angles)| rotate(row, angles));
        Ok(())
    }
}

/// Rotates all heads of one row.
fn rotate(row: &mut [f32], angles: &[f32]) {
    let half = angles.len() / 2;
    let (cosines, sines) = angles.split_at(half);
    for head in row.chunks_exact_mut(2 * half) {
        let (first, second) = head.split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}
