//! [`NumberPrefix`]: how numbers of a range are read, digit by digit.
//!
//! What has been read of a number is kept as what decides about the rest: how its significant
//! digits compare with those of each bound, and where its decimal point is. So the states of a
//! range are few, however long its bounds are, and no digit is lost to floating point.

use std::cmp::Ordering;

use super::NumberStyle;
use super::decimal::{Decimal, MAX_EXPONENT};
use super::number_multiples::Residue;
use super::number_range::{Bound, Magnitudes, NumberRange};

/// A number that is being read, for one range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NumberPrefix {
    pub(super) phase: Phase,
    pub(super) is_negative: bool,
    /// How many significant digits were read.
    pub(super) n_digits: u32,
    /// How many of them up to the last that is not zero.
    pub(super) n_nonzero: u32,
    /// Whether a digit other than zero was read after the point, where it matters.
    pub(super) has_part: bool,
    /// `0.d₁d₂… × 10^exponent` is the value so far, but for an exponent that was read.
    pub(super) exponent: i64,
    /// The exponent that was read, with its sign.
    pub(super) read_exponent: i64,
    /// How the significant digits compare with those of the least and greatest magnitude.
    pub(super) to_least: Ordering,
    pub(super) to_greatest: Ordering,
    /// What multiples of the range the digits so far belong to.
    pub(super) residue: Residue,
    /// The significant digits, where the range leaves out single numbers.
    digits: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Start,
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    ExponentSign { is_negative: bool },
    Exponent { is_negative: bool },
}

/// What the spelling of a number may have.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    pub(super) has_fraction: bool,
    pub(super) has_exponent: bool,
    has_minus_zero: bool,
}

impl Spelling {
    pub(super) fn new(range: &NumberRange, style: NumberStyle) -> Self {
        let is_any = style == NumberStyle::Any;
        Self {
            has_fraction: range.is_spelled_whole != Some(true) && (is_any || !range.is_integer),
            has_exponent: range.is_spelled_whole != Some(true) && is_any,
            has_minus_zero: is_any,
        }
    }
}

impl NumberPrefix {
    pub(crate) fn start() -> Self {
        Self {
            phase: Phase::Start,
            is_negative: false,
            n_digits: 0,
            n_nonzero: 0,
            has_part: false,
            exponent: 0,
            read_exponent: 0,
            to_least: Ordering::Equal,
            to_greatest: Ordering::Equal,
            residue: Residue::default(),
            digits: Vec::new(),
        }
    }

    /// About how many bytes it takes beyond itself.
    pub(crate) fn memory(&self) -> usize {
        self.digits.len() + self.residue.memory()
    }

    /// Reads one more byte; `None` when no number of the range goes on like that.
    pub(crate) fn step(&self, byte: u8, range: &NumberRange, style: NumberStyle) -> Option<Self> {
        let spelling = Spelling::new(range, style);
        let mut next = self.clone();
        next.phase = next_phase(self.phase, byte, spelling)?;
        match next.phase {
            Phase::Minus => next.is_negative = true,
            Phase::Whole | Phase::Fraction => next.read_digit(byte - b'0', range, spelling)?,
            Phase::Exponent { is_negative } => {
                let digit = i64::from(byte - b'0');
                let signed = if is_negative { -digit } else { digit };
                next.read_exponent =
                    (self.read_exponent * 10 + signed).clamp(-MAX_EXPONENT, MAX_EXPONENT);
            }
            _ => {}
        }
        next.forget_what_does_not_matter(range, spelling);
        let is_wanted = style == NumberStyle::Any || next.is_needed(range);
        (is_wanted && next.can_be_completed(range, spelling)).then_some(next)
    }

    /// In the plain style a single value, of an enum say, has one spelling: no zeros behind it.
    fn is_needed(&self, range: &NumberRange) -> bool {
        let Some(value) = range.single().filter(|_| range.is_spelled_whole != Some(false)) else {
            return true;
        };
        let n_places = value.digits.len() as i64 - value.exponent;
        match self.phase {
            Phase::Point => n_places > 0,
            Phase::Fraction => i64::from(self.n_digits) - self.exponent <= n_places,
            _ => true,
        }
    }

