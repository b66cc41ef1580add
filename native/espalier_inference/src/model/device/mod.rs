//! The parts of a forward pass that run on a device by candle's operations.
//!
//! - [`DeviceMatrix`] has weights on the device, in the bits that they are held in.
//! - [`Views`] say where a step's rows and positions are in the [memory](crate::kv_cache::DeviceMemory) of pages.
//! - [`DeviceAttention`] is attention along these views, sequence by sequence.
//!
//! Hidden states, norms and angles are `f32`; products take rows in the type of their weights.

mod attention;
mod matrix;
mod rotate;
#[cfg(test)]
mod tests;
mod views;

pub(super) use self::attention::DeviceAttention;
pub(super) use self::matrix::DeviceMatrix;
pub(super) use self::rotate::rotate;
pub(super) use self::views::Views;
