//! [`NumberRange`]: which numbers satisfy a schema.

use std::cmp::Ordering;
use std::sync::Arc;

use super::decimal::Decimal;
use super::multiples::Multiples;

/// The numbers between two bounds, all or only some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct NumberRange {
    pub(crate) lower: Option<Bound>,
    pub(crate) upper: Option<Bound>,
    pub(crate) is_integer: bool,
    /// No integers.
    pub(crate) is_fraction: bool,
    /// Which multiples the numbers are. Then integers, or their exclusion, are among these.
    pub(crate) multiples: Option<Arc<Multiples>>,
    /// Whether it must be spelled without a fraction and an exponent, or must not: in draft 4 `1.0`
    /// is no integer.
    pub(crate) is_spelled_whole: Option<bool>,
    /// Single numbers that are none of them, ascending, where their neighbours are too long to be
    /// written out, as those of `1e9000000` are. They are read with an exponent, and with other
    /// exponents there are endlessly many numbers like each of them.
    pub(crate) left_out: Vec<Decimal>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bound {
    pub(crate) value: Decimal,
    pub(crate) is_exclusive: bool,
}

/// The bounds of the numbers of one sign, without the sign; a least bound below zero is none.
pub(super) struct Magnitudes {
    pub(super) least: Option<Bound>,
    pub(super) greatest: Option<Bound>,
}

impl NumberRange {
    /// One of its numbers alone.
    pub(crate) fn exactly(&self, value: Decimal) -> Self {
        let is_integer = value.is_integer();
        let bound = Some(Bound { value, is_exclusive: false });
        let is_spelled_whole = self.is_spelled_whole;
        Self { lower: bound.clone(), upper: bound, is_integer, is_spelled_whole, ..Self::default() }
    }

    /// The value, if it is the only one.
    pub(super) fn single(&self) -> Option<&Decimal> {
        let (lower, upper) = (self.lower.as_ref()?, self.upper.as_ref()?);
        (lower.value == upper.value).then_some(&lower.value)
    }

    pub(crate) fn raise_lower(&mut self, bound: Bound) {
        let is_higher = self
            .lower
            .as_ref()
            .is_none_or(|old| (&bound.value, bound.is_exclusive) > (&old.value, old.is_exclusive));
        if is_higher {
            self.lower = Some(bound);
        }
    }

    pub(crate) fn reduce_upper(&mut self, bound: Bound) {
        let is_lower = self.upper.as_ref().is_none_or(|old| {
            (&bound.value, !bound.is_exclusive) < (&old.value, !old.is_exclusive)
        });
        if is_lower {
            self.upper = Some(bound);
        }
    }

    pub(crate) fn contains(&self, value: &Decimal) -> bool {
        let above = self.lower.as_ref().is_none_or(|bound| match value.cmp(&bound.value) {
            Ordering::Greater => true,
            Ordering::Equal => !bound.is_exclusive,
            Ordering::Less => false,
        });
        let below = self.upper.as_ref().is_none_or(|bound| match value.cmp(&bound.value) {
            Ordering::Less => true,
            Ordering::Equal => !bound.is_exclusive,
            Ordering::Greater => false,
        });
        above
            && below
            && (!self.is_integer && self.is_spelled_whole != Some(true) || value.is_integer())
            && (!self.is_fraction || !value.is_integer())
            && self.multiples.as_ref().is_none_or(|multiples| multiples.contains(value))
    }

    /// All numbers in their plain spelling, if they are fewer than `n`.
    pub(super) fn values_if_fewer(&self, n: usize) -> Option<Vec<String>> {
        let (lower, upper) = (&self.lower.as_ref()?.value, &self.upper.as_ref()?.value);
        if lower == upper {
            return Some(vec![lower.to_plain()?]);
        }
        let mut values = Vec::new();
        let next = |value: &Decimal| match self.multiples_of_one() {
            Some(multiples) => multiples.next(value, true, true),
            None => self.is_integer.then(|| value.next_integer(true, true)),
        };
        let mut value = lower.clone();
        while value <= *upper {
            values.push(value.to_plain()?);
            if values.len() >= n {
                return None;
            }
            value = next(&value)?;
        }
        Some(values)
    }

    /// Which multiples of some number they are, if they all are.
    pub(super) fn multiples_of_one(&self) -> Option<&Multiples> {
        self.multiples.as_deref().filter(|multiples| multiples.of.is_some())
    }

    /// The work of reading one more digit.
    pub(crate) fn work(&self) -> usize {
        let bounds = self.lower.iter().chain(&self.upper);
        let n_digits = bounds.map(|bound| bound.value.digits.len()).sum::<usize>();
        let multiples = self.multiples.as_ref().map_or(0, |multiples| multiples.work());
        12 + n_digits / 64 + multiples + self.left_out.len()
    }

