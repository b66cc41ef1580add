use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::inputs::InputBlock;
use super::kernel::AnyKernel;
use super::portable::Portable;
use super::*;
use crate::kernels::tests::numbers;

/// What the tests need to know of a format beside what it says.
trait Tested: Format {
    /// The name that another implementation has for it.
    const DTYPE: GgmlDType;

    /// The name that it has here.
    const FORMAT: BlockFormat;

    /// Where the floats are in a block of a file.
    const FLOATS: &[usize];
}

impl Tested for Q4_0 {
    const DTYPE: GgmlDType = GgmlDType::Q4_0;
    const FORMAT: BlockFormat = BlockFormat::Q4_0;
    const FLOATS: &[usize] = &[0];
}

impl Tested for Q4K {
    const DTYPE: GgmlDType = GgmlDType::Q4K;
    const FORMAT: BlockFormat = BlockFormat::Q4K;
    const FLOATS: &[usize] = &[0, 2];
}

impl Tested for Q5K {
    const DTYPE: GgmlDType = GgmlDType::Q5K;
    const FORMAT: BlockFormat = BlockFormat::Q5K;
    const FLOATS: &[usize] = &[0, 2];
}

impl Tested for Q6K {
    const DTYPE: GgmlDType = GgmlDType::Q6K;
    const FORMAT: BlockFormat = BlockFormat::Q6K;
    const FLOATS: &[usize] = &[208];
}

impl Tested for Q8_0 {
    const DTYPE: GgmlDType = GgmlDType::Q8_0;
    const FORMAT: BlockFormat = BlockFormat::Q8_0;
    const FLOATS: &[usize] = &[0];
}

/// Runs a check, a function with a format as its parameter, for each format.
macro_rules! for_each_format {
    ($check:ident) => {
        $check::<Q4_0>();
        $check::<Q4K>();
        $check::<Q5K>();
        $check::<Q6K>();
        $check::<Q8_0>();
    };
}

/// Shapes of small and of odd sizes: rows, blocks of inputs, outputs.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (2, 2, 17), (3, 3, 33), (7, 5, 48), (9, 2, 40), (21, 1, 100)];

/// Blocks with all integers and factors that there are, and with scales from the smallest on.
fn blocks<F: Tested>(n: usize) -> Vec<u8> {
    let scales = [0x3c00u16, 0xbc00, 0x0001, 0x3bff, 0x0000, 0x2e66];
    let mut bytes: Vec<u8> =
        numbers(n * F::N_BYTES, 20).iter().map(|number| (number * 128.0) as i8 as u8).collect();
    for (index, block) in bytes.chunks_exact_mut(F::N_BYTES).enumerate() {
        match index % 5 {
            0 => block.fill(0x80),
            1 => block.fill(0x7f),
            2 => block.fill(0xff),
            _ => {}
        }
        for (place, &at) in F::FLOATS.iter().enumerate() {
            let scale = scales[(index + place) % scales.len()];
            block[at..at + 2].copy_from_slice(&scale.to_le_bytes());
        }
    }
    bytes
}

/// A matrix of [`blocks`].
fn matrix<F: Tested>(n_blocks: usize, n_out: usize) -> Packed<F> {
    let bytes = blocks::<F>(n_blocks * n_out);
    Packed::from_blocks(&bytes, n_blocks * F::N_INPUTS, n_out).unwrap()
}

fn product<F: Format>(matrix: &Packed<F>, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len() / matrix.n_in * matrix.n_out];
    matrix.product(x, &mut y);
    y
}

/// What a block stands for.
fn numbers_of(block: &InputBlock) -> impl Iterator<Item = f64> {
    let integers = block.groups.iter().flat_map(|group| group.to_le_bytes());
    integers.map(|integer| f64::from(integer as i8) * f64::from(block.scale))
}

