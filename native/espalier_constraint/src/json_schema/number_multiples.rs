//! [`Residue`]: what is remembered of a number's digits where multiples count.
//!
//! Digits that follow add to the digits so far times a power of ten, so the remainder of these by
//! the modulus is enough. Whether some way to go on makes a multiple is then a question about an
//! interval of integers: those that begin with the digits, cut off at the bounds.

use std::cmp::Ordering;

use num_bigint::BigUint;
use num_traits::CheckedSub;

use super::NumberStyle;
use super::decimal::Decimal;
use super::multiples::{Multiples, power_of_ten};
use super::number::{NumberPrefix, Phase, Spelling};
use super::number_range::{Magnitudes, NumberRange};

/// What multiples the digits of a number belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Residue {
    /// The digits' remainder by the modulus: of all, or up to the last that is not zero where an
    /// exponent can follow.
    remainder: BigUint,
    /// Decimal places that were read, of those that units have. Not counted where an exponent can
    /// follow.
    n_places: u32,
}

impl Residue {
    /// About how many bytes it takes beyond itself.
    pub(super) fn memory(&self) -> usize {
        self.remainder.bits() as usize / 8
    }
}

/// A way to go on: the digits, with `n` more whose number is `digits`, are a multiple when the value
/// is `0.d₁d₂… × 10^exponent`.
pub(super) struct Continuation {
    exponent: i64,
    n: u32,
    digits: BigUint,
}

impl NumberPrefix {
    /// Reads a digit, before it is counted.
    pub(super) fn read_residue(
        &mut self,
        digit: u8,
        multiples: &Multiples,
        spelling: Spelling,
    ) -> Option<()> {
        let mut n_shifted = 1;
        if spelling.has_exponent {
            if digit == 0 {
                return Some(());
            }
            n_shifted += self.n_digits - self.n_nonzero;
        } else if self.phase == Phase::Fraction {
            if self.residue.n_places == multiples.n_places {
                self.has_part |= digit != 0;
                return multiples.of.is_none().then_some(());
            }
            self.residue.n_places += 1;
        }
        let digits = &self.residue.remainder * power_of_ten(n_shifted) + BigUint::from(digit);
        self.residue.remainder = digits % &multiples.modulus;
        Some(())
    }

    /// Whether the digits are a number of the kind, without an exponent.
    pub(super) fn is_multiple(&self, multiples: &Multiples) -> bool {
        if self.has_part {
            return multiples.of.is_none();
        }
        let n_missing = multiples.n_places - self.residue.n_places;
        multiples.contains_units(&(&self.residue.remainder * power_of_ten(n_missing)))
    }

    /// The least and the greatest exponent with which the digits are a number of the kind.
    pub(super) fn exponents_of_multiples(&self, multiples: &Multiples) -> (i64, Option<i64>) {
        let units_at = i64::from(self.n_nonzero) - i64::from(multiples.n_places);
        let (from, excluded) = multiples.powers(&self.residue.remainder);
        let least = match from {
            _ if multiples.of.is_none() => i64::MIN,
            Some(power) => units_at + i64::from(power),
            None => i64::MAX,
        };
        (least, excluded.map(|power| units_at + i64::from(power) - 1))
    }

    /// Some way from digits to a multiple within the bounds, other than zero.
    pub(super) fn next_multiple(
        &self,
        within: &Magnitudes,
        multiples: &Multiples,
        spelling: Spelling,
    ) -> Option<Continuation> {
        if self.n_digits == 0 {
            return self.first_multiple(within, multiples, spelling);
        }
        let n_places = i64::from(multiples.n_places);
        // Where the exponent is that makes the last digit so far a unit.
        let units_at = if spelling.has_exponent {
            i64::from(self.n_digits) - n_places
        } else {
            self.exponent + i64::from(self.residue.n_places) - n_places
        };
        let mut from = if spelling.has_exponent {
            i64::from(self.n_nonzero) - n_places
        } else {
            self.exponent
        };
        from = within.least.as_ref().map_or(from, |least| from.max(least.value.exponent));
        let mut to = (units_at + multiples.n_enough()).max(from + 1);
        if let Some(greatest) = &within.greatest {
            to = to.min(greatest.value.exponent);
        }
        if !spelling.has_exponent && self.phase != Phase::Whole {
            (from, to) = (from.max(self.exponent), to.min(self.exponent));
        }
        (from..=to).find_map(|exponent| match u32::try_from(exponent - units_at) {
            Ok(n) => {
                let digits = self.addend(exponent, n, 0, within, multiples, spelling)?;
                Some(Continuation { exponent, n, digits })
            }
            Err(_) => self.itself_at(exponent, within, multiples),
        })
    }

