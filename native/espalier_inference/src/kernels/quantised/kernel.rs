//! [`Kernel`]: the inner loop of a product, for one kind of CPU.

use super::WeightPanel;
use super::format::Format;
use super::inputs::InputBlock;
#[cfg(target_arch = "aarch64")]
use super::neon::{DotProduct, Neon};
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::x86::{Avx2, Avx512Vnni, AvxVnni};
use crate::kernels::panel::Panel;

/// The inner loop of a product, for one kind of CPU. That there is a value says that the CPU is of
/// that kind.
pub(super) trait Kernel: Copy {
    /// The product of each row of inputs, side by side, with each output of a panel.
    ///
    /// The integers of a part with its own scale are multiplied and added up exactly. The sum of an
    /// output starts at zero, and for each part from the first to the last it becomes
    /// `mul_add(total, weight scale * input scale, sum)`, and then `mul_add(minimum, negative sum of
    /// the inputs, sum)` where there are minima: so all kernels give the same bits.
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS];
}

/// What can be done by any kernel.
pub(super) trait WithKernel {
    fn with_kernel(self, kernel: impl Kernel);
}

/// One of the kernels that this CPU can run.
#[derive(Clone, Copy, Debug)]
pub(super) enum AnyKernel {
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni(Avx512Vnni),
    #[cfg(target_arch = "x86_64")]
    AvxVnni(AvxVnni),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    DotProduct(DotProduct),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Portable(Portable),
}

impl AnyKernel {
    /// All kernels that this CPU can run, the best first.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let special = [
            Avx512Vnni::detect().map(Self::Avx512Vnni),
            AvxVnni::detect().map(Self::AvxVnni),
            Avx2::detect().map(Self::Avx2),
        ];
        #[cfg(target_arch = "aarch64")]
        let special = [DotProduct::detect().map(Self::DotProduct), Some(Self::Neon(Neon))];
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let special = [];
        special.into_iter().flatten().chain([Self::Portable(Portable)])
    }

    pub(super) fn best() -> Self {
        Self::all().next().unwrap_or(Self::Portable(Portable))
    }

    pub(super) fn run(self, work: impl WithKernel) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni(kernel) => work.with_kernel(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::AvxVnni(kernel) => work.with_kernel(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(kernel) => work.with_kernel(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::DotProduct(kernel) => work.with_kernel(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(kernel) => work.with_kernel(kernel),
            Self::Portable(kernel) => work.with_kernel(kernel),
        }
    }
}
