//! Addition in place.
//!
//! Candle's own sum gives the same numbers, but shares large ones among threads of its own, which
//! wait for work spinning and which all models of a process have to take turns at.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor};

use super::slices::{mismatch, slice, slice_mut};
use crate::kernels;

/// Adds `y` to `x`: a tensor of the same shape, or one row for all rows of `x`.
pub(super) fn add(x: &Tensor, y: &Tensor) -> Result<()> {
    x.inplace_op2(y, &Add)
}

struct Add;

impl InplaceOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<()> {
        if y_layout.dims().is_empty() || !x_layout.dims().ends_with(y_layout.dims()) {
            return Err(mismatch(self.name(), x_layout, y_layout));
        }
        let (x, y) = (slice_mut(x, x_layout)?, slice(y, y_layout)?);
        x.chunks_exact_mut(y.len().max(1)).for_each(|x| kernels::add(x, y));
        Ok(())
    }
}