    /// The digits as they are, whose last ones are zeros behind the units.
    fn itself_at(
        &self,
        exponent: i64,
        within: &Magnitudes,
        multiples: &Multiples,
    ) -> Option<Continuation> {
        let (least, most) = self.exponents_of_multiples(multiples);
        let is_one = exponent >= least && most.is_none_or(|most| exponent <= most);
        let continuation = Continuation { exponent, n: 0, digits: BigUint::ZERO };
        (is_one && self.is_within_at(exponent, within)).then_some(continuation)
    }

    /// As [`next_multiple`](Self::next_multiple), where no digit but zero was read.
    fn first_multiple(
        &self,
        within: &Magnitudes,
        multiples: &Multiples,
        spelling: Spelling,
    ) -> Option<Continuation> {
        if !spelling.has_exponent {
            let n =
                if spelling.has_fraction { multiples.n_places - self.residue.n_places } else { 0 };
            let digits = self.addend(self.exponent, n, 0, within, multiples, spelling)?;
            return Some(Continuation { exponent: self.exponent, n, digits });
        }
        let least = within.least.as_ref().map(|bound| multiples.units_from(bound));
        let least = least.unwrap_or_default().max(BigUint::from(1u8));
        let room = match &within.greatest {
            Some(bound) => {
                let most = multiples.units_to(bound)?;
                (least <= most).then(|| most - &least)?
            }
            // Among so many there is one.
            None => &multiples.modulus * 256u32,
        };
        let digits = &least + multiples.least_addend(&least, &room, 0)?;
        let n = digits.to_string().len() as u32;
        Some(Continuation { exponent: i64::from(n) - i64::from(multiples.n_places), n, digits })
    }

    /// The least number whose digits, `n - n_zeros` of them and then `n_zeros` zeros, make a multiple
    /// within the bounds when they follow, for an exponent with which the last is a unit.
    fn addend(
        &self,
        exponent: i64,
        n: u32,
        n_zeros: u32,
        within: &Magnitudes,
        multiples: &Multiples,
        spelling: Spelling,
    ) -> Option<BigUint> {
        let (least, most) = self.addend_limits(exponent, n, within, multiples)?;
        let scale = power_of_ten(n_zeros);
        let (least, most) = ((least + &scale - 1u8) / &scale, most / &scale);
        let n_trailing = if spelling.has_exponent { self.n_digits - self.n_nonzero } else { 0 };
        let base = &self.residue.remainder * power_of_ten(n_trailing + n - n_zeros) + &least;
        let addend =
            (least <= most).then(|| multiples.least_addend(&base, &(most - &least), n_zeros))?;
        addend.map(|addend| least + addend)
    }

    /// From where to where the number of `n` more digits keeps the value within the bounds.
    fn addend_limits(
        &self,
        exponent: i64,
        n: u32,
        within: &Magnitudes,
        multiples: &Multiples,
    ) -> Option<(BigUint, BigUint)> {
        let end = power_of_ten(n);
        let is_zero = self.n_digits == 0;
        let compare = |bound: &Decimal, so_far: Ordering| match is_zero {
            // Before the first digit other than zero all of the bound is to come.
            true => Ordering::Equal,
            false if bound.is_zero() => Ordering::Greater,
            false => exponent.cmp(&bound.exponent).then(so_far),
        };
        let to_come = |units: BigUint| if is_zero { units } else { units % &end };
        let mut least = BigUint::from(u8::from(is_zero));
        let mut most = &end - 1u8;
        if let Some(bound) = &within.least {
            match compare(&bound.value, self.to_least) {
                Ordering::Less => return None,
                Ordering::Equal => {
                    let from = to_come(multiples.units(&bound.value));
                    least = least.max(from + u8::from(bound.is_exclusive));
                }
                Ordering::Greater => {}
            }
        }
        if let Some(bound) = &within.greatest {
            match compare(&bound.value, self.to_greatest) {
                Ordering::Less => {}
                Ordering::Equal => {
                    let to = to_come(multiples.units(&bound.value));
                    most = most.min(to.checked_sub(&u8::from(bound.is_exclusive).into())?);
                }
                Ordering::Greater => return None,
            }
        }
        Some((least, most))
    }

    /// What makes a number of the range of what was read, where multiples count; `None` in an
    /// exponent.
    ///
    /// Without an exponent it is one of the shortest, as far as whole units go. With one there may be
    /// a shorter one.
    pub(super) fn shortest_suffix_to_multiple(
        &self,
        range: &NumberRange,
        style: NumberStyle,
    ) -> Option<Vec<u8>> {
        let multiples = range.multiples.as_deref()?.whole();
        let spelling = Spelling::new(range, style);
        if self.is_complete(range, style) {
            return Some(Vec::new());
        }
        match self.phase {
            Phase::Start | Phase::Minus => b"0123456789-"
                .iter()
                .filter_map(|&byte| {
                    let next = self.step(byte, range, style)?;
                    let rest = next.shortest_suffix_to_multiple(range, style)?;
                    Some([vec![byte], rest].concat())
                })
                .min_by_key(Vec::len),
            Phase::Zero | Phase::Whole | Phase::Point | Phase::Fraction => {
                let within = range.magnitudes(self.is_negative)?;
                let may_be_zero = self.is_zero() && self.may_be_zero(&within, range, spelling);
                let suffix = if self.phase == Phase::Point && may_be_zero {
                    Some(b"0".to_vec())
                } else if spelling.has_exponent {
                    self.suffix_with_exponent(&within, &multiples, range, spelling)
                } else {
                    self.plain_suffix(&within, &multiples, spelling)
                };
                suffix.or_else(|| self.suffix_behind_units(range, style))
            }
            _ => None,
        }
    }

