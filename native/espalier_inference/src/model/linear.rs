//! [`Linear`]: a layer of weights, with or without a bias.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use super::add::add;
use super::slices::{mismatch, slice};
use super::weights::Weights;
use crate::error::Error;
use crate::kernels;

/// `x · weight + bias` for each row `x`.
pub(super) struct Linear {
    /// A row of inputs' weights for each output.
    weight: Tensor,
    bias: Option<Tensor>,
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
        Ok(Self { weight, bias })
    }

    /// A layer of weights that may be another layer's, too.
    pub(super) fn without_bias(weight: Tensor) -> Self {
        Self { weight, bias: None }
    }

    /// The outputs for some rows of inputs, row by row.
    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = x.apply_op2_no_bwd(&self.weight, &Product)?;
        if let Some(bias) = &self.bias {
            add(&y, bias)?;
        }
        Ok(y)
    }

    pub(super) fn n_parameters(&self) -> usize {
        self.weight.elem_count() + self.bias.as_ref().map_or(0, Tensor::elem_count)
    }
}

/// The product of a matrix of rows and a transposed matrix of weights.
struct Product;

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n_rows, n_in) = x_layout.shape().dims2()?;
        let (n_out, n_weights) = weight_layout.shape().dims2()?;
        if n_in != n_weights {
            return Err(mismatch(self.name(), x_layout, weight_layout));
        }
        let mut y = vec![0.0; n_rows * n_out];
        kernels::matmul(slice(x, x_layout)?, slice(weight, weight_layout)?, n_in, &mut y);
        Ok((CpuStorage::F32(y), Shape::from((n_rows, n_out))))
    }
}
