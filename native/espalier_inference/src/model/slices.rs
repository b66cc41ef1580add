//! The numbers of tensors as plain slices: what the kernels work on.

use candle_core::{CpuStorage, Error, Layout, Result, Storage, Tensor, WithDType, bail};

/// The numbers of a tensor, row by row.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = bounds(layout)?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// The numbers of a tensor, to be changed in place.
pub(super) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let (start, end) = bounds(layout)?;
    match storage {
        CpuStorage::F32(numbers) => Ok(&mut numbers[start..end]),
        _ => bail!("expected a tensor of {:?}", f32::DTYPE),
    }
}

/// Gives the numbers of a tensor on the CPU to a function.
pub(super) fn with_slice<T>(tensor: &Tensor, function: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("expected a tensor on the CPU") };
    Ok(function(slice(storage, layout)?))
}

/// The error for two tensors whose shapes don't fit each other.
pub(super) fn mismatch(op: &'static str, a: &Layout, b: &Layout) -> Error {
    Error::ShapeMismatchBinaryOp { lhs: a.shape().clone(), rhs: b.shape().clone(), op }.bt()
}

fn bounds(layout: &Layout) -> Result<(usize, usize)> {
    layout.contiguous_offsets().ok_or_else(|| Error::RequiresContiguous { op: "a kernel" }.bt())
}
