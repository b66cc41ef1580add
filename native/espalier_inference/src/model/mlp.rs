//! [`Mlp`]: the part of a layer that sees each row alone.

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};

use super::config::Config;
use super::linear::Linear;
use super::slices::{mismatch, slice, slice_mut};
use super::weights::Weights;
use crate::error::Error;
use crate::kernels;

/// `down(silu(gate(x)) * up(x))` for each row `x`.
pub(super) struct Mlp {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl Mlp {
    /// The part of the layer whose name is `layer`.
    pub(super) fn load(layer: &str, config: &Config, weights: &Weights) -> Result<Self, Error> {
        let Config { hidden_size, intermediate_size, mlp_bias, .. } = *config;
        let linear = |name: &str, n_in, n_out| {
            Linear::load(&format!("{layer}.mlp.{name}"), n_in, n_out, mlp_bias, weights)
        };
        Ok(Self {
            gate: linear("gate_proj", hidden_size, intermediate_size)?,
            up: linear("up_proj", hidden_size, intermediate_size)?,
            down: linear("down_proj", intermediate_size, hidden_size)?,
        })
    }

    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let gate = self.gate.apply(x)?;
        gate.inplace_op2(&self.up.apply(x)?, &SwiGlu)?;
        self.down.apply(&gate)
    }

    pub(super) fn n_parameters(&self) -> usize {
        [&self.gate, &self.up, &self.down].into_iter().map(Linear::n_parameters).sum()
    }
}

/// `silu(gate) * up`, into `gate`.
struct SwiGlu;

impl InplaceOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &mut CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> candle_core::Result<()> {
        if gate_layout.shape() != up_layout.shape() {
            return Err(mismatch(self.name(), gate_layout, up_layout));
        }
        kernels::swiglu(slice_mut(gate, gate_layout)?, slice(up, up_layout)?);
        Ok(())
    }
}
