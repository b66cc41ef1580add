//! Rotary position embedding, in the half-split order of Hugging Face's `rotate_half`.

use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Result, Tensor};

use super::rope::Rope;
use super::slices::{mismatch, slice, slice_mut};

/// The frequencies of a model's heads.
#[derive(Debug)]
pub(crate) struct Rotary {
    frequencies: Vec<f32>,
    magnitude: f32,
}

/// Cosines and sines for a list of positions, shared by all heads and layers of a step.
pub(crate) struct Angles {
    /// A row for each position: the cosines, then the sines.
    pub(super) values: Tensor,
}

impl Rotary {
    pub(crate) fn new(rope: &Rope) -> Self {
        Self { frequencies: rope.frequencies(), magnitude: rope.magnitude }
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
            values.extend(self.frequencies.iter().map(|f| angle(f).cos() * self.magnitude));
            values.extend(self.frequencies.iter().map(|f| angle(f).sin() * self.magnitude));
        }
        Ok(Angles { values: Tensor::from_vec(values, shape, device)? })
    }
}

/// Rotates in place a tensor of positions, heads and the numbers of a head, by a tensor of angles.
pub(super) struct Rotation;

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
        let (n_angles, size) = angles_layout.shape().dims2()?;
        if n_angles != n_rows || !(1..=head_size).contains(&size) || n_heads == 0 {
            return Err(mismatch(self.name(), heads_layout, angles_layout));
        }
        let rows = slice_mut(heads, heads_layout)?.chunks_exact_mut(n_heads * head_size);
        let angles = slice(angles, angles_layout)?.chunks_exact(size);
        rows.zip(angles).for_each(|(row, angles)| rotate(row, head_size, angles));
        Ok(())
    }
}

/// Rotates all heads of one row, or the first numbers of each where there are fewer angles.
fn rotate(row: &mut [f32], head_size: usize, angles: &[f32]) {
    let half = angles.len() / 2;
    let (cosines, sines) = angles.split_at(half);
    for head in row.chunks_exact_mut(head_size) {
        let (first, second) = head[..2 * half].split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}
