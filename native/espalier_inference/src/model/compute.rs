//! [`Compute`]: by what the layers compute.

use candle_core::{Device, Result, Tensor};

use super::add;
use super::config::Activation;
use super::device;
use super::mlp::Gate;
use super::norm::RmsNorm;
use super::rotary::{Angles, Rotation};

/// By what the layers compute, which are the same for both.
#[derive(Clone, Debug)]
pub(crate) enum Compute {
    /// By our kernels, on the CPU.
    Kernels,
    /// By candle's operations, on its device.
    Candle(Device),
}

impl Compute {
    /// Where the tensors are.
    pub(super) fn device(&self) -> &Device {
        match self {
            Self::Kernels => &Device::Cpu,
            Self::Candle(device) => device,
        }
    }

    pub(crate) fn is_on_device(&self) -> bool {
        matches!(self, Self::Candle(_))
    }

    /// `x + y`, where `y` is of the same shape or one row for all rows of `x`. `x` may be changed.
    pub(super) fn add(&self, x: Tensor, y: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => add::add(&x, y).map(|()| x),
            Self::Candle(_) => x.broadcast_add(y),
        }
    }

    /// The rows of `x`, each divided by its root mean square, times `weight`.
    pub(super) fn norm(&self, x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
        match self {
            Self::Kernels => x.apply_op2_no_bwd(weight, &RmsNorm { epsilon }),
            Self::Candle(_) => candle_nn::ops::rms_norm(x, weight, epsilon),
        }
    }

    /// `activation(gate) * up`. `gate` may be changed.
    pub(super) fn gate(&self, activation: Activation, gate: Tensor, up: &Tensor) -> Result<Tensor> {
        match self {
            Self::Kernels => gate.inplace_op2(up, &Gate(activation)).map(|()| gate),
            Self::Candle(_) => match activation {
                Activation::Silu => gate.silu()? * up,
                Activation::GeluTanh => gate.gelu()? * up,
            },
        }
    }

    /// Turns a tensor of positions, heads and the numbers of a head, which may be changed.
    pub(super) fn rotate(&self, heads: Tensor, angles: &Angles) -> Result<Tensor> {
        match self {
            Self::Kernels => heads.inplace_op2(&angles.values, &Rotation).map(|()| heads),
            Self::Candle(_) => device::rotate(&heads, &angles.values),
        }
    }
}
