//! [`Matrix`]: weights in the order in which products read them.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};

use super::device::DeviceMatrix;
use super::slices::{slice, with_slice};
use crate::kernels::{self, BlockFormat, Packed, Q8_0, QuantisedMatrix};

/// A matrix of weights with a row of inputs' weights for each output.
#[derive(Clone)]
pub(super) struct Matrix {
    weights: Arc<Weights>,
    n_in: usize,
    n_out: usize,
}

enum Weights {
    F32(Vec<f32>),
    Quantised(Box<dyn QuantisedMatrix>),
    OnDevice(DeviceMatrix),
}

impl Matrix {
    /// Packs the weights of a tensor of `[n_out, n_in]`.
    pub(super) fn pack(weights: &Tensor) -> Result<Self> {
        let (_, n_in) = weights.dims2()?;
        with_slice(weights, |weights| Self::pack_rows(weights, n_in))
    }

    /// Packs rows of `n_in` weights.
    pub(super) fn pack_rows(weights: &[f32], n_in: usize) -> Self {
        let packed = kernels::pack(weights, n_in);
        Self { weights: Arc::new(Weights::F32(packed)), n_in, n_out: weights.len() / n_in }
    }

    /// Rounds the weights of a tensor of `[n_out, n_in]` to `Q8_0`.
    pub(super) fn quantise(weights: &Tensor) -> Result<Self> {
        let (_, n_in) = weights.dims2()?;
        if !Self::can_be_quantised(n_in) {
            bail!("rows of {n_in} weights can't be quantised");
        }
        with_slice(weights, |weights| Self::quantise_rows(weights, n_in))
    }

    /// Rounds rows of `n_in` weights, of which blocks can be made, to `Q8_0`.
    pub(super) fn quantise_rows(weights: &[f32], n_in: usize) -> Self {
        let quantised = Packed::<Q8_0>::quantise(weights, n_in);
        let n_out = weights.len() / n_in;
        Self { weights: Arc::new(Weights::Quantised(Box::new(quantised))), n_in, n_out }
    }

    /// Whether rows of so many weights can be rounded to `Q8_0`.
    pub(super) fn can_be_quantised(n_in: usize) -> bool {
        Packed::<Q8_0>::fits(n_in)
    }

    /// Takes over the blocks of a file as they are, output by output: `None` where they aren't as many
    /// bytes as the matrix has, or rows of `n_in` weights can't be divided into blocks.
    pub(super) fn from_blocks(
        format: BlockFormat,
        bytes: &[u8],
        n_out: usize,
        n_in: usize,
    ) -> Option<Self> {
        let weights = Weights::Quantised(format.matrix(bytes, n_in, n_out)?);
        Some(Self { weights: Arc::new(weights), n_in, n_out })
    }

    /// The matrix of weights on a device.
    pub(super) fn on_device(weights: DeviceMatrix, n_out: usize, n_in: usize) -> Self {
        Self { weights: Arc::new(Weights::OnDevice(weights)), n_in, n_out }
    }

    /// The products of some rows of inputs with each output's weights, row by row.
    pub(super) fn product(&self, x: &Tensor) -> Result<Tensor> {
        match &*self.weights {
            Weights::OnDevice(weights) => weights.product(x),
            Weights::F32(_) | Weights::Quantised(_) => x.apply_op1_no_bwd(self),
        }
    }

    /// The weights of some outputs, row by row.
    pub(super) fn rows(&self, outputs: &[u32]) -> Result<Tensor> {
        if let Some(output) = outputs.iter().find(|&&output| output as usize >= self.n_out) {
            bail!("row {output} of a matrix of {} rows", self.n_out);
        }
        let mut rows = Vec::with_capacity(outputs.len() * self.n_in);
        match &*self.weights {
            Weights::F32(packed) => {
                let row = |&output: &u32| kernels::unpack_row(packed, self.n_in, output as usize);
                rows.extend(outputs.iter().flat_map(row));
            }
            Weights::Quantised(quantised) => {
                rows.extend(outputs.iter().flat_map(|&output| quantised.row(output as usize)));
            }
            Weights::OnDevice(weights) => return weights.rows(outputs),
        }
        Tensor::from_vec(rows, (outputs.len(), self.n_in), &Device::Cpu)
    }

    /// The type of keys and values beside such weights, if these are on a device.
    pub(super) fn cache_dtype(&self) -> Option<DType> {
        match &*self.weights {
            Weights::OnDevice(weights) => Some(weights.cache_dtype()),
            Weights::F32(_) | Weights::Quantised(_) => None,
        }
    }

    /// The memory of the weights.
    pub(super) fn n_bytes(&self) -> usize {
        match &*self.weights {
            Weights::F32(packed) => size_of_val(&packed[..]),
            Weights::Quantised(quantised) => quantised.n_bytes(),
            Weights::OnDevice(weights) => weights.n_bytes(),
        }
    }

    pub(super) fn n_weights(&self) -> usize {
        self.n_out * self.n_in
    }
}

impl CustomOp1 for Matrix {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Self { n_in, n_out, .. } = *self;
        let (n_rows, row_size) = layout.shape().dims2()?;
        if row_size != n_in {
            bail!("{}: expected rows of {n_in} inputs, got: {:?}", self.name(), layout.shape());
        }
        let x = slice(x, layout)?;
        let mut y = vec![0.0; n_rows * n_out];
        match &*self.weights {
            Weights::F32(packed) => kernels::matmul(x, packed, n_in, n_out, &mut y),
            Weights::Quantised(quantised) => quantised.product(x, &mut y),
            Weights::OnDevice(_) => bail!("{}: weights that are not for kernels", self.name()),
        }
        Ok((CpuStorage::F32(y), Shape::from((n_rows, n_out))))
    }
}
