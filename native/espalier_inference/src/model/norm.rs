//! [`Norm`]: rows divided by their root mean square.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};

use super::compute::Compute;
use super::config::Config;
use super::slices::{mismatch, slice};
use super::weights::{Weights, computation_failed};
use crate::error::Error;
use crate::kernels;

/// `x / sqrt(mean(x²) + epsilon) * weight` for each row `x`: for the last dimension of a tensor.
pub(super) struct Norm {
    compute: Compute,
    weight: Tensor,
    epsilon: f32,
}

impl Norm {
    /// The norm of that name, for rows of `size` numbers.
    pub(super) fn load(
        name: &str,
        size: usize,
        config: &Config,
        weights: &Weights,
    ) -> Result<Self, Error> {
        let weight = weights.tensor(&format!("{name}.weight"), &[size])?;
        let weight = match config.norm_offset {
            0.0 => weight,
            offset => weight.affine(1.0, offset.into()).map_err(computation_failed)?,
        };
        let compute = weights.compute().clone();
        Ok(Self { compute, weight, epsilon: config.norm_epsilon })
    }

    /// The normed rows, in a tensor of the same shape.
    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.compute.norm(x, &self.weight, self.epsilon)
    }

    pub(super) fn n_parameters(&self) -> usize {
        self.weight.elem_count()
    }
}

pub(super) struct RmsNorm {
    pub(super) epsilon: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let size = weight_layout.shape().dims1()?;
        if size == 0 || x_layout.dims().last() != Some(&size) {
            return Err(mismatch(self.name(), x_layout, weight_layout));
        }
        let (x, weight) = (slice(x, x_layout)?, slice(weight, weight_layout)?);
        let mut y = vec![0.0; x.len()];
        kernels::rms_norm(x, weight, self.epsilon, &mut y);
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }
}
