//! The kernels for CPUs with AVX2 and with what came after it.

#![expect(unsafe_code, reason = "instructions that not every CPU has, and loads from slices")]

use std::arch::is_x86_feature_detected as detected;
use std::arch::x86_64::{
    __m256, __m256i, __m512, _mm_loadl_epi64, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtph_ps, _mm256_dpbusd_avx_epi32,
    _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi16,
    _mm256_srai_epi16, _mm256_srli_epi16, _mm256_storeu_ps, _mm512_cvtepi8_epi32,
    _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_si512,
    _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_storeu_ps,
};

use super::WeightPanel;
use super::format::{Format, PartScales, ScalePanel};
use super::inputs::InputBlock;
use super::integers::Group;
use super::kernel::Kernel;
use crate::kernels::panel::{PANEL, Panel};

/// AVX-512 with products of bytes: a register holds a panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Vnni(());

/// AVX2 with products of bytes: a register holds half a panel.
#[derive(Clone, Copy, Debug)]
pub(super) struct AvxVnni(());

/// AVX2 without them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx512Vnni {
    pub(super) fn detect() -> Option<Self> {
        let detected = detected!("avx512f") && detected!("avx512bw") && detected!("avx512vnni");
        detected.then_some(Self(()))
    }
}

impl AvxVnni {
    pub(super) fn detect() -> Option<Self> {
        (detected!("avxvnni") && Avx2::detect().is_some()).then_some(Self(()))
    }
}

impl Avx2 {
    pub(super) fn detect() -> Option<Self> {
        (detected!("avx2") && detected!("fma") && detected!("f16c")).then_some(Self(()))
    }
}

impl Kernel for Avx512Vnni {
    #[inline]
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx512_vnni(panel, inputs) }
    }
}

impl Kernel for AvxVnni {
    #[inline]
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx_vnni(panel, inputs) }
    }
}

impl Kernel for Avx2 {
    #[inline]
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx2(panel, inputs) }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn tile_avx512_vnni<F: Format, const ROWS: usize>(
    panel: WeightPanel<'_, F>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let mut sums = [_mm512_setzero_ps(); ROWS];
    panel.for_each_part(|block, part, groups, scales| {
        let inputs = &inputs[block];
        let mut totals = [_mm512_setzero_si512(); ROWS];
        for (total, input) in totals.iter_mut().zip(inputs) {
            *total = _mm512_set1_epi32(input.offset::<F>(part));
        }
        for (group, outputs) in groups.iter().enumerate() {
            // SAFETY: a group is as large as the register.
            let weights = unsafe { _mm512_loadu_si512(outputs.as_ptr().cast()) };
            for (total, input) in totals.iter_mut().zip(inputs) {
                let x = _mm512_set1_epi32(input.groups[part * F::N_GROUPS + group]);
                *total = _mm512_dpbusd_epi32(*total, weights, x);
            }
        }
        let weight_scales = load_512(scales.scales);
        for ((sum, total), input) in sums.iter_mut().zip(totals).zip(inputs) {
            let scales = _mm512_mul_ps(weight_scales, _mm512_set1_ps(input.scale));
            *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scales, *sum);
        }
        if let Some(minima) = scales.minima {
            let minima = load_512(minima);
            for (sum, input) in sums.iter_mut().zip(inputs) {
                *sum = _mm512_fmadd_ps(minima, _mm512_set1_ps(input.negative_sum), *sum);
            }
        }
    });
    let mut panels = [[0.0; PANEL]; ROWS];
    for (panel, sum) in panels.iter_mut().zip(sums) {
        // SAFETY: a panel is as large as the register.
        unsafe { _mm512_storeu_ps(panel.as_mut_ptr(), sum) };
    }
    panels
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512(numbers: ScalePanel<'_>) -> __m512 {
    // SAFETY: the floats, and the factors, of a panel are as large as the registers.
    let floats = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(numbers.floats.as_ptr().cast()) });
    let Some(factors) = numbers.factors else { return floats };
    // SAFETY: as above.
    let factors = _mm512_cvtepi8_epi32(unsafe { _mm_loadu_si128(factors.as_ptr().cast()) });
    _mm512_mul_ps(floats, _mm512_cvtepi32_ps(factors))
}

