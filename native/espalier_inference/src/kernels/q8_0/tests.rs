use super::inputs::InputBlock;
use super::kernel::AnyKernel;
use super::portable::Portable;
use super::*;
use crate::kernels::tests::numbers;

/// Shapes of small and of odd sizes: rows, inputs, outputs.
const SHAPES: [(usize, usize, usize); 6] =
    [(1, 32, 1), (2, 64, 17), (3, 96, 33), (7, 576, 48), (13, 160, 40), (21, 32, 100)];

fn product(matrix: &Q8Matrix, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len() / matrix.n_in() * matrix.n_out()];
    matrix.product(x, &mut y);
    y
}

/// What a block stands for.
fn numbers_of(block: &InputBlock) -> impl Iterator<Item = f64> {
    let integers = block.groups.iter().flat_map(|group| group.to_le_bytes());
    integers.map(|integer| f64::from(integer as i8) * f64::from(block.scale))
}

fn dot(a: impl Iterator<Item = f64>, b: impl Iterator<Item = f64>) -> (f64, f64) {
    a.zip(b)
        .map(|(a, b)| a * b)
        .fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

#[test]
fn products_are_those_of_what_the_blocks_stand_for() {
    for (n_rows, n_in, n_out) in SHAPES {
        let (x, w) = (numbers(n_rows * n_in, 1), numbers(n_out * n_in, 2));
        let matrix = Q8Matrix::quantise(&w, n_in);
        let y = product(&matrix, &x);
        for (row, y) in x.chunks(n_in).zip(y.chunks(n_out)) {
            let row = inputs::quantise(row, n_in / BLOCK);
            for (output, &y) in y.iter().enumerate() {
                let weights = matrix.row(output).map(f64::from);
                let (expected, size) = dot(row.iter().flat_map(numbers_of), weights);
                assert!((f64::from(y) - expected).abs() <= 1e-6 * size, "{y} and {expected}");
            }
        }
    }
}

#[test]
fn products_are_near_those_of_the_numbers_before() {
    for (n_rows, n_in, n_out) in SHAPES {
        let (x, w) = (numbers(n_rows * n_in, 3), numbers(n_out * n_in, 4));
        let y = product(&Q8Matrix::quantise(&w, n_in), &x);
        // Half a step of each factor, of which the other is one at most, at random.
        let tolerance = 6.0 * (n_in as f64).sqrt() / 254.0;
        for (row, y) in x.chunks(n_in).zip(y.chunks(n_out)) {
            for (w, &y) in w.chunks(n_in).zip(y) {
                let (expected, _) =
                    dot(row.iter().map(|&x| f64::from(x)), w.iter().map(|&w| f64::from(w)));
                assert!((f64::from(y) - expected).abs() <= tolerance, "{y} and {expected}");
            }
        }
    }
}

#[test]
fn rows_are_as_near_as_their_blocks_allow() {
    let (n_in, w) = (64, numbers(64 * 37, 5));
    let matrix = Q8Matrix::quantise(&w, n_in);
    for (output, w) in w.chunks(n_in).enumerate() {
        let row: Vec<f32> = matrix.row(output).collect();
        for (w, row) in w.chunks(BLOCK).zip(row.chunks(BLOCK)) {
            let highest = w.iter().fold(0.0f32, |highest, w| highest.max(w.abs()));
            for (w, quantised) in w.iter().zip(row) {
                // Half a step, and what the scale loses in 16 bits.
                assert!((w - quantised).abs() <= highest * (0.5 / 127.0 + 1.0 / 2048.0));
            }
        }
    }
}

/// Blocks with all integers there are, and scales from the smallest to the largest.
fn hostile_blocks(n: usize) -> Vec<u8> {
    let scales = [0x3c00u16, 0xbc00, 0x0001, 0x7bff, 0x0000, 0x2e66];
    let block = |index: usize| {
        let integer = move |input: usize| match index % 4 {
            0 => (index * 31 + input * 7) as u8,
            1 => 0x80,
            2 => 0x7f,
            _ => [0x80, 0x7f][input % 2],
        };
        let scale = scales[index % scales.len()].to_le_bytes();
        scale.into_iter().chain((0..BLOCK).map(integer))
    };
    (0..n).flat_map(block).collect()
}

#[test]
fn blocks_of_a_file_are_taken_over_as_they_are() {
    let (n_in, n_out) = (96, 35);
    let bytes = hostile_blocks(n_in / BLOCK * n_out);
    let matrix = Q8Matrix::from_blocks(&bytes, n_in, n_out).unwrap();
    for (output, blocks) in bytes.chunks(n_in / BLOCK * BLOCK_BYTES).enumerate() {
        let expected = blocks.chunks(BLOCK_BYTES).flat_map(|block| {
            let scale = f16::from_le_bytes([block[0], block[1]]).to_f32();
            block[2..].iter().map(move |&integer| f32::from(integer as i8) * scale)
        });
        assert!(matrix.row(output).eq(expected), "output {output}");
    }
}

#[test]
fn blocks_that_do_not_fit_are_refused() {
    let bytes = hostile_blocks(6);
    let refused = |bytes, n_in, n_out| Q8Matrix::from_blocks(bytes, n_in, n_out).is_none();
    assert!(!refused(&bytes, 64, 3));
    assert!(refused(&bytes, 64, 4) && refused(&bytes, 64, 2) && refused(&bytes, 64, usize::MAX));
    assert!(refused(&bytes, 48, 4) && refused(&bytes, 0, 3) && refused(&[], 0, 0));
    assert!(refused(&bytes[1..], 64, 3) && refused(&[&bytes[..], &[0]].concat(), 64, 3));
}

/// Each kernel that this CPU can run against the portable one, on the extremes of all integers.
#[test]
fn kernels_give_the_same_bits() {
    for (n_rows, n_in, n_out) in SHAPES {
        let bytes = hostile_blocks(n_in / BLOCK * n_out);
        let matrix = Q8Matrix::from_blocks(&bytes, n_in, n_out).unwrap();
        let mut x = numbers(n_rows * n_in, 6);
        x[..BLOCK].fill(-1.0);
        x[n_in - BLOCK..n_in].fill(1e-3);
        let computed = |kernel: AnyKernel| {
            let x = inputs::quantise(&x, n_in / BLOCK);
            let mut y = vec![f32::NAN; n_rows * n_out];
            let panels = 0..n_out.div_ceil(PANEL);
            kernel.run(Product { matrix: &matrix, x: &x, panels, y: &mut y });
            y.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let expected = computed(AnyKernel::Portable(Portable));
        for kernel in AnyKernel::all() {
            assert_eq!(computed(kernel), expected, "{kernel:?} for {n_rows} rows of {n_in}");
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let (n_in, n_out) = (96, 50);
    let (x, w) = (numbers(23 * n_in, 7), numbers(n_out * n_in, 8));
    let matrix = Q8Matrix::quantise(&w, n_in);
    let together = product(&matrix, &x);
    for n_rows in 1..=23 {
        assert_eq!(product(&matrix, &x[..n_rows * n_in]), together[..n_rows * n_out]);
    }
}

#[test]
fn threads_change_nothing() {
    let (n_in, n_out) = (256, 1001);
    let (x, w) = (numbers(5 * n_in, 9), numbers(n_out * n_in, 10));
    let matrix = Q8Matrix::quantise(&w, n_in);
    let shared = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| product(&matrix, &x))
    };
    assert_eq!(shared(3), shared(1));
}

#[test]
fn inputs_that_are_no_numbers_show() {
    let matrix = Q8Matrix::quantise(&numbers(64 * 3, 11), 64);
    for odd in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut x = numbers(128, 12);
        x[40] = odd;
        let y = product(&matrix, &x);
        assert!(y[..3].iter().all(|y| !y.is_finite()) && y[3..].iter().all(|y| y.is_finite()));
    }
    assert_eq!(product(&matrix, &[0.0; 64]), [0.0; 3]);
    assert!(product(&matrix, &[1e-40; 64]).iter().all(|y| y.abs() < 1e-37));
}
