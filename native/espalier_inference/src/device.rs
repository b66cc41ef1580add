//! [`Device`]: where a model computes.

use std::any::Any;
use std::fmt::{self, Display, Formatter};
use std::panic::catch_unwind;

use candle_core::utils::{cuda_is_available, metal_is_available};

use crate::error::Error;
use crate::model::Compute;

/// Where a model computes. All but [`Cpu`](Self::Cpu) are there only in a build with the cargo feature
/// of their name.
///
/// Everything works on all of them. On the CPU a text depends on nothing else in the batch. Graphics
/// processors add up in an order that depends on the number of rows, so there the same seed can give
/// another text in other company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The CPU, with kernels of this crate.
    #[default]
    Cpu,
    /// A graphics processor of Apple's.
    Metal {
        /// Its number in the system's list, from 0.
        index: usize,
    },
    /// A graphics processor of NVIDIA's. Weights in bf16 need one of compute capability 8.0 or higher.
    Cuda {
        /// Its number as CUDA counts, from 0.
        index: usize,
    },
}

/// The highest index of a device: libraries would take a part of a higher one.
const MAX_INDEX: usize = 255;

impl Device {
    /// The kinds of devices that this build has code for.
    #[must_use]
    pub fn kinds() -> Vec<&'static str> {
        let kinds = [("cpu", true), ("metal", metal_is_available()), ("cuda", cuda_is_available())];
        kinds.into_iter().filter(|(_, is_built)| *is_built).map(|(kind, _)| kind).collect()
    }

    /// The name of its kind, which is that of its cargo feature, too.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Metal { .. } => "metal",
            Self::Cuda { .. } => "cuda",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Cpu => 0,
            Self::Metal { index } | Self::Cuda { index } => index,
        }
    }

    /// Takes the device into use.
    pub(crate) fn open(self) -> Result<Compute, Error> {
        if !Self::kinds().contains(&self.kind()) {
            let reason = format!("the cargo feature `{}` was not on", self.kind());
            return Err(self.unavailable(reason));
        }
        if self.index() > MAX_INDEX {
            return Err(self.unavailable("there is no such device".to_owned()));
        }
        // Candle panics where the system's list of Metal devices is shorter.
        let opened = catch_unwind(|| match self {
            Self::Cpu => Ok(Compute::Kernels),
            Self::Metal { index } => candle_core::Device::new_metal(index).map(Compute::Candle),
            // One stream for all threads that the model's steps run on.
            Self::Cuda { index } => {
                candle_core::Device::new_cuda_with_stream(index).map(Compute::Candle)
            }
        });
        match opened {
            Ok(opened) => opened.map_err(|error| self.unavailable(error.to_string())),
            Err(panic) => Err(self.unavailable(panic_message(&*panic))),
        }
    }

    pub(crate) fn unavailable(self, reason: String) -> Error {
        Error::DeviceUnavailable { device: self, reason, built: Self::kinds() }
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str(self.kind()),
            Self::Metal { .. } | Self::Cuda { .. } => {
                write!(f, "{} {}", self.kind(), self.index())
            }
        }
    }
}

/// What a panic says.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic").to_owned()
}