/// The sum of the products of two lists, and that of their sizes.
fn dot(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> (f64, f64) {
    let terms = a.zip(b).map(|(a, b)| a * b);
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

#[test]
fn products_are_those_of_what_the_blocks_stand_for() {
    fn check<F: Tested>() {
        for (n_rows, n_blocks, n_out) in SHAPES {
            let matrix = matrix::<F>(n_blocks, n_out);
            let x = numbers(n_rows * matrix.n_in, 1);
            let y = product(&matrix, &x);
            for (row, y) in x.chunks(matrix.n_in).zip(y.chunks(n_out)) {
                let row = inputs::round(row, row.len() / BLOCK);
                for (output, &y) in y.iter().enumerate() {
                    // Integers and minima are added up apart, so it is their sizes that count.
                    let weights = matrix.row(output);
                    let largest = weights.iter().fold(0.0f32, |max, weight| max.max(weight.abs()));
                    let weights = weights.into_iter().map(f64::from);
                    let (expected, size) = dot(row.iter().flat_map(numbers_of), weights);
                    let tolerance = 1e-6 * (size + f64::from(largest) * 64.0);
                    let difference = (f64::from(y) - expected).abs();
                    assert!(difference <= tolerance, "{:?}: {y} and {expected}", F::DTYPE);
                }
            }
        }
    }
    for_each_format!(check);
}

/// What is read from files agrees with what another implementation wrote and reads.
#[test]
fn blocks_of_a_file_have_the_weights_that_they_stand_for() {
    fn check<F: Tested>() {
        let (n_in, n_out) = (2 * F::N_INPUTS, 35);
        let written = Tensor::from_vec(numbers(n_in * n_out, 2), (n_out, n_in), &Device::Cpu);
        let written = QTensor::quantize(&written.unwrap(), F::DTYPE).unwrap();
        let expected = written.dequantize(&Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        let matrix = F::FORMAT.matrix(&written.data().unwrap(), n_in, n_out).unwrap();
        for (output, expected) in expected.iter().enumerate() {
            assert_eq!(matrix.row(output), *expected, "{:?}, output {output}", F::DTYPE);
        }
    }
    for_each_format!(check);
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    fn check<F: Tested>() {
        let (bytes, n) = (blocks::<F>(6), F::N_INPUTS);
        let fits =
            |bytes: &[u8], n_in, n_out| Packed::<F>::from_blocks(bytes, n_in, n_out).is_some();
        assert!(fits(&bytes, 2 * n, 3) && fits(&bytes, n, 6));
        assert!(!fits(&bytes, 2 * n, 4) && !fits(&bytes, 2 * n, 2));
        assert!(!fits(&bytes, 2 * n, usize::MAX) && !fits(&bytes, usize::MAX / n * n, 3));
        assert!(!fits(&bytes, n + n / 2, 4) && !fits(&bytes, 0, 3) && !fits(&[], 0, 0));
        assert!(!fits(&bytes[1..], 2 * n, 3) && !fits(&[&bytes[..], &[0]].concat(), 2 * n, 3));
    }
    for_each_format!(check);
}

/// Each kernel that this CPU can run against the portable one, on the extremes of all integers.
#[test]
fn kernels_give_the_same_bits() {
    fn check<F: Tested>() {
        for (n_rows, n_blocks, n_out) in SHAPES {
            let matrix = matrix::<F>(n_blocks, n_out);
            let n_in = matrix.n_in;
            let mut x = numbers(n_rows * n_in, 3);
            x[..BLOCK].fill(-1.0);
            x[n_in - BLOCK..n_in].fill(1e-3);
            let x = inputs::round(&x, n_in / BLOCK);
            let computed = |kernel: AnyKernel| {
                let mut y = vec![f32::NAN; n_rows * n_out];
                let panels = 0..n_out.div_ceil(PANEL);
                kernel.run(Product { matrix: &matrix, x: &x, panels, y: &mut y });
                y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let expected = computed(AnyKernel::Portable(Portable));
            for kernel in AnyKernel::all() {
                let same = computed(kernel) == expected;
                assert!(same, "{kernel:?} of {:?} for {n_rows} rows", F::DTYPE);
            }
        }
    }
    for_each_format!(check);
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    fn check<F: Tested>() {
        let (n_rows, n_out) = (11, 50);
        let matrix = matrix::<F>(3, n_out);
        let x = numbers(n_rows * matrix.n_in, 4);
        let together = product(&matrix, &x);
        for n_rows in 1..=n_rows {
            let alone = product(&matrix, &x[..n_rows * matrix.n_in]);
            assert_eq!(alone, together[..n_rows * n_out]);
        }
        assert!(product(&matrix, &[]).is_empty());
        let last = product(&matrix, &x[(n_rows - 1) * matrix.n_in..]);
        assert_eq!(last, together[(n_rows - 1) * n_out..]);
    }
    for_each_format!(check);
}

#[test]
fn threads_change_nothing() {
    let (n_in, n_out) = (256, 1001);
    let (x, w) = (numbers(5 * n_in, 5), numbers(n_out * n_in, 6));
    let matrix = Packed::<Q8_0>::quantise(&w, n_in);
    let shared = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| product(&matrix, &x))
    };
    assert_eq!(shared(3), shared(1));
}

#[test]
fn weights_are_rounded_as_near_as_their_blocks_allow() {
    let (n_in, w) = (64, numbers(64 * 37, 7));
    let matrix = Packed::<Q8_0>::quantise(&w, n_in);
    for (output, w) in w.chunks(n_in).enumerate() {
        for (w, row) in w.chunks(BLOCK).zip(matrix.row(output).chunks(BLOCK)) {
            let highest = w.iter().fold(0.0f32, |highest, w| highest.max(w.abs()));
            for (w, rounded) in w.iter().zip(row) {
                // Half a step, and what the scale loses in 16 bits.
                assert!((w - rounded).abs() <= highest * (0.5 / 127.0 + 1.0 / 2048.0));
            }
        }
    }
}

#[test]
fn products_are_near_those_of_the_numbers_before() {
    let (n_rows, n_in, n_out) = (7, 576, 48);
    let (x, w) = (numbers(n_rows * n_in, 8), numbers(n_out * n_in, 9));
    let y = product(&Packed::<Q8_0>::quantise(&w, n_in), &x);
    // Half a step of each factor, of which the other is one at most, at random.
    let tolerance = 6.0 * (n_in as f64).sqrt() / 254.0;
    for (row, y) in x.chunks(n_in).zip(y.chunks(n_out)) {
        for (w, &y) in w.chunks(n_in).zip(y) {
            let numbers =
                |numbers: &[f32]| numbers.iter().copied().map(f64::from).collect::<Vec<_>>();
            let (expected, _) = dot(numbers(row).into_iter(), numbers(w).into_iter());
            assert!((f64::from(y) - expected).abs() <= tolerance, "{y} and {expected}");
        }
    }
}

#[test]
fn inputs_that_are_no_numbers_show() {
    let matrix = Packed::<Q8_0>::quantise(&numbers(64 * 3, 10), 64);
    for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = numbers(128, 11);
        x[40] = odd;
        let y = product(&matrix, &x);
        assert!(y[..3].iter().all(|y| !y.is_finite()) && y[3..].iter().all(|y| y.is_finite()));
    }
    assert_eq!(product(&matrix, &[0.0; 64]), [0.0; 3]);
    assert!(product(&matrix, &[1e-40; 64]).iter().all(|y| y.abs() < 1e-37));
}
