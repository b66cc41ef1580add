//! The exponential function, written so that the compiler computes many at once.

/// `e^x` with an error of a few units in the last place; 0 below -87, and not above `e^88`.
///
/// The method of the Cephes library's `expf`: a power of two times a polynomial for the rest. No
/// term is contracted, so that a number has the same result on every CPU.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding it rounds a number to an integer, which the lowest bits then hold.
    const ROUNDING: f32 = 12_582_912.0;
    /// The logarithm of two in two parts, of which the first has few digits.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    let x = if x > 88.0 { 88.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDING;
    let power = rounded - ROUNDING;
    let rest = x - power * LN_2.0 - power * LN_2.1;
    let mut sum = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + coefficient;
    }
    let scale = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if x < -87.0 { 0.0 } else { (sum * rest * rest + rest + 1.0) * scale }
}

/// `cap * tanh(x * scale / cap)` for each number.
#[inline(always)]
pub(super) fn soft_cap(numbers: &mut [f32], scale: f32, cap: f32) {
    for x in numbers {
        *x = cap - 2.0 * cap / (exp(*x * (2.0 * scale / cap)) + 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_library() {
        for step in -87_000..=88_000 {
            let x = step as f32 / 1000.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "{x}: {}", exp(x));
        }
        assert_eq!(exp(0.0).to_bits(), 1.0f32.to_bits());
        assert_eq!((exp(f32::NEG_INFINITY), exp(-88.0)), (0.0, 0.0));
        assert!(exp(f32::INFINITY).is_finite() && exp(f32::NAN).is_nan());
    }
}
