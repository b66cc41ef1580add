//! [`Linear`]: a layer of weights, with or without a bias.

use candle_core::{DType, Tensor};

use super::compute::Compute;
use super::matrix::Matrix;
use super::weights::Weights;
use crate::error::Error;

/// `x · weight + bias` for each row `x`.
pub(super) struct Linear {
    weight: Matrix,
    bias: Option<(Compute, Tensor)>,
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
        let weight = weights.matrix(&format!("{name}.weight"), n_out, n_in)?;
        let bias = bias.then(|| weights.tensor(&format!("{name}.bias"), &[n_out])).transpose()?;
        let bias = bias.map(|bias| (weights.compute().clone(), bias));
        Ok(Self { weight, bias })
    }

    /// Layers without biases whose weights are those of one matrix, one after the other.
    pub(super) fn load_fused<const N: usize>(
        name: &str,
        n_in: usize,
        sizes: [usize; N],
        weights: &Weights,
    ) -> Result<[Self; N], Error> {
        Ok(weights.matrices(&format!("{name}.weight"), sizes, n_in)?.map(Self::without_bias))
    }

    /// A layer of weights that may be another layer's, too.
    pub(super) fn without_bias(weight: Matrix) -> Self {
        Self { weight, bias: None }
    }

    /// The outputs for some rows of inputs, row by row.
    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = self.weight.product(x)?;
        match &self.bias {
            Some((compute, bias)) => compute.add(y, bias),
            None => Ok(y),
        }
    }

    /// The type of keys and values beside such weights, if these are on a device.
    pub(super) fn cache_dtype(&self) -> Option<DType> {
        self.weight.cache_dtype()
    }

    pub(super) fn n_parameters(&self) -> usize {
        self.weight.n_weights() + self.bias.as_ref().map_or(0, |(_, bias)| bias.elem_count())
    }
}
