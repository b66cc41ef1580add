//! [`Blocks`]: the numbers of a tensor as the file has them, and what they are as `f32`.
//!
//! The formats are those of llama.cpp. A block of 32 numbers has one scale, and those of 256 numbers
//! (`K`) have scales for their parts, which are small integers with a scale in common. Products are
//! taken in the order that the format's reference takes, so that the numbers are the same bit for bit.

use std::ops::Range;

use half::{bf16, f16};

use super::tensor_type::TensorType;
use crate::kernels::BlockFormat;

/// The numbers of a tensor, row by row.
#[derive(Debug)]
pub(crate) struct Blocks {
    tensor_type: TensorType,
    bytes: Vec<u8>,
}

impl Blocks {
    pub(super) fn new(tensor_type: TensorType, bytes: Vec<u8>) -> Self {
        Self { tensor_type, bytes }
    }

    /// The same rows of `n_columns` numbers in another order: `row_at(i)` is the row that becomes the
    /// one at `i`. There is none where a block has numbers of several rows.
    pub(crate) fn with_rows_at(
        self,
        n_columns: usize,
        row_at: impl Fn(usize) -> usize,
    ) -> Option<Self> {
        let size = self.tensor_type.row_size(n_columns)?;
        let n_rows = self.bytes.len() / size;
        let row = |index| &self.bytes[row_at(index) * size..][..size];
        let bytes = (0..n_rows).flat_map(row).copied().collect();
        Some(Self { bytes, ..self })
    }

    /// Some of the `n_rows` rows, none of which shares a block with another.
    pub(crate) fn part(&self, rows: Range<usize>, n_rows: usize) -> Self {
        let size = self.bytes.len() / n_rows;
        let bytes = self.bytes[rows.start * size..rows.end * size].to_vec();
        Self { bytes, ..*self }
    }

    pub(crate) fn tensor_type(&self) -> TensorType {
        self.tensor_type
    }

    /// The blocks as they are.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The blocks as they are, if there are kernels for their format.
    pub(crate) fn quantised(&self) -> Option<(BlockFormat, &[u8])> {
        let format = match self.tensor_type {
            TensorType::Q4_0 => BlockFormat::Q4_0,
            TensorType::Q4K => BlockFormat::Q4K,
            TensorType::Q5K => BlockFormat::Q5K,
            TensorType::Q6K => BlockFormat::Q6K,
            TensorType::Q8_0 => BlockFormat::Q8_0,
            _ => return None,
        };
        Some((format, &self.bytes))
    }

    pub(crate) fn to_f32(&self) -> Vec<f32> {
        let bytes = &*self.bytes;
        match self.tensor_type {
            TensorType::F32 => each(bytes, |number, out| *out = [f32::from_le_bytes(*number)]),
            TensorType::F16 => each(bytes, |number, out| *out = [half(*number)]),
            TensorType::Bf16 => {
                each(bytes, |number, out| *out = [bf16::from_le_bytes(*number).to_f32()])
            }
            TensorType::Q4_0 => each(bytes, q4_0),
            TensorType::Q4_1 => each(bytes, q4_1),
            TensorType::Q5_0 => each(bytes, q5_0),
            TensorType::Q5_1 => each(bytes, q5_1),
            TensorType::Q8_0 => each(bytes, q8_0),
            TensorType::Q4K => each(bytes, q4_k),
            TensorType::Q5K => each(bytes, q5_k),
            TensorType::Q6K => each(bytes, q6_k),
        }
    }
}

/// All blocks of `SIZE` bytes and `LEN` numbers.
fn each<const SIZE: usize, const LEN: usize>(
    bytes: &[u8],
    dequantize: impl Fn(&[u8; SIZE], &mut [f32; LEN]),
) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<SIZE>();
    let mut numbers = vec![0.0; blocks.len() * LEN];
    let (out, _) = numbers.as_chunks_mut::<LEN>();
    blocks.iter().zip(out).for_each(|(block, out)| dequantize(block, out));
    numbers
}

