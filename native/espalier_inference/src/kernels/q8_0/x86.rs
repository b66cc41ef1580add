//! The kernels for CPUs with AVX2 and with what came after it.

#![expect(unsafe_code, reason = "instructions that not every CPU has, and loads from slices")]

use std::arch::is_x86_feature_detected as detected;
use std::arch::x86_64::{
    __m256, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi32_ps,
    _mm256_cvtph_ps, _mm256_dpbusd_avx_epi32, _mm256_fmadd_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_mul_ps, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_setzero_si256, _mm256_slli_epi16, _mm256_srai_epi16,
    _mm256_srli_epi16, _mm256_storeu_ps, _mm512_cvtepi32_ps, _mm512_cvtph_ps, _mm512_dpbusd_epi32,
    _mm512_fmadd_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};

use half::f16;

use super::inputs::InputBlock;
use super::kernel::Kernel;
use super::{GROUP, WeightPanel};
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
        (detected!("avx512f") && detected!("avx512vnni")).then_some(Self(()))
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
    fn tile<const ROWS: usize>(
        self,
        panel: WeightPanel<'_>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx512_vnni(panel, inputs) }
    }
}

impl Kernel for AvxVnni {
    #[inline]
    fn tile<const ROWS: usize>(
        self,
        panel: WeightPanel<'_>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx_vnni(panel, inputs) }
    }
}

impl Kernel for Avx2 {
    #[inline]
    fn tile<const ROWS: usize>(
        self,
        panel: WeightPanel<'_>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_avx2(panel, inputs) }
    }
}

#[target_feature(enable = "avx512f,avx512vnni")]
fn tile_avx512_vnni<const ROWS: usize>(
    panel: WeightPanel<'_>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let mut sums = [_mm512_setzero_ps(); ROWS];
    for ((weights, scales), inputs) in panel.blocks.iter().zip(panel.scales).zip(inputs) {
        let mut totals = [_mm512_setzero_si512(); ROWS];
        for (total, input) in totals.iter_mut().zip(inputs) {
            *total = _mm512_set1_epi32(input.offset);
        }
        for (group, outputs) in weights.groups.iter().enumerate() {
            // SAFETY: a group is as large as the register.
            let weights = unsafe { _mm512_loadu_si512(outputs.as_ptr().cast()) };
            for (total, input) in totals.iter_mut().zip(inputs) {
                let x = _mm512_set1_epi32(input.groups[group]);
                *total = _mm512_dpbusd_epi32(*total, weights, x);
            }
        }
        // SAFETY: the scales of a block are as large as the register.
        let scales = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(scales.as_ptr().cast()) });
        for ((sum, total), input) in sums.iter_mut().zip(totals).zip(inputs) {
            let scales = _mm512_mul_ps(scales, _mm512_set1_ps(input.scale));
            *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scales, *sum);
        }
    }
    let mut panels = [[0.0; PANEL]; ROWS];
    for (panel, sum) in panels.iter_mut().zip(sums) {
        // SAFETY: a panel is as large as the register.
        unsafe { _mm512_storeu_ps(panel.as_mut_ptr(), sum) };
    }
    panels
}

/// Outputs of a panel in a register of 256 bits.
const HALF: usize = PANEL / 2;

#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn tile_avx_vnni<const ROWS: usize>(
    panel: WeightPanel<'_>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for ((weights, scales), inputs) in panel.blocks.iter().zip(panel.scales).zip(inputs) {
        for half in 0..2 {
            let mut totals = [_mm256_setzero_si256(); ROWS];
            for (total, input) in totals.iter_mut().zip(inputs) {
                *total = _mm256_set1_epi32(input.offset);
            }
            for (group, outputs) in weights.groups.iter().enumerate() {
                let weights = load_half(outputs, half);
                for (total, input) in totals.iter_mut().zip(inputs) {
                    let x = _mm256_set1_epi32(input.groups[group]);
                    *total = _mm256_dpbusd_avx_epi32(*total, weights, x);
                }
            }
            let scales = load_scales(scales, half);
            for ((sums, total), input) in sums.iter_mut().zip(totals).zip(inputs) {
                sums[half] = add(sums[half], total, scales, input.scale);
            }
        }
    }
    stored(sums)
}

/// The bytes of a group are widened to two pairs of 16 bits each: the even ones and the odd.
#[target_feature(enable = "avx2,fma,f16c")]
fn tile_avx2<const ROWS: usize>(
    panel: WeightPanel<'_>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    let low_bytes = _mm256_set1_epi16(0xff);
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for ((weights, scales), inputs) in panel.blocks.iter().zip(panel.scales).zip(inputs) {
        let mut totals = [[_mm256_setzero_si256(); 2]; ROWS];
        for (totals, input) in totals.iter_mut().zip(inputs) {
            *totals = [_mm256_set1_epi32(input.offset); 2];
        }
        for (group, outputs) in weights.groups.iter().enumerate() {
            let weights = [load_half(outputs, 0), load_half(outputs, 1)];
            for (totals, input) in totals.iter_mut().zip(inputs) {
                let x = _mm256_set1_epi32(input.groups[group]);
                let even_x = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(x));
                let odd_x = _mm256_srai_epi16::<8>(x);
                for (total, weights) in totals.iter_mut().zip(weights) {
                    let even = _mm256_madd_epi16(_mm256_and_si256(weights, low_bytes), even_x);
                    let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(weights), odd_x);
                    *total = _mm256_add_epi32(*total, _mm256_add_epi32(even, odd));
                }
            }
        }
        for half in 0..2 {
            let scales = load_scales(scales, half);
            for ((sums, totals), input) in sums.iter_mut().zip(totals).zip(inputs) {
                sums[half] = add(sums[half], totals[half], scales, input.scale);
            }
        }
    }
    stored(sums)
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_half(outputs: &[[u8; GROUP]; PANEL], half: usize) -> __m256i {
    let outputs = &outputs[half * HALF..][..HALF];
    // SAFETY: half of the outputs are as large as the register.
    unsafe { _mm256_loadu_si256(outputs.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn load_scales(scales: &[f16; PANEL], half: usize) -> __m256 {
    let scales = &scales[half * HALF..][..HALF];
    // SAFETY: half of the scales are as large as the register.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(scales.as_ptr().cast()) })
}

/// Adds the total of a block to the sum of those before.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add(sum: __m256, total: __m256i, weight_scales: __m256, input_scale: f32) -> __m256 {
    let scales = _mm256_mul_ps(weight_scales, _mm256_set1_ps(input_scale));
    _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scales, sum)
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
