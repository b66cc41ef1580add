//! [`Portable`]: the kernel for any CPU, which says what the others compute.

use super::inputs::InputBlock;
use super::kernel::Kernel;
use super::{WeightBlock, WeightPanel};
use crate::kernels::panel::{PANEL, Panel};

#[derive(Clone, Copy, Debug)]
pub(super) struct Portable;

impl Kernel for Portable {
    fn tile<const ROWS: usize>(
        self,
        panel: WeightPanel<'_>,
        inputs: &[[InputBlock; ROWS]],
    ) -> [Panel; ROWS] {
        let mut panels = [[0.0f32; PANEL]; ROWS];
        for ((block, scales), inputs) in panel.blocks.iter().zip(panel.scales).zip(inputs) {
            for (sums, inputs) in panels.iter_mut().zip(inputs) {
                for ((sum, total), scale) in sums.iter_mut().zip(totals(block, inputs)).zip(scales)
                {
                    *sum = (total as f32).mul_add(scale.to_f32() * inputs.scale, *sum);
                }
            }
        }
        panels
    }
}

/// The sum of the products of a block's integers, for each output.
fn totals(block: &WeightBlock, inputs: &InputBlock) -> [i32; PANEL] {
    let mut totals = [inputs.offset; PANEL];
    for (outputs, x) in block.groups.iter().zip(inputs.groups) {
        let x = x.to_le_bytes().map(|x| i32::from(x as i8));
        for (total, weights) in totals.iter_mut().zip(outputs) {
            let products = weights.iter().zip(x).map(|(&weight, x)| i32::from(weight) * x);
            *total += products.sum::<i32>();
        }
    }
    totals
}