fn half(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

/// The 4 lower bits of all bytes are the first half of the numbers, the 4 upper ones the second.
fn nibbles<const N: usize>(bytes: &[u8], numbers: &mut [f32], number: impl Fn(usize, u8) -> f32) {
    let (first, second) = numbers.split_at_mut(N);
    for (i, byte) in bytes.iter().enumerate() {
        first[i] = number(i, byte & 15);
        second[i] = number(i + N, byte >> 4);
    }
}

/// A scale and 16 bytes.
fn q4_0(block: &[u8; 18], out: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    nibbles::<16>(&block[2..], out, |_, quant| (f32::from(quant) - 8.0) * scale);
}

/// A scale, a least number and 16 bytes.
fn q4_1(block: &[u8; 20], out: &mut [f32; 32]) {
    let (scale, min) = (half([block[0], block[1]]), half([block[2], block[3]]));
    nibbles::<16>(&block[4..], out, |_, quant| f32::from(quant) * scale + min);
}

/// A scale, the fifth bits of all numbers and 16 bytes.
fn q5_0(block: &[u8; 22], out: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    let high = fifth_bits([block[2], block[3], block[4], block[5]]);
    nibbles::<16>(&block[6..], out, |i, low| (f32::from(low | high(i)) - 16.0) * scale);
}

/// A scale, a least number, the fifth bits of all numbers and 16 bytes.
fn q5_1(block: &[u8; 24], out: &mut [f32; 32]) {
    let (scale, min) = (half([block[0], block[1]]), half([block[2], block[3]]));
    let high = fifth_bits([block[4], block[5], block[6], block[7]]);
    nibbles::<16>(&block[8..], out, |i, low| f32::from(low | high(i)) * scale + min);
}

fn fifth_bits(bytes: [u8; 4]) -> impl Fn(usize) -> u8 {
    let bits = u32::from_le_bytes(bytes);
    move |i| (bits >> i & 1) as u8 * 16
}

/// A scale and a signed byte for each number.
fn q8_0(block: &[u8; 34], out: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    for (out, quant) in out.iter_mut().zip(&block[2..]) {
        *out = f32::from(quant.cast_signed()) * scale;
    }
}

/// Scales of the scales and of the least numbers, both for 8 parts of 32, and 128 bytes.
fn q4_k(block: &[u8; 144], out: &mut [f32; 256]) {
    let parts = Parts::new(block);
    for (pair, out) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let bytes = &block[16 + 32 * pair..][..32];
        nibbles::<32>(bytes, out, |i, quant| parts.number(2 * pair + i / 32, quant));
    }
}

/// As `q4_k`, with the fifth bits of all numbers: those of a part are one bit of 32 bytes.
fn q5_k(block: &[u8; 176], out: &mut [f32; 256]) {
    let parts = Parts::new(block);
    let high = &block[16..48];
    for (pair, out) in out.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let bytes = &block[48 + 32 * pair..][..32];
        nibbles::<32>(bytes, out, |i, low| {
            let part = 2 * pair + i / 32;
            parts.number(part, low | (high[i % 32] >> part & 1) << 4)
        });
    }
}

/// Scales and least numbers of the parts of a block.
struct Parts {
    scales: [f32; 8],
    mins: [f32; 8],
}

impl Parts {
    /// Two scales, and 6 bits for each part's scale and least number: those of the last four parts are
    /// 4 bits, and the 2 upper bits of the bytes of the first four.
    fn new(block: &[u8]) -> Self {
        let (scale, min) = (half([block[0], block[1]]), half([block[2], block[3]]));
        let bits = &block[4..16];
        let six_bits = |part: usize, offset: usize, shift: usize| match part {
            0..4 => bits[part + offset] & 63,
            _ => bits[part + 4] >> shift & 15 | bits[part - 4 + offset] >> 6 << 4,
        };
        Self {
            scales: std::array::from_fn(|part| scale * f32::from(six_bits(part, 0, 0))),
            mins: std::array::from_fn(|part| min * f32::from(six_bits(part, 4, 4))),
        }
    }

    fn number(&self, part: usize, quant: u8) -> f32 {
        self.scales[part] * f32::from(quant) - self.mins[part]
    }
}

/// The 4 lower bits of all numbers, their 2 upper ones, 16 scales of parts of 16, and a scale of these.
/// The bits of 128 numbers are together.
fn q6_k(block: &[u8; 210], out: &mut [f32; 256]) {
    let scale = half([block[208], block[209]]);
    let scales: [f32; 16] =
        std::array::from_fn(|part| scale * f32::from(block[192 + part].cast_signed()));
    for (part, out) in out.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        let (whole, quarter) = (part / 4, part % 4);
        let low = &block[64 * whole + 32 * (quarter % 2)..][..32];
        let high = &block[128 + 32 * whole..][..32];
        for (i, out) in out.iter_mut().enumerate() {
            let bits = low[i] >> (4 * (quarter / 2)) & 15 | (high[i] >> (2 * quarter) & 3) << 4;
            *out = scales[2 * part + i / 16] * (f32::from(bits) - 32.0);
        }
    }
}
