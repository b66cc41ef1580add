//! [`TensorInfo`]: what the table of a file says about a tensor.

use super::fault::Fault;
use super::input::Input;
use super::tensor_type::TensorType;

/// The most dimensions that a tensor of the format has.
const MAX_DIMENSIONS: u32 = 4;

/// A tensor of the table.
#[derive(Debug)]
pub(super) struct TensorInfo {
    pub(super) tensor_type: TensorType,
    /// Neighbours in the file are along the last dimension.
    pub(super) shape: Vec<usize>,
    /// Where its bytes begin: behind the head until [`place`](Self::place), then in the file.
    pub(super) start: u64,
    pub(super) n_bytes: u64,
}

impl TensorInfo {
    /// What follows the name.
    pub(super) fn read(input: &mut Input<'_>) -> Result<Self, Fault> {
        let shape = shape(input)?;
        let tensor_type = TensorType::from_number(input.u32()?)?;
        let start = input.u64()?;
        let n_bytes = n_bytes(&shape, tensor_type)?;
        Ok(Self { tensor_type, shape, start, n_bytes })
    }

    /// Checks that the bytes are behind the head and in the file.
    pub(super) fn place(&mut self, head: u64, alignment: u64, n_bytes: u64) -> Result<(), Fault> {
        if !self.start.is_multiple_of(alignment) {
            return Err(Fault::new(format!("a multiple of {alignment} as its offset"), self.start));
        }
        let start = self.start.checked_add(head);
        let end = start.and_then(|start| start.checked_add(self.n_bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= n_bytes => self.start = start,
            _ => {
                let behind =
                    format!("{} bytes from byte {} behind the head", self.n_bytes, self.start);
                let got = format!("a file of {n_bytes} bytes with a head of {head}");
                return Err(Fault::new(behind, got));
            }
        }
        Ok(())
    }

    pub(super) fn end(&self) -> u64 {
        self.start + self.n_bytes
    }
}

/// In the file, the dimension whose numbers are neighbours comes first.
fn shape(input: &mut Input<'_>) -> Result<Vec<usize>, Fault> {
    let n_dimensions = input.u32()?;
    if !(1..=MAX_DIMENSIONS).contains(&n_dimensions) {
        return Err(Fault::new(format!("1 to {MAX_DIMENSIONS} dimensions"), n_dimensions));
    }
    let mut shape = Vec::new();
    for _ in 0..n_dimensions {
        let size = input.u64()?;
        let fits = usize::try_from(size).ok().filter(|size| *size > 0);
        shape.push(fits.ok_or_else(|| Fault::new("a dimension from 1", size))?);
    }
    shape.reverse();
    Ok(shape)
}

fn n_bytes(shape: &[usize], tensor_type: TensorType) -> Result<u64, Fault> {
    let (n_columns, rows) = shape.split_last().unwrap_or((&1, &[]));
    let row_size = tensor_type.row_size(*n_columns).ok_or_else(|| {
        let (n_numbers, _) = tensor_type.block();
        Fault::new(format!("rows of a multiple of {n_numbers} numbers"), n_columns)
    })?;
    let n_bytes = rows.iter().try_fold(row_size, |size, n| size.checked_mul(*n));
    n_bytes
        .map(|n_bytes| n_bytes as u64)
        .ok_or_else(|| Fault::new("a shape that fits into memory", format!("shape {shape:?}")))
}
