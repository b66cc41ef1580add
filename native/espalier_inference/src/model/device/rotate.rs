//! Rotary position embedding.

use candle_core::{D, Result, Tensor};
use candle_nn::rotary_emb::rope_thd;

/// Turns a tensor of positions, heads and the numbers of a head, or the first numbers of each head where
/// there are fewer angles. The angles of a position are the cosines, then the sines.
pub(in crate::model) fn rotate(heads: &Tensor, angles: &Tensor) -> Result<Tensor> {
    let (head_size, size) = (heads.dim(D::Minus1)?, angles.dim(D::Minus1)?);
    let half = |start| angles.narrow(D::Minus1, start, size / 2)?.contiguous();
    let turned = heads.narrow(D::Minus1, 0, size)?.contiguous()?.unsqueeze(0)?;
    let turned = rope_thd(&turned, &half(0)?, &half(size / 2)?)?.squeeze(0)?;
    if size == head_size {
        return Ok(turned);
    }
    let rest = heads.narrow(D::Minus1, size, head_size - size)?;
    Tensor::cat(&[&turned, &rest.contiguous()?], D::Minus1)
}
