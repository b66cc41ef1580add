//! The kernels for 64-bit ARM: with instructions for products of bytes, and without.

#![expect(unsafe_code, reason = "instructions that not every CPU has, and loads from slices")]

use std::arch::aarch64::{
    int8x16_t, int32x4_t, vaddq_s32, vcvtq_f32_s32, vdupq_n_s32, vdupq_n_u8, vfmaq_f32,
    vget_low_s8, vld1q_f32, vld1q_u8, vmull_high_s8, vmull_s8, vmulq_n_f32, vpaddlq_s16,
    vpaddq_s32, vreinterpretq_s8_s32, vreinterpretq_s8_u8, vst1q_f32, vsubq_u8,
};
use std::arch::{asm, is_aarch64_feature_detected as detected};

use half::slice::HalfFloatSliceExt;

use super::WeightPanel;
use super::format::{Format, ScalePanel};
use super::inputs::InputBlock;
use super::integers::Group;
use super::kernel::Kernel;
use crate::kernels::panel::{PANEL, Panel};

/// Registers that hold a panel.
const N: usize = PANEL / 4;

/// With products of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct DotProduct(());

/// Without them, as every CPU of the kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neon;

impl DotProduct {
    pub(super) fn detect() -> Option<Self> {
        detected!("dotprod").then_some(Self(()))
    }
}

impl Kernel for DotProduct {
    #[inline]
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        // SAFETY: there is a value only where the CPU has these instructions.
        unsafe { tile_dot_product(panel, inputs) }
    }
}

impl Kernel for Neon {
    #[inline]
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        tile(panel, inputs, add_products)
    }
}

#[target_feature(enable = "neon,dotprod")]
fn tile_dot_product<F: Format, const ROWS: usize>(
    panel: WeightPanel<'_, F>,
    inputs: &[[InputBlock; ROWS]],
) -> [Panel; ROWS] {
    tile(panel, inputs, |mut total, weights, x| {
        // SAFETY: the CPU has the instruction, which reads and writes these registers alone.
        unsafe {
            asm!(
                "sdot {total:v}.4s, {weights:v}.16b, {x:v}.16b",
                total = inout(vreg) total,
                weights = in(vreg) weights,
                x = in(vreg) x,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        total
    })
}

/// Adds to each of four totals the four products of its own bytes.
#[inline(always)]
fn add_products(total: int32x4_t, weights: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: every CPU of this kind has the instructions.
    unsafe {
        let low = vmull_s8(vget_low_s8(weights), vget_low_s8(x));
        let high = vmull_high_s8(weights, x);
        vaddq_s32(total, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))
    }
}

#[inline(always)]
fn tile<F: Format, const ROWS: usize>(
    panel: WeightPanel<'_, F>,
    inputs: &[[InputBlock; ROWS]],
    add_products: impl Fn(int32x4_t, int8x16_t, int8x16_t) -> int32x4_t,
) -> [Panel; ROWS] {
    let mut panels = [[0.0; PANEL]; ROWS];
    panel.for_each_part(|block, part, groups, scales| {
        let inputs = &inputs[block];
        // SAFETY: every CPU of this kind has the instructions.
        let mut totals = [[unsafe { vdupq_n_s32(0) }; N]; ROWS];
        for (group, outputs) in groups.iter().enumerate() {
            let weights = load::<F>(outputs);
            for (totals, input) in totals.iter_mut().zip(inputs) {
                // SAFETY: as above.
                let x = unsafe {
                    vreinterpretq_s8_s32(vdupq_n_s32(input.groups[part * F::N_GROUPS + group]))
                };
                for (total, weights) in totals.iter_mut().zip(weights) {
                    *total = add_products(*total, weights, x);
                }
            }
        }
        let weight_scales = load_numbers(scales.scales);
        for ((panel, totals), input) in panels.iter_mut().zip(totals).zip(inputs) {
            add(panel, totals, &weight_scales, input.scale);
        }
        if let Some(minima) = scales.minima {
            let minima = load_numbers(minima);
            for (panel, input) in panels.iter_mut().zip(inputs) {
                for (sum, minimum) in panel.iter_mut().zip(minima) {
                    *sum = minimum.mul_add(input.negative_sum, *sum);
                }
            }
        }
    });
    panels
}

/// The integers of a group as they were before the bias.
#[inline(always)]
fn load<F: Format>(outputs: &Group) -> [int8x16_t; N] {
    let (parts, _) = outputs.as_flattened().as_chunks::<16>();
    // SAFETY: a part is as large as the register, and every CPU of this kind has the instructions.
    let part = |part: usize| unsafe {
        vreinterpretq_s8_u8(vsubq_u8(vld1q_u8(parts[part].as_ptr()), vdupq_n_u8(F::BIAS)))
    };
    std::array::from_fn(part)
}

#[inline(always)]
fn load_numbers(numbers: ScalePanel<'_>) -> Panel {
    let mut floats = [0.0; PANEL];
    numbers.floats.convert_to_f32_slice(&mut floats);
    if let Some(factors) = numbers.factors {
        floats.iter_mut().zip(factors).for_each(|(float, &factor)| *float *= f32::from(factor));
    }
    floats
}

/// Adds the totals of a part to the sums of those before.
#[inline(always)]
fn add(sums: &mut Panel, totals: [int32x4_t; N], weight_scales: &Panel, input_scale: f32) {
    let (sums, _) = sums.as_chunks_mut::<4>();
    let (weight_scales, _) = weight_scales.as_chunks::<4>();
    for ((sums, total), scales) in sums.iter_mut().zip(totals).zip(weight_scales) {
        // SAFETY: the parts are as large as the registers, and every CPU has the instructions.
        unsafe {
            let scales = vmulq_n_f32(vld1q_f32(scales.as_ptr()), input_scale);
            let sum = vfmaq_f32(vld1q_f32(sums.as_ptr()), vcvtq_f32_s32(total), scales);
            vst1q_f32(sums.as_mut_ptr(), sum);
        }
    }
}