/// Outputs of a panel in a register of 256 bits.
const HALF: usize = PANEL / 2;

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn tile_avx_vnni<F: Format, const ROWS: usize>(
    panel: WeightPanel<'_, F>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    panel.for_each_part(|block, part, groups, scales| {
        let inputs = &inputs[block];
        for half in 0..2 {
            let mut totals = [_mm256_setzero_si256(); ROWS];
            for (total, input) in totals.iter_mut().zip(inputs) {
                *total = _mm256_set1_epi32(input.offset::<F>(part));
            }
            for (group, outputs) in groups.iter().enumerate() {
                let weights = load_half(outputs, half);
                for (total, input) in totals.iter_mut().zip(inputs) {
                    let x = _mm256_set1_epi32(input.groups[part * F::N_GROUPS + group]);
                    *total = _mm256_dpbusd_avx_epi32(*total, weights, x);
                }
            }
            add(&mut sums, half, totals, scales, inputs);
        }
    });
    stored(sums)
}

/// The bytes of a group are widened to two pairs of 16 bits each: the even ones and the odd.
#[target_feature(enable = "avx2,fma,f16c")]
fn tile_avx2<F: Format, const ROWS: usize>(
    panel: WeightPanel<'_, F>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let low_bytes = _mm256_set1_epi16(0xff);
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    panel.for_each_part(|block, part, groups, scales| {
        let inputs = &inputs[block];
        let mut totals = [[_mm256_setzero_si256(); ROWS]; 2];
        for totals in &mut totals {
            for (total, input) in totals.iter_mut().zip(inputs) {
                *total = _mm256_set1_epi32(input.offset::<F>(part));
            }
        }
        for (group, outputs) in groups.iter().enumerate() {
            let weights = [load_half(outputs, 0), load_half(outputs, 1)];
            for (row, input) in inputs.iter().enumerate() {
                let x = _mm256_set1_epi32(input.groups[part * F::N_GROUPS + group]);
                let even_x = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x));
                let odd_x = _mm256_srai_epi16::<8>(x);
                for (totals, weights) in totals.iter_mut().zip(weights) {
                    let even = _mm256_madd_epi16(_mm256_and_si256(weights, low_bytes), even_x);
                    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(weights), odd_x);
                    totals[row] = _mm256_add_epi32(totals[row], _mm256_add_epi32(even, odd));
                }
            }
        }
        for (half, totals) in totals.into_iter().enumerate() {
            add(&mut sums, half, totals, scales, inputs);
        }
    });
    stored(sums)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half(outputs: &Group, half: usize) -> __m256i {
    let outputs = &outputs[half * HALF..][..HALF];
    // SAFETY: half of the outputs are as large as the register.
    unsafe { _mm256_loadu_si256(outputs.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn load_numbers(numbers: ScalePanel<'_>, half: usize) -> __m256 {
    let floats = &numbers.floats[half * HALF..][..HALF];
    // SAFETY: half of the floats are as large as the register.
    let floats = _mm256_cvtph_ps(unsafe { _mm_loadu_si128(floats.as_ptr().cast()) });
    let Some(factors) = numbers.factors else { return floats };
    let factors = &factors[half * HALF..][..HALF];
    // SAFETY: half of the factors are as large as half of the register, which is loaded.
    let factors = _mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(factors.as_ptr().cast()) });
    _mm256_mul_ps(floats, _mm256_cvtepi32_ps(factors))
}

/// Adds the totals of a part, for half of the outputs, to the sums of those before.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add<const ROWS: usize>(
    sums: &mut [[__m256; 2]; ROWS],
    half: usize,
    totals: [__m256i; ROWS],
    scales: PartScales<'_>,
    inputs: &[InputBlock; ROWS],
) {
    let weight_scales = load_numbers(scales.scales, half);
    for ((sums, total), input) in sums.iter_mut().zip(totals).zip(inputs) {
        let scales = _mm256_mul_ps(weight_scales, _mm256_set1_ps(input.scale));
        sums[half] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scales, sums[half]);
    }
    if let Some(minima) = scales.minima {
        let minima = load_numbers(minima, half);
        for (sums, input) in sums.iter_mut().zip(inputs) {
            sums[half] = _mm256_fmadd_ps(minima, _mm256_set1_ps(input.negative_sum), sums[half]);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn stored<const ROWS: usize>(sums: [[__m256; 2]; ROWS]) -> [Panel; ROWS] {
    let mut panels = [[0.0; PANEL]; ROWS];
    for (panel, sums) in panels.iter_mut().zip(sums) {
        for (numbers, sum) in panel.chunks_exact_mut(HALF).zip(sums) {
            // SAFETY: half a panel is as large as the register.
            unsafe { _mm256_storeu_ps(numbers.as_mut_ptr(), sum) };
        }
    }
    panels
}