    /// Whether zero is of the right kind, whatever the bounds.
    pub(super) fn kind_has_zero(&self) -> bool {
        !self.is_fraction && self.multiples.as_ref().is_none_or(|multiples| multiples.allows_zero())
    }

    /// The same numbers with inclusive bounds that are numbers of the range, where only integers or
    /// multiples of a number count.
    ///
    /// `None` when no number is left.
    pub(crate) fn normalised(mut self) -> Option<Self> {
        if let Some(multiples) = self.multiples.clone() {
            let rounded = |bound: Bound, upwards| bound.rounded_to(&multiples, upwards);
            self.lower = self.lower.map(|bound| rounded(bound, true));
            self.upper = self.upper.map(|bound| rounded(bound, false));
            if multiples.of.is_none() {
                self.multiples = Some(Arc::new(self.refined(&multiples)));
            }
        } else if self.is_integer {
            self.lower = self.lower.map(|bound| bound.rounded(true));
            self.upper = self.upper.map(|bound| bound.rounded(false));
        }
        if self.is_fraction {
            // The number at such a bound is none of them.
            for bound in self.lower.iter_mut().chain(&mut self.upper) {
                bound.is_exclusive |= bound.value.is_integer();
            }
        }
        let is_whole = self.is_integer || self.is_spelled_whole == Some(true);
        let is_empty_kind = self.is_fraction && is_whole;
        let is_empty = match (&self.lower, &self.upper) {
            (Some(lower), Some(upper)) => match lower.value.cmp(&upper.value) {
                Ordering::Less => false,
                Ordering::Equal => lower.is_exclusive || upper.is_exclusive,
                Ordering::Greater => true,
            },
            _ => false,
        };
        (!is_empty && !is_empty_kind).then_some(self)
    }

    /// The multiples in units of which there is one between any two numbers of the bounds' places.
    fn refined(&self, multiples: &Multiples) -> Multiples {
        let of_bound = |bound: &Bound| bound.value.n_places() as u32 + 1;
        let places = self.lower.iter().chain(&self.upper).map(of_bound);
        multiples.in_units_of(places.max().unwrap_or(0).max(multiples.n_places + 1))
    }

    /// Whether every spelling of a number of the right kind is in the range.
    pub(super) fn is_unbounded(&self) -> bool {
        self.lower.is_none() && self.upper.is_none()
    }

    /// The magnitudes of the numbers of one sign.
    ///
    /// `None` when no number of that sign is in the range; zero has both signs.
    pub(super) fn magnitudes(&self, is_negative: bool) -> Option<Magnitudes> {
        let (least, greatest) = if is_negative {
            (self.upper.as_ref().map(Bound::negated), self.lower.as_ref().map(Bound::negated))
        } else {
            (self.lower.clone(), self.upper.clone())
        };
        let excludes_zero = |bound: &Bound| bound.value.is_zero() && bound.is_exclusive;
        if greatest.as_ref().is_some_and(|bound| bound.value.is_negative || excludes_zero(bound)) {
            return None;
        }
        let matters = |bound: &Bound| {
            !bound.value.is_negative && (!bound.value.is_zero() || bound.is_exclusive)
        };
        Some(Magnitudes { least: least.filter(matters), greatest })
    }
}

impl Bound {
    /// What is beyond it, seen from the other side.
    pub(super) fn opposite(&self) -> Self {
        Self { value: self.value.clone(), is_exclusive: !self.is_exclusive }
    }

    fn negated(&self) -> Self {
        Self { value: self.value.negated(), is_exclusive: self.is_exclusive }
    }

    fn rounded(&self, upwards: bool) -> Self {
        Self { value: self.value.next_integer(upwards, self.is_exclusive), is_exclusive: false }
    }

    /// At the next of the multiples; where they are not discrete, a number that is none is left out.
    fn rounded_to(mut self, multiples: &Multiples, upwards: bool) -> Self {
        if let Some(value) = multiples.next(&self.value, upwards, self.is_exclusive) {
            return Self { value, is_exclusive: false };
        }
        self.is_exclusive |= !multiples.contains(&self.value);
        self
    }

    /// How the first `n` digits compare with the bound's, given how those before did.
    pub(super) fn compare_digit(&self, so_far: Ordering, index: usize, digit: u8) -> Ordering {
        so_far.then_with(|| digit.cmp(self.value.digits.get(index).unwrap_or(&0)))
    }

    /// Whether the bound has digits other than zero after the first `n`.
    pub(super) fn has_more_than(&self, n_digits: usize) -> bool {
        self.value.digits.len() > n_digits
    }
}
