//! [`Quantization`]: in how many bits a model's matrices are held.

/// In how many bits a model's matrices are held; the embedding and the output layer are two of them.
///
/// `Q8_0` keeps a weight in eight bits, and a scale for each 32 weights of an output. A step then
/// reads a quarter of the memory that it reads for f32, and is several times faster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantization {
    /// The bits of a GGUF file that is quantised. Of safetensors `Q8_0` for the matrices that are in
    /// two bytes (bf16 and f16) and whose rows can be divided into blocks of 32 weights, f32 for the
    /// others; models of less than 16 MiB stay f32, too: a CPU's caches hold them as they are.
    #[default]
    Automatic,
    /// f32, whatever the files have.
    None,
    /// `Q8_0`. A matrix whose rows can't be divided into blocks is an error.
    Q8_0,
}
