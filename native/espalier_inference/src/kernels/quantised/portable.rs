//! [`Portable`]: the kernel for any CPU, which says what the others compute.

use super::format::Format;
use super::inputs::InputBlock;
use super::integers::Group;
use super::kernel::Kernel;
use super::{BLOCK, WeightPanel};
use crate::kernels::panel::{PANEL, Panel};

#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn tile<F: Format, const ROWS: usize>(
        self,
        panel: WeightPanel<'_, F>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        let mut panels = [[0.0f32; PANEL]; ROWS];
        panel.for_each_part(|block, part, groups, scales| {
            for (sums, inputs) in panels.iter_mut().zip(&inputs[block]) {
                let totals = totals::<F>(groups, inputs, part);
                for (output, (sum, total)) in sums.iter_mut().zip(totals).enumerate() {
                    let scale = scales.scales.number(output) * inputs.scale;
                    *sum = (total as f32).mul_add(scale, *sum);
                    if let Some(minima) = scales.minima {
                        *sum = minima.number(output).mul_add(inputs.negative_sum, *sum);
                    }
                }
            }
        });
        panels
    }
}

/// The sums of the products of a part's integers, for each output.
fn totals<F: Format>(groups: &[Group], inputs: &InputBlock, part: usize) -> [i32; PANEL] {
    let mut totals = [inputs.offset::<F>(part); PANEL];
    for (outputs, x) in groups.iter().zip(&inputs.groups[part * F::N_GROUPS..]) {
        let x = x.to_le_bytes().map(|x| i32::from(x as i8));
        for (total, weights) in totals.iter_mut().zip(outputs) {
            let products = weights.iter().zip(x).map(|(&weight, x)| i32::from(weight) * x);
            *total += products.sum::<i32>();
        }
    }
    totals
}

/// The weights of one output of a panel.
pub(super) fn weights<F: Format>(panel: WeightPanel<'_, F>, output: usize) -> Vec<f32> {
    let mut weights = Vec::with_capacity(panel.integers.len() * BLOCK);
    panel.for_each_part(|_, _, groups, scales| {
        let scale = scales.scales.number(output);
        let minimum = scales.minima.map_or(0.0, |minima| minima.number(output));
        for outputs in groups {
            let integers = outputs[output].map(|integer| i16::from(integer) - i16::from(F::BIAS));
            weights.extend(integers.map(|integer| f32::from(integer) * scale - minimum));
        }
    });
    weights
}
