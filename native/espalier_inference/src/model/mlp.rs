//! [`Mlp`]: the part of a layer that sees each row alone.

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};

use super::compute::Compute;
use super::config::{Activation, Config};
use super::linear::Linear;
use super::slices::{mismatch, slice, slice_mut};
use super::weights::Weights;
use crate::error::Error;
use crate::kernels;

/// `down(activation(gate(x)) * up(x))` for each row `x`.
pub(super) struct Mlp {
    compute: Compute,
    activation: Activation,
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
        let [gate, up] = if config.fused {
            let name = format!("{layer}.mlp.gate_up_proj");
            Linear::load_fused(&name, hidden_size, [intermediate_size; 2], weights)?
        } else {
            let gate = linear("gate_proj", hidden_size, intermediate_size)?;
            [gate, linear("up_proj", hidden_size, intermediate_size)?]
        };
        let down = linear("down_proj", intermediate_size, hidden_size)?;
        let compute = weights.compute().clone();
        Ok(Self { compute, activation: config.activation, gate, up, down })
    }

    pub(super) fn apply(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (gate, up) = (self.gate.apply(x)?, self.up.apply(x)?);
        self.down.apply(&self.compute.gate(self.activation, gate, &up)?)
    }

    pub(super) fn n_parameters(&self) -> usize {
        [&self.gate, &self.up, &self.down].into_iter().map(Linear::n_parameters).sum()
    }
}

/// `activation(gate) * up`, into `gate`.
pub(super) struct Gate(pub(super) Activation);

impl InplaceOp2 for Gate {
    fn name(&self) -> &'static str {
        "gate"
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
        let (gate, up) = (slice_mut(gate, gate_layout)?, slice(up, up_layout)?);
        match self.0 {
            Activation::Silu => kernels::swiglu(gate, up),
            Activation::GeluTanh => kernels::geglu(gate, up),
        }
        Ok(())
    }
}
