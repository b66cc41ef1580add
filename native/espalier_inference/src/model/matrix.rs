//! [`Matrix`]: weights in the order in which products read them.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor, bail};

use super::slices::{mismatch, slice, with_slice};
use crate::kernels::{self, PANEL};

/// A matrix of weights with a row of inputs' weights for each output.
#[derive(Clone)]
pub(super) struct Matrix {
    /// Panels, inputs, outputs of a panel.
    packed: Tensor,
    n_out: usize,
}

impl Matrix {
    /// Packs the weights of a tensor of `[n_out, n_in]`.
    pub(super) fn pack(weights: &Tensor) -> candle_core::Result<Self> {
        let (n_out, n_in) = weights.dims2()?;
        let packed = with_slice(weights, |weights| kernels::pack(weights, n_in))?;
        let packed = Tensor::from_vec(packed, ((), n_in, PANEL), weights.device())?;
        Ok(Self { packed, n_out })
    }

    /// The products of some rows of inputs with each output's weights, row by row.
    pub(super) fn product(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.apply_op2_no_bwd(&self.packed, &Product { n_out: self.n_out })
    }

    /// The weights of some outputs, row by row.
    pub(super) fn rows(&self, outputs: &[u32]) -> candle_core::Result<Tensor> {
        if let Some(output) = outputs.iter().find(|&&output| output as usize >= self.n_out) {
            bail!("row {output} of a matrix of {} rows", self.n_out);
        }
        let n_in = self.n_in();
        let rows = with_slice(&self.packed, |packed| {
            let row = |&output: &u32| kernels::unpack_row(packed, n_in, output as usize);
            outputs.iter().flat_map(row).collect()
        })?;
        Tensor::from_vec::<_, f32>(rows, (outputs.len(), n_in), self.packed.device())
    }

    pub(super) fn n_weights(&self) -> usize {
        self.n_out * self.n_in()
    }

    fn n_in(&self) -> usize {
        self.packed.dims()[1]
    }
}

struct Product {
    n_out: usize,
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        packed: &CpuStorage,
        packed_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n_rows, n_in) = x_layout.shape().dims2()?;
        if packed_layout.dims()[1] != n_in {
            return Err(mismatch(self.name(), x_layout, packed_layout));
        }
        let mut y = vec![0.0; n_rows * self.n_out];
        let (x, packed) = (slice(x, x_layout)?, slice(packed, packed_layout)?);
        kernels::matmul(x, packed, n_in, self.n_out, &mut y);
        Ok((CpuStorage::F32(y), Shape::from((n_rows, self.n_out))))
    }
}
