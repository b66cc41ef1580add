//! [`Multiples`]: numbers that are multiples of some numbers and not of others.

use num_bigint::{BigInt, BigUint, Sign};
use num_integer::Integer;
use num_traits::CheckedSub;

use super::decimal::Decimal;
use super::number_range::Bound;
use crate::error::Error;
use crate::limits::limit;
use crate::meter::Meter;

/// Which multiples a value is and isn't, counted in units of `10^-n_places`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Multiples {
    pub(super) n_places: u32,
    /// What every value is a multiple of; without it values needn't be whole units.
    pub(super) of: Option<BigUint>,
    /// What no value is a multiple of: multiples of `of`, none of which is another's multiple.
    not_of: Vec<BigUint>,
    /// A multiple of all of these: remainders by it tell everything.
    pub(super) modulus: BigUint,
}

/// Why there are no [`Multiples`] of some numbers.
pub(crate) enum NoMultiples {
    /// No number satisfies them.
    Unsatisfiable,
    /// A limit was exceeded.
    Error(Error),
}

impl Multiples {
    /// The multiples of all numbers of a list that are multiples of none of another.
    pub(crate) fn new(
        of: &[Decimal],
        not_of: &[Decimal],
        meter: &Meter,
    ) -> Result<Self, NoMultiples> {
        let places = of.iter().chain(not_of).map(Decimal::n_places);
        let n_places = places.max().unwrap_or(0) as u32;
        let unit = |number: &Decimal| magnitude_in_units(number, n_places);
        let lcm = |a: &BigUint, b: &BigUint| lcm(a, b, meter);
        let mut all_of: Option<BigUint> = None;
        for number in of {
            let number = unit(number);
            all_of = Some(match all_of {
                Some(of) => lcm(&of, &number)?,
                None => number,
            });
        }
        let of = all_of;
        let mut not_of: Vec<BigUint> = not_of.iter().map(unit).collect();
        if let Some(of) = &of {
            for excluded in &mut not_of {
                *excluded = lcm(excluded, of)?;
            }
        }
        if of.as_ref().is_some_and(|of| not_of.contains(of)) {
            return Err(NoMultiples::Unsatisfiable);
        }
        not_of.sort_unstable();
        not_of.dedup();
        let all = not_of.clone();
        meter.spend(all.iter().map(|number| all.len() * work_with(number)).sum())?;
        not_of.retain(|a| !all.iter().any(|b| a != b && a.is_multiple_of(b)));
        limit!(meter.limits(), excluded_multiples).check(not_of.len())?;
        let modulus = of.iter().chain(&not_of).try_fold(BigUint::from(1u8), |a, b| lcm(&a, b))?;
        Ok(Self { n_places, of, not_of, modulus })
    }

    /// The work of dividing by the modulus as often as it takes to find the next of them.
    pub(super) fn work(&self) -> usize {
        let of_one = (1 + self.n_enough() as usize / 16) * work_with(&self.modulus);
        of_one << self.not_of.len()
    }

    /// The same numbers in smaller units.
    pub(super) fn in_units_of(&self, n_places: u32) -> Self {
        let scale = power_of_ten(n_places - self.n_places);
        let modulus = &self.modulus * &scale;
        let of = self.of.as_ref().map(|of| of * &scale);
        let not_of = self.not_of.iter().map(|excluded| excluded * &scale).collect();
        Self { n_places, of, not_of, modulus }
    }

    /// Those that are whole units.
    pub(super) fn whole(&self) -> Self {
        Self { of: self.of.clone().or(Some(BigUint::from(1u8))), ..self.clone() }
    }

    /// Zero is a multiple of every number.
    pub(super) fn allows_zero(&self) -> bool {
        self.not_of.is_empty()
    }

    pub(crate) fn contains(&self, value: &Decimal) -> bool {
        let n_zeros = value.exponent - value.digits.len() as i64 + i64::from(self.n_places);
        if value.is_zero() {
            return self.allows_zero();
        }
        if n_zeros < 0 {
            return self.of.is_none();
        }
        // The remainder is enough, and the number itself may be too long to write out.
        let digits = BigUint::from_radix_be(&value.digits, 10).unwrap_or_default();
        let scale = BigUint::from(10u8).modpow(&(n_zeros as u64).into(), &self.modulus);
        self.contains_units(&(digits * scale % &self.modulus))
    }

    /// A number, whatever its sign, in units; it has no more places than they have.
    pub(super) fn units(&self, number: &Decimal) -> BigUint {
        magnitude_in_units(number, self.n_places)
    }

    /// The least number of units that an inclusive or exclusive lower bound leaves.
    pub(super) fn units_from(&self, bound: &Bound) -> BigUint {
        self.units(&bound.value) + u8::from(bound.is_exclusive)
    }

    /// The greatest number of units that an upper bound leaves.
    pub(super) fn units_to(&self, bound: &Bound) -> Option<BigUint> {
        self.units(&bound.value).checked_sub(&u8::from(bound.is_exclusive).into())
    }

    /// So many digits behind others make one of them of whatever digits, if all are whole units.
    pub(super) fn n_enough(&self) -> i64 {
        (self.modulus.bits() / 3) as i64 + 4
    }

