//! Panels: numbers that lie side by side to be computed together, and their products with rows.

use pulp::Simd;

/// The numbers of a panel.
pub(crate) const PANEL: usize = 16;

/// Side by side, the weights of some outputs for one input, or a number of some positions' keys.
pub(crate) type Panel = [f32; PANEL];

/// The product of each row of inputs with each list of panels, one for each input: `N` is the number
/// of registers that hold a panel.
#[inline(always)]
pub(super) fn sums<S: Simd, const N: usize, const ROWS: usize, const PANELS: usize>(
    simd: S,
    rows: [&[f32]; ROWS],
    panels: [&[Panel]; PANELS],
) -> [[Panel; PANELS]; ROWS] {
    let n_in = rows[0].len();
    let (rows, panels) = (rows.map(|row| &row[..n_in]), panels.map(|panel| &panel[..n_in]));
    let mut sums = [[[simd.splat_f32s(0.0); N]; PANELS]; ROWS];
    for input in 0..n_in {
        let weights = panels.map(|panel| registers::<S, N>(&panel[input]));
        for (row, sums) in rows.iter().zip(&mut sums) {
            let x = simd.splat_f32s(row[input]);
            for (sums, weights) in sums.as_flattened_mut().iter_mut().zip(weights.as_flattened()) {
                *sums = simd.mul_add_f32s(x, *weights, *sums);
            }
        }
    }
    sums.map(|sums| sums.map(|sums| numbers::<S, N>(sums)))
}

#[inline(always)]
pub(super) fn registers<S: Simd, const N: usize>(numbers: &Panel) -> [S::f32s; N] {
    let (registers, _) = S::as_simd_f32s(numbers);
    std::array::from_fn(|i| registers[i])
}

#[inline(always)]
pub(super) fn numbers<S: Simd, const N: usize>(registers: [S::f32s; N]) -> Panel {
    let mut numbers = [0.0; PANEL];
    S::as_mut_simd_f32s(&mut numbers).0.copy_from_slice(&registers);
    numbers
}
