//! How fast are products of rows with quantised matrices, beside those of candle?
//!
//!     RAYON_NUM_THREADS=1 cargo run --release -p bench --features products --bin products
//!
//! The matrices are of the sizes of small models' layers; the last is an output layer. What is printed
//! is the fastest of many runs on one thread, with the two taking turns, in 10⁹ multiplications a
//! second.
#![allow(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::cast_precision_loss, reason = "sizes and counts become floats, and are small")]

#[expect(dead_code, unused_imports, reason = "a module of another crate, of which little is used")]
#[path = "../../../native/espalier_inference/src/kernels/mod.rs"]
mod kernels;

use anyhow::{Context, Result, ensure};
use bench::{clock, machine, table};
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};

use self::kernels::{BlockFormat, QuantisedMatrix};

const FORMATS: [(BlockFormat, GgmlDType); 3] = [
    (BlockFormat::Q8_0, GgmlDType::Q8_0),
    (BlockFormat::Q4K, GgmlDType::Q4K),
    (BlockFormat::Q6K, GgmlDType::Q6K),
];

const SHAPES: [(usize, usize); 5] =
    [(576, 1536), (896, 4864), (4864, 896), (2048, 8192), (576, 49152)];

const ROWS: [usize; 6] = [1, 2, 4, 8, 16, 64];

/// Microseconds that each product is repeated for, at least.
const MIN_TIME: f64 = 2e5;

fn main() -> Result<()> {
    let is_alone = std::env::var("RAYON_NUM_THREADS").is_ok_and(|number| number == "1");
    ensure!(is_alone, "set RAYON_NUM_THREADS=1: other threads' time would not be counted");
    println!("{}. 10⁹ multiplications a second, on one thread.\n", machine::describe());
    for (format, dtype) in FORMATS {
        println!("{format:?}\n");
        let mut rows = vec![
            ["inputs × outputs", "rows", "Espalier", "candle", "ratio"].map(String::from).into(),
        ];
        let fits = |(n_in, _): &(usize, usize)| n_in.is_multiple_of(dtype.block_size());
        for (n_in, n_out) in SHAPES.into_iter().filter(fits) {
            let weights = Tensor::from_vec(numbers(n_in * n_out), (n_out, n_in), &Device::Cpu)?;
            let weights = QTensor::quantize(&weights, dtype)?;
            let ours = format.matrix(&weights.data()?, n_in, n_out).context("another format")?;
            let theirs = QMatMul::from_qtensor(weights)?;
            for n_rows in ROWS {
                let speeds = compare(&*ours, &theirs, [n_rows, n_in, n_out])?;
                let [ours, theirs] = speeds.map(|speed| format!("{speed:.1}"));
                let ratio = table::ratio(speeds[0], speeds[1]);
                let shape = format!("{n_in} × {n_out}");
                rows.push(vec![shape, n_rows.to_string(), ours, theirs, ratio]);
            }
        }
        table::print(&rows);
    }
    Ok(())
}

/// How fast the products with some rows are, ours and theirs.
fn compare(
    ours: &dyn QuantisedMatrix,
    theirs: &QMatMul,
    [n_rows, n_in, n_out]: [usize; 3],
) -> Result<[f64; 2]> {
    let x = numbers(n_rows * n_in);
    let inputs = Tensor::from_slice(&x, (n_rows, n_in), &Device::Cpu)?;
    let (mut fastest, mut total) = ([f64::INFINITY; 2], 0.0);
    while total < MIN_TIME {
        let product = || {
            let mut y = vec![0.0; n_rows * n_out];
            ours.product(&x, &mut y);
            y
        };
        let (our_time, y) = clock::measured(product);
        let (their_time, outputs) = clock::measured(|| theirs.forward(&inputs));
        if total == 0.0 {
            ensure!(agree(&y, &outputs?.flatten_all()?.to_vec1()?), "the products differ");
        }
        total += our_time + their_time;
        fastest = [fastest[0].min(our_time), fastest[1].min(their_time)];
    }
    Ok(fastest.map(|time| (n_rows * n_in * n_out) as f64 / time / 1e3))
}

/// Whether products differ by no more than rounding explains.
fn agree(ours: &[f32], theirs: &[f32]) -> bool {
    let largest = ours.iter().fold(0.0f32, |largest, y| largest.max(y.abs()));
    ours.iter().zip(theirs).all(|(ours, theirs)| (ours - theirs).abs() < 0.01 * largest)
}

/// Numbers between -1 and 1.
fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}