    /// Whether a number of units, or its remainder by the modulus, is one of them.
    pub(super) fn contains_units(&self, units: &BigUint) -> bool {
        self.of.as_ref().is_none_or(|of| units.is_multiple_of(of))
            && !self.not_of.iter().any(|excluded| units.is_multiple_of(excluded))
    }

    /// The next of them from a number on, or behind it when `is_strict`; only where all are multiples
    /// of a number.
    pub(crate) fn next(&self, from: &Decimal, upwards: bool, is_strict: bool) -> Option<Decimal> {
        let of = BigInt::from(self.of.clone()?);
        let n_beyond = (from.n_places() - i64::from(self.n_places)).max(0) as u32;
        let magnitude = magnitude_in_units(from, self.n_places + n_beyond);
        let sign = if from.is_negative { Sign::Minus } else { Sign::Plus };
        let step = &of * BigInt::from(10u8).pow(n_beyond);
        let (index, rest) = BigInt::from_biguint(sign, magnitude).div_mod_floor(&step);
        let is_exact = rest == BigInt::ZERO;
        let mut index = match (upwards, is_exact, is_strict) {
            (_, true, false) | (false, false, _) => index,
            (true, ..) => index + 1,
            (false, ..) => index - 1,
        };
        loop {
            let (sign, units) = (&index * &of).into_parts();
            if self.contains_units(&units) {
                return Some(self.decimal(sign == Sign::Minus, &units));
            }
            index += if upwards { 1 } else { -1 };
        }
    }

    fn decimal(&self, is_negative: bool, units: &BigUint) -> Decimal {
        let digits = units.to_radix_be(10);
        let exponent = digits.len() as i64 - i64::from(self.n_places);
        Decimal::normalised(is_negative, digits, exponent)
    }

    /// The least number up to `most` that makes one of them when it is added to `base`; only where
    /// all are multiples of a number.
    ///
    /// Both are counted in `10^n_zeros` units, and `base` may be a remainder by the modulus.
    pub(super) fn least_addend(
        &self,
        base: &BigUint,
        most: &BigUint,
        n_zeros: u32,
    ) -> Option<BigUint> {
        let (of, scale) = (self.of.as_ref()?, power_of_ten(n_zeros));
        // The greatest common divisor takes long, even with one.
        let step = if n_zeros == 0 { of.clone() } else { of / of.gcd(&scale) };
        let rest = base % &step;
        let mut addend = if rest == BigUint::ZERO { rest } else { &step - rest };
        // Where some of these many multiples in a row are excluded each time, all are.
        for _ in 0..1u32 << self.not_of.len() {
            if addend > *most {
                return None;
            }
            if self.contains_units(&((base + &addend) * &scale)) {
                return Some(addend);
            }
            addend += &step;
        }
        None
    }

    /// From which power of ten on a number times it is a multiple of what all are, and from which
    /// on of something excluded.
    ///
    /// The number is given by its remainder by the modulus, and isn't a multiple of ten, so that
    /// no lower power than the zeroth makes it a multiple. `None` where no power does.
    pub(super) fn powers(&self, remainder: &BigUint) -> (Option<u32>, Option<u32>) {
        let from = self.of.as_ref().map_or(Some(0), |of| least_power(of, remainder));
        let excluded = self.not_of.iter().filter_map(|number| least_power(number, remainder));
        (from, excluded.min())
    }
}

/// The least power of ten that makes a number, given by a remainder, a multiple of another.
fn least_power(of: &BigUint, remainder: &BigUint) -> Option<u32> {
    let mut missing = of / of.gcd(remainder);
    let mut n_factors = |factor: u8| {
        let factor = BigUint::from(factor);
        let mut n = 0;
        while missing.is_multiple_of(&factor) {
            missing /= &factor;
            n += 1;
        }
        n
    };
    let power = n_factors(2).max(n_factors(5));
    (missing == BigUint::from(1u8)).then_some(power)
}

impl From<Error> for NoMultiples {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The work of a division by a number of that size, or of a step of a greatest common divisor.
fn work_with(number: &BigUint) -> usize {
    let n_words = number.bits() as usize / 64;
    1 + n_words * n_words / 3
}

fn lcm(a: &BigUint, b: &BigUint, meter: &Meter) -> Result<BigUint, Error> {
    let n_words = |number: &BigUint| number.bits() as usize / 64 + 1;
    meter.spend(n_words(a) * n_words(b) / 4 + 1)?;
    let lcm = a.lcm(b);
    limit!(meter.limits(), multiple_bits).check(lcm.bits() as usize)?;
    Ok(lcm)
}

pub(super) fn power_of_ten(exponent: u32) -> BigUint {
    BigUint::from(10u8).pow(exponent)
}

/// A number, whatever its sign, in units of `10^-n_places`, of which it is a whole number.
fn magnitude_in_units(number: &Decimal, n_places: u32) -> BigUint {
    let digits = BigUint::from_radix_be(&number.digits, 10).unwrap_or_default();
    let n_zeros = number.exponent - number.digits.len() as i64 + i64::from(n_places);
    if number.is_zero() { digits } else { digits * power_of_ten(n_zeros as u32) }
}