    /// Whether the number may end here.
    pub(crate) fn is_complete(&self, range: &NumberRange, style: NumberStyle) -> bool {
        let can_end = matches!(
            self.phase,
            Phase::Zero | Phase::Whole | Phase::Fraction | Phase::Exponent { .. }
        );
        let is_whole = matches!(self.phase, Phase::Zero | Phase::Whole);
        can_end
            && !(is_whole && range.is_spelled_whole == Some(false))
            && self.is_value_in(range, Spelling::new(range, style))
    }

    fn read_digit(&mut self, digit: u8, range: &NumberRange, spelling: Spelling) -> Option<()> {
        let within = range.magnitudes(self.is_negative)?;
        let is_fraction = self.phase == Phase::Fraction;
        if let Some(multiples) = &range.multiples {
            self.read_residue(digit, multiples, spelling)?;
        }
        if self.n_digits == 0 && digit == 0 {
            self.exponent -= i64::from(is_fraction);
            return Some(());
        }
        let index = self.n_digits as usize;
        let compare = |bound: &Option<Bound>, so_far| {
            bound.as_ref().map_or(so_far, |bound| bound.compare_digit(so_far, index, digit))
        };
        self.to_least = compare(&within.least, self.to_least);
        self.to_greatest = compare(&within.greatest, self.to_greatest);
        self.n_digits = self.n_digits.checked_add(1)?;
        self.digits.extend((!range.left_out.is_empty()).then_some(digit));
        self.exponent += i64::from(!is_fraction);
        if digit != 0 {
            self.n_nonzero = self.n_digits;
            self.has_part |= is_fraction && range.is_fraction;
        }
        Some(())
    }

    /// Makes prefixes equal that are alike in what can follow.
    fn forget_what_does_not_matter(&mut self, range: &NumberRange, spelling: Spelling) {
        let point_moves = spelling.has_exponent;
        let depends_on_point = range.is_integer || range.is_fraction || range.multiples.is_some();
        if range.is_unbounded() && !(depends_on_point && point_moves) {
            let has_digits = u32::from(self.n_digits > 0);
            *self = Self {
                phase: self.phase,
                is_negative: self.is_negative,
                n_digits: has_digits,
                n_nonzero: has_digits,
                has_part: self.has_part,
                residue: std::mem::take(&mut self.residue),
                ..Self::start()
            };
        }
        if point_moves {
            return;
        }
        let bounds = || range.lower.iter().chain(&range.upper).map(|bound| &bound.value);
        let most_digits = bounds().map(|value| value.digits.len()).max().unwrap_or(0) as u32;
        let highest = bounds().map(|value| value.exponent).max().unwrap_or(0).max(0);
        let lowest = bounds().map(|value| value.exponent).min().unwrap_or(0).min(0);
        if matches!(self.phase, Phase::Point | Phase::Fraction) {
            self.n_digits = self.n_digits.min(most_digits + 1);
            self.exponent = self.exponent.clamp(lowest - 1, highest + 1);
        } else if self.phase == Phase::Whole && self.exponent > highest {
            self.n_digits = highest as u32 + 1;
            self.exponent = highest + 1;
            self.to_least = Ordering::Equal;
            self.to_greatest = Ordering::Equal;
        }
        self.n_nonzero = u32::from(self.n_nonzero > 0);
    }

    pub(super) fn is_zero(&self) -> bool {
        self.n_nonzero == 0
    }

    fn is_value_in(&self, range: &NumberRange, spelling: Spelling) -> bool {
        let Some(within) = range.magnitudes(self.is_negative) else { return false };
        if self.is_zero() {
            return self.may_be_zero(&within, range, spelling);
        }
        // With an exponent the kind is a matter of which exponents there may be.
        let is_of_kind = || match &range.multiples {
            Some(multiples) => self.is_multiple(multiples),
            None => !range.is_fraction || self.has_part,
        };
        if !spelling.has_exponent && !is_of_kind() {
            return false;
        }
        let (from, to) = self.exact_exponents(&within, range, spelling);
        let exponent = self.exponent + self.read_exponent;
        let is_within =
            from.is_none_or(|from| from <= exponent) && to.is_none_or(|to| exponent <= to);
        is_within && !self.is_left_out_at(exponent, range)
    }

    /// Whether the digits, as they are, make a number with the exponent that the range leaves out.
    pub(super) fn is_left_out_at(&self, exponent: i64, range: &NumberRange) -> bool {
        let number = || Decimal::normalised(self.is_negative, self.digits.clone(), exponent);
        !range.left_out.is_empty() && range.left_out.binary_search(&number()).is_ok()
    }