    /// One more digit, behind those that units have: what is no whole unit is no multiple.
    fn suffix_behind_units(&self, range: &NumberRange, style: NumberStyle) -> Option<Vec<u8>> {
        let is_suffix = |byte: &u8| {
            self.step(*byte, range, style).is_some_and(|next| next.is_complete(range, style))
        };
        (b'0'..=b'9').find(is_suffix).map(|byte| vec![byte])
    }

    /// Digits, a point among them or not.
    fn plain_suffix(
        &self,
        within: &Magnitudes,
        multiples: &Multiples,
        spelling: Spelling,
    ) -> Option<Vec<u8>> {
        let has_point = matches!(self.phase, Phase::Point | Phase::Fraction);
        let n_missing = multiples.n_places - self.residue.n_places;
        if self.has_part {
            return None;
        }
        let exponents = [&within.least, &within.greatest]
            .map(|bound| bound.as_ref().map_or(0, |bound| bound.value.exponent) - self.exponent);
        let n_bounds = exponents[0].max(exponents[1]).max(0) as u32;
        let most = n_missing + n_bounds + multiples.n_enough() as u32 + 2;
        (1..=most).find_map(|length| {
            let most_whole = if self.phase == Phase::Whole { length } else { 0 };
            (0..=most_whole).find_map(|n_whole| {
                let n_behind = length - n_whole;
                let n_places = if has_point { n_behind } else { n_behind.saturating_sub(1) };
                let is_possible = n_behind == 0 || spelling.has_fraction && n_places > 0;
                if !is_possible || n_places > n_missing {
                    return None;
                }
                let exponent = self.exponent + i64::from(n_whole);
                let (n, n_zeros) = (n_whole + n_missing, n_missing - n_places);
                let digits = self.addend(exponent, n, n_zeros, within, multiples, spelling)?;
                let mut text = padded(&digits, n_whole + n_places);
                if n_places > 0 && !has_point {
                    text.insert(n_whole as usize, b'.');
                }
                Some(text)
            })
        })
    }

    /// An exponent, with digits of some multiple before it or not.
    fn suffix_with_exponent(
        &self,
        within: &Magnitudes,
        multiples: &Multiples,
        range: &NumberRange,
        spelling: Spelling,
    ) -> Option<Vec<u8>> {
        let point = if self.phase == Phase::Point { "0" } else { "" };
        if self.is_zero() && self.may_be_zero(within, range, spelling) {
            return Some(format!("{point}e0").into());
        }
        if let Some(exponent) = self.exponent_in(within, range, spelling) {
            return Some(format!("{point}e{}", exponent - self.exponent).into());
        }
        let next = self.next_multiple(within, multiples, spelling)?;
        let mut text = padded(&next.digits, next.n);
        let mut exponent = self.exponent;
        match self.phase {
            Phase::Whole => exponent += i64::from(next.n),
            Phase::Zero => text.insert(0, b'.'),
            Phase::Point if text.is_empty() => text.push(b'0'),
            _ => {}
        }
        text.extend(format!("e{}", next.exponent - exponent).bytes());
        Some(text)
    }

    /// The exponent nearest to their own with which the digits, as they are, are in the range.
    pub(super) fn exponent_in(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> Option<i64> {
        if self.n_digits == 0 {
            return None;
        }
        let (from, to) = self.exact_exponents(within, range, spelling);
        let exponent = self.exponent.max(from.unwrap_or(i64::MIN)).min(to.unwrap_or(i64::MAX));
        let is_free = |exponent: &i64| {
            from.is_none_or(|from| from <= *exponent)
                && to.is_none_or(|to| *exponent <= to)
                && !self.is_left_out_at(*exponent, range)
        };
        let n_tried = range.left_out.len() as i64 + 1;
        let near = (0..n_tried).flat_map(|n| [exponent.checked_add(n), exponent.checked_sub(n)]);
        (exponent < i64::MAX).then(|| near.flatten().find(is_free))?
    }
}

/// The digits of a number, with zeros before them.
fn padded(digits: &BigUint, n: u32) -> Vec<u8> {
    if n == 0 { Vec::new() } else { format!("{digits:0>width$}", width = n as usize).into_bytes() }
}
