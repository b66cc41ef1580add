//! [`Linear`]: a layer of weights, with or without a bias.

use super::weights::Weights;
use crate::error::Error;
use crate::kernels;

/// `x · weight + bias` for each row `x`.
pub(super) struct Linear {
    /// A row of `n_in` numbers for each output.
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    n_in: usize,
}

impl Linear {
    /// The layer of that name. Its bias is read only if there is to be one.
    pub(super) fn load(
        name: &str,
        n_in: usize,
        n_out: usize,
        bias: bool,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let weight = weights.tensor(&format!("{name}.weight"), &[n_out, n_in])?;
        let bias = bias.then(|| weights.tensor(&format!("{name}.bias"), &[n_out])).transpose()?;
        Ok(Self { weight, bias, n_in })
    }

    /// The outputs for some rows of inputs, row by row.
    pub(super) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let n_out = self.weight.len() / self.n_in;
        let mut y = vec![0.0; x.len() / self.n_in * n_out];
        kernels::matmul(x, &self.weight, self.n_in, &mut y);
        if let Some(bias) = &self.bias {
            y.chunks_exact_mut(n_out).for_each(|y| kernels::add(y, bias));
        }
        y
    }

    pub(super) fn n_parameters(&self) -> usize {
        self.weight.len() + self.bias.as_ref().map_or(0, Vec::len)
    }
}
