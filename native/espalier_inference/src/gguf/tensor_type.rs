//! [`TensorType`]: how the numbers of a tensor are stored.

use super::fault::Fault;

/// A type whose numbers can be read. Those named `Q…` are blocks of small integers with a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorType {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
}

/// All types that can be read, by their numbers in the file and their names.
const SUPPORTED: [(u32, &str, TensorType); 11] = [
    (0, "F32", TensorType::F32),
    (1, "F16", TensorType::F16),
    (2, "Q4_0", TensorType::Q4_0),
    (3, "Q4_1", TensorType::Q4_1),
    (6, "Q5_0", TensorType::Q5_0),
    (7, "Q5_1", TensorType::Q5_1),
    (8, "Q8_0", TensorType::Q8_0),
    (12, "Q4_K", TensorType::Q4K),
    (13, "Q5_K", TensorType::Q5K),
    (14, "Q6_K", TensorType::Q6K),
    (30, "BF16", TensorType::Bf16),
];

/// The names of the others, for errors.
const OTHERS: [(u32, &str); 21] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

impl TensorType {
    /// Whether numbers have fewer bits than two bytes.
    pub(crate) fn is_quantised(self) -> bool {
        !matches!(self, Self::F32 | Self::F16 | Self::Bf16)
    }

    pub(super) fn from_number(number: u32) -> Result<Self, Fault> {
        if let Some((_, _, supported)) = SUPPORTED.iter().find(|(known, ..)| *known == number) {
            return Ok(*supported);
        }
        let names: Vec<&str> = SUPPORTED.iter().map(|(_, name, _)| *name).collect();
        let expected = format!("a type of {}", names.join(", "));
        match OTHERS.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => Err(Fault::new(expected, format!("type {name}"))),
            None => Err(Fault::new(expected, format!("type number {number}"))),
        }
    }

    /// How many neighbours in a row are stored together, and in how many bytes.
    pub(super) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
        }
    }

    /// The bytes of a row of so many numbers, or `None` where that is no whole number of blocks.
    pub(crate) fn row_size(self, n_columns: usize) -> Option<usize> {
        let (n_numbers, n_bytes) = self.block();
        n_columns.is_multiple_of(n_numbers).then(|| (n_columns / n_numbers).checked_mul(n_bytes))?
    }
}
