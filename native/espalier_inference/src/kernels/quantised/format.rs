//! [`Format`]: how weights become integers and scales.

use half::f16;

use super::PANEL;
use super::integers::Integers;

/// How weights become integers and scales: a format of files, and what it is packed to.
///
/// A weight is its integer, less the bias, times a scale, and less a minimum where there is one.
pub(crate) trait Format: Sized + 'static {
    /// The weights of a block in a file.
    const N_INPUTS: usize;

    /// The bytes of a block in a file.
    const N_BYTES: usize;

    /// What is added to the integers so that they have no sign: zero, or a power of two up to 128.
    const BIAS: u8;

    /// The groups of inputs that share a scale: four or eight.
    const N_GROUPS: usize;

    /// The integers of all outputs of a panel, for a block of [`BLOCK`](super::BLOCK) inputs.
    type Integers: Integers;

    /// The scales of all outputs of a panel, for a block of the file.
    type Scales: Clone + Send + Sync;

    /// The scales of outputs that there aren't.
    const NO_SCALES: Self::Scales;

    /// Reads the integers in a block of the file, input by input, with the bias.
    fn read_integers(bytes: &[u8], integers: &mut [u8]);

    /// Sets the scales of one output to those in a block of the file.
    fn read_scales(bytes: &[u8], scales: &mut Self::Scales, output: usize);

    /// The scales of a part: the part of that number that shares some.
    fn scales(scales: &Self::Scales, part: usize) -> PartScales<'_>;
}

/// The scales that some inputs share, and their minima.
#[derive(Clone, Copy)]
pub(crate) struct PartScales<'a> {
    pub(super) scales: ScalePanel<'a>,
    pub(super) minima: Option<ScalePanel<'a>>,
}

/// A number for each output of a panel: a small float, times an integer where there is one.
#[derive(Clone, Copy)]
pub(super) struct ScalePanel<'a> {
    pub(super) floats: &'a [f16; PANEL],
    pub(super) factors: Option<&'a [i8; PANEL]>,
}

impl ScalePanel<'_> {
    pub(super) fn number(&self, output: usize) -> f32 {
        let factor = self.factors.map_or(1.0, |factors| f32::from(factors[output]));
        self.floats[output].to_f32() * factor
    }
}

/// The float at some place of a file's block.
pub(super) fn float_at(bytes: &[u8], at: usize) -> f16 {
    f16::from_le_bytes([bytes[at], bytes[at + 1]])
}