    /// Whether zero, with the sign that was read, is in the range.
    pub(super) fn may_be_zero(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> bool {
        let may_have_sign = !self.is_negative || spelling.has_minus_zero;
        within.least.is_none() && range.kind_has_zero() && may_have_sign
    }

    /// Whether the digits are within the bounds with an exponent.
    pub(super) fn is_within_at(&self, exponent: i64, within: &Magnitudes) -> bool {
        let (from, to) = self.exponents_within(within);
        from.is_none_or(|from| from <= exponent) && to.is_none_or(|to| exponent <= to)
    }

    /// The exponents with which the digits, as they are, make a number of the range.
    pub(super) fn exact_exponents(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> (Option<i64>, Option<i64>) {
        let (from, to) = self.exponents_within(within);
        if !spelling.has_exponent {
            return (from, to);
        }
        if let Some(multiples) = &range.multiples {
            let (least, most) = self.exponents_of_multiples(multiples);
            return (from.max(Some(least)), [to, most].into_iter().flatten().min());
        }
        let whole = range.is_integer.then_some(i64::from(self.n_nonzero));
        let part = range.is_fraction.then_some(i64::from(self.n_nonzero) - 1);
        (from.max(whole), [to, part].into_iter().flatten().min())
    }

    /// The exponents with which the digits are within the bounds.
    fn exponents_within(&self, within: &Magnitudes) -> (Option<i64>, Option<i64>) {
        let n_digits = self.n_digits as usize;
        let from = within.least.as_ref().map(|bound| {
            let is_at_least = match self.to_least {
                Ordering::Greater => true,
                Ordering::Equal => !bound.has_more_than(n_digits) && !bound.is_exclusive,
                Ordering::Less => false,
            };
            // A bound of zero is below every exponent.
            if bound.value.is_zero() {
                i64::MIN
            } else {
                bound.value.exponent + i64::from(!is_at_least)
            }
        });
        let to = within.greatest.as_ref().map(|bound| {
            let is_at_most = match self.to_greatest {
                Ordering::Less => true,
                Ordering::Equal => bound.has_more_than(n_digits) || !bound.is_exclusive,
                Ordering::Greater => false,
            };
            if bound.value.is_zero() {
                i64::MIN
            } else {
                bound.value.exponent - i64::from(!is_at_most)
            }
        });
        (from, to)
    }

    fn can_be_completed(&self, range: &NumberRange, spelling: Spelling) -> bool {
        let Some(within) = range.magnitudes(self.is_negative) else { return false };
        if let Some(multiples) = range.multiples_of_one()
            && matches!(self.phase, Phase::Zero | Phase::Whole | Phase::Point | Phase::Fraction)
        {
            let needs_place = self.phase == Phase::Point && !spelling.has_exponent;
            return (!needs_place || multiples.n_places > 0)
                && (self.next_multiple(&within, multiples, spelling).is_some()
                    || self.is_zero() && self.may_be_zero(&within, range, spelling));
        }
        match self.phase {
            Phase::Start => true,
            Phase::E | Phase::ExponentSign { .. } | Phase::Exponent { .. } => {
                self.can_complete_exponent(&within, range, spelling)
            }
            _ if self.n_digits == 0 => self.can_complete_zero(&within, range, spelling),
            _ => self.can_complete_digits(&within, range, spelling),
        }
    }

    /// No digit but zero was read yet.
    fn can_complete_zero(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> bool {
        if spelling.has_exponent {
            // Digits and an exponent can still make any number of this sign.
            return true;
        }
        let may_be_zero = self.may_be_zero(within, range, spelling);
        let may_be_positive = within.greatest.as_ref().is_none_or(|bound| !bound.value.is_zero());
        match self.phase {
            Phase::Minus => may_be_positive || may_be_zero,
            _ if may_be_zero => true,
            _ if range.is_integer || !may_be_positive => false,
            // What can follow is below 10^exponent and above zero.
            _ => within
                .least
                .as_ref()
                .is_none_or(|bound| bound.value.is_zero() || bound.value.exponent <= self.exponent),
        }
    }

    /// More digits may follow; the exponent of the whole is fixed by a point, or still grows.
    fn can_complete_digits(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> bool {
        let least_exponent = if spelling.has_exponent { i64::MIN } else { self.exponent };
        let is_fixed = !spelling.has_exponent && self.phase != Phase::Whole;
        let floors =
            [self.exponent, i64::from(self.n_nonzero), i64::from(self.n_digits), least_exponent];
        let around = |bound: &Option<Bound>| {
            let exponent = bound.as_ref().filter(|bound| !bound.value.is_zero())?.value.exponent;
            Some([exponent - 1, exponent, exponent + 1])
        };
        let near_bounds =
            around(&within.least).into_iter().chain(around(&within.greatest)).flatten();
        let mut candidates =
            near_bounds.flat_map(|exponent| floors.map(|floor| exponent.max(floor))).chain(floors);
        candidates.any(|exponent| {
            (exponent == self.exponent || !is_fixed)
                && exponent >= least_exponent
                && self.some_continuation_is_in(exponent, within, range)
        })
    }

    /// Whether the digits, with any others after them, make a number of the range for this
    /// exponent.
    fn some_continuation_is_in(
        &self,
        exponent: i64,
        within: &Magnitudes,
        range: &NumberRange,
    ) -> bool {
        let n_digits = self.n_digits as usize;
        // With integers there are other continuations only where the digits end before the point.
        let only_itself = range.is_integer && exponent < n_digits as i64;
        if only_itself && exponent < i64::from(self.n_nonzero) {
            return false;
        }
        let reaches_least = within.least.as_ref().is_none_or(|bound| {
            bound.value.is_zero()
                || match exponent.cmp(&bound.value.exponent).then(self.to_least) {
                    Ordering::Greater => true,
                    Ordering::Equal => !only_itself || !bound.has_more_than(n_digits),
                    Ordering::Less => false,
                }
        });
        let stays_below = within.greatest.as_ref().is_none_or(|bound| {
            !bound.value.is_zero()
                && match exponent.cmp(&bound.value.exponent).then(self.to_greatest) {
                    Ordering::Less => true,
                    Ordering::Equal => !bound.is_exclusive || bound.has_more_than(n_digits),
                    Ordering::Greater => false,
                }
        });
        reaches_least && stays_below
    }

    fn can_complete_exponent(
        &self,
        within: &Magnitudes,
        range: &NumberRange,
        spelling: Spelling,
    ) -> bool {
        if self.is_zero() {
            return within.least.is_none() && range.kind_has_zero();
        }
        let (from, to) = self.exact_exponents(within, range, spelling);
        let relative = |exponent: i64| {
            exponent.saturating_sub(self.exponent).clamp(-2 * MAX_EXPONENT, 2 * MAX_EXPONENT)
        };
        let from = from.map_or(-MAX_EXPONENT, relative).max(-MAX_EXPONENT);
        let to = to.map_or(MAX_EXPONENT, relative).min(MAX_EXPONENT);
        let reaches = match self.phase {
            Phase::ExponentSign { is_negative: true } => from <= to && from <= 0,
            Phase::ExponentSign { is_negative: false } => from <= to && to >= 0,
            Phase::Exponent { is_negative: true } => extends_into(-self.read_exponent, -to, -from),
            Phase::Exponent { is_negative: false } => extends_into(self.read_exponent, from, to),
            _ => from <= to,
        };
        let is_free = || self.exponent_suffix(range, spelling).is_some();
        reaches && (range.left_out.is_empty() || is_free())
    }
}

/// Whether `value`, with any digits after it, is a number from `from` to `to`.
fn extends_into(value: i64, from: i64, to: i64) -> bool {
    if value == 0 {
        return from <= to && to >= 0;
    }
    let (mut low, mut high) = (value, value);
    while low <= to.min(MAX_EXPONENT) {
        if high >= from {
            return true;
        }
        low *= 10;
        high = high * 10 + 9;
    }
    false
}

fn next_phase(phase: Phase, byte: u8, spelling: Spelling) -> Option<Phase> {
    let Spelling { has_fraction, has_exponent, .. } = spelling;
    Some(match (phase, byte) {
        (Phase::Start, b'-') => Phase::Minus,
        (Phase::Start | Phase::Minus, b'0') => Phase::Zero,
        (Phase::Start | Phase::Minus, b'1'..=b'9') | (Phase::Whole, b'0'..=b'9') => Phase::Whole,
        (Phase::Zero | Phase::Whole, b'.') if has_fraction => Phase::Point,
        (Phase::Point | Phase::Fraction, b'0'..=b'9') => Phase::Fraction,
        (Phase::Zero | Phase::Whole | Phase::Fraction, b'e' | b'E') if has_exponent => Phase::E,
        (Phase::E, b'+') => Phase::ExponentSign { is_negative: false },
        (Phase::E, b'-') => Phase::ExponentSign { is_negative: true },
        (Phase::E, b'0'..=b'9') => Phase::Exponent { is_negative: false },
        (Phase::ExponentSign { is_negative } | Phase::Exponent { is_negative }, b'0'..=b'9') => {
            Phase::Exponent { is_negative }
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::number_completion::shortest_suffix;
    use super::*;
    use crate::json_schema::decimal::Decimal;
    use crate::json_schema::multiples::Multiples;
    use crate::meter::Meter;

    fn bound(text: &str) -> Option<Bound> {
        let (text, is_exclusive) =
            text.strip_suffix('!').map_or((text, false), |text| (text, true));
        (!text.is_empty()).then(|| Bound { value: Decimal::parse(text), is_exclusive })
    }

    fn range(lower: &str, upper: &str, is_integer: bool) -> NumberRange {
        let range = NumberRange {
            lower: bound(lower),
            upper: bound(upper),
            is_integer,
            ..NumberRange::default()
        };
        range.normalised().expect("some number is in the range")
    }

    /// Reads every spelling up to some length and checks each step and each end against the
    /// values themselves: a prefix is refused exactly when no number of the range begins so.
    fn check_all(range: &NumberRange, style: NumberStyle, alphabet: &[u8], max_length: usize) {
        let mut open = vec![(String::new(), NumberPrefix::start())];
        while let Some((text, prefix)) = open.pop() {
            let is_number = serde_json::from_str::<serde_json::Number>(&text).is_ok();
            let is_short =
                range.single().is_none_or(|value| value.to_plain().as_ref() == Some(&text));
            let is_spelled = style == NumberStyle::Any
                || is_short
                    && is_plain(&text, range)
                    && !(text.starts_with('-') && Decimal::parse(&text).is_zero());
            let expected = is_number && is_spelled && range.contains(&Decimal::parse(&text));
            assert_eq!(prefix.is_complete(range, style), expected, "{text} in {range:?} {style:?}");
            if !text.is_empty() {
                let suffix = shortest_suffix(&prefix, range, style, &Meter::unlimited()).unwrap();
                let suffix = String::from_utf8(suffix).unwrap();
                let completed = Decimal::parse(&format!("{text}{suffix}"));
                assert!(range.contains(&completed), "{text}{suffix} in {range:?}");
            }
            if text.len() < max_length {
                for &byte in alphabet {
                    let longer = format!("{text}{}", char::from(byte));
                    match prefix.step(byte, range, style) {
                        Some(next) => open.push((longer, next)),
                        None => assert_nothing_begins_with(&longer, range, style),
                    }
                }
            }
        }
    }

    /// Whether the spelling has no exponent and no more places than the plain style.
    fn is_plain(text: &str, range: &NumberRange) -> bool {
        let n_places = text.split_once('.').map_or(0, |(_, places)| places.len());
        let most_places = match range.multiples_of_one() {
            _ if range.is_integer => 0,
            Some(multiples) => multiples.n_places as usize,
            None => usize::MAX,
        };
        !text.contains(['e', 'E']) && n_places <= most_places
    }

    /// Tries a few ways to go on; none may be a number of the range.
    fn assert_nothing_begins_with(text: &str, range: &NumberRange, style: NumberStyle) {
        let suffixes = [
            "", "0", "1", "5", "9", "00", "50", "99", "000", ".5", ".05", "0.5", "1.5", ".0", "e1",
            "e2", "e-1", "e-2", "5e1", "1e0", "0e-1", ".0e0", ".1e1", ".9e9", "e3", "e-3", "00e-2",
            "1", "12", "123",
        ];
        for suffix in suffixes {
            let longer = format!("{text}{suffix}");
            let is_number = serde_json::from_str::<serde_json::Number>(&longer).is_ok();
            let is_short =
                range.single().is_none_or(|value| value.to_plain().as_ref() == Some(&longer));
            let is_spelled = style == NumberStyle::Any || is_short && is_plain(&longer, range);
            if is_number && is_spelled {
                let value = Decimal::parse(&longer);
                let is_minus_zero = value.is_zero() && longer.starts_with('-');
                assert!(
                    !range.contains(&value) || is_minus_zero && style == NumberStyle::Plain,
                    "{text:?} was refused, but {longer} is in {range:?} {style:?}"
                );
            }
        }
    }

    #[test]
    fn every_prefix_is_judged_rightly() {
        let bounds = [
            ("", ""),
            ("0", ""),
            ("", "0"),
            ("0!", ""),
            ("", "0!"),
            ("3", "12"),
            ("-12", "3"),
            ("0", "100"),
            ("100", "200!"),
            ("1.5", "2.25"),
            ("0.05", "0.5"),
            ("-0.5", "-0.05"),
            ("1.5!", "1.6!"),
            ("7", "7"),
            ("99.5", "1000"),
            ("-200", "-100"),
            ("0.25", "0.25"),
            ("-3!", "3!"),
            ("20", "30"),
            ("10", "10"),
            ("0", "0"),
        ];
        for (lower, upper) in bounds {
            for is_integer in [false, true] {
                if is_integer
                    && matches!(
                        (lower, upper),
                        ("1.5!", "1.6!") | ("0.05", "0.5") | ("-0.5", "-0.05") | ("0.25", _)
                    )
                {
                    continue;
                }
                let range = range(lower, upper, is_integer);
                check_all(&range, NumberStyle::Plain, b"-0125.9", 5);
                check_all(&range, NumberStyle::Any, b"-015.e", 5);
            }
        }
    }

    #[test]
    fn every_prefix_of_multiples_is_judged_rightly() {
        let multiples: [(&[&str], &[&str]); 13] = [
            (&["3"], &[]),
            (&["0.5"], &[]),
            (&["0.05", "0.3"], &[]),
            (&["25"], &[]),
            (&["7"], &["21"]),
            (&["1"], &["2", "3"]),
            (&["0.1"], &["1"]),
            (&[], &["1"]),
            (&[], &["0.5"]),
            (&[], &["2", "0.3"]),
            (&["120"], &[]),
            (&["1e3"], &[]),
            (&["1.5"], &["1"]),
        ];
        let bounds = [
            ("", ""),
            ("0", ""),
            ("", "0!"),
            ("-12", "30"),
            ("0!", "100!"),
            ("100", "201!"),
            ("0.05", "1.5"),
            ("-21!", "-2.5!"),
            ("9", "9.5"),
        ];
        for (of, not_of) in multiples {
            for (lower, upper) in bounds {
                let Some(range) = multiples_in(lower, upper, of, not_of) else { continue };
                check_all(&range, NumberStyle::Plain, b"-0125.9", 5);
                check_all(&range, NumberStyle::Any, b"-015.e", 4);
            }
        }
    }

    #[test]
    fn multiples_are_exact_however_long() {
        let range = multiples_in("", "", &["123456789012345678901234567890.5"], &[]).unwrap();
        let read = |text: &str| {
            let mut bytes = text.bytes();
            bytes.try_fold(NumberPrefix::start(), |prefix, byte| {
                prefix.step(byte, &range, NumberStyle::Plain)
            })
        };
        let is_complete =
            |text| read(text).is_some_and(|it| it.is_complete(&range, NumberStyle::Plain));
        assert!(is_complete("123456789012345678901234567890.5"));
        assert!(is_complete("-246913578024691357802469135781"));
        assert!(!is_complete("246913578024691357802469135780"));
        let prefix = read("9.").is_none() && read("9").is_some();
        assert!(prefix, "9 goes on to a multiple before the point, but not behind it");
    }

    fn multiples_in(lower: &str, upper: &str, of: &[&str], not_of: &[&str]) -> Option<NumberRange> {
        let decimals = |list: &[&str]| list.iter().map(|it| Decimal::parse(it)).collect::<Vec<_>>();
        let multiples =
            Multiples::new(&decimals(of), &decimals(not_of), &Meter::unlimited()).ok()?;
        NumberRange {
            multiples: Some(Arc::new(multiples)),
            lower: bound(lower),
            upper: bound(upper),
            ..NumberRange::default()
        }
        .normalised()
    }

    #[test]
    fn long_bounds_are_exact() {
        let range = range("12345678901234567890.1", "12345678901234567890.2", false);
        let read = |text: &str| {
            let mut bytes = text.bytes();
            bytes.try_fold(NumberPrefix::start(), |prefix, byte| {
                prefix.step(byte, &range, NumberStyle::Plain)
            })
        };
        assert!(read("12345678901234567890.15").is_some());
        assert!(read("12345678901234567890.3").is_none());
        assert!(read("12345678901234567891").is_none());
    }
}
