//! [`Decimal`]: exact decimal numbers, as they are written in JSON.

use std::cmp::Ordering;

/// The decimal places, before or after the point, that a number in a schema may have.
pub(crate) const MAX_PLACES: i64 = 4096;

/// Exponents beyond this are as good as infinite: no number of a schema comes near them.
pub(super) const MAX_EXPONENT: i64 = 1 << 40;

/// A decimal number: `±0.d₁d₂…dₙ × 10^exponent`, with `d₁` and `dₙ` not zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    pub(crate) is_negative: bool,
    /// The significant digits, as numbers from 0 to 9; none for zero.
    pub(crate) digits: Vec<u8>,
    pub(crate) exponent: i64,
}

impl Decimal {
    pub(crate) fn zero() -> Self {
        Self { is_negative: false, digits: Vec::new(), exponent: 0 }
    }

    pub(crate) fn one() -> Self {
        Self { is_negative: false, digits: vec![1], exponent: 1 }
    }

    /// Reads the spelling of a JSON number.
    pub(crate) fn parse(text: &str) -> Self {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        let huge = if exponent.starts_with('-') { -MAX_EXPONENT } else { MAX_EXPONENT };
        let exponent = exponent.parse().unwrap_or(huge).clamp(-MAX_EXPONENT, MAX_EXPONENT);
        Self::normalised(is_negative, digits, whole.len() as i64 + exponent)
    }

    /// Whether it can be written out within so many places.
    pub(crate) fn has_places_within(&self, n_places: i64) -> bool {
        self.exponent.abs() <= n_places && self.digits.len() as i64 <= n_places
    }

    pub(super) fn normalised(is_negative: bool, mut digits: Vec<u8>, exponent: i64) -> Self {
        let n_leading = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..n_leading);
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Self::zero();
        }
        Self { is_negative, digits, exponent: exponent - n_leading as i64 }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    pub(crate) fn is_integer(&self) -> bool {
        self.digits.len() as i64 <= self.exponent.max(0)
    }

    /// How many zeros end its plain spelling before the point; below zero, how many places it has.
    pub(super) fn n_trailing_zeros(&self) -> i64 {
        self.exponent - self.digits.len() as i64
    }

    /// The decimal places that it takes to write it out.
    pub(super) fn n_places(&self) -> i64 {
        if self.is_zero() { 0 } else { (-self.n_trailing_zeros()).max(0) }
    }

    pub(crate) fn negated(&self) -> Self {
        Self { is_negative: !self.is_negative && !self.is_zero(), ..self.clone() }
    }

    /// The next integer from here: the least one above, or the greatest one below.
    ///
    /// An integer leads to its neighbour when `is_strict`, and otherwise to itself. Takes memory for
    /// each decimal place.
    pub(crate) fn next_integer(&self, upwards: bool, is_strict: bool) -> Self {
        if self.is_integer() && !is_strict {
            return self.clone();
        }
        let n_whole = self.exponent.max(0) as usize;
        let mut whole: Vec<u8> = self.digits.iter().copied().take(n_whole).collect();
        whole.resize(n_whole, 0);
        let towards_zero = upwards == self.is_negative && !self.is_zero();
        if !towards_zero {
            increment(&mut whole);
            return Self::from_whole(!upwards, whole);
        }
        if self.is_integer() {
            decrement(&mut whole);
        }
        Self::from_whole(self.is_negative, whole)
    }

    fn from_whole(is_negative: bool, whole: Vec<u8>) -> Self {
        let exponent = whole.len() as i64;
        Self::normalised(is_negative, whole, exponent)
    }

    /// The plain spelling, without an exponent; `None` when it would be too long.
    pub(crate) fn to_plain(&self) -> Option<String> {
        let n_digits = self.digits.len() as i64;
        if !self.has_places_within(MAX_PLACES) {
            return None;
        }
        let place =
            |index: i64| match usize::try_from(index).ok().and_then(|at| self.digits.get(at)) {
                Some(digit) => char::from(b'0' + digit),
                None => '0',
            };
        let mut text = String::from(if self.is_negative { "-" } else { "" });
        if self.exponent <= 0 {
            text.push('0');
        }
        text.extend((0..self.exponent).map(place));
        if n_digits > self.exponent.max(0) || self.exponent < 0 && n_digits > 0 {
            text.push('.');
            text.extend((self.exponent.min(0)..0).map(|_| '0'));
            text.extend((self.exponent.max(0)..n_digits).map(place));
        }
        Some(text)
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        match (self.is_zero(), other.is_zero()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
            }
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
        }
    }
}

fn increment(whole: &mut Vec<u8>) {
    for digit in whole.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    whole.insert(0, 1);
}

/// Of a number above zero.
fn decrement(whole: &mut [u8]) {
    for digit in whole.iter_mut().rev() {
        if *digit > 0 {
            *digit -= 1;
            return;
        }
        *digit = 9;
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text)
    }

    #[test]
    fn compares_by_value() {
        let ascending =
            ["-1e400", "-10.5", "-10", "-0.1", "0", "1e-400", "0.09", "0.1", "9", "10", "1e400"];
        for pair in ascending.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
        for (a, b) in
            [("1.0", "1"), ("1e3", "1000"), ("-0", "0"), ("0.00", "0e9"), ("120", "1.2E+2")]
        {
            assert_eq!(decimal(a), decimal(b));
        }
    }

    #[test]
    fn finds_the_next_integer() {
        let next = |text, upwards, strict| decimal(text).next_integer(upwards, strict);
        for (text, upwards, strict, expected) in [
            ("1.5", true, false, "2"),
            ("1.5", false, false, "1"),
            ("-1.5", true, false, "-1"),
            ("-1.5", false, false, "-2"),
            ("0.2", false, false, "0"),
            ("-0.2", true, false, "0"),
            ("0", true, true, "1"),
            ("0", false, true, "-1"),
            ("99", true, true, "100"),
            ("-100", true, true, "-99"),
            ("7", true, false, "7"),
        ] {
            assert_eq!(next(text, upwards, strict), decimal(expected), "{text} {upwards} {strict}");
        }
    }

    #[test]
    fn writes_the_plain_spelling() {
        for text in ["0", "-1", "10", "0.5", "-0.05", "12.25", "1200"] {
            assert_eq!(decimal(text).to_plain().as_deref(), Some(text));
        }
        assert_eq!(decimal("1e3").to_plain().as_deref(), Some("1000"));
        assert_eq!(decimal("1e99999999").to_plain(), None);
    }
}
